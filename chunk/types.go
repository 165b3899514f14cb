package chunk

// Chunk types and flags: RFC 9260 §3.2 table 1 and the registry's later
// entries.

// Type is a chunk type; its two top bits say what to do with an unknown one.
type Type uint8

// Chunk types. Those from TypeAuth on belong to extensions, ECNE and CWR are
// reserved by RFC 9260 with the format of RFC 4960 Appendix A.
const (
	TypeData             Type = 0
	TypeInit             Type = 1
	TypeInitAck          Type = 2
	TypeSack             Type = 3
	TypeHeartbeat        Type = 4
	TypeHeartbeatAck     Type = 5
	TypeAbort            Type = 6
	TypeShutdown         Type = 7
	TypeShutdownAck      Type = 8
	TypeError            Type = 9
	TypeCookieEcho       Type = 10
	TypeCookieAck        Type = 11
	TypeECNE             Type = 12
	TypeCWR              Type = 13
	TypeShutdownComplete Type = 14
	TypeAuth             Type = 15
	TypeIData            Type = 64
	TypeASCONFAck        Type = 128
	TypeReConfig         Type = 130
	TypePad              Type = 132
	TypeForwardTSN       Type = 192
	TypeASCONF           Type = 193
	TypeIForwardTSN      Type = 194
)

// Chunk flags.
const (
	FlagE uint8 = 1 // DATA: last fragment
	FlagB uint8 = 2 // DATA: first fragment
	FlagU uint8 = 4 // DATA: unordered
	FlagI uint8 = 8 // DATA: SACK wanted at once
	FlagT uint8 = 1 // ABORT, SHUTDOWN COMPLETE: the Verification Tag is reflected
)

var typeNames = [...]string{
	"DATA", "INIT", "INIT ACK", "SACK", "HEARTBEAT", "HEARTBEAT ACK", "ABORT", "SHUTDOWN",
	"SHUTDOWN ACK", "ERROR", "COOKIE ECHO", "COOKIE ACK", "ECNE", "CWR", "SHUTDOWN COMPLETE", "AUTH",
}

// String returns the RFC's name of t, or "CHUNK n".
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	switch t {
	case TypeIData:
		return "I-DATA"
	case TypeASCONFAck:
		return "ASCONF-ACK"
	case TypeReConfig:
		return "RE-CONFIG"
	case TypePad:
		return "PAD"
	case TypeForwardTSN:
		return "FORWARD-TSN"
	case TypeASCONF:
		return "ASCONF"
	case TypeIForwardTSN:
		return "I-FORWARD-TSN"
	}
	return "CHUNK " + decimal(uint32(t))
}

// StopOnUnknown reports whether an endpoint that does not know t drops this
// chunk and the rest of the packet, rather than this chunk only.
func (t Type) StopOnUnknown() bool { return t&0x80 == 0 }

// ReportUnknown reports whether an endpoint that does not know t says so in
// an ERROR chunk.
func (t Type) ReportUnknown() bool { return t&0x40 != 0 }

// MinLen is the smallest Chunk Length that a chunk of type t can have by RFC
// 9260; types it does not define need their header only.
func (t Type) MinLen() int {
	switch t {
	case TypeData:
		return DataHeaderLen
	case TypeInit, TypeInitAck:
		return InitLen
	case TypeSack:
		return SackHeaderLen
	case TypeHeartbeat, TypeHeartbeatAck, TypeError, TypeShutdown, TypeECNE, TypeCWR:
		return 8
	}
	return ChunkHeaderLen
}

// ChunkSet is a set of chunk types.
type ChunkSet [32]byte

// Has reports whether t is in the set.
func (s *ChunkSet) Has(t Type) bool { return s[t>>3]&(1<<(t&7)) != 0 }

// Add puts t in the set.
func (s *ChunkSet) Add(t Type) { s[t>>3] |= 1 << (t & 7) }
