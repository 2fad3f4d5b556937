package s3test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// Bridge carries what a [Gateway] tells its webhook to a queue, each object in
// the next of the Shapes, and now and then two objects in one message.
type Bridge struct {
	URL string // for Options.Webhook
	// Drop says which objects the queue never hears of; nil is none. Set it
	// before objects are put.
	Drop func(key string) bool

	mu      sync.Mutex
	send    func(ctx context.Context, body string) error
	told    int      // objects
	held    []Notice // to be told together
	dropped int
	failed  error
}

// NewBridge starts a bridge that stops with the test. Connect it to a queue
// before objects are put.
func NewBridge(t testing.TB) *Bridge {
	b := &Bridge{}
	server := httptest.NewServer(b)
	t.Cleanup(func() {
		server.Close()
		if b.failed != nil {
			t.Errorf("the bridge to the queue: %v", b.failed)
		}
	})
	b.URL = server.URL
	return b
}

// Connect says where the messages go. Those of before are lost.
func (b *Bridge) Connect(send func(ctx context.Context, body string) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.send = send
}

// Told returns how many objects the queue heard of, and how many it did not.
func (b *Bridge) Told() (told, dropped int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.told, b.dropped
}

// ServeHTTP implements http.Handler.
func (b *Bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil && b.send != nil {
		err = b.pass(r.Context(), body)
	}
	if err != nil && b.failed == nil {
		b.failed = err
	}
}

// webhook is what the gateway posts: S3's own message with plain keys.
type webhook struct {
	Records []struct {
		EventName string `json:"eventName"`
		S3        struct {
			Bucket struct{ Name string }
			Object struct {
				Key  string
				Size int64
				ETag string `json:"eTag"`
			}
		}
	}
}

func (b *Bridge) pass(ctx context.Context, body []byte) error {
	var in webhook
	if err := json.Unmarshal(body, &in); err != nil {
		return err
	}
	if len(in.Records) == 0 {
		return b.send(ctx, string(body)) // the gateway's own s3:TestEvent
	}
	for _, r := range in.Records {
		n := Notice{Bucket: r.S3.Bucket.Name, Key: r.S3.Object.Key, Size: r.S3.Object.Size, ETag: r.S3.Object.ETag}
		if b.Drop != nil && b.Drop(n.Key) {
			b.dropped++
			continue
		}
		if err := b.tell(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// tell sends the news of one object; of every seventh and the one after it
// together.
func (b *Bridge) tell(ctx context.Context, n Notice) error {
	b.told++
	if b.told%7 == 0 {
		b.held = append(b.held, n)
		return nil
	}
	if len(b.held) > 0 {
		both := append(b.held, n)
		b.held = nil
		return b.send(ctx, S3Event(both...))
	}
	shape := shapeNames[b.told%len(shapeNames)]
	return b.send(ctx, Shapes[shape](n))
}

// Flush sends what is held back to be told with the next object.
func (b *Bridge) Flush(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.held) == 0 {
		return nil
	}
	held := b.held
	b.held = nil
	return b.send(ctx, S3Event(held...))
}

var shapeNames = func() []string {
	var names []string
	for name := range Shapes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}()
