package rule

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strconv"
	"time"
)

// The forms of a rule, as they stand in an alert's id.
const (
	formPlain     = "plain"
	formDedup     = "dedup"
	formThreshold = "threshold"
	formSequence  = "sequence"
	formFirstSeen = "first_seen"
)

// alertID is the identity of an alert: a function of the rule's id, of what
// happened and of event time, never of arrival or of the rule's text.
//
// It is the first 26 characters of the lower-case, unpadded base32 (RFC 4648)
// of the SHA-256 of the parts "v1", form, rule id, parts…, each written as the
// length of its UTF-8 text in bytes, 8 bytes big-endian, and then the text.
func alertID(form, ruleID string, parts ...string) string {
	var buf [256]byte
	text := appendPart(buf[:0], "v1")
	text = appendPart(text, form)
	text = appendPart(text, ruleID)
	for _, part := range parts {
		text = appendPart(text, part)
	}
	sum := sha256.Sum256(text)
	return string(lowerBase32.AppendEncode(buf[:0], sum[:])[:26])
}

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func appendPart(dst []byte, part string) []byte {
	return append(binary.BigEndian.AppendUint64(dst, uint64(len(part))), part...)
}

// bucket is the number of the aligned span of event time that t lies in.
func bucket(t time.Time, every time.Duration) int64 {
	ms, span := t.UnixMilli(), every.Milliseconds()
	n := ms / span
	if ms%span < 0 {
		n--
	}
	return n
}

func bucketText(n int64) string { return strconv.FormatInt(n, 10) }

// hourOf is the hour since 1970 an alert is kept under; earlier times are hour 0.
func hourOf(t time.Time) uint32 {
	return uint32(max(0, t.Unix()/3600))
}
