package syslog

import (
	"net"
	"syscall"
	"unsafe"
)

// unacked returns how many bytes written to a socket the peer's system has not acknowledged (TCP) or the peer has not
// read (unix; with overhead, so rather more); ok is false where that cannot be told. Source: tcp(7), unix(7): SIOCOUTQ.
func unacked(c net.Conn) (n int, ok bool) {
	sc, isSocket := c.(syscall.Conn)
	if !isSocket {
		return 0, false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, false
	}
	var queued int32
	var errno syscall.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&queued)))
	})
	if err != nil || errno != 0 {
		return 0, false
	}
	return int(queued), true
}
