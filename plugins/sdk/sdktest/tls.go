package sdktest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
)

// trusting returns the configuration with a certificate of our own that trusts
// exactly the one a plugin printed.
func trusting(own tls.Certificate, printed string) (*tls.Config, error) {
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
		Certificates: []tls.Certificate{own}, RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12,
	}, nil
}
