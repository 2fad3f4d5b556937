package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trailship/trailship/core/decode"
	"github.com/trailship/trailship/core/event"
	"github.com/trailship/trailship/core/source/s3/s3test"
	"github.com/trailship/trailship/examples/trails"
)

// bucketTest is a daemon that reads a bucket of a real S3 server, through a
// proxy that can break things.
type bucketTest struct {
	*daemonTest
	gateway *s3test.Gateway
	proxy   *s3test.Proxy
	random  *rand.Rand
	want    map[string]bool // ids of the events that were put
	metrics string          // where the daemon's are
}

const bucket = "acme-trails"

// newBucketTest starts everything but the daemon. The source's further keys
// follow.
func newBucketTest(t *testing.T, keys string, o s3test.Options) *bucketTest {
	t.Helper()
	t.Parallel() // most of the time they wait
	noEnvironment()
	if o.Region == "" {
		o.Region = "eu-west-1"
	}
	gateway := s3test.Start(t, o)
	gateway.MakeBucket(t, bucket)
	proxy := s3test.NewProxy(t, gateway)
	b := &bucketTest{gateway: gateway, proxy: proxy, want: map[string]bool{}, metrics: freePort(t)}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	b.random = rand.New(rand.NewPCG(seed, 0))
	b.daemonTest = newDaemonTest(t, map[string]string{"rules/all.yaml": catchAll})
	b.is(s3test.AccessKey, s3test.SecretKey)
	b.configure(fmt.Sprintf("{name: trails, type: s3, bucket: %s, region: eu-west-1, %s%s}", bucket, b.through(), keys))
	return b
}

// noEnvironment takes away what the environment of whoever runs the tests says
// about AWS.
var noEnvironment = sync.OnceFunc(func() {
	for _, set := range os.Environ() {
		if name, _, _ := strings.Cut(set, "="); strings.HasPrefix(name, "AWS_") {
			os.Unsetenv(name)
		}
	}
	os.Setenv("AWS_EC2_METADATA_DISABLED", "true")
})

// is says whom the daemon is to the server.
func (b *bucketTest) is(access, secret string) {
	b.Helper()
	write(b.T, b.path("keys/id"), access+"\n")
	write(b.T, b.path("keys/secret"), secret+"\n")
}

// through is the part of a source that leads to the proxy.
func (b *bucketTest) through() string {
	return fmt.Sprintf(`endpoint: %q, credentials: {access_key_id: "${file:keys/id}", secret_access_key: "${file:keys/secret}"}`, b.proxy.URL)
}

func (b *bucketTest) configure(sources ...string) {
	b.Helper()
	write(b.T, b.path("trailship.yaml"), fmt.Sprintf(`
version: 1
data_dir: data
sources: [%s]
rules: {paths: [rules]}
outputs: [{name: archive, plugin: file, config: {path: alerts.ndjson}, batch: {wait: 0s}}]
telemetry: {http: %q}
`, strings.Join(sources, ", "), b.metrics))
}

// fresh makes objects of the last hour, in any order. Their ids are wanted
// from now on.
func (b *bucketTest) fresh(seed uint64, files int) []s3test.Object {
	return b.made(trails.Options{Seed: seed, Files: files, Records: 20, Alibaba: 0.3, Duplicates: 0.1,
		Start: time.Now().Add(-50 * time.Minute), Span: 40 * time.Minute})
}

func (b *bucketTest) made(o trails.Options) (objects []s3test.Object) {
	for object := range o.Objects() {
		objects = append(objects, s3test.Object{Key: object.Path, Body: object.Body})
		for _, r := range object.Records {
			b.want[r.ID] = true
		}
	}
	b.random.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
	return objects
}

// complete waits until everything wanted is alerted, and that nothing else is
// nor anything twice.
func (b *bucketTest) complete() {
	b.Helper()
	b.eventually(fmt.Sprintf("all %d events are alerted", len(b.want)), func() bool { return len(b.alerts()) >= len(b.want) })
	for id, rules := range b.alerts() {
		if !b.want[id] || len(rules) != 1 {
			b.Errorf("event %s was alerted by %v, want once", id, rules)
		}
	}
}

