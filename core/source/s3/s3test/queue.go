package s3test

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Queue is an SQS queue in this process, with a clock of its own: time passes
// only when Advance says so, also for long polls. Safe for concurrent use.
type Queue struct {
	URL string
	// Visibility is how long a received message is hidden when the receiver
	// does not say; set it before the queue is used.
	Visibility time.Duration

	mu       sync.Mutex
	now      time.Time
	messages []*message
	made     int            // messages and receipts so far
	calls    map[string]int // by action
	failures map[string]int // by action: how many more calls fail
	polls    int            // long polls that wait
	changed  chan struct{}  // closed and renewed with every change
}

type message struct {
	id, body, receipt string
	receives          int
	visible           time.Time
}

// queuePath is where the one queue of a server is.
const queuePath = "/000000000000/trails"

// NewQueue starts a queue that stops with the test.
func NewQueue(t testing.TB) *Queue {
	q := &Queue{
		Visibility: 30 * time.Second, now: time.Date(2026, 8, 3, 9, 0, 0, 0, time.UTC),
		calls: map[string]int{}, failures: map[string]int{}, changed: make(chan struct{}),
	}
	server := httptest.NewServer(q)
	t.Cleanup(server.Close)
	q.URL = server.URL + queuePath
	return q
}

// Send puts messages into the queue.
func (q *Queue) Send(bodies ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, body := range bodies {
		q.send(body)
	}
}

func (q *Queue) send(body string) *message {
	q.made++
	m := &message{id: fmt.Sprintf("00000000-0000-4000-8000-%012d", q.made), body: body}
	q.messages = append(q.messages, m)
	q.news()
	return m
}

func (q *Queue) news() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// Advance lets time pass: messages reappear, long polls end.
func (q *Queue) Advance(d time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.now = q.now.Add(d)
	q.news()
}

// Fail makes the next n calls of an action ("ReceiveMessage") fail.
func (q *Queue) Fail(action string, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failures[action] = n
}

// Len returns how many messages were not deleted: those to be received now,
// and those that somebody has.
func (q *Queue) Len() (waiting, received int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.messages {
		if m.visible.After(q.now) {
			received++
		} else {
			waiting++
		}
	}
	return waiting, received
}

// Calls returns how often each action was called.
func (q *Queue) Calls() map[string]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return maps.Clone(q.calls)
}

// ServeHTTP implements http.Handler: the JSON form of the SQS protocol.
func (q *Queue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	var in request
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, "SerializationException", err.Error())
		return
	}
	if !strings.HasSuffix(in.QueueURL, queuePath) {
		refuse(w, http.StatusBadRequest, "QueueDoesNotExist", "The specified queue does not exist.")
		return
	}
	if q.fails(action) {
		refuse(w, http.StatusInternalServerError, "InternalError", "told to fail")
		return
	}
	out, err := q.do(r.Context(), action, in)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.code, err.message)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_ = json.NewEncoder(w).Encode(out)
}

type request struct {
	QueueURL                             string `json:"QueueUrl"`
	MessageBody, ReceiptHandle           string
	MaxNumberOfMessages, WaitTimeSeconds int
	VisibilityTimeout                    *int
	Entries                              []struct {
		ID                         string `json:"Id"`
		MessageBody, ReceiptHandle string
		VisibilityTimeout          *int
	}
}

type failure struct{ code, message string }

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amzn-Query-Error", code+";Sender")
	w.WriteHeader(status)
	fmt.Fprint(w, text(map[string]string{"__type": "com.amazonaws.sqs#" + code, "message": message}))
}

// fails counts a call and says whether it was told to fail.
func (q *Queue) fails(action string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.calls[action]++
	q.news()
	if q.failures[action] > 0 {
		q.failures[action]--
		return true
	}
	return false
}

