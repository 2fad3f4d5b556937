package s3

import (
	"fmt"

	"github.com/trailship/trailship/core/source"
)

// Relist returns what to put into the ledger for the object of that key to be
// listed again by the next first Scan: days before which everything is done are
// not listed, so the notes that say so for the folders the key is in are set
// back to the beginning.
func Relist(ledger source.Ledger, key string) (map[string]source.Entry, error) {
	notes := map[string]source.Entry{}
	for i, c := range key {
		if c != '/' {
			continue
		}
		name := key[:i+1] + folderNote
		e, ok, err := ledger.Entry(name)
		if err != nil {
			return nil, fmt.Errorf("looking for %s: %w", name, err)
		}
		if ok {
			e.Version = "0001-01-01" // the day of the zero time
			notes[name] = e
		}
	}
	return notes, nil
}
