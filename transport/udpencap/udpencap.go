// Package udpencap carries SCTP in UDP (RFC 6951), for hosts without the
// privilege for raw sockets, kernels that speak SCTP themselves, and paths
// through NATs. It needs no privilege, and works on all platforms; on Linux
// packets move in batches, and the kernel splits and merges them (UDP_SEGMENT,
// UDP_GRO), which makes it the faster of the links on sockets.
package udpencap

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/gosctp/gosctp/internal/hostnet"
	"github.com/gosctp/gosctp/transport"
)

// DefaultPort is the UDP port that servers are reached at (RFC 6951 section 8).
const DefaultPort = 9899

// Config says how to open a Link. The zero value is that of a client: both
// address families as far as the host has them, any free UDP port.
type Config struct {
	// Listen is the UDP address to receive at. Port 0 means any free one;
	// servers use DefaultPort. The zero Addr means both families, 0.0.0.0 and
	// :: one each.
	Listen netip.AddrPort
	// RemotePort is where packets go that name no UDP port; 0 means
	// DefaultPort.
	RemotePort uint16
	// RcvBuf and SndBuf are the sizes of the sockets' buffers in bytes; 0
	// means 4 MiB and 1 MiB. Stats tells what was granted.
	RcvBuf, SndBuf int
	// Gather makes a reader that was busy wait this long (some 20 to 50
	// microseconds are sensible, and the kernel adds about as much) for more
	// packets to come: more throughput on busy hosts, for a little latency
	// under load. 0 means not to. Linux only.
	Gather time.Duration
	// NoOffload keeps the kernel from splitting and merging packets.
	NoOffload bool
	// Portable uses nothing that is peculiar to Linux.
	Portable bool
}

const (
	defaultRcvBuf = 4 << 20
	defaultSndBuf = 1 << 20
	udpHeader     = 8
	commonHeader  = 12 // of SCTP, the least that can be called a packet
)

func (c Config) withDefaults() Config {
	if c.RemotePort == 0 {
		c.RemotePort = DefaultPort
	}
	if c.RcvBuf == 0 {
		c.RcvBuf = defaultRcvBuf
	}
	if c.SndBuf == 0 {
		c.SndBuf = defaultSndBuf
	}
	return c
}

// Stats counts what a link has done so far.
type Stats struct {
	PacketsIn, BytesIn   uint64
	PacketsOut, BytesOut uint64
	MergedIn, MergedOut  uint64 // of these, packets that passed the kernel merged with others
	SendErrors           uint64 // packets that could not be sent
	Drops                uint64 // packets lost because a receive buffer was full
	Invalid              uint64 // packets ignored: malformed, multicast, or larger than the slot
	ICMPErrors           uint64 // delivered
	SendCalls, RecvCalls uint64 // system calls
	RcvBuf               int    // size of the receive buffer, as granted; 0 if unknown
}

// counters are Stats while the link runs.
type counters struct {
	packetsIn, bytesIn, packetsOut, bytesOut, mergedIn, mergedOut atomic.Uint64
	sendErrors, drops, invalid, icmp, send, recv                  atomic.Uint64
}

// An engine moves the packets of a Link.
type engine interface {
	read(slots []transport.RxSlot) (int, error)
	write(slots []transport.TxSlot) error
	close() error
	rcvBuf() int
}

// Link is the UDP link. It implements transport.Link. It has all SCTP ports
// for itself: peers tell links on one host apart by their UDP ports.
type Link struct {
	engine
	local    [2]netip.AddrPort // for IPv4 and IPv6: what the socket is bound to, if there is one
	host     hostnet.Host
	counters counters
}

var (
	_ transport.Link    = (*Link)(nil)
	_ transport.Watcher = (*Link)(nil)
)

var errNoFamily = fmt.Errorf("%w: the link has no socket for this address", transport.ErrUnreachable)

// Open opens the link. If the wanted UDP port is taken the error answers
// transport.ErrPortInUse and EADDRINUSE.
func Open(cfg Config) (*Link, error) {
	cfg = cfg.withDefaults()
	l := new(Link)
	l.host.NS = hostnet.OpenNamespace()
	open := openFast
	if cfg.Portable {
		open = openPortable
	}
	if err := open(l, cfg); err != nil {
		l.host.NS.Close()
		return nil, err
	}
	return l, nil
}

// bindAll binds a socket for each family that listen asks for, to the same
// port, by calling bind. On error it has bound none.
func bindAll(listen netip.AddrPort, bind func(netip.AddrPort) (port uint16, err error), undo func()) error {
	a := listen.Addr().Unmap()
	if a.IsValid() {
		_, err := bind(netip.AddrPortFrom(a, listen.Port()))
		return bindError(err, listen)
	}
	const attempts = 32
	for i := 1; ; i++ {
		port, err := bind(netip.AddrPortFrom(netip.IPv4Unspecified(), listen.Port()))
		without4 := noFamily(err)
		if err != nil && !without4 {
			return bindError(err, listen)
		}
		if without4 {
			port = listen.Port()
		}
		_, err = bind(netip.AddrPortFrom(netip.IPv6Unspecified(), port))
		if err == nil || noFamily(err) && !without4 {
			return nil
		}
		undo()
		// A free port of one family may be taken in the other: try again.
		if listen.Port() != 0 || !addrInUse(err) || i == attempts {
			return bindError(err, listen)
		}
	}
}

