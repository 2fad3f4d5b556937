package s3

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/trailship/trailship/core/source"
)

// comes is an object that can be listed from a moment on.
type comes struct {
	key string
	at  time.Time
}

// delay is how long after the moment in its name an object can be listed: a
// model of what trails do, with tails that are worse. Redelivery goes on for
// 30 days when the bucket could not be reached.
func delay(r *rand.Rand) time.Duration {
	minutes := func(least, most float64) time.Duration {
		return time.Duration((least + (most-least)*r.Float64()) * float64(time.Minute))
	}
	switch p := r.Float64(); {
	case p < 0.80:
		return minutes(0, 2)
	case p < 0.96:
		return minutes(2, 20)
	case p < 0.985:
		return minutes(20, 3*60)
	case p < 0.995:
		return minutes(3*60, 35*60)
	}
	return minutes(35*60, 30*24*60)
}

// deliveriesOf makes what some leaves bring in a span of time, some objects
// each so often.
func deliveriesOf(r *rand.Rand, leaves int, begin time.Time, span, apart time.Duration) (all []comes) {
	for leaf := range leaves {
		account, region := fmt.Sprintf("%012d", leaf/2+1), []string{"eu-west-1", "us-east-1"}[leaf%2]
		each := []int{1, 1, 2, 6}[r.IntN(4)] // objects at a time
		for at := begin; at.Before(begin.Add(span)); at = at.Add(apart) {
			for range 1 + r.IntN(each) {
				stamp := at.Add(time.Duration(r.IntN(300)) * time.Second)
				all = append(all, comes{trailKey(account, region, stamp, fmt.Sprintf("%016x", r.Uint64())), stamp.Add(delay(r))})
			}
		}
	}
	return all
}

// Objects arrive late and out of order, some days late. Everything is read, at
// little more than one LIST for each poll of a leaf.
func TestNothingLateIsMissed(t *testing.T) {
	objects, most := 0, 0.0
	defer func() {
		if t.Failed() {
			return
		}
		t.Logf("%d objects, none missed, none twice; at most %.2f LISTs for each poll of a leaf", objects, most)
	}()
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		leaves := rapid.IntRange(1, 3).Draw(t, "leaves")
		restarts := rapid.Bool().Draw(t, "restarts")
		failures := rapid.SampledFrom([]float64{0, 0.05}).Draw(t, "failures")
		w := newWorld(t)
		begin := w.clock
		all := append(deliveriesOf(r, leaves, begin, 2*time.Hour, 5*time.Minute), deliveriesOf(r, leaves, begin.Add(2*time.Hour), 31*24*time.Hour, 6*time.Hour)...)
		slices.SortFunc(all, func(a, b comes) int { return a.at.Compare(b.at) })
		w.refuse = func(source.Object) bool { return r.Float64() < failures }

		// Hours of polls every minute, then rarer ones until the last is there
		// and a daily sweep over.
		next, leafPolls := 0, 0
		lists := 0
		for end := all[len(all)-1].at.Add(25 * time.Hour); w.clock.Before(end); {
			step := time.Minute
			if w.clock.Sub(begin) > 150*time.Minute {
				step = 6 * time.Hour
			}
			w.clock = w.clock.Add(step)
			for next < len(all) && !all[next].at.After(w.clock) {
				w.put(all[next].key, all[next].at)
				next++
			}
			if restarts && r.Float64() < 0.001 {
				w.restart()
			}
			before := w.counted()
			w.scan()
			if step == time.Minute && len(w.folders) > 0 {
				leafPolls, lists = leafPolls+len(w.folders), lists+w.counted()-before
			}
		}
		w.refuse = nil
		w.clock = w.clock.Add(25 * time.Hour)
		w.scan()

		missed := 0
		for _, o := range all {
			if w.read[o.key] == 0 {
				missed++
			}
			if n := w.read[o.key]; n > 1 {
				t.Errorf("%s was read %d times", o.key, n)
			}
		}
		if missed > 0 {
			t.Errorf("missed %d of %d objects", missed, len(all))
		}
		objects += len(all)
		if restarts {
			return
		}
		each := float64(lists) / float64(leafPolls)
		if most = max(most, each); each > 1.3 {
			t.Errorf("%.2f LISTs for each poll of a leaf, want at most 1.3", each)
		}
	})
}
