package sdk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
)

// grpcPlugin is go-plugin's door to server.
type grpcPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	server *server
}

func (p *grpcPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	s.RegisterService(service(), p.server)
	return nil
}

func (p *grpcPlugin) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("this is the plugin's side")
}

// server answers the daemon's calls with an Output.
type server struct {
	pb.UnimplementedOutputServer
	name     string
	schema   []byte
	open     func(ctx context.Context, config []byte, hide func([]string)) (Output, error)
	redactor *redactor

	turn chan struct{} // holds one token while the Output is being called

	mu     sync.Mutex
	output Output // nil before Configure and after Drain
}

func (s *server) Describe(context.Context, *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	return &pb.DescribeResponse{Name: s.name, Version: version(), ConfigSchema: s.schema, Packs: true}, nil
}

func (s *server) Configure(ctx context.Context, req *pb.ConfigureRequest) (resp *pb.ConfigureResponse, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.output != nil {
		return nil, status.Error(codes.FailedPrecondition, "the output is configured already")
	}
	defer func() {
		if p := recover(); p != nil {
			resp, err = nil, s.panicked(p)
		}
	}()
	output, err := s.open(ctx, req.Config, s.redactor.hide)
	if err == nil {
		s.output = output
		return &pb.ConfigureResponse{}, nil
	}
	resp = &pb.ConfigureResponse{}
	for _, e := range invalids(err) {
		resp.Errors = append(resp.Errors, &pb.ConfigError{Pointer: e.Pointer, Message: s.redactor.redact(e.Message)})
	}
	return resp, nil
}

func (s *server) Deliver(ctx context.Context, req *pb.DeliverRequest) (*pb.DeliverResponse, error) {
	done, output, err := s.take(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	ctx, cancel := early(ctx)
	defer cancel()
	if len(req.Alerts) == 0 {
		return &pb.DeliverResponse{}, nil
	}
	alerts := make([]Alert, len(req.Alerts))
	for i, a := range req.Alerts {
		alerts[i] = Alert{
			ID: a.Id, RuleID: a.RuleId, Severity: a.Severity, Time: time.UnixMilli(a.EventTime).UTC(),
			Attempt: int(a.Attempt), Key: a.Key, JSON: a.Json,
		}
	}
	err, panicked := s.deliver(ctx, output, alerts)
	if panicked {
		return nil, status.Error(codes.Internal, s.redactor.redact(err.Error()))
	}
	return s.failures(alerts, err), nil
}

// early returns a context that ends a little before ctx does, so that an
// Output that gives up in time can still say which alerts it delivered.
func early(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, end.Add(-min(time.Until(end)/10, time.Second)))
}

// deliver calls the Output. After a panic nobody knows what state it is in: the
// daemon starts another process.
func (s *server) deliver(ctx context.Context, output Output, alerts []Alert) (err error, panicked bool) {
	defer func() {
		if p := recover(); p != nil {
			err, panicked = s.panicked(p), true
		}
	}()
	return output.Deliver(ctx, alerts), false
}

// failures says of each alert what its error means.
func (s *server) failures(alerts []Alert, err error) *pb.DeliverResponse {
	resp := &pb.DeliverResponse{}
	if err == nil {
		return resp
	}
	var some Failed
	isSome := errors.As(err, &some)
	for _, a := range alerts {
		cause := err
		if isSome {
			if cause = some[a.ID]; cause == nil {
				continue
			}
		}
		isPermanent, after := Judge(cause)
		f := &pb.Failure{Id: a.ID, Message: s.redactor.redact(cause.Error()), RetryAfterMs: after.Milliseconds()}
		if isPermanent {
			f.Class = pb.Failure_PERMANENT
		}
		resp.Failed = append(resp.Failed, f)
	}
	return resp
}

func (s *server) Reopen(ctx context.Context, _ *pb.ReopenRequest) (*pb.ReopenResponse, error) {
	done, output, err := s.take(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if r, ok := output.(Reopener); ok {
		if err := r.Reopen(); err != nil {
			return nil, status.Error(codes.Unknown, s.redactor.redact(err.Error()))
		}
	}
	return &pb.ReopenResponse{}, nil
}

func (s *server) Drain(ctx context.Context, _ *pb.DrainRequest) (resp *pb.DrainResponse, err error) {
	done, output, err := s.take(ctx)
	if status.Code(err) == codes.Unavailable {
		return &pb.DrainResponse{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer done()
	defer func() {
		if p := recover(); p != nil {
			resp, err = nil, s.panicked(p)
		}
	}()
	s.mu.Lock()
	s.output = nil
	s.mu.Unlock()
	if err := output.Close(); err != nil {
		return nil, status.Error(codes.Unknown, s.redactor.redact(err.Error()))
	}
	return &pb.DrainResponse{}, nil
}

// take waits for its turn with the Output, which done ends. There is none
// before Configure and after Drain.
func (s *server) take(ctx context.Context) (done func(), output Output, err error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, status.FromContextError(ctx.Err()).Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.output == nil {
		<-s.turn
		return nil, nil, status.Error(codes.Unavailable, "the output is not open")
	}
	return func() { <-s.turn }, s.output, nil
}

// borrows says whether the Output keeps nothing of a batch.
func (s *server) borrows() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.output.(Borrower)
	return ok
}

// panicked logs where the plugin broke and returns what the daemon is told.
func (s *server) panicked(p any) error {
	text := s.redactor.redact(fmt.Sprint(p))
	slog.Error("the plugin panicked", "panic", text, "stack", string(debug.Stack()))
	return fmt.Errorf("the plugin panicked: %s", text)
}
