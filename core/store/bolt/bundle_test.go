package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/core/store/storetest"
)

// bundleAlerts are n alerts of all kinds and sizes.
func bundleAlerts(n int) (alerts []store.Queued) {
	random := rand.New(rand.NewPCG(8, 9))
	for i := range n {
		a := storetest.Alert(i)
		a.JSON = bytes.Repeat([]byte{'j'}, random.IntN(2000))
		if i%3 == 0 {
			a.Event, a.Raw = []byte(fmt.Sprint("event ", i)), []byte(fmt.Sprint("raw ", i))
		}
		if i%5 == 0 {
			a = store.Alert{ID: "bare", Time: a.Time}
		}
		if len(a.JSON) == 0 {
			a.JSON = nil
		}
		alerts = append(alerts, store.Queued{Seq: uint64(100 + 7*i), Alert: a})
	}
	return alerts
}

func waitingOf(alerts []store.Queued) (named []waiting) {
	for _, q := range alerts {
		named = append(named, waiting{q.Seq, payload(q.Alert)})
	}
	return named
}

func TestABundleGivesBackWhichOfItsAlertsAreAsked(t *testing.T) {
	alerts := bundleAlerts(40)
	var b bundle
	for _, q := range alerts {
		b.add(q.Seq, q.Alert)
	}
	value := b.pack()
	for _, want := range [][]store.Queued{alerts, alerts[:1], alerts[39:], {alerts[3], alerts[4], alerts[20]}, nil} {
		got, err := readBundle(nil, value, waitingOf(want))
		for _, q := range got {
			// A few must not hold the memory of many.
			if packed := q.Part.Pack != nil; packed != (len(want) == len(alerts)) {
				t.Errorf("of %d alerts asked for, alert %d is packed: %v", len(want), q.Seq, packed)
			}
		}
		if err == nil {
			err = store.Unpack(got)
		}
		if err != nil || !cmp.Equal(want, got) {
			t.Errorf("%v (-want +got):\n%s", err, cmp.Diff(want, got))
		}
	}
	for why, named := range map[string][]waiting{
		"none of them":     {{seq: 1}},
		"not in order":     {waitingOf(alerts)[2], waitingOf(alerts)[1]},
		"of another size":  {{alerts[1].Seq, payload(alerts[1].Alert) + 1}},
		"larger than all":  {{alerts[1].Seq, 1 << 40}},
		"one that is gone": {waitingOf(alerts)[39], {seq: 1 << 40}},
	} {
		if got, err := readBundle(nil, value, named); err == nil {
			t.Errorf("%s: got %v, want an error", why, got)
		}
	}
}

