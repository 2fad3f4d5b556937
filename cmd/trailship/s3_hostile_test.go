package main

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/trailship/trailship/core/source/s3/s3test"
)

// Whoever may put objects into the bucket can neither keep others' objects from
// being read nor fill the memory or the terminal of who reads the dead letters.
func TestHostileObjectsHarmNobody(t *testing.T) {
	b := newBucketTest(t, ", poll: 100ms", s3test.Options{})
	config := readFile(t, b.path("trailship.yaml"))
	write(t, b.path("trailship.yaml"), config+"limits: {max_object: 16MiB}\n")

	hostile := map[string][]byte{
		"AWSLogs/1/bomb.json.gz":             bomb(t, 64<<20),
		"bell\a\x1b[2J\x1b]0;owned\a\n.json": []byte("{"),
		"a\t\u202etxt.json":                  []byte("{"),
		"...json":                            bytes.Repeat([]byte("["), 1<<20),
		"empty.json.gz":                      nil,
	}
	for key, body := range hostile {
		b.gateway.Put(t, bucket, key, body)
	}
	long := strings.Repeat(strings.Repeat("k", 200)+"/", 5) + "fourteen-bytes.json" // 1,024, as many as there may be
	b.gateway.Put(t, bucket, long, []byte(trail("under a long key")))
	b.gateway.PutAll(t, bucket, b.fresh(21, 20))
	b.want["under a long key"] = true
	b.start()
	b.complete()
	b.hears("buried", 3)
	b.hears("object is gone\" source=trails object=\"s3://" + bucket + "/bell") // the server lists it under a name it has not
	if own := b.memory().own; own > 300<<10 {
		t.Errorf("it takes %d MiB", own>>10)
	}
	said := b.output()
	if code := b.stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	list, _ := b.trailship(0, "dlq", "list")
	for name, text := range map[string]string{"log": said, "dlq list": list} {
		if strings.ContainsAny(text, "\a\x1b\u202e") {
			t.Errorf("the %s has control characters: %q", name, text)
		}
	}
	if !strings.Contains(list, "max_object") {
		t.Errorf("no dead letter of the bomb:\n%s", list)
	}
}

// bomb is a compressed trail of so many bytes of nothing.
func bomb(t *testing.T, size int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	nothing := bytes.Repeat([]byte(" "), 1<<20)
	for range size >> 20 {
		if _, err := w.Write(nothing); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
