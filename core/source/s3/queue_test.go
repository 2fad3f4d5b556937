package s3

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/source/s3/s3test"
)

// notified is a world with a queue.
type notified struct {
	*world
	t     *testing.T
	queue *s3test.Queue
	from  *Queue
}

func newNotified(t *testing.T) *notified {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	n := &notified{world: newWorld(t), t: t, queue: s3test.NewQueue(t)}
	n.Source.Credentials = Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}
	n.Source.SQS = SQS{URL: n.queue.URL, Wait: time.Second}
	n.from = n.Source.Queue()
	return n
}

// called waits until an action was called so often, for half a minute at most.
func (n *notified) called(action string, times int) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), 30*time.Second)
	defer cancel()
	if !n.queue.Called(ctx, action, times) {
		n.t.Fatalf("%s was not called %d times", action, times)
	}
}

// receive scans the queue once and hands out to read, which may be nil.
func (n *notified) receive(read func(o source.Object) error) (keys []string) {
	n.t.Helper()
	// The queue's time passes only here: a long poll must end.
	ctx, cancel := context.WithCancel(n.t.Context())
	defer cancel()
	go func() {
		for n.queue.Polled(ctx) {
			n.queue.Advance(time.Second)
		}
	}()
	err := n.from.Scan(ctx, n.ledger, func(o source.Object) error {
		if o.Open == nil {
			return nil
		}
		keys = append(keys, o.Key)
		if read == nil {
			return nil
		}
		return read(o)
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return keys
}

// commit reads an object to its end and commits it.
func (n *notified) commit(o source.Object) error {
	r, err := o.Open(context.Background())
	if err != nil {
		return nil // as ingest does: it is tried again
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		n.t.Error(err)
	}
	r.Close()
	n.ledger.Put(o.Key, o.Done)
	return n.from.Finish(context.Background(), o)
}

// left is how many messages were not deleted.
func (n *notified) left() int {
	waiting, hidden := n.queue.Len()
	return waiting + hidden
}

func (n *notified) notice(key string) s3test.Notice {
	o, err := n.memory.head(context.Background(), key)
	if err != nil {
		n.t.Fatal(err)
	}
	return s3test.Notice{Bucket: "trails", Key: key, Size: o.size, ETag: strings.ToUpper(o.version)}
}

func TestAMessageIsDeletedWhenItsObjectsAreCommitted(t *testing.T) {
	for name, shape := range s3test.Shapes {
		n := newNotified(t)
		n.put("a b+c.json", n.clock)
		n.queue.Send(shape(n.notice("a b+c.json")))
		n.want(name, n.receive(func(o source.Object) error {
			if n.left() != 1 {
				t.Errorf("%s: the message is deleted before its object is read", name)
			}
			return n.commit(o)
		}), "a b+c.json")
		if n.left() != 0 {
			t.Errorf("%s: the message is left", name)
		}
		n.want("what is left for the listing", n.scan())
	}
}

func TestAMessageOfSeveralObjectsWaitsForAll(t *testing.T) {
	n := newNotified(t)
	var notices []s3test.Notice
	for _, key := range []string{"a.json", "b.json", "c.json"} {
		n.put(key, n.clock)
		notices = append(notices, n.notice(key))
	}
	n.queue.Send(s3test.S3Event(notices...))
	failing := true
	read := func(o source.Object) error {
		if o.Key == "b.json" && failing {
			return nil // parked
		}
		return n.commit(o)
	}
	n.want("first", n.receive(read), "a.json", "b.json", "c.json")
	if n.left() != 1 {
		t.Fatalf("%d messages, want the one with an object to read", n.left())
	}
	failing = false
	n.queue.Advance(time.Minute)
	n.want("when it is visible again", n.receive(read), "b.json")
	if n.left() != 0 {
		t.Error("the message is left")
	}
}

func TestWhatTheListingReadSettlesTheMessageToo(t *testing.T) {
	n := newNotified(t)
	n.put("a.json", n.clock)
	n.queue.Send(s3test.S3Event(n.notice("a.json")))
	n.receive(nil) // somebody else has it
	if err := n.Source.Scan(t.Context(), n.ledger, func(o source.Object) error {
		n.ledger.Put(o.Key, o.Done)
		return n.Source.Finish(context.Background(), o)
	}); err != nil {
		t.Fatal(err)
	}
	n.receive(nil)
	if n.left() != 0 {
		t.Error("the message is left")
	}
}

func TestMessagesOfOtherThingsAreDeleted(t *testing.T) {
	n := newNotified(t)
	n.Source.Prefix = "AWSLogs/"
	n.put("AWSLogs/a.json", n.clock)
	other := n.notice("AWSLogs/a.json")
	n.ledger.Put("AWSLogs/a.json", source.Entry{Version: strings.ToLower(other.ETag), Done: true})
	for _, body := range []string{
		"junk", s3test.TestEvent("trails"),
		s3test.S3Event(other), // known
		s3test.S3Event(s3test.Notice{Bucket: "another", Key: "AWSLogs/a.json", ETag: "x"}),
		s3test.S3Event(s3test.Notice{Bucket: "trails", Key: "elsewhere/a.json", ETag: "x"}),
		s3test.S3Event(s3test.Notice{Bucket: "trails", Key: "AWSLogs/1/CloudTrail-Digest/eu-west-1/2026/03/14/a.json.gz", ETag: "x"}),
		s3test.CloudTrail("trails", "AWSLogs/gone.json"),
	} {
		n.queue.Send(body)
	}
	n.want("objects", n.receive(nil))
	n.want("objects", n.receive(nil))
	if n.left() != 0 {
		t.Errorf("%d messages are left", n.left())
	}
}

func TestAMessageStaysHiddenWhileItsObjectIsRead(t *testing.T) {
	n := newNotified(t)
	n.queue.Visibility = time.Second
	n.put("a.json", n.clock)
	n.queue.Send(s3test.S3Event(n.notice("a.json")))
	n.receive(func(o source.Object) error {
		r, err := o.Open(context.Background())
		if err != nil {
			return err
		}
		defer r.Close()
		n.called("ChangeMessageVisibility", 3) // it is extended
		return n.commit(o)
	})
	if n.left() != 0 {
		t.Error("the message is left")
	}
}

func TestListingsCountWhatWasNotAnnounced(t *testing.T) {
	n := newNotified(t)
	n.Source.Metrics = NewMetrics(nil)
	n.receive(nil)
	n.later(time.Minute)
	n.put("a.json", n.clock)
	n.later(time.Hour)
	n.want("found", n.scan(), "a.json")
	n.later(time.Hour)
	n.scan()
	if got := n.waiting.missed(object{key: "a.json", modified: n.clock.Add(-time.Hour)}, n.clock); !got {
		t.Error("it counts as announced")
	}
}

func TestAQueueThatIsNotThere(t *testing.T) {
	n := newNotified(t)
	n.Source.SQS.URL = strings.TrimSuffix(n.queue.URL, "trails") + "tails"
	err := n.from.Scan(t.Context(), n.ledger, func(source.Object) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "there is no such queue: check sqs") {
		t.Errorf("got %v", err)
	}
}

func TestTheQueueEndsWithItsContext(t *testing.T) {
	n := newNotified(t)
	n.receive(nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.from.Scan(ctx, n.ledger, func(source.Object) error { return nil }) }()
	n.called("ReceiveMessage", 2)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestEveryObjectOfAFullQueueIsHandedOutOnce(t *testing.T) {
	n := newNotified(t)
	var want []string
	for i := range 57 {
		key := string(rune('a'+i%26)) + strings.Repeat("x", i) + ".json"
		n.put(key, n.clock)
		n.queue.Send(s3test.EventBridge(n.notice(key)))
		want = append(want, key)
	}
	var got []string
	for len(got) < len(want) {
		got = append(got, n.receive(n.commit)...)
	}
	slices.Sort(got)
	slices.Sort(want)
	n.want("objects", got, want...)
	if n.left() != 0 {
		t.Errorf("%d messages are left", n.left())
	}
}

func TestOnlyWhatFreeWorkersCanTakeIsReceived(t *testing.T) {
	n := newNotified(t)
	n.Source.SQS.Workers = 2
	for _, key := range []string{"a.json", "b.json", "c.json", "d.json"} {
		n.put(key, n.clock)
		n.queue.Send(s3test.S3Event(n.notice(key)))
	}
	var reading []io.ReadCloser
	read := func(o source.Object) error {
		r, err := o.Open(context.Background())
		reading = append(reading, r)
		return err
	}
	n.want("with two free workers", n.receive(read), "a.json", "b.json")
	if _, received := n.queue.Len(); received != 2 {
		t.Errorf("%d messages are taken from others, want 2", received)
	}

	// While both read, nothing is received; when one is through, one is.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := n.from.Scan(ctx, n.ledger, func(source.Object) error { t.Error("something is handed out"); return nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want to wait", err)
	}
	reading[1].Close()
	n.want("with one", n.receive(read), "c.json")
}

// Whoever can write into the queue must not make us read what is read.
func TestAnnouncedVersionsThatAreNoETags(t *testing.T) {
	n := newNotified(t)
	n.put("a.json", n.clock)
	real := n.notice("a.json")
	n.ledger.Put("a.json", source.Entry{Version: strings.ToLower(real.ETag), Done: true})
	for _, etag := range []string{"~1-1", "", "another"} {
		n.queue.Send(s3test.S3Event(s3test.Notice{Bucket: "trails", Key: "a.json", ETag: etag, Size: real.Size}))
		n.receive(func(o source.Object) error {
			if _, err := o.Open(context.Background()); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%q: reading it gives %v", etag, err)
			}
			return nil
		})
	}
	n.receive(nil)
	if n.left() != 0 {
		t.Errorf("%d messages are left", n.left())
	}
}

func TestAMessageOfTenMegabytes(t *testing.T) {
	n := newNotified(t)
	n.queue.Send(`{"Records":[`+strings.Repeat(`{"eventName":"ObjectRemoved:Delete","s3":{}},`, 200_000)+`{}]}`, strings.Repeat("[", 10<<20))
	n.receive(nil)
	n.receive(nil)
	if n.left() != 0 {
		t.Errorf("%d messages are left", n.left())
	}
}
