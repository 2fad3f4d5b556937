package sdktest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/trailship/trailship/plugins/sdk"
	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
)

// configure hands a configuration over and returns what is wrong with it.
func (p *process) configure(ctx context.Context, config []byte) (sdk.Invalids, error) {
	ctx, cancel := context.WithTimeout(ctx, p.suite.call)
	defer cancel()
	resp, err := p.Configure(ctx, &pb.ConfigureRequest{Config: config, Instance: "sdktest", StateDir: p.cmd.Dir})
	if err != nil {
		return nil, p.failed(err)
	}
	var all sdk.Invalids
	for _, e := range resp.Errors {
		p.suite.said.add(e.Pointer + " " + e.Message)
		all = append(all, sdk.Invalid{Pointer: e.Pointer, Message: e.Message})
	}
	return all, nil
}

// configured is configure with a configuration that is good.
func (p *process) configured(ctx context.Context, config []byte) error {
	wrong, err := p.configure(ctx, config)
	if err != nil {
		return fmt.Errorf("answer Configure with errors or none, never with a gRPC status: %w", err)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("accept the configuration of this test, or mend it: %s", oneLine(wrong.Error()))
	}
	return nil
}

// answer is which alerts of a batch failed, by id.
type answer map[string]*pb.Failure

// deliver makes one call and holds the answer against the protocol. The error
// of a call that was answered with a gRPC status wraps it.
func (p *process) deliver(ctx context.Context, alerts ...*pb.Alert) (answer, error) {
	return p.send(ctx, &pb.DeliverRequest{Alerts: alerts})
}

// send is deliver of a request.
func (p *process) send(ctx context.Context, req *pb.DeliverRequest) (answer, error) {
	req.BatchId = fmt.Sprint(p.batches.Add(1))
	resp, err := p.Deliver(ctx, req)
	if err != nil {
		return nil, p.failed(err)
	}
	asked := map[string]bool{}
	for _, a := range req.Alerts {
		asked[a.Id] = true
	}
	failed := answer{}
	for _, f := range resp.Failed {
		p.suite.said.add(f.Message)
		switch {
		case !asked[f.Id]:
			return nil, fmt.Errorf("name only alerts of the batch as failed: %q is none", shorten(f.Id))
		case failed[f.Id] != nil:
			return nil, fmt.Errorf("name a failed alert once: %s is there twice", f.Id)
		case strings.TrimSpace(f.Message) == "":
			return nil, errors.New("say in the message of a failure what went wrong: it is empty")
		case f.RetryAfterMs < 0:
			return nil, errors.New("retry_after_ms must not be negative")
		}
		failed[f.Id] = f
	}
	return failed, nil
}

// mustDeliver delivers alerts that a destination in good health takes. It
// grants the pauses the destination asks for.
func (p *process) mustDeliver(ctx context.Context, alerts ...*pb.Alert) error {
	ctx, cancel := context.WithTimeout(ctx, p.suite.batch)
	defer cancel()
	for {
		call, cancel := context.WithTimeout(ctx, p.suite.call)
		if len(alerts) > 100 {
			call = ctx
		}
		failed, err := p.deliver(call, alerts...)
		cancel()
		if err != nil {
			return fmt.Errorf("deliver %s: %w", countOf(alerts), err)
		}
		var pause time.Duration
		if alerts, pause = failed.later(alerts); len(failed) == 0 {
			return nil
		}
		if len(alerts) < len(failed) || pause == 0 {
			return fmt.Errorf("deliver every alert the destination takes: %s", failed)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("deliver every alert in time: %s", failed)
		}
	}
}

// later returns the alerts the destination takes after a pause.
func (a answer) later(alerts []*pb.Alert) (rest []*pb.Alert, pause time.Duration) {
	for _, alert := range alerts {
		if f := a[alert.Id]; f != nil && f.Class == pb.Failure_RETRYABLE && f.RetryAfterMs > 0 {
			again := next(alert)
			rest, pause = append(rest, again), max(pause, time.Duration(f.RetryAfterMs)*time.Millisecond)
		}
	}
	return rest, pause
}

// String names one failure and how many there are.
func (a answer) String() string {
	for id, f := range a {
		return fmt.Sprintf("%d failed, among them %s: %s (%s)", len(a), id, shorten(f.Message), f.Class)
	}
	return "none failed"
}

func countOf(alerts []*pb.Alert) string {
	if len(alerts) == 1 {
		return "an alert"
	}
	return fmt.Sprintf("a batch of %d alerts", len(alerts))
}

// failed turns the error of a call into words, and remembers them. It wraps
// the status.
func (p *process) failed(err error) error {
	s := status.Convert(err)
	p.suite.said.add(s.Message())
	if s.Code() == codes.Unavailable && p.ended(time.Second) {
		return &callError{"the process ended (" + p.words() + ")", err}
	}
	switch s.Code() {
	case codes.DeadlineExceeded:
		return &callError{"there was no answer in time", err}
	case codes.OK:
		return err
	}
	return &callError{fmt.Sprintf("the answer was %s: %s", s.Code(), shorten(s.Message())), err}
}

type callError struct {
	text string
	err  error
}

func (e *callError) Error() string              { return e.text }
func (e *callError) Unwrap() error              { return e.err }
func (e *callError) GRPCStatus() *status.Status { return status.Convert(e.err) }

// oneLine makes a line of a plugin's words.
func oneLine(text string) string { return shorten(strings.ReplaceAll(text, "\n", "; ")) }

// readStdio reads what a Go plugin prints after its handshake: go-plugin hands
// it over with a call of its own. A plugin without that call is left alone.
func readStdio(conn *grpc.ClientConn, said *transcript) {
	out := &lines{each: func(line string) { said.line(&said.stdout, line) }}
	stream, err := conn.NewStream(context.Background(), &grpc.StreamDesc{ServerStreams: true}, "/plugin.GRPCStdio/StreamStdio")
	if err != nil || stream.SendMsg(&emptypb.Empty{}) != nil || stream.CloseSend() != nil {
		return
	}
	for {
		// The message is go-plugin's own: its bytes are field 2.
		var chunk emptypb.Empty
		if stream.RecvMsg(&chunk) != nil {
			return
		}
		for b := []byte(chunk.ProtoReflect().GetUnknown()); len(b) > 0; {
			number, kind, n := protowire.ConsumeField(b)
			if n < 0 {
				return
			}
			if _, _, tag := protowire.ConsumeTag(b); number == 2 && kind == protowire.BytesType {
				text, _ := protowire.ConsumeBytes(b[tag:])
				out.Write(text)
			}
			b = b[n:]
		}
	}
}
