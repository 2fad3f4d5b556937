package inflate

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// FuzzGzip: whatever the bytes, what we take for intact the standard library
// takes for intact and the other way round, with the same content; what comes
// before an error is no less than a stream gives; and the limit holds.
func FuzzGzip(f *testing.F) {
	for _, src := range seeds(f) {
		f.Add(src)
		f.Add(append(bytes.Clone(src), src...))
		for _, cut := range []int{1, 9, 10, 11, 14, 40, len(src) - 9, len(src) - 8, len(src) - 4, len(src) - 1} {
			if cut < len(src) {
				f.Add(src[:max(cut, 0)])
			}
		}
		for _, bit := range []int{80, 83, 100, 120, 8 * (len(src) / 2), 8 * (len(src) - 8), 8 * (len(src) - 4)} {
			broken := bytes.Clone(src)
			broken[bit/8] ^= 1 << (bit % 8)
			f.Add(broken)
		}
	}
	var d decoder
	f.Fuzz(func(t *testing.T, src []byte) {
		agree(t, &d, src)
		whole, err := d.gzip(nil, src, noLimit)
		for _, limit := range []int{len(whole) / 2, len(whole) - 1, len(whole)} {
			got, limited := d.gzip(make([]byte, 1, 40), src, max(limit, 0))
			if !bytes.Equal(got[1:], whole[:len(got)-1]) || len(got)-1 > max(limit, 0) {
				t.Fatalf("limit %d: %d bytes, not the first of %d", limit, len(got)-1, len(whole))
			}
			if limit == len(whole) && class(limited) != class(err) || limit >= 0 && limit < len(whole) && limited != ErrTooLarge {
				t.Fatalf("limit %d of %d: %v, unlimited: %v", limit, len(whole), limited, err)
			}
		}
	})
}

// seeds are small objects of every kind.
func seeds(tb testing.TB) [][]byte {
	files, err := filepath.Glob("testdata/*.gz")
	if err != nil || len(files) == 0 {
		tb.Fatal(err, files)
	}
	var seeds [][]byte
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		seeds = append(seeds, src)
	}
	text := contents()["trail"][:2000]
	for _, level := range levels {
		seeds = append(seeds, zip(text, level))
	}
	return append(seeds, fullHeader(text), zip(nil, 6), zip(make([]byte, 5000), 9), flushed(text))
}

// flushed is a member of many blocks.
func flushed(text []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	for len(text) > 0 {
		n := min(len(text), 300)
		w.Write(text[:n])
		w.Flush()
		text = text[n:]
	}
	w.Close()
	return b.Bytes()
}

// FuzzRoundTrip: what the standard library compresses, at any level and in any
// number of members, inflates to what it was.
func FuzzRoundTrip(f *testing.F) {
	for _, text := range contents() {
		for i := range levels {
			f.Add(text[:min(len(text), 3000)], uint8(i), uint16(1000))
		}
	}
	var d decoder
	f.Fuzz(func(t *testing.T, text []byte, level uint8, member uint16) {
		var src []byte
		size := max(int(member), len(text)/4, 1)
		for rest := range slices.Chunk(text, size) {
			src = append(src, zip(rest, levels[int(level)%len(levels)])...)
		}
		if src == nil {
			src = zip(nil, levels[int(level)%len(levels)])
		}
		if got, err := d.gzip(nil, src, len(text)); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%v, %d bytes of %d", err, len(got), len(text))
		}
	})
}
