package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
)

const (
	perRequest = 1000
	senders    = 2
)

// request is a kind of request that carries a batch of findings.
type request struct {
	path, contentType string
	body              func(lines string) ([]byte, error)
}

var (
	ndjson = request{path: "/v1/events", contentType: "application/x-ndjson", body: func(lines string) ([]byte, error) { return []byte(lines), nil }}
	otlp   = request{path: "/v1/logs", contentType: "application/x-protobuf", body: otlpBody}
)

func otlpBody(lines string) ([]byte, error) {
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for line := range strings.Lines(lines) {
		records.AppendEmpty().Body().SetStr(strings.TrimSuffix(line, "\n"))
	}
	return plogotlp.NewExportRequestFromLogs(logs).MarshalProto()
}

// bodies makes the bodies of all findings before anything is measured.
func (r request) bodies(s shape) ([][]byte, error) {
	var bodies [][]byte
	for _, lines := range s.batches(perRequest) {
		body, err := r.body(lines)
		if err != nil {
			return nil, err
		}
		bodies = append(bodies, body)
	}
	return bodies, nil
}

// send posts the bodies over kept connections.
func (r request) send(address string, bodies [][]byte) error {
	var wg sync.WaitGroup
	errs := make(chan error, senders)
	for first := range senders {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for i := first; i < len(bodies); i += senders {
				resp, err := client.Post("http://"+address+r.path, r.contentType, bytes.NewReader(bodies[i]))
				if err != nil {
					errs <- err
					return
				}
				answer, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					errs <- fmt.Errorf("%s: %s: %.200s", r.path, resp.Status, answer)
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}
