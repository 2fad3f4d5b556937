// Package trails makes trail files that look like delivered ones: CloudTrail
// and ActionTrail records in the mix, size and entropy of real accounts, under
// true object names. The same [Options] make the same bytes.
//
// [Options.Objects] yields the objects one by one and says which record ids
// are in them; [Options.Write] puts them into a folder and returns what a
// program that reads the folder must find. [Story] is the small sample the
// demo runs on. cmd/trailgen is the command.
//
// All names, numbers and addresses are invented or reserved for documentation.
package trails

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/klauspost/compress/gzip"
)

// The providers a record can come from, as rules name them.
const (
	AWS     = "aws"
	Alibaba = "alibaba"
)

// Options say what to make. The zero value makes nothing: set Files or Bytes.
type Options struct {
	Seed    uint64
	Files   int   // how many objects; 0 means until Bytes
	Bytes   int64 // stop after the object that reaches so many inflated bytes; 0 means until Files
	Records int   // records in every object; 0 is 1000

	Start time.Time     // of the first object; zero is 2026-03-02T00:00:00Z
	Span  time.Duration // from the first object to the last; 0 is 24 h

	Alibaba    float64 // share of objects that are ActionTrail's
	Duplicates float64 // share of records that are copies out of an earlier object
	// Matching is the share of records that schedule a KMS key for deletion.
	// No other record does, so that a rule on it has a known answer.
	Matching float64

	NDJSON bool // plain files of one record a line instead of gzip
	Gzip   bool // with NDJSON: compressed all the same
}

// Object is one delivered file.
type Object struct {
	Path     string // with slashes, relative to the bucket
	Body     []byte // as delivered
	Inflated int64  // bytes of Body before compression
	Records  []Record
}

// Record tells what a record of an object is. Copy is set when an earlier
// object holds the same bytes.
type Record struct {
	Provider, Account, ID string
	Matching, Copy        bool
}

// Result is what was made, and so what must be found.
type Result struct {
	Files    int   `json:"files"`
	Records  int   `json:"records"`
	Distinct int   `json:"distinct"` // record ids
	Matching int   `json:"matching"` // record ids that match, see Options
	Bytes    int64 `json:"bytes"`    // inflated
	Stored   int64 `json:"stored"`   // as delivered

	// The ids behind the two counts, each once, in the order they were made.
	IDs         []string `json:"-"`
	MatchingIDs []string `json:"-"`
}

// Write makes the objects below dir, which is created when missing. Files that
// exist are replaced; others are left alone.
func (o Options) Write(dir string) (Result, error) { return Write(dir, o.Objects()) }

