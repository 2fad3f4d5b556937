package s3

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"

	"github.com/trailship/trailship/core/source"
)

// Queue is the notifications of a Source, as a source of its own under the
// same name and with the same ledger: what the queue announces is read at
// once, and what the Source's listings find is what it did not announce.
//
// A message is deleted when everything it announced is committed, and kept
// from others while that is being read. What could not be read is received
// again later. Messages that announce nothing of the Source, or nothing at
// all, are deleted too: the queue must be the Source's own.
type Queue struct {
	*Source
	api        *sqs.Client
	visibility time.Duration
	greeted    bool      // a receive that did not wait has shown that it works
	extended   time.Time // when messages were last kept hidden
}

// Queue returns the source of what SQS announces. Call it before the Source's
// first Scan, and once.
func (s *Source) Queue() *Queue {
	s.waiting = newDeliveries()
	return &Queue{Source: s}
}

const (
	defaultVisibility = 2 * time.Minute
	longPoll          = 20 * time.Second
	received          = 10 // messages at a time, at most
)

// Scan implements source.Source: it waits for messages, once, and hands out
// what they announce.
func (q *Queue) Scan(ctx context.Context, ledger source.Ledger, yield func(source.Object) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &scan{Source: q.Source, ctx: ctx, ledger: ledger, yield: yield, now: q.now()}
	if c.globs, err = q.globs(); err != nil {
		return err
	}
	if c.bucket, err = q.connect(ctx); err != nil {
		return err
	}
	if err := q.attach(ctx); err != nil {
		return err
	}
	if err := c.settleStart(); err != nil {
		return err
	}
	tending, stop := context.WithCancel(ctx)
	var aside sync.WaitGroup
	aside.Go(func() { q.tend(tending) })
	defer aside.Wait()
	defer stop()

	messages, err := q.receive(ctx)
	if err != nil {
		return err
	}
	return q.handOut(c, messages)
}

// Wait implements source.Source: Scan itself waits.
func (q *Queue) Wait(ctx context.Context) error { return ctx.Err() }

// Finish implements source.Finisher: it settles the messages that announced
// the object.
func (s *Source) Finish(_ context.Context, o source.Object) error {
	s.waiting.finish(o.Key, o.Done.Version)
	return nil
}

// attach connects to the queue.
func (q *Queue) attach(ctx context.Context) error {
	if q.api != nil {
		return nil
	}
	cfg, err := q.awsConfig(ctx)
	if err != nil {
		return err
	}
	if m := queueHost.FindStringSubmatch(q.SQS.URL); m != nil {
		cfg.Region = m[1]
	}
	api := sqs.NewFromConfig(cfg, func(o *sqs.Options) {
		if at := q.endpoint(); at != "" {
			o.BaseEndpoint = &at
		}
	})
	if q.visibility = q.SQS.Visibility; q.visibility == 0 {
		q.visibility = q.ownVisibility(ctx, api)
	}
	q.api = api
	q.waiting.mu.Lock()
	q.waiting.since = q.now()
	q.waiting.mu.Unlock()
	return nil
}

// queueHost finds the region in the address of a queue of AWS.
var queueHost = regexp.MustCompile(`^https://(?:[a-z0-9-]+\.)?sqs\.([a-z0-9-]+)\.amazonaws\.com`)

// endpoint is where the queue's service is, if it is not AWS.
func (q *Queue) endpoint() string {
	if q.SQS.Endpoint != "" || queueHost.MatchString(q.SQS.URL) {
		return q.SQS.Endpoint
	}
	u, err := url.Parse(q.SQS.URL)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// ownVisibility asks for how long the queue hides messages from others.
func (q *Queue) ownVisibility(ctx context.Context, api *sqs.Client) time.Duration {
	out, err := api.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &q.SQS.URL, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameVisibilityTimeout},
	}, func(o *sqs.Options) { o.RetryMaxAttempts = 1 }) // not worth waiting for
	if err != nil {
		q.log().Debug("the queue does not tell its visibility timeout", "source", q.Name, "error", err)
		return defaultVisibility
	}
	seconds, _ := strconv.Atoi(out.Attributes[string(types.QueueAttributeNameVisibilityTimeout)])
	if seconds == 0 {
		return defaultVisibility
	}
	return time.Duration(seconds) * time.Second
}

// receive waits for messages; the first time it only looks, so that whoever
// waits for the source to work need not wait for news.
func (q *Queue) receive(ctx context.Context) ([]types.Message, error) {
	free, err := q.free(ctx)
	if err != nil {
		return nil, err
	}
	wait := q.SQS.Wait
	if wait == 0 {
		wait = longPoll
	}
	if !q.greeted {
		wait = 0
	}
	out, err := q.api.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &q.SQS.URL, MaxNumberOfMessages: int32(free),
		WaitTimeSeconds: int32(wait / time.Second), VisibilityTimeout: int32(q.visibility / time.Second),
	})
	if err != nil {
		return nil, q.explain(ctx, queueing, "", err)
	}
	q.greeted = true
	return out.Messages, nil
}

