package format

import (
	"math/bits"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"github.com/siempipe/siempipe/internal/jsonscan"
)

// indicator is one of the p_any_ fields: what a row mentions, whatever column it stands in.
type indicator uint8

// Indicators in the order in which they are written.
const (
	anyIP indicator = iota
	anyDomain
	anySHA1
	anyMD5
	anySHA256
	anyTrace
	anyAccount
	anyInstance
	anyARN
	anyTag
	anyEmail
	anyUsername
	numIndicators
)

// indicatorNames are the names of the fields. Panther swaps the descriptions of the md5 and sha256 ones; the names hold.
// https://docs.panther.com/search/panther-fields#indicator-fields
var indicatorNames = [numIndicators]string{
	anyIP:       "p_any_ip_addresses",
	anyDomain:   "p_any_domain_names",
	anySHA1:     "p_any_sha1_hashes",
	anyMD5:      "p_any_md5_hashes",
	anySHA256:   "p_any_sha256_hashes",
	anyTrace:    "p_any_trace_ids",
	anyAccount:  "p_any_aws_account_ids",
	anyInstance: "p_any_aws_instance_ids",
	anyARN:      "p_any_aws_arns",
	anyTag:      "p_any_aws_tags",
	anyEmail:    "p_any_emails",
	anyUsername: "p_any_usernames",
}

// indicatorKeys are the names as they are written.
var indicatorKeys = func() (keys [numIndicators]key) {
	for i, name := range indicatorNames {
		keys[i], _ = keyOf(`,"` + name + `":[`)
	}
	return keys
}()

// feed says what a column's value is to the indicators.
type feed uint8

// Feeds. The zero value is a column that feeds none.
const (
	noFeed       feed = iota
	feedIP            // only where it is an IP address
	feedNetAddr       // an IP address with or without a port
	feedDomain        // any name
	feedDNSName       // a name with a dot at its end
	feedHost          // an IP address, or else a name
	feedARN           // only where it is one; its account, instance and e-mail too
	feedAccount       // only 12 digits
	feedInstance      // only i-…
	feedSHA256        // only hexadecimal
	feedTrace         // any id
	feedUser          // a user's name, and an e-mail address where it is one
	feedAnswers       // an array of answers to a DNS query: see answers
	feedExtract       // JSON of any shape: see extract
)

// indicators gathers a row's indicators. The zero value is ready; reset empties it and keeps its room.
type indicators struct {
	found [numIndicators][]string
	used  uint16 // bits of those that are not empty
}

func (x *indicators) reset() {
	if x.used == 0 {
		return
	}
	for used := x.used; used != 0; used &= used - 1 {
		values := &x.found[bits.TrailingZeros16(used)]
		switch len(*values) { // most are one or two, which a call would take longer for
		case 1:
			(*values)[0] = ""
		case 2:
			(*values)[0], (*values)[1] = "", ""
		default:
			clear(*values)
		}
		*values = (*values)[:0]
	}
	x.used = 0
}

func (x *indicators) add(i indicator, s string) {
	if s == "" {
		return
	}
	x.found[i] = append(x.found[i], s)
	x.used |= 1 << i
}

// feed adds what a value is.
func (x *indicators) feed(f feed, s string) {
	switch f {
	case feedIP:
		x.ip(s)
	case feedNetAddr:
		if !x.ip(s) {
			host, _, _ := splitPort(strings.TrimSpace(s))
			x.ip(host)
		}
	case feedDomain:
		x.domain(s)
	case feedDNSName:
		x.domain(strings.TrimSuffix(strings.TrimSpace(s), "."))
	case feedHost:
		if !x.ip(s) {
			x.domain(s)
		}
	case feedARN:
		x.arn(s)
	case feedAccount:
		x.account(s)
	case feedInstance:
		x.instance(s)
	case feedSHA256:
		x.sha256(s)
	case feedTrace:
		x.add(anyTrace, strings.TrimSpace(s))
	case feedUser:
		s = strings.TrimSpace(s)
		x.add(anyUsername, s)
		x.email(s)
	}
}

// ip adds a valid IPv4 or IPv6 address and reports whether it is one. A zone, which means nothing outside its host, is left out.
func (x *indicators) ip(s string) bool {
	s = strings.TrimSpace(s)
	if !isIP(s) {
		address, zone, ok := cutByte(s, '%')
		if !ok || zone == "" || !isIPv6(address) {
			return false
		}
		s = address
	}
	x.add(anyIP, s)
	return true
}

// isIP reports whether s is an IPv4 address of four decimal parts without leading zeros, or an IPv6 address.
func isIP(s string) bool {
	if len(s) < len("::") || len(s) > len("0000:0000:0000:0000:0000:ffff:255.255.255.255") {
		return false
	}
	part, digits, dots := 0, 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			if digits > 0 && part == 0 {
				return isIPv6(s) // a leading zero
			}
			part = part*10 + int(c-'0')
			if digits++; digits > 3 || part > 255 {
				return isIPv6(s)
			}
		case c == '.':
			if digits == 0 {
				return false
			}
			part, digits = 0, 0
			dots++
		default:
			return isIPv6(s)
		}
	}
	return dots == 3 && digits > 0
}

