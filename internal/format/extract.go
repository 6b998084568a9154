package format

import (
	"strings"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// extract finds indicators in JSON of any shape, the polymorphic columns: request parameters, event details, resources. It
// goes by the names that AWS gives such values, and takes every string that is an ARN, wherever it stands.

// extractKey is what the name of a member says of the strings in it.
type extractKey uint8

const (
	extractNothing extractKey = iota
	extractARN
	extractInstance
	extractAccount
	extractIP
	extractDomain
	extractTags     // an array of {"key","value"}
	extractTag      // one element of it
	extractTagKey   // its key
	extractTagValue // its value
)

// extractKeyOf finds the names as events have them, instanceId, and as the APIs' own answers do, InstanceId.
func extractKeyOf(name string) extractKey {
	if len(name) < 3 {
		return extractNothing
	}
	initial, rest := name[0]|0x20, name[1:]
	switch name[len(name)-1] {
	case 'n', 'N':
		switch {
		case initial == 'a' && (rest == "rn" || rest == "RN" || rest == "ws:SourceArn"):
			return extractARN
		case initial == 'd' && rest == "omain":
			return extractDomain
		}
	case 'd':
		switch {
		case initial == 'i' && (rest == "nstanceId" || rest == "nstance-id") || strings.HasSuffix(name, "InstanceId"):
			return extractInstance
		case initial == 'a' && rest == "ccountId" || strings.HasSuffix(name, "AccountId"):
			return extractAccount
		}
	case 't':
		if initial == 'a' && rest == "ccount" {
			return extractAccount
		}
	case 's':
		switch {
		case initial == 't' && rest == "ags":
			return extractTags
		case initial == 'i' && rest == "pv6Addresses", initial == 'p' && rest == "rivateIpAddress", initial == 's' && rest == "ourceIPAddress":
			return extractIP
		}
	case 'p', '4', '6':
		if initial == 'p' && rest == "ublicIp" || initial == 'i' && (rest == "pAddressV4" || rest == "pAddressV6") {
			return extractIP
		}
	case 'e':
		if initial == 'p' && (rest == "ublicDnsName" || rest == "rivateDnsName") {
			return extractDomain
		}
	}
	return extractNothing
}

// extract looks through the JSON value at i of s, which is valid and compact, and returns the index behind it.
func (x *indicators) extract(s string, i int) int {
	if c := s[i]; c != '{' && c != '[' {
		end := jsonscan.ValueEnd(s, i)
		if c == '"' {
			x.arn(jsonscan.Unquote(s[i+1 : end-1]))
		}
		return end
	}
	var open [jsonscan.MaxDepth + 1]extractKey // of the arrays and objects that are open, the outermost at 1
	depth := 0
	key := extractNothing
	var tagKey, tagValue string
	for i < len(s) {
		switch s[i] {
		case '"':
			end := jsonscan.StringEnd(s, i)
			if end < len(s) && s[end] == ':' {
				key = extractKeyOf(s[i+1 : end-1])
				if open[depth] == extractTag {
					switch s[i+1 : end-1] {
					case "key", "Key":
						key = extractTagKey
					case "value", "Value":
						key = extractTagValue
					}
				}
				i = end + 1
				continue
			}
			if key != extractNothing || end-i > len(`"arn:`) && s[i+1] == 'a' && s[i+2] == 'r' && s[i+3] == 'n' && s[i+4] == ':' {
				value := jsonscan.Unquote(s[i+1 : end-1])
				switch key {
				case extractInstance:
					x.instance(value)
				case extractAccount:
					x.account(value)
				case extractIP:
					x.ip(value)
				case extractDomain:
					x.domain(value)
				case extractTagKey:
					tagKey = value
				case extractTagValue:
					tagValue = value
				}
				x.arn(value)
			}
			i = end
		case '{', '[':
			if s[i] == '{' {
				if open[depth] == extractTags && key == extractTags {
					key = extractTag
					tagKey, tagValue = "", ""
				} else {
					key = extractNothing
				}
			} else if key == extractTag || key == extractTagKey || key == extractTagValue {
				key = extractNothing
			}
			depth++
			if depth == len(open) {
				return len(s) // deeper than valid text is
			}
			open[depth] = key
			i++
		case '}', ']':
			if open[depth] == extractTag && tagKey != "" {
				x.add(anyTag, tagKey+":"+tagValue)
				tagKey, tagValue = "", ""
			}
			if depth--; depth <= 0 {
				return i + 1
			}
			key = open[depth]
			i++
		default: // a comma, a number or a literal
			i++
		}
	}
	return i
}
