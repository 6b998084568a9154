package harness

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
)

// maxFrame is the longest message that the listener takes, in bytes.
const maxFrame = 1 << 20

// Listener is a syslog server for TCP that keeps what it gets. It is safe for concurrent use.
type Listener struct {
	listener net.Listener
	onEach   func(string)

	mu       sync.Mutex
	messages []string
	errs     []error
}

// Listen listens on addr and calls onEach, when it is set, for each message, one at a time.
func Listen(addr string, onEach func(message string)) (*Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &Listener{listener: l, onEach: onEach}
	go s.accept()
	return s, nil
}

// Addr is where it listens, as host:port.
func (s *Listener) Addr() string { return s.listener.Addr().String() }

// Close stops listening; connections end when their peer ends them.
func (s *Listener) Close() error { return s.listener.Close() }

// Messages are the messages so far, and the errors of framing.
func (s *Listener) Messages() ([]string, []error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.messages...), append([]error(nil), s.errs...)
}

func (s *Listener) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		go s.serve(conn)
	}
}

func (s *Listener) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		message, err := ReadFrame(r)
		if err == io.EOF {
			return
		}
		s.mu.Lock()
		if err != nil {
			s.errs = append(s.errs, err)
		} else {
			s.messages = append(s.messages, message)
			if s.onEach != nil {
				s.onEach(message)
			}
		}
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// ReadFrame reads one message of a syslog stream (RFC 6587): octet counted where it begins with a digit, else up to the
// line's end. The error is io.EOF only between messages.
func ReadFrame(r *bufio.Reader) (string, error) {
	first, err := r.Peek(1)
	if err != nil {
		return "", err
	}
	if first[0] < '1' || first[0] > '9' {
		line, err := r.ReadString('\n')
		if err == io.EOF {
			err = fmt.Errorf("stream ends inside the message %.64q", line)
		}
		return strings.TrimSuffix(line, "\n"), err
	}
	count, err := r.ReadString(' ')
	if err != nil {
		return "", fmt.Errorf("octet count %.16q: %w", count, err)
	}
	n, err := strconv.Atoi(strings.TrimSuffix(count, " "))
	if err != nil || n > maxFrame {
		return "", fmt.Errorf("octet count %.16q is none", count)
	}
	message := make([]byte, n)
	if _, err := io.ReadFull(r, message); err != nil {
		return "", fmt.Errorf("stream ends inside a message of %d bytes", n)
	}
	return string(message), nil
}