func isIPv6(s string) bool {
	colon := false
	for i := range len(s) { // the parser's error would be allocated: most names end here
		switch c := s[i]; {
		case c == ':':
			colon = true
		case c == '.' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f':
		default:
			return false
		}
	}
	if !colon {
		return false
	}
	_, err := netip.ParseAddr(s)
	return err == nil
}

// domain adds a name, with its international parts in Unicode.
func (x *indicators) domain(s string) {
	s = strings.TrimSpace(s)
	if isInternational(s) {
		if decoded, err := idna.Punycode.ToUnicode(s); err == nil {
			s = decoded
		}
	}
	x.add(anyDomain, s)
}

// isInternational reports whether a name has parts that are encoded.
func isInternational(s string) bool {
	for i := 0; i+4 <= len(s); i++ {
		if s[i] == 'x' && s[i+1] == 'n' && s[i+2] == '-' && s[i+3] == '-' {
			return true
		}
	}
	return false
}

func (x *indicators) email(s string) {
	if strings.IndexByte(s, '@') >= 0 {
		x.add(anyEmail, strings.TrimSpace(s))
	}
}

func (x *indicators) account(s string) {
	if isAccountID(s) {
		x.add(anyAccount, s)
	}
}

func isAccountID(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return false
		}
	}
	return true
}

func (x *indicators) instance(s string) {
	if strings.HasPrefix(s, "i-") {
		x.add(anyInstance, s)
	}
}

// sha256 adds 64 hexadecimal digits, in lower case. No column of these logs has hashes of another length.
func (x *indicators) sha256(s string) {
	s = strings.TrimSpace(s)
	if len(s) != 64 {
		return
	}
	for i := range len(s) {
		if c := s[i]; c-'0' > 9 && (c|0x20 < 'a' || c|0x20 > 'f') {
			return
		}
	}
	x.add(anySHA256, strings.ToLower(s))
}

// arn adds an ARN with the account in it, the instance when it is one's, and the e-mail address that a federated user's
// session is named after.
func (x *indicators) arn(s string) {
	account, service, resource, ok := splitARN(s)
	if !ok {
		return
	}
	x.add(anyARN, s)
	x.account(account)
	if id, ok := strings.CutPrefix(resource, "instance/"); ok {
		x.instance(id)
	}
	if service == "sts" && strings.HasPrefix(resource, "assumed-role/") {
		x.email(resource[strings.LastIndexByte(resource, '/')+1:])
	}
}

// splitARN takes arn:partition:service:region:account:resource apart. The account may be empty or "aws".
func splitARN(s string) (account, service, resource string, ok bool) {
	rest, ok := strings.CutPrefix(s, "arn:")
	if !ok {
		return "", "", "", false
	}
	partition, rest, ok := cutByte(rest, ':')
	if !ok || partition == "" {
		return "", "", "", false
	}
	if service, rest, ok = cutByte(rest, ':'); !ok || service == "" {
		return "", "", "", false
	}
	if _, rest, ok = cutByte(rest, ':'); !ok { // the region
		return "", "", "", false
	}
	account, resource, ok = cutByte(rest, ':')
	return account, service, resource, ok && resource != ""
}

// cutByte is strings.Cut for one byte of a short text: a loop is over before a call would have begun.
func cutByte(s string, c byte) (before, after string, found bool) {
	for i := range len(s) {
		if s[i] == c {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// accountOf is the account that a value names: an ARN's, or the value itself. "" for what stands for unknown.
func accountOf(s string) string {
	if strings.HasPrefix(s, "arn:") {
		account, _, _, _ := splitARN(s)
		if !isAccountID(account) {
			return ""
		}
		return account
	}
	return s
}

// splitPort splits host:port at the last colon. An IPv6 host may stand in brackets; one without brackets has no port.
func splitPort(s string) (host, port string, ok bool) {
	colon := strings.LastIndexByte(s, ':')
	if colon < 0 {
		return s, "", false
	}
	host, port = s[:colon], s[colon+1:]
	if strings.HasPrefix(host, "[") {
		if !strings.HasSuffix(host, "]") {
			return strings.Trim(s, "[]"), "", false // [2001:db8::1] alone
		}
		return host[1 : len(host)-1], port, true
	}
	if strings.IndexByte(host, ':') >= 0 && isIP(s) { // an address of its own
		return s, "", false
	}
	return host, port, true
}

// append appends all that was found, each field sorted and each value once, with a comma before each field.
func (x *indicators) append(dst []byte) []byte {
	for used := x.used; used != 0; used &= used - 1 {
		i := bits.TrailingZeros16(used)
		values := x.found[i]
		switch len(values) {
		case 1:
		case 2: // which most are
			if values[1] < values[0] {
				values[0], values[1] = values[1], values[0]
			}
		default:
			slices.Sort(values)
		}
		dst = indicatorKeys[i].append(dst)
		for j, value := range values {
			if j > 0 {
				if value == values[j-1] {
					continue
				}
				dst = append(dst, ',')
			}
			dst = jsonscan.AppendQuoted(dst, value)
		}
		dst = append(dst, ']')
	}
	return dst
}
