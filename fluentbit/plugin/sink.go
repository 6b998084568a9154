package plugin

import (
	"context"
	"errors"
	"fmt"

	"github.com/siempipe/siempipe/internal/deliver/objectstore"
	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// records are those of one chunk that go on, in their order. Their texts are valid until the flush ends.
type records []entry

// entry is a record, and what is known of its body where the sink asks for it.
type entry struct {
	record.Record
	known jsonscan.Known
}

func (r records) Len() int { return len(r) }

func (r records) Read(i int, rec *record.Record) error {
	*rec = r[i].Record
	return nil
}

// Known makes records syslog.KnownRecords.
func (r records) Known(i int) jsonscan.Known { return r[i].known }

// sink is where records go. It is safe for concurrent use.
type sink interface {
	// deliver delivers the records, except for what a.done names, and updates that. recs are its own to change. It returns
	// within ctx, give or take the second in abandonAfter. note is worth a line in the log whether or not there is an error.
	deliver(ctx context.Context, recs records, a *attempt) (note string, err error)
	// String names the destination for the log.
	String() string
	close() error
}

// isPermanent reports that nothing will ever make the delivery succeed: the one place where it is decided. Several errors
// are permanent when each is.
func isPermanent(err error) bool {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range several.Unwrap() {
			if !isPermanent(one) {
				return false
			}
		}
		return true
	}
	var store *objectstore.Error
	return errors.As(err, &store) && store.Permanent
}

// newSink makes the sink of a valid configuration.
func newSink(ctx context.Context, c *config) (sink, error) {
	switch c.output {
	case outputSyslog:
		return newSyslogSink(c)
	case outputDirectory:
		store, err := objectstore.NewDirectory(c.directory)
		if err != nil {
			return nil, fmt.Errorf("directory: %w", err)
		}
		return newStoreSink(c, store, "directory "+c.directory)
	default:
		store, err := objectstore.NewS3(ctx, c.s3)
		if err != nil {
			return nil, fmt.Errorf("bucket: %w", err)
		}
		return newStoreSink(c, store, "bucket "+c.s3.Bucket)
	}
}
