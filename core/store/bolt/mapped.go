package bolt

import (
	"syscall"

	"go.etcd.io/bbolt"
)

// unmapAfter is how many bytes of alerts come or go before what is mapped of
// the file is given up: a backlog that drains would leave all of itself behind.
const unmapAfter = 8 << 20

// unmap gives up the pages that were read of the file: while they are mapped
// they count as memory of the process. The system has them yet, and what is
// read again it maps again. In a writing transaction, beside which nobody
// moves or closes the map.
func (s *Store) unmap(t *bbolt.Tx) {
	if s.moved < unmapAfter {
		return
	}
	s.moved = 0
	// The map is at least as large as the transaction's pages. If the system
	// does not want to, nothing is lost.
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, s.db.Info().Data, uintptr(t.Size()), syscall.MADV_DONTNEED)
}

// moves notes what a transaction did, for unmap.
func (s *Store) moves(c changes) {
	for _, d := range c {
		s.moved += max(d.Bytes, -d.Bytes)
	}
}
