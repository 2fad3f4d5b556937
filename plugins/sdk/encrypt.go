package sdk

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/trailship/trailship/plugins/sdk/selfsigned"
)

// encrypt is go-plugin's AutoMTLS with a key that takes less time. It is nil
// when the daemon does not ask for encryption.
func encrypt() (*tls.Config, error) {
	text := os.Getenv(selfsigned.ClientCertEnv)
	if text == "" {
		return nil, nil
	}
	daemon := x509.NewCertPool()
	if !daemon.AppendCertsFromPEM([]byte(text)) {
		return nil, errors.New(selfsigned.ClientCertEnv + " holds no certificate in PEM")
	}
	own, err := selfsigned.New()
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	// go-plugin prints no certificate but its own.
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	go announce(os.Stdout, r, own.Certificate[0])
	os.Stdout = w // until go-plugin has printed the handshake line
	return &tls.Config{
		Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: daemon, MinVersion: tls.VersionTLS12,
	}, nil
}

// announce copies what is printed, and the handshake line with a certificate.
func announce(w io.Writer, printed io.Reader, certificate []byte) {
	r := bufio.NewReader(printed)
	for {
		line, err := r.ReadString('\n')
		if fields := strings.Split(line, "|"); len(fields) == 6 && fields[4] == "grpc" {
			line = strings.TrimSuffix(line, "\n") + base64.RawStdEncoding.EncodeToString(certificate) + "\n"
		}
		if io.WriteString(w, line); err != nil {
			return
		}
	}
}
