// Package harness runs the built collector, feeds it and looks at what comes out: for the quickstart and the end-to-end
// tests. It reads the collector only through its edges: HTTP, files, sockets and its own metrics.
package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Collector is a running collector. Start makes one; its methods are safe for concurrent use.
type Collector struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	err  error         // how it ended; valid once done is closed
}

// Start starts the binary with arguments and more environment; it logs to log. The error says what to do when the binary
// has not been built.
func Start(binary string, log io.Writer, env []string, args ...string) (*Collector, error) {
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("%w: build the collector first, with make build", err)
	}
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &Collector{cmd: cmd, done: make(chan struct{})}
	go func() {
		c.err = cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

// Pid is the process's number.
func (c *Collector) Pid() int { return c.cmd.Process.Pid }

// Done is closed when the process has ended, by whatever cause.
func (c *Collector) Done() <-chan struct{} { return c.done }

// WaitReady waits until the health check at url answers 200. It returns early when the process ends.
func (c *Collector) WaitReady(ctx context.Context, url string) error {
	client := &http.Client{Timeout: time.Second}
	for {
		if resp, err := client.Get(url); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-c.done:
			return fmt.Errorf("the collector ended before it was ready: %w", c.ended())
		case <-ctx.Done():
			return fmt.Errorf("the collector is not ready: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Stop ends the process with SIGTERM. The error says that it did not exit with 0, or had to be killed after timeout.
func (c *Collector) Stop(timeout time.Duration) error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-c.done:
		return c.err
	case <-time.After(timeout):
		_ = c.cmd.Process.Kill()
		<-c.done
		return fmt.Errorf("the collector did not end within %s of SIGTERM and was killed", timeout)
	}
}

func (c *Collector) ended() error {
	if c.err == nil {
		return errors.New("exit status 0")
	}
	return c.err
}
