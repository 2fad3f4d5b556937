package rule

import (
	"strings"
)

// substrings finds which of many texts a text holds, in one pass: each stands
// under those four bytes of it that fewest others have. The zero value and nil
// find nothing.
type substrings struct {
	needles map[string][]int32 // until prepare
	short   []needle           // less than four bytes
	grams   map[uint32][]needle
	filter  [1 << 10]uint64 // a bit for the hash of every gram there is
}

type needle struct {
	text  string
	at    int // of its gram
	rules []int32
}

const gramSize = 4

func gram(s string, at int) uint32 {
	return uint32(s[at]) | uint32(s[at+1])<<8 | uint32(s[at+2])<<16 | uint32(s[at+3])<<24
}

// bit is the place of a gram in the filter.
func bit(g uint32) (word, mask uint64) {
	h := uint64(g*2654435761) >> 16
	return h >> 6, 1 << (h & 63)
}

// prepare makes ready what was inserted.
func (s *substrings) prepare() {
	if s == nil {
		return
	}
	count := map[uint32]int{}
	for text := range s.needles {
		for i := 0; i+gramSize <= len(text); i++ {
			count[gram(text, i)]++
		}
	}
	s.grams = map[uint32][]needle{}
	for _, text := range sortedKeys(s.needles) {
		n := needle{text: text, rules: s.needles[text]}
		if len(text) < gramSize {
			s.short = append(s.short, n)
			continue
		}
		for i := 1; i+gramSize <= len(text); i++ {
			if count[gram(text, i)] < count[gram(text, n.at)] {
				n.at = i
			}
		}
		g := gram(text, n.at)
		s.grams[g] = append(s.grams[g], n)
		word, mask := bit(g)
		s.filter[word] |= mask
	}
	s.needles = nil
}

// find appends the rules of every needle that text holds, some twice.
func (s *substrings) find(dst []int32, text string) []int32 {
	if s == nil {
		return dst
	}
	for _, n := range s.short {
		if strings.Contains(text, n.text) {
			dst = append(dst, n.rules...)
		}
	}
	if len(s.grams) == 0 {
		return dst
	}
	for i := 0; i+gramSize <= len(text); i++ {
		g := gram(text, i)
		if word, mask := bit(g); s.filter[word]&mask == 0 {
			continue
		}
		for _, n := range s.grams[g] {
			if i >= n.at && strings.HasPrefix(text[i-n.at:], n.text) {
				dst = append(dst, n.rules...)
			}
		}
	}
	return dst
}
