package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/trailship/trailship/plugins/sdk"
)

// login is who we are for the brokers.
type login struct {
	Mechanism string     `json:"mechanism" enum:"PLAIN,SCRAM-SHA-256,SCRAM-SHA-512" default:"SCRAM-SHA-512" doc:"How the password is proven; PLAIN sends it, so use it with tls"`
	User      string     `json:"user" required:"true" doc:"The user"`
	Password  sdk.Secret `json:"password" required:"true" doc:"The user's password"`
}

// mechanism is nil when nobody asks who we are.
func (l *login) mechanism() (sasl.Mechanism, error) {
	if l == nil {
		return nil, nil
	}
	switch or(l.Mechanism, "SCRAM-SHA-512") {
	case "PLAIN":
		return plain.Auth{User: l.User, Pass: string(l.Password)}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: l.User, Pass: string(l.Password)}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: l.User, Pass: string(l.Password)}.AsSha512Mechanism(), nil
	}
	return nil, sdk.Invalidf("/sasl/mechanism", "must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
}

// encryption is TLS to the brokers. Paths are of PEM files.
type encryption struct {
	CA         string `json:"ca" doc:"Certificates to trust instead of the system's, a PEM file"`
	Cert       string `json:"cert" doc:"Our certificate, for brokers that want one, a PEM file"`
	Key        string `json:"key" doc:"The certificate's key, a PEM file"`
	ServerName string `json:"server_name" doc:"The name the brokers' certificates must have. Default: the broker's host"`
}

// config is nil when the connection is not encrypted.
func (e *encryption) config() (*tls.Config, error) {
	if e == nil {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: e.ServerName}
	var errs []error
	if e.CA != "" {
		c.RootCAs = x509.NewCertPool()
		text, err := os.ReadFile(sdk.Abs(e.CA))
		if err != nil {
			errs = append(errs, sdk.Invalidf("/tls/ca", "%v", err))
		} else if !c.RootCAs.AppendCertsFromPEM(text) {
			errs = append(errs, sdk.Invalidf("/tls/ca", "%s holds no certificate in PEM", e.CA))
		}
	}
	switch {
	case e.Cert == "" && e.Key == "":
	case e.Cert == "" || e.Key == "":
		errs = append(errs, sdk.Invalidf("/tls", "cert and key belong together: give both or none"))
	default:
		pair, err := tls.LoadX509KeyPair(sdk.Abs(e.Cert), sdk.Abs(e.Key))
		if err != nil {
			errs = append(errs, sdk.Invalidf("/tls/cert", "%v", err))
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, errors.Join(errs...)
}

// checkBrokers says which addresses cannot be.
func checkBrokers(brokers []string) error {
	var errs []error
	for i, b := range brokers {
		host, port, err := net.SplitHostPort(b)
		if n, perr := strconv.Atoi(port); err != nil || host == "" || perr != nil || n < 1 || n > 65535 {
			errs = append(errs, sdk.Invalidf(fmt.Sprintf("/brokers/%d", i), "must be HOST:PORT, such as kafka-1.example.com:9092"))
		}
	}
	return errors.Join(errs...)
}
