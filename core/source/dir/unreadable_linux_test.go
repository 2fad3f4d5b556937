package dir

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// asNobody runs fn as a user who may not read everything. The thread that was
// changed is given back to the system, not to other goroutines.
func asNobody(t testing.TB, fn func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		fn()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		const nobody = 65534
		syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0)
		fn()
	}()
	<-done
}

func TestUnreadableFilesDoNotStopTheOthers(t *testing.T) {
	tree := newTree(t)
	tree.check(os.Chmod(filepath.Dir(tree.Path), 0o755))
	for _, name := range []string{"a.json", "b.ndjson", "c/d.json", "e.json"} {
		tree.write(name, "{}\n")
	}
	for _, name := range []string{"a.json", "b.ndjson", "c"} {
		tree.check(os.Chmod(tree.path(name), 0))
	}
	var got []string
	asNobody(t, func() { got = tree.outcomes() })
	tree.check(os.Chmod(tree.path("c"), 0o755)) // so that it can be cleaned up
	tree.want("objects", got,
		"opening "+tree.path("a.json")+": permission denied",
		"opening "+tree.path("b.ndjson")+": permission denied",
		"looking at "+tree.path("c")+": permission denied",
		"{}\n")
}
