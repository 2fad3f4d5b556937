package sdk

import (
	"strings"
	"testing"

	"github.com/trailship/trailship/plugins/sdk/selfsigned"
)

func TestTheHandshakeLineGetsTheCertificate(t *testing.T) {
	var got strings.Builder
	announce(&got, strings.NewReader("printed|before\n1|1|unix|/run/plugin1|grpc|\n\nand|after"), []byte{1, 2, 3, 4})
	if want := "printed|before\n1|1|unix|/run/plugin1|grpc|AQIDBA\n\nand|after"; got.String() != want {
		t.Errorf("got %q, want %q", got.String(), want)
	}
}

func TestEncryptionIsTheDaemonsWish(t *testing.T) {
	if config, err := encrypt(); config != nil || err != nil {
		t.Errorf("without a certificate of the daemon: %v, %v", config, err)
	}
	t.Setenv(selfsigned.ClientCertEnv, "junk")
	if _, err := encrypt(); err == nil || err.Error() != "PLUGIN_CLIENT_CERT holds no certificate in PEM" {
		t.Error(err)
	}
}
