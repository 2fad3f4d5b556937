package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// scaffolds hold the files of a new plugin, a folder for each language.
// {{.Name}} in a text or a name is the plugin's; the end .tmpl, without which
// some would be files of this program, is left out.
//
//go:embed all:scaffold
var scaffolds embed.FS

// pluginName is what a new plugin may be called: it is part of file names and
// of a module's path.
var pluginName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

func (p *program) pluginsNewCommand() *cobra.Command {
	var lang string
	c := &cobra.Command{
		Use:   "new NAME",
		Short: "Begin an output of your own",
		Long: `Makes the folder trailship-output-NAME with an output that compiles, its test,
which holds it against the protocol, and a README that says how to run them.
Nothing that is there already is changed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return p.newPlugin(args[0], lang) },
	}
	c.Flags().StringVar(&lang, "lang", "go", "`LANGUAGE` of the output: go or python")
	return c
}

func (p *program) newPlugin(name, lang string) error {
	if !pluginName.MatchString(name) {
		return usage("%q is not a name for a plugin: use small letters, digits and single dashes, such as my-hook", name)
	}
	files, err := fs.Sub(scaffolds, "scaffold/"+lang)
	if err != nil || lang != "go" && lang != "python" {
		return usage("--lang must be go or python, not %q", lang)
	}
	dir := "trailship-output-" + name
	if err := os.Mkdir(dir, 0o755); errors.Is(err, fs.ErrExist) {
		return usage("%s is there already: remove it, or choose another name", dir)
	} else if err != nil {
		return fmt.Errorf("making the folder: %w", err)
	}
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		text, err := fs.ReadFile(files, e.Name())
		if err != nil {
			return err
		}
		if err := writeScaffold(dir, e.Name(), name, text); err != nil {
			return err
		}
	}
	p.say("%s is made; its README.md says what to run next", dir)
	return nil
}

// writeScaffold writes one file of a new plugin. One that begins with #! is a
// program.
func writeScaffold(dir, file, name string, text []byte) error {
	text = bytes.ReplaceAll(text, []byte("{{.Name}}"), []byte(name))
	file = strings.ReplaceAll(strings.TrimSuffix(file, ".tmpl"), "{{.Name}}", name)
	mode := os.FileMode(0o644)
	if bytes.HasPrefix(text, []byte("#!")) {
		mode = 0o755
	}
	return os.WriteFile(filepath.Join(dir, file), text, mode)
}
