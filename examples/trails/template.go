package trails

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// template is JSON text with placeholders in angle brackets: `"<region>"`.
type template []segment

// segment is a piece of text and the value that follows it.
type segment struct {
	text  string
	value func(*maker)
}

// values are the placeholders. What lives in a place (see pools) is one too:
// `<bucket>` is the name of one of its buckets.
var values = map[string]func(*maker){
	"id":      func(m *maker) { m.put(m.id) },
	"uuid":    func(m *maker) { m.put(m.uuid()) },
	"UUID":    func(m *maker) { m.put(strings.ToUpper(m.uuid())) },
	"account": func(m *maker) { m.put(m.at.account) },
	"region":  func(m *maker) { m.put(m.at.region) },
	"time":    func(m *maker) { m.out = m.when.UTC().AppendFormat(m.out, time.RFC3339) },
	"since":   func(m *maker) { m.out = m.since().AppendFormat(m.out, time.RFC3339) },
	"until":   func(m *maker) { m.out = m.since().Add(12*time.Hour).AppendFormat(m.out, time.RFC3339) },
	"minute":  func(m *maker) { m.out = m.when.UTC().AppendFormat(m.out, "2006-01-02T15:04Z") },
	"millis":  func(m *maker) { m.out = strconv.AppendInt(m.out, m.when.UnixMilli(), 10) },

	"name":      func(m *maker) { m.put(m.who.name) },
	"who":       func(m *maker) { m.put(m.who.id) },
	"key":       func(m *maker) { m.put(m.who.accessKey) },
	"role":      func(m *maker) { m.put(m.who.role) },
	"roleid":    func(m *maker) { m.put(m.who.roleID) },
	"mfa":       func(m *maker) { m.put(m.who.mfa) },
	"ip":        func(m *maker) { m.put(m.who.ip) },
	"agent":     func(m *maker) { m.put(m.who.agent) },
	"invokedby": func(m *maker) { m.put(m.who.invokedBy) },

	"digit":  func(m *maker) { m.number(10) },
	"number": func(m *maker) { m.number(1000) },
	"size":   func(m *maker) { m.number(4 << 20) },
	"hex":    func(m *maker) { m.random(hexDigits, 17) },
	"secret": func(m *maker) { m.random(letters, 24) },
}

// since is when the caller's session began: the same for all it does in an hour.
func (m *maker) since() time.Time {
	return m.when.UTC().Truncate(time.Hour).Add(time.Duration(len(m.who.name)) * time.Minute / -2)
}

// tmpl reads a template. Empty text is no template.
func tmpl(text string) template {
	if text == "" {
		return nil
	}
	var t template
	for {
		before, rest, found := strings.Cut(text, "<")
		if !found {
			return append(t, segment{text: text})
		}
		name, after, found := strings.Cut(rest, ">")
		if !found {
			panic("trails: an angle bracket is not closed in " + rest)
		}
		t = append(t, segment{text: before, value: valueOf(name)})
		text = after
	}
}

func valueOf(name string) func(*maker) {
	if value, ok := values[name]; ok {
		return value
	}
	if _, ok := poolSizes[name]; ok {
		return func(m *maker) { m.put(m.of(name)) }
	}
	panic("trails: no placeholder is called " + name)
}

// poolSizes is how many things of each kind live in a place.
var poolSizes = map[string]int{
	"kmskey": 16, "bucket": 16, "prefix": 24, "instance": 48, "eni": 48, "sg": 24, "subnet": 9, "vpc": 2, "volume": 48,
	"function": 24, "table": 20, "group": 24, "parameter": 40, "vault": 12, "cluster": 3, "repository": 20, "endpoint": 4, "workload": 24,
}

// words are what names are made of.
var words = []string{"billing", "checkout", "orders", "search", "ledger", "media", "audit", "ingest", "frontend", "catalog", "payments", "reports", "identity", "archive"}

// newPools fills a place. hexID writes the ids of AWS, the other those of Alibaba.
func newPools(rng *rand.Rand, provider string) map[string][]string {
	pools := map[string][]string{}
	for _, kind := range sortedKeys(poolSizes) {
		for n := range poolSizes[kind] {
			pools[kind] = append(pools[kind], thing(rng, provider, kind, n))
		}
	}
	return pools
}

// thing names the n-th thing of a kind.
func thing(rng *rand.Rand, provider, kind string, n int) string {
	id := word(rng, hexDigits, 17)
	if provider == Alibaba {
		id = "bp1" + strings.ToLower(word(rng, upper, 14))
	}
	named := fmt.Sprintf("%s-%s", pick(rng, words), pick(rng, []string{"prod", "prod", "stage", "dev"}))
	switch kind {
	case "kmskey":
		if provider == Alibaba {
			return "key-hzz" + word(rng, hexDigits, 20)
		}
		return uuid(rng)
	case "instance":
		return "i-" + id
	case "volume":
		if provider == Alibaba {
			return "d-" + id
		}
		return "vol-" + id
	case "eni", "sg", "subnet", "vpc":
		return kind + "-" + id
	case "endpoint":
		return "vpce-" + id
	case "bucket":
		return "acme-" + named + "-" + strconv.Itoa(n)
	case "prefix":
		return "exports/" + named
	case "parameter":
		return "/" + strings.ReplaceAll(named, "-", "/") + "/database/url"
	case "group":
		return "/aws/lambda/" + named
	}
	return named + "-" + kind
}
