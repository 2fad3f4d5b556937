package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/plugins/sdk"
	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
)

// liar is a plugin without the SDK whose every answer is nonsense. It tells a
// lie about each alert once, then takes it.
type liar struct {
	pb.UnimplementedOutputServer
	path string
	told map[string]bool
}

// serveLies is the main function of such a program, without encryption.
func serveLies() {
	socket := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer()
	pb.RegisterOutputServer(server, &liar{told: map[string]bool{}})
	fmt.Printf("1|1|unix|%s|grpc|\n", socket)
	go server.Serve(listener)
	io.Copy(io.Discard, os.Stdin)
}

func (l *liar) Describe(context.Context, *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	return &pb.DescribeResponse{
		Name: strings.Repeat("liar\n\x1b[31m", 100_000), Version: "\x00", ConfigSchema: []byte("{"),
		MaxAlerts: math.MaxUint32, MaxBytes: math.MaxUint32,
	}, nil
}

func (l *liar) Configure(_ context.Context, req *pb.ConfigureRequest) (*pb.ConfigureResponse, error) {
	var config struct{ Path string }
	err := json.Unmarshal(req.Config, &config)
	l.path = config.Path
	return &pb.ConfigureResponse{}, err
}

// lies are answers about an alert, by the first word of its id.
var lies = map[string]func(id string) *pb.DeliverResponse{
	"negative": func(id string) *pb.DeliverResponse {
		return &pb.DeliverResponse{Failed: []*pb.Failure{{Id: id, Class: 77, RetryAfterMs: math.MinInt64}}, ThrottleMs: math.MinInt64}
	},
	"strangers": func(id string) *pb.DeliverResponse {
		return &pb.DeliverResponse{Failed: []*pb.Failure{{Id: "who"}, {Id: ""}, {Id: strings.Repeat("x", 1<<20), Class: pb.Failure_PERMANENT}, {Id: id}, {Id: id}}}
	},
	"wordy": func(id string) *pb.DeliverResponse {
		return &pb.DeliverResponse{Failed: []*pb.Failure{{Id: id, Message: strings.Repeat("words\n", 500_000)}}}
	},
	"tired": func(string) *pb.DeliverResponse { return &pb.DeliverResponse{ThrottleMs: math.MaxInt64} },
	"large": func(id string) *pb.DeliverResponse {
		return &pb.DeliverResponse{Failed: []*pb.Failure{{Id: id, Message: strings.Repeat("x", 5<<20)}}}
	},
}

func (l *liar) Deliver(_ context.Context, req *pb.DeliverRequest) (*pb.DeliverResponse, error) {
	a := req.Alerts[0]
	verb, _, _ := strings.Cut(a.Id, "-")
	if lie := lies[verb]; lie != nil && !l.told[a.Id] {
		l.told[a.Id] = true
		return lie(a.Id), nil
	}
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for _, a := range req.Alerts {
		fmt.Fprintln(f, a.Id)
	}
	return &pb.DeliverResponse{}, nil
}

func TestAPluginThatAnswersNonsenseHarmsNothing(t *testing.T) {
	o := pluginOutput(t, "liar", map[string]any{"path": "OUT"})
	o.TLS, o.MaxBatch = false, 1
	got, dead, log := deliverTo(t, o, "negative-1", "strangers-1", "wordy-1", "large-1", "a-1")
	slices.Sort(got)
	if diff := cmp.Diff([]string{"a-1", "negative-1", "strangers-1", "wordy-1"}, got); diff != "" {
		t.Error(diff)
	}
	// What cannot even be received is the answer of a plugin that cannot take it.
	if len(dead) != 1 || !strings.Contains(dead["large-1"], "received message larger than max") {
		t.Errorf("dead letters: %v", dead)
	}
	for line := range strings.Lines(log) {
		if len(line) > 4*maxReason {
			t.Errorf("a line of %d bytes in the log: %.200s", len(line), line)
		}
	}
}

func TestAPauseIsShownAndBounded(t *testing.T) {
	o := pluginOutput(t, "liar", recordConfig{Path: filepath.Join(t.TempDir(), "out")})
	o.TLS, o.MaxBatch = false, 1
	log, text := debugLog()
	s := &outlet{}
	s.raise("tired-1", "a-1")
	d := run(t, o, s, log)
	eventually(t, "the pause is shown", func() bool { return !d.Status().Retry.IsZero() })
	if st := d.Status(); !st.Up || time.Until(st.Retry) > maxAfter || time.Until(st.Retry) < maxAfter/2 {
		t.Errorf("%+v", st)
	}
	if want := "the output asked for a pause"; !strings.Contains(text.String(), want) {
		t.Errorf("%q is not in the log:\n%s", want, text.String())
	}
}

