package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/trailship/trailship/core/source/s3/s3test"
)

func TestNotificationsBringObjectsAndTheListingBringsTheRest(t *testing.T) {
	bridge := s3test.NewBridge(t)
	bridge.Drop = func(key string) bool { return strings.Contains(key, "eu-west-1") }
	queue := s3test.StartFauxqs(t, 5)
	bridge.Connect(queue.Send)
	b := newBucketTest(t, fmt.Sprintf(`, poll: 1s, sqs: %q`, queue.URL), s3test.Options{Webhook: bridge.URL})
	b.start()
	objects := b.fresh(7, 80)
	b.gateway.PutAll(t, bucket, objects)
	b.gateway.Put(t, bucket, "AWSLogs/ignored.txt", nil)
	b.eventually("the queue was told", func() bool {
		told, dropped := bridge.Told()
		return told+dropped == len(objects)+1
	})
	if err := bridge.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.complete()
	b.eventually("the queue is empty", func() bool {
		waiting, received := queue.Len(t)
		return waiting+received == 0
	})
	told, dropped := bridge.Told()
	t.Logf("%d objects were announced, %d were not", told, dropped)

	// Junk and news of other things leave as well, and nothing suffers.
	for _, body := range []string{"junk", "{}", s3test.TestEvent(bucket), s3test.S3Event(s3test.Notice{Bucket: "another", Key: "x.json"}),
		s3test.S3Event(s3test.Notice{Bucket: bucket, Key: objects[0].Key, Event: "ObjectRemoved:Delete"}),
		s3test.CloudTrail(bucket, "AWSLogs/never/there.json.gz")} {
		if err := queue.Send(t.Context(), body); err != nil {
			t.Fatal(err)
		}
	}
	b.eventually("the queue is empty again", func() bool {
		waiting, received := queue.Len(t)
		return waiting+received == 0
	})
	if code := b.stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestNotificationsAreNotLostWhenTheDaemonIsKilled(t *testing.T) {
	bridge := s3test.NewBridge(t)
	queue := s3test.StartFauxqs(t, 2)
	bridge.Connect(queue.Send)
	b := newBucketTest(t, fmt.Sprintf(`, poll: 1h, sqs: %q`, queue.URL), s3test.Options{Webhook: bridge.URL})
	for n := range 4 {
		b.start()
		b.gateway.PutAll(t, bucket, b.fresh(uint64(200+n), 20))
		have := len(b.alerts())
		b.eventually("some are alerted", func() bool { return len(b.alerts()) > have || len(b.alerts()) == len(b.want) })
		b.kill()
	}
	if err := bridge.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.complete()
	b.eventually("the queue is empty", func() bool {
		waiting, received := queue.Len(t)
		return waiting+received == 0
	})
	b.stop()
}

func TestAQueueThatIsNotThereDoesNotKeepTheListingFromReading(t *testing.T) {
	b := newBucketTest(t, `, poll: 100ms, sqs: "http://127.0.0.1:1/000000000000/trails"`, s3test.Options{})
	b.gateway.PutAll(t, bucket, b.fresh(16, 10))
	b.start()
	b.complete()
	b.hears("the queue cannot be reached: check")
	if code := b.stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

// A message is deleted when its object is committed, not when it was received:
// killed in between, the daemon reads the object in its next life, though no
// listing shows it.
func TestAMessageOutlivesADaemonThatIsKilledBeforeTheCommit(t *testing.T) {
	queue := s3test.StartFauxqs(t, 2)
	b := newBucketTest(t, fmt.Sprintf(`, poll: 1h, sqs: %q`, queue.URL), s3test.Options{})
	b.proxy.Break(s3test.Fault{Op: s3test.List, Hide: func(string) bool { return true }})
	asked, killed := make(chan struct{}, 10), make(chan struct{})
	slow := b.proxy.Break(s3test.Fault{Op: s3test.Get, Before: func(*http.Request) {
		asked <- struct{}{}
		<-killed
	}})
	object := b.fresh(17, 1)[0]
	b.gateway.Put(t, bucket, object.Key, object.Body)
	if err := queue.Send(t.Context(), s3test.CloudTrail(bucket, object.Key)); err != nil {
		t.Fatal(err)
	}
	b.start()
	<-asked
	b.kill()
	close(killed)
	slow()
	if waiting, received := queue.Len(t); waiting+received != 1 {
		t.Fatalf("%d messages are in the queue, want the one that was not committed", waiting+received)
	}
	b.start()
	b.complete()
	b.eventually("the queue is empty", func() bool {
		waiting, received := queue.Len(t)
		return waiting+received == 0
	})
	if n := b.metric("trailship_source_notifications_total", `result="object"`); n != 1 {
		t.Errorf("%v objects were announced to the second life, want 1", n)
	}
	b.stop()
}
