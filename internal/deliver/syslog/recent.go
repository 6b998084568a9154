package syslog

import "time"

const (
	// recentBytes is half of what a connection keeps. All of it must hold what a peer's system takes in without the peer
	// reading: on Linux at most net.ipv4.tcp_rmem, 6 MiB.
	recentBytes = 4 << 20
	// recentAge is how long a peer may take to read what its system took. It bounds the messages that come twice when
	// something on the way resets a connection whose peer read everything.
	recentAge = 30 * time.Second
)

// recent keeps copies of the messages that a peer's system acknowledged last: the peer may not have read them, and when it
// dies they die with it. The zero value is ready for use; it is not safe for concurrent use.
type recent struct {
	old, new generation
}

// generation holds messages one after another.
type generation struct {
	text  []byte
	marks []mark
}

type mark struct {
	end     int // in text
	at      time.Time
	repeats uint8
}

// pending is messages that go out again, and how often each was lost before.
type pending struct {
	msgs    [][]byte
	repeats []uint8
}

// drop forgets the first n.
func (p *pending) drop(n int) {
	clear(p.msgs[:n])
	p.msgs, p.repeats = p.msgs[n:], p.repeats[n:]
}

// add keeps a copy of msg.
func (r *recent) add(msg []byte, now time.Time, repeats uint8) {
	if len(r.new.text)+len(msg) > recentBytes && len(r.new.text) > 0 {
		r.old, r.new = r.new, generation{text: r.old.text[:0], marks: r.old.marks[:0]}
	}
	r.new.text = append(r.new.text, msg...)
	r.new.marks = append(r.new.marks, mark{len(r.new.text), now, repeats})
}

// since returns the messages acknowledged after t, in order. They share the memory of r, which is not to be used again.
func (r *recent) since(t time.Time) (p pending) {
	for _, g := range []*generation{&r.old, &r.new} {
		from := 0
		for _, m := range g.marks {
			if m.at.After(t) {
				p.msgs = append(p.msgs, g.text[from:m.end:m.end])
				p.repeats = append(p.repeats, m.repeats)
			}
			from = m.end
		}
	}
	return p
}
