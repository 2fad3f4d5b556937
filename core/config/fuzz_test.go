package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever the file and the flags say: nothing panics, and a secret is shown
// nowhere.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text), "sources[0].path=x")
	}
	const secret = "S3CR3T-VALUE"
	f.Fuzz(func(t *testing.T, text, set string) {
		if len(text) > 8192 || strings.Contains(strings.ToUpper(text+set), "S3CR3T") {
			t.Skip()
		}
		env := Env{
			Lookup: func(string) (string, bool) { return secret, true },
			ReadFile: func(path string) ([]byte, error) {
				if path == "c.yaml" {
					return []byte(text), nil
				}
				return []byte(secret + "\n"), nil
			},
		}
		c, list := Load("c.yaml", []string{set}, env)
		if (c == nil) != list.HasErrors() {
			t.Errorf("a configuration and errors: %v", list)
		}
		shown := list.String()
		if c != nil {
			out, err := json.Marshal(c)
			if err != nil {
				t.Error(err)
			}
			shown += string(out) + fmt.Sprintf("%+v %v", c, c.ForDaemon())
		}
		if strings.Contains(shown, secret) {
			t.Errorf("a secret is shown:\n%s", shown)
		}
	})
}
