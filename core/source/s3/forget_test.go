package s3

import (
	"fmt"
	"testing"
	"time"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/source/sourcetest"
)

// forgetful is a ledger that drops entries nobody has written or asked for
// for retention, as the store does.
type forgetful struct {
	sourcetest.Ledger
	clock *time.Time
	used  map[string]time.Time
}

const retention = 35 * 24 * time.Hour

func (f *forgetful) Entry(key string) (source.Entry, bool, error) {
	if f.clock.Sub(f.used[key]) > retention {
		delete(f.used, key)
		return source.Entry{}, false, nil
	}
	f.used[key] = *f.clock
	return f.Ledger.Entry(key)
}

func (f *forgetful) Put(key string, e source.Entry) {
	f.used[key] = *f.clock
	f.Ledger.Put(key, e)
}

// A region in which nothing happens any more stays read, however long the
// others go on and the ledger forgets: also what is older than the ledger.
func TestWhatIsIdleForLongIsNotReadAgain(t *testing.T) {
	w := newWorld(t)
	ledger := &forgetful{clock: &w.clock, used: map[string]time.Time{}}
	scan := func() (keys []string) {
		err := w.Scan(t.Context(), ledger, func(o source.Object) error {
			if o.Open != nil {
				keys = append(keys, o.Key)
			}
			ledger.Put(o.Key, o.Done)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	for n := range 100 {
		at := w.clock.Add(time.Duration(n-100) * 24 * time.Hour)
		w.put(trailKey("111122223333", "eu-west-1", at, "idle"), at)
	}
	if n := len(scan()); n != 100 {
		t.Fatalf("%d objects, want 100", n)
	}
	for n := range 100 {
		w.later(24*time.Hour + time.Minute)
		busy := trailKey("111122223333", "us-east-1", w.clock, fmt.Sprint(n))
		w.put(busy, w.clock)
		w.want("a day", scan(), busy)
	}
	w.restart()
	w.want("after a restart", scan())
	kept := 0
	for _, at := range ledger.used {
		if w.clock.Sub(at) <= retention {
			kept++
		}
	}
	if kept > 110 {
		t.Errorf("the ledger keeps %d entries, want those of two months of one and one of the other", kept)
	}
}
