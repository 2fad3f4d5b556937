package inflate

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"io"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// bitWriter writes a deflate stream bit by bit, also one no compressor writes.
type bitWriter struct {
	out  []byte
	bits uint64
	n    uint
}

// put writes the n lowest bits of v, the lowest first.
func (w *bitWriter) put(v uint64, n uint) {
	w.bits |= v << w.n
	for w.n += n; w.n >= 8; w.n -= 8 {
		w.out = append(w.out, byte(w.bits))
		w.bits >>= 8
	}
}

// code writes the code of a symbol, by the lengths of all (RFC 1951, 3.2.2).
func (w *bitWriter) code(lens []uint8, sym int) {
	code := uint64(0)
	for n := uint8(1); n <= lens[sym]; n++ {
		code <<= 1
		for s, l := range lens {
			if l == n && (n < lens[sym] || s < sym) {
				code++
			}
		}
	}
	for n := int(lens[sym]) - 1; n >= 0; n-- {
		w.put(code>>n&1, 1)
	}
}

// dynamic begins a block with codes of these lengths.
func (w *bitWriter) dynamic(last bool, lits, dists []uint8) {
	var pre [19]uint8
	for i := range 16 {
		pre[i] = 4
	}
	w.lengthCode(last, len(lits), len(dists), pre[:])
	for _, n := range slices.Concat(lits, dists) {
		w.code(pre[:], int(n))
	}
}

// lengthCode begins a block as far as the code of the lengths.
func (w *bitWriter) lengthCode(last bool, lits, dists int, pre []uint8) {
	w.head(last, dynamicBlock)
	w.put(uint64(lits-257), 5)
	w.put(uint64(dists-1), 5)
	w.put(19-4, 4)
	for _, sym := range preOrder {
		w.put(uint64(pre[sym]), 3)
	}
}

func (w *bitWriter) head(last bool, kind uint64) {
	bit := uint64(0)
	if last {
		bit = 1
	}
	w.put(bit|kind<<1, 3)
}

// member makes a member of gzip of the stream, with the checksum and length of
// what the standard library inflates it to.
func (w *bitWriter) member() []byte {
	w.put(0, (8-w.n)%8)
	content, _ := io.ReadAll(flate.NewReader(bytes.NewReader(w.out)))
	src := append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}, w.out...)
	src = binary.LittleEndian.AppendUint32(src, crc32.ChecksumIEEE(content))
	return binary.LittleEndian.AppendUint32(src, uint32(len(content)))
}

var (
	fixedLits = slices.Concat(bytes.Repeat([]byte{8}, 144), bytes.Repeat([]byte{9}, 112),
		bytes.Repeat([]byte{7}, 24), bytes.Repeat([]byte{8}, 8))
	fixedDists = bytes.Repeat([]byte{5}, 32)
)

// lens is n lengths, 0 but for those given as symbol, length, symbol, length.
func lens(n int, pairs ...int) []uint8 {
	l := make([]uint8, n)
	for ; len(pairs) > 0; pairs = pairs[2:] {
		l[pairs[0]] = uint8(pairs[1])
	}
	return l
}

