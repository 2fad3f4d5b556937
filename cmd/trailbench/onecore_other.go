//go:build !linux

package main

// onOneCore starts a process on whatever cores the system gives it.
func onOneCore(start func() error) error { return start() }
