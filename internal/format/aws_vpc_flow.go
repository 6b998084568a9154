package format

import (
	"fmt"
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
	"github.com/siempipe/siempipe/internal/record"
)

// VPC flow logs: lines whose fields the first line of the file names. Lines that come without one stand under the
// configured fields, or else those of the default format.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html

var vpcFlow = newLogType("AWS.VPCFlow", []column{
	flowVersion:       {name: "version", kind: bigint},
	flowAccount:       {name: "account", kind: varchar, feed: feedAccount, account: 1},
	flowInterfaceID:   {name: "interfaceId", kind: varchar},
	flowSrcAddr:       {name: "srcAddr", kind: varchar, feed: feedIP},
	flowDstAddr:       {name: "dstAddr", kind: varchar, feed: feedIP},
	flowSrcPort:       {name: "srcPort", kind: bigint},
	flowDstPort:       {name: "dstPort", kind: bigint},
	flowProtocol:      {name: "protocol", kind: bigint},
	flowPackets:       {name: "packets", kind: bigint},
	flowBytes:         {name: "bytes", kind: bigint},
	flowStart:         {name: "start", kind: timestamp, required: required, time: 1},
	flowEnd:           {name: "end", kind: timestamp, required: required},
	flowAction:        {name: "action", kind: varchar},
	flowStatus:        {name: "status", kind: varchar, required: required}, // OK, NODATA, SKIPDATA
	flowVPCID:         {name: "vpcId", kind: varchar},
	flowSubNetID:      {name: "subNetId", kind: varchar},
	flowInstanceID:    {name: "instanceId", kind: varchar, feed: feedInstance},
	flowTCPFlags:      {name: "tcpFlags", kind: bigint},
	flowTrafficType:   {name: "trafficType", kind: varchar},
	flowPktSrcAddr:    {name: "pktSrcAddr", kind: varchar, feed: feedIP},
	flowPktDstAddr:    {name: "pktDstAddr", kind: varchar, feed: feedIP},
	flowPktSrcService: {name: "pktSrcAwsService", kind: varchar},
	flowPktDstService: {name: "pktDstAwsService", kind: varchar},
	flowDirection:     {name: "flowDirection", kind: varchar},
	flowTrafficPath:   {name: "trafficPath", kind: tinyint},
})

// flowHeader is a header that has been read.
type flowHeader struct {
	text    string
	columns []flowColumn
	names   []string // ,"name": of the fields that the table does not have
	err     error
	plain   []flowField // for plainLine; nil where a name is too long for it
}

// defaultFlowHeader is never read anew, and so safe for concurrent use.
var defaultFlowHeader = func() *flowHeader {
	h := &flowHeader{}
	if err := h.read(DefaultFlowFields); err != nil {
		panic(err)
	}
	return h
}()

// read reads a header; the same one again costs nothing.
func (h *flowHeader) read(text string) error {
	if h.text == text {
		return h.err
	}
	*h = flowHeader{text: strings.Clone(text)}
	seen := map[string]bool{}
	for name := range strings.FieldsSeq(h.text) {
		name = bareFlowName(name)
		c := flowColumnOf(name)
		quoted := ""
		if c == flowUnknown {
			if i, _ := vpcFlow.table.find(name); i >= 0 || strings.HasPrefix(name, fieldPrefix) || name == additionalFields || name == rawMember {
				h.err = fmt.Errorf("header: a field that is named %.64q", name)
			}
			quoted = string(appendMember(nil, name))
		} else {
			name = flowNames[c].field
		}
		if seen[name] {
			h.err = fmt.Errorf("header: %.64q stands twice", name)
		}
		seen[name] = true
		h.columns, h.names = append(h.columns, c), append(h.names, quoted)
	}
	if h.err == nil {
		h.preparePlain()
	}
	return h.err
}

// claimsVPCFlow takes lines that look as their header says: as many fields, and the times and numbers where they are due.
func claimsVPCFlow(in *Input) bool {
	if in.IsObject || in.Raw == "" {
		return false
	}
	h := in.header
	if h.read(first(in.Fields, in.defaultFields)) != nil {
		return false
	}
	known := 0
	l := lineScanner{s: in.Raw}
	for _, column := range h.columns {
		field := l.next()
		switch {
		case field == "":
			return false
		case column == flowUnknown:
			continue
		case column == flowStart || column == flowEnd:
			if len(field) != 10 || !isPlainInteger(field) {
				return false
			}
		case vpcFlow.table.fields[column].kind == bigint && field != "-" && !isPlainInteger(field):
			return false
		}
		known++
	}
	return known >= minFlowNames && l.atEnd()
}

func parseVPCFlow(p *Parser, in *Input, rec *record.Record) error {
	if in.IsObject {
		return p.parseJSON(vpcFlow, in, rec)
	}
	h := in.header
	if err := h.read(first(in.Fields, in.defaultFields)); err != nil {
		return err
	}
	if len(h.plain) > 0 && p.plainLine(h, in.Raw) {
		p.finish(vpcFlow, in, rec)
		return nil
	}
	l := lineScanner{s: in.Raw}
	dst := p.beginLine()
	for i, column := range h.columns {
		field := l.next()
		if field == "" {
			return fmt.Errorf("%d fields, but the header names %d", i, len(h.columns))
		}
		if field == "-" {
			continue
		}
		switch column {
		case flowUnknown:
			dst = jsonscan.AppendQuoted(append(dst, h.names[i]...), field)
			continue
		case flowStart, flowEnd:
			seconds, ok := parseInteger(field)
			t, inRange := epochInstant(seconds, 1)
			if !ok || !inRange {
				return fmt.Errorf("%s: is %s, want seconds since 1970", flowNames[column].column, quote(field))
			}
			dst = p.putTime(dst, vpcFlow, int(column), t)
			continue
		case flowAccount:
			if field == "unknown" {
				continue
			}
		}
		var err error
		if dst, err = p.put(dst, vpcFlow, int(column), field); err != nil {
			return err
		}
	}
	if !l.atEnd() {
		dst = putMore(dst, l.all())
	}
	return p.endLine(dst, vpcFlow, in, rec)
}
