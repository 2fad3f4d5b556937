package plugins_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/trailship/trailship/plugins"
	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
)

// marker is in every secret of these tests, many times, so that a part of one
// shows it too.
const marker = "m4rk3r"

// secretly makes a secret.
func secretly(name string) string { return name + strings.Repeat(marker+"-", 60) + name }

// secretConfigs are configurations of each shipped output with its secrets, for
// a destination at a URL. All secrets of its schema must be in one of them; an
// output without secrets has none.
var secretConfigs = map[string][]func(url string) map[string]any{
	"webhook": {
		func(url string) map[string]any {
			return map[string]any{
				"url": url + "/hooks/" + secretly("path") + "?key=" + secretly("query"), "timeout": "2s",
				"headers": map[string]any{"Authorization": "Bearer " + secretly("bearer")}, "hmac": map[string]any{"secret": secretly("hmac")},
			}
		},
		func(url string) map[string]any {
			return map[string]any{"url": strings.Replace(url, "://", "://user:"+secretly("password")+"@", 1), "timeout": "2s"}
		},
	},
	"slack": {
		func(url string) map[string]any {
			return map[string]any{"webhook_url": url + "/services/" + secretly("path"), "timeout": "2s"}
		},
		func(url string) map[string]any {
			return map[string]any{"api_url": url, "token": secretly("xoxb"), "channel": "C1", "timeout": "2s"}
		},
	},
	"opensearch": searchSecrets, "elasticsearch": searchSecrets,
	"kafka": {
		func(url string) map[string]any {
			sasl := map[string]any{"mechanism": "PLAIN", "username": "u", "password": secretly("password")}
			_, address, tls := strings.Cut(url, "://")
			config := map[string]any{"brokers": []any{address}, "topic": "t", "timeout": "2s", "sasl": sasl}
			if tls && strings.HasPrefix(url, "https") {
				config["tls"] = map[string]any{}
			}
			return config
		},
	},
	"s3": {
		func(url string) map[string]any {
			return map[string]any{
				"bucket": "b", "endpoint": url, "timeout": "3s",
				"credentials": map[string]any{"access_key_id": secretly("id"), "secret_access_key": secretly("key"), "session_token": secretly("token")},
			}
		},
		func(url string) map[string]any {
			return map[string]any{
				"bucket": "b", "endpoint": url, "timeout": "3s", "region": "nowhere-1", // where no STS is to be asked
				"credentials": map[string]any{"access_key_id": secretly("id"), "secret_access_key": secretly("key")},
				"assume_role": map[string]any{"arn": "arn:aws:iam::111122223333:role/r", "external_id": secretly("external")},
			}
		},
	},
}

var searchSecrets = []func(url string) map[string]any{
	func(url string) map[string]any {
		return map[string]any{"url": url, "username": "u", "password": secretly("password"), "timeout": "2s"}
	},
	func(url string) map[string]any {
		return map[string]any{"url": url, "api_key": secretly("key"), "timeout": "2s"}
	},
}

// noAnswer is a destination whose answers are not those of the protocol. Not
// every output reads them.
const noAnswer = "no answer one expects"

// failures are destinations where a delivery fails. Those that answer repeat
// everything they were sent.
var failures = map[string]func(t *testing.T) (url string){
	"nobody listens": func(t *testing.T) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return "http://" + l.Addr().String()
	},
	"unauthorized": func(t *testing.T) string { return serve(t, repeat(http.StatusUnauthorized)) },
	"broken":       func(t *testing.T) string { return serve(t, repeat(http.StatusInternalServerError)) },
	noAnswer:       func(t *testing.T) string { return serve(t, repeat(http.StatusOK)) },
	"moved": func(t *testing.T) string {
		elsewhere := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			if text := requestText(r); strings.Contains(text, marker) {
				t.Errorf("a secret went elsewhere: %s", clip(text))
			}
		})
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", elsewhere)
			repeat(http.StatusTemporaryRedirect)(w, r)
		})
	},
	"an unknown certificate": func(t *testing.T) string {
		server := httptest.NewUnstartedServer(repeat(http.StatusOK))
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.StartTLS()
		t.Cleanup(server.Close)
		return server.URL
	},
}

// repeat answers with everything that was in the request.
func repeat(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text := requestText(r)
		w.WriteHeader(status)
		io.WriteString(w, text)
	}
}

func requestText(r *http.Request) string {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	return fmt.Sprint(r.URL, " ", r.Header, " ", string(body))
}

func TestNoOutputTellsItsSecrets(t *testing.T) {
	for name := range plugins.Shipped {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			configs := secretConfigs[name]
			holdsEverySecret(t, name, configs)
			for i, config := range configs {
				for _, failure := range sorted(failures) {
					t.Run(fmt.Sprint(i, " ", failure), func(t *testing.T) {
						keepsSecrets(t, name, config(failures[failure](t)), failure != noAnswer)
					})
				}
				t.Run(fmt.Sprint(i, " a mistake in the configuration"), func(t *testing.T) { keepsSecretsOfAMistake(t, name, config("http://x")) })
			}
		})
	}
}

