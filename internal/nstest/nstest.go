//go:build linux

// Package nstest makes network namespaces for tests of links on real sockets.
// They end with the test.
package nstest

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"testing"

	"github.com/gosctp/gosctp/internal/hostnet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A Host is a network namespace with a loopback interface that is up.
type Host struct {
	t  testing.TB
	ns *hostnet.Namespace
}

// New makes a namespace. It skips the test if the process may not.
func New(t testing.TB) *Host {
	t.Helper()
	h := &Host{t: t}
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			h.ns = hostnet.OpenNamespace()
		}
	}()
	<-done
	if err != nil {
		t.Skipf("needs a network namespace, which takes root: unshare: %v", err)
	}
	t.Cleanup(h.ns.Close)
	// IPv6 addresses are usable at once.
	for _, f := range []string{"all", "default"} {
		h.Sysctl("ipv6/conf/"+f+"/accept_dad", "0")
		h.Sysctl("ipv6/conf/"+f+"/dad_transmits", "0")
	}
	h.Up("lo", 0)
	return h
}

// Do runs f in the namespace.
func (h *Host) Do(f func()) {
	h.t.Helper()
	ran := false
	h.ns.Do(func() { ran = true; f() })
	if !ran {
		h.t.Fatal("cannot enter the network namespace")
	}
}

// try is Do for what must not fail. Fatal may only be called on the test's
// own goroutine.
func (h *Host) try(what string, f func() error) {
	h.t.Helper()
	var err error
	h.Do(func() { err = f() })
	if err != nil {
		h.t.Fatalf("%s: %v", what, err)
	}
}

// Up sets an interface up, with an MTU unless that is 0, and addresses, which
// are prefixes such as 10.0.0.1/24.
func (h *Host) Up(name string, mtu int, addrs ...string) {
	h.t.Helper()
	h.try("set up "+name, func() error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		if mtu != 0 {
			if err := netlink.LinkSetMTU(l, mtu); err != nil {
				return err
			}
		}
		if err := netlink.LinkSetUp(l); err != nil {
			return err
		}
		for _, s := range addrs {
			a, err := netlink.ParseAddr(s)
			if err != nil {
				return err
			}
			if a.IP.To4() == nil {
				a.Flags = unix.IFA_F_NODAD // usable at once
			}
			if err := netlink.AddrAdd(l, a); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		return nil
	})
}

// Wire joins two hosts by a veth pair with the given interface names. It is
// to be set Up on both.
func Wire(a, b *Host, aName, bName string) {
	a.t.Helper()
	var target *os.File
	b.try("open namespace", func() (err error) {
		target, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	defer target.Close()
	a.try("make a veth pair", func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = aName
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: attrs, PeerName: bName, PeerNamespace: netlink.NsFd(int(target.Fd())),
		})
	})
}

// Route adds a route to a prefix through a gateway.
func (h *Host) Route(prefix, via string) {
	h.t.Helper()
	h.try("add a route", func() error {
		dst, err := netlink.ParseIPNet(prefix)
		if err != nil {
			return err
		}
		return netlink.RouteAdd(&netlink.Route{Dst: dst, Gw: netip.MustParseAddr(via).AsSlice()})
	})
}

// Forward makes the host a router.
func (h *Host) Forward() {
	h.t.Helper()
	for _, f := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
		h.Sysctl(f, "1")
	}
}

// Sysctl sets a value below /proc/sys/net.
func (h *Host) Sysctl(name, value string) {
	h.t.Helper()
	h.try("sysctl "+name, func() error { return os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644) })
}

// Down sets an interface down. Up brings it back.
func (h *Host) Down(name string) {
	h.t.Helper()
	h.try("set down "+name, func() error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return netlink.LinkSetDown(l)
	})
}

// RemoveAddr takes an address, given as a prefix, from an interface. Up gives
// it back.
func (h *Host) RemoveAddr(name, prefix string) {
	h.t.Helper()
	h.try("remove "+prefix, func() error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		a, err := netlink.ParseAddr(prefix)
		if err != nil {
			return err
		}
		return netlink.AddrDel(l, a)
	})
}

// Swallow has packets that leave by an interface to a neighbour go to a link
// address that nobody has: they are lost, and nothing tells. Off undoes it.
func (h *Host) Swallow(name string, to netip.Addr, off bool) {
	h.t.Helper()
	h.try("swallow packets to "+to.String(), func() error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		n := &netlink.Neigh{
			LinkIndex: l.Attrs().Index, IP: to.AsSlice(), State: netlink.NUD_PERMANENT,
			HardwareAddr: []byte{2, 0, 0, 0, 0xde, 0xad},
		}
		if off {
			return netlink.NeighDel(n)
		}
		return netlink.NeighSet(n)
	})
}
