package deliver

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// programPrefix begins the name of every plugin's program.
const programPrefix = "trailship-output-"

// Find returns the program of the plugin called name as argv: the first
// executable trailship-output-NAME of dirs, then of $PATH. The error of a
// missing one says where it was looked for.
func Find(name string, dirs []string) ([]string, error) {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, `/\`+"\x00") {
		return nil, fmt.Errorf("%q is not a plugin's name: it must be a word without slashes", name)
	}
	file := programPrefix + name
	for _, dir := range dirs {
		path, err := filepath.Abs(filepath.Join(dir, file))
		if err != nil {
			return nil, err
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			if info.Mode()&0o111 == 0 {
				return nil, fmt.Errorf("plugin %s: %s is not executable: chmod +x it", name, path)
			}
			return []string{path}, nil
		}
	}
	path, err := exec.LookPath(file)
	if errors.Is(err, exec.ErrDot) {
		return nil, fmt.Errorf("plugin %s: %s was only found in the current folder: put that folder into plugin_dirs", name, file)
	}
	if err != nil {
		return nil, fmt.Errorf("plugin %s: there is no program %s in %s", name, file, places(dirs))
	}
	return []string{path}, nil
}

// Installed returns the programs Find would find, by the plugin's name: those
// of dirs, then of $PATH. A folder that cannot be read holds none.
func Installed(dirs []string) map[string]string {
	found := map[string]string{}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.IsAbs(dir) {
			dirs = append(dirs[:len(dirs):len(dirs)], dir)
		}
	}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			name, ok := strings.CutPrefix(e.Name(), programPrefix)
			if !ok || name == "" || found[name] != "" {
				continue
			}
			if program, err := Find(name, []string{dir}); err == nil {
				found[name] = program[0]
			}
		}
	}
	return found
}

// places says where Find looks.
func places(dirs []string) string {
	if len(dirs) == 0 {
		return "$PATH, and no plugin_dirs are configured"
	}
	return strings.Join(dirs, ", ") + " or $PATH"
}

// trust refuses a program others could have changed, or that is not the one
// the user pinned.
func (o Output) trust() error {
	if len(o.Program) == 0 || !filepath.IsAbs(o.Program[0]) {
		return fmt.Errorf("the plugin's program must be an absolute path, not %q", o.Program)
	}
	f, err := os.Open(o.Program[0])
	if errors.Is(err, fs.ErrPermission) && o.Sha256 == "" {
		return nil // it may still be executable; then the kernel has the word
	}
	if err != nil {
		return fmt.Errorf("the plugin's program: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("the plugin's program: %w", err)
	}
	if info.Mode()&0o022 != 0 && !isSelf(info) {
		return fmt.Errorf("the plugin's program %s can be changed by others (mode %04o): chmod go-w it", f.Name(), info.Mode().Perm())
	}
	if o.Sha256 == "" {
		return nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return fmt.Errorf("the plugin's program: %w", err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); !strings.EqualFold(got, o.Sha256) {
		return fmt.Errorf("the plugin's program %s is not the pinned one: its sha256 is %s, pinned is %s", f.Name(), got, o.Sha256)
	}
	return nil
}

// isSelf says whether a file is the running program: who can change that needs
// no plugin.
func isSelf(info os.FileInfo) bool {
	self, err := os.Executable()
	if err != nil {
		return false
	}
	mine, err := os.Stat(self)
	return err == nil && os.SameFile(info, mine)
}

// maxSocketPath is what the kernel takes of a socket's path, in bytes, and
// maxSocketDir what that leaves for RunDir, below which names are made.
const (
	maxSocketPath = 103 // 107 on Linux
	maxSocketDir  = 50
)

// RunDir returns an empty private folder for sockets that belongs to dataDir,
// of which only one daemon may use it at a time. What a killed daemon left in
// it is removed, and what its plugins had started is ended. It is below dataDir unless that path is too long for sockets;
// then it is in the temporary folder.
func RunDir(dataDir string) (string, error) {
	abs, err := filepath.Abs(dataDir)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(abs, "run")
	if len(dir) > maxSocketDir {
		sum := sha256.Sum256([]byte(abs))
		dir = filepath.Join(tempDir(), fmt.Sprintf("trailship-%d-%x", os.Getuid(), sum[:6]))
	}
	endRelatives(dir)
	if err := os.RemoveAll(dir); err != nil {
		return "", fmt.Errorf("clearing the socket folder: %w", err)
	}
	// Mkdir fails when somebody else was faster, so the folder is ours.
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", fmt.Errorf("making the socket folder: %w", err)
	}
	return dir, nil
}

// tempDir is the system's temporary folder, or /tmp when the path of that one
// is too long for sockets.
func tempDir() string {
	if dir := os.TempDir(); len(dir) <= maxSocketDir/2 {
		return dir
	}
	return "/tmp"
}