// TestCodesAreAcceptedAsByTheStandardLibrary has the codes on the border of
// what is a code, and uses of them.
func TestCodesAreAcceptedAsByTheStandardLibrary(t *testing.T) {
	lits := lens(258, 'a', 1, 256, 2, 257, 2) // a, end, length 3
	ladder := lens(258, 'a', 1, 'b', 2, 'c', 3, 'd', 4, 'e', 5, 'f', 6, 'g', 7, 'h', 8, 'i', 9, 'j', 10, 'k', 11, 'l', 12, 'm', 13, 'n', 14, 256, 15, 257, 15)
	for _, c := range []struct {
		name, want string
		write      func(w *bitWriter)
	}{
		{"no distances, none used", "intact", func(w *bitWriter) {
			w.dynamic(true, lits, lens(1))
			w.code(lits, 'a')
			w.code(lits, 256)
		}},
		{"no distances, one used", "corrupt", func(w *bitWriter) {
			w.dynamic(true, lits, lens(1))
			w.code(lits, 'a')
			w.code(lits, 257)
			w.put(0, 40)
		}},
		{"one distance", "intact", func(w *bitWriter) {
			w.dynamic(true, lits, lens(1, 0, 1))
			w.code(lits, 'a')
			w.code(lits, 257)
			w.put(0, 1)
			w.code(lits, 256)
		}},
		{"one distance, the other used", "corrupt", func(w *bitWriter) {
			w.dynamic(true, lits, lens(1, 0, 1))
			w.code(lits, 'a')
			w.code(lits, 257)
			w.put(1, 1)
			w.code(lits, 256)
			w.put(0, 200)
		}},
		{"one distance of two bits", "corrupt", func(w *bitWriter) { w.dynamic(true, lits, lens(1, 0, 2)); w.put(0, 200) }},
		{"distances with a gap", "corrupt", func(w *bitWriter) { w.dynamic(true, lits, lens(2, 0, 1, 1, 2)); w.put(0, 200) }},
		{"three distances of one bit", "corrupt", func(w *bitWriter) { w.dynamic(true, lits, lens(3, 0, 1, 1, 1, 2, 1)); w.put(0, 200) }},
		{"nothing but the end", "intact", func(w *bitWriter) { w.dynamic(true, lens(257, 256, 1), lens(1)); w.put(0, 1) }},
		{"nothing but the end, the other used", "corrupt", func(w *bitWriter) { w.dynamic(true, lens(257, 256, 1), lens(1)); w.put(1, 1) }},
		{"no literals and no end", "corrupt", func(w *bitWriter) { w.dynamic(true, lens(257), lens(1)); w.put(0, 200) }},
		{"literals with a gap", "corrupt", func(w *bitWriter) { w.dynamic(true, lens(257, 'a', 1, 256, 2), lens(1)); w.put(0, 200) }},
		{"too many literals", "corrupt", func(w *bitWriter) {
			w.dynamic(true, lens(257, 'a', 1, 'b', 1, 256, 1), lens(1))
			w.put(0, 200)
		}},
		{"no end", "truncated", func(w *bitWriter) { w.dynamic(true, lens(257, 'a', 1, 'b', 1), lens(1)); w.put(0, 900) }},
		{"287 literals", "corrupt", func(w *bitWriter) { w.dynamic(true, lens(287, 'a', 1, 256, 1), lens(1)); w.put(0, 200) }},
		{"31 distances", "corrupt", func(w *bitWriter) { w.dynamic(true, lits, lens(31)); w.put(0, 200) }},
		{"codes of every length", "intact", func(w *bitWriter) {
			dists := lens(16)
			for i := range dists {
				dists[i] = uint8(min(i+1, 15))
			}
			w.dynamic(true, ladder, dists)
			for range 50 {
				for c := 'a'; c <= 'n'; c++ {
					w.code(ladder, int(c))
				}
				for dist := range 10 {
					w.code(ladder, 257)
					w.code(dists, dist)
					w.put(1, uint(max(dist/2-1, 0)))
				}
			}
			w.code(ladder, 256)
		}},
		{"code of lengths with a gap", "corrupt", func(w *bitWriter) { w.lengthCode(true, 257, 1, lens(19, 1, 1, 2, 2)); w.put(0, 200) }},
		{"code of lengths too full", "corrupt", func(w *bitWriter) {
			w.lengthCode(true, 257, 1, lens(19, 1, 1, 2, 1, 3, 1))
			w.put(0, 200)
		}},
		{"no code of lengths", "corrupt", func(w *bitWriter) { w.lengthCode(true, 257, 1, lens(19)); w.put(0, 200) }},
		{"one code of lengths", "corrupt", func(w *bitWriter) { w.lengthCode(true, 257, 1, lens(19, 9, 1)); w.put(0, 900) }},
		{"one code of lengths, the other used", "corrupt", func(w *bitWriter) { w.lengthCode(true, 257, 1, lens(19, 0, 1)); w.put(1, 1) }},
		{"repeat of nothing", "corrupt", func(w *bitWriter) { w.lengthCode(true, 257, 1, lens(19, 16, 1, 1, 1)); w.put(1, 1); w.put(0, 200) }},
		{"repeat across both codes", "intact", func(w *bitWriter) {
			pre := lens(19, 18, 1, 16, 2, 1, 2)
			w.lengthCode(true, 257, 1, pre)
			w.code(pre, 18)
			w.put(127, 7)
			w.code(pre, 18)
			w.put(255-138-11, 7) // 255 zeros
			w.code(pre, 1)       // the literal 255
			w.code(pre, 1)       // the end
			w.code(pre, 1)       // distance 0
			w.put(0, 1)
			w.put(1, 1)
		}},
		{"repeat beyond all codes", "corrupt", func(w *bitWriter) {
			pre := lens(19, 18, 1, 1, 1)
			w.lengthCode(true, 257, 1, pre)
			for range 3 {
				w.code(pre, 18)
				w.put(127, 7)
			}
			w.put(0, 200)
		}},
		{"length 286", "corrupt", func(w *bitWriter) { w.head(true, fixedBlock); w.code(fixedLits, 286); w.put(0, 200) }},
		{"distance 30", "corrupt", func(w *bitWriter) {
			w.head(true, fixedBlock)
			w.code(fixedLits, 'a')
			w.code(fixedLits, 257)
			w.code(fixedDists, 30)
			w.put(0, 200)
		}},
		{"distance before the start", "corrupt", func(w *bitWriter) {
			w.head(true, fixedBlock)
			w.code(fixedLits, 'a')
			w.code(fixedLits, 257)
			w.code(fixedDists, 1)
			w.put(0, 200)
		}},
		{"unknown kind", "corrupt", func(w *bitWriter) { w.head(true, 3); w.put(0, 200) }},
		{"stored, complement wrong", "corrupt", func(w *bitWriter) { w.head(true, stored); w.put(0, 5); w.put(1, 32); w.put(0, 200) }},
		{"empty blocks of all kinds", "intact", func(w *bitWriter) {
			w.head(false, stored)
			w.put(0, 5)
			w.put(0xffff0000, 32)
			w.head(false, fixedBlock)
			w.put(0, 7)
			w.dynamic(true, lits, lens(1))
			w.code(lits, 256)
		}},
	} {
		var w bitWriter
		c.write(&w)
		src := w.member()
		var d decoder
		if _, err := d.gzip(nil, src, noLimit); class(err) != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
		agree(t, &d, src)
		// Far from the end of the input the fast loop decides.
		agree(t, &d, append(src[:len(src)-trailerSize], make([]byte, 2*fastInput)...))
		for range 100 {
			src = append(src, src[:min(len(src), 100)]...)
		}
		agree(t, &d, src)
		if t.Failed() {
			t.Fatal(c.name)
		}
	}
}

