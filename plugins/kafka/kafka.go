// Package kafka is the output that writes each alert as a record of a Kafka
// topic. A batch is acknowledged when all in-sync replicas of every partition
// have it.
package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/dustin/go-humanize"
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

// or returns v, or fallback when v is zero.
func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
