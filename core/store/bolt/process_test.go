package bolt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/store"
	"github.com/trailship/trailship/core/store/storetest"
)

// play is the test binary as another process that uses the store in dir.
func play(role, dir string) {
	opt := Options{}
	if role == "compact" {
		opt.CompactAbove = 1 << 20
	}
	s, err := Open(filepath.Join(dir, fileName), opt)
	if err != nil {
		log.Fatal(err)
	}
	switch role {
	case "commit":
		commitForever(s)
	case "settle":
		settleForever(s)
	case "fill":
		err = fill(s, dir)
	}
	if err := errors.Join(err, s.Close()); err != nil {
		log.Fatal(err)
	}
}

// process returns a command that plays the role.
func process(t *testing.T, role, dir string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "TRAILSHIP_TEST_ROLE="+role, "TRAILSHIP_TEST_DIR="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// round commits what belongs together: a position, an alert for each record
// up to it, settled alerts.
func round(s *Store, n, size int) error {
	err := s.Commit(context.Background(), func(tx store.Tx) error {
		for i := range 10 {
			a := storetest.Alert(10*n+i, "a", "b")
			a.JSON = noise(i, size)
			if _, err := tx.Raise(a); err != nil {
				return err
			}
		}
		return tx.PutEntry("s", "position", source.Entry{Offset: int64(n) + 1})
	})
	if err != nil {
		return err
	}
	list, _, err := s.Next("a", 0, 8, 1<<20)
	if err != nil {
		return err
	}
	for _, q := range list {
		err = errors.Join(err, s.Settle("a", []uint64{q.Seq}, nil))
	}
	return err
}

// commitForever goes on where the last process was killed and says which round
// is committed.
func commitForever(s *Store) {
	e, _, err := s.Ledger("s").Entry("position")
	for n := int(e.Offset); err == nil; n++ {
		if err = round(s, n, 700); err == nil {
			fmt.Println(n + 1)
		}
	}
	log.Fatal(err)
}

// killed lets a process play a role in dir until it is killed at some moment, and
// reads the last numbers it printed before.
func killed(t *testing.T, role, dir string, random *rand.Rand, numbers ...any) {
	t.Helper()
	cmd := process(t, role, dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 1 + random.IntN(10); n > 0 && lines.Scan(); n-- {
		fmt.Sscan(lines.Text(), numbers...)
	}
	time.AfterFunc(time.Duration(random.IntN(3000))*time.Microsecond, func() { cmd.Process.Kill() })
	for lines.Scan() {
		fmt.Sscan(lines.Text(), numbers...)
	}
	cmd.Wait()
}

// TestKilledWhileCommitting kills the process 20 times. What it acknowledged
// is there each time, and each commit is there whole.
func TestKilledWhileCommitting(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(7, 8))
	for range 20 {
		acknowledged := 0
		killed(t, "commit", dir, random, &acknowledged)
		whole(t, dir, acknowledged)
	}
}

// settleForever commits twenty alerts at a time and settles them in parts that
// lie across what was committed together. It says how far it came.
func settleForever(s *Store) {
	raised, settled := 0, 0
	list, _, err := s.Next("a", 0, 1<<20, 1<<30)
	if len(list) > 0 {
		settled = int(list[0].Seq) - 1
	}
	raised = settled + len(list)
	for err == nil {
		err = s.Commit(context.Background(), func(tx store.Tx) error {
			for n := range 20 {
				a := storetest.Alert(raised+n, "a")
				a.JSON = noise(n, 3000)
				if _, err := tx.Raise(a); err != nil {
					return err
				}
			}
			return nil
		})
		raised += 20
		for part := 0; part < 18 && err == nil; part += 9 {
			var done []uint64
			for n := range 9 {
				done = append(done, uint64(settled+n+1))
			}
			if err = s.Settle("a", done, nil); err == nil {
				settled += 9
				fmt.Println(raised, settled)
			}
		}
	}
	log.Fatal(err)
}

// TestKilledWhileSettling kills the process 20 times. Each time everything is
// queued that was raised and not settled, and nothing that was said to be.
func TestKilledWhileSettling(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(12, 13))
	for range 20 {
		raised, settled := 0, 0
		killed(t, "settle", dir, random, &raised, &settled)
		inOrder(t, dir, raised, settled)
	}
}

