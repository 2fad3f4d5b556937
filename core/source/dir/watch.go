package dir

import (
	"context"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// debounce is how long Wait lets news gather.
	debounce = 200 * time.Millisecond
	// breath is the pause between the runs of a long file: the first must be
	// committed before the next is listed.
	breath = 50 * time.Millisecond
)

// openWatch begins to listen to the file system, if it can.
func (s *Source) openWatch() {
	if s.watch != nil || s.unwatch {
		return
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		s.noWatch(s.Path, err)
		return
	}
	s.watch = w
}

// noWatch says once that polling is all there is.
func (s *Source) noWatch(at string, err error) {
	if !s.unwatch {
		s.log().Info("no notifications for all of the directory; it is polled", "source", s.Name, "at", at, "error", err)
	}
	s.unwatch = true
}

// watchDir listens to a directory before it is listed, so that what changes
// meanwhile is not missed. Only directories are watched: a watch on a file
// falls silent with its first rename.
func (w *walk) watchDir(at place) {
	if w.watch == nil || w.unwatch {
		return
	}
	name := w.name(at.real)
	if err := w.watch.Add(name); err != nil {
		w.noWatch(name, err)
	}
}

// Wait implements source.Source. It returns when Poll is over, soon after
// something below Path changed, or sooner when the last Scan left lines of a
// growing file for the next. Scans take at most half of the time.
func (s *Source) Wait(ctx context.Context) error {
	every := s.Poll
	if every == 0 {
		every = defaultPoll
	}
	if s.more {
		every = min(every, max(breath, s.took))
	}
	poll := time.NewTimer(every)
	defer poll.Stop()
	var events chan fsnotify.Event
	var errs chan error
	if s.watch != nil {
		events, errs = s.watch.Events, s.watch.Errors
	}
	var news <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			s.Close()
			return ctx.Err()
		case <-poll.C:
			return nil
		case <-news:
			return nil
		case e, ok := <-events:
			if !ok {
				events = nil
			}
			if ok && news == nil && !e.Has(fsnotify.Chmod) {
				news = time.After(min(every, max(debounce, s.took)))
			}
		case _, ok := <-errs:
			if !ok {
				errs = nil
			}
			// More happened than the kernel could note down.
			if ok && news == nil {
				news = time.After(min(every, max(debounce, s.took)))
			}
		}
	}
}

// Close stops listening to the file system. The Source may be used again.
func (s *Source) Close() error {
	if s.watch == nil {
		return nil
	}
	err := s.watch.Close()
	s.watch, s.unwatch = nil, false
	return err
}
