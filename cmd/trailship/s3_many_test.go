package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trailship/trailship/core/ingest"
	"github.com/trailship/trailship/core/source/s3"
	"github.com/trailship/trailship/core/source/s3/s3test"
	"github.com/trailship/trailship/core/store/bolt"
)

var keys = flag.Int("keys", 0, "how many objects TestManyKeysCostNeitherMemoryNorListings puts under one prefix; docs/performance.md has 100000")

// Under one prefix of a day there are many keys. Reading them asks for each
// page of a listing once, polls ask for as good as one page, and memory does
// not grow with the keys.
func TestManyKeysCostNeitherMemoryNorListings(t *testing.T) {
	if *keys == 0 {
		t.Skip("a measurement of minutes: add -args -keys 100000")
	}
	for _, layout := range []struct {
		name  string
		key   func(n int, at time.Time) string
		polls float64 // LISTs for each poll, at most
	}{
		{"a day of a busy account", func(n int, at time.Time) string {
			return fmt.Sprintf("AWSLogs/111122223333/CloudTrail/eu-west-1/%s/111122223333_CloudTrail_eu-west-1_%s_%016d.json.gz",
				at.Format("2006/01/02"), at.Format("20060102T1504Z"), n)
		}, float64(*keys)/24/1000 + 1.5},
		{"a folder of no layout", func(n int, at time.Time) string { return fmt.Sprintf("exports/%09d.json", n) }, float64(*keys)/1000 + 1},
	} {
		t.Run(layout.name, func(t *testing.T) {
			b := newBucketTest(t, ", poll: 1s", s3test.Options{})
			begin := time.Now().UTC().Add(-24 * time.Hour)
			objects := make([]s3test.Object, *keys)
			for n := range objects {
				at := begin.Add(24 * time.Hour / time.Duration(*keys) * time.Duration(n))
				objects[n] = s3test.Object{Key: layout.key(n, at), Body: []byte(trail(fmt.Sprintf("event-%d", n)))}
			}
			b.start()
			idle := b.memory()
			b.stop()
			b.gateway.PutAll(t, bucket, objects)
			objects = nil

			start := time.Now()
			b.start()
			b.read(*keys)
			t.Logf("%d objects read in %v with %d LISTs", *keys, time.Since(start), b.lists())
			live := b.memory()

			// Another life meets them all, and has to read none.
			b.stop()
			before := b.lists()
			start = time.Now()
			b.start()
			b.eventually("everything is listed", func() bool { code, _ := get(t, b.metrics, "/readyz"); return code == 200 })
			first, took := b.lists()-before, time.Since(start)
			again := b.memory()

			var polls atomic.Int64
			count := b.proxy.Break(s3test.Fault{Op: s3test.List, Before: func(r *http.Request) {
				if !r.URL.Query().Has("continuation-token") && r.URL.Query().Get("delimiter") == "" {
					polls.Add(1)
				}
			}})
			from := b.lists()
			b.eventually("twenty polls have begun", func() bool { return polls.Load() > 20 })
			count()
			each := float64(b.lists()-from) / 20
			t.Logf("%d keys: first listing %d LISTs in %v; then %.2f LISTs for each poll", *keys, first, took, each)
			t.Logf("memory, its own and of files: %v idle, %v when all was read, %v in the next life", idle, live, again)
			if live.own > idle.own+64<<10 || again.own > idle.own+64<<10 {
				t.Errorf("memory grows with the keys")
			}
			if n := b.metric("trailship_source_objects_total"); n > 0 {
				t.Errorf("%v objects were read again", n)
			}
			if pages := *keys/1000 + 1; first > 2*pages+20 {
				t.Errorf("%d LISTs for %d pages at first", first, pages)
			}
			if each > layout.polls {
				t.Errorf("%.2f LISTs for each poll, want at most %.2f", each, layout.polls)
			}
			b.stop()
		})
	}
}

// read waits until so many objects were read.
func (b *bucketTest) read(objects int) {
	b.Helper()
	last, since := -1.0, time.Now()
	for {
		n := b.metric("trailship_source_objects_total")
		if n >= float64(objects) {
			return
		}
		if n > last {
			last, since = n, time.Now()
		}
		if time.Since(since) > time.Minute {
			b.Fatalf("%v of %d objects were read, and none for a minute; the daemon said:\n%s", n, objects, b.output())
		}
		<-time.After(50 * time.Millisecond)
	}
}

func (b *bucketTest) lists() int { return b.proxy.Counts()[s3test.List] }

var resident = regexp.MustCompile(`Rss(?:Anon|File):\s+([0-9]+) kB`)

// footprint is what the daemon has in memory: of its own, and of its files,
// the store above all.
type footprint struct{ own, file int }

func (f footprint) String() string { return fmt.Sprintf("%d+%d MiB", f.own>>10, f.file>>10) }

// memory is the footprint now, in KiB; zeros where nobody tells.
func (b *bucketTest) memory() (f footprint) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.cmd.Process.Pid))
	if err != nil {
		return f
	}
	if m := resident.FindAllSubmatch(text, -1); len(m) == 2 {
		f.own, _ = strconv.Atoi(string(m[0][1]))
		f.file, _ = strconv.Atoi(string(m[1][1]))
	}
	return f
}

// The time left of a backfill of a bucket comes from a listing of its own.
func TestASurveyOfABucketCountsWhatIsLeftToRead(t *testing.T) {
	b := newBucketTest(t, "", s3test.Options{})
	b.gateway.PutAll(t, bucket, b.fresh(51, 12))
	if out, err := exec.Command(b.bin, "run", "--once", "-c", b.path("trailship.yaml")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	begin := time.Now()
	left := findings{whole: true}
	for _, o := range b.fresh(52, 7) {
		b.gateway.Put(t, bucket, o.Key, o.Body)
		left.objects, left.bytes = left.objects+1, left.bytes+int64(len(o.Body))
	}
	st, err := bolt.Open(b.path("data/trailship.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	s := &survey{since: begin}
	s.run(t.Context(), []ingest.Source{{Name: "trails", Source: &s3.Source{
		Name: "trails", Bucket: bucket, Endpoint: b.proxy.URL, Region: "eu-west-1",
		Credentials: s3.Credentials{AccessKeyID: s3test.AccessKey, SecretAccessKey: s3test.SecretKey},
	}}}, st)
	if got := s.found(); got != left {
		t.Errorf("found %+v, want %+v", got, left)
	}
}
