package deliver

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
	"time"

	"github.com/hashicorp/go-plugin"
)

// clientCertEnv is where a plugin finds the daemon's certificate.
const clientCertEnv = "PLUGIN_CLIENT_CERT"

// encrypt makes the connection mutual TLS, as go-plugin's AutoMTLS does, but
// with a key on a curve that is much faster and that every TLS library knows.
// Nobody is trusted yet: go-plugin adds the certificate the plugin prints.
func (c *client) encrypt(config *plugin.ClientConfig) error {
	pair, err := newCertificate()
	if err != nil {
		return fmt.Errorf("making a certificate for the plugin: %w", err)
	}
	config.TLSConfig = &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: x509.NewCertPool(), ServerName: "localhost", MinVersion: tls.VersionTLS12,
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
	c.proc.cmd.Env = append(c.proc.cmd.Env, clientCertEnv+"="+string(text))
	return nil
}

// newCertificate makes a key with a certificate it signed itself, good for one
// run of the plugin, however long.
func newCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement | x509.KeyUsageCertSign,
		NotBefore:   time.Now().Add(-time.Minute), NotAfter: time.Now().AddDate(30, 0, 0),
		BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