// metric is the sum of a metric's values, -1 when there is none.
func (b *bucketTest) metric(name string, labels ...string) float64 {
	_, text := get(b.T, b.metrics, "/metrics")
	sum, found := 0.0, false
lines:
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || !strings.HasPrefix(rest, "{") && !strings.HasPrefix(rest, " ") {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(rest, label) {
				continue lines
			}
		}
		if v, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64); err == nil {
			sum, found = sum+v, true
		}
	}
	if !found {
		return -1
	}
	return sum
}

// kill ends the daemon as a power cut would.
func (b *bucketTest) kill() {
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
}

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

// Some objects at a time are put while the daemon, whose reads are slow, is
// killed again and again: soon after it asked for something. In full, with
// -rounds 100 or more, the objects are those of the public lab trail where it
// is at hand.
func TestABucketIsReadThoughTheDaemonIsKilled(t *testing.T) {
	b := newBucketTest(t, ", poll: 100ms", s3test.Options{})
	var objects []s3test.Object
	if *rounds >= 100 {
		objects = b.lab()
	}
	if len(objects) == 0 {
		objects = b.fresh(5, 200)
	}
	t.Logf("%d objects with %d distinct events", len(objects), len(b.want))
	var left atomic.Int64 // requests until the next kill
	kill := make(chan struct{}, 1)
	mend := b.proxy.Break(s3test.Fault{Drip: time.Millisecond, Before: func(*http.Request) {
		if left.Add(-1) == 0 {
			kill <- struct{}{}
		}
	}})
	size := len(objects) / *rounds + 1
	kills := 0
	for chunk := range slices.Chunk(objects, size) {
		left.Store(1 + b.random.Int64N(int64(4*size)))
		cmd := exec.Command(b.bin, "run", "-c", b.path("trailship.yaml"))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		b.gateway.PutAll(t, bucket, chunk)
		select {
		case <-kill:
		case <-ended:
			t.Fatalf("the daemon ended by itself: %v", cmd.ProcessState)
		}
		time.AfterFunc(time.Duration(b.random.Int64N(int64(50*time.Millisecond))), func() { _ = cmd.Process.Kill() })
		<-ended
		kills++
	}
	t.Logf("%d of %d events were alerted between %d kills, with %d reads", len(b.alerts()), len(b.want), kills, b.proxy.Counts()[s3test.Get])
	mend()
	b.start()
	b.complete()
	b.stop()
	t.Logf("all were, with %d reads", b.proxy.Counts()[s3test.Get])
}

// A large object that breaks off and is then denied is read as far as it came,
// and from there on later; no record is evaluated twice.
func TestALargeObjectGoesOnWhereItStood(t *testing.T) {
	b := newBucketTest(t, ", poll: 100ms", s3test.Options{})
	large := b.made(trails.Options{Seed: 12, Files: 1, Records: 4000, Start: time.Now().Add(-time.Hour)})[0]
	mend := b.proxy.Break(s3test.Fault{Op: s3test.Get, Status: 403, Code: "AccessDenied"})
	b.proxy.Break(s3test.Fault{Op: s3test.Get, First: 1, CutAfter: len(large.Body) / 2})
	b.gateway.Put(t, bucket, large.Key, large.Body)
	b.start()
	b.hears("s3:GetObject on arn:aws:s3:::" + bucket)
	if n := len(b.alerts()); n >= len(b.want) {
		t.Errorf("%d of %d events are alerted of half an object", n, len(b.want))
	}
	b.eventually("the first half is alerted", func() bool { return len(b.alerts()) > len(b.want)/4 })
	mend()
	b.complete()
	b.eventually("every record was evaluated once", func() bool { return b.metric("trailship_records_total") == 4000 })
	b.stop()
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

// lab is the public lab trail, filed as if it was of yesterday.
func (b *bucketTest) lab() (objects []s3test.Object) {
	b.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "corpus", "aws", "s3-lab")
	names, _ := filepath.Glob(filepath.Join(dir, "*", "*", "*", "*", "*"))
	if len(names) == 0 {
		return nil
	}
	b.want = eventIDs(b.T, dir)
	shift := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -1).Sub(time.Date(2021, 7, 30, 0, 0, 0, 0, time.UTC))
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		key, _ := labKey(b.T, filepath.Base(name), shift)
		objects = append(objects, s3test.Object{Key: key, Body: body})
	}
	b.random.Shuffle(len(objects), func(i, j int) { objects[i], objects[j] = objects[j], objects[i] })
	return objects
}

