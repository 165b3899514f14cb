package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Programs are the test peers, as built for this run.
type Programs struct{ Dir string }

// NewPrograms makes the folder to build in.
func NewPrograms() (*Programs, error) {
	dir, err := os.MkdirTemp("", "gosctp-interop-")
	if err != nil {
		return nil, err
	}
	OnExit(func() { os.RemoveAll(dir) })
	return &Programs{dir}, os.Chmod(dir, 0o755)
}

// Path returns where a program is.
func (p *Programs) Path(name string) string { return filepath.Join(p.Dir, name) }

// C builds a peer from peers/common and the sources given.
func (p *Programs) C(name, source string, libs ...string) error {
	args := append([]string{"-O2", "-Wall", "-Wextra", "-Werror", "-o", p.Path(name),
		"peers/common/peer.c", "peers/common/workload.c", source}, libs...)
	return run("cc", append(args, "-lpthread")...)
}

// Go builds a package, without cgo, so that it needs nothing where it runs.
func (p *Programs) Go(name, dir, pkg string) error {
	c := exec.Command("go", "build", "-o", p.Path(name), pkg)
	c.Dir = dir
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w: %s", pkg, err, out)
	}
	return nil
}
