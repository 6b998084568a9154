package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
)

// sink is a syslog server that counts messages and throws them away. It understands octet counting and newlines.
type sink struct {
	listener net.Listener
	messages atomic.Int64
	broken   atomic.Int64
}

func newSink() (*sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{listener: l}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			go s.serve(conn)
		}
	}()
	return s, nil
}

func (s *sink) addr() string { return s.listener.Addr().String() }

func (s *sink) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 256<<10)
	for {
		if err := skipFrame(r); err == io.EOF {
			return
		} else if err != nil {
			s.broken.Add(1)
			return
		}
		s.messages.Add(1)
	}
}

// skipFrame reads over one message of RFC 6587. io.EOF is only returned between messages.
func skipFrame(r *bufio.Reader) error {
	first, err := r.Peek(1)
	if err != nil {
		return io.EOF
	}
	if first[0] < '1' || first[0] > '9' {
		for {
			_, err := r.ReadSlice('\n')
			if !errors.Is(err, bufio.ErrBufferFull) {
				return unexpected(err)
			}
		}
	}
	count, err := r.ReadSlice(' ')
	if err != nil {
		return unexpected(err)
	}
	n, err := strconv.Atoi(strings.TrimSuffix(string(count), " "))
	if err != nil {
		return err
	}
	_, err = r.Discard(n)
	return unexpected(err)
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