// eventsOf are the ids in an object.
func eventsOf(t *testing.T, body []byte) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	var ev event.Event
	for r := decode.NewReader(bytes.NewReader(body), decode.Limits{}); ; {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return ids
		}
		if err == nil {
			err = decode.Normalize(&ev, rec)
		}
		if err != nil {
			t.Fatal(err)
		}
		ids[ev.ID] = true
	}
}

var labName = regexp.MustCompile(`^([0-9]+)_CloudTrail_([a-z0-9-]+)_([0-9]{8}T[0-9]{4}Z)_(.*)$`)

// labKey files an object where CloudTrail would have, some time later.
func labKey(t *testing.T, name string, later time.Duration) (string, time.Time) {
	t.Helper()
	m := labName.FindStringSubmatch(name)
	if m == nil {
		t.Fatalf("%s is no name of CloudTrail's", name)
	}
	at, err := time.Parse("20060102T1504Z", m[3])
	if err != nil {
		t.Fatal(err)
	}
	at = at.Add(later)
	return fmt.Sprintf("AWSLogs/%s/CloudTrail/%s/%s/%s_CloudTrail_%s_%s_%s", m[1], m[2], at.Format("2006/01/02"),
		m[1], m[2], at.Format("20060102T1504Z"), m[4]), at
}

// Each fault is switched on, objects are put and met by it, it is mended, and
// everything is read, once.
func TestWhateverGoesWrongNothingIsMissedAndNothingIsTwice(t *testing.T) {
	b := newBucketTest(t, ", poll: 100ms", s3test.Options{})
	b.start()
	one := func(o []s3test.Object) func(string) bool { return s3test.Key(o[0].Key) }
	for n, test := range []struct {
		name   string
		faults func(put []s3test.Object) []s3test.Fault
		meet   int  // requests before it is mended
		alone  bool // only the first object suffers: the others are read meanwhile
	}{
		{"S3 has an internal error", func([]s3test.Object) []s3test.Fault {
			return []s3test.Fault{{Status: 500, Code: "InternalError"}}
		}, 3, false},
		{"S3 wants less", func([]s3test.Object) []s3test.Fault {
			return []s3test.Fault{{Status: 503, Code: "SlowDown", Message: "Please reduce your request rate.", Every: 2}}
		}, 6, false},
		{"connections are reset inside a body", func([]s3test.Object) []s3test.Fault {
			return []s3test.Fault{{Op: s3test.Get, ResetAfter: 300}, {Op: s3test.List, ResetAfter: 200, Every: 2}}
		}, 4, false},
		{"bodies end before their length", func([]s3test.Object) []s3test.Fault {
			return []s3test.Fault{{Op: s3test.Get, CutAfter: 1000}}
		}, 4, false},
		{"a body is too short under a length that fits", func(o []s3test.Object) []s3test.Fault {
			return []s3test.Fault{{Op: s3test.Get, Key: one(o), ShortBy: 100}}
		}, 1, true},
		{"a body comes slowly", func(o []s3test.Object) []s3test.Fault {
			return []s3test.Fault{{Op: s3test.Get, Key: one(o), Drip: 20 * time.Millisecond}}
		}, 1, true},
		{"one object is denied", func(o []s3test.Object) []s3test.Fault {
			return []s3test.Fault{{Op: s3test.Get, Key: one(o), Status: 403, Code: "AccessDenied"}}
		}, 1, true},
		{"KMS denies one object", func(o []s3test.Object) []s3test.Fault {
			return []s3test.Fault{{Op: s3test.Get, Key: one(o), Status: 403, Code: "AccessDenied",
				Message: "User: arn:aws:iam::111122223333:user/trailship is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-west-1:111122223333:key/x"}}
		}, 1, true},
		{"a listed object cannot be found for a while", func(o []s3test.Object) []s3test.Fault {
			return []s3test.Fault{{Op: s3test.Get, Key: one(o), Status: 404, Code: "NoSuchKey"}}
		}, 1, true},
		{"an object is not listed for some polls", func(o []s3test.Object) []s3test.Fault {
			return []s3test.Fault{{Op: s3test.List, Hide: one(o)}}
		}, 6, true},
	} {
		objects := b.fresh(uint64(100+n), 6)
		suffering := eventsOf(t, objects[0].Body)
		met := b.proxy.Met()
		var mend []func()
		for _, f := range test.faults(objects) {
			mend = append(mend, b.proxy.Break(f))
		}
		b.gateway.PutAll(t, bucket, objects)
		b.eventually(test.name+", and it is met", func() bool { return b.proxy.Met() >= met+test.meet })
		if test.alone {
			b.eventually(test.name+", and all other objects are read", func() bool {
				return len(b.alerts()) >= len(b.want)-len(suffering)
			})
		}
		for _, m := range mend {
			m()
		}
		b.complete()
		t.Logf("%s: fine after %d broken requests", test.name, b.proxy.Met()-met)
	}
	if code := b.stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	for line := range strings.Lines(b.output()) {
		if strings.Contains(line, "buried") {
			t.Errorf("given up for a fault that was mended: %s", line)
		}
	}
}

