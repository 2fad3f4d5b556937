package ingest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/trailship/trailship/core/decode"
	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/inflate"
	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/source/dir"
	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/core/store/bolt"
	"github.com/trailship/trailship/examples/trails"
	"github.com/trailship/trailship/rules"
)

// BenchmarkStage is each step of the whole path by itself, on the same trails.
// One operation is the whole corpus; MB/s counts its inflated bytes.
func BenchmarkStage(b *testing.B) {
	for _, corpus := range corpora {
		w := newWork(b, corpus.Options)
		for _, stage := range stages {
			b.Run(fmt.Sprintf("objects=%s/%s", corpus.name, stage.name), func(b *testing.B) {
				pass := stage.of(b, w)
				m := meter{B: b}
				for b.Loop() {
					m.start()
					err := pass()
					m.stop()
					b.StartTimer()
					if err != nil {
						b.Fatal(err)
					}
				}
				m.report(w.made)
			})
		}
	}
}

// stages prepare one pass over the corpus each.
var stages = []struct {
	name string
	of   func(*testing.B, *work) func() error
}{
	{"list", list},
	{"inflate", func(_ *testing.B, w *work) func() error { return w.inflate }},
	{"inflate+split", func(_ *testing.B, w *work) func() error { return reading(w.stored) }},
	{"split", func(_ *testing.B, w *work) func() error { return reading(w.plain) }},
	{"split+begin", beginning},
	{"normalize", func(_ *testing.B, w *work) func() error { return w.normalize }},
	{"match/rules=1", matchNone(1)},
	{"match/rules=10", matchNone(10)},
	{"match/rules=100", matchNone(100)},
	{"match/pack=kms", matchPack},
	{"encode-event", func(_ *testing.B, w *work) func() error { return w.encodeEvents }},
	{"encode-alert", encodeAlerts},
	{"commit/alerts=1000", committing},
}

// work is a corpus in every form a stage starts from.
type work struct {
	dir           string
	made          trails.Result
	stored, plain [][]byte // objects, as delivered and inflated
	records       []decode.Record
	events        []event.Event
	names         []string // by object
}

