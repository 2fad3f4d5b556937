package inflate

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/trailship/trailship/examples/trails"
)

const noLimit = 1 << 30

// levels are those of compress/flate.
var levels = []int{gzip.HuffmanOnly, gzip.NoCompression, 1, 2, 3, 4, 5, 6, 7, 8, 9}

// writers are kept, one a level: they are large.
var writers = map[int]*gzip.Writer{}

// zip is content as one gzip member.
func zip(content []byte, level int) []byte {
	var b bytes.Buffer
	w := writers[level]
	if w == nil {
		w, _ = gzip.NewWriterLevel(&b, level)
		writers[level] = w
	}
	w.Reset(&b)
	w.Write(content)
	w.Close()
	return b.Bytes()
}

// decoder inflates objects that are in memory by a Reader. How the object comes
// in pieces, and how much room there is each time, is drawn anew for each.
type decoder struct {
	Reader
	random *rand.Rand
	buf    [Window + 300_000]byte
}

// gzip appends to dst what src inflates to.
func (d *decoder) gzip(dst, src []byte, limit int) ([]byte, error) {
	if d.random == nil {
		d.random = rand.New(rand.NewPCG(1, 2))
	}
	pieces, room := []int{1, 7, 100, 5000, 1 << 20}[d.random.IntN(5)], []int{Room, 2000, 40_000, 300_000}[d.random.IntN(4)]
	d.Reset(&piecewise{src, pieces}, int64(limit))
	buf, at := d.buf[:Window+room], 0
	for {
		n, err := d.Inflate(buf, at)
		dst = append(dst, buf[at:at+n]...)
		if at += n; err == io.EOF {
			return dst, nil
		} else if err != nil {
			return dst, err
		}
		if len(buf)-at < Room {
			at = copy(buf, buf[at-Window:at])
		}
	}
}

// piecewise reads at most so many bytes at a time.
type piecewise struct {
	rest []byte
	most int
}

func (p *piecewise) Read(b []byte) (int, error) {
	n := copy(b[:min(len(b), p.most)], p.rest)
	if p.rest = p.rest[n:]; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// reference is what the standard library makes of an object.
func reference(src []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(src))
	if err == io.EOF {
		return nil, io.ErrUnexpectedEOF // of no bytes, too
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// class is what kind of error err is.
func class(err error) string {
	var c *Corrupt
	switch {
	case err == nil:
		return "intact"
	case err == io.ErrUnexpectedEOF:
		return "truncated"
	case err == ErrTooLarge:
		return "too large"
	case errors.As(err, &c), errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), strings.HasPrefix(err.Error(), "flate: corrupt"):
		return "corrupt"
	}
	return err.Error()
}

// contents are texts that make compressors do different things.
func contents() map[string][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 70_000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	hex := fmt.Appendf(nil, "%x", noise[:20_000])
	var trail []byte
	for o := range (trails.Options{Seed: 3, Files: 1, Records: 40, NDJSON: true}).Objects() {
		trail = o.Body
	}
	var near []byte // matches at every small distance
	for dist := 1; dist < 40; dist++ {
		near = append(near, bytes.Repeat(noise[dist*50:][:dist], 600/dist+1)...)
	}
	return map[string][]byte{
		"empty":   {},
		"byte":    {'x'},
		"zeros":   make([]byte, 300_000),
		"noise":   noise,
		"hex":     hex,
		"near":    near,
		"far":     bytes.Join([][]byte{noise[:32_768], noise[:32_768]}, nil),
		"trail":   trail,
		"changes": bytes.Join([][]byte{trail, noise, trail, near, make([]byte, 5000), hex}, nil),
	}
}

func TestObjectsInflateToWhatWasCompressed(t *testing.T) {
	var d decoder
	for name, want := range contents() {
		for _, level := range levels {
			src := zip(want, level)
			if got, err := d.gzip(nil, src, noLimit); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, level %d: %v, %d bytes of %d", name, level, err, len(got), len(want))
			}
			got, err := d.gzip([]byte("before"), append(src, src...), noLimit)
			if err != nil || string(got) != "before"+string(want)+string(want) {
				t.Errorf("%s, level %d, twice: %v, %d bytes", name, level, err, len(got))
			}
		}
	}
}

func TestObjectsOfOtherCompressorsInflate(t *testing.T) {
	files, err := filepath.Glob("testdata/*.gz")
	if err != nil || len(files) < 5 {
		t.Fatal(err, files)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, err := reference(src)
		if err != nil {
			t.Fatal(file, err)
		}
		if got, err := new(decoder).gzip(nil, src, noLimit); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v, %d bytes of %d", file, err, len(got), len(want))
		}
	}
}

