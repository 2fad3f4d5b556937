package sdktest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/trailship/trailship/plugins/sdk/selfsigned"
)

// identity is a key with a self-signed certificate, made as the daemon makes
// its own.
type identity struct {
	pem  string
	pair tls.Certificate
}

func newIdentity() (identity, error) {
	pair, err := selfsigned.New()
	if err != nil {
		return identity{}, err
	}
	return identity{
		pem:  string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})),
		pair: pair,
	}, nil
}

// trusting returns the configuration that trusts exactly the certificate a
// plugin printed.
func (i identity) trusting(printed string) (*tls.Config, error) {
	der, err := base64.RawStdEncoding.DecodeString(printed)
	if err != nil {
		return nil, errors.New("field 6 of the handshake line must be the certificate in standard base64 without = at the end")
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("field 6 of the handshake line must be a DER certificate: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{
		Certificates: []tls.Certificate{i.pair}, RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12,
	}, nil
}
