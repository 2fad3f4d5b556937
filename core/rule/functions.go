package rule

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"
	_ "time/tzdata" // hours and weekday answer the same on a host without zone files
	"unicode/utf8"

	"github.com/expr-lang/expr/builtin"
	"github.com/gaissmai/bart"
	"reflect"
)

// FunctionDoc describes one function that rules have beside those of expr.
type FunctionDoc struct {
	Name, Signature, Meaning, Example string
}

// Functions lists the functions added to expr, in the order of the reference.
func Functions() []FunctionDoc {
	docs := make([]FunctionDoc, len(functions))
	for i, f := range functions {
		docs[i] = f.FunctionDoc
	}
	return docs
}

// function is one row of the table: what the checker knows of it, and the call.
type function struct {
	FunctionDoc
	typed any // pointer to a func type, read by the checker
	call  func(args ...any) (any, error)
}

// functions is every function that rules may call beside expr's own. All are
// pure and do no I/O. A nil argument (a missing member of raw) counts as "".
var functions = []function{
	{FunctionDoc{"glob", "glob(s, pattern…) bool", "s matches one of the patterns; `*` is any text, `/` and `:` included, `?` one character, as in IAM policies; lists.NAME is allowed", `glob(principal.arn, "arn:aws:iam::*:role/ci-*")`},
		new(func(string, ...any) bool), globCall},
	{FunctionDoc{"cidr", "cidr(ip, prefix…) bool", "the address is inside one of the networks; a list of networks is allowed; false for what is not an address", `cidr(ip, lists.corp_egress, "10.0.0.0/8")`},
		new(func(string, ...any) bool), cidrCall},
	{FunctionDoc{"ieq", "ieq(a, b) bool", "equal, upper and lower case being the same", `ieq(action, "decrypt")`},
		new(func(string, string) bool), ieqCall},
	{FunctionDoc{"private_ip", "private_ip(ip) bool", "a private, shared (100.64.0.0/10), loopback or link-local address", `not private_ip(ip)`},
		new(func(string) bool), privateIPCall},
	{FunctionDoc{"hours", "hours(time, tz, from, to) bool", "the local hour is at or after from and before to; from 22 to 6 spans midnight", `not hours(time, "Europe/Berlin", 7, 19)`},
		new(func(time.Time, string, int, int) bool), hoursCall},
	{FunctionDoc{"weekday", "weekday(time, tz) string", "the local day: monday … sunday", `weekday(time, "Asia/Shanghai") in ["saturday", "sunday"]`},
		new(func(time.Time, string) string), weekdayCall},
	{FunctionDoc{"arn", "arn(s) {partition, service, region, account, resource}", "the parts of an AWS or Alibaba ARN; all empty for other text", `arn(resource.id).account != account`},
		new(func(string) ARN), arnCall},
	{FunctionDoc{"domain", "domain(s) string", "the domain of an e-mail address, URL or host name, in lower case", `domain(principal.name) != "example.com"`},
		new(func(string) string), domainCall},
	{FunctionDoc{"entropy", "entropy(s) float", "Shannon entropy in bits per character: 0 for one repeated letter, above 4 for random text", `entropy(resource.name) > 3.8`},
		new(func(string) float64), entropyCall},
}

// ARN is what arn() answers.
type ARN struct {
	Partition string `expr:"partition"`
	Service   string `expr:"service"`
	Region    string `expr:"region"`
	Account   string `expr:"account"`
	Resource  string `expr:"resource"`
}

// define makes a function of the table, or a hidden one of the patches, known
// to the checker and the compiler of expr.
func define(name string, call func(args ...any) (any, error), typed ...any) *builtin.Function {
	f := &builtin.Function{Name: name, Func: call}
	for _, t := range typed {
		f.Types = append(f.Types, reflect.TypeOf(t).Elem())
	}
	return f
}

// text reads an argument that should be a string; nil is "".
func text(function string, v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	}
	return "", fmt.Errorf("%s() wants text, not %s", function, kindOf(v))
}

