package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"

	"github.com/trailship/trailship/core/store"
)

// The layout of bbolt's pages, in the byte order of the machine.
const (
	// A small bundle of alerts fits, and larger ones fill few pages.
	pageSize    = 16 << 10
	pageHeader  = 16
	elementSize = 16
	bucketSize  = 16 // of a bucket's header: root page, sequence

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10

	bucketElement = 0x01
	noFreelist    = ^uint64(0)
)

var native = binary.NativeEndian

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", store.ErrDamaged, fmt.Sprintf(format, args...))
}

// meta is what a meta page says.
type meta struct {
	pageSize                  uint32
	root, freelist, pages, tx uint64
}

// readMetas returns the newer of the two meta pages. Both must be whole: a
// commit older is not what was acknowledged, and a crash does not tear 64
// bytes of one sector.
func readMetas(f io.ReaderAt) (meta, error) {
	var newest meta
	page := make([]byte, pageSize)
	for i := range int64(2) {
		if _, err := f.ReadAt(page, i*pageSize); err != nil {
			return meta{}, corrupt("meta page %d: %v", i, err)
		}
		m, ok := parseMeta(page[pageHeader:])
		if ok && m.pageSize != pageSize {
			return meta{}, fmt.Errorf("its pages have %d bytes instead of %d: it was written by another version of trailship; use that one, or move the file away to begin anew", m.pageSize, pageSize)
		}
		if !ok {
			return meta{}, corrupt("meta page %d: its checksum does not match", i)
		}
		if i == 0 || m.tx > newest.tx {
			newest = m
		}
	}
	return newest, nil
}

func parseMeta(b []byte) (meta, bool) {
	const magic, version, summed = 0xED0CDAED, 2, 56
	h := fnv.New64a()
	h.Write(b[:summed])
	ok := native.Uint32(b) == magic && native.Uint32(b[4:]) == version &&
		native.Uint64(b[summed:]) == h.Sum64()
	return meta{
		pageSize: native.Uint32(b[8:]),
		root:     native.Uint64(b[16:]),
		freelist: native.Uint64(b[32:]),
		pages:    native.Uint64(b[40:]),
		tx:       native.Uint64(b[48:]),
	}, ok
}

// element is a key on a page with its value, or the page below it.
type element struct {
	key, value []byte
	flags      uint32
	child      uint64
}

// elements takes a page apart. bbolt packs the elements without gaps behind
// their headers, so a header or a count that changed shows.
func elements(page []byte, leaf bool) ([]element, error) {
	list := make([]element, native.Uint16(page[10:]))
	next := pageHeader + len(list)*elementSize
	if len(list) == 0 || next > len(page) {
		return nil, errors.New("its count is wrong")
	}
	for n := range list {
		at := pageHeader + n*elementSize
		h := page[at : at+elementSize]
		e := element{child: native.Uint64(h[8:])}
		pos, ksize, vsize := native.Uint32(h), native.Uint32(h[4:]), uint32(0)
		if leaf {
			e = element{flags: native.Uint32(h)}
			pos, ksize, vsize = native.Uint32(h[4:]), native.Uint32(h[8:]), native.Uint32(h[12:])
		}
		if ksize == 0 || at+int(pos) != next || next+int(ksize)+int(vsize) > len(page) {
			return nil, fmt.Errorf("entry %d is not where it belongs", n)
		}
		e.key = page[next : next+int(ksize)]
		e.value = page[next+int(ksize) : next+int(ksize)+int(vsize)]
		next += int(ksize) + int(vsize)
		list[n] = e
	}
	if spare := len(page) - next; spare >= pageSize || len(page)%pageSize != 0 && spare > 0 {
		return nil, errors.New("its size is wrong")
	}
	return list, nil
}
