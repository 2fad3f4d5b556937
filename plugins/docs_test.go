package plugins_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/trailship/trailship/core/config"
	"github.com/trailship/trailship/plugins"
	pb "github.com/trailship/trailship/plugins/sdk/outputpb"
)

// What the documentation shows of a shipped output is what the output accepts,
// but for files that are not on this machine.
func TestShippedOutputsAcceptTheExamplesOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../docs/plugins.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?ms)^```yaml\n(# config\\b.*?)^```$").FindAllStringSubmatch(string(page), -1) {
		c, list := config.Load("trailship.yaml", nil, config.Env{
			Lookup:   func(string) (string, bool) { return "a secret", true },
			ReadFile: exampleFiles(m[1]),
		})
		if list.HasErrors() {
			t.Fatalf("%s\n%s", list, m[1])
		}
		for _, o := range c.Outputs {
			if plugins.Shipped[o.Plugin] == nil {
				continue
			}
			resp, err := startOutput(t, o.Plugin, os.Stdout).Configure(t.Context(), &pb.ConfigureRequest{Config: asJSON(t, o.Config), Instance: o.Name})
			if err != nil {
				t.Error(err)
			}
			for _, e := range resp.GetErrors() {
				if !strings.HasSuffix(e.Message, "no such file or directory") {
					t.Errorf("%s: %s: %s\n%s", o.Name, e.Pointer, e.Message, m[1])
				}
			}
		}
	}
}

// exampleFiles has the configuration and the files of secrets.
func exampleFiles(text string) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		switch {
		case filepath.Base(path) == "trailship.yaml":
			return []byte(text), nil
		case strings.HasPrefix(path, "/run/secrets/"):
			return []byte("a secret"), nil
		}
		return nil, errors.New("no such file")
	}
}