func newWork(b *testing.B, o trails.Options) *work {
	w := &work{dir: b.TempDir()}
	made, err := trails.Write(w.dir, func(yield func(trails.Object) bool) {
		for object := range o.Objects() {
			w.stored, w.names = append(w.stored, object.Body), append(w.names, object.Path)
			if !yield(object) {
				return
			}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	w.made = made
	for _, body := range w.stored {
		plain, err := gunzip(body)
		if err != nil {
			b.Fatal(err)
		}
		w.plain = append(w.plain, plain)
	}
	err = read(w.plain, func(rec decode.Record) error {
		rec.Raw = bytes.Clone(rec.Raw)
		var ev event.Event
		w.records = append(w.records, rec)
		err := decode.Normalize(&ev, rec)
		w.events = append(w.events, ev)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return w
}

func gunzip(body []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// list is a scan that finds every object new.
func list(b *testing.B, w *work) func() error {
	s := newStore(b)
	from := &dir.Source{Name: "trails", Path: w.dir}
	b.Cleanup(func() { from.Close() })
	return func() error {
		found := 0
		err := from.Scan(b.Context(), s.Ledger("trails"), func(source.Object) error { found++; return nil })
		if err == nil && found != w.made.Files {
			err = fmt.Errorf("listed %d of %d objects", found, w.made.Files)
		}
		return err
	}
}

// inflate is the library alone, as the decoder uses it: one reader for all.
func (w *work) inflate() error {
	var r inflate.Reader
	buf := make([]byte, 256<<10)
	for _, body := range w.stored {
		r.Reset(bytes.NewReader(body), 1<<40)
		for at := 0; ; {
			n, err := r.Inflate(buf, at)
			if err == io.EOF {
				break
			} else if err != nil {
				return err
			}
			if at += n; len(buf)-at < inflate.Room {
				at = copy(buf, buf[at-inflate.Window:at])
			}
		}
	}
	return nil
}

func reading(objects [][]byte) func() error {
	return func() error { return read(objects, func(decode.Record) error { return nil }) }
}

// beginning makes of every record what an event is begun with.
func beginning(_ *testing.B, w *work) func() error {
	var ev event.Event
	return func() error {
		return read(w.plain, func(rec decode.Record) error { return decode.Begin(&ev, rec) })
	}
}

// read hands every record of the objects to each.
func read(objects [][]byte, each func(decode.Record) error) error {
	r := decode.NewReader(nil, decode.Limits{})
	for _, body := range objects {
		r.Reset(bytes.NewReader(body))
		for {
			rec, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err == nil {
				err = each(rec)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *work) normalize() error {
	var ev event.Event
	for _, rec := range w.records {
		if err := decode.Normalize(&ev, rec); err != nil {
			return err
		}
	}
	return nil
}

// matchNone is n rules of which none matches.
func matchNone(n int) func(*testing.B, *work) func() error {
	return func(b *testing.B, w *work) func() error {
		return w.match(loadRules(b, ruleText(n, shares[0].condition)))
	}
}

// matchPack is the shipped pack, of which some rules match.
func matchPack(b *testing.B, w *work) func() error {
	pack, ok := rules.Pack("kms")
	if !ok {
		b.Fatal("no such pack")
	}
	set, list := rule.Load([]rule.Root{{FS: pack, Path: "kms"}}, rule.Options{})
	if set == nil {
		b.Fatal(list)
	}
	return w.match(set)
}

// match matches fresh copies of the events, so that open parts a rule reads
// are parsed in every pass.
func (w *work) match(set *rule.Set) func() error {
	matcher := set.NewMatcher()
	var ev event.Event
	return func() error {
		for i := range w.events {
			ev = w.events[i]
			matcher.Match(&ev)
		}
		return nil
	}
}

func (w *work) encodeEvents() error {
	var out []byte
	for i := range w.events {
		out = w.events[i].AppendOCSF(out[:0])
	}
	return nil
}

// encodeAlerts matches every event with one rule, which is little, and encodes
// the alert.
func encodeAlerts(b *testing.B, w *work) func() error {
	matcher := loadRules(b, ruleText(1, shares[2].condition)).NewMatcher()
	var out []byte
	return func() error {
		for i := range w.events {
			f := finding(matcher.Match(&w.events[i])[0], w)
			out = f.Append(out[:0], &w.events[i])
		}
		return nil
	}
}

func finding(m rule.Match, w *work) event.Finding {
	f := m.Finding()
	f.Source, f.Object, f.Created = "trails", w.names[0], time.Unix(1_772_409_600, 0)
	return f
}

// committing stores one alert a record, a thousand to the transaction, syncs
// included. Every pass files the same ids under another hour, where they are
// new.
func committing(b *testing.B, w *work) func() error {
	matcher := loadRules(b, ruleText(1, shares[2].condition)).NewMatcher()
	var alerts []store.Alert
	for i := range w.events {
		ev := &w.events[i]
		m := matcher.Match(ev)[0]
		f := finding(m, w)
		alerts = append(alerts, store.Alert{
			ID: m.ID, Hour: m.Hour, RuleID: m.Rule.ID, Severity: m.Rule.Severity, Time: ev.Time,
			JSON: f.Append(nil, ev), Outputs: []string{"out"},
		})
	}
	s := newStore(b)
	return func() error {
		for batch := range slices.Chunk(alerts, 1000) {
			err := s.Commit(b.Context(), func(tx store.Tx) error {
				for i := range batch {
					batch[i].Hour++
					if fresh, err := tx.Raise(batch[i]); err != nil || !fresh {
						return fmt.Errorf("alert %s: fresh is %t: %w", batch[i].ID, fresh, err)
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
}

func newStore(b *testing.B) *bolt.Store {
	s, err := bolt.Open(filepath.Join(b.TempDir(), "store.db"), bolt.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}
