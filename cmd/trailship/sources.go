package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/decode"
	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/ingest"
	"github.com/trailship/trailship/core/rule"
	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/source/dir"
	"github.com/trailship/trailship/core/source/s3"
)

// sourcesOf makes the sources of a configuration. A bucket with a queue is two
// of one name: what the queue announces, and what listings find. A run over
// once lists, which finds everything.
func (d *daemon) sourcesOf(cfg *config.Config, once bool) []ingest.Source {
	var all []ingest.Source
	for _, s := range cfg.Sources {
		add := func(from source.Source) {
			all = append(all, ingest.Source{Name: s.Name, MaxAge: s.Alerts.MaxAge, Source: from})
		}
		if s.Type == config.Dir {
			add(d.dirSource(s))
			continue
		}
		bucket := d.bucketSource(s)
		if s.SQS != "" && !once {
			add(bucket.Queue())
		}
		add(bucket)
	}
	return all
}

func (d *daemon) dirSource(s config.Source) *dir.Source {
	return &dir.Source{
		Name: s.Name, Path: absolute(s.Path), Include: s.Include, Exclude: s.Exclude, Poll: s.Poll,
		OnDone: dir.OnDone{Delete: s.OnDone.Action == "delete", Move: s.OnDone.Move}, Log: d.log,
	}
}

func (d *daemon) bucketSource(s config.Source) *s3.Source {
	return &s3.Source{
		Name: s.Name, Bucket: s.Bucket, Prefix: s.Prefix, Region: s.Region, Endpoint: s.Endpoint,
		Include: s.Include, Exclude: s.Exclude, Poll: s.Poll, Start: s.Start.Time(time.Now()),
		AssumeRole: s3.AssumeRole{ARN: s.AssumeRole.ARN, ExternalID: string(s.AssumeRole.ExternalID)},
		Credentials: s3.Credentials{
			AccessKeyID: string(s.Credentials.AccessKeyID), SecretAccessKey: string(s.Credentials.SecretAccessKey),
			SessionToken: string(s.Credentials.SessionToken),
		},
		SQS: s3.SQS{URL: s.SQS, Workers: max(1, d.workers)}, Log: d.log, Metrics: d.bucketMetrics,
	}
}

// absolute is path from the root, so that alerts name a file the same way
// wherever the daemon was started.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// checkSupported lists what a configuration asks for and is not there yet.
func checkSupported(cfg *config.Config) diag.List {
	var list diag.List
	for _, s := range cfg.Sources {
		if s.Type == config.Dir && s.Start.From != "beginning" {
			list = append(list, s.Node.Key("start").Errorf("E152", "a dir source starts at the beginning: exclude old files by name, or mark their alerts with alerts: {max_age: 24h}"))
		}
		if _, err := os.Stat(s.Path); s.Type == config.Dir && err != nil {
			list = append(list, s.Node.Key("path").Errorf("W104", "%s: %v", s.Path, reason(err)))
		}
	}
	if cfg.Store != "" {
		list = append(list, cfg.Node.Key("store").Errorf("E152", "a shared store is not supported yet: leave store out to keep everything in data_dir"))
	}
	return list
}

// routesOf compiles the routes of a configuration.
func routesOf(cfg *config.Config) (ingest.Routes, diag.List) {
	var (
		routes ingest.Routes
		list   diag.List
	)
	for _, o := range cfg.Outputs {
		routes.Outputs = append(routes.Outputs, ingest.Output{
			Name: o.Name, Backfill: o.Backfill,
			Event: slices.Contains(o.Include, "event"), Raw: slices.Contains(o.Include, "raw"),
		})
	}
	for _, r := range cfg.Routes {
		route := ingest.Route{Continue: r.Continue}
		for _, to := range r.To {
			route.To = append(route.To, to.Value)
		}
		if r.When.Kind() != diag.Absent {
			when, found := rule.CompileRoute(r.When)
			route.When, list = when, append(list, found...)
		}
		routes.Table = append(routes.Table, route)
	}
	return routes, list
}

// loop is an ingest loop with the goroutine it runs in.
type loop struct {
	*ingest.Ingest
	config *config.Config
	stop   context.CancelFunc
	done   chan struct{}
	sum    ingest.Summary // good after done
	err    error
}

// end stops reading at the next record boundary and waits for the last commit.
func (l *loop) end() error {
	l.stop()
	<-l.done
	return l.err
}

// startLoop starts reading the sources of a configuration.
func (d *daemon) startLoop(cfg *config.Config, routes ingest.Routes, once bool) *loop {
	ctx, stop := context.WithCancel(context.Background())
	l := &loop{
		Ingest: &ingest.Ingest{
			Sources: d.sourcesOf(cfg, once), Store: d.inlet, Rules: d.rules.Load, Routes: routes,
			Retention: cfg.Retention,
			Limits:    decode.Limits{MaxObject: int64(cfg.Limits.MaxObject), MaxRecord: int64(cfg.Limits.MaxRecord)},
			Workers:   d.workers, Log: d.log, Metrics: d.ingestMetrics, Once: once,
		},
		config: cfg, stop: stop, done: make(chan struct{}),
	}
	if d.store != nil {
		l.Gate, l.Committed = d.gate, d.wake
		if once {
			l.Gate = d.gateOnce
		}
	}
	go func() {
		defer close(l.done)
		if l.sum, l.err = l.Run(ctx); l.err != nil {
			d.fail(l.err)
		}
	}()
	return l
}
