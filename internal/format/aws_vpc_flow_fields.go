package format

// vpcFlowName is the format of VPC flow logs.
const vpcFlowName = "aws.vpc_flow"

// flowColumn is a column of AWS.VPCFlow, by its place in the table.
type flowColumn int8

// Columns of AWS.VPCFlow in the order of Panther's table.
const (
	flowVersion flowColumn = iota
	flowAccount
	flowInterfaceID
	flowSrcAddr
	flowDstAddr
	flowSrcPort
	flowDstPort
	flowProtocol
	flowPackets
	flowBytes
	flowStart
	flowEnd
	flowAction
	flowStatus
	flowVPCID
	flowSubNetID
	flowInstanceID
	flowTCPFlags
	flowTrafficType
	flowPktSrcAddr
	flowPktDstAddr
	flowPktSrcService
	flowPktDstService
	flowDirection
	flowTrafficPath
	numFlowColumns
	flowUnknown flowColumn = -1
)

// flowNames are the names of the fields in a header and those of their columns.
// https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html#flow-logs-fields
var flowNames = [numFlowColumns]struct{ field, column string }{
	flowVersion:       {"version", "version"},
	flowAccount:       {"account-id", "account"},
	flowInterfaceID:   {"interface-id", "interfaceId"},
	flowSrcAddr:       {"srcaddr", "srcAddr"},
	flowDstAddr:       {"dstaddr", "dstAddr"},
	flowSrcPort:       {"srcport", "srcPort"},
	flowDstPort:       {"dstport", "dstPort"},
	flowProtocol:      {"protocol", "protocol"},
	flowPackets:       {"packets", "packets"},
	flowBytes:         {"bytes", "bytes"},
	flowStart:         {"start", "start"},
	flowEnd:           {"end", "end"},
	flowAction:        {"action", "action"},
	flowStatus:        {"log-status", "status"},
	flowVPCID:         {"vpc-id", "vpcId"},
	flowSubNetID:      {"subnet-id", "subNetId"},
	flowInstanceID:    {"instance-id", "instanceId"},
	flowTCPFlags:      {"tcp-flags", "tcpFlags"},
	flowTrafficType:   {"type", "trafficType"},
	flowPktSrcAddr:    {"pkt-srcaddr", "pktSrcAddr"},
	flowPktDstAddr:    {"pkt-dstaddr", "pktDstAddr"},
	flowPktSrcService: {"pkt-src-aws-service", "pktSrcAwsService"},
	flowPktDstService: {"pkt-dst-aws-service", "pktDstAwsService"},
	flowDirection:     {"flow-direction", "flowDirection"},
	flowTrafficPath:   {"traffic-path", "trafficPath"},
}

// DefaultFlowFields is the header of flow logs in the default format, version 2, which those that come through CloudWatch
// Logs do not have.
const DefaultFlowFields = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"

// bareFlowName takes off the dollar and the braces that consoles and templates write round a name.
func bareFlowName(field string) string {
	if len(field) > 3 && field[0] == '$' && field[1] == '{' && field[len(field)-1] == '}' {
		return field[2 : len(field)-1]
	}
	return field
}

// flowColumnOf finds the column of a header's field.
func flowColumnOf(field string) flowColumn {
	field = bareFlowName(field)
	for c := range flowNames {
		if flowNames[c].field == field {
			return flowColumn(c)
		}
	}
	return flowUnknown
}
