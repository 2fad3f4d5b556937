package rule

import (
	"slices"
	"strings"
)

// Scratch is a State in memory: of tests, of dry runs. The zero value is
// empty. It belongs to one goroutine.
type Scratch struct {
	rules map[string]*shelf
}

// shelf is what one rule holds: values by key, and the keys in order, in
// blocks so that a new one moves few others.
type shelf struct {
	values map[string][]byte
	blocks [][]string
}

const blockKeys = 512

// Get implements State.
func (s *Scratch) Get(rule, key string) ([]byte, error) {
	if r := s.rules[rule]; r != nil {
		return r.values[key], nil
	}
	return nil, nil
}

// Put implements State.
func (s *Scratch) Put(rule, key string, value []byte) error {
	r := s.rules[rule]
	if r == nil {
		if value == nil {
			return nil
		}
		if s.rules == nil {
			s.rules = map[string]*shelf{}
		}
		r = &shelf{values: map[string][]byte{}}
		s.rules[rule] = r
	}
	_, known := r.values[key]
	switch {
	case value != nil:
		if !known {
			r.insert(key)
		}
		r.values[key] = slices.Clone(value)
	case known:
		delete(r.values, key)
		r.remove(key)
	}
	return nil
}

// block is the place of the block a key belongs into.
func (r *shelf) block(key string) int {
	i, found := slices.BinarySearchFunc(r.blocks, key, func(b []string, key string) int { return strings.Compare(b[0], key) })
	if !found && i > 0 {
		i--
	}
	return i
}

func (r *shelf) insert(key string) {
	if len(r.blocks) == 0 {
		r.blocks = [][]string{{key}}
		return
	}
	n := r.block(key)
	i, _ := slices.BinarySearch(r.blocks[n], key)
	b := slices.Insert(r.blocks[n], i, key)
	r.blocks[n] = b
	if len(b) > blockKeys {
		half := len(b) / 2
		r.blocks = slices.Insert(r.blocks, n+1, slices.Clone(b[half:]))
		r.blocks[n] = b[:half:half]
	}
}

func (r *shelf) remove(key string) {
	n := r.block(key)
	i, _ := slices.BinarySearch(r.blocks[n], key)
	if r.blocks[n] = slices.Delete(r.blocks[n], i, i+1); len(r.blocks[n]) == 0 {
		r.blocks = slices.Delete(r.blocks, n, n+1)
	}
}

// Keys implements State.
func (s *Scratch) Keys(rule, from string, max int) ([]string, error) {
	r := s.rules[rule]
	if r == nil || len(r.blocks) == 0 {
		return nil, nil
	}
	var out []string
	for n := r.block(from); n < len(r.blocks) && len(out) < max; n++ {
		b := r.blocks[n]
		i, _ := slices.BinarySearch(b, from)
		out = append(out, b[i:min(len(b), i+max-len(out))]...)
	}
	return out, nil
}

// Remembered implements State.
func (s *Scratch) Remembered() ([]string, error) { return sortedKeys(s.rules), nil }

// Forget implements State.
func (s *Scratch) Forget(rule string) error {
	delete(s.rules, rule)
	return nil
}
