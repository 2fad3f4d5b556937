// Package syslog is the output that sends alerts to a syslog server: RFC 5424
// messages over UDP (RFC 5426), TCP (RFC 6587, octet counting), or TLS
// (RFC 5425).
package syslog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/trailship/trailship/plugins/sdk"
)

// Serve is the plugin's main function.
func Serve() {
	sdk.Serve("syslog", func(_ context.Context, c config) (sdk.Output, error) { return c.open() })
}

type config struct {
	Address  string        `json:"address" required:"true" doc:"HOST or HOST:PORT of the server. Default port: 514 for udp, 601 for tcp, 6514 for tls"`
	Protocol string        `json:"protocol" enum:"udp,tcp,tls" default:"tcp" doc:"udp may lose alerts and nobody is told"`
	TLS      sdk.TLS       `json:"tls" doc:"Whom to trust and who to be, with protocol: tls"`
	Format   string        `json:"format" enum:"json,text" default:"json" doc:"What the message is: the alert in ASCII, or a line for people"`
	Facility string        `json:"facility" default:"local0" doc:"kern, user, …, authpriv, audit, local0 … local7"`
	Hostname string        `json:"hostname" doc:"HOSTNAME of the messages. Default: this machine's name"`
	AppName  string        `json:"app_name" default:"trailship" doc:"APP-NAME of the messages"`
	MaxSize  size          `json:"max_size" doc:"Cut longer messages, such as 64KiB. Default: 8KiB for udp, never for tcp and tls"`
	Timeout  time.Duration `json:"timeout" default:"10s" doc:"Of a connection, and of sending a batch"`
}

// size is a number of bytes, written 1048576 or 1MiB.
type size int

func (s *size) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil || n < minSize || n > 1<<30 {
		return fmt.Errorf("must be a size of %d bytes or more, such as 64KiB", minSize)
	}
	*s = size(n)
	return nil
}

const (
	// minSize leaves room for the header and the structured data; RFC 5424,
	// 6.1 has every server take as much and asks it to take 2048.
	minSize = 2048
	// udpSize is what common servers take of a datagram.
	udpSize = 8 << 10
	// maxDatagram is the most an IPv4 datagram holds.
	maxDatagram = 65507
)

// ports are the registered ones.
var ports = map[string]string{"udp": "514", "tcp": "601", "tls": "6514"}

// open reads the configuration; nothing is sent.
func (c config) open() (sdk.Output, error) {
	c.Protocol, c.Timeout = or(c.Protocol, "tcp"), or(c.Timeout, 10*time.Second)
	var errs []error
	address, err := withPort(c.Address, ports[c.Protocol])
	if err != nil {
		errs = append(errs, err)
	}
	f, err := c.format()
	errs = append(errs, err)
	if c.Protocol != "tls" && c.TLS != (sdk.TLS{}) {
		errs = append(errs, sdk.Invalidf("/tls", "is for protocol: tls"))
	} else if _, err := c.TLS.Config("/tls"); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if c.Protocol == "udp" {
		return &datagrams{address: address, timeout: c.Timeout, format: f}, nil
	}
	s := &stream{address: address, timeout: c.Timeout, format: f}
	if c.Protocol == "tls" {
		s.tls = &c.TLS
	}
	return s, nil
}

// format reads what the messages look like.
func (c config) format() (format, error) {
	f := format{text: c.Format == "text", app: or(c.AppName, "trailship"), host: c.Hostname, limit: int(c.MaxSize)}
	var errs []error
	var ok bool
	if f.facility, ok = facilities[or(c.Facility, "local0")]; !ok {
		errs = append(errs, sdk.Invalidf("/facility", "must be one of %s", strings.Join(facilityNames, ", ")))
	}
	if f.host == "" {
		name, _ := os.Hostname()
		f.host = ascii(name, 255)
	}
	for _, name := range []struct {
		key, value string
		max        int
	}{{"/hostname", f.host, 255}, {"/app_name", f.app, 48}} {
		if ascii(name.value, name.max) != name.value {
			errs = append(errs, sdk.Invalidf(name.key, "must be at most %d ASCII characters without spaces", name.max))
		}
	}
	if c.Protocol == "udp" {
		f.limit = min(or(f.limit, udpSize), maxDatagram)
	}
	return f, errors.Join(errs...)
}

// withPort adds the default port to an address without one.
func withPort(address, port string) (string, error) {
	if host, given, err := net.SplitHostPort(address); err == nil && host != "" {
		if _, err := net.LookupPort("tcp", given); err != nil {
			return "", sdk.Invalidf("/address", "%q is not a port", given)
		}
		return address, nil
	}
	host := strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	if host == "" || strings.ContainsAny(host, "/ []") || strings.Contains(host, ":") && net.ParseIP(host) == nil {
		return "", sdk.Invalidf("/address", "must be HOST or HOST:PORT, such as logs.example.com:6514")
	}
	return net.JoinHostPort(host, port), nil
}

// datagrams is the Output over UDP: one datagram for each alert. That the
// kernel took them is all there is to know.
type datagrams struct {
	address string
	timeout time.Duration
	format  format
	conn    net.Conn
}

// Deliver sends the alerts. What a router or the server said of an earlier one
// ("port unreachable") shows as the error of a later one.
func (d *datagrams) Deliver(ctx context.Context, alerts []sdk.Alert) error {
	if d.conn == nil {
		dialer := net.Dialer{Timeout: d.timeout}
		conn, err := dialer.DialContext(ctx, "udp", d.address)
		if err != nil {
			return fmt.Errorf("reaching %s: %w", d.address, err)
		}
		d.conn = conn
	}
	failed := sdk.Failed{}
	for i, a := range alerts {
		text, cut := d.format.message(a)
		if cut {
			slog.Warn("an alert was cut to fit into a datagram", "alert", a.ID, "rule", a.RuleID, "bytes", len(text))
		}
		if _, err := d.conn.Write(text); err != nil {
			d.Close() // another one resolves the name again
			for _, rest := range alerts[i:] {
				failed[rest.ID] = fmt.Errorf("sending to %s: %w", d.address, err)
			}
			return failed
		}
	}
	return nil
}

// Close closes the socket.
func (d *datagrams) Close() error {
	if d.conn == nil {
		return nil
	}
	err := d.conn.Close()
	d.conn = nil
	return err
}

// or returns v, or fallback when v is zero.
func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
