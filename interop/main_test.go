package interop

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gosctp/gosctp/interop/kernelvm"
	"github.com/gosctp/gosctp/interop/lab"
)

var (
	messages = flag.Int("messages", 250, "messages in each direction of a run")
	seed     = flag.Uint64("seed", 0, "what messages and impairment are made from; 0: another in each run")
	lanes    = flag.Int("lanes", 4, "runs against the Linux kernel at a time")
	full     = flag.Bool("full", false, "every way in which a path can die, with each stack in each role, instead of a choice")
	keep     = flag.String("keep", "", "folder in which to keep the capture and output of each run")
)

func TestMain(m *testing.M) {
	flag.Parse()
	lab.CleanupOnSignal()
	lab.RemoveStale()
	if *seed == 0 {
		*seed = uint64(os.Getpid())*1e9 + uint64(os.Getppid())
	}
	code := m.Run()
	lab.Cleanup()
	os.Exit(code)
}

// skip skips a test for what the host lacks, which under CI is a failure.
func skip(t *testing.T, err error) {
	t.Helper()
	if missing := (*lab.Missing)(nil); errors.As(err, &missing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	t.Fatal(err)
}

func needLab(t *testing.T) {
	t.Helper()
	if err := host(); err != nil {
		skip(t, err)
	}
}

var host = sync.OnceValue(func() error {
	if err := lab.Host(); err != nil {
		return err
	}
	return lab.Need("tcpdump", "tshark", "ethtool")
})

var programs = sync.OnceValues(lab.NewPrograms)

// A stack is one that takes part in a run.
type stack struct {
	name   string
	raw    bool // it has raw IP
	anyUDP bool // as a client it can take any free UDP port
	inVM   bool
	build  func() (string, error) // returns the program
}

// once builds a peer at most once.
func once(name string, f func(p *lab.Programs) error) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		p, err := programs()
		if err != nil {
			return "", err
		}
		return p.Path(name), f(p)
	})
}

var (
	ours = &stack{name: "ours", raw: true, anyUDP: true, build: once("ours-peer", func(p *lab.Programs) error {
		return p.Go("ours-peer", ".", "./peers/ours")
	})}
	usrsctp = &stack{name: "usrsctp", raw: true, build: once("usrsctp-peer", func(p *lab.Programs) error {
		if err := lab.Need("cc"); err != nil {
			return err
		}
		if _, err := os.Stat("/usr/include/usrsctp.h"); err != nil {
			return &lab.Missing{What: "missing: libusrsctp-dev"}
		}
		return p.C("usrsctp-peer", "peers/usrsctp/stack.c", "-lusrsctp")
	})}
	pion = &stack{name: "pion", anyUDP: true, build: once("pion-peer", func(p *lab.Programs) error {
		return p.Go("pion-peer", ".", "./peers/pion")
	})}
	linux = &stack{name: "linux", raw: true, inVM: true, build: once("linux-peer", func(p *lab.Programs) error {
		if err := lab.Need("cc"); err != nil {
			return err
		}
		return p.C("linux-peer", "peers/linux/stack.c")
	})}
)

// vm boots the kernel peer, once for all tests.
var vm = sync.OnceValues(func() (*kernelvm.VM, error) { return boot(*lanes) })

// boot boots a VM with so many lanes.
func boot(lanes int) (*kernelvm.VM, error) {
	if err := kernelvm.Available(); err != nil {
		return nil, err
	}
	guest, err := guest()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(filepath.Dir(guest), "vm")
	if err != nil {
		return nil, err
	}
	v, err := kernelvm.Start(guest, dir, lanes)
	if err != nil {
		return nil, fmt.Errorf("kernel VM: %w", err)
	}
	return v, nil
}

var guest = once("guest", func(p *lab.Programs) error { return p.Go("guest", ".", "./kernelvm/guest") })
