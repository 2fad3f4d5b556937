package bolt

import (
	"encoding/binary"

	"github.com/trailship/trailship/core/store"
)

// waiting is one alert of a bundle that an output's queue names, and the bytes
// it counts there.
type waiting struct {
	seq  uint64
	size int64
}

func appendWaiting(b []byte, w waiting) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, w.seq), uint64(w.size))
}

// openWaiting appends what a queue holds under the key of a bundle.
func openWaiting(list []waiting, queue bucket, key, sealed []byte) ([]waiting, error) {
	value, err := unseal(queue.path, key, sealed)
	if err != nil {
		return list, err
	}
	if len(key) != 8 || len(value) == 0 {
		return list, damage(queue.path, key, "it names no alert")
	}
	d := decoder{b: value}
	for before := uint64(0); len(d.b) > 0; {
		w := waiting{d.uvarint(), int64(d.uvarint())}
		if d.err != nil || w.size < 0 || w.seq <= before || w.seq > binary.BigEndian.Uint64(key) {
			return list, damage(queue.path, key, "its alerts are out of order")
		}
		before = w.seq
		list = append(list, w)
	}
	return list, nil
}

// total is what the alerts count in a backlog.
func total(list []waiting) store.Backlog {
	b := store.Backlog{Alerts: int64(len(list))}
	for _, w := range list {
		b.Bytes += w.size
	}
	return b
}
