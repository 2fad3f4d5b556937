package dir

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// waits calls Wait and returns a channel with what it returned.
func (t *tree) waits(ctx context.Context) <-chan error {
	done := make(chan error, 1)
	go func() { done <- t.Wait(ctx) }()
	return done
}

// returns expects Wait to return well before the test is given up.
func (t *tree) returns(done <-chan error, want error) {
	t.Helper()
	select {
	case err := <-done:
		if !errors.Is(err, want) {
			t.Fatalf("Wait: got %v, want %v", err, want)
		}
	case <-time.After(time.Minute):
		t.Fatal("Wait did not return")
	}
}

func TestWaitWakesEarly(t *testing.T) {
	for name, change := range map[string]func(*tree){
		"for a new file":         func(t *tree) { t.write("sub/b.json", "{}") },
		"for new lines":          func(t *tree) { t.append("sub/a.ndjson", "{}\n") },
		"for a renamed file":     func(t *tree) { t.rename("sub/a.ndjson", "b.ndjson") },
		"for a new directory":    func(t *tree) { t.write("new/c.json", "{}") },
		"for what a scan missed": func(t *tree) {},
	} {
		t.Run(name, func(t *testing.T) {
			tree := newTree(t)
			tree.Poll = time.Hour
			tree.append("sub/a.ndjson", "{}\n")
			tree.scan()
			if name == "for what a scan missed" {
				tree.write("sub/b.json", "{}") // before Wait began
			}
			done := tree.waits(context.Background())
			change(tree)
			tree.returns(done, nil)
		})
	}
}

func TestWaitPolls(t *testing.T) {
	tree := newTree(t)
	tree.Poll = time.Millisecond
	tree.unwatch = true // as on a file system without notifications
	tree.scan()
	tree.returns(tree.waits(context.Background()), nil)
}

func TestWaitIsShortWhileAFileIsBehind(t *testing.T) {
	tree := newTree(t)
	tree.Poll = time.Hour
	tree.unwatch = true
	tree.append("a.ndjson", strings.Repeat("x", maxRun)+"\n{}\n{}\n")
	tree.read()
	tree.returns(tree.waits(context.Background()), nil)
}

func TestWaitEndsWithItsContext(t *testing.T) {
	tree := newTree(t)
	tree.Poll = time.Hour
	tree.scan()
	ctx, cancel := context.WithCancel(context.Background())
	done := tree.waits(ctx)
	cancel()
	tree.returns(done, context.Canceled)
	if tree.watch != nil {
		t.Error("the watch was not given up")
	}
}
