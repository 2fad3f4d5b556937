package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trailship/trailship/core/source/s3/s3test"
	"github.com/trailship/trailship/examples/trails"
)

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

// Each fault is switched on, objects are put and met by it, it is mended, and
// everything is read, once. In full, with -rounds 100 or more, the objects are
// those of the public lab trail where it is at hand.
func TestWhateverGoesWrongNothingIsMissedAndNothingIsTwice(t *testing.T) {
	b := newBucketTest(t, ", poll: 100ms", s3test.Options{})
	next := func(n int) []s3test.Object { return b.fresh(uint64(100+n), 6) }
	if *rounds >= 100 {
		if lab := b.lab(); len(lab) > 0 {
			next = b.portions(lab)
		}
	}
	b.start()
	one := func(o []s3test.Object) func(string) bool { return s3test.Key(o[0].Key) }
	for n, test := range []struct {
		name   string
		faults func(put []s3test.Object) []s3test.Fault
		meet   int    // requests before it is mended
		alone  bool   // only the first object suffers: the others are read meanwhile
		says   string // what the log tells
	}{
		{"S3 has an internal error", func([]s3test.Object) []s3test.Fault {
			return []s3test.Fault{{Status: 500, Code: "InternalError"}}
		}, 3, false, ""},
		{"S3 wants less", func([]s3test.Object) []s3test.Fault {
			return []s3test.Fault{{Status: 503, Code: "SlowDown", Message: "Please reduce your request rate.", Every: 2}}
		}, 6, false, ""},
		{"connections are reset inside a body", func([]s3test.Object) []s3test.Fault {
			return []s3test.Fault{{Op: s3test.Get, ResetAfter: 300}, {Op: s3test.List, ResetAfter: 200, Every: 2}}
		}, 4, false, ""},
		{"bodies end before their length", func([]s3test.Object) []s3test.Fault {
			return []s3test.Fault{{Op: s3test.Get, CutAfter: 1000}}
		}, 4, false, ""},
		{"a body is too short under a length that fits", func(o []s3test.Object) []s3test.Fault {
			return []s3test.Fault{{Op: s3test.Get, Key: one(o), ShortBy: 100}}
		}, 1, true, ""},
		{"a body comes slowly", func(o []s3test.Object) []s3test.Fault {
			return []s3test.Fault{{Op: s3test.Get, Key: one(o), Drip: 20 * time.Millisecond}}
		}, 1, true, ""},
		{"one object is denied", func(o []s3test.Object) []s3test.Fault {
			return []s3test.Fault{{Op: s3test.Get, Key: one(o), Status: 403, Code: "AccessDenied"}}
		}, 1, true, "need s3:GetObject on arn:aws:s3:::" + bucket},
		{"KMS denies one object", func(o []s3test.Object) []s3test.Fault {
			return []s3test.Fault{{Op: s3test.Get, Key: one(o), Status: 403, Code: "AccessDenied",
				Message: "User: arn:aws:iam::111122223333:user/trailship is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-west-1:111122223333:key/x"}}
		}, 1, true, "need kms:Decrypt"},
		{"a listed object cannot be found for a while", func(o []s3test.Object) []s3test.Fault {
			return []s3test.Fault{{Op: s3test.Get, Key: one(o), Status: 404, Code: "NoSuchKey"}}
		}, 1, true, ""},
		{"an object is not listed for some polls", func(o []s3test.Object) []s3test.Fault {
			return []s3test.Fault{{Op: s3test.List, Hide: one(o)}}
		}, 6, true, ""},
	} {
		objects := next(n)
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
		b.hears(test.says)
		for _, m := range mend {
			m()
		}
		b.complete()
		t.Logf("%s: fine after %d broken requests", test.name, b.proxy.Met()-met)
	}
	b.gateway.PutAll(t, bucket, next(faults))
	b.complete()
	t.Logf("%d distinct events were alerted, once each", len(b.want))
	if n := b.metric("trailship_source_read_errors_total"); n < 2 {
		t.Errorf("%v objects could not be read, says the metric; two were denied", n)
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

// faults is how many there are in turn.
const faults = 10

// portions deals objects of the lab trail out, one portion for each fault and one
// more: the older before the newer, for what is late by hours is not listed at
// every poll; but in any order within a portion. Only what was dealt out is
// wanted.
func (b *bucketTest) portions(objects []s3test.Object) func(n int) []s3test.Object {
	clear(b.want)
	stamp := func(o s3test.Object) string { return labName.FindStringSubmatch(path.Base(o.Key))[3] }
	slices.SortStableFunc(objects, func(a, b s3test.Object) int { return cmp.Compare(stamp(a), stamp(b)) })
	size := len(objects)/(faults+1) + 1
	return func(n int) []s3test.Object {
		portion := objects[min(n*size, len(objects)):min((n+1)*size, len(objects))]
		for _, o := range portion {
			maps.Copy(b.want, eventsOf(b.T, o.Body))
		}
		b.random.Shuffle(len(portion), func(i, j int) { portion[i], portion[j] = portion[j], portion[i] })
		return portion
	}
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
