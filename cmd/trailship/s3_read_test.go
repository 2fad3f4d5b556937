package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trailship/trailship/core/source/s3/s3test"
	"github.com/trailship/trailship/examples/trails"
)

func TestABucketIsReadWhileItIsWritten(t *testing.T) {
	b := newBucketTest(t, ", poll: 100ms", s3test.Options{})
	// Something is there from of old, in two clouds' layouts and in none.
	b.gateway.PutAll(t, bucket, b.made(trails.Options{Seed: 1, Files: 20, Records: 20, Alibaba: 0.5,
		Start: time.Now().Add(-30 * 24 * time.Hour), Span: 29 * 24 * time.Hour}))
	for n, o := range b.fresh(2, 5) {
		o.Key = fmt.Sprintf("by hand/%d: a+b=c %%2F.json.gz", n)
		b.gateway.Put(t, bucket, o.Key, o.Body)
	}
	b.gateway.Put(t, bucket, "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/08/03/111122223333_CloudTrail-Digest_eu-west-1_t_eu-west-1_20260803T090000Z.json.gz", []byte(`{"digestEndTime":"2026-08-03T09:00:00Z"}`))
	b.start()
	for _, some := range slices.Collect(slices.Chunk(b.fresh(3, 90), 15)) {
		b.gateway.PutAll(t, bucket, some)
	}
	b.complete()
	b.eventually("the source is listed", func() bool { code, _ := get(t, b.metrics, "/readyz"); return code == 200 })

	// A changed object is read again: its new record is alerted.
	changed := b.fresh(4, 1)[0]
	b.gateway.Put(t, bucket, changed.Key, changed.Body)
	b.complete()
	b.want["a new record"] = true
	b.gateway.Put(t, bucket, changed.Key, []byte(trail("a new record")))
	b.complete()
	if code := b.stop(); code != 0 {
		t.Errorf("exit code %d, want 0; it said:\n%s", code, b.output())
	}
}

// What counts is when the source was read first, not when the daemon started.
func TestAStartLeavesOutWhatIsOlderAndNothingElse(t *testing.T) {
	b := newBucketTest(t, ", poll: 100ms, start: now", s3test.Options{})
	for _, o := range b.fresh(13, 10) {
		b.gateway.PutAt(t, bucket, o.Key, o.Body, time.Now().Add(-time.Hour))
	}
	clear(b.want)
	b.start()
	b.eventually("it is listed", func() bool { code, _ := get(t, b.metrics, "/readyz"); return code == 200 })
	b.gateway.PutAll(t, bucket, b.fresh(14, 10))
	b.complete()
	b.kill()
	b.gateway.PutAll(t, bucket, b.fresh(15, 10))
	b.start()
	b.complete()
	b.stop()
}

// In full, with -rounds 100 or more, the objects are those of the public lab
// trail where it is at hand.
func TestKeysThatAppearWhilePagesAreReadAreRead(t *testing.T) {
	b := newBucketTest(t, `, prefix: "many/", poll: 100ms`, s3test.Options{})
	// More than a page, not one a trail; the trails come between two pages,
	// before and behind where the listing stands.
	var many []s3test.Object
	for n := range 1100 {
		many = append(many, s3test.Object{Key: fmt.Sprintf("many/%04d.json", n), Body: []byte("[]")})
	}
	late := b.fresh(6, 4)
	if *rounds >= 100 {
		if lab := b.lab(); len(lab) > 1050 {
			many, late = lab[:1050], lab[1050:]
			for n := range many {
				many[n].Key = fmt.Sprintf("many/%04d.json.gz", n)
			}
		}
	}
	b.gateway.PutAll(t, bucket, many)
	put := make(chan struct{}, 1)
	put <- struct{}{}
	b.proxy.Break(s3test.Fault{Op: s3test.List, Before: func(r *http.Request) {
		if !r.URL.Query().Has("continuation-token") {
			return
		}
		select {
		case <-put:
			for n, o := range late {
				b.gateway.Put(t, bucket, fmt.Sprintf("many/%04d+.json.gz", n*1000/len(late)), o.Body)
			}
		default:
		}
	}})
	b.start()
	b.complete()
	t.Logf("%d distinct events were alerted, once each", len(b.want))
	b.stop()
}

func TestTwoSourcesOnOverlappingPrefixesDoNotDisturbEachOther(t *testing.T) {
	b := newBucketTest(t, "", s3test.Options{})
	wide := fmt.Sprintf("{name: wide, type: s3, bucket: %s, region: eu-west-1, prefix: AWSLogs/, poll: 100ms, %s}", bucket, b.through())
	narrow := fmt.Sprintf("{name: narrow, type: s3, bucket: %s, region: eu-west-1, prefix: AWSLogs/111122223333/, poll: 100ms, %s}", bucket, b.through())
	b.configure(wide)
	objects := slices.DeleteFunc(b.fresh(8, 40), func(o s3test.Object) bool { return !strings.HasPrefix(o.Key, "AWSLogs/") })
	clear(b.want)
	inside := 0
	for _, o := range objects {
		maps.Copy(b.want, eventsOf(t, o.Body))
		if strings.HasPrefix(o.Key, "AWSLogs/111122223333/") {
			inside++
		}
	}
	b.gateway.PutAll(t, bucket, objects)
	b.start()
	b.complete()
	b.stop()

	// The second one begins at its own beginning; the first one is through.
	b.configure(wide, narrow)
	b.start()
	b.eventually("the narrow source has read everything below its prefix", func() bool {
		return b.metric("trailship_source_objects_total", `source="narrow"`) == float64(inside)
	})
	b.eventually("both are listed", func() bool { code, _ := get(t, b.metrics, "/readyz"); return code == 200 })
	b.complete()
	if n := b.metric("trailship_source_objects_total", `source="wide"`); n > 0 {
		t.Errorf("the wide source read %v objects again", n)
	}

	// Both read what is new, and it is alerted once.
	more := b.fresh(9, 1)[0]
	now := time.Now().UTC()
	more.Key = fmt.Sprintf("AWSLogs/111122223333/CloudTrail/eu-west-1/%s/111122223333_CloudTrail_eu-west-1_%s_aaaaaaaaaaaaaaaa.json.gz",
		now.Format("2006/01/02"), now.Format("20060102T1504Z"))
	b.gateway.Put(t, bucket, more.Key, more.Body)
	b.complete()
	b.eventually("both have read the new object", func() bool {
		return b.metric("trailship_source_objects_total", `source="narrow"`) == float64(inside+1) &&
			b.metric("trailship_source_objects_total", `source="wide"`) == 1
	})
	b.stop()
}
