package harness

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Metrics are the samples of one scrape in the Prometheus text format.
type Metrics []Sample

// Sample is one line of a scrape.
type Sample struct {
	Name   string
	Labels map[string]string
	Value  float64
}

// Scrape reads the metrics at url.
func Scrape(url string) (Metrics, error) {
	client := &http.Client{Timeout: 30 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, resp.Status)
	}
	return ParseMetrics(resp.Body)
}

// ParseMetrics reads the Prometheus text format, as far as the collector writes it.
func ParseMetrics(r io.Reader) (Metrics, error) {
	var metrics Metrics
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		s, err := parseSample(line)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		metrics = append(metrics, s)
	}
	return metrics, lines.Err()
}

func parseSample(line string) (Sample, error) {
	s := Sample{Labels: map[string]string{}}
	end := strings.IndexAny(line, "{ ")
	if end < 0 {
		return s, fmt.Errorf("no value")
	}
	s.Name, line = line[:end], line[end:]
	if line[0] == '{' {
		line = line[1:]
		for !strings.HasPrefix(line, "}") {
			name, rest, ok := strings.Cut(strings.TrimLeft(line, ", "), "=")
			if !ok {
				return s, fmt.Errorf("label without a value")
			}
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return s, err
			}
			if s.Labels[name], err = strconv.Unquote(quoted); err != nil {
				return s, err
			}
			line = rest[len(quoted):]
		}
		line = line[1:]
	}
	value, _, _ := strings.Cut(strings.TrimSpace(line), " ") // a timestamp may follow
	var err error
	s.Value, err = strconv.ParseFloat(value, 64)
	return s, err
}

// Sum adds the samples of a metric, its name without unit and _total, whose labels hold the given name, value pairs.
func (m Metrics) Sum(name string, labels ...string) int {
	sum := 0.0
	for _, s := range m {
		if s.Name == name || strings.TrimSuffix(s.Name, "_total") == name {
			sum += s.valueIf(labels)
		}
	}
	return int(sum)
}

func (s Sample) valueIf(labels []string) float64 {
	for i := 0; i+1 < len(labels); i += 2 {
		if s.Labels[labels[i]] != labels[i+1] {
			return 0
		}
	}
	return s.Value
}

// By adds the samples of a metric for each value of a label.
func (m Metrics) By(name, label string) map[string]int {
	sums := map[string]int{}
	for _, s := range m {
		if s.Name == name || strings.TrimSuffix(s.Name, "_total") == name {
			sums[s.Labels[label]] += int(s.Value)
		}
	}
	return sums
}
