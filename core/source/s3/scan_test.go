package s3

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/source"
)

func (w *world) want(what string, got []string, want ...string) {
	w.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// prefixes are what is listed.
func (w *world) prefixes() []string {
	var list []string
	for _, f := range w.folders {
		p := f.prefix
		if f.flat {
			p += " (flat)"
		}
		if f.dated() {
			p += " by day"
		}
		list = append(list, p)
	}
	slices.Sort(list)
	return list
}

func (w *world) later(d time.Duration) { w.clock = w.clock.Add(d) }

func TestFoldersAreFound(t *testing.T) {
	bucket := []string{
		"AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/14/a.json.gz",
		"AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/14/a.json.gz",
		"AWSLogs/111122223333/CloudTrail-Insight/us-east-1/2026/03/14/a.json.gz",
		"AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/03/14/a.json.gz",
		"AWSLogs/111122223333/vpcflowlogs/us-east-1/2026/03/14/a.log.gz",
		"AWSLogs/o-abc123def4/444455556666/CloudTrail/us-east-1/2026/03/14/a.json.gz",
		"by/hand/1.json", "by/hand/2.json", "by/3.json", "4.json",
		"deep/trails/AliyunLogs/Actiontrail/cn-hangzhou/2026/03/14/a.gz",
		"deep/trails/AliyunLogs/Actiontrail/rd-abc/1234567890123456/cn-beijing/2026/03/14/a.gz",
		"deep/x.json",
	}
	for _, test := range []struct {
		prefix string
		want   []string
	}{
		{"", []string{
			" (flat)",
			"AWSLogs/111122223333/CloudTrail-Insight/us-east-1/ by day",
			"AWSLogs/111122223333/CloudTrail/eu-west-1/ by day",
			"AWSLogs/111122223333/CloudTrail/us-east-1/ by day",
			"AWSLogs/o-abc123def4/444455556666/CloudTrail/us-east-1/ by day",
			"by/",
			"deep/ (flat)",
			"deep/trails/AliyunLogs/Actiontrail/cn-hangzhou/ by day",
			"deep/trails/AliyunLogs/Actiontrail/rd-abc/1234567890123456/cn-beijing/ by day",
		}},
		{"AWSLogs/o-", []string{"AWSLogs/o-abc123def4/444455556666/CloudTrail/us-east-1/ by day"}},
		{"AWSLogs/111122223333/CloudTrail/us", []string{"AWSLogs/111122223333/CloudTrail/us-east-1/ by day"}},
		{"AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/", []string{"AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/ by day"}},
		{"by/", []string{"by/"}},
		{"nothing/there/", []string{"nothing/there/"}},
	} {
		w := newWorld(t)
		w.Prefix = test.prefix
		objects := 0
		for _, key := range bucket {
			w.put(key, w.clock)
			if strings.HasPrefix(key, test.prefix) && !strings.Contains(key, "Digest") && !strings.Contains(key, "flowlogs") {
				objects++
			}
		}
		keys := w.scan()
		w.want("listed for "+test.prefix, w.prefixes(), test.want...)
		if len(keys) != objects {
			t.Errorf("%s: %d objects, want %d: %q", test.prefix, len(keys), objects, keys)
		}
	}
}

func TestNewAccountsAndRegionsAreFound(t *testing.T) {
	w := newWorld(t)
	w.put(trailKey("111122223333", "eu-west-1", w.clock, "a"), w.clock)
	w.scan()
	fresh := []string{trailKey("111122223333", "us-east-1", w.clock, "b"), trailKey("444455556666", "us-east-1", w.clock, "c")}
	for _, key := range fresh {
		w.put(key, w.clock)
	}
	w.later(30 * time.Minute)
	w.want("half an hour later", slices.Sorted(slices.Values(w.scan())), fresh...)
}

func TestStart(t *testing.T) {
	w := newWorld(t)
	began := w.clock
	key := func(at time.Time, id string) string { return trailKey("111122223333", "eu-west-1", at, id) }
	w.put(key(began.Add(-48*time.Hour), "old"), began.Add(-48*time.Hour))
	w.put(key(began.Add(-time.Hour), "late"), began)
	w.put("old.json", began.Add(-time.Minute))
	w.Start = began
	w.want("first", w.scan(), key(began.Add(-time.Hour), "late"))

	// While nobody looks, objects come. A restart does not begin at its own now.
	w.put(key(began.Add(time.Hour), "new"), began.Add(time.Hour))
	w.later(5 * time.Hour)
	w.restart()
	w.Start = w.clock
	w.want("after a restart", w.scan(), key(began.Add(time.Hour), "new"))
}

func TestWhatIsDoneForGoodIsNotListedAgain(t *testing.T) {
	w := newWorld(t)
	begin := w.clock.Add(-400 * 24 * time.Hour)
	const objects = 20_000
	for n := range objects {
		at := begin.Add(time.Duration(n) * (400 * 24 * time.Hour / objects))
		w.put(trailKey("111122223333", "eu-west-1", at, fmt.Sprint(n)), at)
	}
	if n := len(w.scan()); n != objects {
		t.Fatalf("%d objects, want %d", n, objects)
	}
	w.later(25 * time.Hour)
	w.scan() // finds that all of it is done
	w.want("notes", slices.Sorted(func(yield func(string) bool) {
		for _, f := range w.folders {
			e, _, _ := w.ledger.Entry(f.prefix + folderNote)
			if !yield(f.prefix + " " + e.Version) {
				return
			}
		}
	}), "AWSLogs/111122223333/CloudTrail/eu-west-1/ 2026-02-11")

	w.restart()
	before := w.counted()
	w.want("after a restart", w.scan())
	if n := w.counted() - before; n > 10 {
		t.Errorf("%d LISTs after a restart, want those of a month", n)
	}
}

func TestManyKeysOfOneLeaf(t *testing.T) {
	w := newWorld(t)
	const objects = 100_000
	begin := w.clock.Add(-31 * 24 * time.Hour)
	for n := range objects {
		at := begin.Add(time.Duration(n) * (31 * 24 * time.Hour / objects))
		w.put(trailKey("111122223333", "eu-west-1", at, fmt.Sprintf("%08d", n)), at)
	}
	if n := len(w.scan()); n != objects {
		t.Fatalf("%d objects, want %d", n, objects)
	}
	if n := w.counted(); n > 110 {
		t.Errorf("%d LISTs for the first listing, want about 100", n)
	}
	before := w.counted()
	const polls = 59
	for n := range polls {
		w.later(time.Minute)
		w.put(trailKey("111122223333", "eu-west-1", w.clock, fmt.Sprint(n)), w.clock)
		if keys := w.scan(); len(keys) != 1 {
			t.Fatalf("poll %d: %d objects, want 1", n, len(keys))
		}
	}
	if n := float64(w.counted()-before) / polls; n > 1.3 {
		t.Errorf("%.2f LISTs for each poll", n)
	}
	if n := len(w.pending.objects); n > maxPending {
		t.Errorf("%d objects are remembered", n)
	}
}

func TestAnyOtherPrefixIsListedTheRarerTheLongerItIs(t *testing.T) {
	w := newWorld(t)
	const objects = 50_000
	for n := range objects {
		w.put(fmt.Sprintf("logs/%08d.json", n), w.clock)
	}
	if n := len(w.scan()); n != objects {
		t.Fatalf("%d objects, want %d", n, objects)
	}
	before := w.counted()
	const polls = 100
	for n := range polls {
		w.later(time.Minute)
		last := fmt.Sprintf("logs/%08d.json", objects+n)
		w.put(last, w.clock)
		w.put(fmt.Sprintf("logs/0000%d.json", n), w.clock)
		if keys := w.scan(); !slices.Contains(keys, last) {
			t.Fatalf("poll %d: %q, want also %s", n, keys, last)
		}
	}
	if n := float64(w.counted()-before) / polls; n > 13 {
		t.Errorf("%.1f LISTs for each poll", n)
	}
	w.later(time.Hour)
	w.scan()
	if n := len(w.read); n != objects+2*polls {
		t.Errorf("read %d objects, want %d", n, objects+2*polls)
	}
}

func TestIdleLeavesArePolledLessOften(t *testing.T) {
	w := newWorld(t)
	for n := range 20 {
		at := w.clock.Add(-48 * time.Hour)
		w.put(trailKey(fmt.Sprintf("%012d", n), "eu-west-1", at, "a"), at)
	}
	w.scan()
	before := w.counted()
	for range 20 {
		w.later(time.Minute)
		w.scan()
	}
	if n := float64(w.counted()-before) / (20 * 20); n > 0.3 {
		t.Errorf("%.2f LISTs for each poll of an idle leaf, want a fifth", n)
	}
	key := trailKey("000000000003", "eu-west-1", w.clock, "b")
	w.put(key, w.clock)
	w.later(5 * time.Minute)
	w.want("then", w.scan(), key)
}

func TestWhatFailedIsOfferedAgain(t *testing.T) {
	w := newWorld(t)
	old := trailKey("111122223333", "eu-west-1", w.clock.Add(-10*24*time.Hour), "denied")
	w.put(old, w.clock)
	for n := range 2000 {
		w.put(trailKey("111122223333", "eu-west-1", w.clock.Add(time.Duration(n-2000)*time.Minute), fmt.Sprint(n)), w.clock)
	}
	tries := 0
	w.refuse = func(o source.Object) bool {
		if o.Key == old {
			tries++
		}
		return o.Key == old
	}
	w.scan()
	for range 5 {
		w.later(time.Minute)
		w.want("while it is denied", w.scan())
	}
	if tries != 6 {
		t.Errorf("%d tries in 6 scans", tries)
	}
	w.refuse = nil
	w.later(time.Minute)
	w.want("when it is not any more", w.scan(), old)
	w.later(time.Minute)
	w.want("then", w.scan())
}

func TestRemovedAndReplacedObjectsAreNotOfferedAgain(t *testing.T) {
	for _, key := range []string{"a.json", trailKey("111122223333", "eu-west-1", moment("2026-03-14T15:00:00Z"), "a")} {
		w := newWorld(t)
		w.put(key, w.clock)
		w.refuse = func(source.Object) bool { return true }
		w.scan()
		w.refuse = nil
		w.remove(key)
		w.put("b.json", w.clock)
		w.later(30 * time.Minute)
		w.want("after it was removed", w.scan(), "b.json")
		w.put(key, w.clock)
		w.later(time.Minute)
		w.want("back again", w.scan(), key)
		w.put(key, w.clock.Add(time.Second))
		w.later(time.Minute)
		w.want("replaced", w.scan(), key)
	}
}

func TestAPartThatCannotBeListedDoesNotStopTheOthers(t *testing.T) {
	w := newWorld(t)
	began := w.clock
	key := func(account string) string { return trailKey(account, "eu-west-1", began, "a") }
	w.put(key("111122223333"), w.clock)
	w.put(key("444455556666"), w.clock)
	denied := errors.New("denied")
	w.broken = func(prefix string) error {
		if strings.HasPrefix(prefix, "AWSLogs/111122223333/") {
			return denied
		}
		return nil
	}
	keys, err := w.tryScan()
	w.want("listed", keys, key("444455556666"))
	if !errors.Is(err, denied) {
		t.Errorf("got %v, want the error of the other", err)
	}
	w.broken = nil
	w.later(5 * time.Minute)
	w.want("when it works", w.scan(), key("111122223333"))
}

func TestAMistakeStopsEverythingAtOnce(t *testing.T) {
	w := newWorld(t)
	for n := range 50 {
		w.put(trailKey(fmt.Sprintf("%012d", n), "eu-west-1", w.clock, "a"), w.clock)
	}
	w.scan()
	w.later(time.Minute)
	before := w.counted()
	wrong := &trouble{text: "the secret is wrong", every: true}
	w.broken = func(string) error { return wrong }
	if _, err := w.tryScan(); err != error(wrong) {
		t.Errorf("got %v, want %v", err, wrong)
	}
	if n := w.counted() - before; n > 2*parallel {
		t.Errorf("%d LISTs after the first was refused", n)
	}
}

func TestALongBackfillDoesNotDelayWhatIsNewElsewhere(t *testing.T) {
	w := newWorld(t)
	live := func(n int) string { return trailKey("111122223333", "eu-west-1", w.clock, fmt.Sprint(n)) }
	w.put(live(0), w.clock)
	w.scan()
	const backfill = 20_000
	for n := range backfill {
		at := w.clock.Add(time.Duration(n-backfill) * time.Minute)
		w.put(trailKey("444455556666", "eu-west-1", at, "b"), at)
	}
	w.later(30 * time.Minute)
	fresh, handed := live(1), 0
	w.refuse = func(source.Object) bool {
		if handed++; handed == 5000 { // which took its time
			w.put(fresh, w.clock)
			w.later(2 * time.Minute)
		}
		return false
	}
	keys := w.scan()
	if i := slices.Index(keys, fresh); i < 5000 || i > 8000 {
		t.Errorf("the new object came as number %d of %d", i, len(keys))
	}
}

func TestFirstListingsGoSideBySide(t *testing.T) {
	w := newWorld(t)
	for n := range 3000 {
		at := w.clock.Add(-time.Duration(n) * time.Hour)
		w.put(trailKey("111122223333", "eu-west-1", at, "a"), at)
		w.put(trailKey("111122223333", "us-east-1", at, "a"), at)
	}
	var newest time.Time
	for _, key := range w.scan() {
		_, leaf := locate(key)
		at, _ := stampOf(leaf, key)
		if newest.Sub(at) > step+24*time.Hour {
			t.Fatalf("%s comes after %s", at, newest)
		}
		if at.After(newest) {
			newest = at
		}
	}
	if len(w.read) != 6000 {
		t.Errorf("%d objects, want 6000", len(w.read))
	}
}

func TestALateObjectOfABusyLeafIsReadWithinTheHour(t *testing.T) {
	w := newWorld(t)
	const objects = 40_000
	for n := range objects {
		at := w.clock.Add(time.Duration(n-objects) * 5 * time.Second)
		w.put(trailKey("111122223333", "eu-west-1", at, fmt.Sprint(n)), at)
	}
	w.scan()
	key := trailKey("111122223333", "eu-west-1", w.clock.Add(-35*time.Hour), "late")
	w.put(key, w.clock)
	w.later(59 * time.Minute)
	w.want("before", w.scan())
	w.later(time.Minute)
	w.want("after an hour", w.scan(), key)
}
