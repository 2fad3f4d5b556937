package s3

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/core/source"
	"github.com/trailship/trailship/core/source/s3/s3test"
	"github.com/trailship/trailship/core/source/sourcetest"
)

func TestAListingMayBeEncoded(t *testing.T) {
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("encoding-type") != "url" {
			t.Errorf("asked %s, want encoding-type=url", r.URL)
		}
		io.WriteString(w, `<ListBucketResult><EncodingType>url</EncodingType><KeyCount>2</KeyCount>
			<Contents><Key>a/bell%07+100%25%2B.json</Key><ETag>"1"</ETag></Contents>
			<CommonPrefixes><Prefix>b%0A/</Prefix></CommonPrefixes></ListBucketResult>`)
	}))
	defer store.Close()
	s := &Source{Bucket: "trails", Endpoint: store.URL, Region: "x", Credentials: Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}}
	b, err := s.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for p, err := range b.list(t.Context(), "", "", true) {
		if err != nil {
			t.Fatal(err)
		}
		if p.objects[0].key != "a/bell\a 100%+.json" || p.folders[0] != "b\n/" {
			t.Errorf("got %q and %q", p.objects[0].key, p.folders[0])
		}
	}
}

func TestKeysOfEveryKindAreReadByTheirName(t *testing.T) {
	g := s3test.Start(t, s3test.Options{})
	g.MakeBucket(t, "trails")
	want := map[string]string{}
	for _, key := range []string{
		"plain.json", "a b.json", "a+b.json", "100%.json", "%41.json", "ä/日本.json", "a&b<c>.json", "tab\there.json", "line\nbreak.json",
	} {
		want[key] = key
		g.Put(t, "trails", key, []byte(key))
	}
	s := &Source{
		Name: "test", Bucket: "trails", Endpoint: s3test.NewProxy(t, g).URL, Region: g.Region,
		Credentials: Credentials{AccessKeyID: s3test.AccessKey, SecretAccessKey: s3test.SecretKey},
	}
	got := map[string]string{}
	err := s.Scan(t.Context(), new(sourcetest.Ledger), func(o source.Object) error {
		r, err := o.Open(t.Context())
		if err != nil {
			return err
		}
		defer r.Close()
		body, err := io.ReadAll(r)
		got[o.Key] = string(body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys read: %q (-want +got)\n%s", slices.Sorted(maps.Keys(got)), diff)
	}
}
