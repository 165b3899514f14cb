// Package transport moves SCTP packets between this host and others. A Link is
// one way to do it: raw IP (package rawip), UDP encapsulation (udpencap), in
// process (mem), or the simulator's network (sim). The stack knows no other.
package transport

import (
	"errors"
	"net/netip"
)

// Kind says what an RxSlot holds.
type Kind uint8

const (
	// Datagram is an SCTP packet, common header first.
	Datagram Kind = iota
	// ICMPError is an ICMP or ICMPv6 error about a packet that we sent. Data
	// holds as much of that SCTP packet as was quoted; Src is the address it
	// was sent from, Dst the address it was sent to.
	ICMPError
)

// ICMP is the part of an ICMP or ICMPv6 error that concerns SCTP (RFC 9260
// section 10), in terms common to both versions.
type ICMP uint8

// Kinds of ICMP error.
const (
	ICMPOther            ICMP = iota // nothing to act on
	ICMPUnreachable                  // network or host unreachable
	ICMPProtoUnreachable             // protocol unreachable, or an unknown next header
	ICMPPortUnreachable              // port unreachable: the peer's UDP port, when encapsulated
	ICMPPacketTooBig                 // MTU holds the next hop's MTU, 0 if it did not say
	ICMPTimeExceeded                 // hop limit or reassembly time exceeded
	ICMPParameterProblem             // a header field was not understood
)

// An RxSlot receives one packet. The reader's owner allocates Buf once; the
// link fills the rest. Data is valid until the slot is read into again.
type RxSlot struct {
	Buf  []byte // storage, owned by whoever made the slot; 65536 bytes hold any packet with its IP header
	Data []byte // the SCTP packet, a part of Buf

	Src, Dst  netip.Addr // never 4-in-6 mapped; with a zone if link-local
	EncapPort uint16     // source UDP port if UDP-encapsulated, else 0
	ECN       uint8      // the two ECN bits of the IP header, 0 if unknown
	Kind      Kind
	ICMP      ICMP
	MTU       uint32 // with ICMPPacketTooBig: IP packet size
}

// A TxSlot holds one packet to send.
type TxSlot struct {
	Buf  []byte // storage, owned by whoever made the slot
	Data []byte // the SCTP packet, a part of Buf, checksum filled in

	Src       netip.Addr // source address; the zero Addr lets the host choose
	Dst       netip.Addr
	EncapPort uint16 // destination UDP port on links that encapsulate; 0 for the link's default
	ECN       uint8  // ECN bits to send with
	Fragment  bool   // allow IP fragmentation (DF off) for this packet only
	Err       error  // set by WriteBatch if this packet could not be sent
}

// A Link sends and receives SCTP packets. ReadBatch is called by one goroutine
// at a time, and so is WriteBatch; both may run at once, and Close may be
// called at any time and makes them return net.ErrClosed.
type Link interface {
	// ReadBatch blocks until at least one packet is there, fills the leading
	// slots, and returns how many. It does not allocate in steady state.
	// Temporary errors are dealt with inside; an error is final.
	ReadBatch(slots []RxSlot) (int, error)
	// WriteBatch sends all slots in order. A packet that could not be sent
	// has Err set (ErrTooBig, ErrUnreachable, ErrNoBuffers, or another), and
	// does not keep the others from being sent. The error is final, as for
	// ReadBatch.
	WriteBatch(slots []TxSlot) error
	// Route says how packets to dst would leave; ErrUnreachable if this link
	// cannot carry them at all (no route, or the other address family).
	Route(dst netip.Addr) (Route, error)
	// Addrs lists the addresses a packet can be sent from, usable ones only.
	Addrs() ([]netip.Addr, error)
	// Close releases everything the link holds.
	Close() error
}

// Ports is implemented by links on which SCTP port numbers are shared with
// other processes (raw IP). The stack reserves a port before it uses it. Links
// without it have the whole port space to themselves.
type Ports interface {
	// Reserve takes a port for this process; port 0 means any ephemeral one.
	// A port that another process holds gives ErrPortInUse.
	Reserve(port uint16) (uint16, error)
	// Release gives a port back.
	Release(port uint16)
	// Answers reports whether this process should answer an out-of-the-blue
	// packet for a local port that it does not hold. Of all processes on a
	// host it is true in at most one: the elected one, or, for the unused
	// ports of a block of ephemeral ports, the block's holder.
	Answers(port uint16) bool
}

// Watcher is implemented by links that learn when the host's addresses,
// interfaces or routes change.
type Watcher interface {
	// Watch has changed called after each change, from a goroutine of the
	// link's; several changes may be told at once, and some of them may be
	// none. Close ends that and waits for a call that is running. Watch is
	// called once at most.
	Watch(changed func())
	// Forget drops what the link remembers of the host's addresses and
	// routes: whoever asks next is told how they are now.
	Forget()
}

// A Route is how packets reach a destination.
type Route struct {
	Src      netip.Addr // the source address that the host would choose
	MTU      int        // the largest IP packet, headers included
	Overhead int        // bytes of it in front of the SCTP packet: IP, and UDP if encapsulated
	// NoCarrier: the interface is up, but nothing is connected to it, as far
	// as the host can tell; packets will be lost until that changes.
	NoCarrier bool
}

// Errors of links. They are wrapped with details; test with errors.Is.
var (
	// ErrPortInUse: answers errors.Is(err, syscall.EADDRINUSE) too where the
	// platform has it.
	ErrPortInUse = errors.New("sctp: port in use by another process on this host")
	// ErrTooBig: the packet exceeds what the interface or path takes.
	ErrTooBig = errors.New("sctp: packet too big")
	// ErrUnreachable: no route, or the host refused to send.
	ErrUnreachable = errors.New("sctp: destination unreachable")
	// ErrNoBuffers: the host is out of buffers for now; as good as a loss.
	ErrNoBuffers = errors.New("sctp: out of buffers")
	// ErrKernelSCTP: the kernel's own SCTP is loaded and would answer our
	// packets.
	ErrKernelSCTP = errors.New("sctp: the kernel's SCTP is loaded and would abort our associations")
	// ErrPrivilege: the process lacks a privilege that the link needs.
	ErrPrivilege = errors.New("sctp: missing privilege")
)
