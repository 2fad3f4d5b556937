package syslog

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/plugins/sdk"
)

func TestAMessageIsWhatRFC5424Says(t *testing.T) {
	alert := hostile(t, "id1")
	const head = `<131>1 2026-08-03T09:12:44.000Z h a - kms-key-disabled [trailship@32473 id="id1" rule="kms-key-disabled" severity="high" principal="al\"ice\]\\ �<34>1 - - é" account="111122223333" region="eu-west-1" ip="198.51.100.7"`
	other := sdk.Alert{ID: "id2", RuleID: "ü rule with a name that is longer than 32 characters", Severity: "critical", JSON: []byte("{\"message\":\"m\"}")}
	for name, test := range map[string]struct {
		format format
		alert  sdk.Alert
		want   string
	}{
		"JSON is ASCII, so it needs no BOM": {
			format{facility: 16, host: "h", app: "a"}, sdk.Alert{ID: "id2", Severity: "info", JSON: []byte("{\"m\":\n\"é\u2028\U0001f600\\n\x7f\"}")},
			`<134>1 0001-01-01T00:00:00.000Z h a - - [trailship@32473 id="id2" severity="info"] {"m": "\u00e9\u2028\ud83d\ude00\n\u007f"}`,
		},
		"text with more than ASCII has a BOM": {
			format{facility: 16, host: "h", app: "a", text: true}, alert,
			head + "] \ufeffHIGH kms-key-disabled: al\"ice]\\ �<34>1 - - é disabled a key" +
				` principal="al\"ice]\\ \n<34>1 - - é" account="111122223333" region="eu-west-1" ip="198.51.100.7"`,
		},
		"text in ASCII has none": {
			format{app: "a", text: true}, sdk.Alert{ID: "id3", RuleID: "r", Severity: "medium", JSON: []byte(`{"message":"m"}`)},
			`<4>1 0001-01-01T00:00:00.000Z - a - r [trailship@32473 id="id3" rule="r" severity="medium"] MEDIUM r: m`,
		},
		"a name of a rule is ASCII and short": {
			format{app: "a", text: true}, other,
			`<2>1 0001-01-01T00:00:00.000Z - a - rulewithanamethatislongerthan32c [trailship@32473 id="id2" rule="ü rule with a name that is longer than 32 characters" severity="critical"] ` +
				"\ufeffCRITICAL ü rule with a name that is longer than 32 characters: m",
		},
		"what is cut says so": {
			format{facility: 16, host: "h", app: "a", text: true, limit: len(head) + len(` cut="1"]`) + 12}, alert,
			head + ` cut="1"] ` + "\ufeffHIGH kms",
		},
		"what is unknown is informational": {
			format{app: "a", text: true}, sdk.Alert{JSON: []byte("no JSON")}, `<6>1 0001-01-01T00:00:00.000Z - a - - [trailship@32473]  : `,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := test.format.message(test.alert)
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// syntax is the ABNF of RFC 5424, section 6, as far as we use it.
var syntax = regexp.MustCompile(`^<\d{1,3}>1 \S{20,35} [!-~]{1,255} [!-~]{1,48} - [!-~]{1,32} \[trailship@32473( [a-z]+="([^"\\\]]|\\["\\\]])*")*\] `)

func FuzzNothingLeavesItsPlace(f *testing.F) {
	f.Add("al\"ice]\\\n", "rule \x00", []byte("{\"message\":\"a\\nb\",\"actor\":{\"user\":{\"name\":\"\\\"]\\u202e\"}}}"))
	f.Add("\xff\\", "", []byte("\xff\u2028"))
	f.Add(strings.Repeat("\\", 1000), strings.Repeat("é", 1000), []byte(`{}`))
	f.Fuzz(func(t *testing.T, id, rule string, text []byte) {
		for _, format := range []format{{app: "a"}, {app: "a", text: true}, {app: "a", text: true, limit: minSize}} {
			got, _ := format.message(sdk.Alert{ID: id, RuleID: rule, Severity: rule, JSON: text})
			if !syntax.Match(got) || !utf8.Valid(got) || format.limit > 0 && len(got) > format.limit {
				t.Errorf("%q", got)
			}
			if i := strings.IndexFunc(string(got), func(r rune) bool { return !unicode.IsPrint(r) && r != '\ufeff' }); i >= 0 {
				t.Errorf("%q", got)
			}
		}
	})
}

// listen returns the address of a server that hands every connection to serve.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
			conn.Close()
		}
	}()
	return l.Addr().String()
}

// frame reads a message with its length in front.
func frame(r *bufio.Reader) (string, error) {
	length, err := r.ReadString(' ')
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(length, " "))
	if err != nil {
		return "", err
	}
	text := make([]byte, n)
	_, err = io.ReadFull(r, text)
	return string(text), err
}

func TestTheNextBatchGetsANewConnectionWhenTheOldOneIsClosed(t *testing.T) {
	got := make(chan string, 10)
	closed := make(chan struct{}, 10)
	address := listen(t, func(conn net.Conn) { // takes two messages a connection
		r := bufio.NewReader(conn)
		for range 2 {
			text, err := frame(r)
			if err != nil {
				break
			}
			got <- text
		}
		conn.Close()
		closed <- struct{}{}
	})
	out := opened(t, config{Address: address, Format: "text"})
	for range 3 {
		// The server may close while the batch is still looked after: then it
		// is sent again, as the daemon would.
		for out.Deliver(t.Context(), []sdk.Alert{{ID: "a"}, {ID: "b"}}) != nil {
		}
		for range 2 {
			<-got
		}
		<-closed
	}
}

