package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/s2"
	"go.etcd.io/bbolt"

	"github.com/trailship/trailship/core/store"
)

// A bundle is a run of alerts of one transaction in one value: an alert by
// itself costs more to store, find and delete than to write. It is made of
//
//	a block of the JSON of all its alerts, packed (store.Pack)
//	another of their events and records
//	their heads: how long each block is, packed, and how many alerts there are;
//	of each the sequence number, everything else, how long each payload is
//	4 bytes: how long the heads are
//
// so that all payloads are packed, moved and unpacked at once, and that what
// an output gets may be what lies here.
type bundle struct {
	json, rest []byte
	heads      []byte // of the alerts
	packed     []byte // memory for the whole
	last       uint64 // sequence number
	count      int
}

// bundleBytes bounds the payloads of a bundle, unless a single alert is larger:
// whoever takes one alert of it has all to unpack.
const bundleBytes = 128 << 10

// takes says whether there is room for another alert.
func (b *bundle) takes(a store.Alert) bool {
	return b.count == 0 || len(b.json)+len(b.rest)+int(payload(a)) <= bundleBytes
}

// payload is what an alert counts in a backlog.
func payload(a store.Alert) int64 {
	return int64(len(a.JSON) + len(a.Event) + len(a.Raw))
}

// add appends everything of an alert but its outputs: those are the queues'.
func (b *bundle) add(seq uint64, a store.Alert) {
	b.json = append(b.json, a.JSON...)
	b.rest = append(append(b.rest, a.Event...), a.Raw...)
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

// pack returns the value, good until the next one.
func (b *bundle) pack() []byte {
	v := slices.Grow(b.packed[:0], s2.MaxEncodedLen(len(b.json))+s2.MaxEncodedLen(len(b.rest)))
	v = appendPacked(v, b.json)
	json := len(v)
	v = appendPacked(v, b.rest)
	at := len(v)
	for _, n := range []int{json, at - json, b.count} {
		v = binary.AppendUvarint(v, uint64(n))
	}
	v = append(v, b.heads...)
	b.packed = binary.BigEndian.AppendUint32(v, uint32(len(v)-at))
	return b.packed
}

// sealed returns the value in memory of its own, with room for its checksum.
func (b *bundle) sealed() []byte { return append(make([]byte, sumSize), b.pack()...) }

// appendPacked appends a block of the payloads, for which there is room; nothing
// for none.
func appendPacked(dst, payloads []byte) []byte {
	if len(payloads) == 0 {
		return dst
	}
	block := s2.Encode(dst[len(dst):cap(dst)], payloads)
	return append(dst, block...)
}

// reset empties the bundle and keeps its memory, unless that is large.
func (b *bundle) reset() {
	if cap(b.json)+cap(b.rest) > 4*bundleBytes {
		*b = bundle{}
	}
	*b = bundle{json: b.json[:0], rest: b.rest[:0], heads: b.heads[:0], packed: b.packed}
}

// errMissing says that a queue names an alert its bundle does not have.
var errMissing = errors.New("an alert is missing, but an output waits for it")

// errLonger says that a bundle has more than the alerts it counts.
var errLonger = errors.New("it has more than its alerts")

// readBundle appends the named alerts of a bundle to list, in memory of their
// own: packed if they are all there is, for then they can go on as they are;
// else a few would hold the memory of many. They must be named in order.
func readBundle(list []store.Queued, value []byte, named []waiting) ([]store.Queued, error) {
	heads, err := newHeads(value)
	if err != nil {
		return list, err
	}
	from := len(list)
	for _, w := range named {
		q, err := heads.find(w.seq)
		if err != nil {
			return list, err
		}
		if size := q.Part.Size.Total(); int64(size) != w.size {
			return list, fmt.Errorf("alert %d has %d bytes instead of %d", w.seq, size, w.size)
		}
		list = append(list, q)
	}
	if pack := heads.pack; len(named) > 1 && len(named) == pack.Alerts {
		if !heads.done() {
			return list, errLonger
		}
		pack.JSON, pack.Rest = bytes.Clone(pack.JSON), bytes.Clone(pack.Rest)
		return list, nil
	}
	return list, takeOut(list[from:], heads.pack)
}

// takeOut gives alerts of one pack payloads of their own.
func takeOut(alerts []store.Queued, pack *store.Pack) (err error) {
	b := spareBlocks.Get().(*blocks)
	defer b.putBack()
	if b.json, b.rest, err = pack.Unpack(b.json, b.rest); err != nil {
		return err
	}
	size := 0
	for _, q := range alerts {
		size += q.Part.Size.Total()
	}
	memory := make([]byte, 0, size)
	own := func(payload []byte) []byte {
		if payload == nil {
			return nil
		}
		from := len(memory)
		memory = append(memory, payload...)
		return memory[from:len(memory):len(memory)]
	}
	for i := range alerts {
		q := &alerts[i]
		json, event, raw := q.Part.Payloads(b.json, b.rest)
		q.JSON, q.Event, q.Raw = own(json), own(event), own(raw)
		q.Part = store.Part{}
	}
	return nil
}

// blocks are those of a pack, unpacked for a moment.
type blocks struct{ json, rest []byte }

var spareBlocks = sync.Pool{New: func() any { return new(blocks) }}

func (b *blocks) putBack() {
	if cap(b.json)+cap(b.rest) <= 4*bundleBytes {
		spareBlocks.Put(b)
	}
}

// alone is a bundle of a single alert, with room for its checksum.
func alone(a store.Alert) []byte {
	var b bundle
	b.add(0, a)
	return b.sealed()
}

func readAlone(value []byte) (store.Alert, error) {
	heads, err := newHeads(value)
	if err != nil {
		return store.Alert{}, err
	}
	q, err := heads.find(0)
	if err != nil {
		return store.Alert{}, err
	}
	list := []store.Queued{q}
	err = takeOut(list, heads.pack)
	return list[0].Alert, err
}

// heads reads a bundle from its beginning.
type heads struct {
	decoder
	texts string // all of the heads: texts are parts of it
	pack  *store.Pack
	json  extent // of the alerts before, in its blocks
	rest  extent
}

// extent is how far into the bytes of an unpacked block something reaches.
type extent struct{ at, size int }

// take goes on by n bytes if there are as many.
func (e *extent) take(n uint64) bool {
	if n > uint64(e.size-e.at) {
		return false
	}
	e.at += int(n)
	return true
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
	h := heads{decoder: decoder{b: value[at:end]}, texts: string(value[at:end])}
	json, rest, count := h.uvarint(), h.uvarint(), h.uvarint()
	if h.err != nil || json > uint64(at) || rest != uint64(at)-json {
		return heads{}, errShort
	}
	h.pack = &store.Pack{Alerts: int(count), JSON: value[:json:json], Rest: value[json:at:at]}
	var err error
	if h.json.size, err = unpackedSize(h.pack.JSON); err == nil {
		h.rest.size, err = unpackedSize(h.pack.Rest)
	}
	return h, err
}

func unpackedSize(block []byte) (int, error) {
	if len(block) == 0 {
		return 0, nil
	}
	return s2.DecodedLen(block)
}

// find goes on to the alert of that sequence number.
func (h *heads) find(seq uint64) (store.Queued, error) {
	for len(h.b) > 0 {
		q, ok := h.next()
		if !ok {
			return store.Queued{}, errShort
		}
		if q.Seq == seq {
			return q, nil
		}
	}
	return store.Queued{}, errMissing
}

// done says that there is nothing behind the last alert that was found.
func (h *heads) done() bool {
	return len(h.b) == 0 && h.json.at == h.json.size && h.rest.at == h.rest.size
}

func (h *heads) next() (q store.Queued, ok bool) {
	q.Seq = h.uvarint()
	q.Hour = uint32(h.uvarint())
	q.Time = h.time()
	q.ID, q.RuleID, q.Severity, q.Key = h.text(), h.text(), h.text(), h.text()
	q.Part = store.Part{Pack: h.pack, JSONAt: h.json.at, RestAt: h.rest.at}
	json, event, raw := h.uvarint(), h.uvarint(), h.uvarint()
	q.Part.Size = store.Size{JSON: int(json), Event: int(event), Raw: int(raw)}
	return q, h.err == nil && h.json.take(json) && h.rest.take(event) && h.rest.take(raw)
}

func (h *heads) text() string {
	n := len(h.bytes())
	end := len(h.texts) - len(h.b)
	return h.texts[end-n : end]
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

// unpacked returns the named alerts of a bundle with their payloads.
func (b bundles) unpacked(key []byte, named []waiting) ([]store.Queued, error) {
	list, err := b.read(nil, key, named)
	if err == nil {
		err = store.Unpack(list)
	}
	return list, err
}

// shrink stores a bundle anew with the named alerts only, if that is worth it:
// a few that wait for long must not hold the space of many.
func (b bundles) shrink(key []byte, named []waiting) error {
	at, in, sealed, alone := b.sealed(key)
	if !alone {
		return nil
	}
	value, err := unseal(at.path, in, sealed)
	if err != nil {
		return err
	}
	heads, err := newHeads(value)
	if err != nil {
		return damage(at.path, in, err.Error())
	}
	if int(total(named).Bytes) > (heads.json.size+heads.rest.size)/4 {
		return nil
	}
	list, err := b.unpacked(key, named)
	if err != nil {
		return err
	}
	if err := b.drop(key); err != nil {
		return err
	}
	var less bundle
	for _, q := range list {
		less.add(q.Seq, q.Alert)
	}
	return b.put(key, less.sealed())
}
