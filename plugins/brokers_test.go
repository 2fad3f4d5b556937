package plugins_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/trailship/trailship/plugins/sdk/sdktest"
)

// intoKafka is a topic that is read along, intoKafkaToTheEnd one that is read
// once, when nobody writes any more.
func intoKafka(t *testing.T) sdktest.Plugin {
	brokers := startBrokers(t)
	return sdktest.Plugin{Config: kafkaConfig(t, brokers), ReadBack: reading(t, brokers).held}
}

func intoKafkaToTheEnd(t *testing.T) sdktest.Plugin {
	brokers := startBrokers(t)
	return sdktest.Plugin{Config: kafkaConfig(t, brokers), ReadBack: func(ctx context.Context) ([]string, error) { return readToTheEnd(ctx, brokers) }}
}

func kafkaConfig(t *testing.T, brokers *kfake.Cluster) json.RawMessage {
	return asJSON(t, map[string]any{
		"brokers": brokers.ListenAddrs(), "topic": "alerts", "compression": "none", "max_message": "32MiB", "timeout": "20s",
		"sasl": map[string]any{"mechanism": "PLAIN", "username": "trailship", "password": "s3cr3t-password"},
	})
}

// partitions of the topic.
const partitions = 2

// startBrokers starts brokers that act on the suite's words.
func startBrokers(t *testing.T) *kfake.Cluster {
	brokers, err := kfake.NewCluster(kfake.SeedTopics(partitions, "alerts"), kfake.EnableSASL(), kfake.Superuser("PLAIN", "trailship", "s3cr3t-password"),
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": "33554432"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(brokers.Close)
	brokers.Fault(
		kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.MessageTooLarge, Count: -1, When: writes(sdktest.Refuse)},
		kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1, When: writes(sdktest.Busy)},
	)
	end := make(chan struct{})
	brokers.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		brokers.KeepControl()
		if writes(sdktest.Slow)(r) {
			brokers.SleepControl(func() {
				select {
				case <-end:
				case <-time.After(30 * time.Second):
				}
			})
			return nil, errors.New("the record comes too late"), true
		}
		return nil, nil, false
	})
	t.Cleanup(func() { close(end) })
	return brokers
}

// writes says whether a request holds a record with a word.
func writes(word string) func(kmsg.Request) bool {
	return func(r kmsg.Request) bool {
		p, ok := r.(*kmsg.ProduceRequest)
		if !ok {
			return false
		}
		for _, topic := range p.Topics {
			for _, partition := range topic.Partitions {
				if bytes.Contains(partition.Records, []byte(word)) {
					return true
				}
			}
		}
		return false
	}
}

// reading reads the topic until the test ends.
func reading(t *testing.T, brokers *kfake.Cluster) *bin {
	client, err := consume(brokers)
	if err != nil {
		t.Fatal(err)
	}
	var got bin
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			client.PollFetches(ctx).EachRecord(func(r *kgo.Record) { got.add(string(r.Value)) })
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		client.Close()
	})
	return &got
}

// readToTheEnd reads the topic as far as a last record of its own in each
// partition.
func readToTheEnd(ctx context.Context, brokers *kfake.Cluster) (items []string, err error) {
	client, err := consume(brokers, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	for p := range int32(partitions) {
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: "alerts", Partition: p, Value: []byte(lastItem)}).FirstErr(); err != nil {
			return nil, err
		}
	}
	for ends := 0; ends < partitions; {
		fetched := client.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			return nil, err
		}
		fetched.EachRecord(func(r *kgo.Record) {
			if string(r.Value) == lastItem {
				ends++
				return
			}
			items = append(items, string(r.Value))
		})
	}
	return items, nil
}

// consume opens a client that reads the topic from its beginning.
func consume(brokers *kfake.Cluster, more ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(more, kgo.SeedBrokers(brokers.ListenAddrs()...), kgo.ConsumeTopics("alerts"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SASL(plain.Auth{User: "trailship", Pass: "s3cr3t-password"}.AsMechanism()))...)
}