func (q *Queue) do(ctx context.Context, action string, in request) (any, *failure) {
	switch action {
	case "ReceiveMessage":
		return map[string]any{"Messages": q.receive(ctx, in)}, nil
	case "SendMessage":
		q.mu.Lock()
		defer q.mu.Unlock()
		return map[string]string{"MessageId": q.send(in.MessageBody).id, "MD5OfMessageBody": md5of(in.MessageBody)}, nil
	case "DeleteMessage":
		q.delete(in.ReceiptHandle)
		return struct{}{}, nil
	case "ChangeMessageVisibility":
		return struct{}{}, q.hide(in.ReceiptHandle, in.VisibilityTimeout)
	case "GetQueueAttributes":
		waiting, received := q.Len()
		return map[string]any{"Attributes": map[string]string{
			"ApproximateNumberOfMessages": strconv.Itoa(waiting), "ApproximateNumberOfMessagesNotVisible": strconv.Itoa(received),
			"VisibilityTimeout": strconv.Itoa(int(q.Visibility / time.Second)),
		}}, nil
	}
	return q.batch(action, in)
}

// batch is the actions that do several things at once.
func (q *Queue) batch(action string, in request) (any, *failure) {
	done, failed := []any{}, []any{}
	for _, e := range in.Entries {
		var why *failure
		switch action {
		case "DeleteMessageBatch":
			q.delete(e.ReceiptHandle)
		case "ChangeMessageVisibilityBatch":
			why = q.hide(e.ReceiptHandle, e.VisibilityTimeout)
		default:
			return nil, &failure{"InvalidAction", action + " is not known here"}
		}
		if why == nil {
			done = append(done, map[string]string{"Id": e.ID})
		} else {
			failed = append(failed, map[string]any{"Id": e.ID, "Code": why.code, "Message": why.message, "SenderFault": true})
		}
	}
	return map[string]any{"Successful": done, "Failed": failed}, nil
}

// receive waits for messages and hands out some, each under a new receipt.
func (q *Queue) receive(ctx context.Context, in request) (out []any) {
	q.mu.Lock()
	defer q.mu.Unlock()
	until := q.now.Add(time.Duration(in.WaitTimeSeconds) * time.Second)
	q.polls++
	defer func() { q.polls-- }()
	q.news()
	q.wait(ctx, func() bool {
		out = q.take(in)
		return len(out) > 0 || !q.now.Before(until)
	})
	return out
}

// wait waits until the condition holds; false when ctx ends before. q.mu is
// held, but for while it waits.
func (q *Queue) wait(ctx context.Context, holds func() bool) bool {
	for !holds() {
		changed := q.changed
		q.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		q.mu.Lock()
		if ctx.Err() != nil {
			return false
		}
	}
	return true
}

// Polled waits until a long poll waits; false when ctx ends before.
func (q *Queue) Polled(ctx context.Context) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.wait(ctx, func() bool { return q.polls > 0 })
}

// Called waits until an action ("ReceiveMessage") was called n times; false when
// ctx ends before.
func (q *Queue) Called(ctx context.Context, action string, n int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.wait(ctx, func() bool { return q.calls[action] >= n })
}

func (q *Queue) take(in request) []any {
	visibility := q.Visibility
	if in.VisibilityTimeout != nil {
		visibility = time.Duration(*in.VisibilityTimeout) * time.Second
	}
	out := []any{}
	for _, m := range q.messages {
		if m.visible.After(q.now) || len(out) == max(1, in.MaxNumberOfMessages) {
			continue
		}
		q.made++
		m.receipt, m.visible = fmt.Sprintf("receipt-%d", q.made), q.now.Add(visibility)
		m.receives++
		out = append(out, map[string]any{
			"MessageId": m.id, "ReceiptHandle": m.receipt, "Body": m.body, "MD5OfBody": md5of(m.body),
			"Attributes": map[string]string{"ApproximateReceiveCount": strconv.Itoa(m.receives)},
		})
	}
	return out
}

// delete removes the message that was received last under a receipt; a stale
// receipt removes nothing, as with SQS, and is no error.
func (q *Queue) delete(receipt string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, m := range q.messages {
		if m.receipt == receipt {
			q.messages = append(q.messages[:i], q.messages[i+1:]...)
			q.news()
			return
		}
	}
}

// hide sets how long a received message stays hidden from now on.
func (q *Queue) hide(receipt string, seconds *int) *failure {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.messages {
		if m.receipt != receipt {
			continue
		}
		if !m.visible.After(q.now) {
			return &failure{"MessageNotInflight", "the message is visible again"}
		}
		if seconds != nil {
			m.visible = q.now.Add(time.Duration(*seconds) * time.Second)
			q.news()
		}
		return nil
	}
	return &failure{"ReceiptHandleIsInvalid", "no message has this receipt"}
}

func md5of(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}
