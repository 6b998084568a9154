package format

import (
	"strings"
	"testing"
	"time"

	"github.com/siempipe/siempipe/internal/record"
)

// FuzzPlainLine holds flow logs' lines that are read in one go to what is made of them field by field.
func FuzzPlainLine(f *testing.F) {
	const five = "log-status end start bytes packets dstaddr srcaddr account-id traffic-path instance-id az-id"
	for _, line := range []string{
		"2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK",
		"2 unknown eni-1 - - - - - - - 1431280876 1431280934 - NODATA",
		"2 arn:aws:iam::123456789012:x e ::1 2001:db8::1 0 65535 -1 18446744073709551615 00 1431280876 01431280934 - NODATA",
		`2  x y"z  \ é ` + "\xff", "2 1 e 1.2.3.4 1.2.3.4 1 2 3 4 5 1418530010 1418530070 A OK more", " 2 - - - - - - - - - - - - - ",
	} {
		f.Add(DefaultFlowFields, line)
	}
	f.Add(five, "OK 1620140761 1620140721 14600 10 10.0.1.5 198.51.100.9 123456789010 8 i-01234567890123456 apse2-az3")
	f.Add("start end log-status "+strings.Repeat("x", 40), "1620140761 1620140721 OK y")
	f.Fuzz(func(t *testing.T, header, line string) {
		parse := func(plain bool) (rec record.Record) {
			p, err := NewParser(Options{})
			if err != nil {
				t.Fatal(err)
			}
			fields := first(header, DefaultFlowFields)
			_ = p.flow.read(fields)
			if !plain {
				p.flow.plain = nil
			}
			for range 2 { // what one leaves behind must not change the next
				p.ParseIn(line, Context{Format: vpcFlowName, Fields: header, Origin: "o", Received: time.Unix(1700000000, 0)}, &rec)
			}
			return rec
		}
		if fast, slow := parse(true), parse(false); fast != slow {
			t.Fatalf("%+v\nwant %+v", fast, slow)
		}
	})
}
