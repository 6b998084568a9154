package harness

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strconv"
	"sync"
)

// Ports that are handed out lie below those that the kernel gives to outgoing connections (from 32768 on Linux, 49152
// elsewhere): a connection of anybody's could else take one before its server listens, or while it is started again.
const (
	firstPort = 10_000
	lastPort  = 32_000
)

var handedOut = struct {
	sync.Mutex
	ports map[int]io.Closer // what keeps others from them
}{ports: map[int]io.Closer{}}

// FreeAddress is a loopback address that nothing listens on, TCP or UDP, and that is given out only once: in this process, and on
// Linux to no other process as long as this one runs. The tests of several packages run at once.
func FreeAddress() (string, error) {
	handedOut.Lock()
	defer handedOut.Unlock()
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if handedOut.ports[port] != nil {
			continue
		}
		claim, err := claimPort(port)
		if err != nil {
			continue
		}
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if free(address) {
			handedOut.ports[port] = claim
			return address, nil
		}
		claim.Close()
	}
	return "", errors.New("no free port")
}

// claimPort keeps other processes from a port, with an abstract socket of its number, which goes when the process does.
func claimPort(port int) (io.Closer, error) {
	if runtime.GOOS != "linux" {
		return io.NopCloser(nil), nil
	}
	return net.Listen("unix", "@siempipe-port-"+strconv.Itoa(port))
}

func free(address string) bool {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	defer listener.Close()
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}
