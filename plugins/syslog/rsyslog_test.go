package syslog

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/trailship/trailship/plugins/sdk"
)

// What rsyslog understood of a message.
type understood struct {
	Msg, Hostname, Programname, Msgid string
	Facility                          string `json:"syslogfacility"`
	Severity                          string `json:"syslogseverity"`
	Structured                        string `json:"structured-data"`
	Reported                          string `json:"timereported"`
}

func TestRsyslogUnderstandsEveryMessage(t *testing.T) {
	server := startRsyslog(t)
	for _, protocol := range []string{"udp", "tcp", "tls"} {
		for _, text := range []string{"json", "text"} {
			t.Run(protocol+" "+text, func(t *testing.T) {
				c := config{Address: server.address[protocol], Protocol: protocol, Format: text, Facility: "audit", Hostname: "ship1"}
				if protocol == "tls" {
					c.TLS = sdk.TLS{CA: server.file("ca.pem"), Cert: server.file("client.pem"), Key: server.file("client.key"), ServerName: "localhost"}
				}
				id := protocol + "-" + text
				alert := hostile(t, id)
				if err := opened(t, c).Deliver(t.Context(), []sdk.Alert{alert, hostile(t, id+"-2")}); err != nil {
					t.Fatal(err)
				}
				got := server.message(t, id)
				want := understood{
					Msg: asciiJSON(alert.JSON), Hostname: "ship1", Programname: "trailship", Msgid: "kms-key-disabled", Facility: "13", Severity: "3",
					Structured: `[trailship@32473 id="` + id + `" rule="kms-key-disabled" severity="high" principal="al\"ice\]\\ �<34>1 - - é" account="111122223333" region="eu-west-1" ip="198.51.100.7"]`,
					Reported:   "2026-08-03T09:12:44.000Z",
				}
				if text == "text" {
					want.Msg = summaryOf(alert).line(alert)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
	// Two messages a delivery, and no line more.
	if n := len(server.lines(t)); n != 12 {
		t.Errorf("%d lines, want 12", n)
	}
}

// hostile is an alert about somebody who would like to write a log line of
// his own.
func hostile(t *testing.T, id string) sdk.Alert {
	const name = "al\"ice]\\ \n<34>1 - - é"
	text, err := json.Marshal(map[string]any{
		"message": name + " disabled a key", "actor": map[string]any{"user": map[string]any{"name": name}},
		"cloud":     map[string]any{"region": "eu-west-1", "account": map[string]any{"uid": "111122223333"}},
		"evidences": []any{map[string]any{"src_endpoint": map[string]any{"ip": "198.51.100.7"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return sdk.Alert{ID: id, RuleID: "kms-key-disabled", Severity: "high", Time: time.Date(2026, 8, 3, 9, 12, 44, 0, time.UTC), JSON: text}
}

// rsyslog is a running rsyslogd that writes what it understood into a file.
type rsyslog struct {
	dir     string
	address map[string]string // by protocol
}

func (r *rsyslog) file(name string) string { return filepath.Join(r.dir, name) }

// startRsyslog starts Debian's rsyslogd on ports of its own, without touching
// the machine's.
func startRsyslog(t *testing.T) *rsyslog {
	program, err := exec.LookPath("rsyslogd")
	if err != nil {
		program = "/usr/sbin/rsyslogd" // not in everybody's PATH
	}
	driver, _ := filepath.Glob("/usr/lib/*/rsyslog/lmnsd_gtls.so")
	if _, err := os.Stat(program); err != nil || len(driver) == 0 {
		if os.Getenv("TRAILSHIP_CI") == "1" {
			t.Fatal("TRAILSHIP_CI=1 and no rsyslogd with TLS (Debian: rsyslog, rsyslog-gnutls)")
		}
		t.Skip("needs rsyslogd with TLS (Debian: rsyslog, rsyslog-gnutls)")
	}
	r := &rsyslog{dir: t.TempDir(), address: map[string]string{"udp": freePort(t), "tcp": freePort(t), "tls": freePort(t)}}
	newCertificates(t, r.dir)
	if err := os.WriteFile(r.file("conf"), []byte(r.config()), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command(program, "-n", "-f", r.file("conf"), "-i", r.file("pid"))
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			t.Logf("rsyslogd said: %s", said.String())
		}
	})
	eventually(t, "rsyslogd listens", func() bool {
		conn, err := net.Dial("tcp", r.address["tls"])
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return r
}

func (r *rsyslog) config() string {
	port := func(protocol string) string {
		_, port, _ := net.SplitHostPort(r.address[protocol])
		return port
	}
	return fmt.Sprintf(`
global(workDirectory=%[1]q maxMessageSize="64k"
  defaultNetstreamDriverCAFile="%[1]s/ca.pem" defaultNetstreamDriverCertFile="%[1]s/server.pem" defaultNetstreamDriverKeyFile="%[1]s/server.key")
module(load="imudp")
module(load="imptcp")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
template(name="all" type="string" string="%%jsonmesg%%\n")
ruleset(name="file") { action(type="omfile" file="%[1]s/log" template="all") }
input(type="imudp" address="127.0.0.1" port="%[2]s" ruleset="file")
input(type="imptcp" address="127.0.0.1" port="%[3]s" ruleset="file")
input(type="imtcp" address="127.0.0.1" port="%[4]s" ruleset="file")
`, r.dir, port("udp"), port("tcp"), port("tls"))
}

// lines returns what was written until now.
func (r *rsyslog) lines(t *testing.T) []understood {
	f, err := os.Open(r.file("log"))
	if err != nil {
		return nil
	}
	defer f.Close()
	var all []understood
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var u understood
		if err := json.Unmarshal(lines.Bytes(), &u); err != nil {
			t.Fatalf("%v: %s", err, lines.Bytes())
		}
		all = append(all, u)
	}
	return all
}

// message waits for the two messages of a delivery and returns the first.
func (r *rsyslog) message(t *testing.T, id string) understood {
	var first understood
	eventually(t, "the messages arrive", func() bool {
		second := false
		for _, u := range r.lines(t) {
			switch {
			case bytes.Contains([]byte(u.Structured), []byte(`id="`+id+`"`)):
				first = u
			case bytes.Contains([]byte(u.Structured), []byte(`id="`+id+`-2"`)):
				second = true
			}
		}
		return second && first.Structured != ""
	})
	return first
}

// eventually looks again and again: rsyslogd tells nobody.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	late := time.After(20 * time.Second)
	for !condition() {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// freePort returns an address nobody listened on a moment ago.
func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// newCertificates writes ca.pem, and server and client with .pem and .key.
func newCertificates(t *testing.T, dir string) {
	t.Helper()
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			KeyUsage:    x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
	}
	ca := template(1, "ca")
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage, ca.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	caKey := issue(t, filepath.Join(dir, "ca"), ca, ca, nil)
	issue(t, filepath.Join(dir, "server"), template(2, "localhost"), ca, caKey)
	issue(t, filepath.Join(dir, "client"), template(3, "trailship"), ca, caKey)
}

func issue(t *testing.T, path string, cert, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if parentKey == nil {
		parentKey = key
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	inDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: inDER}} {
		if err := os.WriteFile(path+name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return key
}

func opened(t *testing.T, c config) sdk.Output {
	t.Helper()
	out, err := c.open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	return out
}

// listenTLS returns the address of a server that takes one message a
// connection.
func listenTLS(t *testing.T, config *tls.Config, got chan<- string) string {
	return listen(t, func(conn net.Conn) {
		server := tls.Server(conn, config)
		r := bufio.NewReader(server)
		for {
			text, err := frame(r)
			if err != nil {
				return
			}
			got <- text
		}
	})
}