func TestAPluginThatHangsInACallIsStartedAgain(t *testing.T) {
	o := pluginOutput(t, "record", recording)
	o.Timeout = 300 * time.Millisecond
	got, _, log := deliverTo(t, o, "freeze-1", "a-1")
	slices.Sort(got)
	if diff := cmp.Diff([]string{"a-1", "freeze-1"}, slices.Compact(got)); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(log, "did not answer in time") {
		t.Error(log)
	}
}

// told answers each call with what it holds.
type told struct {
	pb.OutputClient
	deliver   *pb.DeliverResponse
	configure *pb.ConfigureResponse
}

func (f told) Deliver(context.Context, *pb.DeliverRequest, ...grpc.CallOption) (*pb.DeliverResponse, error) {
	return f.deliver, nil
}

func (f told) Configure(context.Context, *pb.ConfigureRequest, ...grpc.CallOption) (*pb.ConfigureResponse, error) {
	return f.configure, nil
}

// FuzzAnswers: whatever a plugin answers, each alert of the batch is done, dead
// or waits for another try, none for longer than the longest pause, and what
// is kept of the plugin's words is bounded.
func FuzzAnswers(f *testing.F) {
	for _, lie := range lies {
		text, err := proto.Marshal(lie("a"))
		if err != nil {
			f.Fatal(err)
		}
		if len(text) < 1<<20 {
			f.Add(text)
		}
	}
	f.Add([]byte{0x0a, 0x00, 0x0a, 0x03, 0x0a, 0x01, 'b'})
	wrong, _ := proto.Marshal(&pb.ConfigureResponse{Errors: []*pb.ConfigError{{Pointer: "/a/b", Message: "no"}, {}}})
	f.Add(wrong)
	f.Fuzz(func(t *testing.T, answer []byte) {
		response, refusal := &pb.DeliverResponse{}, &pb.ConfigureResponse{}
		if proto.Unmarshal(answer, response) == nil {
			judgesAll(t, response)
		}
		if proto.Unmarshal(answer, refusal) != nil {
			return
		}
		c := &client{rpc: told{configure: refusal}, proc: newProcess(Output{Program: []string{"/x"}}, "/", nil)}
		if err := c.configure(t.Context(), Output{}); (err == nil) != (len(refusal.Errors) == 0) {
			t.Errorf("%d errors became %v", len(refusal.Errors), err)
		} else if err != nil && len(err.Error()) > maxErrors*3*maxReason {
			t.Errorf("%d bytes of errors", len(err.Error()))
		}
	})
}

func judgesAll(t *testing.T, response *pb.DeliverResponse) {
	c := &client{rpc: told{deliver: response}}
	q := newQueue(Output{}.withDefaults(), nil)
	batch := []store.Queued{{Seq: 1, Alert: store.Alert{ID: "a"}}, {Seq: 2, Alert: store.Alert{ID: "b"}}, {Seq: 3, Alert: store.Alert{ID: ""}}}
	alerts := []sdk.Alert{{ID: "a"}, {ID: "b"}, {ID: ""}}
	now := time.Unix(1_772_409_600, 0)
	v := q.judge(batch, c.Deliver(t.Context(), alerts), now)

	accounted := slices.Clone(v.done)
	for _, d := range v.dead {
		accounted = append(accounted, d.Seq)
		if len(d.Reason) > maxReason+10 {
			t.Errorf("a reason of %d bytes", len(d.Reason))
		}
	}
	for seq, a := range q.attempts {
		accounted = append(accounted, seq)
		if wait := a.due.Sub(now); wait <= 0 || wait > maxAfter {
			t.Errorf("alert %d is tried again after %s", seq, wait)
		}
	}
	slices.Sort(accounted)
	if diff := cmp.Diff([]uint64{1, 2, 3}, accounted); diff != "" {
		t.Errorf("%v: %s", response, diff)
	}
	if pause := c.pause.Load(); pause < 0 || pause > maxAfter.Milliseconds() {
		t.Errorf("a pause of %d ms", pause)
	}
}