func TestABatchOnABrokenConnectionComesAgainAsAWhole(t *testing.T) {
	address := listen(t, func(conn net.Conn) {
		conn.Read(make([]byte, 10))
		conn.(*net.TCPConn).SetLinger(0) // a reset
	})
	out := opened(t, config{Address: address})
	err := out.Deliver(t.Context(), []sdk.Alert{{ID: "a", JSON: []byte(strings.Repeat("x", 8<<20))}})
	if permanent, _ := sdk.Judge(err); err == nil || permanent {
		t.Error(err)
	}
	var some sdk.Failed
	if errors.As(err, &some) {
		t.Errorf("nobody knows which ones arrived: %v", err)
	}
}

func TestAServerThatDoesNotReadIsGivenUp(t *testing.T) {
	release := make(chan struct{})
	address := listen(t, func(net.Conn) { <-release })
	defer close(release)
	large := []sdk.Alert{{ID: "a", JSON: []byte(strings.Repeat("x", 32<<20))}}
	if err := opened(t, config{Address: address, Timeout: 50 * time.Millisecond}).Deliver(t.Context(), large); err == nil {
		t.Error("no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := opened(t, config{Address: address}).Deliver(ctx, large); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestWhoeverIsNotTheServerGetsNothing(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	newCertificates(t, dir)
	newCertificates(t, other)
	trusting := func(dir, name string) sdk.TLS { return sdk.TLS{CA: filepath.Join(dir, "ca.pem"), ServerName: name} }
	server, err := sdk.TLS{Cert: filepath.Join(dir, "server.pem"), Key: filepath.Join(dir, "server.key")}.Config("")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 10)
	address := listenTLS(t, server, got)
	for name, test := range map[string]struct {
		tls  sdk.TLS
		want string
	}{
		"of another authority": {trusting(other, "localhost"), "certificate signed by unknown authority"},
		"with another name":    {trusting(dir, "logs.example.com"), "certificate is valid for localhost, not logs.example.com"},
		"by its address":       {trusting(dir, ""), "cannot validate certificate for 127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			err := opened(t, config{Address: address, Protocol: "tls", TLS: test.tls}).Deliver(t.Context(), []sdk.Alert{{ID: "a"}})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Error(err)
			}
		})
	}
	if err := opened(t, config{Address: address, Protocol: "tls", TLS: trusting(dir, "localhost")}).Deliver(t.Context(), []sdk.Alert{{ID: "a"}}); err != nil {
		t.Error(err)
	}
	<-got
	if len(got) > 0 {
		t.Errorf("a stranger got %s", <-got)
	}
}

func TestDatagramsAreCutToTheirLimit(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, limit := range []size{0, minSize, 1 << 20} {
		out := opened(t, config{Address: conn.LocalAddr().String(), Protocol: "udp", MaxSize: limit})
		if err := out.Deliver(t.Context(), []sdk.Alert{{ID: "a", JSON: []byte(strings.Repeat("x", 1<<20))}}); err != nil {
			t.Fatal(err)
		}
		text := make([]byte, maxDatagram)
		n, _, err := conn.ReadFrom(text)
		want := map[size]int{0: udpSize, minSize: minSize, 1 << 20: maxDatagram}[limit]
		if err != nil || n != want || !strings.Contains(string(text[:n]), ` id="a" cut="1"] xxx`) {
			t.Errorf("max_size %d: %v, %d bytes, want %d", limit, err, n, want)
		}
	}
}

func TestMistakesInTheConfigurationAreSaid(t *testing.T) {
	_, err := config{
		Address: "a:b:c", Facility: "local9", Hostname: "a b", AppName: "ä", TLS: sdk.TLS{CA: "x"},
	}.open()
	_, tlsErr := config{Address: "logs:nowhere", Protocol: "tls", TLS: sdk.TLS{CA: "/no/such/file", Key: "k"}}.open()
	want := strings.Join([]string{
		"/address: must be HOST or HOST:PORT, such as logs.example.com:6514",
		"/facility: must be one of " + strings.Join(facilityNames, ", "),
		"/hostname: must be at most 255 ASCII characters without spaces",
		"/app_name: must be at most 48 ASCII characters without spaces",
		"/tls: is for protocol: tls",
		`/address: "nowhere" is not a port`,
		"/tls/ca: open /no/such/file: no such file or directory",
		"/tls/key: needs cert, the file of its certificate",
	}, "\n")
	if diff := cmp.Diff(want, fmt.Sprintf("%v\n%v", err, tlsErr)); diff != "" {
		t.Error(diff)
	}
	for address, want := range map[string]string{
		"logs": "logs:514", "::1": "[::1]:514", "[::1]": "[::1]:514", "[::1]:1": "[::1]:1", "127.0.0.1": "127.0.0.1:514",
		"": "", ":514": "", "a/b": "", "http://logs": "",
	} {
		got, err := withPort(address, "514")
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", address, got, err)
		}
	}
}
