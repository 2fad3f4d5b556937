package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/trailship/trailship/core/store"
)

// A bundle is a run of alerts of one transaction in one value: an alert by
// itself costs more to store, find and delete than to write. It is made of
//
//	the payloads of its alerts, one behind the other: JSON, event, record
//	their heads: sequence number, everything else, how long each payload is
//	4 bytes: how long the heads are
//
// so that all payloads are copied at once, and all texts.
type bundle struct {
	value []byte // with room for a checksum before it; the payloads so far
	heads []byte
	last  uint64 // sequence number
	count int
}

// bundleBytes bounds a bundle, unless a single alert is larger: whoever takes
// one alert of it has the checksum of all to verify. It fills whole pages.
const bundleBytes = 16*pageSize - pageHeader - elementSize - 1

// takes says whether there is room for another alert.
func (b *bundle) takes(a store.Alert) bool {
	return b.count == 0 || len(b.value)+len(b.heads)+alertSize(a) <= bundleBytes
}

// alertSize is the most an alert takes of a bundle.
func alertSize(a store.Alert) int {
	const numbers = 10 * binary.MaxVarintLen64
	return numbers + len(a.ID) + len(a.RuleID) + len(a.Severity) + len(a.Key) + int(payload(a))
}

// payload is what an alert counts in a backlog.
func payload(a store.Alert) int64 {
	return int64(len(a.JSON) + len(a.Event) + len(a.Raw))
}

// add appends everything of an alert but its outputs: those are the queues'.
func (b *bundle) add(seq uint64, a store.Alert) {
	b.value = append(append(append(b.value, a.JSON...), a.Event...), a.Raw...)
	h := binary.AppendUvarint(b.heads, seq)
	h = binary.AppendUvarint(h, uint64(a.Hour))
	h = appendTime(h, a.Time)
	h = appendString(h, a.ID)
	h = appendString(h, a.RuleID)
	h = appendString(h, a.Severity)
	h = appendString(h, a.Key)
	h = binary.AppendUvarint(h, uint64(len(a.JSON)))
	h = binary.AppendUvarint(h, uint64(len(a.Event)))
	b.heads = binary.AppendUvarint(h, uint64(len(a.Raw)))
	b.last = seq
	b.count++
}

// whole returns the value. Nothing may be added after that.
func (b *bundle) whole() []byte {
	b.value = append(b.value, b.heads...)
	return binary.BigEndian.AppendUint32(b.value, uint32(len(b.heads)))
}

// errMissing says that a queue names an alert its bundle does not have.
var errMissing = errors.New("an alert is missing, but an output waits for it")

// readBundle appends the named alerts of a bundle to list, in memory of their
// own. They must be named in order.
func readBundle(list []store.Queued, value []byte, named []waiting) ([]store.Queued, error) {
	heads, err := newHeads(value)
	if err != nil {
		return list, err
	}
	size := total(named).Bytes
	if size > int64(len(heads.payloads)) {
		return list, errMissing
	}
	copied := make([]byte, 0, size)
	for _, w := range named {
		q, payloads, err := heads.find(w.seq)
		if err != nil {
			return list, err
		}
		if int64(len(payloads)) != w.size {
			return list, fmt.Errorf("alert %d has %d bytes instead of %d", w.seq, len(payloads), w.size)
		}
		from := len(copied)
		copied = append(copied, payloads...)
		q.part(copied[from:])
		list = append(list, q.Queued)
	}
	return list, nil
}

// alone is a bundle of a single alert, with room for its checksum.
func alone(a store.Alert) []byte {
	b := bundle{value: make([]byte, sumSize, sumSize+alertSize(a))}
	b.add(0, a)
	return b.whole()
}

func readAlone(value []byte) (store.Alert, error) {
	heads, err := newHeads(value)
	if err != nil {
		return store.Alert{}, err
	}
	q, payloads, err := heads.find(0)
	q.part(bytes.Clone(payloads))
	return q.Alert, err
}

// heads reads a bundle from its beginning.
type heads struct {
	decoder
	texts    string // all of the heads: texts are parts of it
	payloads []byte // of the alerts that come
}

func newHeads(value []byte) (heads, error) {
	end := len(value) - 4
	if end < 0 {
		return heads{}, errShort
	}
	size := binary.BigEndian.Uint32(value[end:])
	if uint64(size) > uint64(end) {
		return heads{}, errShort
	}
	at := end - int(size)
	return heads{decoder: decoder{b: value[at:end]}, texts: string(value[at:end]), payloads: value[:at]}, nil
}