// free waits until there is a worker that could read what is received, and
// returns how many messages to ask for.
func (q *Queue) free(ctx context.Context) (messages int, err error) {
	for q.SQS.Workers > 0 {
		if free := q.SQS.Workers - q.waiting.reading(); free > 0 {
			return min(free, received), nil
		}
		select {
		case <-q.waiting.freed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return received, nil
}

// handOut hands out what the messages announce. All of them are held before
// the first object goes to a reader, which may take its time.
func (q *Queue) handOut(c *scan, messages []types.Message) error {
	hidden := time.Now().Add(q.visibility)
	var objects []object
	for _, m := range messages {
		announced, ok := q.announced(c, aws.ToString(m.Body))
		if !ok {
			continue
		}
		q.waiting.hold(&delivery{receipt: aws.ToString(m.ReceiptHandle), hidden: hidden}, announced)
		objects = append(objects, announced...)
	}
	for _, o := range objects {
		if err := q.offer(c, o); err != nil {
			return err
		}
	}
	return nil
}

// announced returns the objects a message announces and that are wanted. It is
// not ok when that could not be found out; the message comes again.
func (q *Queue) announced(c *scan, body string) (objects []object, ok bool) {
	news, ok := parse(body)
	switch {
	case !ok:
		q.log().Warn("a message is no notification of new objects; it is deleted", "source", q.Name, "message", body[:min(len(body), 200)])
		q.Metrics.notified(q.Name, "unreadable")
	case len(news) == 0:
		q.Metrics.notified(q.Name, "ignored")
	}
	for _, n := range news {
		if n.bucket != q.Bucket || !hasPrefix(n.key, q.Prefix) || !c.wanted(n.key) {
			q.Metrics.notified(q.Name, "foreign")
			continue
		}
		o, err := q.look(c, n)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			q.Metrics.notified(q.Name, "gone")
		case err != nil:
			q.log().Warn("an announced object cannot be looked at; its message comes again", "source", q.Name, "error", err)
			return nil, false
		case o.modified.Before(c.startsAt()):
			q.Metrics.notified(q.Name, "old")
		default:
			objects = append(objects, o)
		}
	}
	return objects, true
}

func hasPrefix(key, prefix string) bool {
	return len(key) >= len(prefix) && key[:len(prefix)] == prefix
}

// look turns a notice into the object as it would be listed. What the notice
// does not say, or says that decides, is asked for.
func (q *Queue) look(c *scan, n notice) (object, error) {
	if n.version == "" || hasPrefix(n.version, unversioned) || n.at.Before(c.startsAt()) {
		return c.bucket.head(c.ctx, n.key)
	}
	return object{key: n.key, version: n.version, size: n.size, modified: n.at}, nil
}

// offer hands out one announced object.
func (q *Queue) offer(c *scan, o object) error {
	unit, done, err := c.unit(o)
	if err != nil {
		return err
	}
	if done {
		q.Metrics.notified(q.Name, "known")
		q.waiting.finish(o.key, o.version)
		return nil
	}
	q.Metrics.notified(q.Name, "object")
	read := unit.Open
	unit.Open = func(ctx context.Context) (io.ReadCloser, error) {
		q.waiting.moved(o.key, open, time.Time{})
		r, err := read(ctx)
		if err != nil {
			q.failed(o, err)
			return nil, err
		}
		return &tracked{ReadCloser: r, queue: q, object: o}, nil
	}
	err = c.yield(unit)
	// Whoever reads it says so at once; otherwise somebody else does already,
	// or it has to wait because it failed before.
	q.waiting.moved(o.key, given, time.Now().Add(q.visibility))
	return err
}

// failed says that an object could not be read: it is not there any more, or
// its messages come again.
func (q *Queue) failed(o object, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		q.waiting.finish(o.key, o.version)
		return
	}
	q.waiting.moved(o.key, failed, time.Time{})
}

// tracked is an announced object being read.
type tracked struct {
	io.ReadCloser
	queue  *Queue
	object object
	err    error
}

func (t *tracked) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		t.err = err
	}
	return n, err
}

// Close begins the time in which the object should be committed.
func (t *tracked) Close() error {
	if t.err != nil {
		t.queue.failed(t.object, t.err)
	} else {
		t.queue.waiting.moved(t.object.key, closed, time.Now().Add(t.queue.visibility))
	}
	return t.ReadCloser.Close()
}

// tend deletes messages that are settled and keeps those hidden that are at
// work, until ctx ends.
func (q *Queue) tend(ctx context.Context) {
	for {
		select {
		case <-q.waiting.news:
			q.delete(ctx)
		case <-time.After(time.Until(q.extended.Add(max(q.visibility/3, 100*time.Millisecond)))):
			q.extended = time.Now()
			q.extend(ctx)
		case <-ctx.Done():
			q.delete(ctx)
			return
		}
	}
}

// aside is how long a request to the queue may take that nobody waits for.
const aside = 10 * time.Second

// delete deletes settled messages. One that cannot be deleted comes again, and
// is known then.
func (q *Queue) delete(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), aside)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(parallel)
	for _, receipt := range q.waiting.settled() {
		g.Go(func() error {
			_, err := q.api.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &q.SQS.URL, ReceiptHandle: &receipt})
			if err != nil {
				q.log().Warn("a message could not be deleted and comes again", "source", q.Name, "error", q.explain(ctx, queueing, "", err))
				return nil
			}
			q.Metrics.notified(q.Name, "deleted")
			return nil
		})
	}
	_ = g.Wait()
}

// extend keeps messages hidden.
func (q *Queue) extend(ctx context.Context) {
	now := time.Now()
	var g errgroup.Group
	g.SetLimit(parallel)
	for _, receipt := range q.waiting.extend(now, now.Add(q.visibility)) {
		g.Go(func() error {
			_, err := q.api.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
				QueueUrl: &q.SQS.URL, ReceiptHandle: &receipt, VisibilityTimeout: int32(q.visibility / time.Second),
			})
			if err != nil && ctx.Err() == nil {
				q.log().Warn("a message could not be kept hidden while it is worked on; others may read the same", "source", q.Name, "error", q.explain(ctx, queueing, "", err))
			}
			return nil
		})
	}
	_ = g.Wait()
}