// What goes out whole holds nothing but what was asked for.
func TestABundleThatHoldsMoreThanItCountsIsDamage(t *testing.T) {
	alerts := bundleAlerts(3)
	var b bundle
	for _, q := range alerts {
		b.add(q.Seq, q.Alert)
	}
	b.count--
	if got, err := readBundle(nil, b.pack(), waitingOf(alerts[:2])); !errors.Is(err, errLonger) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestTheMemoryOfALargeAlertIsGivenUp(t *testing.T) {
	var b bundle
	for i, size := range []int{100, 10 << 20, 100} {
		a := storetest.Alert(i)
		a.JSON = noise(i, size)
		b.add(1, a)
		value := bytes.Clone(b.pack())
		b.reset()
		if held := cap(b.json) + cap(b.packed); held > 4*bundleBytes {
			t.Errorf("after an alert of %d bytes %d are held", size, held)
		}
		if got, err := readBundle(nil, value, []waiting{{1, payload(a)}}); err != nil || !bytes.Equal(got[0].JSON, a.JSON) {
			t.Errorf("an alert of %d bytes: %v", size, err)
		}
	}
}

// FuzzBundle reads what only begins as a bundle does.
func FuzzBundle(f *testing.F) {
	var b bundle
	for _, q := range bundleAlerts(3) {
		b.add(q.Seq, q.Alert)
	}
	f.Add(b.pack(), uint64(107), int64(300))
	f.Add(alone(storetest.Alert(1))[sumSize:], uint64(0), int64(7))
	f.Fuzz(func(t *testing.T, value []byte, seq uint64, size int64) {
		if h, err := newHeads(value); err == nil && h.json.size+h.rest.size > 1<<20 {
			return // the checksum is what keeps memory safe
		}
		list, err := readBundle(nil, value, []waiting{{seq, max(0, size)}})
		if err == nil {
			err = store.Unpack(list)
		}
		if err == nil && (len(list) != 1 || list[0].Seq != seq || payload(list[0].Alert) != size) {
			t.Errorf("got %+v for alert %d of %d bytes", list, seq, size)
		}
		if a, err := readAlone(value); err == nil {
			if again, err := readAlone(alone(a)[sumSize:]); err != nil || !cmp.Equal(a, again) {
				t.Errorf("%v (-want +got):\n%s", err, cmp.Diff(a, again))
			}
		}
	})
}

// FuzzWaiting reads what a queue might hold.
func FuzzWaiting(f *testing.F) {
	f.Add([]byte("\x01\x02\x03\x04"), uint64(3))
	f.Fuzz(func(t *testing.T, value []byte, last uint64) {
		key := seqKeyOf(last)
		sealed := append(make([]byte, sumSize), value...)
		for i, c := range native.AppendUint32(nil, checksum("queue/a", key, value)) {
			sealed[sumSize-1-i] = c
		}
		named, err := openWaiting(nil, bucket{path: "queue/a"}, key, sealed)
		if err != nil {
			return
		}
		inOrder := slices.IsSortedFunc(named, func(a, b waiting) int { return int(min(1, a.seq-b.seq)) })
		if len(named) == 0 || named[len(named)-1].seq > last || !inOrder {
			t.Errorf("under %d there is %v", last, named)
		}
	})
}

// storedBytes is what all bundles take.
func storedBytes(t *testing.T, s *Store) (size int) {
	t.Helper()
	err := s.view(func(t *bbolt.Tx) error {
		b := openBundles(t)
		return b.ForEach(func(key, _ []byte) error {
			if !bytes.Equal(key, markKey) {
				_, _, sealed, _ := b.sealed(key)
				size += len(sealed)
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// model is what the queues of a store should hold.
type model map[string][]store.Queued

func (m model) compare(t *testing.T, s *Store) {
	t.Helper()
	wanted := map[uint64]int64{}
	for output, want := range m {
		got := queued(t, s, output)
		if len(want)+len(got) > 0 && !reflect.DeepEqual(want, got) {
			t.Fatalf("queue of %s (-want +got):\n%s", output, cmp.Diff(want, got))
		}
		backlog, err := s.Backlog(output)
		if expect := total(waitingOf(want)); err != nil || backlog != expect {
			t.Fatalf("backlog of %s: %+v, %v, want %+v", output, backlog, err, expect)
		}
		for _, q := range want {
			wanted[q.Seq] = payload(q.Alert)
		}
	}
	// What waits for long holds little more than itself.
	most := 0
	for _, size := range wanted {
		most += 4*int(size) + pageSize
	}
	if stored := storedBytes(t, s); stored > most {
		t.Fatalf("%d alerts hold %d bytes, %d at most are right", len(wanted), stored, most)
	}
}

// settle settles some of an output's alerts, and says which were refused.
func (m model) settle(t *testing.T, s *Store, output string, random *rand.Rand) (refused []store.Queued) {
	t.Helper()
	var done []uint64
	var dead []store.Refusal
	var kept []store.Queued
	every := 1 + random.IntN(8)
	for _, q := range m[output] {
		switch n := random.IntN(40); {
		case random.IntN(every) == 0 && n > 0:
			done = append(done, q.Seq)
		case n == 0:
			dead, refused = append(dead, store.Refusal{Seq: q.Seq, Reason: "no"}), append(refused, q)
		default:
			kept = append(kept, q)
		}
	}
	random.Shuffle(len(done), func(i, j int) { done[i], done[j] = done[j], done[i] })
	if err := s.Settle(output, done, dead); err != nil {
		t.Fatal(err)
	}
	m[output] = kept
	return refused
}

// raiseSome commits alerts for one or both of the outputs.
func (m model) raiseSome(t *testing.T, s *Store, from, n int, random *rand.Rand) {
	t.Helper()
	var raised []store.Queued
	commit(t, s, func(tx store.Tx) error {
		raised = nil
		for i := from; i < from+n; i++ {
			a := storetest.Alert(i, [][]string{{"a"}, {"b"}, {"a", "b"}}[random.IntN(3)]...)
			a.JSON = noise(i, 1+random.IntN(6000))
			if _, err := tx.Raise(a); err != nil {
				return err
			}
			raised = append(raised, store.Queued{Seq: uint64(i + 1), Alert: a})
		}
		return nil
	})
	for _, q := range raised {
		for _, output := range q.Outputs {
			m[output] = append(m[output], store.Queued{Seq: q.Seq, Alert: q.Alert})
		}
	}
	for _, queue := range m {
		for i := range queue {
			queue[i].Outputs = nil // Next does not say
		}
	}
}

// Whatever two outputs settle, in whatever order and across restarts, the store
// holds what is not settled, and not much more.
func TestWhatIsSettledInPartsIsWhatIsGone(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	random := rand.New(rand.NewPCG(10, 11))
	m := model{"a": nil, "b": nil}
	raised, letters := 0, 0
	for round := range 30 {
		if round < 20 {
			n := 1 + random.IntN(150)
			m.raiseSome(t, s, raised, n, random)
			raised += n
		}
		for _, output := range []string{"a", "b"} {
			for _, q := range m.settle(t, s, output, random) {
				letters++
				got, ok, err := s.Refused(output + ":" + q.ID)
				if err != nil || !ok || !cmp.Equal(q.Alert, got) {
					t.Fatalf("refused %v %v (-want +got):\n%s", ok, err, cmp.Diff(q.Alert, got))
				}
			}
		}
		m.compare(t, s)
		if round%10 == 9 {
			if err := s.Check(); err != nil {
				t.Fatal(err)
			}
			s.Close()
			s = open(t, dir)
		}
	}
	defer s.Close()
	if dead, err := s.DeadLetters(); err != nil || len(dead) != letters {
		t.Errorf("%d dead letters, %v, want %d", len(dead), err, letters)
	}
}

// The file of a store that delivers as fast as it commits stays as large as
// some commits are.
func TestTheFileDoesNotGrowWhileEverythingIsDelivered(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	defer s.Close()
	const most = 24 << 20
	for round := range 60 {
		raise(t, s, round*500, round*500+500, 1000+round*40)
		for _, output := range []string{"a", "b"} {
			drain(t, s, output)
		}
		if size := sizeOf(t, dir); size > most {
			t.Fatalf("after %d commits of up to 1.7 MB it has %d bytes", round+1, size)
		}
	}
	if left := storedBytes(t, s); left != 0 {
		t.Errorf("%d bytes are left of what everybody has", left)
	}
}

func TestABundleThatIsMissingIsDamage(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	raise(t, s, 0, 3, 10)
	if err := s.guard(s.db.Update, func(t *bbolt.Tx) error { return openBundles(t).drop(seqKeyOf(3)) }); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.Next("a", 0, 1, 1)
	want := filepath.Join(dir, fileName) + `: the store is damaged: bucket "alerts", key "\x00\x00\x00\x00\x00\x00\x00\x03": it is missing, but an output waits for it; restore the file from a backup, or move it away to begin anew: what the sources still hold is then read again and its alerts leave again under the same ids`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	s.Close()
}
