package rule

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"testing"
	"time"
)

// TestAlertIDVectors holds ids that were computed elsewhere (Python's hashlib
// over the bytes the comment of alertID describes). They never change: stores
// and destinations know alerts by them.
func TestAlertIDVectors(t *testing.T) {
	for _, v := range []struct {
		want  string
		parts []string
	}{
		{"es4xqwfvdbjhsmyc75gey7wgvx", []string{"plain", "kms-key-deletion", "alibaba", "1000000000000001", "5c0a0e2e-0000-0000-0000-000000000001"}},
		{"i3ilamczv2fkyjvyz2u4kpwf4q", []string{"dedup", "kms-key-deletion", "alibaba", "1000000000000001", "1234abcd", "495993"}},
		{"ex4mjcvrppovulokps4pw7lxq6", []string{"dedup", "r", "aws", "", `a"b`, "7", "", `["x",1]`, "-1"}},
	} {
		if got := alertID(v.parts[0], v.parts[1], v.parts[2:]...); got != v.want {
			t.Errorf("alertID(%q) = %s, want %s", v.parts, got, v.want)
		}
	}
}

// TestAlertIDBytes writes the hashed bytes out by hand.
func TestAlertIDBytes(t *testing.T) {
	bytes := "\x00\x00\x00\x00\x00\x00\x00\x02v1" + "\x00\x00\x00\x00\x00\x00\x00\x05plain" + "\x00\x00\x00\x00\x00\x00\x00\x01r" +
		"\x00\x00\x00\x00\x00\x00\x00\x03aws" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x03\xe2\x82\xac"
	sum := sha256.Sum256([]byte(bytes))
	want := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:26]
	if got := alertID(formPlain, "r", "aws", "", "€"); got != want {
		t.Errorf("alertID = %s, want %s", got, want)
	}
}

func TestBuckets(t *testing.T) {
	at := func(s string) time.Time {
		x, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for _, row := range []struct {
		time  string
		every time.Duration
		want  int64
	}{
		{"1970-01-01T00:00:00Z", time.Hour, 0},
		{"1970-01-01T00:59:59.999Z", time.Hour, 0},
		{"1970-01-01T01:00:00Z", time.Hour, 1},
		{"1969-12-31T23:59:59.999Z", time.Hour, -1},
		{"1969-12-31T23:00:00Z", time.Hour, -1},
		{"2026-08-01T09:59:59Z", time.Hour, 495993},
		{"2026-08-01T17:30:00+08:00", time.Hour, 495993},
	} {
		if got := bucket(at(row.time), row.every); got != row.want {
			t.Errorf("bucket(%s, %s) = %d, want %d", row.time, row.every, got, row.want)
		}
	}
	if got := hourOf(at("2026-08-01T09:30:00Z")); got != 495993 {
		t.Errorf("hour %d, want 495993", got)
	}
	if got := hourOf(at("1969-01-01T00:00:00Z")); got != 0 {
		t.Errorf("hour %d, want 0", got)
	}
}
