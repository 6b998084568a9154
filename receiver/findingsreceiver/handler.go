package findingsreceiver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/siempipe/siempipe/internal/format"
	"github.com/siempipe/siempipe/internal/read/payload"
	"github.com/siempipe/siempipe/internal/read/unpack"
)

const (
	// retryAfter is what a sender is told to wait when the pipeline refuses: longer than a memory limiter needs to
	// recover, shorter than senders' buffers last.
	retryAfter = "5"
	// maxInvalidListed bounds the answer to a body of garbage.
	maxInvalidListed = 100
)

// answer is the body of every answer.
type answer struct {
	// Accepted counts the records that the pipeline took, invalid ones included: they are kept too.
	Accepted int `json:"accepted"`
	// Invalid lists the first records that are no record of any format; the siem processor may find more.
	Invalid      []invalidRecord `json:"invalid"`
	InvalidTotal int             `json:"invalid_total,omitempty"` // when Invalid does not list them all
	Error        string          `json:"error,omitempty"`

	code int
}

type invalidRecord struct {
	Index int    `json:"index"`
	Error string `json:"error"`
}

func (f *findings) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(f.cfg.Path, f.serve)
	mux.HandleFunc(f.cfg.Path+"/{format}", f.serve)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		f.reply(w, r, &answer{code: http.StatusNotFound, Invalid: []invalidRecord{}, Error: fmt.Sprintf("no such path, want %s or %[1]s/{format}", f.cfg.Path)})
	})
	return mux
}

func (f *findings) serve(w http.ResponseWriter, r *http.Request) {
	f.stopped.Add(1) // before the server's own count of it ends
	defer f.stopped.Done()
	f.reply(w, r, f.take(r))
}

func (f *findings) reply(w http.ResponseWriter, r *http.Request, a *answer) {
	f.telemetry.ReceiverFindingsRequests.Add(r.Context(), 1, metric.WithAttributes(attribute.Int("code", a.code)))
	header := w.Header()
	header.Set("Content-Type", "application/json")
	switch a.code {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		header.Set("Retry-After", retryAfter)
	case http.StatusMethodNotAllowed:
		header.Set("Allow", http.MethodPost)
	}
	if a.code >= 400 {
		header.Set("Connection", "close") // the body may not have been read to its end
		f.set.Logger.Debug("Request refused", zap.Int("code", a.code), zap.String("error", a.Error))
	}
	w.WriteHeader(a.code)
	_ = json.NewEncoder(w).Encode(a) // a sender that is gone sends again
}

// take reads a request and says how to answer it.
func (f *findings) take(r *http.Request) *answer {
	a := &answer{code: http.StatusOK, Invalid: []invalidRecord{}}
	refuse := func(code int, name string, args ...any) *answer {
		a.code, a.Error = code, fmt.Sprintf(name, args...)
		return a
	}
	if r.Method != http.MethodPost {
		return refuse(http.StatusMethodNotAllowed, "method %.16s, want POST", r.Method)
	}
	name := r.PathValue("format")
	if _, ok := format.Lookup(name); !ok && name != "" && name != format.Auto {
		return refuse(http.StatusNotFound, "unknown format %.64q, want %s or one of %s", name, format.Auto, strings.Join(format.Names(), ", "))
	}
	if contentType := r.Header.Get("Content-Type"); !supportedType(contentType) {
		return refuse(http.StatusUnsupportedMediaType, "content type %.64q, want JSON, NDJSON or plain text", contentType)
	}
	encoding := encodingOf(r)
	if !supportedEncoding(encoding) {
		return refuse(http.StatusUnsupportedMediaType, "content encoding %.64q, want gzip, zstd or none", encoding)
	}

	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	default:
		return refuse(http.StatusTooManyRequests, "%d requests are being read already", cap(f.slots))
	}
	ctx, cancel := f.patient(r.Context())
	defer cancel()
	defer context.AfterFunc(f.stopping, cancel)()

	var body io.Reader = r.Body
	if f.cfg.HMAC.HasValue() {
		signed, err := verified(r.Body, f.cfg.HMAC.Get(), r.Header)
		if err != nil {
			return refuse(codeOf(err), "%v", err)
		}
		defer signed.Close()
		body = signed
	}
	plain, err := f.cfg.unpacked(body, encoding)
	if err != nil {
		return refuse(codeOf(err), "body: %v", err)
	}
	defer plain.Close()

	b := &batcher{f: f, ctx: ctx, answer: a, format: name, received: time.Now()}
	defer b.close()
	err = payload.Cut(plain, payload.Options{Format: name, ScanEnds: true}, b.add)
	// What was cut whole before the body broke off goes on: the sender may never come back with it.
	// When the pipeline will not have it, the sender must come back, whatever is wrong with the rest.
	if flushErr := b.flush(); flushErr != nil {
		err = flushErr
	}
	if err != nil {
		return refuse(codeOf(err), "%v", err)
	}
	return a
}

// answerTime is how much of write_timeout is kept for the answer, a tenth of a short one.
const answerTime = 5 * time.Second

var errSlow = errors.New("not taken within write_timeout")

// patient is the context in which the pipeline takes a body. It does not end when the sender hangs up. It ends with the receiver, and
// when there is just time left to answer: a request that waited longer at a full queue would keep its place in
// max_concurrent_requests, while its sender, who heard nothing, would send again beside it.
func (f *findings) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx = context.WithoutCancel(ctx)
	if limit := f.cfg.WriteTimeout; limit > 0 {
		return context.WithTimeoutCause(ctx, limit-min(limit/10, answerTime), errSlow)
	}
	return context.WithCancel(ctx)
}

// supportedType accepts what senders of JSON and text call it; none at all and octet-stream are what scripts send.
func supportedType(contentType string) bool {
	if contentType == "" {
		return true
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch mediaType {
	case "application/json", "application/x-ndjson", "application/ndjson", "application/jsonl", "application/octet-stream",
		"application/x-www-form-urlencoded", // what curl --data says of everything
		"text/plain", "text/json":
		return true
	}
	return strings.HasPrefix(mediaType, "application/") && strings.HasSuffix(mediaType, "+json")
}

// refusedError is the pipeline's no.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return "pipeline refused: " + e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

// codeOf decides once what a sender can do about an error.
func codeOf(err error) int {
	var refused *refusedError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &refused) && consumererror.IsPermanent(refused.err):
		return http.StatusInternalServerError
	case errors.As(err, &refused), errors.Is(err, errSpool):
		return http.StatusServiceUnavailable
	case errors.Is(err, errSignature):
		return http.StatusUnauthorized
	case errors.As(err, &tooLarge), errors.Is(err, unpack.ErrTooLong):
		return http.StatusRequestEntityTooLarge
	default:
		return http.StatusBadRequest
	}
}
