package bucket

import (
	"context"
	"errors"
	"net/http"
)

// Kind says what an error means for the object and for those behind it.
type Kind string

// Kinds of errors.
const (
	// NotFound: the object is gone, or was never there. Others may be read.
	NotFound Kind = "not_found"
	// Forbidden: the store refuses this identity. It may be for all objects, and an administrator can fix it.
	Forbidden Kind = "forbidden"
	// Archived: the object must be restored before it can be read.
	Archived Kind = "archived"
	// Changed: the object is not the one that was begun.
	Changed Kind = "changed"
	// Unavailable: the store or the way to it fails. It gets better by itself.
	Unavailable Kind = "unavailable"
	// Misconfigured: no such bucket, wrong region and the like. It is so for all objects, and an administrator can fix it.
	Misconfigured Kind = "misconfigured"
)

// Error is why an object could not be read.
type Error struct {
	Kind Kind
	// Hint names the permission or setting that is missing; "" when nobody can do anything.
	Hint string
	Err  error
}

func (e *Error) Error() string {
	text := string(e.Kind)
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf is the kind of an error of this package, "" for others.
func KindOf(err error) Kind {
	var known *Error
	if errors.As(err, &known) {
		return known.Kind
	}
	return ""
}

// byStatus is what an HTTP status says where no error code of the store is known.
func byStatus(status int) Kind {
	switch status {
	case http.StatusNotFound, http.StatusGone:
		return NotFound
	case http.StatusForbidden, http.StatusUnauthorized:
		return Forbidden
	case http.StatusPreconditionFailed:
		return Changed
	}
	return Unavailable
}

// known is a row of a store's table of error codes.
type known struct {
	kind Kind
	hint string
}

// classify makes an *Error of what an SDK returned, by the store's own code and else by the HTTP status.
func classify(err error, what string, row known, status int) error {
	if err == nil {
		return nil
	}
	if row.kind == "" {
		row.kind = byStatus(status)
	}
	if errors.Is(err, context.DeadlineExceeded) && row.hint == "" {
		row.hint = "the store did not answer in time"
	}
	return &Error{Kind: row.kind, Hint: row.hint, Err: &namedError{what, err}}
}

// namedError says of which object an error is.
type namedError struct {
	what string
	err  error
}

func (e *namedError) Error() string { return e.what + ": " + e.err.Error() }
func (e *namedError) Unwrap() error { return e.err }
