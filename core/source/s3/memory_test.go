package s3

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/source/sourcetest"
)

// memory is a bucket in memory that counts what is asked of it.
type memory struct {
	mu      sync.Mutex
	objects []object // by key
	lists   int
	broken  func(prefix string) error
}

func (m *memory) put(key string, modified time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := object{key: key, version: fmt.Sprintf("%x", modified.UnixNano()), size: int64(len(key)), modified: modified}
	i, there := slices.BinarySearchFunc(m.objects, key, func(o object, key string) int { return strings.Compare(o.key, key) })
	if there {
		m.objects[i] = o
		return
	}
	m.objects = slices.Insert(m.objects, i, o)
}

func (m *memory) remove(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects = slices.DeleteFunc(m.objects, func(o object) bool { return o.key == key })
}

func (m *memory) list(ctx context.Context, prefix, after string, folders bool) iter.Seq2[page, error] {
	return func(yield func(page, error) bool) {
		for more := true; more; {
			var p page
			p, after, more = m.page(prefix, after, folders)
			var err error
			if m.broken != nil {
				err = m.broken(prefix)
			}
			if err == nil {
				err = ctx.Err()
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// page returns the page after a key, and where the next begins.
func (m *memory) page(prefix, after string, folders bool) (p page, last string, more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lists++
	begin, _ := slices.BinarySearchFunc(m.objects, max(prefix, after), func(o object, key string) int { return strings.Compare(o.key, key) })
	if !folders {
		p.objects = make([]object, 0, min(pageKeys, len(m.objects)-begin))
	}
	for _, o := range m.objects[begin:] {
		if !strings.HasPrefix(o.key, prefix) {
			break
		}
		if o.key <= after || folders && len(p.folders) > 0 && strings.HasPrefix(o.key, p.folders[len(p.folders)-1]) {
			continue
		}
		if len(p.objects)+len(p.folders) == pageKeys {
			return p, last, true
		}
		if below, _, ok := strings.Cut(o.key[len(prefix):], "/"); folders && ok {
			p.folders = append(p.folders, prefix+below+"/")
			last = prefix + below + "/\xff"
			continue
		}
		p.objects, last = append(p.objects, o), o.key
	}
	return p, last, false
}

func (m *memory) get(_ context.Context, o object, offset int64) (io.ReadCloser, error) {
	now, err := m.head(context.Background(), o.key)
	if err != nil || now.version != o.version {
		return nil, fmt.Errorf("opening %s: %w", o.key, fs.ErrNotExist)
	}
	return io.NopCloser(strings.NewReader(o.key[offset:])), nil
}

func (m *memory) head(_ context.Context, key string) (object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range m.objects {
		if o.key == key {
			return o, nil
		}
	}
	return object{}, fs.ErrNotExist
}

func (m *memory) counted() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lists
}

// test is a test, or a round of one.
type test interface {
	Helper()
	Fatal(args ...any)
	Errorf(format string, args ...any)
}

// world is a bucket in memory, a source over it, a ledger, and a clock.
type world struct {
	test
	*Source
	*memory
	ledger *sourcetest.Ledger
	clock  time.Time
	read   map[string]int // how often each object was
	refuse func(o source.Object) bool
}

func newWorld(t test) *world {
	w := &world{test: t, memory: &memory{}, ledger: &sourcetest.Ledger{}, clock: moment("2026-03-14T15:00:00Z"), read: map[string]int{}}
	w.restart()
	return w
}

func moment(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// restart makes a new source that remembers nothing but the ledger.
func (w *world) restart() {
	w.Source = &Source{Name: "test", Bucket: "trails", Now: func() time.Time { return w.clock }, bucket: w.memory}
}

// scan scans once and reads what it brings, and returns the keys.
func (w *world) scan() []string {
	w.Helper()
	keys, err := w.tryScan()
	if err != nil {
		w.Fatal(err)
	}
	return keys
}

func (w *world) tryScan() (keys []string, err error) {
	err = w.Scan(context.Background(), w.ledger, func(o source.Object) error {
		if o.Open != nil {
			if w.refuse != nil && w.refuse(o) {
				return nil
			}
			keys = append(keys, o.Key)
			w.read[o.Key]++
		}
		w.ledger.Put(o.Key, o.Done)
		return nil
	})
	return keys, err
}

// trailKey is where CloudTrail puts an object.
func trailKey(account, region string, at time.Time, id string) string {
	at = at.UTC()
	return fmt.Sprintf("AWSLogs/%s/CloudTrail/%s/%s%s_CloudTrail_%s_%s_%s.json.gz",
		account, region, at.Format(dayLayout), account, region, at.Format("20060102T1504Z"), id)
}
