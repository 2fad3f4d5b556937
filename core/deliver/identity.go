package deliver

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// identity is the user a plugin runs as. A nil one is the daemon's.
type identity struct {
	name     string
	uid, gid uint32
}

// identity looks the output's user up; nil means that nothing is to change.
func (o Output) identity() (*identity, error) {
	if o.User == "" {
		return nil, nil
	}
	u, err := user.Lookup(o.User)
	if _, isNumber := strconv.ParseUint(o.User, 10, 32); err != nil && isNumber == nil {
		u, err = user.LookupId(o.User)
	}
	if err != nil {
		return nil, fmt.Errorf("there is no user %q on this machine", o.User)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", o.User, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", o.User, err)
	}
	switch os.Geteuid() {
	case int(uid):
		return nil, nil
	case 0:
		return &identity{o.User, uint32(uid), uint32(gid)}, nil
	}
	return nil, fmt.Errorf("only root can run a plugin as %q: leave user out, or start the daemon as root", o.User)
}

// takeOver gives a folder to the user, who must be able to get there. What is
// in the folder stays as it is: the user may have put others' files there.
func (who *identity) takeOver(dir string) error {
	if who == nil {
		return nil
	}
	if err := os.Lchown(dir, int(who.uid), int(who.gid)); err != nil {
		return err
	}
	for above := filepath.Dir(dir); ; above = filepath.Dir(above) {
		if !who.mayEnter(above) {
			return fmt.Errorf("user %q cannot enter %s: chmod o+x it", who.name, above)
		}
		if above == filepath.Dir(above) {
			return nil
		}
	}
}

// mayEnter says whether the permissions of a folder let the user through. One
// that cannot be looked at is left to the kernel.
func (who *identity) mayEnter(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil {
		return true
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return true
	case owner.Uid == who.uid:
		return info.Mode()&0o100 != 0
	case owner.Gid == who.gid:
		return info.Mode()&0o010 != 0
	}
	return info.Mode()&0o001 != 0
}
