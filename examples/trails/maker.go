package trails

import (
	"crypto/md5"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// window is how much of the clock one object covers.
const window = 5 * time.Minute

// place is one account and region: what its objects are named for, and the
// things that live there. An object never mixes places.
type place struct {
	provider, account, region string
	callers                   map[string][]principal // kind → who acts, the busiest first; "" is everybody but root and services
	pools                     map[string][]string    // kind of thing → its names
}

// principal is somebody or something that acts in a place.
type principal struct {
	kind       string // userIdentity.type
	name, id   string
	accessKey  string
	role       string // of an assumed role
	roleID     string
	ip, agent  string
	mfa        string
	invokedBy  string
	privileged bool
}

// maker writes the records of one object.
type maker struct {
	rng     *rand.Rand
	at      *place
	from    time.Time // of the window
	insight bool

	out []byte // the object

	// Of the record under way.
	who     principal
	when    time.Time
	id      string
	settled bool              // nothing about the outcome is left to chance
	chosen  map[string]string // kind of thing → the one this record is about
}

// record appends one record and returns its id.
func (m *maker) record(matching bool) string {
	m.settled = matching
	clear(m.chosen)
	m.when = m.from.Add(time.Duration(m.rng.Int64N(int64(window))))
	m.id = m.uuid()
	switch {
	case m.at.provider == AWS && m.insight:
		m.fill(cloudTrailInsight)
	case m.at.provider == AWS:
		m.cloudTrail(m.call(cloudTrailCalls, cloudTrailMatch))
	case m.insight:
		m.id = strings.ToUpper(m.id)
		m.fill(actionTrailInsight)
	default:
		m.id = strings.ToUpper(m.id)
		m.actionTrail(m.call(actionTrailCalls, actionTrailMatch))
	}
	return m.id
}

// call chooses what is called and by whom.
func (m *maker) call(from calls, match call) call {
	c := match
	if !m.settled {
		c = from.pick(m.rng)
	}
	m.who = m.caller(c.by)
	return c
}

// caller picks a principal: of the kind asked for, or a person or workload.
func (m *maker) caller(kind string) principal {
	from := m.at.callers[kind]
	// The first few do most of the work, as everywhere.
	return from[m.rng.IntN(1+m.rng.IntN(len(from)))]
}

// populate sets who acts in a place.
func (p *place) populate(all []principal) {
	p.callers = map[string][]principal{}
	for _, who := range all {
		p.callers[who.kind] = append(p.callers[who.kind], who)
		if !who.privileged && who.invokedBy == "" {
			p.callers[""] = append(p.callers[""], who)
		}
	}
}

// denied decides whether the call under way is refused.
func (m *maker) denied() bool { return !m.settled && m.rng.IntN(50) == 0 }

func (m *maker) put(parts ...string) {
	for _, part := range parts {
		m.out = append(m.out, part...)
	}
}

// fill appends a template.
func (m *maker) fill(t template) {
	for _, s := range t {
		m.out = append(m.out, s.text...)
		if s.value != nil {
			s.value(m)
		}
	}
}

// member appends `"name":` and a template, null when there is none.
func (m *maker) member(name string, value template) {
	m.put(`,"`, name, `":`)
	if value == nil {
		m.put("null")
		return
	}
	m.fill(value)
}

// open, separate and close write what stands around the records.
func (m *maker) open(ndjson bool) {
	switch {
	case ndjson:
	case m.at.provider == AWS:
		m.put(`{"Records":[`)
	default:
		m.put(`[`)
	}
}

func (m *maker) separate(ndjson bool) {
	if ndjson {
		m.put("\n")
		return
	}
	m.put(",")
}

func (m *maker) close(ndjson bool) {
	switch {
	case ndjson:
		m.put("\n")
	case m.at.provider == AWS:
		m.put(`]}`)
	default:
		m.put(`]`)
	}
}

// path is the object's name, as the cloud would choose it.
func (m *maker) path(body []byte, records int, ndjson bool) string {
	return m.at.path(m.from.Add(window), m.insight, m.alphanumeric(16), body, records, ndjson)
}

// path names an object delivered at the given time.
func (p *place) path(delivered time.Time, insight bool, unique string, body []byte, records int, ndjson bool) string {
	day := delivered.UTC().Format("2006/01/02")
	kind, suffix := "", ".json.gz"
	if p.provider == Alibaba {
		suffix = ".gz"
	}
	if insight {
		kind = "-Insight"
	}
	if ndjson {
		suffix = ".ndjson"
	}
	if p.provider == Alibaba {
		return fmt.Sprintf("AliyunLogs/Actiontrail%s/%s/%s/Actiontrail_%s_%s_1002_%d_%d_%X%s", kind, p.region, day,
			p.region, delivered.UTC().Format("20060102150405"), records, len(body), md5.Sum(body), suffix)
	}
	return fmt.Sprintf("AWSLogs/%s/CloudTrail%s/%s/%s/%s_CloudTrail%s_%s_%s_%s%s", p.account, kind, p.region, day,
		p.account, kind, p.region, delivered.UTC().Format("20060102T1504Z"), unique, suffix)
}

const (
	hexDigits = "0123456789abcdef"
	letters   = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	upper     = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

func (m *maker) uuid() string                { return uuid(m.rng) }
func (m *maker) alphanumeric(n int) string   { return word(m.rng, letters, n) }
func (m *maker) number(n int)                { m.out = strconv.AppendInt(m.out, int64(m.rng.IntN(n)), 10) }
func (m *maker) random(digits string, n int) { m.put(word(m.rng, digits, n)) }

// uuid makes a random id of the usual form.
func uuid(rng *rand.Rand) string {
	var b [36]byte
	bits := rng.Uint64()
	for i := range b {
		if i == 16 {
			bits = rng.Uint64()
		}
		b[i] = hexDigits[bits&15]
		bits = bits>>4 | bits<<60
	}
	b[8], b[13], b[14], b[18], b[23] = '-', '-', '4', '-', '-'
	b[19] = hexDigits[8+bits&3]
	return string(b[:])
}

// word makes n characters out of digits.
func word(rng *rand.Rand, digits string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = digits[rng.IntN(len(digits))]
	}
	return string(b)
}

// of picks one of the things of a kind that live here, the same for a whole
// record.
func (m *maker) of(kind string) string {
	one, ok := m.chosen[kind]
	if !ok {
		one = pick(m.rng, m.at.pools[kind])
		m.chosen[kind] = one
	}
	return one
}
