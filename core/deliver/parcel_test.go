package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/s2"
	"google.golang.org/grpc"

	"github.com/trailship/trailship/core/store"
	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
)

// together are alerts with these ids as a store gives them out that were stored
// together, some of them perhaps for somebody else.
func together(first uint64, ids ...string) (alerts []store.Queued) {
	pack := &store.Pack{Alerts: len(ids)}
	var json, rest []byte
	for i, id := range ids {
		event, raw := fmt.Sprintf(`{"event":%q}`, id), fmt.Sprintf(`{"raw":%q}`, id)
		alerts = append(alerts, store.Queued{
			Seq: first + uint64(i), Alert: store.Alert{ID: id, Time: time.Unix(1, 0)},
			Part: store.Part{Pack: pack, JSONAt: len(json), RestAt: len(rest), Size: store.Size{JSON: len(finding(id)), Event: len(event), Raw: len(raw)}},
		})
		json = append(json, finding(id)...)
		rest = append(append(rest, event...), raw...)
	}
	pack.JSON, pack.Rest = s2.Encode(nil, json), s2.Encode(nil, rest)
	return alerts
}

// finding has the beginning and the end of those that event.Include knows.
func finding(id string) string {
	return fmt.Sprintf(`{"evidences":[{"api":{}}],"message":%q,"unmapped":{"record":1}}`, id)
}

// listener is the client of a plugin that remembers what it is sent.
type listener struct {
	pb.OutputClient
	sent *pb.DeliverRequest
}

func (l *listener) Deliver(_ context.Context, req *pb.DeliverRequest, _ ...grpc.CallOption) (*pb.DeliverResponse, error) {
	l.sent = req
	return &pb.DeliverResponse{}, nil
}

// sent is what a plugin is sent of a batch: each alert as `id json`, a packed one
// as `id +size`, and then the packs, unpacked.
func sent(t *testing.T, o Output, packs bool, batch []store.Queued) (all []string) {
	t.Helper()
	l := &listener{}
	c := &client{rpc: l, about: &pb.DescribeResponse{Packs: packs}}
	p := parcel{&o, batch, func(seq uint64) int { return int(seq) }}
	if err := c.carry(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	for _, a := range l.sent.Alerts {
		if a.JsonSize > 0 {
			a.Json = fmt.Appendf(a.Json, "+%d", a.JsonSize)
		}
		all = append(all, fmt.Sprintf("%s#%d %s", a.Id, a.Attempt, a.Json))
	}
	for _, pack := range l.sent.Packs {
		json, err := s2.Decode(nil, pack)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(json))
	}
	return all
}

func TestWhatWasStoredTogetherIsSentAsItLiesThere(t *testing.T) {
	batch := func() []store.Queued {
		others := together(4, "mine", "not mine", "mine too")
		return slices.Concat(
			together(1, "a", "b", "c"),
			others[:1], others[2:],
			together(7, "alone", "and another")[:1],
			together(8, "d", "e"),
			together(10, "half", "of it")[:1],
		)
	}
	size := len(finding("a"))
	for _, test := range []struct {
		what   string
		output Output
		packs  bool
		want   []string
	}{
		{"what is all its own comes packed, and nothing else", Output{}, true, []string{
			fmt.Sprintf("a#2 +%d", size), fmt.Sprintf("b#3 +%d", size), fmt.Sprintf("c#4 +%d", size),
			"mine#5 " + finding("mine"), "mine too#7 " + finding("mine too"), "alone#8 " + finding("alone"),
			fmt.Sprintf("d#9 +%d", size), fmt.Sprintf("e#10 +%d", size),
			"half#11 " + finding("half"),
			finding("a") + finding("b") + finding("c"), finding("d") + finding("e"),
		}},
		{"a plugin that reads no packs gets none", Output{}, false, []string{
			"a#2 " + finding("a"), "b#3 " + finding("b"), "c#4 " + finding("c"),
			"mine#5 " + finding("mine"), "mine too#7 " + finding("mine too"), "alone#8 " + finding("alone"),
			"d#9 " + finding("d"), "e#10 " + finding("e"), "half#11 " + finding("half"),
		}},
		{"nothing is packed that more is put into", Output{IncludeEvent: true}, true, []string{
			`a#2 {"evidences":[{"api":{}}],"message":"a","unmapped":{"record":1,"event":{"event":"a"}}}`,
			`b#3 {"evidences":[{"api":{}}],"message":"b","unmapped":{"record":1,"event":{"event":"b"}}}`,
			`c#4 {"evidences":[{"api":{}}],"message":"c","unmapped":{"record":1,"event":{"event":"c"}}}`,
			`mine#5 {"evidences":[{"api":{}}],"message":"mine","unmapped":{"record":1,"event":{"event":"mine"}}}`,
			`mine too#7 {"evidences":[{"api":{}}],"message":"mine too","unmapped":{"record":1,"event":{"event":"mine too"}}}`,
			`alone#8 {"evidences":[{"api":{}}],"message":"alone","unmapped":{"record":1,"event":{"event":"alone"}}}`,
			`d#9 {"evidences":[{"api":{}}],"message":"d","unmapped":{"record":1,"event":{"event":"d"}}}`,
			`e#10 {"evidences":[{"api":{}}],"message":"e","unmapped":{"record":1,"event":{"event":"e"}}}`,
			`half#11 {"evidences":[{"api":{}}],"message":"half","unmapped":{"record":1,"event":{"event":"half"}}}`,
		}},
	} {
		if diff := cmp.Diff(test.want, sent(t, test.output, test.packs, batch())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.what, diff)
		}
	}
}

func TestAPluginUnpacksWhatItIsSent(t *testing.T) {
	s := &outlet{}
	others := together(4, "mine", "not mine", "mine too")
	s.queue = slices.Concat(together(1, "a", "b", "c"), others[:1], others[2:], together(7, "d", "e"))
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	flush(t, run(t, pluginOutput(t, "file", map[string]string{"path": path}), s, nil))
	var want []string
	for _, id := range []string{"a", "b", "c", "mine", "mine too", "d", "e"} {
		want = append(want, finding(id))
	}
	if diff := cmp.Diff(want, lines(t, path)); diff != "" {
		t.Errorf("the file (-want +got):\n%s", diff)
	}
}

// What is damaged is no fault of the output's: nothing is tried again.
func TestAPackThatDoesNotUnpackEndsDelivery(t *testing.T) {
	s := &outlet{queue: together(1, "a", "b")}
	s.queue[0].Part.Pack.JSON = s.queue[0].Part.Pack.JSON[:3]
	d := &Deliverer{Output: Output{Name: "out"}, Store: s, Destination: &fake{}, Log: slog.New(slog.DiscardHandler)}
	if err := d.Run(t.Context()); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("got %v, want damage", err)
	}
}
