package sideeffects

import (
	"net/netip"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
)

// Host is the world around an Executor: where packets go, where randomness
// and new associations come from.
type Host interface {
	// Slot returns storage for a packet of up to n bytes, nil if there is no
	// room to send now; then Resume is called when there is again.
	Slot(n int) []byte
	// Emit sends the packet that was built in the last Slot.
	Emit(packet []byte, to Addressing)
	// Entropy fills b with random bytes.
	Entropy(b []byte)
	// Secrets returns the keys for State Cookies that are good now; life is
	// that of the cookie to be made, 0 if none is.
	Secrets(now mono.Time, life mono.Duration) *Secrets
	// NewTag returns a random Verification Tag that no association here uses.
	NewTag() chunk.VTag
	// Route says how dst is reached by the association or endpoint whose
	// addresses are local (all of the host's, if empty).
	Route(dst netip.Addr, local []netip.Addr) (Route, bool)
	// Create returns a new association for the peer and ports of a valid
	// cookie, not set up yet; nil if it is not wanted after all.
	Create(c *Cookie) *Association
	// Ended tells that a's TCB is gone; a sends and receives nothing more.
	Ended(a *Association)
}

// Addressing is what a packet needs beside its bytes.
type Addressing struct {
	Src, Dst  netip.Addr
	EncapPort uint16 // the peer's UDP port, if encapsulated
	Link      uint8  // the host's name for the link
	Fragment  bool   // let IP fragment it
}

// Route is how a peer's address is reached.
type Route struct {
	Src      netip.Addr
	MTU      int // IP packet size
	Overhead int // bytes in front of the SCTP packet
	Link     uint8
	Cut      bool // packets would be lost in this host: the interface has no carrier
}

// Datagram is an inbound SCTP packet whose checksum was found good.
type Datagram struct {
	Packet     []byte
	Header     chunk.Header
	Src, Dst   netip.Addr
	EncapPort  uint16
	Link       uint8
	NotUnicast bool
}

// Endpoint is what an Executor has to know of the local endpoint.
type Endpoint struct {
	Cfg         Settings
	Listening   bool
	BacklogFull bool
}
