package findingstate

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// maxFields is how many fields of a finding are compared one by one; what is beyond is compared together. The schema has 17,
// of which 14 are compared.
const maxFields = 24

// maxAlertID is the longest alert id that is kept, in bytes, to be named when the finding is not seen any more. Vendors' ids
// are UUIDs and ARNs.
const maxAlertID = 512

// id is the keyed hash of tenant and alert id. With 96 bits, ten million findings collide with a chance of 10^-15.
type id [12]byte

// hash is what pages are chosen by.
func (i *id) hash() uint32 { return binary.LittleEndian.Uint32(i[:]) }

// field is a field's number in the upper 8 bits and 24 bits of the hash of its value.
type field uint32

func newField(name uint8, hash uint64) field { return field(name)<<24 | field(hash>>40) }
func (f field) name() uint8                  { return uint8(f >> 24) }

type flags uint16

const (
	isDismissed flags = 1 << (iota + 5) // below are the event type, 2 bits, and the severity, 3 bits
	isSnoozed
	byEvent      // dismissed or snoozed by an event of its own, not by a mark in the record
	isResolved   // as it last went on
	isNotSeen    // marked not_seen
	isReturning  // was hidden after it had gone on: the next time it goes on it is reopened
	isFinding    // has been seen as a finding, not only as a disposition
	isGone       // expired; only in memory
	isSuppressed // a suppression held for the last record
)

const (
	eventTypeMask = 1<<2 - 1
	severityShift = 2
	severityMask  = 1<<3 - 1
)

// entry is what is known of one finding. It holds no pointers, so that a million of them cost the garbage collector nothing.
// The zero value is a finding that was never seen.
type entry struct {
	head
	n      uint8 // fields
	fields [maxFields]field
}

// head is all of an entry but its fields: what changes when a finding comes again as it was.
type head struct {
	id      id
	flags   flags
	day     uint16 // of the last record, in days since 1970
	content uint64 // hash of all fields as they last went on
	last    int64  // last seen, in milliseconds since 1970
	first   uint32 // first seen, and so on in seconds since 1970; 0 for never
	emitted uint32 // last went on
	until   uint32 // end of the snooze; 0 for none
	scope   uint32 // number of tenant, account and format
}

func (e *head) is(f flags) bool  { return e.flags&f != 0 }
func (e *head) set(f flags)      { e.flags |= f }
func (e *head) clear(f flags)    { e.flags &^= f }
func (e *head) eventType() uint8 { return uint8(e.flags & eventTypeMask) }
func (e *head) severity() uint8  { return uint8(e.flags >> severityShift & severityMask) }
func (e *entry) list() []field   { return e.fields[:e.n] }
func (e *head) known() bool      { return e.flags&^isGone != 0 && !e.is(isGone) }
func (e *head) snoozedAt(now int64) bool {
	return e.is(isSnoozed) && (e.until == 0 || now < int64(e.until)*1000)
}
func (e *head) hiddenAt(now int64) bool { return e.is(isDismissed) || e.snoozedAt(now) }

// seconds turns milliseconds into what an entry holds; it ends in 2106.
func seconds(ms int64) uint32 {
	return uint32(min(max(ms/1000, 1), math.MaxUint32))
}

func secondsOf(t time.Time) uint32 {
	return uint32(min(max(t.Unix(), 1), math.MaxUint32))
}

// appendRaw appends an encoded entry, its length before it.
func appendRaw(dst, one []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(one))), one...)
}

// appendEntry appends an entry with its alert id, its length before it.
func appendEntry[T string | []byte](dst []byte, e *entry, alertID T) []byte {
	size := 12 + 2 + 2 + 8 + 6 + 4 + 4 + 4 + 4 + 1 + 4*int(e.n) + len(alertID)
	dst = binary.AppendUvarint(dst, uint64(size))
	dst = append(dst, e.id[:]...)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(e.flags))
	dst = binary.LittleEndian.AppendUint16(dst, e.day)
	dst = binary.LittleEndian.AppendUint64(dst, e.content)
	dst = append(dst, byte(e.last), byte(e.last>>8), byte(e.last>>16), byte(e.last>>24), byte(e.last>>32), byte(e.last>>40))
	dst = binary.LittleEndian.AppendUint32(dst, e.first)
	dst = binary.LittleEndian.AppendUint32(dst, e.emitted)
	dst = binary.LittleEndian.AppendUint32(dst, e.until)
	dst = binary.LittleEndian.AppendUint32(dst, e.scope)
	dst = append(dst, e.n)
	for _, f := range e.list() {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(f))
	}
	return append(dst, alertID...)
}

const fixedBytes = 12 + 2 + 2 + 8 + 6 + 4 + 4 + 4 + 4 + 1

var errEntry = errors.New("entry is cut short")

// nextEntry splits the first encoded entry off, without its length.
func nextEntry(data []byte) (one, rest []byte, err error) {
	size, n := binary.Uvarint(data)
	if n <= 0 || size < fixedBytes || size > uint64(len(data)-n) {
		return nil, nil, errEntry
	}
	one = data[n : n+int(size)]
	if fields := int(one[fixedBytes-1]); fields > maxFields || len(one) < fixedBytes+4*fields {
		return nil, nil, errEntry
	}
	return one, data[n+int(size):], nil
}

// readEntry decodes what nextEntry returned; alertID is a part of it.
func readEntry(one []byte, e *entry) (alertID []byte) {
	*e = entry{}
	copy(e.id[:], one)
	e.flags = flags(binary.LittleEndian.Uint16(one[12:]))
	e.day = binary.LittleEndian.Uint16(one[14:])
	e.content = binary.LittleEndian.Uint64(one[16:])
	e.last = int64(binary.LittleEndian.Uint32(one[24:])) | int64(binary.LittleEndian.Uint16(one[28:]))<<32
	e.first = binary.LittleEndian.Uint32(one[30:])
	e.emitted = binary.LittleEndian.Uint32(one[34:])
	e.until = binary.LittleEndian.Uint32(one[38:])
	e.scope = binary.LittleEndian.Uint32(one[42:])
	e.n = one[46]
	for i := range e.n {
		e.fields[i] = field(binary.LittleEndian.Uint32(one[fixedBytes+4*int(i):]))
	}
	return alertIDOf(one)
}

func idOf(one []byte) id { return id(one[:12]) }

// alertIDOf returns the alert id of an encoded entry, without decoding the rest.
func alertIDOf(one []byte) []byte { return one[fixedBytes+4*int(one[fixedBytes-1]):] }
