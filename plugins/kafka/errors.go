package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/trailship/trailship/plugins/sdk"
)

// unreachable says why no broker answered.
func unreachable(err error) error {
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return fmt.Errorf("the brokers do not take this user and password: check sasl: %w", err)
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return fmt.Errorf("the brokers do not know this mechanism: check sasl.mechanism: %w", err)
	}
	return fmt.Errorf("no broker answers: check brokers, the network, tls and sasl: %w", err)
}

// explain says what an error of one record means and what to do. What an
// operator can mend is tried again; what is wrong with the record itself is
// not.
func explain(topic string, err error) error {
	switch {
	case errors.Is(err, kerr.MessageTooLarge):
		return sdk.Permanent(fmt.Errorf("it is larger than topic %s or max_message allows: raise the topic's max.message.bytes and max_message, or leave out include: %w", topic, err))
	case errors.Is(err, kerr.InvalidRecord):
		return sdk.Permanent(fmt.Errorf("the brokers refuse the record for topic %s: %w", topic, err))
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		return fmt.Errorf("there is no topic %s: create it, or check topic; trailship does not create topics: %w", topic, err)
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return fmt.Errorf("this user may not write to topic %s: allow it Write and Describe: %w", topic, err)
	case errors.Is(err, kerr.ClusterAuthorizationFailed):
		return fmt.Errorf("this user may not write idempotently: allow it IdempotentWrite on the cluster (Kafka before 3.0 asks for it): %w", err)
	case errors.Is(err, kerr.NotEnoughReplicas), errors.Is(err, kerr.NotEnoughReplicasAfterAppend):
		return fmt.Errorf("topic %s has fewer in-sync replicas than its min.insync.replicas: see to the brokers: %w", topic, err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, kgo.ErrRecordTimeout):
		return fmt.Errorf("the brokers did not acknowledge it for topic %s in time: %w", topic, err)
	}
	return fmt.Errorf("writing to topic %s: %w", topic, err)
}
