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
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/trailship/trailship/plugins/sdk"
)

// cluster returns brokers inside the test: franz-go's kfake, which speaks the
// real protocol over real connections.
func cluster(t testing.TB, options ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(2), kfake.SeedTopics(3, "alerts")}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// opened returns an output over brokers that ends with the test.
func opened(t testing.TB, brokers *kfake.Cluster, c config) sdk.Output {
	t.Helper()
	if c.Brokers == nil {
		c.Brokers = brokers.ListenAddrs()
	}
	c.Topic = or(c.Topic, "alerts")
	out, err := c.open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	return out
}

// written waits for n records of a topic and returns them, sorted, as text.
func written(t *testing.T, brokers *kfake.Cluster, topic string, n int, options ...kgo.Opt) []string {
	t.Helper()
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(brokers.ListenAddrs()...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var all []string
	for len(all) < n {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%v: %v", err, all)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			text := fmt.Sprintf("%s=%s", r.Key, r.Value)
			for _, h := range r.Headers {
				text += fmt.Sprintf(" %s:%s", h.Key, h.Value)
			}
			all = append(all, text)
		})
	}
	slices.Sort(all)
	return all
}

func TestAnAlertIsARecordUnderItsKey(t *testing.T) {
	brokers := cluster(t)
	alerts := []sdk.Alert{
		{ID: "i1", RuleID: "r", Severity: "high", Key: "mallory", JSON: []byte(`{"a":1}`)},
		{ID: "i2", RuleID: "s\r\nX: 1", Severity: "low", JSON: []byte(`{"b":"\n"}`)},
	}
	if err := opened(t, brokers, config{}).Deliver(t.Context(), alerts); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`i2={"b":"\n"} id:i2 rule:s` + "\r\n" + `X: 1 severity:low content-type:application/json`,
		`mallory={"a":1} id:i1 rule:r severity:high content-type:application/json`,
	}
	if diff := cmp.Diff(want, written(t, brokers, "alerts", 2)); diff != "" {
		t.Error(diff)
	}
}

func TestTheKeyMayBeTheAlertsID(t *testing.T) {
	brokers := cluster(t)
	if err := opened(t, brokers, config{Key: "id"}).Deliver(t.Context(), []sdk.Alert{{ID: "i1", Key: "mallory", JSON: []byte("{}")}}); err != nil {
		t.Fatal(err)
	}
	want := []string{"i1={} id:i1 rule: severity: content-type:application/json"}
	if diff := cmp.Diff(want, written(t, brokers, "alerts", 1)); diff != "" {
		t.Error(diff)
	}
}

func TestATopicIsATopicWhateverTheAlertSays(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, test := range []struct{ template, rule, severity, want string }{
		{"alerts", "r", "low", "alerts"},
		{"alerts-{severity}", "r", "low", "alerts-low"},
		{"{rule}", "kms-key-disabled", "", "kms-key-disabled"},
		{"{rule}", "..", "", "_"},
		{"{rule}", ".", "", "_"},
		{"{rule}", "", "", "_"},
		{"{rule}.{severity}", "../../x\x00\n{severity} ü", "a b", ".._.._x___severity___.a_b"},
		{"a-{rule}", long, "", "a-" + long[:247]},
	} {
		parsed, err := parseTopic(test.template)
		if err != nil {
			t.Fatal(err)
		}
		if got := parsed.of(sdk.Alert{RuleID: test.rule, Severity: test.severity}); got != test.want {
			t.Errorf("%s: %q", test.template, got)
		}
	}
}

func FuzzATopicIsATopic(f *testing.F) {
	f.Add("{rule}-{severity}", "..", "")
	f.Fuzz(func(t *testing.T, template, rule, severity string) {
		parsed, err := parseTopic(template)
		if err != nil || template == "" {
			t.Skip()
		}
		got := parsed.of(sdk.Alert{RuleID: rule, Severity: severity})
		if !legal.MatchString(got) || got == "" || got == "." || got == ".." || len(got) > maxTopic {
			t.Errorf("%q", got)
		}
	})
}

func TestAlertsOfOneBatchGoToTheirTopics(t *testing.T) {
	brokers := cluster(t, kfake.SeedTopics(1, "alerts-low", "alerts-high"))
	err := opened(t, brokers, config{Topic: "alerts-{severity}"}).Deliver(t.Context(), []sdk.Alert{
		{ID: "a", Severity: "low"}, {ID: "b", Severity: "high"}, {ID: "c", Severity: "none"},
	})
	want := []string{"c again there is no topic alerts-none: create it, or check topic; trailship does not create topics"}
	if diff := cmp.Diff(want, judged(t, err)); diff != "" {
		t.Error(diff)
	}
	written(t, brokers, "alerts-low", 1)
	written(t, brokers, "alerts-high", 1)
}

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

func TestNothingIsCalledBeforeTheFirstBatch(t *testing.T) {
	out, err := config{Brokers: []string{"127.0.0.1:1"}, Topic: "alerts"}.open()
	if err != nil {
		t.Fatal(err)
	}
	if out.(*producer).client != nil || out.Close() != nil {
		t.Error("there is a client already")
	}
}

func BenchmarkDeliver(b *testing.B) {
	brokers, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(12, "alerts"), kfake.BlackholeProduce())
	if err != nil {
		b.Fatal(err)
	}
	defer brokers.Close()
	for _, codec := range []string{"zstd", "none"} {
		b.Run(codec, func(b *testing.B) {
			out := opened(b, brokers, config{Compression: codec})
			alerts := make([]sdk.Alert, 1000)
			bytes := 0
			for i := range alerts {
				text := fmt.Sprintf(`{"finding_info":{"uid":"%026d"},"message":"user %d disabled key %d","x":"%s"}`, i, i%17, i*7919, strings.Repeat(strconv.Itoa(i*7919%1000), 220))
				alerts[i] = sdk.Alert{ID: strconv.Itoa(i), RuleID: "r", Severity: "high", Key: strconv.Itoa(i % 50), JSON: []byte(text)}
				bytes += len(text)
			}
			b.SetBytes(int64(bytes))
			for b.Loop() {
				if err := out.Deliver(b.Context(), alerts); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(1000*b.N)/b.Elapsed().Seconds(), "alerts/s")
		})
	}
}
