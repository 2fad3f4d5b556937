package inflate

import (
	"bytes"
	stdgzip "compress/gzip"
	"io"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/trailship/trailship/examples/trails"
)

// BenchmarkGzip compares with the libraries, on objects as they are delivered:
// 1,000 records, and 8 as quiet accounts have it. MB/s counts inflated bytes.
func BenchmarkGzip(b *testing.B) {
	for _, corpus := range []struct {
		name string
		trails.Options
	}{
		{"large", trails.Options{Seed: 1, Files: 20, Records: 1000, Alibaba: 0.25}},
		{"tiny", trails.Options{Seed: 1, Files: 500, Records: 8, Alibaba: 0.25}},
	} {
		var objects [][]byte
		size := int64(0)
		for o := range corpus.Objects() {
			objects = append(objects, o.Body)
			size += o.Inflated
		}
		run := func(name string, inflate func(src []byte) (int64, error)) {
			b.Run(corpus.name+"/"+name, func(b *testing.B) {
				b.SetBytes(size)
				b.ReportAllocs()
				for b.Loop() {
					got := int64(0)
					for _, src := range objects {
						n, err := inflate(src)
						if err != nil {
							b.Fatal(err)
						}
						got += n
					}
					if got != size {
						b.Fatalf("%d bytes of %d", got, size)
					}
				}
			})
		}
		var own Reader
		room, in := make([]byte, 256<<10), bytes.NewReader(nil)
		run("own", func(src []byte) (int64, error) {
			in.Reset(src)
			return inflateAll(&own, in, room)
		})
		var buf bytes.Buffer
		var klauspost gzip.Reader
		run("klauspost", func(src []byte) (int64, error) {
			in.Reset(src)
			buf.Reset()
			if err := klauspost.Reset(in); err != nil {
				return 0, err
			}
			return klauspost.WriteTo(&buf)
		})
		var std stdgzip.Reader
		run("std", func(src []byte) (int64, error) {
			in.Reset(src)
			buf.Reset()
			if err := std.Reset(in); err != nil {
				return 0, err
			}
			return io.Copy(&buf, &std)
		})
	}
}
