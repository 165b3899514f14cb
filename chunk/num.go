package chunk

// The numbers of SCTP and their arithmetic: TSNs and SSNs live on a circle
// (RFC 9260 §1.6, RFC 1982) and are compared by their methods only.

// TSN is a Transmission Sequence Number, compared modulo 2^32.
type TSN uint32

// Less reports whether a is older than b; at a distance of exactly 2^31,
// which serial arithmetic leaves undefined, neither is.
func (a TSN) Less(b TSN) bool { return int32(b-a) > 0 }

// LessEq reports whether a is b or older.
func (a TSN) LessEq(b TSN) bool { return int32(b-a) >= 0 }

// Add returns the TSN n steps after a.
func (a TSN) Add(n uint32) TSN { return a + TSN(n) }

// Diff returns how far a is ahead of b, negative when it is behind.
func (a TSN) Diff(b TSN) int32 { return int32(a - b) }

// SSN is a Stream Sequence Number, compared modulo 2^16.
type SSN uint16

// Less reports whether a is older than b; at a distance of exactly 2^15
// neither is.
func (a SSN) Less(b SSN) bool { return int16(b-a) > 0 }

// Next returns the SSN after a.
func (a SSN) Next() SSN { return a + 1 }

// StreamID names a stream of one direction.
type StreamID uint16

// VTag is a Verification Tag or an Initiate Tag; zero is no tag.
type VTag uint32

// PPID is a Payload Protocol Identifier as a number; it is big-endian on the
// wire and means nothing to SCTP.
type PPID uint32
