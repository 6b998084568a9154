package bucket

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tearing is a store whose connections break off, hang or change what they bring.
type tearing struct {
	content string
	etag    string
	after   int           // bytes that a connection brings before it breaks off; 0 for all
	hang    time.Duration // before the first byte
	opened  []int64       // offsets
	change  func(*tearing)
}

func (b *tearing) Open(ctx context.Context, o Object, offset int64) (Content, error) {
	b.opened = append(b.opened, offset)
	if offset > 0 && !o.Grows && o.ETag != b.etag {
		return Content{}, &Error{Kind: Changed, Err: errors.New("precondition")}
	}
	if b.hang > 0 {
		select {
		case <-ctx.Done():
			return Content{}, &Error{Kind: Unavailable, Err: ctx.Err()}
		case <-time.After(b.hang):
		}
	}
	var body io.Reader = strings.NewReader(b.content[offset:])
	if b.after > 0 && int64(len(b.content))-offset > int64(b.after) {
		body = io.MultiReader(io.LimitReader(body, int64(b.after)), broken{})
	}
	o.ETag, o.Size = b.etag, int64(len(b.content))
	if b.change != nil {
		b.change(b)
	}
	return Content{Object: o, Body: io.NopCloser(body)}, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset by peer") }

func (b *tearing) Page(context.Context, string, string) ([]Object, string, error) {
	return nil, "", nil
}
func (b *tearing) URL(o Object) string { return "test://" + o.Key }
func (b *tearing) Name() string        { return "test" }
func (b *tearing) Close() error        { return nil }

func read(b *tearing, o Object, offset int64, timeout time.Duration) (string, error) {
	r, err := NewReader(context.Background(), b, o, offset, timeout)
	if err != nil {
		return "", err
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	return string(text), err
}

func TestResumes(t *testing.T) {
	b := &tearing{content: strings.Repeat("0123456789", 5), etag: "1", after: 20}
	got, err := read(b, Object{Key: "k"}, 0, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, b.content, got)
	assert.Equal(t, []int64{0, 20, 40}, b.opened)
}

func TestResumesFromAnOffset(t *testing.T) {
	b := &tearing{content: "0123456789", etag: "1", after: 4}
	got, err := read(b, Object{Key: "k", ETag: "1"}, 3, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, "3456789", got)
}

func TestGivesUp(t *testing.T) {
	b := &tearing{content: "0123456789", etag: "1", after: 4}
	b.change = func(b *tearing) {
		if len(b.opened) > 1 { // not a byte more
			b.content = b.content[:10]
		}
	}
	stuck := &stuck{tearing: b}
	r, err := NewReader(context.Background(), stuck, Object{Key: "k"}, 0, time.Minute)
	require.NoError(t, err)
	_, err = io.ReadAll(r)
	assert.Equal(t, Unavailable, KindOf(err))
	assert.ErrorContains(t, err, "broke off at byte 4")
	assert.Equal(t, 1+maxResumes, stuck.opened)
}

// stuck brings nothing after its first connection.
type stuck struct {
	*tearing
	opened int
}

func (s *stuck) Open(ctx context.Context, o Object, offset int64) (Content, error) {
	c, err := s.tearing.Open(ctx, o, offset)
	if s.opened++; s.opened > 1 {
		c.Body = io.NopCloser(broken{})
	}
	return c, err
}

// TestChangedMeanwhile: two contents never become one.
func TestChangedMeanwhile(t *testing.T) {
	b := &tearing{content: "0123456789", etag: "1", after: 4}
	b.change = func(b *tearing) { b.etag = "2" }
	_, err := read(b, Object{Key: "k"}, 0, time.Minute)
	assert.Equal(t, Changed, KindOf(err))
}

// TestGrowsMeanwhile: what is appended while an object is read is for the next time.
func TestGrowsMeanwhile(t *testing.T) {
	b := &tearing{content: "0123456789", etag: "1", after: 4}
	b.change = func(b *tearing) { b.content += "abc"; b.etag += "+" }
	got, err := read(b, Object{Key: "k", Grows: true}, 0, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, "0123456789", got)
}

func TestTimeout(t *testing.T) {
	b := &tearing{content: "0123456789", etag: "1", hang: time.Minute}
	began := time.Now()
	_, err := read(b, Object{Key: "k"}, 0, 50*time.Millisecond)
	assert.Equal(t, Unavailable, KindOf(err))
	assert.Less(t, time.Since(began), 30*time.Second)
}

func TestClassify(t *testing.T) {
	tests := []struct {
		row    known
		status int
		want   Kind
	}{
		{known{}, 404, NotFound}, {known{}, 403, Forbidden}, {known{}, 401, Forbidden}, {known{}, 412, Changed},
		{known{}, 500, Unavailable}, {known{}, 503, Unavailable}, {known{}, 0, Unavailable},
		{s3Errors["AccessDenied"], 403, Forbidden}, {s3Errors["NoSuchKey"], 404, NotFound}, {s3Errors["NoSuchBucket"], 404, Misconfigured},
		{s3Errors["InvalidObjectState"], 403, Archived}, {azureErrors["BlobArchived"], 409, Archived}, {azureErrors["ContainerNotFound"], 404, Misconfigured},
	}
	for _, test := range tests {
		err := classify(errors.New("x"), "object", test.row, test.status)
		assert.Equal(t, test.want, KindOf(err), "%+v", test)
		assert.ErrorContains(t, err, "object: x")
	}
	assert.NoError(t, classify(nil, "object", known{}, 0))
}
