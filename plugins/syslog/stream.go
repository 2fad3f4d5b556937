package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/trailship/trailship/plugins/sdk"
)

// stream is the Output over TCP and TLS. Syslog has no acknowledgement: a
// batch counts as delivered when the receiving machine has confirmed every
// byte and the connection still stands.
type stream struct {
	address string
	timeout time.Duration
	tls     *sdk.TLS // nil is plain TCP
	format  format
	conn    net.Conn
}

// Deliver sends the alerts with one write. Of a connection that breaks nobody
// knows what arrived: all of them come again.
func (s *stream) Deliver(ctx context.Context, alerts []sdk.Alert) error {
	var text []byte
	for _, a := range alerts {
		message, _ := s.format.message(a)
		text = strconv.AppendInt(text, int64(len(message)), 10)
		text = append(append(text, ' '), message...)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if s.conn != nil && !s.stands() {
		s.Close()
	}
	if err := s.send(ctx, text); err != nil {
		s.Close()
		return fmt.Errorf("sending to %s: %w", s.address, err)
	}
	return nil
}

func (s *stream) send(ctx context.Context, text []byte) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	end, _ := ctx.Deadline()
	s.conn.SetWriteDeadline(end)
	// A call that is given up ends the write.
	stop := context.AfterFunc(ctx, func() { s.conn.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := s.conn.Write(text); err != nil {
		return err
	}
	if err := confirmed(ctx, s.conn); err != nil {
		return fmt.Errorf("waiting until the other side has everything: %w", err)
	}
	if !s.stands() {
		return errors.New("the server closed the connection")
	}
	return nil
}

// connect makes a connection when there is none. Certificates are read anew:
// they get renewed.
func (s *stream) connect(ctx context.Context) error {
	if s.conn != nil {
		return nil
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return err
	}
	if s.tls != nil {
		if conn, err = s.handshake(ctx, conn); err != nil {
			return err
		}
	}
	s.conn = conn
	return nil
}

func (s *stream) handshake(ctx context.Context, plain net.Conn) (net.Conn, error) {
	config, err := s.tls.Config("/tls")
	if err == nil && config.ServerName == "" {
		config.ServerName, _, err = net.SplitHostPort(s.address)
	}
	if err == nil {
		conn := tls.Client(plain, config)
		if err = conn.HandshakeContext(ctx); err == nil {
			return conn, nil
		}
	}
	plain.Close()
	return nil, fmt.Errorf("TLS: %w", err)
}

// glance is how long a read waits for the word that the connection is closed.
const glance = time.Millisecond

// stands says whether the server has not closed the connection, as far as is
// known here. Servers send nothing but that.
func (s *stream) stands() bool {
	s.conn.SetReadDeadline(time.Now().Add(glance))
	_, err := io.CopyN(io.Discard, s.conn, 4<<10)
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// Close ends the connection, after everything that was written.
func (s *stream) Close() error {
	if s.conn == nil {
		return nil
	}
	err := s.conn.Close()
	s.conn = nil
	return err
}
