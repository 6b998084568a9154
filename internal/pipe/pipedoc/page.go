package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/siempipe/siempipe/internal/pipe"
	"github.com/siempipe/siempipe/internal/record"
	"github.com/siempipe/siempipe/internal/source"
	"github.com/siempipe/siempipe/internal/syslog"
)

const intro = `<!-- Generated from internal/pipe by "make generate". Do not edit. -->

# Pipe messages

What the [` + "`pipe_syslog`" + ` exporter](../exporter/pipesyslogexporter/README.md) sends: ` + "`key:value|key:value`" + `, one message for each record, in the
format in which Perception Point sends its scans ([vendor's page](https://docs.perception-point.io/WP/Content/PP/SIEM.htm)). Pairs
come in the order of the tables below. A key that the record does not have is left out; one that it has with an empty value stays,
as in ` + "`Layers:`" + `.

## Reading a message

1. Take the syslog header off, and the frame before that.
2. Split at every ` + "`|`" + ` that no backslash escapes.
3. Split each piece at its first ` + "`:`" + `. Keys hold neither ` + "`:`" + ` nor ` + "`|`" + ` nor ` + "`\\`" + `.
4. Undo the escapes in the values.

| in the message | stands for |
|---|---|
| ` + "`\\\\`" + ` | backslash |
| ` + "`\\\\|`" + ` | pipe |
| ` + "`\\r` `\\n` `\\t`" + ` | carriage return, line feed, tab |
| ` + "`\\x00`" + ` to ` + "`\\x7f`" + ` | another ASCII control, in two hex digits |
| ` + "`\\u0085`" + `, ` + "`\\u202e`" + ` … | C1 control, U+2028, U+2029, bidirectional control or byte order mark, in four hex digits |

That is ` + "`escape: backslash`" + `. With ` + "`replace`" + ` a value holds neither pipe nor backslash nor control, so that splitting at every pipe is
enough; with ` + "`none`" + ` pipes and backslashes stay as the sender wrote them, and a value can forge a pair. At every setting
a message is UTF-8 and holds no control, line separator, bidirectional control or byte order mark.

## When a message is too long

With ` + "`overflow: shorten`" + ` values of class text are taken down first, the longest before the others, then those of class
detail; ` + "`…`" + ` marks each. Values of class code and id stay whole (one above %d bytes is no vendor's and may be cut, so
that a forged one cannot keep its message from being sent). Where that is not enough, whole pairs of class text and detail are left out,
the last first.

With ` + "`overflow: split`" + ` every part repeats the ids and numbers itself, ` + "`Part:1/3`" + `. A value that is divided goes on under the same key in
the next part: the values of a key put together in the order of the parts are the whole value. Codes are never divided.

With ` + "`overflow: drop`" + ` the record is not sent, and counted.

## The vendor's own lines

The source format ` + "`perception_point_syslog`" + ` reads what Perception Point sends itself: with an octet count, an RFC 3164 or RFC 5424 header, a
PRI alone, or none of them. The vendor escapes nothing, and attackers write subjects, senders, names and URLs, so:

- A value ends only at a pipe that one of the vendor's keys and a colon follow directly.
- A key that is repeated, or stands where the vendor does not write it, makes the record ` + "`ambiguous`" + `. The last one counts where text of an
  attacker's may stand before it; of datetime, Scan ID, Event, IP Address and the subject, name or URL, which stand before all of that, the first.
- A line end inside a value (a NUL, too, with Fluent Bit's ` + "`syslog`" + ` input) ends the line where lines come over TCP without counts, or from
  files: what stands behind it is a record of its own, mostly an ` + "`invalid`" + ` one, and what stands before it may be all forged behind the
  subject, name or URL.
- A line of exactly the vendor's limit, 1,024 characters or bytes, is ` + "`truncated`" + `. So is one of 1,000 bytes or more without Sample, or with
  a verdict that an attacker might have written.
- A verdict that was cut off or may be forged is ` + "`unknown`" + `, never clean. One that no attacker would write (MAL, BLK, SUS, SPM) stays,
  unless it may have been written behind a graver one.

Blanks at the end of a line count: a sender who pads a subject with them has the vendor cut the line there. The ` + "`syslog` and `file_log`" + ` receivers
cut them off unless they have ` + "`preserve_trailing_whitespaces: true`" + `; set it wherever the vendor's lines come in, or a forged verdict in such a line is
taken for the vendor's. Over UDP they take tabs and other controls off in any case.

An ambiguous or truncated record keeps the line under ` + "`raw`" + `. Bytes that are no UTF-8 become U+FFFD, and the record then has the line under ` + "`raw_base64`" + `.

`

var classes = map[pipe.Class]string{pipe.Text: "text", pipe.Detail: "detail", pipe.Code: "code", pipe.Identity: "id"}

// page is the whole document.
func page() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, intro, pipe.MaxWhole)
	fmt.Fprint(&b, "## Severity\n\nSeverity in the PRI of the header.\n\n| PRI | from the record's severity | verdicts |\n|---|---|---|\n")
	for s := record.SeverityCritical; ; s-- {
		name := s.String()
		if s == record.SeverityUnknown {
			name = "none"
		}
		to := syslog.SeverityOf(s)
		fmt.Fprintf(&b, "| %d %s | %s | %s |\n", to, to, name, verdictsOf(s))
		if s == record.SeverityUnknown {
			break
		}
	}
	fmt.Fprint(&b, "\nA verdict that is unknown stands above a clean one: it may have been cut off.\n\n## Keys\n\n"+
		"*From* is a member of the record's body, `a.b` a member of a member, or a fact about the record (`@time`); of several the first that is there.\n"+
		"The exporter's `fields` choose, rename and order keys; their `from` is a key of these tables or what stands in the column *from*.\n")
	for i := range pipe.Tables {
		t := &pipe.Tables[i]
		fmt.Fprintf(&b, "\n### %s\n\n| key | value | from | class |\n|---|---|---|---|\n", t.Doc)
		for _, r := range t.Rows {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", r.Key, r.Doc, alternatives(r.From), classes[r.Class])
		}
	}
	return b.Bytes()
}

func alternatives(from string) string {
	return "`" + strings.ReplaceAll(from, "|", "`, `") + "`"
}

func verdictsOf(s record.Severity) string {
	var names []string
	for _, v := range source.VerdictSeverities {
		if v.Severity == s {
			names = append(names, "`"+v.Code+"`")
		}
	}
	if s == record.SeverityUnknown {
		return "every other"
	}
	return strings.Join(names, ", ")
}
