package main

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// onOneCore starts a process on one core of those we may use: it and its
// children stay there.
func onOneCore(start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var ours, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &ours); err != nil {
		return fmt.Errorf("asking which cores there are: %w", err)
	}
	// The first one often has the interrupts.
	last := len(ours)*64 - 1
	for ; last > 0 && !ours.IsSet(last); last-- {
	}
	one.Set(last)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("staying on one core: %w", err)
	}
	return errors.Join(start(), unix.SchedSetaffinity(0, &ours))
}
