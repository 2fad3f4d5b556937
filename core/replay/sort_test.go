package replay

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestASorterGivesBackWhatItTookInOrderHoweverLittleFitsInMemory(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		want := rapid.SliceOf(rapid.SliceOf(rapid.Byte())).Draw(rt, "items")
		s := sorter{dir: dir, limit: rapid.IntRange(1, 100).Draw(rt, "limit")}
		defer s.close()
		for _, item := range want {
			if err := s.add(item); err != nil {
				rt.Fatal(err)
			}
		}
		var got [][]byte
		if err := s.each(func(item []byte) error { got = append(got, bytes.Clone(item)); return nil }); err != nil {
			rt.Fatal(err)
		}
		slices.SortFunc(want, bytes.Compare)
		if !slices.EqualFunc(got, want, bytes.Equal) {
			rt.Fatalf("got %q, want %q", got, want)
		}
	})
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left on disk: %v, %v", left, err)
	}
}

func TestASorterWithoutADiskSaysSo(t *testing.T) {
	s := sorter{dir: "/nowhere", limit: 10}
	if err := s.add([]byte(strings.Repeat("x", 20))); err == nil || !strings.Contains(err.Error(), "$TMPDIR") {
		t.Errorf("got %v, want an error that names $TMPDIR", err)
	}
}

func TestASorterStopsAtAnError(t *testing.T) {
	for _, limit := range []int{1, 1000} {
		s := sorter{dir: t.TempDir(), limit: limit}
		defer s.close()
		for i := range 10 {
			if err := s.add(fmt.Appendf(nil, "item %d", i)); err != nil {
				t.Fatal(err)
			}
		}
		stop, met := errors.New("enough"), 0
		err := s.each(func([]byte) error {
			if met++; met == 3 {
				return stop
			}
			return nil
		})
		if err != stop || met != 3 {
			t.Errorf("limit %d: %v after %d items, want to stop after 3", limit, err, met)
		}
	}
}
