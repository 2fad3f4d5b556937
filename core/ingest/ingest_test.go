package ingest_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/decode"
	"github.com/trailship/trailship/core/ingest"
	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/core/store/bolt"
)

const catchAll = `
rules:
  - id: everything
    title: A record was read
    severity: info
    condition: provider in ["aws", "alibaba"]
`

func TestEveryRecordOfEveryObjectIsEvaluatedAndAlertsAreCommittedOnce(t *testing.T) {
	w := newWorld(t, catchAll)
	w.src.put("a.json.gz", gz(records("e1", "e2", "e3")))
	w.src.put("b.json", records("e3", "e4")) // e3 was delivered twice

	got := w.run()
	want := ingest.Summary{Objects: 2, Records: 5, Alerts: 4, Repeated: 1}
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("first run (-want +got):\n%s", d)
	}
	if got, want := w.queued(), []string{"e1", "e2", "e3", "e4"}; !slices.Equal(got, want) {
		t.Errorf("queued events %v, want %v", got, want)
	}

	if got := w.run(); got != (ingest.Summary{}) {
		t.Errorf("a second run over the same objects did %+v, want nothing", got)
	}
}

func TestDamageCostsNothingElse(t *testing.T) {
	whole := gz(records("e1", "e2", "e3"))
	tests := []struct {
		name   string
		object []byte
		limits decode.Limits
		events []string // evaluated all the same
		reason string
		record int64
	}{
		{name: "truncated gzip", object: gz(bigRecords(200))[:2000], reason: "truncated", record: -1, events: nil},
		{name: "corrupt gzip", object: flip(gz(bigRecords(200)), 1500), reason: "corrupt", record: -1},
		{name: "json broken in the middle", object: []byte(`{"Records":[` + record("e1") + `,` + record("e2") + `,{"eventID":` + `]}`), reason: "json", record: -1, events: []string{"e1", "e2"}},
		{name: "a broken line between good ones", object: []byte(record("e1") + "\n{\"eventID\": nope\n" + record("e2") + "\n"), reason: "json", record: 1, events: []string{"e1", "e2"}},
		{name: "more than max_object", object: whole, limits: decode.Limits{MaxObject: 600}, reason: "max_object", record: -1},
		{name: "a record over max_record", object: []byte(`{"Records":[` + record("e1") + `,` + record(strings.Repeat("x", 5000)) + `,` + record("e2") + `]}`), limits: decode.Limits{MaxRecord: 2000}, reason: "too_large", record: 1, events: []string{"e1", "e2"}},
		{name: "a record with a broken time", object: []byte(`[` + record("e1") + `,` + strings.Replace(record("e2"), "2026-08-01T09", "yesterday", 1) + `]`), reason: "time", record: 1, events: []string{"e1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, catchAll)
			w.limits = tt.limits
			w.src.put("bad", tt.object)
			if tt.limits.MaxObject == 0 {
				w.src.put("good.json", records("g1"))
			}
			w.run()

			events := w.queued()
			for _, id := range tt.events {
				if !slices.Contains(events, id) {
					t.Errorf("event %s of the damaged object was not evaluated; have %v", id, events)
				}
			}
			if tt.limits.MaxObject == 0 && !slices.Contains(events, "g1") {
				t.Errorf("the good object was not evaluated; have %v", events)
			}
			dead := w.dead()
			if len(dead) != 1 || dead[0].Reason != tt.reason || dead[0].Record != tt.record || dead[0].Object != "bad" || dead[0].Source != "mem" {
				t.Errorf("dead letters %+v, want one with reason %s, record %d", dead, tt.reason, tt.record)
			}
			if got := w.run(); got != (ingest.Summary{}) {
				t.Errorf("a second run did %+v, want nothing: the damage is known", got)
			}
		})
	}
}

func TestARecordWithoutAnEventIDIsAnEventAllTheSame(t *testing.T) {
	w := newWorld(t, catchAll)
	w.src.put("a.json", []byte(`[`+strings.Replace(record("e1"), `"eventID":"e1",`, "", 1)+`]`))
	w.run()
	if got := w.queued(); len(got) != 1 || !strings.HasPrefix(got[0], "sha256:") {
		t.Errorf("queued events %v, want one with a sha256: id", got)
	}
}

