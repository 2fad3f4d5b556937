package kafka

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/trailship/trailship/plugins/sdk"
)

func TestEveryMechanismProvesWhoWeAre(t *testing.T) {
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", ""} {
		t.Run(mechanism, func(t *testing.T) {
			brokers := cluster(t, kfake.EnableSASL(), kfake.Superuser(or(mechanism, "SCRAM-SHA-512"), "trailship", "s3cr3t"))
			right := &login{Mechanism: mechanism, Username: "trailship", Password: "s3cr3t"}
			out := opened(t, brokers, config{SASL: right})
			if err := out.Deliver(t.Context(), []sdk.Alert{{ID: "a"}}); err != nil {
				t.Fatal(err)
			}
			m, err := right.mechanism()
			if err != nil {
				t.Fatal(err)
			}
			written(t, brokers, "alerts", 1, kgo.SASL(m))
		})
	}
}

func TestAConnectionThatCannotBeSaysWhy(t *testing.T) {
	guarded := cluster(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "trailship", "s3cr3t"))
	server, _ := certificate(t)
	encrypted := cluster(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{server}}))
	for _, test := range []struct {
		name    string
		brokers *kfake.Cluster
		c       config
		want    string
	}{
		{"a wrong password", guarded, config{SASL: &login{Mechanism: "SCRAM-SHA-256", Username: "trailship", Password: "wrong"}}, "no broker answers: check brokers, the network, tls and sasl: "},
		{"another mechanism", guarded, config{SASL: &login{Mechanism: "PLAIN", Username: "trailship", Password: "s3cr3t"}}, "no broker answers: check brokers, the network, tls and sasl: "},
		{"no password", guarded, config{}, "no broker answers: check brokers, the network, tls and sasl: "},
		{"no encryption", encrypted, config{}, "no broker answers: check brokers, the network, tls and sasl: "},
		{"a certificate nobody trusts", encrypted, config{TLS: &sdk.TLS{}}, "no broker answers: check brokers, the network, tls and sasl: unable to dial: tls: failed to verify certificate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.c.Timeout = 2 * time.Second
			err := opened(t, test.brokers, test.c).Deliver(t.Context(), []sdk.Alert{{ID: "a"}})
			if !strings.HasPrefix(fmt.Sprint(err), test.want) || strings.Contains(fmt.Sprint(err), "s3cr3t") {
				t.Error(err)
			}
			if permanent, _ := sdk.Judge(err); permanent {
				t.Error("an operator can mend this, and the alert was given up")
			}
		})
	}
}

// Real brokers name what they refuse; kfake ends the connection, unless told.
func TestARefusedUserIsNamedAsSuch(t *testing.T) {
	for _, test := range []struct {
		key  kmsg.Key
		err  *kerr.Error
		want string
	}{
		{kmsg.SASLAuthenticate, kerr.SaslAuthenticationFailed, "the brokers do not take this user and password: check sasl: "},
		{kmsg.SASLHandshake, kerr.UnsupportedSaslMechanism, "the brokers do not know this mechanism: check sasl.mechanism: "},
	} {
		brokers := cluster(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "trailship", "s3cr3t"))
		brokers.Fault(kfake.Fault{Keys: []kmsg.Key{test.key}, Err: test.err, TopLevel: true, Count: -1})
		out := opened(t, brokers, config{SASL: &login{Mechanism: "PLAIN", Username: "trailship", Password: "s3cr3t"}})
		if err := out.Deliver(t.Context(), []sdk.Alert{{ID: "a"}}); !strings.HasPrefix(fmt.Sprint(err), test.want) {
			t.Error(err)
		}
	}
}

func TestTheConnectionIsEncryptedBothWays(t *testing.T) {
	server, dir := certificate(t)
	pool := x509.NewCertPool()
	pool.AddCert(server.Leaf)
	brokers := cluster(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{server}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}))
	t.Setenv(sdk.DirEnv, dir)
	out := opened(t, brokers, config{TLS: &sdk.TLS{CA: "cert.pem", Cert: "cert.pem", Key: "key.pem", ServerName: "kafka.test"}})
	if err := out.Deliver(t.Context(), []sdk.Alert{{ID: "a"}}); err != nil {
		t.Fatal(err)
	}
	written(t, brokers, "alerts", 1, kgo.DialTLSConfig(&tls.Config{RootCAs: pool, ServerName: "kafka.test", Certificates: []tls.Certificate{server}}))
}

// certificate makes one for kafka.test, and a folder with its files.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kafka.test"}, DNSNames: []string{"kafka.test"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	for name, text := range map[string][]byte{"cert.pem": cert, "key.pem": private, "junk.pem": []byte("junk")} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := tls.X509KeyPair(cert, private)
	if err != nil {
		t.Fatal(err)
	}
	return pair, dir
}

func TestMistakesInTheConfigurationAreSaidTogether(t *testing.T) {
	_, dir := certificate(t)
	t.Setenv(sdk.DirEnv, dir)
	_, err := config{
		Brokers: []string{"a:9092", "b", ":1", "c:0"}, Topic: "a b{rule}", MaxMessage: 100,
		TLS: &sdk.TLS{CA: "junk.pem", Cert: "cert.pem"},
	}.open()
	want := strings.Join([]string{
		"/brokers/1: must be HOST:PORT, such as kafka-1.example.com:9092",
		"/brokers/2: must be HOST:PORT, such as kafka-1.example.com:9092",
		"/brokers/3: must be HOST:PORT, such as kafka-1.example.com:9092",
		"/topic: must be the name of a topic: letters, digits, '.', '_' and '-', up to 249 of them",
		"/max_message: must be between 512 bytes and 64MiB",
		"/tls/ca: DIR/junk.pem holds no certificate in PEM",
		"/tls/cert: needs key, the file of its key",
	}, "\n")
	if diff := cmp.Diff(want, strings.ReplaceAll(fmt.Sprint(err), dir, "DIR")); diff != "" {
		t.Error(diff)
	}
	_, err = config{Brokers: []string{"a:1"}, Topic: "{account}", TLS: &sdk.TLS{CA: "none.pem", Cert: "junk.pem", Key: "key.pem"}}.open()
	want = strings.Join([]string{
		"/topic: {account} is not known: there are {severity} and {rule}",
		"/tls/ca: open DIR/none.pem: no such file or directory",
		"/tls/cert: tls: failed to find any PEM data in certificate input",
	}, "\n")
	if diff := cmp.Diff(want, strings.ReplaceAll(fmt.Sprint(err), dir, "DIR")); diff != "" {
		t.Error(diff)
	}
}
