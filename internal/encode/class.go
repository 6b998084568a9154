package encode

// Class says what may happen to a value when its message is too long.
type Class uint8

const (
	// Text is free text: shortened first, the longest value before the others.
	Text Class = iota
	// Detail is shortened only when all Text is down to a few bytes. A mail's Message ID belongs here and not to the ids:
	// its sender chooses it, and a sender must not be able to make a message too long to be sent.
	Detail
	// Code is never shortened and never divided: Event, verdict, action, severity.
	Code
	// Identity is Code that every part of a split message repeats.
	Identity
)