// kindOf names a value the way a rule author would.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case string:
		return "text"
	case bool:
		return "true or false"
	case int, int64, float64:
		return "a number"
	case []any, []string:
		return "a list"
	case map[string]any:
		return "a map"
	}
	return fmt.Sprintf("%T", v)
}

// maxPattern bounds one glob pattern, and with maxText the work of matching it.
const maxPattern = 1 << 10

func globCall(args ...any) (any, error) {
	s, err := text("glob", args[0])
	if err != nil {
		return nil, err
	}
	for _, arg := range args[1:] {
		switch p := arg.(type) {
		case nil:
		case string:
			if len(p) > maxPattern {
				return nil, fmt.Errorf("glob() pattern is longer than %d bytes", maxPattern)
			}
			if glob(p, s) {
				return true, nil
			}
		case []string:
			for _, p := range p {
				if glob(p, s) {
					return true, nil
				}
			}
		default:
			return nil, fmt.Errorf("glob() wants patterns, not %s", kindOf(arg))
		}
	}
	return false, nil
}

// glob reports whether s matches the pattern: `*` stands for any text, also
// across `/` and `:`, and `?` for one character.
func glob(pattern, s string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	s, ok := cutSegment(s, head)
	if !ok || !star {
		return ok && s == ""
	}
	for {
		segment, next, more := strings.Cut(rest, "*")
		if !more {
			return hasSegmentSuffix(s, segment)
		}
		if s, ok = afterSegment(s, segment); !ok {
			return false
		}
		rest = next
	}
}

// cutSegment takes a segment (text with `?`) off the front of s.
func cutSegment(s, segment string) (rest string, ok bool) {
	if !strings.Contains(segment, "?") {
		return strings.CutPrefix(s, segment)
	}
	for _, want := range segment {
		got, size := utf8.DecodeRuneInString(s)
		if size == 0 || want != '?' && got != want {
			return s, false
		}
		s = s[size:]
	}
	return s, true
}

// afterSegment finds the first place where the segment stands and returns what
// follows it.
func afterSegment(s, segment string) (rest string, ok bool) {
	if !strings.Contains(segment, "?") {
		_, rest, ok = strings.Cut(s, segment)
		return rest, ok
	}
	for {
		if rest, ok = cutSegment(s, segment); ok || s == "" {
			return rest, ok
		}
		_, size := utf8.DecodeRuneInString(s)
		s = s[size:]
	}
}

// hasSegmentSuffix reports whether s ends with the segment.
func hasSegmentSuffix(s, segment string) bool {
	if !strings.Contains(segment, "?") {
		return strings.HasSuffix(s, segment)
	}
	skip := utf8.RuneCountInString(s) - utf8.RuneCountInString(segment)
	for ; skip > 0; skip-- {
		_, size := utf8.DecodeRuneInString(s)
		s = s[size:]
	}
	rest, ok := cutSegment(s, segment)
	return ok && rest == ""
}

// networks is the constant form of cidr()'s networks.
type networks struct{ table bart.Lite }

func (n *networks) contains(ip netip.Addr) bool { return n.table.Lookup(ip) }

// parseNetwork reads `10.0.0.0/8`, or one address.
func parseNetwork(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p.Masked(), err
	}
	ip, err := netip.ParseAddr(s)
	if err != nil || ip.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%q is neither a network nor an address", s)
	}
	return netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()), nil
}

func cidrCall(args ...any) (any, error) {
	s, err := text("cidr", args[0])
	if err != nil {
		return nil, err
	}
	ip, err := netip.ParseAddr(s)
	if err != nil {
		return false, nil
	}
	ip = ip.Unmap().WithZone("")
	for _, arg := range args[1:] {
		inside, err := inNetwork(ip, arg)
		if err != nil || inside {
			return inside, err
		}
	}
	return false, nil
}

