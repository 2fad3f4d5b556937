package kafka

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/trailship/trailship/plugins/sdk"
)

// producer is the Output.
type producer struct {
	options []kgo.Opt
	topic   topic
	byID    bool
	timeout time.Duration

	client *kgo.Client // nil before the first batch
	known  bool        // the brokers answered, and nothing failed since
}

// Deliver writes the alerts, all at once, and waits for every answer.
func (p *producer) Deliver(ctx context.Context, alerts []sdk.Alert) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	if err := p.create(); err != nil {
		return err
	}
	defer p.endWith(ctx)()
	if err := p.connect(ctx); err != nil {
		return err
	}
	failed := p.write(ctx, alerts)
	if len(failed) == 0 {
		return nil
	}
	p.known = false
	if recreated(failed) {
		// The client knows the topic by its former id. A new one asks.
		p.client.Close()
		p.client = nil
	}
	return failed
}

// write writes the alerts and names those it could not write.
func (p *producer) write(ctx context.Context, alerts []sdk.Alert) sdk.Failed {
	records := make([]*kgo.Record, len(alerts))
	ids := make(map[*kgo.Record]string, len(alerts))
	for i, a := range alerts {
		records[i] = p.record(a)
		ids[records[i]] = a.ID
	}
	failed := sdk.Failed{}
	for _, r := range p.produce(ctx, records) {
		if r.Err != nil {
			failed[ids[r.Record]] = explain(r.Record.Topic, inTime(ctx, r.Err))
		}
	}
	return failed
}

// create makes the client, which calls nobody yet.
func (p *producer) create() (err error) {
	if p.client == nil {
		p.client, err = kgo.NewClient(p.options...)
		p.known = false
	}
	return err
}

// endWith ends the client when the context ends before the function it returns
// is called: on its own the client waits for brokers beyond the end. What has no
// answer then comes again, with its id.
func (p *producer) endWith(ctx context.Context) (release func()) {
	ended := make(chan struct{})
	client := p.client
	stop := context.AfterFunc(ctx, func() {
		client.Close()
		close(ended)
	})
	return func() {
		if !stop() {
			<-ended
			p.client = nil
		}
	}
}

// inTime is the context's error for what it ended.
func inTime(ctx context.Context, err error) error {
	if errors.Is(err, kgo.ErrClientClosed) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// recreated says whether a topic was removed and made again.
func recreated(failed sdk.Failed) bool {
	for _, err := range failed {
		if errors.Is(err, kerr.UnknownTopicID) {
			return true
		}
	}
	return false
}

// connect asks the brokers for an answer when there was none yet or something
// failed: it says what is wrong with the connection, where a record only says
// that its time is over.
func (p *producer) connect(ctx context.Context) error {
	if p.known {
		return nil
	}
	if err := p.client.Ping(ctx); err != nil {
		return unreachable(inTime(ctx, err))
	}
	p.known = true
	return nil
}

// produce writes the records. The brokers refuse a whole request for one
// record that is too large for them: then each is sent alone.
func (p *producer) produce(ctx context.Context, records []*kgo.Record) kgo.ProduceResults {
	results := p.client.ProduceSync(ctx, records...)
	if len(records) == 1 {
		return results
	}
	for i, r := range results {
		if errors.Is(r.Err, kerr.MessageTooLarge) {
			results[i] = p.client.ProduceSync(ctx, again(r.Record))[0]
			results[i].Record = r.Record
		}
	}
	return results
}

// again is a record as it was before it was sent.
func again(r *kgo.Record) *kgo.Record {
	return &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: r.Headers}
}

// record is an alert as it is written. Its time is the time of writing, which
// is what the brokers keep records by.
func (p *producer) record(a sdk.Alert) *kgo.Record {
	key := a.Key
	if p.byID || key == "" {
		key = a.ID
	}
	return &kgo.Record{
		Topic: p.topic.of(a), Key: []byte(key), Value: a.JSON,
		Headers: []kgo.RecordHeader{
			{Key: "id", Value: []byte(a.ID)},
			{Key: "rule", Value: []byte(a.RuleID)},
			{Key: "severity", Value: []byte(a.Severity)},
			{Key: "content-type", Value: []byte("application/json")},
		},
	}
}

// Close ends the connections. Everything acknowledged is with the brokers.
func (p *producer) Close() error {
	if p.client != nil {
		p.client.Close()
		p.client = nil
	}
	return nil
}

// logger passes on what the client warns of: why it tries again.
type logger struct{}

func (logger) Level() kgo.LogLevel { return kgo.LogLevelWarn }

func (logger) Log(_ kgo.LogLevel, text string, attrs ...any) { slog.Warn(text, attrs...) }
