package sdk

import (
	"os"
	"path/filepath"
)

// DirEnv is the environment variable that holds the folder of the daemon's
// configuration.
const DirEnv = "TRAILSHIP_DIR"

// Abs makes a path of the user's configuration absolute: a relative one is
// meant from the folder of the daemon's configuration, not from the plugin's.
func Abs(path string) string {
	if dir := os.Getenv(DirEnv); dir != "" && !filepath.IsAbs(path) {
		return filepath.Join(dir, path)
	}
	return filepath.Clean(path)
}
