package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/trailship/trailship/plugins/sdk"
)

// judged returns what becomes of each alert that failed, without the words of
// the library.
func judged(t *testing.T, err error) []string {
	t.Helper()
	var failed sdk.Failed
	if !errors.As(err, &failed) {
		t.Fatalf("not the error of some alerts: %v", err)
	}
	var all []string
	for _, id := range slices.Sorted(maps.Keys(failed)) {
		fate := "again"
		if permanent, _ := sdk.Judge(failed[id]); permanent {
			fate = "never"
		}
		text, _, _ := strings.Cut(failed[id].Error(), ": "+kerrOf(failed[id]))
		all = append(all, id+" "+fate+" "+text)
	}
	return all
}

// kerrOf is the beginning of the protocol's error in another.
func kerrOf(err error) string {
	var k *kerr.Error
	if errors.As(err, &k) {
		return k.Message
	}
	return "context deadline exceeded"
}

func TestOneThatIsTooLargeDoesNotTakeTheOthersWithIt(t *testing.T) {
	for name, c := range map[string]config{
		"for the topic":   {Compression: "none", MaxMessage: 8 << 20},
		"for max_message": {Compression: "none", MaxMessage: 50_000},
	} {
		t.Run(name, func(t *testing.T) {
			brokers := cluster(t, kfake.BrokerConfigs(map[string]string{"message.max.bytes": "60000"}))
			alerts := []sdk.Alert{
				{ID: "a", Key: "k", JSON: []byte("{}")},
				{ID: "large", Key: "k", JSON: []byte(`{"x":"` + strings.Repeat("x", 100_000) + `"}`)},
				{ID: "b", Key: "k", JSON: []byte("{}")},
			}
			err := opened(t, brokers, c).Deliver(t.Context(), alerts)
			want := []string{"large never it is larger than topic alerts or max_message allows: raise the topic's max.message.bytes and max_message, or leave out include"}
			if diff := cmp.Diff(want, judged(t, err)); diff != "" {
				t.Error(diff)
			}
			if got := written(t, brokers, "alerts", 2); len(got) != 2 {
				t.Error(got)
			}
		})
	}
}

// broken makes the brokers answer every write with an error until it is
// mended.
func broken(brokers *kfake.Cluster, err *kerr.Error) (mend func()) {
	return brokers.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: err, Count: -1}).Remove
}

func TestWhatAnOperatorCanMendIsTriedAgain(t *testing.T) {
	for _, test := range []struct {
		err  *kerr.Error
		want string
	}{
		{kerr.TopicAuthorizationFailed, "a again this user may not write to topic alerts: allow it Write and Describe"},
		{kerr.ClusterAuthorizationFailed, "a again this user may not write idempotently: allow it IdempotentWrite on the cluster (Kafka before 3.0 asks for it)"},
		{kerr.KafkaStorageError, "a again the brokers did not acknowledge it for topic alerts in time"},
		{kerr.InvalidRecord, "a never the brokers refuse the record for topic alerts"},
		{kerr.PolicyViolation, "a again writing to topic alerts"},
	} {
		t.Run(test.err.Message, func(t *testing.T) {
			brokers := cluster(t)
			mend := broken(brokers, test.err)
			out := opened(t, brokers, config{Timeout: 300 * time.Millisecond})
			batch := []sdk.Alert{{ID: "a"}}
			if diff := cmp.Diff([]string{test.want}, judged(t, out.Deliver(t.Context(), batch))); diff != "" {
				t.Error(diff)
			}
			mend()
			out.(*producer).timeout = 20 * time.Second
			if err := out.Deliver(t.Context(), batch); err != nil {
				t.Error(err)
			}
			written(t, brokers, "alerts", 1)
		})
	}
}

func TestABrokerThatMovesIsFollowed(t *testing.T) {
	brokers := cluster(t)
	out := opened(t, brokers, config{})
	for i := range 6 {
		for p := range 3 {
			if err := brokers.MoveTopicPartition("alerts", int32(p), int32(i%2)); err != nil {
				t.Fatal(err)
			}
		}
		if err := out.Deliver(t.Context(), []sdk.Alert{{ID: "a", Key: "1"}, {ID: "b", Key: "2"}, {ID: "c", Key: "3"}}); err != nil {
			t.Fatal(err)
		}
	}
	if got := written(t, brokers, "alerts", 18); len(got) != 18 {
		t.Error(len(got))
	}
}

func TestTheBrokersThatAreGoneComeAgain(t *testing.T) {
	brokers := cluster(t)
	out := opened(t, brokers, config{Timeout: time.Second})
	batch := []sdk.Alert{{ID: "a"}}
	if err := out.Deliver(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	var ports []int
	for _, addr := range brokers.ListenAddrs() {
		_, port, _ := net.SplitHostPort(addr)
		n, _ := strconv.Atoi(port)
		ports = append(ports, n)
	}
	brokers.Close()
	for range 2 { // the second time it says what is wrong with the connection
		if err := out.Deliver(t.Context(), batch); err == nil {
			t.Fatal("acknowledged by nobody")
		}
	}
	err := out.Deliver(t.Context(), batch)
	if want := "no broker answers: check brokers, the network, tls and sasl: "; !strings.HasPrefix(fmt.Sprint(err), want) {
		t.Error(err)
	}
	// The topic that comes back was made anew, as after a loss of everything.
	again := cluster(t, kfake.Ports(ports...))
	out.(*producer).timeout = 20 * time.Second
	if err := out.Deliver(t.Context(), batch); err != nil {
		if err = out.Deliver(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	written(t, again, "alerts", 1)
}

func TestACancelledBatchEndsAndLeavesNothingRunning(t *testing.T) {
	brokers := cluster(t)
	before := goleak.IgnoreCurrent()
	reached := make(chan struct{}, 16)
	answer := make(chan struct{})
	brokers.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		brokers.KeepControl()
		select {
		case reached <- struct{}{}:
		default:
		}
		brokers.SleepControl(func() { <-answer })
		return nil, nil, false
	})
	out, err := config{Brokers: brokers.ListenAddrs(), Topic: "alerts"}.open()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-reached
		cancel()
	}()
	err = out.Deliver(ctx, []sdk.Alert{{ID: "a"}, {ID: "b"}})
	if !errors.Is(err.(sdk.Failed)["a"], context.Canceled) || !errors.Is(err.(sdk.Failed)["b"], context.Canceled) {
		t.Error(err)
	}
	close(answer)
	// The alerts come again, and the output still works.
	if err := out.Deliver(t.Context(), []sdk.Alert{{ID: "a"}, {ID: "b"}}); err != nil {
		t.Error(err)
	}
	if err := out.Close(); err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, before)
}

func TestABrokerThatSaysNothingIsLeftWhenTheTimeIsOver(t *testing.T) {
	before := goleak.IgnoreCurrent()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var silent sync.WaitGroup
	silent.Go(func() {
		if conn, err := l.Accept(); err == nil {
			cancel()
			io.Copy(io.Discard, conn) // until the output is gone
			conn.Close()
		}
	})
	out, err := config{Brokers: []string{l.Addr().String()}, Topic: "alerts"}.open()
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Deliver(ctx, []sdk.Alert{{ID: "a"}}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	silent.Wait()
	l.Close()
	goleak.VerifyNone(t, before)
}
