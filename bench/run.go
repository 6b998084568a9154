package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/siempipe/siempipe/internal/test/harness"
)

const (
	readyTimeout = 30 * time.Second
	stopTimeout  = 60 * time.Second
	// scrapeInterval is the resolution of the wall time; scraping more often would cost the collector CPU.
	scrapeInterval = 200 * time.Millisecond
	// idleTimeout is how long nothing may arrive before a run is given up.
	idleTimeout = 60 * time.Second
)

// figures are what one run cost.
type figures struct {
	wall, cpu time.Duration
	rss       int64 // bytes
	records   int
}

func (f figures) perSecond() float64     { return float64(f.records) / f.wall.Seconds() }
func (f figures) cpuPerMillion() float64 { return f.cpu.Seconds() / float64(f.records) * 1e6 }

// runner runs collectors on findings.
type runner struct {
	root string // of the checkout
	dir  string // for inputs and peers, on a disk with room
	env  []string
}

// measureHooks are called just before and just after the time that is measured.
type measureHooks struct{ open, close func() error }

// run measures a collector from the moment it has its input until all of it was sent, and checks that all arrived.
// The collector's start is not measured: it waits for its input first.
func (r *runner) run(ctx context.Context, s setup, sh shape, w *measureHooks) (f figures, err error) {
	dir, err := os.MkdirTemp(r.dir, "run-*")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	bucket, err := startBucket(filepath.Join(r.root, "build/tools/versitygw"), dir)
	if err != nil {
		return f, err
	}
	defer bucket.stop()
	sink, err := newSink()
	if err != nil {
		return f, err
	}
	defer sink.listener.Close()

	var ports [3]string
	for i := range ports {
		if ports[i], err = harness.FreeAddress(); err != nil {
			return f, err
		}
	}
	health, metrics, http := ports[0], ports[1], ports[2]
	_, metricsPort, _ := net.SplitHostPort(metrics)
	syslogHost, syslogPort, _ := net.SplitHostPort(sink.addr())
	input := filepath.Join(dir, "findings.ndjson")
	env := append(append([]string{
		"BENCH_INPUT=" + input, "BENCH_S3=" + bucket.endpoint, "BENCH_HEALTH=" + health, "BENCH_METRICS=" + metricsPort,
		"BENCH_HTTP=" + http, "BENCH_SYSLOG=" + sink.addr(), "BENCH_SYSLOG_HOST=" + syslogHost, "BENCH_SYSLOG_PORT=" + syslogPort,
	}, s3Env...), r.env...)
	var feed func() error
	if s.post != nil {
		bodies, err := s.post.bodies(sh)
		if err != nil {
			return f, err
		}
		feed = func() error { return s.post.send(http, bodies) }
	} else {
		ready, err := r.input(sh)
		if err != nil {
			return f, err
		}
		feed = func() error { return os.Link(ready, input) }
	}

	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return f, err
	}
	defer log.Close()
	collector, err := harness.Start(filepath.Join(r.root, s.binary), log, env, "--config", filepath.Join(r.root, "bench/configs", s.config))
	if err != nil {
		return f, err
	}
	defer func() {
		if stopErr := collector.Stop(stopTimeout); stopErr != nil {
			err = errors.Join(err, fmt.Errorf("stop: %w", stopErr))
		}
		if err != nil {
			text, _ := os.ReadFile(log.Name())
			err = fmt.Errorf("%s: %w\n%s", s.config, err, tail(string(text), 20))
		}
	}()
	ready, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := collector.WaitReady(ready, "http://"+health); err != nil {
		return f, err
	}
	time.Sleep(time.Second) // what it does once it is up is not the records' cost

	if w != nil {
		if err := w.open(); err != nil {
			return f, err
		}
	}
	before, err := cpuTime(collector.Pid())
	if err != nil {
		return f, err
	}
	begin := time.Now()
	if err := feed(); err != nil {
		return f, err
	}
	if err := wait(ctx, collector, "http://"+metrics+"/metrics", sh.records); err != nil {
		return f, err
	}
	f.wall, f.records = time.Since(begin), sh.records
	after, err := cpuTime(collector.Pid())
	if err != nil {
		return f, err
	}
	f.cpu = after - before
	if w != nil {
		if err := w.close(); err != nil {
			return f, err
		}
	}
	if f.rss, err = peakRSS(collector.Pid()); err != nil {
		return f, err
	}
	return f, arrived(s, sh, bucket, sink)
}

// wait waits until the collector says that it has sent n records.
func wait(ctx context.Context, collector *harness.Collector, url string, n int) error {
	seen, last := 0, time.Now()
	for seen < n {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-collector.Done():
			return errors.New("the collector has ended")
		case <-time.After(scrapeInterval):
		}
		metrics, err := harness.Scrape(url)
		if err != nil {
			return err
		}
		if sent := metrics.Sum("otelcol_exporter_sent_log_records"); sent > seen {
			seen, last = sent, time.Now()
		}
		if time.Since(last) > idleTimeout {
			return fmt.Errorf("%d of %d records sent, and no more for %s", seen, n, idleTimeout)
		}
	}
	return nil
}

// arrived checks that the peer of a setup has every record.
func arrived(s setup, sh shape, bucket *bucket, sink *sink) error {
	switch {
	case strings.Contains(s.config, "s3"):
		lines, objects, err := bucket.lines()
		if err == nil && lines != sh.records {
			err = fmt.Errorf("%d records in %d objects, want %d", lines, objects, sh.records)
		}
		return err
	case strings.Contains(s.config, "syslog"):
		for range 50 { // what was sent may be in the socket still
			if sink.messages.Load() >= int64(sh.records) {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := sink.messages.Load(); n != int64(sh.records) || sink.broken.Load() > 0 {
			return fmt.Errorf("%d messages and %d broken connections, want %d messages", n, sink.broken.Load(), sh.records)
		}
	}
	return nil
}

// input is the file with the findings of a shape, written once.
func (r *runner) input(sh shape) (string, error) {
	path := filepath.Join(r.dir, fmt.Sprintf("findings-%d-%d-%d.ndjson", sh.records, sh.bytes, sh.accounts))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if _, err := sh.write(path + ".part"); err != nil {
		return "", err
	}
	return path, os.Rename(path+".part", path)
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
