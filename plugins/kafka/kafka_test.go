package kafka

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

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