// keepsSecrets lets a delivery fail and the process crash, and looks at all
// that comes out of it.
func keepsSecrets(t *testing.T, name string, config map[string]any, mustFail bool) {
	p := startOutput(t, name, nil)
	about, err := p.Describe(t.Context(), &pb.DescribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	discreet(t, "Describe", about.String())
	resp, err := p.Configure(t.Context(), &pb.ConfigureRequest{Config: asJSON(t, config), Instance: "test"})
	if err != nil || len(resp.Errors) > 0 {
		t.Fatalf("%v %v", err, resp)
	}
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		failed, err := p.Deliver(ctx, &pb.DeliverRequest{BatchId: "1", Alerts: []*pb.Alert{hostileAlert("an alert", "x")}})
		cancel()
		discreet(t, "the answer to Deliver", fmt.Sprint(failed, err))
		if mustFail && err == nil && len(failed.Failed) != 1 {
			t.Errorf("the delivery did not fail: %v", failed)
		}
	}
	for _, file := range []string{"cmdline", "environ"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file))
		if err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
		discreet(t, file, string(text))
	}
	// The runtime prints every goroutine with its arguments, as in a crash.
	p.cmd.Process.Signal(syscall.SIGQUIT)
	p.log.wait("goroutine 1 ", 10*time.Second)
	p.stop()
	if !strings.Contains(p.log.String(), "SIGQUIT") {
		t.Errorf("the process did not crash: %s", clip(p.log.String()))
	}
	discreet(t, "the log", p.log.String())
}

// keepsSecretsOfAMistake makes a mistake of every secret.
func keepsSecretsOfAMistake(t *testing.T, name string, config map[string]any) {
	for what, spoil := range map[string]func(string) any{
		"of another type": func(s string) any { return []any{s} },
		"with a line end": func(s string) any { return s + "\n" + marker },
		"as a URL":        func(s string) any { return "http://u:" + s + "@[" + s },
	} {
		p := startOutput(t, name, nil)
		spoilt := replaced(config, spoil).(map[string]any)
		spoilt["tokn"] = secretly("typo") // no key: nobody knows that it is a secret
		resp, err := p.Configure(t.Context(), &pb.ConfigureRequest{Config: asJSON(t, spoilt), Instance: "test"})
		if err != nil || len(resp.Errors) == 0 {
			t.Errorf("%s: %v %v", what, err, resp)
		}
		discreet(t, "Configure of one "+what, fmt.Sprint(resp, err))
		p.stop()
		discreet(t, "the log of one "+what, p.log.String())
	}
}

// replaced returns a configuration with other values for its secrets.
func replaced(v any, by func(string) any) any {
	switch v := v.(type) {
	case string:
		if strings.Contains(v, marker) {
			return by(v)
		}
	case map[string]any:
		other := map[string]any{}
		for key := range v {
			other[key] = replaced(v[key], by)
		}
		return other
	}
	return v
}

// discreet fails when text holds the marker, as it is or in Base64.
func discreet(t *testing.T, what, text string) {
	t.Helper()
	for shift := range 3 {
		inBase64 := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat(" ", shift) + strings.Repeat(marker+"-", 3)))
		for _, form := range []string{marker, inBase64[4 : len(inBase64)-4]} {
			if i := strings.Index(text, form); i >= 0 {
				t.Errorf("%s tells a secret: …%s", what, clip(text[max(0, i-200):]))
				return
			}
		}
	}
}

// holdsEverySecret holds configurations against the secrets of the schema.
func holdsEverySecret(t *testing.T, name string, configs []func(string) map[string]any) {
	p := startOutput(t, name, nil)
	about, err := p.Describe(t.Context(), &pb.DescribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(about.ConfigSchema, &schema); err != nil {
		t.Fatal(err)
	}
	var held []string
	for _, config := range configs {
		held = append(held, secretsIn(config("http://x"), "")...)
	}
	for _, secret := range secretKeys(schema, "") {
		if !slices.ContainsFunc(held, func(path string) bool {
			return path == secret || strings.TrimSuffix(secret, "*") == path[:strings.LastIndex(path, "/")+1]
		}) {
			t.Errorf("no configuration of this test has the secret %s of %s: add it", secret, name)
		}
	}
}

// secretKeys lists what a schema marks writeOnly; * is any key.
func secretKeys(schema map[string]any, path string) []string {
	if schema["writeOnly"] == true {
		return []string{path}
	}
	var all []string
	properties, _ := schema["properties"].(map[string]any)
	for _, key := range sorted(properties) {
		all = append(all, secretKeys(properties[key].(map[string]any), path+"/"+key)...)
	}
	if of, ok := schema["additionalProperties"].(map[string]any); ok {
		all = append(all, secretKeys(of, path+"/*")...)
	}
	if of, ok := schema["items"].(map[string]any); ok {
		all = append(all, secretKeys(of, path+"/*")...)
	}
	return all
}

// secretsIn lists where a configuration has the marker.
func secretsIn(v any, path string) []string {
	switch v := v.(type) {
	case string:
		if strings.Contains(v, marker) {
			return []string{path}
		}
	case map[string]any:
		var all []string
		for _, key := range sorted(v) {
			all = append(all, secretsIn(v[key], path+"/"+key)...)
		}
		return all
	}
	return nil
}
