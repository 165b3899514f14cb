package relay

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Namespace is a network namespace. One that NewNamespace made lives until it
// is closed and no process or socket is in it any more.
type Namespace struct {
	f *os.File
}

// NewNamespace makes a nameless network namespace, its loopback device up.
func NewNamespace() (*Namespace, error) {
	var n *Namespace
	err := onThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("sctp: a network namespace takes root (CAP_SYS_ADMIN): unshare: %w", err)
		}
		n, err = OpenNamespace("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		return nil, err
	}
	err = n.Do(func() error {
		// IPv6 addresses are to be usable at once.
		for _, f := range []string{"all", "default"} {
			_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+f+"/accept_dad", []byte("0"), 0)
		}
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	})
	if err != nil {
		n.Close()
		return nil, fmt.Errorf("sctp: set up a network namespace: %w", err)
	}
	return n, nil
}

// OpenNamespace opens one that has a path, as in /run/netns.
func OpenNamespace(path string) (*Namespace, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("sctp: open a network namespace: %w", err)
	}
	return &Namespace{f: f}, nil
}

// Path names the namespace for other processes, while this process lives.
func (n *Namespace) Path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.f.Fd()) }

// Close lets go of the namespace.
func (n *Namespace) Close() error { return n.f.Close() }

// Do runs f on a thread that is in the namespace: sockets and devices that f
// opens itself, and processes that it starts, are in it for life. f must not
// leave this to other goroutines, and the thread ends with f: a process with
// SysProcAttr.Pdeathsig would end too, and is better run by Command.
func (n *Namespace) Do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(n.f.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("sctp: enter a network namespace: %w", err)
		}
		return f()
	})
}

// onThread runs f on a thread of its own, which ends with it.
func onThread(f func() error) (err error) {
	var wg sync.WaitGroup
	wg.Go(func() {
		runtime.LockOSThread() // never unlocked: the thread is not to be used again
		err = f()
	})
	wg.Wait()
	return err
}

// Device describes a TUN device.
type Device struct {
	Name  string         // "" means sctptun
	Addrs []netip.Prefix // given to it
	MTU   int            // 0 means 1500
}

// OpenTUN makes a TUN device in the namespace, up and with its addresses, and
// opens its far end. It vanishes when that is closed.
func (n *Namespace) OpenTUN(d Device) (*os.File, error) {
	if d.Name == "" {
		d.Name = "sctptun"
	}
	if d.MTU == 0 {
		d.MTU = 1500
	}
	var f *os.File
	err := n.Do(func() (err error) {
		if f, err = openTUN(d.Name); err != nil {
			return err
		}
		if err = configure(d); err != nil {
			f.Close()
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sctp: TUN device %s: %w", d.Name, err)
	}
	return f, nil
}

// OpenTUNAt is OpenTUN in the namespace that has a path.
func OpenTUNAt(path string, d Device) (*os.File, error) {
	n, err := OpenNamespace(path)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	return n.OpenTUN(d)
}

func openTUN(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	req, err := unix.NewIfreq(name)
	if err == nil {
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "tun "+name), nil
}

func configure(d Device) error {
	l, err := netlink.LinkByName(d.Name)
	if err != nil {
		return err
	}
	// No router or listener discovery: only the test's own packets travel.
	for file, v := range map[string]string{"accept_ra": "0", "router_solicitations": "0", "addr_gen_mode": "1"} {
		_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+d.Name+"/"+file, []byte(v), 0)
	}
	if err := netlink.LinkSetMTU(l, d.MTU); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(l); err != nil {
		return err
	}
	for _, p := range d.Addrs {
		a, err := netlink.ParseAddr(p.String())
		if err != nil {
			return err
		}
		if p.Addr().Is6() {
			a.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrAdd(l, a); err != nil {
			return fmt.Errorf("address %v: %w", p, err)
		}
	}
	return nil
}

// Command returns argv such that it runs inside the namespace, by nsenter.
func (n *Namespace) Command(argv ...string) []string {
	return append([]string{"nsenter", "--net=" + n.Path(), "--"}, argv...)
}
