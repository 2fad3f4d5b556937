package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// inspect verifies a file without mapping it, where a bad offset would kill
// the process. Up to limit bytes it reads every page: each belongs to exactly
// one place, each page is laid out as bbolt writes it, keys are in order, each
// value has its checksum. Above, only the meta pages and the file's size.
// bbolt's own check sees less (an entry that fell off a page's count, say) and
// only after it trusted the file enough to map it.
func inspect(f *os.File, limit int64) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("inspecting %s: %w", f.Name(), err)
	}
	return inspectBytes(f, info.Size(), limit)
}

func inspectBytes(f io.ReaderAt, size, limit int64) error {
	if size == 0 {
		return corrupt("the file is empty")
	}
	m, err := readMetas(f)
	if err != nil {
		return err
	}
	if need := m.pages * pageSize; uint64(size) < need || m.pages > 1<<40 {
		return corrupt("the file was truncated: it has %d bytes of %d", size, need)
	}
	// Without a list of free pages bbolt reads all of them anyway, and dies of
	// what it does not like.
	if m.pages*pageSize > uint64(limit) && m.freelist != noFreelist {
		return nil
	}
	i := &inspector{file: f, pages: m.pages, seen: make([]uint64, m.pages/64+1)}
	return i.inspect(m)
}

// inspector walks the tree of pages.
type inspector struct {
	file  io.ReaderAt
	pages uint64
	seen  []uint64 // a bit for each page that has its place
}

func (i *inspector) inspect(m meta) error {
	i.seen[0] |= 3 // the metas
	found := map[string]bool{}
	if err := i.tree(m.root, place{found: found}); err != nil {
		return err
	}
	for _, name := range rootBuckets {
		if !found[name] {
			return corrupt("bucket %q is missing", name)
		}
	}
	if m.freelist == noFreelist {
		return nil
	}
	return i.free(m.freelist)
}

// place is where in the store a page is.
type place struct {
	path     string          // of the bucket; empty for the root
	min, max []byte          // keys are at least min and below max, nil is open
	found    map[string]bool // where the root notes its buckets
}

// tree inspects the page and what is below it.
func (i *inspector) tree(id uint64, at place) error {
	page, err := i.read(id, at)
	if err != nil {
		return err
	}
	switch flags := native.Uint16(page[8:]); flags {
	case branchPage:
		return i.branch(id, page, at)
	case leafPage:
		return i.leaf(id, page, at)
	default:
		return corrupt("page %d of bucket %q: unknown type %#x", id, at.path, flags)
	}
}

// read returns a page with its overflow and notes that it has its place.
func (i *inspector) read(id uint64, at place) ([]byte, error) {
	if id < 2 || id >= i.pages {
		return nil, corrupt("page %d of bucket %q: beyond the end", id, at.path)
	}
	header := make([]byte, pageHeader)
	if _, err := i.file.ReadAt(header, int64(id*pageSize)); err != nil {
		return nil, corrupt("page %d of bucket %q: %v", id, at.path, err)
	}
	more := uint64(native.Uint32(header[12:]))
	if native.Uint64(header) != id || id+more >= i.pages {
		return nil, corrupt("page %d of bucket %q: its header is wrong", id, at.path)
	}
	for p := id; p <= id+more; p++ {
		if err := i.place(p, at.path); err != nil {
			return nil, err
		}
	}
	page := make([]byte, (more+1)*pageSize)
	if _, err := i.file.ReadAt(page, int64(id*pageSize)); err != nil {
		return nil, corrupt("page %d of bucket %q: %v", id, at.path, err)
	}
	return page, nil
}

// place notes that a page belongs to path, and only there.
func (i *inspector) place(id uint64, path string) error {
	if i.seen[id/64]&(1<<(id%64)) != 0 {
		return corrupt("page %d of bucket %q: in two places", id, path)
	}
	i.seen[id/64] |= 1 << (id % 64)
	return nil
}

// ordered says whether the keys ascend within the bounds of their place.
func ordered(list []element, at place) bool {
	if bytes.Compare(list[0].key, at.min) < 0 {
		return false
	}
	for n := range list[1:] {
		if bytes.Compare(list[n].key, list[n+1].key) >= 0 {
			return false
		}
	}
	return at.max == nil || bytes.Compare(list[len(list)-1].key, at.max) < 0
}

// parse returns the elements of a page in order.
func parse(id uint64, page []byte, leaf bool, at place) ([]element, error) {
	list, err := elements(page, leaf)
	if err == nil && !ordered(list, at) {
		err = errors.New("its keys are out of order")
	}
	if err != nil {
		return nil, corrupt("page %d of bucket %q: %v", id, at.path, err)
	}
	return list, nil
}

func (i *inspector) branch(id uint64, page []byte, at place) error {
	list, err := parse(id, page, false, at)
	if err != nil {
		return err
	}
	for n, e := range list {
		below := place{path: at.path, min: e.key, max: at.max, found: at.found}
		if n+1 < len(list) {
			below.max = list[n+1].key
		}
		if err := i.tree(e.child, below); err != nil {
			return err
		}
	}
	return nil
}

func (i *inspector) leaf(id uint64, page []byte, at place) error {
	list, err := parse(id, page, true, at)
	if err != nil {
		return err
	}
	for _, e := range list {
		if err := i.entry(id, e, at); err != nil {
			return err
		}
	}
	return nil
}

// entry inspects a value or the bucket that is one.
func (i *inspector) entry(id uint64, e element, at place) error {
	if e.flags == bucketElement {
		return i.bucket(id, e, at)
	}
	if e.flags != 0 || at.path == "" {
		return damage(at.path, e.key, "it is of no known kind")
	}
	value, err := unseal(at.path, e.key, e.value)
	if err != nil {
		return err
	}
	if at.path == aboutBucket && bytes.Equal(e.key, formatKey) {
		return knownFormat(value)
	}
	return nil
}

// bucket inspects a bucket: a tree of its own, or a page inside the value.
func (i *inspector) bucket(id uint64, e element, at place) error {
	inside := place{path: at.path + "/" + string(e.key)}
	if at.found != nil {
		inside.path = string(e.key)
		at.found[inside.path] = true
	}
	if len(e.value) < bucketSize {
		return damage(at.path, e.key, "it is too short for a bucket")
	}
	root, inline := native.Uint64(e.value), e.value[bucketSize:]
	switch {
	case root != 0 && len(inline) == 0:
		return i.tree(root, inside)
	case root == 0 && len(inline) > pageHeader && native.Uint16(inline[8:]) == leafPage:
		return i.leaf(id, inline, inside)
	}
	return damage(at.path, e.key, "it is no bucket")
}

// free inspects the list of free pages: with it every page has one place.
func (i *inspector) free(id uint64) error {
	page, err := i.read(id, place{path: "free pages"})
	if err != nil {
		return err
	}
	count, ids := uint64(native.Uint16(page[10:])), page[pageHeader:]
	if count == 0xFFFF { // does not fit: the first number is the count
		count, ids = native.Uint64(ids), ids[8:]
	}
	if native.Uint16(page[8:]) != freelistPage || count > uint64(len(ids)/8) {
		return corrupt("page %d is no list of free pages", id)
	}
	for n := range count {
		free := native.Uint64(ids[n*8:])
		if free < 2 || free >= i.pages {
			return corrupt("free page %d: beyond the end", free)
		}
		if err := i.place(free, "free pages"); err != nil {
			return err
		}
	}
	for p := range i.pages {
		if i.seen[p/64]&(1<<(p%64)) == 0 {
			return corrupt("page %d belongs nowhere", p)
		}
	}
	return nil
}
