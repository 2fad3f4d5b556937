package event

import (
	"hash/maphash"
	"strings"
)

// Text keeps the strings of events. They are cut from blocks that are filled
// once and never written again, so they stay good after the event is reused;
// one string keeps its whole block (8 KiB) alive, so clone what is kept for
// long. The zero Text is ready; it belongs to one goroutine.
type Text struct {
	block strings.Builder
	seen  [512]string
}

const (
	blockSize = 8 << 10
	ownBlock  = 1 << 10 // a longer string gets memory of its own
	internMax = 256     // a longer string is not worth remembering
)

var seed = maphash.MakeSeed()

// Copy returns b as a string.
func (t *Text) Copy(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > ownBlock {
		return string(b)
	}
	if t.block.Cap()-t.block.Len() < len(b) {
		t.block = strings.Builder{}
		t.block.Grow(blockSize)
	}
	start := t.block.Len()
	t.block.Write(b)
	return t.block.String()[start:]
}

// Intern is Copy for strings that come again and again (services, actions,
// regions, accounts): the same string is handed out while it is remembered.
func (t *Text) Intern(b []byte) string {
	if len(b) == 0 || len(b) > internMax {
		return t.Copy(b)
	}
	slot := &t.seen[maphash.Bytes(seed, b)%uint64(len(t.seen))]
	if *slot != string(b) {
		*slot = t.Copy(b)
	}
	return *slot
}