// bindError explains the error of opening a socket; nil stays nil.
func bindError(err error, at netip.AddrPort) error {
	switch {
	case err == nil:
		return nil
	case addrInUse(err):
		return fmt.Errorf("%w: UDP port %d: %w", transport.ErrPortInUse, at.Port(), err)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w: UDP port %d: %w", transport.ErrPrivilege, at.Port(), err)
	}
	return fmt.Errorf("sctp: UDP encapsulation on port %d: %w", at.Port(), err)
}

func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// carries reports whether there is a socket for packets to dst.
func (l *Link) carries(dst netip.Addr) bool {
	return dst.IsValid() && !dst.Is4In6() && l.local[family(dst)].IsValid()
}

// ReadBatch implements transport.Link.
func (l *Link) ReadBatch(slots []transport.RxSlot) (int, error) { return l.read(slots) }

// WriteBatch implements transport.Link. Packets to different address families
// may overtake each other.
func (l *Link) WriteBatch(slots []transport.TxSlot) error {
	failed := l.counters.sendErrors.Load()
	if err := l.write(slots); err != nil {
		return err
	}
	if l.counters.sendErrors.Load() != failed {
		for i := range slots {
			if hostnet.Outdated(slots[i].Err) {
				l.host.Forget()
				break
			}
		}
	}
	return nil
}

// Close implements transport.Link.
func (l *Link) Close() error {
	if err := l.close(); err != nil {
		return err
	}
	l.host.Unwatch()
	l.host.NS.Close()
	return nil
}

// Port returns the UDP port that the link receives at.
func (l *Link) Port() uint16 {
	return max(l.local[0].Port(), l.local[1].Port())
}

// Route implements transport.Link.
func (l *Link) Route(dst netip.Addr) (transport.Route, error) {
	if !l.carries(dst) {
		return transport.Route{}, errNoFamily
	}
	way, err := l.host.Route(dst)
	if err != nil {
		return transport.Route{}, err
	}
	if bound := l.local[family(dst)].Addr(); !bound.IsUnspecified() {
		way.Src = bound
	}
	r := transport.Route{Src: way.Src, MTU: way.MTU, Overhead: 20 + udpHeader, NoCarrier: way.NoCarrier}
	if dst.Is6() {
		r.Overhead = 40 + udpHeader
	}
	return r, nil
}

// Addrs implements transport.Link.
func (l *Link) Addrs() ([]netip.Addr, error) {
	all, err := l.host.Addrs()
	if err != nil {
		return nil, err
	}
	mine := all[:0]
	for _, a := range all {
		if !l.carries(a) {
			continue
		}
		if bound := l.local[family(a)].Addr(); bound.IsUnspecified() || bound == a {
			mine = append(mine, a)
		}
	}
	return mine, nil
}

// Watch implements transport.Watcher.
func (l *Link) Watch(changed func()) { l.host.Watch(changed) }

// Forget implements transport.Watcher.
func (l *Link) Forget() { l.host.Forget() }

// Stats returns what the link has done so far.
func (l *Link) Stats() Stats {
	c := &l.counters
	return Stats{
		PacketsIn: c.packetsIn.Load(), BytesIn: c.bytesIn.Load(),
		PacketsOut: c.packetsOut.Load(), BytesOut: c.bytesOut.Load(),
		MergedIn: c.mergedIn.Load(), MergedOut: c.mergedOut.Load(),
		SendErrors: c.sendErrors.Load(), Drops: c.drops.Load(), Invalid: c.invalid.Load(),
		ICMPErrors: c.icmp.Load(), SendCalls: c.send.Load(), RecvCalls: c.recv.Load(),
		RcvBuf: l.rcvBuf(),
	}
}

// Report is what Check finds out about this host.
type Report struct {
	V4, V6   error // why no UDP socket of this family can be had; nil if it can
	GSO, GRO bool  // the kernel splits and merges packets
}

// OK reports whether Open would succeed with some free port.
func (r Report) OK() bool { return r.V4 == nil || r.V6 == nil }

// Check finds out what this process can use here. That it works does not mean
// that firewalls let UDP pass.
func Check() Report {
	var r Report
	r.GSO, r.GRO = offloads()
	for i, a := range []string{"0.0.0.0:0", "[::]:0"} {
		c, err := net.ListenUDP([]string{"udp4", "udp6"}[i], net.UDPAddrFromAddrPort(netip.MustParseAddrPort(a)))
		if err == nil {
			c.Close()
		} else if i == 0 {
			r.V4 = err
		} else {
			r.V6 = err
		}
	}
	return r
}

// unicast reports whether a packet may have this source or destination and be
// answered.
func unicast(a netip.Addr) bool {
	return a.IsValid() && !a.IsMulticast() && !a.IsUnspecified() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
