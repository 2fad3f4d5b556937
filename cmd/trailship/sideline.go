package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/rule"
)

// sideline is what runs beside the loops of a daemon.
type sideline struct {
	config, rules chan struct{}
	ctx           context.Context // of everything here; ends with end
	stop          context.CancelFunc
	group         errgroup.Group

	watched []string // the folders of rules being watched
	unwatch context.CancelFunc
}

func (s *sideline) end() {
	s.stop()
	_ = s.group.Wait()
}

// watch follows the rules of a configuration, instead of those before.
func (s *sideline) watch(cfg *config.Config, w *rule.Watcher) {
	if !cfg.Rules.Watch {
		w.Dirs = nil
	}
	if s.unwatch != nil && slices.Equal(s.watched, w.Dirs) {
		return
	}
	if s.unwatch != nil {
		s.unwatch()
	}
	var ctx context.Context
	ctx, s.unwatch = context.WithCancel(s.ctx)
	if s.watched != nil {
		poke(s.rules) // changed between their load and now, perhaps
	}
	s.watched = w.Dirs
	if len(w.Dirs) > 0 {
		s.group.Go(func() error { return w.Run(ctx, func() { poke(s.rules) }) })
	}
}

// sideline starts the watchers, the telemetry and the housekeeping.
func (d *daemon) sideline(ctx context.Context, watch *rule.Watcher) *sideline {
	s := &sideline{config: make(chan struct{}, 1), rules: make(chan struct{}, 1)}
	// Telemetry answers until the daemon has drained.
	s.ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.watch(d.live.Load().config, watch)
	s.group.Go(func() error { d.watchConfig(s.ctx, s.config); return nil })
	s.group.Go(func() error { d.maintain(s.ctx); return nil })
	if d.listener != nil {
		t := &telemetry{Registry: d.registry, Status: d.status}
		s.group.Go(func() error {
			err := t.serve(s.ctx, d.listener)
			if err != nil {
				d.fail(err)
			}
			return err
		})
	}
	return s
}

func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// watcher watches the rules of a configuration.
func (d *daemon) watcher(cfg *config.Config) *rule.Watcher {
	_, paths, _ := openRules(cfg.Rules.Paths)
	return &rule.Watcher{Dirs: paths, Log: d.log}
}

// configPause is how often the configuration file is compared with what it was.
const configPause = 2 * time.Second

// watchConfig pokes changed whenever the configuration file has new contents.
func (d *daemon) watchConfig(ctx context.Context, changed chan<- struct{}) {
	last := d.configSum
	for every(ctx, configPause) {
		if now := d.fingerprint(); now != last && now != "" {
			last = now
			poke(changed)
		}
	}
}

// every waits, and reports whether ctx goes on.
func every(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// fingerprint of the configuration file's contents; "" while it cannot be read.
func (p *program) fingerprint() string {
	path, err := p.configFile()
	if err != nil {
		return ""
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// maintain lets the store forget what retention no longer covers, and counts
// the dead letters. What sources still have is known once they were listed; one
// that never is holds it up for a day.
func (d *daemon) maintain(ctx context.Context) {
	began := time.Now()
	d.letters.count(d.store)
	for every(ctx, time.Minute) {
		d.letters.count(d.store)
		if len(d.live.Load().loop.Unlisted()) > 0 && time.Since(began) < 24*time.Hour {
			continue
		}
		d.housekeep()
	}
}

func (d *daemon) housekeep() {
	if err := d.store.Maintain(time.Now()); err != nil {
		d.log.Error("housekeeping of the store failed", "error", err)
	}
}
