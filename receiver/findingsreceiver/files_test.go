package findingsreceiver

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/siempipe/siempipe/internal/record"
)

// TestFlowLogFile: the lines of a posted file go on with its header, which is no record itself.
func TestFlowLogFile(t *testing.T) {
	const header = "version account-id srcaddr dstaddr start end log-status"
	const line = "3 123456789010 10.0.0.1 10.0.0.2 1566848875 1566848933 OK"
	for _, path := range []string{"", "/auto", "/aws.vpc_flow"} {
		sink := new(consumertest.LogsSink)
		url := start(t, nil, sink)
		code, answer, _ := post(t, url+path, bytes.NewReader(gzipped(t, header+"\n"+line+"\n"+line+"\n")), "Content-Encoding", "gzip")
		assert.Equal(t, http.StatusOK, code)
		assert.Equal(t, 2, answer.Accepted)
		assert.Empty(t, answer.Invalid)
		require.Equal(t, []string{line, line}, bodies(sink))
		for _, lr := range records(sink) {
			fields, _ := lr.Attributes().Get(record.AttrFields)
			assert.Equal(t, header, fields.AsString())
		}
	}
}

// TestLogFiles: lines of text are known for what they are, and what is none is reported and goes on.
func TestLogFiles(t *testing.T) {
	sink := new(consumertest.LogsSink)
	url := start(t, nil, sink)
	const s3 = `79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be b [06/Feb/2019:00:00:38 +0000] 192.0.2.3 - 3E57 REST.GET.OBJECT k "GET /k HTTP/1.1" 200 - 113 - 7 - "-" "curl" - s= SigV4 - AuthHeader - -`
	code, answer, _ := post(t, url+"/aws.s3_server_access", strings.NewReader(s3+"\nnothing of the kind\n"+s3))
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, 3, answer.Accepted)
	require.Len(t, answer.Invalid, 1)
	assert.Equal(t, 1, answer.Invalid[0].Index)
	assert.Contains(t, answer.Invalid[0].Error, "aws.s3_server_access")

	sink.Reset()
	const event = `{"eventVersion":"1.08","eventSource":"ec2.amazonaws.com"}`
	code, answer, _ = post(t, url+"/aws.cloudtrail", strings.NewReader(`{"Records":[`+event+`,`+event+`]}`))
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, 2, answer.Accepted)
	assert.Equal(t, []string{event, event}, bodies(sink))

	sink.Reset()
	_, answer, _ = post(t, url, strings.NewReader(`{"messageType":"DATA_MESSAGE","owner":"1","logEvents":[{"id":"1","timestamp":1,"message":"`+strings.ReplaceAll(s3, `"`, `\"`)+`"}]}`))
	assert.Equal(t, 1, answer.Accepted)
	assert.Equal(t, []string{s3}, bodies(sink))
}