// Write stores objects below dir, see [Options.Write].
func Write(dir string, objects iter.Seq[Object]) (Result, error) {
	var made Result
	for object := range objects {
		path := filepath.Join(dir, filepath.FromSlash(object.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return made, fmt.Errorf("making a folder for trails: %w", err)
		}
		if err := os.WriteFile(path, object.Body, 0o666); err != nil {
			return made, fmt.Errorf("writing a trail file: %w", err)
		}
		made.add(object)
	}
	return made, nil
}

func (r *Result) add(o Object) {
	r.Files++
	r.Records += len(o.Records)
	r.Bytes += o.Inflated
	r.Stored += int64(len(o.Body))
	for _, record := range o.Records {
		if record.Copy {
			continue
		}
		r.Distinct++
		r.IDs = append(r.IDs, record.ID)
		if record.Matching {
			r.Matching++
			r.MatchingIDs = append(r.MatchingIDs, record.ID)
		}
	}
}

// Objects yields the objects in the order of their delivery. The Body and the
// Records of one are the receiver's to keep.
func (o Options) Objects() iter.Seq[Object] {
	return func(yield func(Object) bool) {
		g := newGenerator(o)
		for n, bytes := 0, int64(0); g.more(n, bytes); n++ {
			object := g.object(n)
			bytes += object.Inflated
			if !yield(object) {
				return
			}
		}
	}
}

// kept is how many records of a place wait to be delivered again.
const kept = 64

// insightEvery is how many objects there are for each one of insights.
const insightEvery = 40

// generator makes the objects of one Objects call.
type generator struct {
	Options
	rng    *rand.Rand
	places map[string][]*place // provider → where its objects come from
	past   map[*place][]copied // records of earlier objects
	zip    *gzip.Writer
}

type copied struct {
	Record
	json []byte
}

// span is where a record stands in its object.
type span struct{ start, end int }

func newGenerator(o Options) *generator {
	if o.Records <= 0 {
		o.Records = 1000
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	}
	if o.Span <= 0 {
		o.Span = 24 * time.Hour
	}
	g := &generator{Options: o, rng: rand.New(rand.NewPCG(o.Seed, 0x7261696c)), past: map[*place][]copied{}}
	g.places = map[string][]*place{AWS: awsPlaces(g.rng), Alibaba: alibabaPlaces(g.rng)}
	g.zip = gzip.NewWriter(io.Discard)
	return g
}

func (g *generator) more(n int, bytes int64) bool {
	if g.Files > 0 && n >= g.Files || g.Bytes > 0 && bytes >= g.Bytes {
		return false
	}
	return g.Files > 0 || g.Bytes > 0
}

// total is how many objects there will be, estimated when only Bytes is given.
func (g *generator) total() int {
	if g.Files > 0 {
		return g.Files
	}
	return int(g.Bytes/int64(g.Records*1500)) + 1
}

// object makes object n.
func (g *generator) object(n int) Object {
	provider := AWS
	if g.rng.Float64() < g.Alibaba {
		provider = Alibaba
	}
	at := pick(g.rng, g.places[provider])
	m := &maker{
		rng:     g.rng,
		at:      at,
		from:    g.Start.Add(g.Span / time.Duration(g.total()) * time.Duration(n)),
		insight: n%insightEvery == insightEvery-1,
		out:     make([]byte, 0, g.Records*1700),
		chosen:  map[string]string{},
	}

	o := Object{Records: make([]Record, 0, g.Records)}
	m.open(g.NDJSON)
	spans := make([]span, 0, g.Records)
	for i := range g.Records {
		if i > 0 {
			m.separate(g.NDJSON)
		}
		start := len(m.out)
		o.Records = append(o.Records, g.record(m))
		spans = append(spans, span{start, len(m.out)})
	}
	m.close(g.NDJSON)

	g.remember(at, o.Records, spans, m.out)
	o.Inflated = int64(len(m.out))
	o.Body = m.out
	if !g.NDJSON || g.Gzip {
		o.Body = g.compress(m.out)
	}
	o.Path = m.path(o.Body, g.Records, g.NDJSON)
	if g.NDJSON && g.Gzip {
		o.Path += ".gz"
	}
	return o
}

// record appends one record to the object under way.
func (g *generator) record(m *maker) Record {
	if g.Duplicates > 0 && g.rng.Float64() < g.Duplicates {
		if c, ok := g.earlier(m.at); ok {
			m.out = append(m.out, c.json...)
			return c.Record
		}
	}
	matching := !m.insight && g.Matching > 0 && g.rng.Float64() < g.Matching
	return Record{Provider: m.at.provider, Account: m.at.account, ID: m.record(matching), Matching: matching}
}

// earlier takes a record out of those that were delivered before, of the same
// place when there is one, or else of the same provider.
func (g *generator) earlier(at *place) (copied, bool) {
	if past := g.past[at]; len(past) > 0 {
		return pick(g.rng, past), true
	}
	for _, other := range g.places[at.provider] {
		if past := g.past[other]; len(past) > 0 {
			return pick(g.rng, past), true
		}
	}
	return copied{}, false
}

// remember keeps some records of an object to be delivered again later.
func (g *generator) remember(at *place, records []Record, spans []span, out []byte) {
	if g.Duplicates <= 0 {
		return
	}
	past := make([]copied, 0, kept)
	for range min(kept, len(records)) {
		i := g.rng.IntN(len(records))
		c := copied{Record: records[i], json: slices.Clone(out[spans[i].start:spans[i].end])}
		c.Copy = true
		past = append(past, c)
	}
	g.past[at] = past
}

func (g *generator) compress(body []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(body) / 5)
	g.zip.Reset(&out)
	g.zip.Write(body) // a bytes.Buffer takes everything
	g.zip.Close()
	return out.Bytes()
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }
