package rule

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
	_ "time/tzdata" // hours and weekday answer the same on a host without zone files

	"github.com/expr-lang/expr/builtin"
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

func ieqCall(args ...any) (any, error) {
	a, err := text("ieq", args[0])
	if err != nil {
		return nil, err
	}
	b, err := text("ieq", args[1])
	return strings.EqualFold(a, b), err
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
	return arnOf(s), nil
}

func arnOf(s string) ARN {
	var parts [5]string
	head, rest, _ := strings.Cut(s, ":")
	if head == "arn" && cutInto(parts[:], rest) {
		return ARN{parts[0], parts[1], parts[2], parts[3], parts[4]}
	}
	// Alibaba: acs:ram::100000000000:role/name
	if head == "acs" && cutInto(parts[1:], rest) {
		return ARN{"acs", parts[1], parts[2], parts[3], parts[4]}
	}
	return ARN{}
}

// cutInto fills parts with what colons separate, the last with the rest; false
// when there are too few.
func cutInto(parts []string, s string) (ok bool) {
	for i := range parts[:len(parts)-1] {
		if parts[i], s, ok = strings.Cut(s, ":"); !ok {
			return false
		}
	}
	parts[len(parts)-1] = s
	return true
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
