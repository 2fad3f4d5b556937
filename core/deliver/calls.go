package deliver

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/trailship/trailship/plugins/sdk"
	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
)

// Deliver makes the call.
func (c *client) Deliver(ctx context.Context, alerts []sdk.Alert) error {
	return c.deliver(ctx, c.request(alerts))
}

// carry is Deliver for what comes out of the store.
func (c *client) carry(ctx context.Context, p parcel) error {
	if !c.about.Packs || p.includes() {
		alerts, err := p.contents()
		if err != nil {
			return err
		}
		return c.Deliver(ctx, alerts)
	}
	req := c.request(p.labels())
	if err := p.load(req); err != nil {
		return err
	}
	return c.deliver(ctx, req)
}

func (c *client) request(alerts []sdk.Alert) *pb.DeliverRequest {
	req := &pb.DeliverRequest{BatchId: strconv.FormatInt(c.batches.Add(1), 10), Alerts: make([]*pb.Alert, len(alerts))}
	messages := make([]pb.Alert, len(alerts)) // one allocation for all
	for i, a := range alerts {
		m := &messages[i]
		m.Id, m.RuleId, m.Severity, m.EventTime = a.ID, a.RuleID, a.Severity, a.Time.UnixMilli()
		m.Attempt, m.Key, m.Json = uint32(a.Attempt), a.Key, a.JSON
		req.Alerts[i] = m
	}
	return req
}

func (c *client) deliver(ctx context.Context, req *pb.DeliverRequest) error {
	resp, err := c.rpc.Deliver(ctx, req)
	if err != nil {
		return c.deliverError(err, len(req.Alerts))
	}
	c.pause.Store(min(max(resp.ThrottleMs, 0), maxAfter.Milliseconds()))
	failed := sdk.Failed{}
	for _, f := range resp.Failed {
		failed[f.GetId()] = failureOf(f)
	}
	if len(failed) == 0 {
		return nil
	}
	return failed
}

// failureOf turns a failure on the wire into the error the plugin returned.
func failureOf(f *pb.Failure) error {
	err := errors.New(shorten(f.GetMessage()))
	switch {
	case f.GetClass() == pb.Failure_PERMANENT:
		return sdk.Permanent(err)
	case f.GetRetryAfterMs() > 0:
		return sdk.RetryAfter(err, time.Duration(min(f.RetryAfterMs, maxAfter.Milliseconds()))*time.Millisecond)
	}
	return err
}

// deliverError judges a call without an answer, as output.proto says.
func (c *client) deliverError(err error, alerts int) error {
	code := status.Code(err)
	err = c.callError(err)
	if alerts == 1 && (code == codes.InvalidArgument || code == codes.ResourceExhausted) {
		return sdk.Permanent(err)
	}
	return err
}

// callError says what a failed call means: a dead process or the plugin's own
// words.
func (c *client) callError(err error) error {
	if status.Code(err) == codes.Unavailable {
		// The connection breaks a moment before the process is reaped.
		select {
		case <-c.proc.exited:
		case <-time.After(exitGrace):
		}
	}
	select {
	case <-c.proc.exited:
		return fmt.Errorf("%w: %s", errCrashed, c.proc.words())
	default:
	}
	switch s := status.Convert(err); s.Code() {
	case codes.DeadlineExceeded:
		return errOverdue
	case codes.Internal:
		return fmt.Errorf("%w: %s", errCrashed, shorten(s.Message()))
	case codes.Unknown:
		return errors.New(shorten(s.Message()))
	default:
		return fmt.Errorf("%s: %s", s.Code(), shorten(s.Message()))
	}
}

// errOverdue is the error of a call the plugin did not answer in time.
var errOverdue = errors.New("the plugin did not answer in time")

// shorten bounds a plugin's words.
func shorten(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= maxReason {
		return text
	}
	return strings.ToValidUTF8(text[:maxReason], "") + "…"
}

func (c *client) reopen(ctx context.Context) error {
	_, err := c.rpc.Reopen(ctx, &pb.ReopenRequest{})
	if err == nil || status.Code(err) == codes.Unimplemented {
		return nil
	}
	return c.callError(err)
}
