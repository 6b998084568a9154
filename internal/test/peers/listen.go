package peers

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// receiveBuffer is what the system takes for a peer that does not read, in bytes; the system doubles it for itself. Its own
// choice may be more than a test sends: net.ipv4.tcp_rmem is tens of megabytes on some machines.
const receiveBuffer = 128 << 10

// Listen listens on a loopback address until the test ends. What its connections take in without being read is small and the
// same everywhere.
func Listen(t testing.TB, address string) net.Listener {
	t.Helper()
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receiveBuffer)
		})
		return errors.Join(err, failed)
	}}
	l, err := config.Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatalf("peer: %v", err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}
