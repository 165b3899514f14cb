// Package rawip carries SCTP directly over IP, as protocol 132, through raw
// sockets. It needs the capability CAP_NET_RAW, and a host whose kernel does
// not speak SCTP itself. Several processes can use it on one host: each holds
// its ports by locks that end with it, sees only packets for them, and one
// elected process answers for ports that nobody holds.
//
// The locks are abstract Unix sockets, one set for each network namespace. Any
// local process, privileged or not, can take such a name, and with it a port.
package rawip

import (
	"sync/atomic"
	"time"
)

// Config says how to open a Link. The zero value means both address families
// as far as the host has them, and the defaults.
type Config struct {
	V4, V6 bool // the families to open; both false means what the host has
	// RcvBuf and SndBuf are the sizes of the sockets' buffers in bytes; 0
	// means 4 MiB and 1 MiB. With CAP_NET_ADMIN they may exceed the limits
	// of the host; Stats tells what was granted.
	RcvBuf, SndBuf int
	// Gather makes a reader that was busy wait this long (some 20 to 50
	// microseconds are sensible, and the kernel adds about as much) for more
	// packets to come: more throughput on busy hosts, for a little latency
	// under load. 0 means not to. Linux only.
	Gather time.Duration
	// AllowKernelSCTP opens the link although the kernel's SCTP is loaded.
	// Something must then keep the kernel's ABORTs from the peers.
	AllowKernelSCTP bool
	// Mark is the firewall mark (SO_MARK) of packets sent, 0 for none. With
	// it, rules can tell them from the kernel's. Needs CAP_NET_ADMIN.
	Mark int
	// NoResponder keeps this process from being elected to answer for ports
	// that no process holds.
	NoResponder bool
}

const (
	protocol      = 132
	defaultRcvBuf = 4 << 20
	defaultSndBuf = 1 << 20
)

// Stats counts what a link has done so far.
type Stats struct {
	PacketsIn, BytesIn   uint64
	PacketsOut, BytesOut uint64
	SendErrors           uint64 // packets that could not be sent
	Drops                uint64 // packets lost because a receive buffer was full
	Invalid              uint64 // packets ignored: malformed, broadcast, or larger than the slot
	ICMPErrors           uint64 // delivered
	SendCalls, RecvCalls uint64 // system calls
	RcvBuf               int    // size of the receive buffer, as granted
	Responder            bool   // elected to answer for ports that nobody holds
}

// counters are Stats while the link runs.
type counters struct {
	packetsIn, bytesIn, packetsOut, bytesOut     atomic.Uint64
	sendErrors, drops, invalid, icmp, send, recv atomic.Uint64
}

func (c *counters) stats() Stats {
	return Stats{
		PacketsIn: c.packetsIn.Load(), BytesIn: c.bytesIn.Load(),
		PacketsOut: c.packetsOut.Load(), BytesOut: c.bytesOut.Load(),
		SendErrors: c.sendErrors.Load(), Drops: c.drops.Load(), Invalid: c.invalid.Load(),
		ICMPErrors: c.icmp.Load(), SendCalls: c.send.Load(), RecvCalls: c.recv.Load(),
	}
}

// Report is what Check finds out about this host.
type Report struct {
	KernelSCTP bool  // the kernel's SCTP is loaded
	V4, V6     error // why no raw socket of this family can be had; nil if it can
	// Responder is true if some process answers for ports that nobody holds.
	Responder bool
	RcvBuf    int // largest receive buffer that the process would be granted
}

// OK reports whether Open would succeed with at least one family.
func (r Report) OK() bool { return !r.KernelSCTP && (r.V4 == nil || r.V6 == nil) }
