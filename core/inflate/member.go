package inflate

import (
	"encoding/binary"
	"hash/crc32"
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
	pieceSize   = 4096
	maxText     = 511 // bytes of a name or comment; more is refused by the standard library

	reservedFlags = "unknown flags in the gzip header"
)

// header passes over the header of a member.
func (r *Reader) header() error {
	head, ok := r.bytes(headerSize)
	if !ok {
		return r.short()
	}
	if head[0] != 0x1f || head[1] != 0x8b || head[2] != 8 {
		return r.corrupt("no gzip header")
	}
	flags, sum := head[3], crc32.ChecksumIEEE(head)
	if flags&flagExtra != 0 {
		size, ok := r.bytes(2)
		if !ok {
			return r.short()
		}
		sum = crc32.Update(sum, crc32.IEEETable, size)
		for n := int(binary.LittleEndian.Uint16(size)); n > 0; n -= min(n, pieceSize) {
			piece, ok := r.bytes(min(n, pieceSize))
			if !ok {
				return r.short()
			}
			sum = crc32.Update(sum, crc32.IEEETable, piece)
		}
	}
	for _, text := range [2]byte{flagName, flagComment} {
		if flags&text == 0 {
			continue
		}
		if err := r.text(&sum); err != nil {
			return err
		}
	}
	if flags&flagHeaderCRC != 0 {
		want, ok := r.bytes(2)
		if !ok {
			return r.short()
		}
		if binary.LittleEndian.Uint16(want) != uint16(sum) {
			return r.corrupt("wrong checksum of the gzip header")
		}
	}
	if flags&flagsReserved != 0 {
		return r.corrupt(reservedFlags)
	}
	return nil
}

// text passes over a text of the header and takes it into its checksum.
func (r *Reader) text(sum *uint32) error {
	for range maxText + 1 {
		c, ok := r.bytes(1)
		if !ok {
			return r.short()
		}
		*sum = crc32.Update(*sum, crc32.IEEETable, c)
		if c[0] == 0 {
			return nil
		}
	}
	return r.corrupt("a name or comment too long in the gzip header")
}

// trailer compares the checksum and length of the member with what it inflated
// to.
func (r *Reader) trailer() error {
	r.align()
	r.settle()
	tail, ok := r.bytes(trailerSize)
	if !ok {
		return r.short()
	}
	var detail string
	switch {
	case binary.LittleEndian.Uint32(tail) != r.sum:
		detail = "wrong checksum"
	case binary.LittleEndian.Uint32(tail[4:]) != uint32(r.size):
		detail = "wrong length"
	default:
		return nil
	}
	r.next -= trailerSize
	return r.corrupt(detail)
}
