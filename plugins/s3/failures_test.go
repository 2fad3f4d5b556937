package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trailship/trailship/core/source/s3/s3test"
	"github.com/trailship/trailship/plugins/sdk"
)

func TestWhatAnOperatorCanMendIsTriedAgain(t *testing.T) {
	s := started(t)
	batch := []sdk.Alert{{ID: "a", Time: at("09:00:00"), JSON: []byte("{}")}}
	const writing = "alert a: writing to s3://lake/trailship/eventDay=20260803/: "
	for name, test := range map[string]struct {
		c     config
		fault *s3test.Fault
		want  string
	}{
		"no bucket": {config{Bucket: "other"}, nil, "alert a: writing to s3://other/trailship/eventDay=20260803/: there is no such bucket: create it, or check bucket, region and endpoint: NoSuchBucket: "},
		"wrong secret": {config{Credentials: &keys{AccessKeyID: s3test.AccessKey, SecretAccessKey: "wr0ng"}}, nil,
			writing + "the secret access key does not fit the access key id: check both where they come from: SignatureDoesNotMatch: "},
		"unknown key": {config{Credentials: &keys{AccessKeyID: "AKIDNOBODY", SecretAccessKey: "wr0ng"}}, nil,
			writing + "this access key id is not known here: check it, and that endpoint is where it belongs: InvalidAccessKeyId: "},
		"no permission": {config{Credentials: &keys{AccessKeyID: "AKIDOTHER", SecretAccessKey: "another secret"}}, nil,
			writing + "these credentials may not write: they need s3:PutObject on arn:aws:s3:::lake/trailship/eventDay=*: AccessDenied: "},
		"no permission for the key": {config{}, &s3test.Fault{Status: 403, Code: "AccessDenied", Message: "not authorized to perform: kms:GenerateDataKey"},
			writing + "these credentials may not encrypt: they need kms:GenerateDataKey on the bucket's key: AccessDenied: not authorized to perform: kms:GenerateDataKey"},
		"busy":       {config{}, &s3test.Fault{Status: 503, Code: "SlowDown"}, writing + "the service asks to go slower: SlowDown: SlowDown"},
		"broken":     {config{}, &s3test.Fault{Status: 500, Code: "InternalError"}, writing + "InternalError: InternalError (it answered 500)"},
		"nobody":     {config{Endpoint: "http://127.0.0.1:1"}, nil, writing + "the store cannot be reached: check endpoint, region and the network: "},
		"too late":   {config{Timeout: time.Nanosecond}, nil, writing},
		"elsewhere":  {config{}, &s3test.Fault{Status: 301, Code: "PermanentRedirect"}, writing + "the bucket is in another region: set region"},
		"odd answer": {config{}, &s3test.Fault{Status: 400, Code: "InvalidRequest", Message: "no"}, writing + "InvalidRequest: no (it answered 400)"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.fault != nil {
				test.fault.Op = http.MethodPut
				defer s.Break(*test.fault)()
			}
			err := s.opened(t, test.c).Deliver(t.Context(), batch)
			if !strings.HasPrefix(fmt.Sprint(err), test.want) || strings.Contains(fmt.Sprint(err), "wr0ng") {
				t.Error(err)
			}
			var failed sdk.Failed
			if !errors.As(err, &failed) {
				t.Fatal("not the error of one alert")
			}
			if permanent, _ := sdk.Judge(failed["a"]); permanent {
				t.Error("given up")
			}
		})
	}
	// A short trouble is over before the daemon hears of it.
	defer s.Break(s3test.Fault{Op: http.MethodPut, Status: 503, Code: "SlowDown", First: 1})()
	if err := s.opened(t, config{}).Deliver(t.Context(), batch); err != nil {
		t.Error(err)
	}
}

func TestWithoutCredentialsItSaysWhereTheyMayComeFrom(t *testing.T) {
	alone(t)
	out, err := config{Bucket: "lake", Endpoint: "http://127.0.0.1:1"}.open()
	if err != nil {
		t.Fatal(err)
	}
	err = out.Deliver(t.Context(), []sdk.Alert{{ID: "a"}})
	if want := "there are no credentials: let env pass some on"; !strings.Contains(fmt.Sprint(err), want) {
		t.Error(err)
	}
}

// answering answers PUTs with answer and keeps their keys.
func answering(t testing.TB, answer http.HandlerFunc) (url string, puts func() []string) {
	var mu sync.Mutex
	var keys []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		keys = append(keys, r.Host+r.URL.Path)
		mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(keys)
	}
}

func TestOneThatIsTooLargeDoesNotTakeTheOthersWithIt(t *testing.T) {
	alone(t)
	url, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(unzipped(t, body), "large") {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	})
	var alerts []sdk.Alert
	for i := range 10 {
		alerts = append(alerts, sdk.Alert{ID: fmt.Sprint(i), JSON: []byte(`{}`)})
	}
	alerts[3].JSON = []byte(`{"x":"large"}`)
	err := opened(t, config{Endpoint: url}).Deliver(t.Context(), alerts)
	var failed sdk.Failed
	if !errors.As(err, &failed) || !slices.Equal(slices.Collect(maps.Keys(failed)), []string{"3"}) {
		t.Fatal(err)
	}
	if permanent, _ := sdk.Judge(failed["3"]); !permanent {
		t.Error(err)
	}
}

func TestABatchEndsWithItsTime(t *testing.T) {
	alone(t)
	reached := make(chan struct{}, 8)
	url, _ := answering(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		reached <- struct{}{}
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-reached
		cancel()
	}()
	out := opened(t, config{Endpoint: url})
	err := out.Deliver(ctx, []sdk.Alert{{ID: "a", Severity: "low"}, {ID: "b"}})
	var failed sdk.Failed
	if !errors.As(err, &failed) || len(failed) != 2 {
		t.Error(err)
	}
}
