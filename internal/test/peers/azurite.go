package peers

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Azurite is running Azure Blob and Queue Storage.
type Azurite struct {
	ConnectionString string
	BlobURL          string // of the account
	QueueURL         string
}

// Account and key of every Azurite; they are its documentation's and guard nothing.
const (
	azuriteAccount = "devstoreaccount1"
	azuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// StartAzurite starts Azurite, which is installed by npm from internal/tools/azurite on first use.
func StartAzurite(t *testing.T) *Azurite {
	t.Helper()
	binary := nodeTool(t, "azurite")
	blob, queue, table := FreeAddress(t), FreeAddress(t), FreeAddress(t)
	args := []string{"--silent", "--skipApiVersionCheck", "--disableTelemetry", "--location", t.TempDir()}
	for name, address := range map[string]string{"blob": blob, "queue": queue, "table": table} {
		host, port, _ := strings.Cut(address, ":")
		args = append(args, "--"+name+"Host", host, "--"+name+"Port", port)
	}
	Start(t, blob, exec.Command(binary, args...))
	a := &Azurite{BlobURL: "http://" + blob + "/" + azuriteAccount, QueueURL: "http://" + queue + "/" + azuriteAccount}
	a.ConnectionString = fmt.Sprintf("DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;BlobEndpoint=%s;QueueEndpoint=%s;",
		azuriteAccount, azuriteKey, a.BlobURL, a.QueueURL)
	return a
}

// nodeTool installs internal/tools/<name> with npm into build/tools/<name>, unless what is there is of the same lock file.
func nodeTool(t testing.TB, name string) (binary string) {
	t.Helper()
	source, dir := filepath.Join(Root(t), "internal", "tools", name), filepath.Join(Root(t), "build", "tools", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(dir, "node_modules", ".bin", name)
	want, err := os.ReadFile(filepath.Join(source, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	installed := filepath.Join(dir, "installed.json")
	if got, err := os.ReadFile(installed); err == nil && bytes.Equal(got, want) {
		return binary
	}
	for _, file := range []string{"package.json", "package-lock.json"} {
		content, err := os.ReadFile(filepath.Join(source, file))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, file), content, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("peer: install %s: %v: it needs Node.js and npm\n%s", name, err, out)
	}
	if err := os.WriteFile(installed, want, 0o644); err != nil {
		t.Fatal(err)
	}
	return binary
}
