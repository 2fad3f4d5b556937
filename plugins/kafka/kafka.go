// Package kafka is the output that writes each alert as a record of a Kafka
// topic. A batch is acknowledged when all in-sync replicas of every partition
// have it.
package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/trailship/trailship/plugins/sdk"
)

// Serve is the plugin's main function.
func Serve() {
	sdk.Serve("kafka", func(_ context.Context, c config) (sdk.Output, error) { return c.open() })
}

type config struct {
	Brokers     []string      `json:"brokers" required:"true" doc:"Some of the brokers, each HOST:PORT; the others are learned from them"`
	Topic       string        `json:"topic" required:"true" doc:"The topic; {severity} and {rule} stand for the alert's"`
	Key         string        `json:"key" enum:"dedup,id" default:"dedup" doc:"The record's key: the alert's dedup key, so that alerts about one thing stay in order, or its id"`
	Compression string        `json:"compression" enum:"zstd,lz4,snappy,gzip,none" default:"zstd" doc:"Of the records"`
	MaxMessage  size          `json:"max_message" default:"1MiB" doc:"The largest record the topic takes: its max.message.bytes"`
	Timeout     time.Duration `json:"timeout" default:"30s" doc:"Of one batch"`
	SASL        *login        `json:"sasl" doc:"Who trailship is"`
	TLS         *sdk.TLS      `json:"tls" doc:"Talk TLS; {} trusts the system's certificates"`
}

// size is a number of bytes, written 1048576 or 1MiB.
type size uint64

func (s *size) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil {
		return errors.New("must be a size such as 1MiB")
	}
	*s = size(n)
	return nil
}

// The bounds of max_message: those of the client.
const (
	minMessage = 512
	maxMessage = 64 << 20
)

// recordRetries is how often a record is sent again before the daemon is told;
// a broker that moves is back by then.
const recordRetries = 4

// open reads the configuration; nobody is called.
func (c config) open() (sdk.Output, error) {
	topic, err := parseTopic(c.Topic)
	errs := []error{checkBrokers(c.Brokers), err}
	limit := or(c.MaxMessage, 1<<20)
	if limit < minMessage || limit > maxMessage {
		errs = append(errs, sdk.Invalidf("/max_message", "must be between 512 bytes and 64MiB"))
	}
	mechanism, err := c.SASL.mechanism()
	errs = append(errs, err)
	var secure *tls.Config
	if c.TLS != nil {
		secure, err = c.TLS.Config("/tls")
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID("trailship"),
		kgo.RequiredAcks(kgo.AllISRAcks()), // with idempotence, the client's default
		kgo.ProducerBatchCompression(codecs[or(c.Compression, "zstd")], kgo.NoCompression()),
		kgo.ProducerBatchMaxBytes(int32(limit)),
		kgo.DialTimeout(5 * time.Second),
		kgo.RecordRetries(recordRetries),
		kgo.MetadataMinAge(time.Second), // between looks for a partition that moved
		kgo.WithLogger(logger{}),
	}
	if mechanism != nil {
		options = append(options, kgo.SASL(mechanism))
	}
	if secure != nil {
		options = append(options, kgo.DialTLSConfig(secure))
	}
	return &producer{options: options, topic: topic, byID: c.Key == "id", timeout: or(c.Timeout, 30*time.Second)}, nil
}

var codecs = map[string]kgo.CompressionCodec{
	"zstd":   kgo.ZstdCompression(),
	"lz4":    kgo.Lz4Compression(),
	"snappy": kgo.SnappyCompression(),
	"gzip":   kgo.GzipCompression(),
	"none":   kgo.NoCompression(),
}

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

// or returns v, or fallback when v is zero.
func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
