//go:build !linux

package s3test

import "syscall"

func withTheTest() *syscall.SysProcAttr { return nil }