func TestKeysThatAppearWhilePagesAreReadAreRead(t *testing.T) {
	b := newBucketTest(t, `, prefix: "many/", poll: 100ms`, s3test.Options{})
	// More than a page, not one a trail; the trails come between two pages,
	// before and behind where the listing stands.
	var many []s3test.Object
	for n := range 1100 {
		many = append(many, s3test.Object{Key: fmt.Sprintf("many/%04d.json", n), Body: []byte("[]")})
	}
	b.gateway.PutAll(t, bucket, many)
	late := b.fresh(6, 4)
	put := make(chan struct{}, 1)
	put <- struct{}{}
	b.proxy.Break(s3test.Fault{Op: s3test.List, Before: func(r *http.Request) {
		if !r.URL.Query().Has("continuation-token") {
			return
		}
		select {
		case <-put:
			for n, o := range late {
				b.gateway.Put(t, bucket, fmt.Sprintf("many/%04d+.json.gz", n*300), o.Body)
			}
		default:
		}
	}})
	b.start()
	b.complete()
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

// What is wrong with the access to a bucket is said once and says what to do.
func TestAMistakeAboutABucketIsAnsweredWithWhatToDo(t *testing.T) {
	b := newBucketTest(t, "", s3test.Options{Others: map[string]string{"AKIDSTRANGER": "a stranger's secret"}})
	b.gateway.Put(t, bucket, "AWSLogs/x.json", []byte("[]"))
	for _, test := range []struct {
		name, access, secret, region, bucket string
		says                                 []string
	}{
		{"wrong region", s3test.AccessKey, s3test.SecretKey, "us-west-2", bucket, []string{"eu-west-1", "region"}},
		{"wrong secret", s3test.AccessKey, "wrong", "eu-west-1", bucket, []string{"secret"}},
		{"unknown access key", "AKIDNOBODY", s3test.SecretKey, "eu-west-1", bucket, []string{"access key"}},
		{"missing bucket", s3test.AccessKey, s3test.SecretKey, "eu-west-1", "acme-tails", []string{"acme-tails", "bucket"}},
		{"forbidden bucket", "AKIDSTRANGER", "a stranger's secret", "eu-west-1", bucket, []string{bucket, "s3:ListBucket"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b.is(test.access, test.secret)
			b.configure(fmt.Sprintf("{name: trails, type: s3, bucket: %s, region: %s, %s}", test.bucket, test.region, b.through()))
			out, err := exec.Command(b.bin, "run", "--once", "-c", b.path("trailship.yaml")).CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != exitFailed {
				t.Errorf("ended with %v, want exit code %d", err, exitFailed)
			}
			var lines []string
			for line := range strings.Lines(string(out)) {
				if strings.Contains(line, "level=ERROR") {
					lines = append(lines, line)
				}
			}
			if len(lines) != 1 {
				t.Fatalf("%d errors, want one:\n%s", len(lines), out)
			}
			for _, word := range test.says {
				if !strings.Contains(lines[0], word) {
					t.Errorf("the error does not say %q: %s", word, lines[0])
				}
			}
			if strings.Contains(string(out), test.secret) {
				t.Errorf("a secret is in the log:\n%s", out)
			}
			t.Log(lines[0])
		})
	}
}
