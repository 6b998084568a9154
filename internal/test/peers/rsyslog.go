package peers

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Listeners of Rsyslog; each writes to a file of its own.
const (
	SyslogUDP     = "udp"
	SyslogNewline = "newline" // TCP; knows no octet counts
	SyslogOctet   = "octet"   // TCP
	SyslogTLS     = "tls"     // asks for no client certificate
	SyslogMutual  = "mutual"  // TLS; asks for a client certificate of the authority's
)

var syslogListeners = []string{SyslogUDP, SyslogNewline, SyslogOctet, SyslogTLS, SyslogMutual}

// Rsyslog is Debian's rsyslog with its OpenSSL driver. It handles each message before it reads the next, so that what it
// has read when it ends is in its files.
type Rsyslog struct {
	Authority *Authority

	dir     string
	ports   map[string]string // by listener
	binary  string
	process *os.Process
	ended   chan error
	out     bytes.Buffer
}

// StartRsyslog starts rsyslog with certificates of a new authority and stops it when the test ends. The Debian packages
// rsyslog and rsyslog-openssl must be installed.
func StartRsyslog(t *testing.T) *Rsyslog {
	t.Helper()
	binary, err := exec.LookPath("rsyslogd")
	if err != nil {
		if binary, err = exec.LookPath("/usr/sbin/rsyslogd"); err != nil {
			t.Fatalf("peer: %v: install the packages rsyslog and rsyslog-openssl", err)
		}
	}
	r := &Rsyslog{Authority: NewAuthority(t), dir: t.TempDir(), ports: map[string]string{}, binary: binary}
	for _, name := range syslogListeners {
		_, port, err := net.SplitHostPort(FreeAddress(t))
		if err != nil {
			t.Fatal(err)
		}
		r.ports[name] = port
	}
	r.Start(t)
	t.Cleanup(func() {
		if r.process != nil {
			_ = r.process.Signal(syscall.SIGCONT)
			_ = r.process.Kill()
			<-r.ended
		}
		if t.Failed() {
			t.Logf("rsyslogd wrote:\n%.5000s", r.out.String())
		}
	})
	return r
}

// Endpoint is where a listener is reached.
func (r *Rsyslog) Endpoint(listener string) string { return "localhost:" + r.ports[listener] }

func (r *Rsyslog) config() string {
	var b strings.Builder
	fmt.Fprintf(&b, "global(workDirectory=%q defaultNetstreamDriver=\"ossl\" defaultNetstreamDriverCAFile=%q defaultNetstreamDriverCertFile=%q defaultNetstreamDriverKeyFile=%q)\n",
		r.dir, r.Authority.File, r.Authority.Server.CertFile, r.Authority.Server.KeyFile)
	b.WriteString(`module(load="imudp")
module(load="imtcp" maxSessions="500")
main_queue(queue.type="Direct")
template(name="raw" type="string" string="%rawmsg%\n")
`)
	for _, name := range syslogListeners {
		fmt.Fprintf(&b, "ruleset(name=%q) { action(type=\"omfile\" file=%q template=\"raw\") }\n", name, r.file(name))
	}
	for _, name := range syslogListeners {
		kind, more := "imtcp", ""
		switch name {
		case SyslogUDP:
			kind, more = "imudp", ` rcvbufSize="4m"`
		case SyslogNewline:
			more = ` supportOctetCountedFraming="off"`
		case SyslogTLS:
			more = ` streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon"`
		case SyslogMutual:
			more = ` streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/certvalid"`
		}
		fmt.Fprintf(&b, "input(type=%q address=\"127.0.0.1\" port=%q ruleset=%q%s)\n", kind, r.ports[name], name, more)
	}
	return b.String()
}

func (r *Rsyslog) file(listener string) string { return filepath.Join(r.dir, listener+".log") }

// Start starts it again after Stop, on the same ports and with what the authority's files hold now.
func (r *Rsyslog) Start(t testing.TB) {
	t.Helper()
	config := filepath.Join(r.dir, "rsyslog.conf")
	if err := os.WriteFile(config, []byte(r.config()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(r.binary, "-n", "-f", config, "-i", filepath.Join(r.dir, "pid"))
	cmd.Stdout, cmd.Stderr = &r.out, &r.out
	if err := cmd.Start(); err != nil {
		t.Fatalf("peer: start %s: %v", r.binary, err)
	}
	r.process, r.ended = cmd.Process, make(chan error, 1)
	go func() { r.ended <- cmd.Wait() }()
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-r.ended:
			r.process = nil
			t.Fatalf("peer: rsyslogd ended: %v (are rsyslog and rsyslog-openssl installed?)\n%s", err, r.out.String())
		default:
		}
		// The listeners are made in the order of the configuration; a connection to the last is one that says nothing.
		conn, err := net.Dial("tcp", "127.0.0.1:"+r.ports[SyslogMutual])
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("peer: rsyslogd does not listen: %v\n%s", err, r.out.String())
		}
	}
}

// Stop ends it with a signal.
func (r *Rsyslog) Stop(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := r.process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	select {
	case <-r.ended:
		r.process = nil
	case <-time.After(startTimeout):
		t.Fatal("peer: rsyslogd does not end")
	}
}

// Pause makes it take connections and read nothing.
func (r *Rsyslog) Pause(t testing.TB) { r.signal(t, syscall.SIGSTOP) }

// Resume ends Pause.
func (r *Rsyslog) Resume(t testing.TB) { r.signal(t, syscall.SIGCONT) }

func (r *Rsyslog) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := r.process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// Messages are the whole messages of a listener so far, header included.
func (r *Rsyslog) Messages(t testing.TB, listener string) []string {
	t.Helper()
	text, err := os.ReadFile(r.file(listener))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	messages := strings.Split(string(text), "\n")
	return messages[:len(messages)-1]
}
