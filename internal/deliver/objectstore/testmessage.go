package objectstore

import (
	"fmt"
	"time"
)

// Where a test message stands under its root.
const (
	testEventType = "test"
	testAccount   = "siempipe"
)

// TestMessage is the object that shows that a store takes objects, as Panoptica's console does on Test Message.
func TestMessage(root string, now time.Time) (Object, error) {
	now = now.UTC()
	p := Partition{EventType: testEventType, Day: new(Days).Of(now), Account: testAccount}
	line := fmt.Appendf(nil, `{"test":true,"message":"siempipe can write here","sent_at":"%s"}`+"\n", now.Format(time.RFC3339Nano))
	return NewObject(root, p, now, line, None)
}
