package record

import (
	"testing"
	"time"
)

func TestRepresentable(t *testing.T) {
	for text, want := range map[string]bool{
		"0001-01-01T00:00:00Z": false, "1969-12-31T23:59:59.999Z": false, "1970-01-01T00:00:00Z": true,
		"2261-12-31T23:59:59.999Z": true, "2262-01-01T00:00:00Z": false, "9999-12-31T00:00:00Z": false,
	} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := Representable(at); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}