// head is an alert whose payloads are not there yet, only how long they are.
type head struct {
	store.Queued
	json, event, raw uint64
}

// find goes on to the alert of that sequence number and returns its payloads.
func (h *heads) find(seq uint64) (head, []byte, error) {
	for len(h.b) > 0 {
		q := h.next()
		left := uint64(len(h.payloads))
		if h.err != nil || q.json > left || q.event > left || q.raw > left || q.json+q.event+q.raw > left {
			return head{}, nil, errShort
		}
		payloads := h.payloads[:q.json+q.event+q.raw]
		h.payloads = h.payloads[len(payloads):]
		if q.Seq == seq {
			return q, payloads, nil
		}
	}
	return head{}, nil, errMissing
}

func (h *heads) next() (q head) {
	q.Seq = h.uvarint()
	q.Hour = uint32(h.uvarint())
	q.Time = h.time()
	q.ID, q.RuleID, q.Severity, q.Key = h.text(), h.text(), h.text(), h.text()
	q.json, q.event, q.raw = h.uvarint(), h.uvarint(), h.uvarint()
	return q
}

func (h *heads) text() string {
	n := len(h.bytes())
	end := len(h.texts) - len(h.b)
	return h.texts[end-n : end]
}

// part shares the payloads out; an empty one is nil.
func (q *head) part(payloads []byte) {
	take := func(n uint64) []byte {
		if n == 0 {
			return nil
		}
		some := payloads[:n:n]
		payloads = payloads[n:]
		return some
	}
	q.JSON, q.Event, q.Raw = take(q.json), take(q.event), take(q.raw)
}

// bundles is the bucket of all bundles, under the sequence numbers of their
// last alerts.
type bundles struct{ bucket }

func openBundles(t *bbolt.Tx) bundles {
	b := bundles{rootBucket(t, alertsBucket)}
	b.FillPercent = appendOnly
	return b
}

// put stores a bundle. bbolt writes what else is on a page again with each
// change to it, so a bundle that fills one has a bucket of its own.
func (b bundles) put(key, sealed []byte) error {
	if len(sealed) <= pageSize/2 {
		return b.putSealed(key, sealed)
	}
	made, err := b.CreateBucket(key)
	if err != nil {
		return fmt.Errorf("creating %s/%q: %w", b.path, key, err)
	}
	return bucket{made, b.path + "/" + string(key)}.putSealed(markKey, sealed)
}

// sealed returns where a bundle is and under which key; alone says that it has
// a bucket of its own.
func (b bundles) sealed(key []byte) (at bucket, in, sealed []byte, alone bool) {
	if sealed = b.Get(key); sealed != nil {
		return b.bucket, key, sealed, false
	}
	if at = b.sub(key); at.Bucket == nil {
		return b.bucket, key, nil, false
	}
	return at, markKey, at.Get(markKey), true
}

// read appends the named alerts of a bundle to list.
func (b bundles) read(list []store.Queued, key []byte, named []waiting) ([]store.Queued, error) {
	at, in, sealed, _ := b.sealed(key)
	if sealed == nil {
		return list, damage(b.path, key, "it is missing, but an output waits for it")
	}
	value, err := unseal(at.path, in, sealed)
	if err != nil {
		return list, err
	}
	if list, err = readBundle(list, value, named); err != nil {
		return list, damage(at.path, in, err.Error())
	}
	return list, nil
}

func (b bundles) drop(key []byte) error {
	if b.Get(key) != nil {
		return b.Delete(key)
	}
	if err := b.DeleteBucket(key); err != nil {
		return damage(b.path, key, err.Error())
	}
	return nil
}

// shrink stores a bundle anew with the named alerts only, if that is worth it:
// a few that wait for long must not hold the space of many.
func (b bundles) shrink(key []byte, named []waiting) error {
	_, _, sealed, alone := b.sealed(key)
	size := int(total(named).Bytes)
	if !alone || size > len(sealed)/4 {
		return nil
	}
	list, err := b.read(nil, key, named)
	if err != nil {
		return err
	}
	if err := b.drop(key); err != nil {
		return err
	}
	less := bundle{value: make([]byte, sumSize, sumSize+size)}
	for _, q := range list {
		less.add(q.Seq, q.Alert)
	}
	return b.put(key, less.whole())
}
