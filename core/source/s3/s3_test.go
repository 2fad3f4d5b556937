package s3

import (
	"bytes"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/trailship/trailship/core/source/sourcetest"
)

// fake is a bucket of gofakes3 and a source over it.
type fake struct {
	*testing.T
	*Source
	backend gofakes3.Backend
}

func newFake(t *testing.T) *fake {
	backend := s3mem.New()
	if err := backend.CreateBucket("trails"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend, gofakes3.WithoutVersioning()).Server())
	t.Cleanup(server.Close)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	return &fake{T: t, backend: backend, Source: &Source{
		Name: "test", Bucket: "trails", Endpoint: server.URL, Region: "us-east-1",
		Credentials: Credentials{AccessKeyID: "id", SecretAccessKey: "secret"},
	}}
}

func (f *fake) put(key, content string) {
	f.Helper()
	_, err := f.backend.PutObject("trails", key, map[string]string{}, io.NopCloser(bytes.NewReader([]byte(content))), int64(len(content)), nil)
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fake) remove(key string) {
	f.Helper()
	if _, err := f.backend.DeleteObject("trails", key); err != nil {
		f.Fatal(err)
	}
}

func TestSource(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T) sourcetest.Place {
		f := newFake(t)
		return sourcetest.Place{Source: f.Source, Put: f.put, Remove: f.remove}
	})
}

func TestSourceOfALayout(t *testing.T) {
	const leaf = "AWSLogs/123456789012/CloudTrail/eu-west-1/2026/03/14/123456789012_CloudTrail_eu-west-1_20260314T1505Z_"
	key := func(name string) string { return leaf + strings.ReplaceAll(name, "/", "_") }
	sourcetest.Run(t, func(t *testing.T) sourcetest.Place {
		f := newFake(t)
		return sourcetest.Place{
			Source: f.Source,
			Put:    func(name, content string) { f.put(key(name), content) },
			Remove: func(name string) { f.remove(key(name)) },
		}
	})
}
