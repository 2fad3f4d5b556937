package bolt

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/trailship/trailship/core/source"
)

// errShort is what a value says that ends too early. Behind a checksum it
// means a writer and a reader that disagree.
var errShort = errors.New("it ends too early")

// The flags of an entry.
const (
	entryDone   = 1
	entryBuried = 2
	entryFailed = 4 // for how long follows behind the version
)

// entrySize is about what appendEntry appends.
func entrySize(e source.Entry) int { return 64 + len(e.Version) }

func appendEntry(b []byte, e source.Entry) []byte {
	flags := uint64(0)
	if e.Done {
		flags |= entryDone
	}
	if e.Buried {
		flags |= entryBuried
	}
	if e.Failing > 0 {
		flags |= entryFailed
	}
	b = binary.AppendUvarint(b, flags)
	b = binary.AppendVarint(b, e.Offset)
	b = binary.AppendVarint(b, e.Before)
	b = binary.AppendVarint(b, e.Records)
	b = appendTime(b, e.Seen)
	b = appendString(b, e.Version)
	if e.Failing > 0 {
		b = binary.AppendVarint(b, int64(e.Failing))
	}
	return b
}

func parseEntry(b []byte) (source.Entry, error) {
	d := decoder{b: b}
	flags := d.uvarint()
	e := source.Entry{
		Done:    flags&entryDone != 0,
		Buried:  flags&entryBuried != 0,
		Offset:  d.varint(),
		Before:  d.varint(),
		Records: d.varint(),
		Seen:    d.time(),
		Version: string(d.bytes()),
	}
	if flags&entryFailed != 0 {
		e.Failing = time.Duration(d.varint())
	}
	return e, d.err
}

func appendString[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendTime keeps any time to the nanosecond, not its zone.
func appendTime(b []byte, t time.Time) []byte {
	return binary.AppendUvarint(binary.AppendVarint(b, t.Unix()), uint64(t.Nanosecond()))
}

// decoder reads values one after the other; after the first that is not whole
// it only returns zeros.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) skip(n int) {
	if n <= 0 || d.err != nil {
		d.b, d.err = nil, errShort
		return
	}
	d.b = d.b[n:]
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	d.skip(n)
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	d.skip(n)
	return v
}

func (d *decoder) time() time.Time {
	sec, nsec := d.varint(), d.uvarint()
	return time.Unix(sec, int64(nsec)).UTC()
}

// bytes returns nil for an empty value.
func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if d.err != nil || n > uint64(len(d.b)) {
		d.err = errShort
		return nil
	}
	if n == 0 {
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

// idKey is where an alert id is filed: the hour and 128 bits of the hash the
// id spells in base32. Any other id is hashed to as many.
func idKey(hour uint32, id string) [20]byte {
	var key [20]byte
	binary.BigEndian.PutUint32(key[:], hour)
	if !base32Bits(key[4:], id) {
		sum := sha256.Sum256([]byte(id))
		copy(key[4:], sum[:])
	}
	return key
}

// base32Bits fills dst with the first bits of 26 base32 letters; it returns
// false when id is none such.
func base32Bits(dst []byte, id string) bool {
	if len(id) != 26 {
		return false
	}
	var bits uint64
	have, out := 0, 0
	for _, c := range []byte(id) {
		var five uint64
		switch {
		case c >= 'a' && c <= 'z':
			five = uint64(c - 'a')
		case c >= '2' && c <= '7':
			five = uint64(c-'2') + 26
		default:
			return false
		}
		bits, have = bits<<5|five, have+5
		if have >= 8 && out < len(dst) {
			have -= 8
			dst[out] = byte(bits >> have)
			out++
		}
	}
	return true
}

// dayKey is the name of the bucket of an hour's day.
func dayKey(hour uint32) []byte {
	return binary.BigEndian.AppendUint32(nil, hour/24)
}

// seqKeyOf is the key of an alert's sequence number.
func seqKeyOf(seq uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, seq)
}