// inOrder checks that the queue in dir begins behind what was settled, or what
// was settled after that without being acknowledged, and lacks nothing.
func inOrder(t *testing.T, dir string, raised, settled int) {
	t.Helper()
	s := open(t, dir)
	defer s.Close()
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	list := queued(t, s, "a")
	if len(list) == 0 {
		t.Fatal("nothing is queued")
	}
	first, last := int(list[0].Seq), int(list[len(list)-1].Seq)
	if first != settled+1 && first != settled+10 || last != raised && last != raised+20 {
		t.Fatalf("queued is %d to %d; %d were raised, %d settled", first, last, raised, settled)
	}
	for n, q := range list {
		if int(q.Seq) != first+n || q.ID != storetest.ID(first+n-1) || len(q.JSON) != 3000 {
			t.Fatalf("alert %d is %s under %d with %d bytes", first+n, q.ID, q.Seq, len(q.JSON))
		}
	}
}

// whole checks that the store in dir holds the commits of so many rounds, or
// of one that was not acknowledged, and nothing of another.
func whole(t *testing.T, dir string, acknowledged int) {
	t.Helper()
	s := open(t, dir)
	defer s.Close()
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	e, _, err := s.Ledger("s").Entry("position")
	if err != nil || int(e.Offset) < acknowledged || int(e.Offset) > acknowledged+1 {
		t.Fatalf("got position %d (%v), %d was acknowledged", e.Offset, err, acknowledged)
	}
	list := queued(t, s, "b")
	if len(list) != 10*int(e.Offset) {
		t.Fatalf("got %d alerts at position %d", len(list), e.Offset)
	}
	for n, q := range list {
		if q.ID != storetest.ID(n) || len(q.JSON) != 700 {
			t.Fatalf("alert %d is %s with %d bytes", n, q.ID, len(q.JSON))
		}
	}
}

// fill commits until there is no room, and goes on once there is.
func fill(s *Store, dir string) error {
	// A limit on the size of files is a full disk that needs no root.
	signal.Ignore(syscall.SIGXFSZ)
	limit := func(n uint64) {
		var old syscall.Rlimit
		syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old)
		syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: min(n, old.Max), Max: old.Max})
	}
	limit(20 << 20)
	n := 0
	var err error
	for ; err == nil && n < 1e6; n++ {
		err = round(s, n, 20_000)
	}
	n-- // to be committed again
	fmt.Println(n, errors.Is(err, store.ErrFull), err)

	// Deliveries go on.
	before, _ := s.Backlog("b")
	for range 20 {
		list, _, err := s.Next("b", 0, 10, 1<<20)
		if err != nil {
			return err
		}
		for _, q := range list {
			if err := s.Settle("b", []uint64{q.Seq}, nil); err != nil {
				return fmt.Errorf("delivering while the disk is full: %w", err)
			}
		}
	}
	after, _ := s.Backlog("b")
	fmt.Println(before.Alerts - after.Alerts)

	limit(1 << 40)
	for end := n + 100; n < end; n++ {
		if err := round(s, n, 20_000); err != nil {
			return fmt.Errorf("round %d with room again: %w", n, err)
		}
	}
	fmt.Println(n)
	return nil
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	out, err := process(t, "fill", dir).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var full, end, delivered int
	var isFull bool
	var why string
	lines := strings.SplitN(string(out), "\n", 3)
	fmt.Sscan(lines[0], &full, &isFull)
	_, why, _ = strings.Cut(lines[0], "true ")
	fmt.Sscan(lines[1], &delivered)
	fmt.Sscan(lines[2], &end)
	if !isFull || !strings.HasPrefix(why, "no space left for the store: writing "+filepath.Join(dir, fileName)) {
		t.Errorf("got %q, want store.ErrFull", lines[0])
	}
	if delivered != 200 {
		t.Errorf("%d alerts were delivered while the disk was full, want 200", delivered)
	}

	s := open(t, dir)
	defer s.Close()
	e, _, err := s.Ledger("s").Entry("position")
	if err != nil || int(e.Offset) != end {
		t.Errorf("got position %d (%v), want %d", e.Offset, err, end)
	}
	b, err := s.Backlog("b")
	if want := int64(10*end - delivered); err != nil || b.Alerts != want {
		t.Errorf("got %d alerts (%v), want %d", b.Alerts, err, want)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}