func inNetwork(ip netip.Addr, network any) (bool, error) {
	switch n := network.(type) {
	case nil:
		return false, nil
	case *networks:
		return n.contains(ip), nil
	case string:
		p, err := parseNetwork(n)
		if err != nil {
			return false, fmt.Errorf("cidr(): %w", err)
		}
		return p.Contains(ip), nil
	case []any:
		for _, item := range n {
			if inside, err := inNetwork(ip, item); err != nil || inside {
				return inside, err
			}
		}
		return false, nil
	}
	return false, fmt.Errorf("cidr() wants networks, not %s", kindOf(network))
}

func ieqCall(args ...any) (any, error) {
	a, err := text("ieq", args[0])
	if err != nil {
		return nil, err
	}
	b, err := text("ieq", args[1])
	return strings.EqualFold(a, b), err
}

var sharedAddresses = netip.MustParsePrefix("100.64.0.0/10")

func privateIPCall(args ...any) (any, error) {
	s, err := text("private_ip", args[0])
	if err != nil {
		return nil, err
	}
	ip, err := netip.ParseAddr(s)
	if err != nil {
		return false, nil
	}
	ip = ip.Unmap()
	return ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || sharedAddresses.Contains(ip), nil
}

func hoursCall(args ...any) (any, error) {
	at, err := localTime("hours", args[0], args[1])
	if err != nil {
		return nil, err
	}
	from, ok1 := args[2].(int)
	to, ok2 := args[3].(int)
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("hours() wants whole numbers for from and to")
	}
	h := at.Hour()
	if from <= to {
		return from <= h && h < to, nil
	}
	return from <= h || h < to, nil
}

func weekdayCall(args ...any) (any, error) {
	at, err := localTime("weekday", args[0], args[1])
	if err != nil {
		return nil, err
	}
	return strings.ToLower(at.Weekday().String()), nil
}

func localTime(function string, at, zone any) (time.Time, error) {
	t, ok := at.(time.Time)
	if !ok {
		return t, fmt.Errorf("%s() wants a time, not %s", function, kindOf(at))
	}
	name, err := text(function, zone)
	if err != nil {
		return t, err
	}
	loc, err := location(name)
	if err != nil {
		return t, err
	}
	return t.In(loc), nil
}

func arnCall(args ...any) (any, error) {
	s, err := text("arn", args[0])
	if err != nil {
		return nil, err
	}
	parts := strings.SplitN(s, ":", 6)
	if len(parts) == 6 && parts[0] == "arn" {
		return ARN{parts[1], parts[2], parts[3], parts[4], parts[5]}, nil
	}
	// Alibaba: acs:ram::100000000000:role/name
	if parts = strings.SplitN(s, ":", 5); len(parts) == 5 && parts[0] == "acs" {
		return ARN{parts[0], parts[1], parts[2], parts[3], parts[4]}, nil
	}
	return ARN{}, nil
}

func domainCall(args ...any) (any, error) {
	s, err := text("domain", args[0])
	if err != nil {
		return nil, err
	}
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		s = s[:i]
	}
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		s = s[i+1:]
	}
	if !strings.HasPrefix(s, "[") {
		s, _, _ = strings.Cut(s, ":")
	}
	return strings.ToLower(strings.TrimSuffix(s, ".")), nil
}

func entropyCall(args ...any) (any, error) {
	s, err := text("entropy", args[0])
	if err != nil {
		return nil, err
	}
	counts := map[rune]int{}
	total := 0
	for _, r := range s {
		counts[r]++
		total++
	}
	return shannon(counts, total), nil
}

// shannon sums in the order of the counts, so that the last digit does not
// depend on the order of the map.
func shannon(counts map[rune]int, total int) float64 {
	byCount := make([]int, total+1)
	for _, n := range counts {
		byCount[n]++
	}
	bits := 0.0
	for n, times := range byCount {
		if n > 0 && times > 0 {
			p := float64(n) / float64(total)
			bits -= float64(times) * p * math.Log2(p)
		}
	}
	return bits
}
