package event

import (
	"strings"

	"github.com/trailship/trailship/core/event/rawjson"
)

// Text keeps the strings of events. They are cut from blocks that are filled
// once and never written again, so they stay good after the event is reused;
// one string keeps its whole block (8 KiB) alive, so clone what is kept for
// long. The zero Text is ready; it belongs to one goroutine.
type Text struct {
	block strings.Builder
	again strings.Builder       // the block of strings that come again
	seen  [1 << seenBits]string // plain text only
}

const (
	blockSize = 8 << 10
	againSize = 1 << 10 // each string that is remembered keeps a block alive
	ownBlock  = 1 << 10 // a longer string gets memory of its own
	internMax = 256     // a longer string is not worth remembering
	seenBits  = 9
)

// Copy returns b as a string.
func (t *Text) Copy(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > ownBlock {
		return string(b)
	}
	return cut(&t.block, blockSize, b)
}

// cut copies b to the end of a block, of a new one when it is full.
func cut(block *strings.Builder, size int, b []byte) string {
	if block.Cap()-block.Len() < len(b) {
		*block = strings.Builder{}
		block.Grow(size)
	}
	start := block.Len()
	block.Write(b)
	return block.String()[start:]
}

// Intern is Copy for strings that come again and again (services, actions,
// regions, accounts): the same string is handed out while it is remembered.
func (t *Text) Intern(b []byte) string {
	if len(b) == 0 || len(b) > internMax || !rawjson.Plain(b) {
		return t.Copy(b)
	}
	slot := &t.seen[place(b)]
	if *slot != string(b) {
		*slot = cut(&t.again, againSize, b)
	}
	return *slot
}

// Seen returns the string that is remembered and spelled like b, "" for none.
// Only plain text is: b may be what stands between the quotes in JSON.
func (t *Text) Seen(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s := t.seen[place(b)]; s == string(b) {
		return s
	}
	return ""
}

// place is where b is remembered: to hash all of it costs more than the rare
// miss.
func place(b []byte) uint64 {
	return rawjson.Glance(b) >> (64 - seenBits)
}
