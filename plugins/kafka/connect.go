package kafka

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/trailship/trailship/plugins/sdk"
)

// login is who we are for the brokers.
type login struct {
	Mechanism string     `json:"mechanism" enum:"PLAIN,SCRAM-SHA-256,SCRAM-SHA-512" default:"SCRAM-SHA-512" doc:"How the password is proven; PLAIN sends it, so use it with tls"`
	Username  string     `json:"username" required:"true" doc:"The user"`
	Password  sdk.Secret `json:"password" required:"true" doc:"The user's password"`
}

// mechanism is nil when nobody asks who we are.
func (l *login) mechanism() (sasl.Mechanism, error) {
	if l == nil {
		return nil, nil
	}
	switch or(l.Mechanism, "SCRAM-SHA-512") {
	case "PLAIN":
		return plain.Auth{User: l.Username, Pass: string(l.Password)}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: l.Username, Pass: string(l.Password)}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: l.Username, Pass: string(l.Password)}.AsSha512Mechanism(), nil
	}
	return nil, sdk.Invalidf("/sasl/mechanism", "must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
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
