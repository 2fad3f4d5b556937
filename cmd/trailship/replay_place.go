package main

import (
	"cmp"
	"context"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/core/diag"
	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/source/dir"
	"github.com/trailship/trailship/core/source/s3"
)

// sourcePrefix begins the name of a configured source.
const sourcePrefix = "source:"

// placeToRead is what --from names, to be listed once. Objects of a bucket that
// were last written more than reach before since hold nothing that counts, and
// are left out.
func (p *program) placeToRead(from string, cfg *config.Config, since time.Time, reach time.Duration) (source.Source, error) {
	log, err := p.log("", "")
	if err != nil {
		return nil, err
	}
	start := time.Time{}
	if !since.IsZero() {
		start = since.Add(-reach)
	}
	url, bucket := strings.CutPrefix(from, "s3://")
	name, configured := strings.CutPrefix(from, sourcePrefix)
	switch {
	case from == "":
		return nil, usage("--from is missing: the folder, the file, the s3://BUCKET/PREFIX or the source:NAME to read")
	case configured:
		return (&daemon{program: p, log: log}).configuredPlace(cfg, name, start)
	case bucket:
		return bucketPlace(url, start)
	}
	info, err := os.Stat(from)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return &dir.Source{Name: from, Path: from, Log: log}, nil
	}
	return &oneObject{path: from, size: info.Size()}, nil
}

// bucketPlace is a bucket with the credentials, the region and the endpoint of
// the environment.
func bucketPlace(url string, start time.Time) (source.Source, error) {
	name, prefix, _ := strings.Cut(url, "/")
	if name == "" {
		return nil, usage("--from s3://… names no bucket: write s3://BUCKET/PREFIX")
	}
	return &s3.Source{
		Name: "s3://" + url, Bucket: name, Prefix: prefix, Start: start, Poll: listOnce,
		Endpoint: cmp.Or(os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL")),
	}, nil
}

// listOnce keeps a long listing from being interrupted by others.
const listOnce = time.Duration(math.MaxInt64 / 8)

// configuredPlace is a source of the configuration. It is only read: finished
// files stay where they are, and those that were moved are read too.
func (d *daemon) configuredPlace(cfg *config.Config, name string, start time.Time) (source.Source, error) {
	var names []string
	for _, s := range cfg.Sources {
		if s.Name != name {
			names = append(names, s.Name)
			continue
		}
		if s.Type == config.Dir {
			from := d.dirSource(s)
			from.OnDone = dir.OnDone{}
			return from, nil
		}
		from := d.bucketSource(s)
		from.SQS, from.Start, from.Poll = s3.SQS{}, start, listOnce
		return from, nil
	}
	return nil, usage("the configuration has no source %q%s", name, diag.Suggest(name, names))
}

// oneObject is a file by itself.
type oneObject struct {
	path string
	size int64
}

// Scan hands the file out.
func (o *oneObject) Scan(_ context.Context, _ source.Ledger, yield func(source.Object) error) error {
	return yield(source.Object{
		Key: o.path, Name: o.path, Size: o.size,
		Open: func(context.Context) (io.ReadCloser, error) { return os.Open(o.path) },
	})
}

// Wait returns when ctx ends: there will be no other file.
func (o *oneObject) Wait(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}
