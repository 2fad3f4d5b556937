package s3

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/source/sourcetest"
)

// strange is a source over a store that answers as a test says: listings with
// pages, and objects with bodies.
func strange(t *testing.T, list func(r *http.Request) string, objects map[string]string) *Source {
	alone(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if key == "" {
			io.WriteString(w, list(r))
			return
		}
		body, ok := objects[key]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return &Source{Name: "test", Bucket: "trails", Endpoint: server.URL, Region: "us-east-1",
		Credentials: Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}}
}

// read scans a source once and returns what is in the objects it hands out.
func read(t *testing.T, s *Source) (got map[string]string, err error) {
	got = map[string]string{}
	err = s.Scan(t.Context(), new(sourcetest.Ledger), func(o source.Object) error {
		if o.Open == nil {
			return nil
		}
		r, err := o.Open(t.Context())
		if err != nil {
			got[o.Key] = err.Error()
			return nil
		}
		defer r.Close()
		body, err := io.ReadAll(r)
		got[o.Key] = string(body)
		if err != nil {
			got[o.Key] = err.Error()
		}
		return nil
	})
	return got, err
}

// listOf is a page of a listing, of "key size" and of folders that end in a
// slash.
func listOf(more string, entries ...string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "<ListBucketResult><IsTruncated>%v</IsTruncated><NextContinuationToken>%s</NextContinuationToken>", more != "", more)
	for _, e := range entries {
		if strings.HasSuffix(e, "/") {
			fmt.Fprintf(&out, "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>", e)
			continue
		}
		key, size, _ := strings.Cut(e, " ")
		fmt.Fprintf(&out, "<Contents><Key>%s</Key><Size>%s</Size><LastModified>2026-03-14T15:00:00Z</LastModified></Contents>", key, size)
	}
	return out.String() + "</ListBucketResult>"
}

func TestAStoreThatListsInCirclesIsAnError(t *testing.T) {
	for _, token := range []string{"the-same", "another"} {
		n := 0
		s := strange(t, func(*http.Request) string {
			if n++; token == "another" {
				return listOf(fmt.Sprint(token, n), "a.json 1", "b.json 1")
			}
			return listOf(token, "a.json 1", "b.json 1")
		}, map[string]string{"a.json": "1", "b.json": "2"})
		_, err := read(t, s)
		if err == nil || !strings.Contains(err.Error(), `the listing does not get beyond "b.json"`) {
			t.Errorf("got %v", err)
		}
	}
}

func TestPagesWithoutNewsEndAListingSomeTime(t *testing.T) {
	var c course
	turn := []page{{objects: []object{{key: "a"}}}, {objects: []object{{key: "b"}}}, {}}
	for n := range standstill + 10 {
		if _, err := c.next(turn[n%3]); err != nil {
			if n < standstill {
				t.Errorf("page %d: %v", n, err)
			}
			return
		}
	}
	t.Error("it goes on for ever")
}

func TestAStoreThatListsSomethingElseIsAnError(t *testing.T) {
	for _, entry := range []string{"elsewhere.json 1", "AWSLogs/", "elsewhere/"} {
		s := strange(t, func(*http.Request) string { return listOf("", entry) }, nil)
		s.Prefix = "AWSLogs/"
		_, err := read(t, s)
		if err == nil || !strings.Contains(err.Error(), "does not do what S3 does") {
			t.Errorf("%s: got %v", entry, err)
		}
	}
}

func TestWhatAStrangeStoreListsIsReadAllTheSame(t *testing.T) {
	long := strings.Repeat("k", 1019) + ".json"
	objects := map[string]string{
		"z.json": "out of order", "m.json": "no ETag", "../../etc/passwd.json": "dots", "./a//b/../c.json": "more dots",
		"bell\a\x1b[2J.json": "control", long: "1024 bytes", "longer.json": "more than was listed",
	}
	s := strange(t, func(*http.Request) string {
		list := listOf("", "z.json 12", " 0", "m.json 7", "../../etc/passwd.json 4", "./a//b/../c.json 9", "bell%07%1B[2J.json 7",
			long+" 10", "longer.json 4", strings.Repeat("k", 40_000)+".json 1")
		return strings.Replace(list, "<IsTruncated>", "<EncodingType>url</EncodingType><IsTruncated>", 1)
	}, objects)
	got, err := read(t, s)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(objects, got); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
}

func FuzzCourse(f *testing.F) {
	f.Add("AWSLogs/", "AWSLogs/b\nAWSLogs/a", "AWSLogs/1/")
	f.Add("", "\n", "/")
	f.Fuzz(func(t *testing.T, prefix, keys, folders string) {
		var p page
		for key := range strings.SplitSeq(keys, "\n") {
			p.objects = append(p.objects, object{key: key})
		}
		if folders != "" {
			p.folders = strings.Split(folders, "\n")
		}
		c := course{prefix: prefix}
		got, err := c.next(p)
		if err != nil {
			return
		}
		before := ""
		for _, o := range got.objects {
			if o.key == "" || o.key < before || !strings.HasPrefix(o.key, prefix) {
				t.Errorf("%q of %q after %q", o.key, prefix, before)
			}
			before = o.key
		}
		if _, err := c.next(got); err == nil && len(got.objects)+len(got.folders) > 0 {
			t.Error("the same page again is no error")
		}
	})
}