func TestForeignJSONIsCountedAndNeitherAlertedNorBuried(t *testing.T) {
	w := newWorld(t, catchAll)
	w.src.put("n.json", []byte(`{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"ObjectCreated:Put","awsRegion":"eu-west-1","eventTime":"2026-08-01T09:00:00Z","s3":{"bucket":{"name":"b"}}}]}`))
	got := w.run()
	if want := (ingest.Summary{Objects: 1, Rejected: 1}); got != want {
		t.Errorf("summary %+v, want %+v", got, want)
	}
	if dead := w.dead(); len(dead) != 0 {
		t.Errorf("dead letters %+v, want none", dead)
	}
}

func TestOneObjectFullOfDamageDoesNotFillTheDeadLetters(t *testing.T) {
	w := newWorld(t, catchAll)
	var b bytes.Buffer
	for i := range 500 {
		fmt.Fprintf(&b, "{\"eventID\": \"%d\", nope}\n", i)
	}
	w.src.put("bad.ndjson", b.Bytes())
	got := w.run()
	dead := w.dead()
	if got.Rejected != 500 || len(dead) != 101 {
		t.Errorf("%d rejected, %d buried; want all 500 counted and 101 buried", got.Rejected, len(dead))
	}
	if d := dead[len(dead)-1].Detail; !strings.Contains(d, "only counted") {
		t.Errorf("the last dead letter says %q, want it to say that the rest is only counted", d)
	}
}

func TestAnObjectThatCannotBeOpenedIsTriedAgainAndStopsNothing(t *testing.T) {
	w := newWorld(t, catchAll)
	w.src.put("a.json", records("e1"))
	w.src.put("locked.json", records("e2"))
	w.src.fail("locked.json", errors.New("permission denied"))

	if got := w.run(); got.Failed != 1 || got.Alerts != 1 {
		t.Errorf("summary %+v, want one failure and one alert", got)
	}
	if dead := w.dead(); len(dead) != 0 {
		t.Errorf("dead letters %+v, want none: it may be mended", dead)
	}
	w.src.fail("locked.json", nil)
	if got := w.run(); got.Alerts != 1 {
		t.Errorf("summary %+v, want the mended object's alert", got)
	}
}

func TestAnObjectThatWentAwayIsNoFailure(t *testing.T) {
	w := newWorld(t, catchAll)
	w.src.put("gone.json", records("e1"))
	w.src.fail("gone.json", &fs.PathError{Op: "open", Path: "gone.json", Err: fs.ErrNotExist})
	if got := w.run(); got != (ingest.Summary{}) {
		t.Errorf("summary %+v, want nothing", got)
	}
}

func TestOnlyWhatWasReadWithoutDamageIsPutAway(t *testing.T) {
	w := newWorld(t, catchAll)
	w.src.put("good.json", records("e1"))
	w.src.put("bad.gz", gz(bigRecords(200))[:2000])
	w.src.put("line.ndjson", append(lines("e2"), "{broken}\n"...))
	w.run()
	if got, want := w.src.finished, []string{"good.json"}; !slices.Equal(got, want) {
		t.Errorf("put away %v, want %v: dead letters point into the others", got, want)
	}
}

func TestAReadThatFailsHalfwayGoesOnAtTheSameRecord(t *testing.T) {
	w := newWorld(t, catchAll)
	w.src.put("a.ndjson", lines("e1", "e2", "e3", "e4"))
	w.src.cut("a.ndjson", 2*len(lines("e1"))+10, errors.New("connection reset"))
	if got := w.run(); got.Failed != 1 || got.Records != 2 {
		t.Errorf("first run %+v, want two records and a failure", got)
	}
	w.src.cut("a.ndjson", 0, nil)
	if got, want := w.run(), (ingest.Summary{Objects: 1, Records: 2, Alerts: 2}); got != want {
		t.Errorf("second run %+v, want %+v: records committed before are not read twice", got, want)
	}
}

