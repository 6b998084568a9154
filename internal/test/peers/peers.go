// Package peers starts the real servers that tests talk to. Each is a tool of its own module under internal/tools,
// built on first use into build/tools of the checkout; a peer that cannot be had fails the test and never skips it.
package peers

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/siempipe/siempipe/internal/test/harness"
)

// startTimeout is how long a peer may take until it listens: those in Python and Node.js are slow on a busy machine.
const startTimeout = 5 * time.Minute

// Root is the checkout that this file belongs to.
func Root(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("peer: no caller information")
	}
	return filepath.Join(filepath.Dir(file), "../../..")
}

// Tool builds the tool of internal/tools/<name> and returns the path of its binary. Builds of one tool wait for each
// other, also across the test binaries of a run.
func Tool(t testing.TB, name, pkg string) string {
	t.Helper()
	root := Root(t)
	dir := filepath.Join(root, "build", "tools")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, name+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, name)
	build := exec.Command("go", "build", "-o", binary, pkg)
	build.Dir = filepath.Join(root, "internal", "tools", name)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("peer: build %s: %v\n%s", name, err, out)
	}
	return binary
}

// Start runs a peer until the test ends and waits until it listens on address.
func Start(t testing.TB, address string, cmd *exec.Cmd) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatalf("peer: start %s: %v", cmd.Path, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("%s wrote:\n%.10000s", filepath.Base(cmd.Path), out.String())
		}
	})
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("peer: %s ended: %v\n%s", cmd.Path, err, out.String())
		default:
		}
		conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", address)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("peer: %s does not listen on %s: %v", cmd.Path, address, err)
		}
	}
}

// FreeAddress is a loopback address that nothing listens on.
func FreeAddress(t testing.TB) string {
	t.Helper()
	address, err := harness.FreeAddress()
	if err != nil {
		t.Fatalf("peer: %v", err)
	}
	return address
}

// S3 is a running S3 server with strict signatures and versions of every object.
type S3 struct {
	Endpoint  string
	AccessKey string
	SecretKey string
	Region    string
	Data      string // folder that holds the buckets as folders
	binary    string
}

// StartS3 starts versitygw. It sets the AWS environment variables of the test to the server's root user.
func StartS3(t *testing.T) *S3 {
	t.Helper()
	binary := Tool(t, "versitygw", "github.com/versity/versitygw/cmd/versitygw")
	dir := t.TempDir()
	for _, sub := range []string{"iam", "versions", "data"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	address := FreeAddress(t)
	s := &S3{
		Endpoint: "http://" + address, AccessKey: "peer", SecretKey: "peer-secret", Region: "us-east-1",
		Data: filepath.Join(dir, "data"), binary: binary,
	}
	cmd := exec.Command(binary, "--port", address, "--iam-dir", filepath.Join(dir, "iam"),
		"posix", "--versioning-dir", filepath.Join(dir, "versions"), s.Data)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+s.AccessKey, "ROOT_SECRET_KEY="+s.SecretKey)
	Start(t, address, cmd)
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": s.AccessKey, "AWS_SECRET_ACCESS_KEY": s.SecretKey, "AWS_SESSION_TOKEN": "", "AWS_REGION": s.Region,
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
	return s
}

// String names the server in a test's output.
func (s *S3) String() string { return fmt.Sprintf("versitygw at %s", s.Endpoint) }
