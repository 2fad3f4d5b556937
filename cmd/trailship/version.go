package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker; a program built by `go install` has its
// module's version instead.
var version string

type versionInfo struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
}

func buildVersion() versionInfo {
	v := versionInfo{Version: version, Commit: "unknown", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if v.Version == "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Commit = s.Value
		}
	}
	return v
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			format, err := p.format("text", "json")
			if err != nil {
				return err
			}
			v := buildVersion()
			if format == "json" {
				return json.NewEncoder(p.stdout).Encode(v)
			}
			_, err = fmt.Fprintf(p.stdout, "trailship %s (commit %s, %s)\n", v.Version, v.Commit, v.Go)
			return err
		},
	}
}
