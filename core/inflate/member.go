package inflate

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
)

// Flags of a member's header (RFC 1952, 2.3.1).
const (
	flagHeaderCRC = 1 << (iota + 1)
	flagExtra
	flagName
	flagComment
	flagsReserved = 0xe0
)

const (
	headerSize  = 10
	trailerSize = 8
	maxText     = 511 // bytes of a name or comment; more is refused by the standard library

	reservedFlags = "unknown flags in the gzip header"
)

// Size is what src says it inflates to: the length in the trailer of its last
// member, modulo 4 GiB. It is a hint. It is wrong for several members, and
// anything for damaged ones; but never more than src can inflate to at all.
func Size(src []byte) int {
	if len(src) < headerSize+trailerSize {
		return 0
	}
	size := uint64(binary.LittleEndian.Uint32(src[len(src)-4:]))
	return int(min(size, maxRatio*uint64(len(src)), math.MaxInt))
}

// header passes over the header of a member.
func (d *Decoder) header() error {
	head := d.src[d.next:]
	if len(head) < headerSize {
		return errTruncated
	}
	if head[0] != 0x1f || head[1] != 0x8b || head[2] != 8 {
		return d.corrupt("no gzip header")
	}
	flags, size := head[3], headerSize
	if flags&flagExtra != 0 {
		if len(head) < size+2 {
			return errTruncated
		}
		size += 2 + int(binary.LittleEndian.Uint16(head[size:]))
	}
	for _, text := range [2]byte{flagName, flagComment} {
		if flags&text == 0 {
			continue
		}
		if len(head) < size {
			return errTruncated
		}
		n := bytes.IndexByte(head[size:min(size+maxText+1, len(head))], 0)
		if n < 0 && len(head)-size > maxText {
			return d.corrupt("a name or comment too long in the gzip header")
		} else if n < 0 {
			return errTruncated
		}
		size += n + 1
	}
	if flags&flagHeaderCRC != 0 {
		if len(head) < size+2 {
			return errTruncated
		}
		if binary.LittleEndian.Uint16(head[size:]) != uint16(crc32.ChecksumIEEE(head[:size])) {
			return d.corrupt("wrong checksum of the gzip header")
		}
		size += 2
	}
	if len(head) < size {
		return errTruncated
	}
	if flags&flagsReserved != 0 {
		return d.corrupt(reservedFlags)
	}
	d.next += size
	return nil
}

// trailer compares the checksum and length of the member with what it inflated
// to.
func (d *Decoder) trailer() error {
	d.align()
	tail := d.src[d.next:]
	if len(tail) < trailerSize {
		return errTruncated
	}
	switch {
	case binary.LittleEndian.Uint32(tail) != d.sum:
		return d.corrupt("wrong checksum")
	case binary.LittleEndian.Uint32(tail[4:]) != uint32(d.end-d.start):
		return d.corrupt("wrong length")
	}
	d.next += trailerSize
	return nil
}
