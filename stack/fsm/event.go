package fsm

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/tcb"
)

// EventID says what happened. Chunk events come first, then timeouts,
// primitives of the user, and other events.
type EventID uint8

// Events.
const (
	EvData EventID = iota // a run of DATA chunks
	EvInit
	EvInitAck
	EvSack
	EvHeartbeat
	EvHeartbeatAck
	EvAbort
	EvShutdown
	EvShutdownAck
	EvError
	EvCookieEcho
	EvCookieAck
	EvECNE
	EvCWR
	EvShutdownComplete
	EvUnknownChunk // a chunk type that we do not process
	EvBadChunk     // a chunk whose length or contents do not fit its type

	EvTimeoutT1Init
	EvTimeoutT1Cookie
	EvTimeoutT2
	EvTimeoutT5
	EvTimeoutT3
	EvTimeoutHeartbeat
	EvTimeoutSack
	EvTimeoutProbe // of the search for the path MTU

	EvPrimAssociate
	EvPrimSend
	EvPrimShutdown
	EvPrimAbort
	EvPrimHeartbeat
	EvPrimSetPrimary
	EvPrimSetSource // the own address toward Path

	EvNoPendingTSN  // nothing is queued or in flight any more
	EvPathsAcked    // new data was acknowledged on Paths
	EvViolation     // a pipe found a protocol violation; Code says which cause
	EvNoUserData    // a DATA chunk without user data; Arg is its TSN
	EvBadStream     // a DATA chunk for a stream that does not exist; Arg is the stream
	EvRoute         // the host's way to Path is another, or there is none
	EvProtoUnreach  // ICMP says that the peer's host has no SCTP
	EvInternalError // the executor failed (out of memory, a contained panic)

	NumEvents
)

// TagClass says what the Verification Tag of the packet is. More than one may
// apply.
type TagClass uint8

// Tag classes.
const (
	TagOwn  TagClass = 1 << iota // our tag: what the peer must send
	TagPeer                      // the peer's tag, reflected
	TagZero
)

// Span names bytes of the inbound packet.
type Span struct{ Off, Len uint16 }

// Event is one thing that happened, with all that a state function may know
// about it. It is owned by the executor and reused.
type Event struct {
	ID    EventID
	Path  tcb.PathID // the packet's source as a path, or the timer's path; NoPath if none
	Flags uint8      // chunk flags
	Tag   TagClass
	VTag  chunk.VTag  // the packet's Verification Tag
	Type  chunk.Type  // with EvUnknownChunk, EvBadChunk
	Code  uint16      // cause code: EvError, EvAbort (first cause), EvViolation, EvPrimAbort
	Len   uint16      // chunk length
	First bool        // first chunk of its packet
	Alone bool        // only chunk of its packet
	Span  Span        // the chunk (of a run, the first to the last) within the packet
	Arg   uint32      // TSN, stream, as the event says
	Paths tcb.PathSet // EvPathsAcked: those; EvInitAck: those whose addresses it does not name

	Init   *chunk.InitFacts // INIT and INIT ACK
	Cookie CookieFacts      // COOKIE ECHO
	HB     HeartbeatFacts   // HEARTBEAT ACK

	Facts Facts
	Env   Env
}

// CookieFacts is a State Cookie that came back, opened and judged by the
// executor. The machine sees no secrets.
type CookieFacts struct {
	Valid    bool // MAC, addresses, ports and tag fit
	Expired  bool
	Moved    bool // it came from another address than the one that it was sent to
	StaleBy  mono.Duration
	LocalTag chunk.VTag
	PeerTag  chunk.VTag
	TieLocal uint32
	TiePeer  uint32
}

// HeartbeatFacts is the Heartbeat Info that came back.
type HeartbeatFacts struct {
	Valid bool // it has our format and names a path
	Path  tcb.PathID
	Probe uint16 // size of the path MTU probe that it answers, 0 for a HEARTBEAT alone
	Nonce uint64
	RTT   mono.Duration // negative if it says nothing
}

// Facts is what a state function may know about the pipes.
type Facts struct {
	OutqEmpty   bool // nothing is queued or in flight
	ZeroWindow  bool // what is in flight probes a shut window
	PathBusy    bool // the event's path carried data within the heartbeat interval
	NewAddrs    bool // INIT or cookie names an address that is no path of the association
	PeerUnknown bool // the packet's source is no path of the association
	Cut         bool // EvRoute, EvPrimSetSource: the host has no way to the path
	SourceGone  bool // the same: the host does not have the path's source any more
	Foreign     bool // EvPrimSetSource: that is not an address of the association's
}

// Env is the world outside the association.
type Env struct {
	Now mono.Time

	// Entropy, filled for the cells that want it.
	Tag   chunk.VTag // an unused Verification Tag
	TSN   chunk.TSN
	Tie   [2]uint32
	Nonce uint64

	Listening   bool // the endpoint takes associations
	BacklogFull bool
	NonUnicast  bool // the packet came from or to an address that is not unicast
}
