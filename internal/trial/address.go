package trial

import (
	"errors"
	"math/rand/v2"
	"net"
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
	ports map[int]bool
}{ports: map[int]bool{}}

// FreeAddress is a loopback address that nothing listens on, TCP or UDP, and that this process has not handed out before.
func FreeAddress() (string, error) {
	handedOut.Lock()
	defer handedOut.Unlock()
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if handedOut.ports[port] {
			continue
		}
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if free(address) {
			handedOut.ports[port] = true
			return address, nil
		}
	}
	return "", errors.New("no free port")
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
