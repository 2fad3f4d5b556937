package decode

import (
	"bytes"
	"io"
	"testing"

	"github.com/trailship/trailship/core/event"
)

func TestReadingAndNormalizingCostNoMemoryInSteadyState(t *testing.T) {
	object := []byte(zip(string(benchObject(500))))
	src := bytes.NewReader(nil)
	r := NewReader(src, Limits{})
	var ev event.Event
	read := func() {
		src.Reset(object)
		r.Reset(src)
		for {
			rec, err := r.Next()
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := Normalize(&ev, rec); err != nil {
				t.Fatal(err)
			}
		}
	}
	read()
	// What is left are the blocks the strings are cut from.
	if n := testing.AllocsPerRun(5, read); n > 50 {
		t.Errorf("%v allocations for 500 records", n)
	}
}
