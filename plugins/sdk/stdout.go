package sdk

import (
	"errors"
	"os"
	"strconv"
)

// StdoutEnv is the environment variable that holds the number of the file
// descriptor on which a plugin finds the daemon's standard output.
const StdoutEnv = "TRAILSHIP_STDOUT_FD"

// Stdout returns the daemon's standard output, for a plugin that prints. What
// Write returned for has reached it. (A plugin's own os.Stdout belongs to the
// protocol: what is printed there goes to the daemon's log.) The daemon passes
// it to outputs that ask for it only.
func Stdout() (*os.File, error) {
	fd, err := strconv.ParseUint(os.Getenv(StdoutEnv), 10, 31)
	if err != nil {
		return nil, errors.New("the daemon did not pass on its standard output")
	}
	return os.NewFile(uintptr(fd), "stdout"), nil
}
