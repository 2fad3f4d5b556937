package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// peer is a program that does the job, or the part of it that is inflating.
type peer struct {
	name    string
	install string // what to do when it is missing
	needs   []string
	input   string // what it reads
	slow    bool   // three pairs of runs are enough
	filters bool   // it has conditions, and so ids
	job     func(b *bench, c forms, all []condition) (job, error)
}

// forms are the same records in the forms the peers read.
type forms struct{ objects, ndjson, zipped corpus }

var peers = []peer{
	{name: "zcat", install: "apt-get install gzip", needs: []string{"zcat"}, input: "objects", job: inflating("zcat")},
	{name: "libdeflate-gunzip", install: "apt-get install libdeflate-tools", needs: []string{"libdeflate-gunzip"}, input: "objects", job: inflating("libdeflate-gunzip", "-c")},
	{name: "igzip", install: "apt-get install isal", needs: []string{"igzip"}, input: "objects", job: inflating("igzip", "-d", "-c")},
	{name: "duckdb", install: "npm install --prefix bin/peers @duckdb/node-api (and node)", needs: []string{"node", "@duckdb/node-api"}, input: "NDJSON, gzip", filters: true, job: duckdb},
	{name: "jq", install: "apt-get install jq", needs: []string{"jq", "zcat"}, input: "objects, by zcat", slow: true, filters: true, job: jq("jq")},
	{name: "gojq", install: "apt-get install gojq", needs: []string{"gojq", "zcat"}, input: "objects, by zcat", slow: true, filters: true, job: jq("gojq")},
	{name: "rsyslog", install: "apt-get install rsyslog", needs: []string{"rsyslogd"}, input: "NDJSON, plain", slow: true, filters: true, job: rsyslog},
}

// missing names what a peer needs and the machine lacks, "" when it has all.
func (b *bench) missing(p peer) string {
	for _, name := range p.needs {
		_, err := exec.LookPath(name)
		if name == "@duckdb/node-api" {
			_, err = os.Stat(filepath.Join(b.nodeModules, name))
		}
		if err != nil {
			return name
		}
	}
	return ""
}

// inflating only inflates all the objects.
func inflating(args ...string) func(*bench, forms, []condition) (job, error) {
	return func(_ *bench, c forms, _ []condition) (job, error) {
		files, err := c.objects.files()
		return job{name: args[0], run: func(ctx context.Context) (cost, error) {
			return pipeline(ctx, "", command{args: append(args[:len(args):len(args)], files...)})
		}}, err
	}
}

// jq and gojq filter what zcat inflates, as people do.
func jq(program string) func(*bench, forms, []condition) (job, error) {
	return func(b *bench, c forms, all []condition) (job, error) {
		files, err := c.objects.files()
		code, out := filepath.Join(b.dir, program+".jq"), filepath.Join(b.dir, program+".out")
		if err == nil {
			err = os.WriteFile(code, []byte(jqProgram(all)), 0o666)
		}
		return job{
			name: program,
			run: func(ctx context.Context) (cost, error) {
				return pipeline(ctx, out, command{args: append([]string{"zcat"}, files...)}, command{args: []string{program, "-c", "-f", code}})
			},
			ids: func() (map[string]bool, error) { return recordIDs(out) },
		}, err
	}
}

//go:embed duckdb.cjs
var duckScript []byte

func duckdb(b *bench, c forms, all []condition) (job, error) {
	script, code, out := filepath.Join(b.dir, "duckdb.cjs"), filepath.Join(b.dir, "duckdb.sql"), filepath.Join(b.dir, "duckdb.out")
	err := errors.Join(os.WriteFile(script, duckScript, 0o666),
		os.WriteFile(code, []byte(duckSQL(all, filepath.Join(c.zipped.dir, "**", "*.gz"), out)), 0o666))
	return job{
		name: "duckdb",
		run: func(ctx context.Context) (cost, error) {
			return pipeline(ctx, "", command{args: []string{"node", script, b.nodeModules, code}})
		},
		ids: func() (map[string]bool, error) { return recordIDs(out) },
	}, err
}

// rsyslog follows one file for ever, so it is ended when the record it lets
// through last has arrived.
func rsyslog(b *bench, c forms, all []condition) (job, error) {
	dir := filepath.Join(b.dir, "rsyslog")
	in, out, config := filepath.Join(b.dir, "rsyslog.ndjson"), filepath.Join(dir, "out"), filepath.Join(dir, "rsyslog.conf")
	err := joined(c.ndjson, in)
	return job{
		name: "rsyslog",
		run: func(ctx context.Context) (cost, error) {
			err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o777), os.WriteFile(config, []byte(syslogConfig(all, dir, in, out)), 0o666))
			if err != nil {
				return cost{}, fmt.Errorf("preparing rsyslog: %w", err)
			}
			return untilLast(ctx, out, command{args: []string{"rsyslogd", "-n", "-f", config, "-i", filepath.Join(dir, "pid")}})
		},
		ids: func() (map[string]bool, error) { return recordIDs(out) },
	}, err
}

// joined makes one file of a folder of NDJSON, with the last record behind.
func joined(c corpus, path string) error {
	files, err := c.files()
	if err != nil {
		return err
	}
	to, err := os.Create(path)
	if err != nil {
		return err
	}
	defer to.Close()
	for _, name := range files {
		if err := appendFile(to, name); err != nil {
			return fmt.Errorf("joining trails: %w", err)
		}
	}
	_, err = fmt.Fprintf(to, "{\"eventID\":%q}\n", lastID)
	return errors.Join(err, to.Close())
}

func appendFile(to io.Writer, name string) error {
	from, err := os.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	_, err = io.Copy(to, from)
	return err
}

// patience is how long a peer that does not end by itself may take.
const patience = 10 * time.Minute

// untilLast runs a command until the last record stands in the file out.
func untilLast(ctx context.Context, out string, c command) (total cost, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return total, err
	}
	s, err := c.start(ctx, nil, null)
	closeAll(null)
	if err != nil {
		return total, err
	}
	for ctx.Err() == nil && !endsWith(out, lastID) {
		time.Sleep(20 * time.Millisecond)
	}
	total.Wall = time.Since(began).Seconds()
	err = errors.Join(ctx.Err(), s.Process.Signal(syscall.SIGTERM))
	return total, errors.Join(err, finish([]*started{s}, &total))
}

// endsWith looks for text in the last bytes of a file.
func endsWith(path, text string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false
	}
	last := make([]byte, 256)
	n, _ := f.ReadAt(last, max(0, info.Size()-int64(len(last)))) // less than asked for is fine
	return bytes.Contains(last[:n], []byte(text))
}
