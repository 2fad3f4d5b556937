package event

import (
	"bytes"
	"strings"
	"testing"

	"github.com/trailship/trailship/core/event/rawjson"
)

// Every byte at every place of short and long texts, where it is one of few
// that need more than quotes around them.
func TestTextIsTheSameWhetherLookedThroughByWordsOrByBytes(t *testing.T) {
	for size := range 18 {
		text := []byte(strings.Repeat("~ !#[]", 3))[:size]
		for at := range text {
			was := text[at]
			for c := range 256 {
				text[at] = byte(c)
				want := rawjson.AppendString(nil, string(text))
				var w writer
				if w.text(string(text)); !bytes.Equal(w.b, want) {
					t.Fatalf("%q is written as %s, want %s", text, w.b, want)
				}
				if plain := len(want) == size+2; plain != verbatim(string(text)) && c < 0x80 {
					t.Fatalf("%q: verbatim is %t", text, !plain)
				}
			}
			text[at] = was
		}
	}
}
