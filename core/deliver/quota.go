package deliver

import (
	"log/slog"
	"sync"
	"time"
)

// A plugin's log may have logBytes in each logWindow: a plugin that floods its
// streams must not fill the disk the daemon logs to.
const (
	logBytes  = 1 << 20
	logWindow = 10 * time.Second
)

// quota is how much of what a plugin says is still logged. The zero value is
// ready to use, by several goroutines.
type quota struct {
	mu      sync.Mutex
	ends    time.Time // of the window
	left    int       // bytes in it
	dropped int       // lines in it
}

// take says whether a line of n bytes is logged at now. It tells log when it
// begins to drop lines and, in a later window, how many they were.
func (q *quota) take(n int, now time.Time, log *slog.Logger) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !now.Before(q.ends) {
		if q.dropped > 0 {
			log.Warn("lines of the plugin's log were dropped", "lines", q.dropped)
		}
		q.ends, q.left, q.dropped = now.Add(logWindow), logBytes, 0
	}
	if q.dropped == 0 && n <= q.left {
		q.left -= n
		return true
	}
	if q.dropped == 0 {
		log.Warn("the plugin logs too much: what follows is dropped for some seconds", "bytes", logBytes, "window", logWindow)
	}
	q.dropped++
	return false
}
