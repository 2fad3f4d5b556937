// Package sdk is what the author of an output plugin imports. A plugin is a
// main package named trailship-output-NAME that calls Serve with a function
// that turns its configuration into an Output:
//
//	type config struct {
//		URL string `json:"url" doc:"Where to POST each alert" required:"true"`
//	}
//
//	func open(ctx context.Context, c config) (sdk.Output, error) { … }
//
//	func main() { sdk.Serve("my-hook", open) }
//
// Everything around it (processes, encryption, logs, limits, shutdown) is
// Serve's. What goes over the wire is outputpb/output.proto.
package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Output is a destination of alerts. The daemon uses the same interface for a
// plugin process, so what works on an Output works on a process.
type Output interface {
	// Deliver returns nil only when every alert is safe at the destination.
	// Permanent, RetryAfter and Failed say more about what went wrong;
	// any other error means that all of the batch is tried again later. The
	// same alert may come again, always with the same ID. Serve never calls
	// Deliver twice at the same time, nor with an empty batch.
	Deliver(ctx context.Context, alerts []Alert) error
	// Close flushes and ends. It is called once, after the last Deliver.
	Close() error
}

// Reopener is an Output that writes to files others may rotate.
type Reopener interface {
	// Reopen closes and opens the files again. Serve does not call it at the
	// same time as Deliver.
	Reopen() error
}

// Borrower is an Output that keeps no alert's JSON once Deliver has returned:
// not in a queue, nor in a request that may still be under way, as one of
// net/http may be. Serve then reads the next batch into the same memory, which
// is worth it where the destination is fast, such as a file.
type Borrower interface {
	// KeepsNothing is the promise. Nobody calls it.
	KeepsNothing()
}

// Alert is one finding on its way to a destination.
type Alert struct {
	ID       string          // the same for the same finding, always: the idempotency key
	RuleID   string          // of the rule that matched
	Severity string          // info, low, medium, high or critical
	Time     time.Time       // of the event
	Attempt  int             // 1 for the first time, then counting
	Key      string          // what the alert is about, for outputs that group
	JSON     json.RawMessage // an OCSF Detection Finding, one object without newlines; its strings come from strangers
}

// Each makes an Output of a function that delivers one alert. The alerts of a
// batch are delivered one after the other, in order; one that fails does not
// keep the next from being tried, unless its error is a RetryAfter or the
// context is over: then the rest of the batch is left for later. Close does
// nothing.
func Each(deliver func(context.Context, Alert) error) Output { return each(deliver) }

type each func(context.Context, Alert) error

func (e each) Deliver(ctx context.Context, alerts []Alert) error {
	failed := Failed{}
	for i, a := range alerts {
		err := e(ctx, a)
		if err == nil {
			continue
		}
		failed[a.ID] = err
		// Somebody who asks for a pause is not asked again, and nobody is
		// asked when the time is over.
		var later *retryAfter
		if !errors.As(err, &later) && ctx.Err() == nil {
			continue
		}
		for _, rest := range alerts[i+1:] {
			failed[rest.ID] = err
		}
		break
	}
	if len(failed) == 0 {
		return nil
	}
	return failed
}

func (e each) Close() error { return nil }
