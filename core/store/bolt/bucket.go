package bolt

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"go.etcd.io/bbolt"

	"github.com/trailship/trailship/core/store"
)

// The buckets of the root. about sorts first, so that inspect meets the format
// before anything a newer one may have changed.
const (
	aboutBucket   = "about"
	alertsBucket  = "alerts"
	deadBucket    = "dead"
	idsBucket     = "ids"
	ledgerBucket  = "ledger"
	queueBucket   = "queue"
	refusedBucket = "refused"
)

var rootBuckets = []string{aboutBucket, alertsBucket, deadBucket, idsBucket, ledgerBucket, queueBucket, refusedBucket}

// The second format has bundles of alerts, the third packs them.
const formatVersion = 3

var (
	formatKey = []byte("format")
	seqKey    = []byte("seq")
	// markKey is in every bucket, so that a page that claims to be empty is
	// known to be damaged. In a day of ids its value is when it was last used.
	markKey = []byte{0}
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const sumSize = 4

// bucket is a bbolt bucket whose values carry a checksum over the bucket's
// path, the key and the value. The zero bucket holds nothing.
type bucket struct {
	*bbolt.Bucket
	path string
}

// rootBucket returns one of rootBuckets.
func rootBucket(t *bbolt.Tx, name string) bucket {
	return bucket{t.Bucket([]byte(name)), name}
}

// makeBuckets fills a new file.
func makeBuckets(t *bbolt.Tx) error {
	for _, name := range rootBuckets {
		b, err := t.CreateBucket([]byte(name))
		if err != nil {
			return err
		}
		if err := (bucket{b, name}).put(markKey, nil); err != nil {
			return err
		}
	}
	return rootBucket(t, aboutBucket).put(formatKey, []byte{formatVersion})
}

// checkFormat refuses a file this program does not know.
func checkFormat(t *bbolt.Tx) error {
	value, err := rootBucket(t, aboutBucket).get(formatKey)
	if err != nil {
		return err
	}
	return knownFormat(value)
}

func knownFormat(value []byte) error {
	switch {
	case len(value) == 0:
		return damage(aboutBucket, formatKey, "it is missing")
	case value[0] > formatVersion:
		return fmt.Errorf("it was written by a newer trailship (format %d, this program knows %d): use that version or a newer one", value[0], formatVersion)
	case value[0] < formatVersion:
		return fmt.Errorf("it was written by an older trailship (format %d, this program knows %d): use that version, or move the file away to begin anew", value[0], formatVersion)
	}
	return nil
}

// sub returns the bucket of that name inside b.
func (b bucket) sub(name []byte) bucket {
	return bucket{b.Bucket.Bucket(name), b.path + "/" + string(name)}
}

// makeSub is sub, created with the given mark when there is none.
func (b bucket) makeSub(name, mark []byte) (bucket, error) {
	if s := b.sub(name); s.Bucket != nil {
		return s, nil
	}
	made, err := b.CreateBucket(name)
	if err != nil {
		return bucket{}, fmt.Errorf("creating %s/%q: %w", b.path, name, err)
	}
	s := bucket{made, b.path + "/" + string(name)}
	return s, s.put(markKey, mark)
}

// get returns the value under key, nil when there is none. It is good until
// the transaction ends.
func (b bucket) get(key []byte) ([]byte, error) {
	if b.Bucket == nil {
		return nil, nil
	}
	sealed := b.Get(key)
	if sealed == nil {
		return nil, nil
	}
	return unseal(b.path, key, sealed)
}

// put stores value under key.
func (b bucket) put(key, value []byte) error {
	sealed := make([]byte, sumSize, sumSize+len(value))
	return b.putSealed(key, append(sealed, value...))
}

// putSealed stores a value that begins with room for its checksum.
func (b bucket) putSealed(key, sealed []byte) error {
	binary.BigEndian.PutUint32(sealed, checksum(b.path, key, sealed[sumSize:]))
	if err := b.Put(key, sealed); err != nil {
		return fmt.Errorf("storing %s/%q: %w", b.path, key, err)
	}
	return nil
}

// unseal returns the value of what was stored under key, never nil.
func unseal(path string, key, sealed []byte) ([]byte, error) {
	if len(sealed) < sumSize || binary.BigEndian.Uint32(sealed) != checksum(path, key, sealed[sumSize:]) {
		return nil, damage(path, key, "its checksum does not match")
	}
	return sealed[sumSize:], nil
}

func checksum(path string, key, value []byte) uint32 {
	sum := ^uint32(0)
	for i := range len(path) { // a text: crc32.Update would need a copy of it
		sum = castagnoli[byte(sum)^path[i]] ^ sum>>8
	}
	sum = crc32.Update(^sum, castagnoli, key)
	return crc32.Update(sum, castagnoli, value)
}

// damage says that what is stored under key is not what was written.
func damage(path string, key []byte, why string) error {
	return fmt.Errorf("%w: bucket %q, key %q: %s", store.ErrDamaged, path, key, why)
}
