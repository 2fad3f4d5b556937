package sdk

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
)

// TLS is the part of a configuration that says whom to trust and who to be. The
// zero value trusts the system's certificates and shows none. Paths start at
// the folder of the daemon's configuration.
type TLS struct {
	CA         string `json:"ca" doc:"A file of certificates in PEM to trust instead of the system's"`
	Cert       string `json:"cert" doc:"A file with our certificate in PEM, for servers that ask for one"`
	Key        string `json:"key" doc:"A file with the certificate's key in PEM"`
	ServerName string `json:"server_name" doc:"The name the server's certificate must hold. Default: that of the address"`
}

// Config reads the files. Mistakes are Invalids below pointer, the key the
// user wrote all this under ("/tls"). Call it in open, so that `trailship
// check` finds them, and again for every connection where renewed files shall
// be noticed.
func (t TLS) Config(pointer string) (*tls.Config, error) {
	config := &tls.Config{ServerName: t.ServerName, MinVersion: tls.VersionTLS12}
	var errs []error
	if t.CA != "" {
		text, err := os.ReadFile(Abs(t.CA))
		config.RootCAs = x509.NewCertPool()
		if err != nil {
			errs = append(errs, Invalidf(pointer+"/ca", "%v", err))
		} else if !config.RootCAs.AppendCertsFromPEM(text) {
			errs = append(errs, Invalidf(pointer+"/ca", "%s holds no certificate in PEM", Abs(t.CA)))
		}
	}
	switch {
	case t.Cert == "" && t.Key == "":
	case t.Cert == "":
		errs = append(errs, Invalidf(pointer+"/key", "needs cert, the file of its certificate"))
	case t.Key == "":
		errs = append(errs, Invalidf(pointer+"/cert", "needs key, the file of its key"))
	default:
		pair, err := tls.LoadX509KeyPair(Abs(t.Cert), Abs(t.Key))
		if err != nil {
			errs = append(errs, Invalidf(pointer+"/cert", "%v", err))
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, errors.Join(errs...)
}
