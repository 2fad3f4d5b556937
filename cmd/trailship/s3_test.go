package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
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

// everyRecord alerts once for every event.
const everyRecord = `
rules:
  - id: everything
    title: A record was read
    severity: info
    condition: provider in ["aws", "alibaba"]
`

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
	b.daemonTest = newDaemonTest(t, map[string]string{"rules/all.yaml": everyRecord})
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
