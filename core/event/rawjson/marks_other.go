//go:build !amd64

package rawjson

func mark(words *[9]uint64, text *[span]byte) { markPlainly(words, text) }
