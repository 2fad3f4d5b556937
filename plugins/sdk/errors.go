package sdk

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Permanent marks err as one that no retry will mend: the alert goes to the
// dead letters with err as the reason. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanent{err}
}

type permanent struct{ error }

func (p *permanent) Unwrap() error { return p.error }

// RetryAfter marks err as one that goes away in time: the alert is not tried
// again before d has passed. RetryAfter(nil, d) is nil.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &retryAfter{err, d}
}

type retryAfter struct {
	error
	after time.Duration
}

func (r *retryAfter) Unwrap() error { return r.error }

// Failed is the error of a batch of which some alerts failed: their IDs and
// why. Alerts it does not name were delivered.
type Failed map[string]error

// Error names one of the failures and how many there are.
func (f Failed) Error() string {
	if len(f) == 0 {
		return "nothing failed"
	}
	id := slices.Min(slices.Collect(maps.Keys(f)))
	if len(f) == 1 {
		return fmt.Sprintf("alert %s: %v", id, f[id])
	}
	return fmt.Sprintf("%d alerts failed, first alert %s: %v", len(f), id, f[id])
}

// Judge says what an error of one alert means: whether it is Permanent, and
// otherwise how long a RetryAfter asked to wait, 0 when nothing was said.
func Judge(err error) (isPermanent bool, after time.Duration) {
	if err == nil {
		return false, 0
	}
	var p *permanent
	if errors.As(err, &p) {
		return true, 0
	}
	var r *retryAfter
	if errors.As(err, &r) {
		return false, r.after
	}
	return false, 0
}

// Invalid is an error in a plugin's configuration, which the daemon shows at
// the line the user wrote.
type Invalid struct {
	Pointer string // a JSON pointer into the configuration, "" for all of it
	Message string // a sentence without any secret
}

// Error returns the pointer and the message.
func (i Invalid) Error() string {
	if i.Pointer == "" {
		return i.Message
	}
	return i.Pointer + ": " + i.Message
}

// Invalids is every error found in a configuration.
type Invalids []Invalid

// Error returns one line for each.
func (l Invalids) Error() string {
	var text string
	for i, e := range l {
		if i > 0 {
			text += "\n"
		}
		text += e.Error()
	}
	return text
}

// Invalidf is what open returns when the value at pointer ("/url") is wrong in
// a way the struct tags cannot say.
func Invalidf(pointer, format string, args ...any) error {
	return Invalid{Pointer: pointer, Message: fmt.Sprintf(format, args...)}
}

// invalids turns an error of open into errors with pointers. Joined errors
// (errors.Join) are taken apart.
func invalids(err error) Invalids {
	switch e := err.(type) {
	case nil:
		return nil
	case Invalids:
		return e
	case interface{ Unwrap() []error }:
		var all Invalids
		for _, one := range e.Unwrap() {
			all = append(all, invalids(one)...)
		}
		return all
	}
	var one Invalid
	if errors.As(err, &one) {
		return Invalids{one}
	}
	return Invalids{{Message: err.Error()}}
}