// TestEveryCutGivesWhatWasBeforeIt: the records before the end of a truncated
// object count, so no byte may be missing that a stream would have given.
func TestEveryCutGivesWhatWasBeforeIt(t *testing.T) {
	var d decoder
	trail := contents()["trail"]
	streams := map[string][]byte{
		"dynamic":     zip(trail[:6000], 6),
		"literals":    zip(trail[:3000], gzip.HuffmanOnly),
		"stored":      zip(trail[:600], gzip.NoCompression),
		"fixed":       zip([]byte("a short text is too short for codes of its own"), 9),
		"long":        zip(make([]byte, 20_000), 9),
		"two members": append(zip(trail[:900], 6), zip(trail[900:2000], 1)...),
		"header":      fullHeader(trail[:100]),
		"long codes":  zip(rare(), gzip.HuffmanOnly),
	}
	for name, src := range streams {
		want, err := reference(src)
		if err != nil {
			t.Fatal(name, err)
		}
		for n := range src {
			streamed, wantErr := reference(src[:n])
			got, err := d.gzip(nil, src[:n], noLimit)
			if class(err) != class(wantErr) {
				t.Fatalf("%s, %d of %d bytes: %v, want %v", name, n, len(src), err, wantErr)
			}
			if len(got) < len(streamed) || !bytes.HasPrefix(want, got) {
				t.Fatalf("%s, %d of %d bytes: %d bytes out, a stream gives %d", name, n, len(src), len(got), len(streamed))
			}
		}
	}
}

// rare has bytes of which each is half as frequent as the one before, and the
// rare ones at the end too, where there is little input left.
func rare() []byte {
	var text []byte
	for i := range 13 {
		text = append(text, bytes.Repeat([]byte{byte('a' + i)}, 1<<(12-i))...)
	}
	return append(text, "mlmlmlmlmlml"...)
}

// fullHeader is a member with everything a header can have.
func fullHeader(content []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Extra, w.Name, w.Comment = []byte("extra"), "trail.json", "a comment"
	w.Write(content)
	w.Close()
	return withHeaderCRC(b.Bytes())
}

// withHeaderCRC adds the header's checksum, which compress/gzip does not write.
func withHeaderCRC(src []byte) []byte {
	end := bytes.Index(src, []byte("a comment\x00")) + len("a comment\x00")
	head := bytes.Clone(src[:end])
	head[3] |= flagHeaderCRC
	head = binary.LittleEndian.AppendUint16(head, uint16(crc32.ChecksumIEEE(head)))
	return append(head, src[end:]...)
}

func TestNoFlippedBitPassesUnnoticed(t *testing.T) {
	var d decoder
	trail := contents()["trail"]
	for name, src := range map[string][]byte{
		"dynamic": zip(trail[:1500], 6),
		"stored":  zip(trail[:200], gzip.NoCompression),
		"fixed":   zip([]byte("a short text, a short text"), 9),
		"header":  fullHeader(trail[:100]),
	} {
		for bit := range len(src) * 8 {
			src[bit/8] ^= 1 << (bit % 8)
			agree(t, &d, src)
			if t.Failed() {
				t.Fatalf("%s, bit %d of byte %d", name, bit%8, bit/8)
			}
			src[bit/8] ^= 1 << (bit % 8)
		}
	}
}

// agree fails the test unless the standard library takes src for intact when
// we do and not else, and both give the same.
func agree(t rapid.TB, d *decoder, src []byte) {
	t.Helper()
	want, wantErr := reference(src)
	got, err := d.gzip(nil, src, noLimit)
	var c *Corrupt
	if errors.As(err, &c) && (c.Offset < 0 || c.Offset > int64(len(src))) {
		t.Errorf("offset %d in %d bytes", c.Offset, len(src))
	}
	switch {
	case c != nil && c.Detail == reservedFlags: // the standard library ignores them
		if !bytes.HasPrefix(want, got) {
			t.Errorf("%d bytes before %v, want the first of %d", len(got), err, len(want))
		}
	case err == nil && wantErr == nil:
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes, want %d others", len(got), len(want))
		}
	case err == nil || wantErr == nil || class(err) != "corrupt" && class(err) != "truncated":
		t.Errorf("%v, want %v", err, wantErr)
	case !bytes.HasPrefix(got, want):
		t.Errorf("%d bytes before %v, want at least %d before %v", len(got), err, len(want), wantErr)
	}
}

