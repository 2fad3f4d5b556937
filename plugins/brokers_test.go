package plugins_test

import (
	"bytes"
	"context"
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

// intoKafka is a topic as the conformance suite reads it, intoKafkaUntilAll one
// that holds every hostile value.
func intoKafka(t *testing.T) sdktest.Plugin {
	plugin, topic := ontoTopic(t)
	plugin.ReadBack = topic.held
	return plugin
}

func intoKafkaUntilAll(t *testing.T) sdktest.Plugin {
	plugin, topic := ontoTopic(t)
	plugin.ReadBack = topic.all
	return plugin
}

// ontoTopic starts brokers that act on the suite's words, and reads their topic
// along.
func ontoTopic(t *testing.T) (sdktest.Plugin, *bin) {
	brokers, err := kfake.NewCluster(kfake.SeedTopics(2, "alerts"), kfake.EnableSASL(), kfake.Superuser("PLAIN", "trailship", "s3cr3t-password"),
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
	return sdktest.Plugin{
		Config: asJSON(t, map[string]any{
			"brokers": brokers.ListenAddrs(), "topic": "alerts", "compression": "none", "max_message": "32MiB", "timeout": "20s",
			"sasl": map[string]any{"mechanism": "PLAIN", "username": "trailship", "password": "s3cr3t-password"},
		}),
	}, reading(t, brokers)
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

// reading reads a topic until the test ends.
func reading(t *testing.T, brokers *kfake.Cluster) *bin {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers.ListenAddrs()...), kgo.ConsumeTopics("alerts"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SASL(plain.Auth{User: "trailship", Pass: "s3cr3t-password"}.AsMechanism()))
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
