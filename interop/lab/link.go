package lab

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A Link joins two namespaces by a device called Device in each.
type Link struct{ close func() }

// Close takes the link down.
func (l *Link) Close() { l.close() }

// Veth joins a and b by a pair of Ethernet devices. Offloads are off: a capture
// has to show the packets, and their checksums, that a wire would carry.
func Veth(a, b *Namespace, addrA, addrB string) (*Link, error) {
	err := each(
		fmt.Sprintf("ip link add %s netns %s type veth peer name %s netns %s", Device, a.Name, Device, b.Name))
	if err != nil {
		return nil, err
	}
	l := &Link{close: func() { run("ip", "-n", a.Name, "link", "del", Device) }}
	for _, e := range []struct {
		ns   *Namespace
		addr string
	}{{a, addrA}, {b, addrB}} {
		if err := errorOf(offloadsOff(e.ns, Device), up(e.ns, Device, e.addr)); err != nil {
			l.Close()
			return nil, err
		}
	}
	return l, nil
}

func errorOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func offloadsOff(n *Namespace, dev string) error {
	args := n.Command("ethtool", "-K", dev, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off",
		"tx-sctp-segmentation", "off", "tx-udp-segmentation", "off", "tx-checksum-sctp", "off")
	return run(args[0], args[1:]...)
}

func up(n *Namespace, dev, addr string) error {
	return each(
		fmt.Sprintf("ip -n %s addr add %s dev %s", n.Name, addr, dev),
		fmt.Sprintf("ip -n %s link set %s mtu 1500 txqueuelen 10000 up", n.Name, dev))
}

// An Impairment is what a bad link does to packets, in each direction.
type Impairment struct {
	Seed     uint64
	Loss     float64 // probability
	DelayMS  int
	JitterMS int // added to the delay of each packet by chance, so that packets overtake each other
}

// Relayed joins a and b by a TUN device in each and a relay between them that
// impairs what it carries.
func Relayed(a, b *Namespace, addrA, addrB string, imp Impairment) (*Link, error) {
	ta, err := tun(a, addrA)
	if err != nil {
		return nil, err
	}
	tb, err := tun(b, addrB)
	if err != nil {
		ta.Close()
		return nil, err
	}
	stop := startRelay(ta, tb, imp)
	return &Link{close: OnExit(stop)}, nil
}

// tun makes Device a TUN device in a namespace; it vanishes when the file is closed.
func tun(n *Namespace, addr string) (*os.File, error) {
	var f *os.File
	err := n.Do(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		req, err := unix.NewIfreq(TunDevice)
		if err != nil {
			return err
		}
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
			unix.Close(fd)
			return err
		}
		f = os.NewFile(uintptr(fd), "tun")
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("TUN device in %s: %w", n.Name, err)
	}
	if err := up(n, TunDevice, addr); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// TunDevice is what an impaired link is called in each namespace.
const TunDevice = "sctptun"

// Route sends packets for a subnet to a gateway.
func (n *Namespace) Route(subnet, via string) error {
	return run("ip", "-n", n.Name, "route", "add", subnet, "via", via)
}

// Forward makes the namespace a router.
func (n *Namespace) Forward() error {
	return n.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0) })
}