func TestTheLimitIsExact(t *testing.T) {
	var d decoder
	if got, err := d.gzip([]byte("12"), zip([]byte("text"), 6), math.MaxInt); err != nil || string(got) != "12text" {
		t.Errorf("no limit: %q, %v", got, err)
	}
	for name, want := range contents() {
		for _, level := range []int{gzip.HuffmanOnly, gzip.NoCompression, 6} {
			src := zip(want, level)
			for _, limit := range []int{0, 1, 300, len(want) - 700, len(want) - 300, len(want) - 1, len(want), len(want) + 1} {
				if limit < 0 {
					continue
				}
				wantErr := error(nil)
				if limit < len(want) {
					wantErr = ErrTooLarge
				}
				got, err := d.gzip([]byte("12"), src, limit)
				if err != wantErr || string(got) != "12"+string(want[:min(limit, len(want))]) {
					t.Fatalf("%s, level %d, limit %d of %d: %v, %d bytes", name, level, limit, len(want), err, len(got)-2)
				}
			}
		}
	}
}

func TestWhatFollowsTheLastMember(t *testing.T) {
	member := zip([]byte("text"), 6)
	for _, c := range []struct{ name, after, want string }{
		{"nothing", "", "intact"},
		{"another member", string(member), "intact"},
		{"few zeros", strings.Repeat("\x00", 9), "truncated"},
		{"zeros", strings.Repeat("\x00", 10), "corrupt"},
		{"text", "no member of gzip at all", "corrupt"},
		{"half a header", "\x1f\x8b\x08\x00", "truncated"},
	} {
		src := append(bytes.Clone(member), c.after...)
		got, err := new(decoder).gzip(nil, src, noLimit)
		_, wantErr := reference(src)
		if class(err) != c.want || class(wantErr) != c.want {
			t.Errorf("%s: %v, standard library %v, want %s", c.name, err, wantErr, c.want)
		}
		if !bytes.HasPrefix(got, []byte("text")) {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

func TestErrorsSayWhereAndWhat(t *testing.T) {
	src := zip(contents()["trail"], 6)
	src[len(src)-8] ^= 1
	_, err := new(decoder).gzip(nil, src, noLimit)
	want := fmt.Sprintf("corrupt gzip data before byte %d: wrong checksum", len(src)-8)
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestHeadersAreReadAsByTheStandardLibrary(t *testing.T) {
	var d decoder
	member := zip([]byte("text"), 6)
	head := func(flags byte, rest string) []byte {
		src := append([]byte{0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255}, rest...)
		return append(src, member[headerSize:]...)
	}
	for _, src := range [][]byte{
		{}, member[:9], member[:10], []byte("PK\x03\x04 is no gzip"), {0x1f, 0x8b, 7, 0, 0, 0, 0, 0, 0, 0},
		fullHeader([]byte("text")), head(1, ""), head(flagExtra, "\x03\x00abc"), head(flagExtra, "\xff\xff"),
		head(flagExtra|flagComment, "\x00\x00comment\x00"), head(flagName, strings.Repeat("n", 511)+"\x00"),
		head(flagName, strings.Repeat("n", 512)+"\x00"), head(flagHeaderCRC, "\x00\x00"),
	} {
		agree(t, &d, src)
		_, err := d.gzip(nil, src, noLimit)
		if _, want := reference(src); class(err) != class(want) {
			t.Errorf("%.20q: %v, want %v", src, err, want)
		}
	}
	if _, err := d.gzip(nil, head(0x20, ""), noLimit); class(err) != "corrupt" {
		t.Errorf("reserved flags: %v", err)
	}
}

func TestInflatingAllocatesNothingInSteadyState(t *testing.T) {
	var r Reader
	large := zip(contents()["changes"], 6)
	small := zip(contents()["trail"][:4000], 6)
	buf, in := make([]byte, 100_000), bytes.NewReader(nil)
	inflate := func() {
		for _, src := range [][]byte{small, large, small} {
			in.Reset(src)
			if _, err := inflateAll(&r, in, buf); err != nil {
				t.Fatal(err)
			}
		}
	}
	inflate()
	if n := testing.AllocsPerRun(10, inflate); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// inflateAll inflates an object through buf and returns its length.
func inflateAll(r *Reader, src io.Reader, buf []byte) (size int64, err error) {
	r.Reset(src, noLimit)
	for at := 0; ; {
		n, err := r.Inflate(buf, at)
		size += int64(n)
		if at += n; err == io.EOF {
			return size, nil
		} else if err != nil {
			return size, err
		}
		if len(buf)-at < Room {
			at = copy(buf, buf[at-Window:at])
		}
	}
}

func TestTheErrorOfTheSourceComesBack(t *testing.T) {
	broken := errors.New("connection reset")
	src := zip(contents()["trail"], 6)
	for _, n := range []int{0, 5, 100, len(src) - 4, len(src)} {
		var r Reader
		_, err := inflateAll(&r, io.MultiReader(bytes.NewReader(src[:n]), iotest.ErrReader(broken)), make([]byte, 50_000))
		if err != broken {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}
