package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// corpus is a folder of trails, and what trailgen said of it.
type corpus struct {
	dir                      string
	Files, Records, Distinct int
	Bytes, Stored            int64 // inflated and as delivered
}

func (c corpus) String() string {
	return fmt.Sprintf("%d objects, %d records, %.0f MB inflated, %.0f MB delivered (%.1f:1)",
		c.Files, c.Records, float64(c.Bytes)/1e6, float64(c.Stored)/1e6, float64(c.Bytes)/float64(max(c.Stored, 1)))
}

// corpus has trailgen make trails of CloudTrail with the flags, unless they are
// there from an earlier run. A process of its own makes them, so that the
// memory it takes is not counted as that of the processes started later.
func (b *bench) corpus(ctx context.Context, name string, flags ...string) (corpus, error) {
	c := corpus{dir: filepath.Join(b.dir, "trails", name)}
	args := append([]string{"-out", c.dir, "-o", "json", "-alibaba", "0", "-matching", "0.014"}, flags...)
	note, was := c.dir+".json", strings.Join(args, " ")
	var kept struct {
		Args string
		Made corpus
	}
	if text, err := os.ReadFile(note); err == nil && json.Unmarshal(text, &kept) == nil && kept.Args == was {
		kept.Made.dir = c.dir
		return kept.Made, nil
	}
	fmt.Fprintf(b.log, "making the trails %s\n", name)
	if err := os.RemoveAll(c.dir); err != nil {
		return c, fmt.Errorf("removing old trails: %w", err)
	}
	text, err := exec.CommandContext(ctx, b.trailgen, args...).Output()
	if err != nil {
		return c, fmt.Errorf("making trails with %s: %w", b.trailgen, err)
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, fmt.Errorf("reading what %s said: %w", b.trailgen, err)
	}
	kept.Args, kept.Made = was, c
	text, err = json.Marshal(kept)
	if err != nil {
		return c, err
	}
	return c, os.WriteFile(note, text, 0o666)
}

// files are the paths of a folder's files, in order.
func (c corpus) files() (paths []string, err error) {
	err = filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	slices.Sort(paths)
	return paths, err
}
