package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/trailship/trailship/core/ingest"
	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/source/s3"
	"github.com/trailship/trailship/core/source/s3/s3test"
	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/core/store/bolt"
	"github.com/trailship/trailship/examples/trails"
)

// delivery is an object, when the cloud says it delivered it, and when it
// really can be listed.
type delivery struct {
	s3test.Object
	stamp, put time.Time
}

// Objects become visible in any order, most of them within minutes, some hours
// and a few days after the moment in their name. The clock is the test's: it
// advances when the source waits for its next poll. Everything is read, once,
// soon after it is there. In full, with -rounds 100 or more, the objects are
// those of the public lab trail where it is at hand.
func TestLateObjectsAreReadByADayThatPassesInSeconds(t *testing.T) {
	t.Parallel()
	noEnvironment()
	gateway := s3test.Start(t, s3test.Options{})
	gateway.MakeBucket(t, bucket)
	proxy := s3test.NewProxy(t, gateway)

	begin := time.Date(2026, 3, 2, 18, 0, 0, 0, time.UTC)
	deliveries, want := generatedDeliveries(t, begin)
	if *rounds >= 100 {
		if lab, ids := labDeliveries(t); len(lab) > 0 {
			deliveries, want = lab, ids
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d: %d objects, %d distinct events", seed, len(deliveries), len(want))
	delay(deliveries, rand.New(rand.NewPCG(seed, 0)))

	var clock atomic.Int64
	now := func() time.Time { return time.Unix(clock.Load(), 0).UTC() }
	clock.Store(deliveries[0].put.Add(-time.Minute).Unix())
	src := stepped{Source: &s3.Source{
		Name: "trails", Bucket: bucket, Endpoint: proxy.URL, Region: gateway.Region, Poll: time.Minute, Now: now,
		Credentials: s3.Credentials{AccessKeyID: s3test.AccessKey, SecretAccessKey: s3test.SecretKey},
	}, idle: make(chan struct{}), step: make(chan struct{})}
	st, stop := runLoop(t, src, now)

	// A minute at a time, but where nothing is put for long.
	polls := 0
	for next := 0; next < len(deliveries) || polls == 0; {
		<-src.idle
		left := deliveries[next:]
		pause := time.Minute
		if until := left[0].put.Sub(now()); until > 20*time.Minute {
			pause = min(until-10*time.Minute, 24*time.Hour).Truncate(time.Minute)
		}
		clock.Add(int64(pause / time.Second))
		for next < len(deliveries) && !deliveries[next].put.After(now()) {
			d := deliveries[next]
			gateway.PutAt(t, bucket, d.Key, d.Body, d.put)
			next++
		}
		polls++
		src.step <- struct{}{}
	}
	lists := proxy.Counts()[s3test.List]
	t.Logf("%d polls, %d LISTs: %.2f for each poll and prefix", polls, lists, float64(lists)/float64(polls)/float64(prefixes(deliveries)))

	// The promise for the latest of them: a day.
	for range 26 {
		<-src.idle
		clock.Add(3600)
		src.step <- struct{}{}
	}
	<-src.idle
	sum := stop(len(deliveries))
	if int(sum.Objects) != len(deliveries) {
		t.Errorf("%d objects were read, want each of %d once", sum.Objects, len(deliveries))
	}
	compareStored(t, st, want)
}

// stepped is a source whose next poll comes when the test says so.
type stepped struct {
	*s3.Source
	idle, step chan struct{}
}

func (s stepped) Wait(ctx context.Context) error {
	for _, turn := range []func() error{
		func() error {
			select {
			case s.idle <- struct{}{}:
			case <-ctx.Done():
			}
			return ctx.Err()
		},
		func() error {
			select {
			case <-s.step:
			case <-ctx.Done():
			}
			return ctx.Err()
		},
	} {
		if err := turn(); err != nil {
			return err
		}
	}
	return nil
}

// runLoop runs the ingest loop over a source into a store of its own. What it
// returns ends it once so many objects were read.
func runLoop(t *testing.T, src source.Source, now func() time.Time) (store.Store, func(objects int) ingest.Summary) {
	t.Helper()
	st, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"), bolt.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	set, list := rule.Load([]rule.Root{{FS: fstest.MapFS{"all.yaml": {Data: []byte(everyRecord)}}}}, rule.Options{})
	if len(list) > 0 {
		t.Fatal(list)
	}
	loop := &ingest.Ingest{
		Sources: []ingest.Source{{Name: "trails", Source: src}}, Store: st, Workers: 2, Now: now,
		Rules: func() *rule.Set { return set }, Routes: ingest.Routes{Outputs: []ingest.Output{{Name: "archive"}}},
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := loop.Run(ctx)
		done <- err
	}()
	return st, func(objects int) ingest.Summary {
		if !within(time.Minute, func() bool { return int(loop.Summary().Objects) >= objects }) {
			t.Errorf("%d of %d objects are read, after a minute", loop.Summary().Objects, objects)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		return loop.Summary()
	}
}

// compareStored compares the alerts in a store with the events wanted.
func compareStored(t *testing.T, st store.Store, want map[string]bool) {
	t.Helper()
	got := map[string]int{}
	for after := uint64(0); ; {
		some, _, err := st.Next("archive", after, 1000, 8<<20)
		if err == nil {
			err = store.Unpack(some)
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(some) == 0 {
			break
		}
		for _, a := range some {
			after = a.Seq
			var alert struct {
				Info struct {
					Related []struct{ UID string } `json:"related_events"`
				} `json:"finding_info"`
			}
			if err := json.Unmarshal(a.JSON, &alert); err != nil {
				t.Fatal(err)
			}
			got[alert.Info.Related[0].UID]++
		}
	}
	for id := range want {
		if got[id] != 1 {
			t.Errorf("event %s was alerted %d times, want once", id, got[id])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d events were alerted, want %d", len(got), len(want))
	}
}

// delay says when each object can be listed, and sorts by that.
func delay(all []delivery, random *rand.Rand) {
	for i := range all {
		late := time.Duration(random.Int64N(int64(10 * time.Minute)))
		switch p := random.Float64(); {
		case p < 0.02:
			late = time.Duration(float64(20*24*time.Hour) * random.Float64())
		case p < 0.06:
			late = time.Duration(float64(30*time.Hour) * random.Float64())
		case p < 0.15:
			late = time.Duration(random.Int64N(int64(time.Hour)))
		}
		all[i].put = all[i].stamp.Add(late)
	}
	slices.SortFunc(all, func(a, b delivery) int { return a.put.Compare(b.put) })
}

// prefixes counts the regions of accounts.
func prefixes(all []delivery) int {
	leaves := map[string]bool{}
	for _, d := range all {
		day := d.stamp.UTC().Format("2006/01/02")
		leaf, _, _ := strings.Cut(d.Key, day)
		leaves[leaf] = true
	}
	return len(leaves)
}

func generatedDeliveries(t *testing.T, begin time.Time) (all []delivery, want map[string]bool) {
	t.Helper()
	o := trails.Options{Seed: 11, Files: 200, Records: 5, Alibaba: 0.3, Start: begin, Span: 4 * time.Hour}
	want = map[string]bool{}
	n := 0
	for object := range o.Objects() {
		stamp := begin.Add(o.Span / time.Duration(o.Files) * time.Duration(n)).Add(5 * time.Minute)
		all = append(all, delivery{s3test.Object{Key: object.Path, Body: object.Body}, stamp, stamp})
		for _, r := range object.Records {
			want[r.ID] = true
		}
		n++
	}
	return all, want
}

// labDeliveries are the objects of the public lab trail.
func labDeliveries(t *testing.T) (all []delivery, want map[string]bool) {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "corpus", "aws", "s3-lab")
	names, _ := filepath.Glob(filepath.Join(dir, "*", "*", "*", "*", "*"))
	if len(names) == 0 {
		return nil, nil
	}
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		key, stamp := labKey(t, filepath.Base(name), 0)
		all = append(all, delivery{s3test.Object{Key: key, Body: body}, stamp, stamp})
	}
	return all, eventIDs(t, dir)
}
