package deliver

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxLine bounds one line of a plugin's log; a longer one is cut into several.
const maxLine = 64 << 10

// eachLine calls f with every line of r, without its newline, until r ends or
// fails. The line is only good during the call.
func eachLine(r io.Reader, f func(line []byte)) {
	br := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := br.ReadSlice('\n')
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
			f(line)
		}
		if err != nil && err != bufio.ErrBufferFull {
			return
		}
	}
}

// readLog turns a plugin's standard error into lines of our log.
func (p *process) readLog(r io.Reader) {
	eachLine(r, func(line []byte) {
		line = []byte(p.redact(string(line)))
		level, msg, attrs := parseLog(line)
		if attrs == nil || level >= slog.LevelError {
			p.last.set(msg)
		}
		if p.quota.take(len(line), time.Now(), p.log) {
			p.log.LogAttrs(context.Background(), level, msg, attrs...)
		}
	})
}

// parseLog reads one line of a plugin's log: what sdk.Serve writes, or any
// text at all, which has nil attributes.
func parseLog(line []byte) (slog.Level, string, []slog.Attr) {
	var members map[string]any
	var level slog.Level
	if line[0] != '{' || json.Unmarshal(line, &members) != nil {
		return textLevel(line), string(line), nil
	}
	msg, isText := members[slog.MessageKey].(string)
	name, _ := members[slog.LevelKey].(string)
	if !isText || level.UnmarshalText([]byte(name)) != nil {
		return slog.LevelInfo, string(line), nil
	}
	attrs := []slog.Attr{}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		switch key {
		case slog.MessageKey, slog.LevelKey, slog.TimeKey:
		default:
			attrs = append(attrs, slog.Any(key, members[key]))
		}
	}
	return level, msg, attrs
}

// textLevel makes the end of a program stand out among its chatter.
func textLevel(line []byte) slog.Level {
	for _, prefix := range []string{"panic:", "fatal error:", "Traceback"} {
		if strings.HasPrefix(string(line), prefix) {
			return slog.LevelError
		}
	}
	return slog.LevelInfo
}

// lastLine keeps the last line of a log that may explain an end: an error, or
// text that nobody formatted.
type lastLine struct {
	mu   sync.Mutex
	text string
}

func (l *lastLine) set(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = text
}

func (l *lastLine) get() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text
}

// logWriter logs what is written to it, a line at a time.
type logWriter struct {
	log    *slog.Logger
	redact func(string) string
	quota  *quota
	text   string // what is said about each line
	buf    []byte
}

// Write never fails.
func (w *logWriter) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	for {
		i := bytes.IndexByte(w.buf, '\n')
		if i < 0 && len(w.buf) < maxLine {
			return len(p), nil
		}
		if i < 0 {
			i = maxLine - 1
		}
		if line := bytes.TrimSpace(w.buf[:i]); len(line) > 0 && w.quota.take(len(line), time.Now(), w.log) {
			w.log.Info(w.text, "text", w.redact(string(line)))
		}
		w.buf = w.buf[i+1:]
	}
}
