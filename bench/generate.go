package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
)

// shape is what generated findings look like.
type shape struct {
	records  int
	bytes    int // of a record, its line end included
	accounts int
}

const words = "storage bucket allows public read access to sensitive data through a policy statement which grants every principal " +
	"the right to list and get objects while encryption at rest is switched off and versioning is suspended "

// appendFinding appends finding i of a shape, one line. The same i gives the same line.
func (s shape) appendFinding(dst []byte, i int) []byte {
	rnd := rand.New(rand.NewPCG(uint64(i), 7))
	account := 100000000000 + int64(rnd.IntN(s.accounts))
	severity := [...]string{"Low", "Medium", "High", "Critical", "Information"}[rnd.IntN(5)]
	begin := len(dst)
	if s.bytes < smallFinding {
		dst = fmt.Appendf(dst, `{"alert_id":"%08x-%012x","severity":"%s","account_id":"%d","detection_type":"security_finding",`+
			`"detection_timestamp":"2026-09-15T%02d:%02d:%02dZ",`, rnd.Uint32(), i, severity, account, rnd.IntN(24), rnd.IntN(60), rnd.IntN(60))
		return s.appendDescription(dst, begin, rnd, "\"}\n")
	}
	dst = fmt.Appendf(dst, `{"labels":["Sensitive","Internet Facing"],"alert_id":"%08x-%04x-4%03x-8%03x-%012x",`+
		`"asset_id":"arn:aws:s3:::acme-data-%d","provider":"AWS","resolved":false,"severity":"%s",`+
		`"tenant_id":"id-%04d","account_id":"%d","resource_type":"Storage","risk_category":"Data Exposure",`+
		`"detection_type":"security_finding","attack_scenario":"Publicly readable bucket",`+
		`"risk_params":{"risk_score":%d,"workload":{},"risk_definitions":{}},"related_resources":[["arn:aws:s3:::acme-data-%d"]],`,
		rnd.Uint32(), rnd.IntN(1<<16), rnd.IntN(1<<12), rnd.IntN(1<<12), i, rnd.IntN(1000), severity,
		account%97, account, rnd.IntN(101), i)
	tail := fmt.Sprintf(`"remediation_url":"https://console.example.com/findings/%d","detection_timestamp":"2026-09-15T%02d:%02d:%02dZ",`+
		`"first_seen_timestamp":"2026-01-02T03:04:05Z"}`+"\n", i, rnd.IntN(24), rnd.IntN(60), rnd.IntN(60))
	return s.appendDescription(dst, begin, rnd, `",`+tail)
}

// smallFinding is the size below which a finding has but few of its members.
const smallFinding = 700

// appendDescription fills a finding that begins there up to its size. tail ends the description and the finding.
func (s shape) appendDescription(dst []byte, begin int, rnd *rand.Rand, tail string) []byte {
	dst = append(dst, `"description":"`...)
	room := max(16, s.bytes-(len(dst)-begin)-len(tail))
	from := rnd.IntN(len(words))
	for n := 0; n < room; {
		part := words[from:min(len(words), from+room-n)]
		dst = append(dst, part...)
		n += len(part)
		from = 0
	}
	return append(dst, tail...)
}

// write writes the findings to a file. It returns their size.
func (s shape) write(path string) (size int64, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	var line []byte
	for i := range s.records {
		line = s.appendFinding(line[:0], i)
		size += int64(len(line))
		if _, err := w.Write(line); err != nil {
			return 0, err
		}
	}
	return size, w.Flush()
}

// batches are the findings as bodies of n lines each.
func (s shape) batches(n int) []string {
	var bodies []string
	var body []byte
	for i := range s.records {
		body = s.appendFinding(body, i)
		if (i+1)%n == 0 || i+1 == s.records {
			bodies = append(bodies, string(body))
			body = body[:0]
		}
	}
	return bodies
}

func (s shape) String() string {
	size := fmt.Sprintf("%.1f KB", float64(s.bytes)/1000)
	return fmt.Sprintf("%d records, %s, %d accounts", s.records, strings.TrimSuffix(size, ".0 KB"), s.accounts)
}
