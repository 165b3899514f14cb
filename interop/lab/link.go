package lab

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/gosctp/gosctp/sim/impair"
	"github.com/gosctp/gosctp/sim/relay"
)

// A Link joins two namespaces by a device called Device in each.
type Link struct{ close func() }

// Close takes the link down.
func (l *Link) Close() { l.close() }

// An End is one end of a link.
type End struct {
	NS     *Namespace
	Device string
	Addr   string // as 10.0.0.1/24
}

// Veth joins a and b by a pair of Ethernet devices. Offloads are off: a capture
// has to show the packets, and their checksums, that a wire would carry.
func Veth(a, b End) (*Link, error) {
	err := each(
		fmt.Sprintf("ip link add %s netns %s type veth peer name %s netns %s", a.Device, a.NS.Name, b.Device, b.NS.Name))
	if err != nil {
		return nil, err
	}
	l := &Link{close: func() { run("ip", "-n", a.NS.Name, "link", "del", a.Device) }}
	for _, e := range []End{a, b} {
		if err := errorOf(OffloadsOff(e.NS, e.Device), up(e.NS, e.Device, e.Addr)); err != nil {
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

// OffloadsOff has the kernel do all checksums and segmentation before a packet
// reaches the device.
func OffloadsOff(n *Namespace, dev string) error {
	args := n.Command("ethtool", "-K", dev, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off",
		"tx-sctp-segmentation", "off", "tx-udp-segmentation", "off", "tx-checksum-sctp", "off")
	return run(args[0], args[1:]...)
}

func up(n *Namespace, dev, addr string) error {
	return each(
		fmt.Sprintf("ip -n %s addr add %s dev %s", n.Name, addr, dev),
		fmt.Sprintf("ip -n %s link set %s mtu 1500 up", n.Name, dev))
}

// TunDevice is what a relayed link is called in each namespace.
const TunDevice = "sctptun"

// Relayed joins a and b by a TUN device in each and a relay between them, which
// impairs what it carries from a there, and back. The same seed loses the same
// packets, if they come in the same order.
func Relayed(a, b End, there, back impair.Config, seed uint64) (*Link, error) {
	ta, err := tun(a)
	if err != nil {
		return nil, err
	}
	tb, err := tun(b)
	if err != nil {
		ta.Close()
		return nil, err
	}
	r, err := relay.New(relay.Config{A: ta, B: tb, AtoB: there, BtoA: back, Seed: seed})
	if err != nil {
		ta.Close()
		tb.Close()
		return nil, err
	}
	return &Link{close: OnExit(func() { r.Close() })}, nil
}

// tun opens a TUN device in a namespace; it vanishes when the file is closed. Its
// queue is long, so that the relay loses nothing but what it is told to.
func tun(e End) (*os.File, error) {
	prefix, err := netip.ParsePrefix(e.Addr)
	if err != nil {
		return nil, err
	}
	f, err := relay.OpenTUNAt(e.NS.path(), relay.Device{Name: e.Device, Addrs: []netip.Prefix{prefix}})
	if err != nil {
		return nil, err
	}
	if err := run("ip", "-n", e.NS.Name, "link", "set", e.Device, "txqueuelen", "10000"); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Route sends packets for a subnet to a gateway.
func (n *Namespace) Route(subnet, via string) error {
	return run("ip", "-n", n.Name, "route", "add", subnet, "via", via)
}

// Forward makes the namespace a router.
func (n *Namespace) Forward() error {
	return n.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0) })
}