func TestAnObjectThatMayStillGrowIsNotBuriedByTheDaemon(t *testing.T) {
	w := newWorld(t, catchAll)
	whole := gz(lines("e1", "e2"))
	w.src.put("a.gz", whole[:len(whole)-9])
	w.src.growing = true
	w.daemon(func() bool { return w.src.scans() > 3 })
	if dead := w.dead(); len(dead) != 0 {
		t.Fatalf("dead letters %+v, want none while it may grow", dead)
	}
	w.src.put("a.gz", whole)
	w.run()
	if got, want := w.queued(), []string{"e1", "e2"}; !slices.Equal(got, want) {
		t.Errorf("queued events %v, want %v", got, want)
	}
}

func TestRecordsOfAGrowingFileAreNumberedFromItsStart(t *testing.T) {
	w := newWorld(t, catchAll)
	w.src.runs = true
	first := append(lines("e1"), "{broken}\n"...)
	w.src.put("a.ndjson", first)
	w.run()
	w.src.put("a.ndjson", slices.Concat(first, lines("e2"), []byte("{also}\n")))
	w.run()
	q := w.waiting("out")
	if len(q) != 2 || !bytes.Contains(q[1].JSON, []byte(`"record":2,`)) {
		t.Errorf("%d alerts, want the second to name record 2", len(q))
	}
	dead := w.dead()
	if len(dead) != 2 || dead[0].Record != 1 || dead[1].Record != 3 || dead[1].Offset != int64(len(first)+len(lines("e2"))) {
		t.Errorf("dead letters %+v, want records 1 and 3 at their places in the file", dead)
	}
}

func TestAFullStorePausesReadingAndLosesNothing(t *testing.T) {
	w := newWorld(t, catchAll)
	w.src.put("a.json", records("e1", "e2"))
	full := &fullStore{Store: w.store, failures: 1}
	w.inlet = full
	w.daemon(func() bool { return len(w.queued()) == 2 })
	if full.failures != 0 {
		t.Errorf("%d failures left, want the commit to have been tried again", full.failures)
	}
}

func TestAStoreThatFailsForGoodEndsTheLoopWithItsError(t *testing.T) {
	w := newWorld(t, catchAll)
	w.src.put("a.json", records("e1"))
	broken := errors.New("disk on fire")
	w.inlet = brokenStore{Store: w.store, err: broken}
	if _, err := w.ingest(true).Run(t.Context()); !errors.Is(err, broken) {
		t.Errorf("Run returned %v, want the store's error", err)
	}
}

func TestChangedRulesJudgeTheRecordsThatFollow(t *testing.T) {
	w := newWorld(t, catchAll)
	w.src.put("a.json", records("e1"))
	w.run()
	w.rules = load(t, strings.ReplaceAll(catchAll, "everything", "everything-else"))
	w.src.put("b.json", records("e2"))
	w.run()
	if got, want := w.queuedRules(), []string{"everything", "everything-else"}; !slices.Equal(got, want) {
		t.Errorf("rules of the alerts: %v, want %v", got, want)
	}
}

func TestShadowRulesCountAndAlertNobody(t *testing.T) {
	w := newWorld(t, catchAll+"    shadow: true\n")
	w.src.put("a.json", records("e1"))
	if got, want := w.run(), (ingest.Summary{Objects: 1, Records: 1}); got != want {
		t.Errorf("summary %+v, want %+v", got, want)
	}
}

func TestOldEventsAreMarkedAsBackfillAndGoOnlyWhereBackfillIsWanted(t *testing.T) {
	w := newWorld(t, catchAll)
	w.maxAge = time.Hour
	w.outputs = []ingest.Output{{Name: "out"}, {Name: "archive", Backfill: true}}
	w.src.put("a.json", records("e1"))
	w.run()
	if got := w.queued(); len(got) != 0 {
		t.Errorf("the pager has %v, want nothing: the event is a day old", got)
	}
	q := w.waiting("archive")
	if len(q) != 1 || !bytes.Contains(q[0].JSON, []byte(`"backfill":true`)) {
		t.Errorf("the archive has %d alerts, want one marked as backfill", len(q))
	}
}

