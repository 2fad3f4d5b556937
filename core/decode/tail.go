package decode

import (
	"fmt"
	"io"

	"github.com/trailship/trailship/core/event/rawjson"
)

// tail reads on in an object nobody keeps: after its array of records, or, if
// whole, from its start because it is too large to hold. Another array of
// records is read too.
func (r *Reader) tail(whole bool) error {
	start := r.offset()
	if whole {
		r.pos++
	}
	entered, err := r.skim(whole)
	switch {
	case err == errBroken && whole:
		r.resync()
		return r.reject(start, ReasonJSON, "broken inside an object")
	case err == errBroken:
		return r.damage(r.offset(), ReasonJSON, "broken after the records")
	case err != nil:
		return r.fail(err)
	case entered:
		r.enter(true)
		return errNone
	}
	if r.state = between; whole {
		return r.reject(start, ReasonTooLarge, fmt.Sprintf("larger than %d bytes", r.limits.MaxRecord))
	}
	return errNone
}

// skim consumes members up to the end of the object or into an array of
// records. first says that none was read yet.
func (r *Reader) skim(first bool) (entered bool, err error) {
	for ; ; first = false {
		c, err := r.peek()
		if err != nil {
			return false, err
		}
		if c == '}' {
			r.pos++
			return false, nil
		}
		if !first {
			if c != ',' {
				return false, errBroken
			}
			r.pos++
		}
		name, err := r.memberName()
		if err != nil {
			return false, err
		}
		if c, err = r.peek(); err != nil {
			return false, err
		}
		if opensRecords(name, c) {
			r.pos++
			return true, nil
		}
		if err := r.skip(); err != nil {
			return false, err
		}
	}
}

// memberName consumes a member's name and colon. The name is good until the
// next read; a long one is cut off, for it is none we know.
func (r *Reader) memberName() ([]byte, error) {
	if c, err := r.peek(); err != nil {
		return nil, err
	} else if c != '"' {
		return nil, errBroken
	}
	for len(r.text()) < longestTailName {
		if err := r.more(); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
	}
	var known []byte
	if end, st := rawjson.Skip(r.text(), 0); st == rawjson.OK && end <= longestTailName {
		known = append(r.scratch[0][:0], r.text()[1:end-1]...)
		r.scratch[0] = known
	}
	if err := r.skip(); err != nil {
		return nil, err
	}
	if c, err := r.peek(); err != nil {
		return nil, err
	} else if c != ':' {
		return nil, errBroken
	}
	r.pos++
	return known, nil
}

const longestTailName = 64
