package rawjson

import "encoding/binary"

// Names are what is known of the names in objects: a dictionary, and which name
// came after which, for members come in much the same order in one object after
// another. Names belong to one goroutine.
type Names struct {
	*Dictionary
	after [256]uint8 // by the number of a name
}

// first stands for the name before the first.
const first = 255

// Dictionary is a list of names, which may be shared. Their numbers are their
// places in the list, from 1.
type Dictionary struct {
	slots [512]struct {
		name   string
		number uint8
	}
	written [256]written
}

// written is `"name":` with the bytes behind it masked out. One that is longer
// has a text that no mask lets through.
type written struct {
	text, mask [longestName / 8]uint64
	n          int
}

const longestName = 24 // with quotes and colon, for a name to be expected

// NewDictionary returns the dictionary of names, of which there are at most 254
// and none is empty.
func NewDictionary(names ...string) *Dictionary {
	d := new(Dictionary)
	for number := range d.written {
		d.written[number].text[0] = 1
	}
	for n, name := range names {
		i := slot([]byte(name))
		for d.slots[i].name != "" {
			i = (i + 1) % uint(len(d.slots))
		}
		d.slots[i].name, d.slots[i].number = name, uint8(n+1)
		if text := `"` + name + `":`; len(text) <= longestName {
			var buf, mask [longestName]byte
			for i := range copy(buf[:], text) {
				mask[i] = 0xff
			}
			d.written[n+1] = written{three(&buf), three(&mask), len(text)}
		}
	}
	return d
}

func three(b *[longestName]byte) [3]uint64 {
	return [3]uint64{binary.LittleEndian.Uint64(b[0:]), binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:])}
}

// slot is where to look first: hashing all of a name costs more than comparing
// it.
func slot(name []byte) uint {
	n := uint(len(name))
	return (n*31 + uint(name[0])*7 + uint(name[n/2])*61 + uint(name[n-1])*13) % 512
}

// Number returns the number of a name, 0 for one that is not known.
func (d *Dictionary) Number(name []byte) uint8 {
	if len(name) == 0 {
		return 0
	}
	for i := slot(name); d.slots[i].name != ""; i = (i + 1) % uint(len(d.slots)) {
		if d.slots[i].name == string(name) {
			return d.slots[i].number
		}
	}
	return 0
}

// expected returns where the value starts, and the number of its name, if at
// b[i] there is the name that came after the one before the last time;
// otherwise 0 and before.
func (n *Names) expected(b []byte, i int, before uint8) (int, uint8) {
	if n == nil || len(b)-i <= longestName {
		return 0, before
	}
	number := n.after[before]
	w := &n.written[number]
	text := three((*[longestName]byte)(b[i:]))
	if (text[0]&w.mask[0]^w.text[0])|(text[1]&w.mask[1]^w.text[1])|(text[2]&w.mask[2]^w.text[2]) != 0 || b[i+w.n] <= ' ' {
		return 0, before
	}
	return i + w.n, number
}

// find returns the number of a name that was not expected, and expects it
// there the next time.
func (n *Names) find(name []byte, before uint8) uint8 {
	if n == nil {
		return 0
	}
	number := n.Number(name)
	n.after[before] = number
	return number
}
