// Package s3test is the other side of the s3 source, for tests: a real S3
// server, faults in front of it, queues, and what is posted to them.
//
//	test ── Put ──► Gateway (versitygw) ◄── Proxy (faults, counts) ◄── trailship
//	                   └─ webhook ─► Bridge ─► Queue or Fauxqs ◄────────┘
//
// The programs that are no part of Go are installed into the user's cache
// folder by the first test that needs them. A test that cannot have them is
// skipped, or fails where TRAILSHIP_CI=1 says that they must be there.
package s3test

import (
	"os"
	"testing"
)

// The root account of every [Gateway], and what a [Fauxqs] is happy with.
const (
	AccessKey = "AKIDTRAILSHIPTEST"
	SecretKey = "a secret that only signs tests"
)

// InCI says that a missing server is a failure and not a reason to skip.
func InCI() bool { return os.Getenv("TRAILSHIP_CI") == "1" }

// missing ends a test that needs something which cannot be had.
func missing(t testing.TB, what string, err error) {
	t.Helper()
	if InCI() {
		t.Fatalf("TRAILSHIP_CI=1 and no %s: %v", what, err)
	}
	t.Skipf("needs %s, which cannot be had: %v", what, err)
}