func TestOnceEndsThoughMoreKeepsComing(t *testing.T) {
	w := newWorld(t, catchAll)
	w.src.put("a.json", records("e1"))
	w.src.scanning = func(n int) { w.src.objects[fmt.Sprintf("late-%d.json", n)] = records(fmt.Sprint("late", n)) }
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	got, err := w.ingest(true).Run(ctx)
	if want := (ingest.Summary{Objects: 2, Records: 2, Alerts: 2}); err != nil || got != want {
		t.Errorf("Run did %+v (%v), want %+v", got, err, want)
	}
	if ctx.Err() != nil {
		t.Error("Run did not end by itself")
	}
}

func TestOnceReadsAnObjectThatIsHandedOutInPartsToItsEnd(t *testing.T) {
	w := newWorld(t, catchAll)
	for n := range 5 {
		w.src.put(fmt.Sprintf("part-%d.json", n), records(fmt.Sprint("e", n)))
	}
	w.src.parts = true
	if got, want := w.run(), (ingest.Summary{Objects: 5, Records: 5, Alerts: 5}); got != want {
		t.Errorf("summary %+v, want %+v", got, want)
	}
}

func TestAFullStoreDoesNotHoldUpTheEnd(t *testing.T) {
	w := newWorld(t, catchAll)
	w.src.put("a.json", records("e1"))
	ctx, cancel := context.WithCancel(t.Context())
	w.inlet = refusing{w.store, func() error { cancel(); return store.ErrFull }}
	if _, err := w.ingest(false).Run(ctx); err != nil {
		t.Errorf("Run returned %v, want nil: it was told to end, and what was read is read again", err)
	}
}

func TestReadersWaitWhenTheCommitterDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, catchAll)
		w.outputs = []ingest.Output{{Name: "out", Raw: true}}
		const objects, size = 100, 1 << 20
		for n := range objects {
			w.src.put(fmt.Sprintf("%03d.json", n), records(fmt.Sprint(n, strings.Repeat("x", size))))
		}
		ctx, cancel := context.WithCancel(t.Context())
		in := w.ingest(false)
		in.Gate = func(ctx context.Context, _ []string) error { <-ctx.Done(); return ctx.Err() }
		done := make(chan error)
		go func() { _, err := in.Run(ctx); done <- err }()
		synctest.Wait()
		if opened := w.src.opened.Load(); opened > objects/2 {
			t.Errorf("%d objects of more than a mebibyte were read while nothing could be committed", opened)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestSkippingWhatWasCommittedEndsWithTheContext(t *testing.T) {
	w := newWorld(t, catchAll)
	var ids []string
	for n := range 2000 {
		ids = append(ids, fmt.Sprint("e", n))
	}
	data := records(ids...)
	w.src.put("a.json", data)
	entry := source.Entry{Version: fmt.Sprint(len(data)), Records: 1900}
	if err := w.store.Commit(t.Context(), func(tx store.Tx) error { return tx.PutEntry("mem", "a.json", entry) }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	read := &counting{r: bytes.NewReader(data), each: cancel}
	w.src.open = func(string) io.Reader { return read }
	if _, err := w.ingest(false).Run(ctx); err != nil {
		t.Fatal(err)
	}
	if read.n == len(data) {
		t.Error("the whole object was read after the end was asked for")
	}
	if got, _, err := w.store.Ledger("mem").Entry("a.json"); err != nil || got.Records != entry.Records {
		t.Errorf("the entry is %+v (%v), want the position it had", got, err)
	}
}

func TestASourceIsClosedAtTheEnd(t *testing.T) {
	w := newWorld(t, catchAll)
	w.run()
	if !w.src.closed {
		t.Error("the source was not closed")
	}
}

func TestDamageIsRememberedWithThePosition(t *testing.T) {
	w := newWorld(t, catchAll)
	w.src.put("good.json", records("e1"))
	w.src.put("line.json", append(lines("e2"), "{broken}\n"...))
	w.run()
	for name, want := range map[string]bool{"good.json": false, "line.json": true} {
		if e, _, err := w.store.Ledger("mem").Entry(name); err != nil || e.Buried != want || !e.Done {
			t.Errorf("entry of %s is %+v (%v), want Buried %v", name, e, err, want)
		}
	}
}

// world is a loop with everything around it: a source in memory, a real
// store, one output called out.
type world struct {
	t       *testing.T
	src     *memory
	store   *bolt.Store
	inlet   store.Inlet
	rules   *rule.Set
	limits  decode.Limits
	maxAge  time.Duration
	outputs []ingest.Output
}

func newWorld(t *testing.T, rules string) *world {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "store.db"), bolt.Options{Retention: 35 * 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &world{
		t: t, src: &memory{wake: make(chan struct{}, 1)}, store: s, inlet: s, rules: load(t, rules),
		outputs: []ingest.Output{{Name: "out"}},
	}
}

func load(t *testing.T, text string) *rule.Set {
	t.Helper()
	set, diags := rule.Load([]rule.Root{{FS: fstest.MapFS{"r.yaml": {Data: []byte(text)}}, Path: "rules"}}, rule.Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return set
}

func (w *world) ingest(once bool) *ingest.Ingest {
	return &ingest.Ingest{
		Sources: []ingest.Source{{Name: "mem", Source: w.src, MaxAge: w.maxAge}},
		Store:   w.inlet, Rules: func() *rule.Set { return w.rules },
		Routes: ingest.Routes{Outputs: w.outputs}, Limits: w.limits, Workers: 2, Once: once,
		Now: func() time.Time { return time.Date(2026, 8, 2, 9, 0, 0, 0, time.UTC) },
	}
}

func (w *world) run() ingest.Summary {
	w.t.Helper()
	sum, err := w.ingest(true).Run(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return sum
}

// daemon runs the loop until the condition holds.
func (w *world) daemon(until func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	w.src.each = func() {
		if until() {
			cancel()
		}
	}
	if _, err := w.ingest(false).Run(ctx); err != nil {
		w.t.Fatal(err)
	}
	if !until() {
		w.t.Fatal("what the test waited for never came")
	}
	w.src.each = nil
}

// queued returns the ids of the events whose alerts wait for the output.
func (w *world) queued() []string { return w.fromQueue(relatedEvent) }

func (w *world) queuedRules() []string {
	return w.fromQueue(func(a store.Queued) string { return a.RuleID })
}

// waiting is what an output has queued, unpacked.
func (w *world) waiting(output string) []store.Queued {
	w.t.Helper()
	q, _, err := w.store.Next(output, 0, 1000, 1<<30)
	if err == nil {
		err = store.Unpack(q)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return q
}

func (w *world) fromQueue(what func(store.Queued) string) []string {
	w.t.Helper()
	var ids []string
	for _, a := range w.waiting("out") {
		ids = append(ids, what(a))
	}
	slices.Sort(ids)
	return ids
}

func relatedEvent(a store.Queued) string {
	var f struct {
		Info struct {
			Related []struct{ UID string } `json:"related_events"`
		} `json:"finding_info"`
	}
	if err := json.Unmarshal(a.JSON, &f); err != nil {
		return err.Error()
	}
	return f.Info.Related[0].UID
}

func (w *world) dead() []store.DeadLetter {
	w.t.Helper()
	dead, err := w.store.DeadLetters()
	if err != nil {
		w.t.Fatal(err)
	}
	slices.SortStableFunc(dead, func(a, b store.DeadLetter) int { return cmp.Compare(a.Record, b.Record) })
	return dead
}

// memory is a source whose objects are in memory.
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
	fails   map[string]error
	cuts    map[string]cutOff
	growing bool
	nowhere bool // there is no version of anything
	runs    bool // hand out what follows the entry's offset
	scanned int
	wake    chan struct{}
	each    func()
	poll    time.Duration // between two listings

	finished []string

	scanning func(n int) // before each listing
	parts    bool        // one object a scan, with More on all but the last
	open     func(name string) io.Reader
	opened   atomic.Int64
	closed   bool
}

func (m *memory) Close() error {
	m.closed = true
	return nil
}

// counting counts what is read, a small piece at a time.
type counting struct {
	r    io.Reader
	each func()
	n    int
}

func (c *counting) Read(p []byte) (int, error) {
	c.each()
	n, err := c.r.Read(p[:min(len(p), 4096)])
	c.n += n
	return n, err
}

type cutOff struct {
	at  int
	err error
}

func (m *memory) put(name string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.objects == nil {
		m.objects, m.fails, m.cuts = map[string][]byte{}, map[string]error{}, map[string]cutOff{}
	}
	m.objects[name] = data
}

func (m *memory) fail(name string, err error)        { m.fails[name] = err }
func (m *memory) cut(name string, at int, err error) { m.cuts[name] = cutOff{at, err} }
func (m *memory) scans() int                         { m.mu.Lock(); defer m.mu.Unlock(); return m.scanned }

func (m *memory) Scan(ctx context.Context, ledger source.Ledger, yield func(source.Object) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.scanned++
	if m.scanning != nil {
		m.scanning(m.scanned)
	}
	todo := 0
	for name, data := range m.objects {
		if e, _, err := ledger.Entry(name); err != nil || !e.Done || e.Version != fmt.Sprint(len(data)) {
			todo++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.objects)) {
		data := m.objects[name]
		version := fmt.Sprint(len(data))
		e, _, err := ledger.Entry(name)
		if err != nil {
			return err
		}
		done := source.Entry{Version: version, Done: true}
		if m.runs {
			data, done = data[e.Offset:], source.Entry{Version: version, Offset: int64(len(data))}
		} else if e.Version != version {
			e = source.Entry{}
		}
		if e.Done || len(data) == 0 {
			continue
		}
		if m.nowhere {
			done = source.Entry{}
		}
		fail, cut := m.fails[name], m.cuts[name]
		o := source.Object{
			Key: name, Name: name, Size: int64(len(data)), Entry: e, Growing: m.growing,
			Done: done,
			More: m.parts && todo > 1,
			Open: func(context.Context) (io.ReadCloser, error) {
				m.opened.Add(1)
				if m.open != nil {
					return io.NopCloser(m.open(name)), nil
				}
				if fail != nil {
					return nil, fail
				}
				if cut.err != nil {
					return io.NopCloser(io.MultiReader(bytes.NewReader(data[:cut.at]), failing{cut.err})), nil
				}
				return io.NopCloser(bytes.NewReader(data)), nil
			},
		}
		if err := yield(o); err != nil || m.parts {
			return err
		}
	}
	return nil
}

// Wait lets the test look and then waits for the next listing.
func (m *memory) Wait(ctx context.Context) error {
	if m.each != nil {
		m.each()
	}
	if m.poll > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(m.poll):
		}
	}
	return ctx.Err()
}

func (m *memory) Finish(_ context.Context, o source.Object) error {
	m.finished = append(m.finished, o.Name)
	return nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// fullStore refuses the first commits for lack of space.
type fullStore struct {
	*bolt.Store
	failures int
}

func (f *fullStore) Commit(ctx context.Context, fn func(store.Tx) error) error {
	if f.failures > 0 {
		f.failures--
		return fmt.Errorf("writing: %w", store.ErrFull)
	}
	return f.Store.Commit(ctx, fn)
}

// refusing answers each commit with an error of its own making.
type refusing struct {
	*bolt.Store
	answer func() error
}

func (r refusing) Commit(context.Context, func(store.Tx) error) error { return r.answer() }

type brokenStore struct {
	*bolt.Store
	err error
}

func (b brokenStore) Commit(context.Context, func(store.Tx) error) error { return b.err }

// record is a CloudTrail record of our own making.
func record(id string) string {
	return `{"eventVersion":"1.11","eventID":"` + id + `","eventTime":"2026-08-01T09:00:00Z","eventSource":"kms.amazonaws.com","eventName":"DisableKey","awsRegion":"eu-west-1","sourceIPAddress":"192.0.2.7","userIdentity":{"type":"IAMUser","userName":"ada","accountId":"111122223333"},"eventType":"AwsApiCall","recipientAccountId":"111122223333"}`
}

func records(ids ...string) []byte {
	var rs []string
	for _, id := range ids {
		rs = append(rs, record(id))
	}
	return []byte(`{"Records":[` + strings.Join(rs, ",") + `]}`)
}

func lines(ids ...string) []byte {
	var b bytes.Buffer
	for _, id := range ids {
		b.WriteString(record(id) + "\n")
	}
	return b.Bytes()
}

func bigRecords(n int) []byte {
	var ids []string
	for i := range n {
		ids = append(ids, fmt.Sprintf("big-%d-%x", i, i*i*2654435761))
	}
	return records(ids...)
}

func gz(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func flip(data []byte, at int) []byte {
	data[at] ^= 0xff
	return data
}