func TestNoMatchReachesIntoTheMemberBefore(t *testing.T) {
	var w bitWriter
	w.head(true, fixedBlock)
	w.code(fixedLits, 257)
	w.code(fixedDists, 0)
	src := append(zip([]byte("before"), 6), w.member()...)
	src = append(src, make([]byte, 100)...)
	got, err := new(decoder).gzip([]byte("dst"), src, noLimit)
	if class(err) != "corrupt" || string(got) != "dstbefore" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAnyBlocksInflateAsByTheStandardLibrary(t *testing.T) { rapid.Check(t, anyBlocks) }

// FuzzBlocks is the same with random choices that look for new code.
func FuzzBlocks(f *testing.F) { f.Fuzz(rapid.MakeFuzz(anyBlocks)) }

// anyBlocks has random complete codes and random symbols, so that codes of every
// length, second tables, all lengths and all distances are met; then a mistake.
func anyBlocks(r *rapid.T) {
	var d decoder
	var w bitWriter
	size := 0
	for blocks := rapid.IntRange(1, 3).Draw(r, "blocks"); blocks > 0; blocks-- {
		lits := completeCode(r, 257, maxLit)
		dists := completeCode(r, 1, maxDist)
		w.dynamic(blocks == 1, lits, dists)
		for range rapid.IntRange(0, 400).Draw(r, "symbols") {
			size += w.symbol(r, lits, dists, size)
		}
		w.code(lits, 256)
	}
	src := w.member()
	agree(r, &d, src)
	if n := rapid.IntRange(0, len(src)*8-1).Draw(r, "flip"); n%2 == 0 {
		src[n/8] ^= 1 << (n % 8)
		agree(r, &d, src)
	}
}

// completeCode draws the lengths of a complete code of at least two symbols, the
// last one (the end of the block) among them when there are that many.
func completeCode(r *rapid.T, least, most int) []uint8 {
	leaves := []uint8{1, 1}
	for range rapid.IntRange(0, most-2).Draw(r, "leaves") {
		i := rapid.IntRange(0, len(leaves)-1).Draw(r, "split")
		if rapid.Bool().Draw(r, "deep") {
			i = len(leaves) - 1
		}
		if leaves[i] < maxCode {
			leaves[i]++
			leaves = append(leaves, leaves[i])
		}
	}
	n := rapid.IntRange(max(least, len(leaves)), most).Draw(r, "symbols")
	lens := make([]uint8, n)
	free := rapid.Permutation(slices.Collect(indices(n))).Draw(r, "order")
	if least > 1 {
		i := slices.Index(free, 256)
		free[0], free[i] = free[i], free[0]
	}
	for i, n := range leaves {
		lens[free[i]] = n
	}
	return lens
}

func indices(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// symbol writes a literal or a match that the codes have, as far as possible
// within the size bytes there are, and returns how much longer the output is.
func (w *bitWriter) symbol(r *rapid.T, lits, dists []uint8, size int) int {
	sym := rapid.IntRange(0, len(lits)-1).Draw(r, "symbol")
	if lits[sym] == 0 || sym == 256 {
		return 0
	}
	if sym < 256 {
		w.code(lits, sym)
		return 1
	}
	dist := rapid.IntRange(0, len(dists)-1).Draw(r, "distance")
	if dists[dist] == 0 || int(distSymbols[dist]>>valueShift) > size {
		return 0
	}
	w.code(lits, sym)
	bits := uint(litSymbols[sym] & 63)
	extra := rapid.Uint64Range(0, 1<<bits-1).Draw(r, "extra")
	w.put(extra, bits)
	w.code(dists, dist)
	w.put(0, uint(distSymbols[dist]&63))
	return int(litSymbols[sym]>>valueShift) + int(extra)
}
