package chunk

import (
	"encoding/binary"
	"net/netip"
)

// Error causes: RFC 9260 §3.3.10.

// CauseHeaderLen is the size of a cause's code and length.
const CauseHeaderLen = 4

// MaxCauseInfo is the most cause-specific information that still fits an
// ERROR or ABORT chunk; more is clipped.
const MaxCauseInfo = MaxChunkLen - ChunkHeaderLen - CauseHeaderLen

// CauseCode is the code of an error cause.
type CauseCode uint16

// Cause codes. Those from CauseDeleteLastAddr on belong to extensions.
const (
	CauseInvalidStream      CauseCode = 1
	CauseMissingParam       CauseCode = 2
	CauseStaleCookie        CauseCode = 3
	CauseOutOfResource      CauseCode = 4
	CauseUnresolvableAddr   CauseCode = 5
	CauseUnrecognizedChunk  CauseCode = 6
	CauseInvalidMandatory   CauseCode = 7
	CauseUnrecognizedParams CauseCode = 8
	CauseNoUserData         CauseCode = 9
	CauseCookieInShutdown   CauseCode = 10
	CauseRestartNewAddrs    CauseCode = 11
	CauseUserAbort          CauseCode = 12
	CauseProtocolViolation  CauseCode = 13
	CauseDeleteLastAddr     CauseCode = 160
	CauseResourceShortage   CauseCode = 161
	CauseDeleteSourceAddr   CauseCode = 162
	CauseIllegalASCONFAck   CauseCode = 163
	CauseNoAuthorization    CauseCode = 164
	CauseUnsupportedHMAC    CauseCode = 261
)

var causeNames = [...]string{
	1: "Invalid Stream Identifier", 2: "Missing Mandatory Parameter", 3: "Stale Cookie",
	4: "Out of Resource", 5: "Unresolvable Address", 6: "Unrecognized Chunk Type",
	7: "Invalid Mandatory Parameter", 8: "Unrecognized Parameters", 9: "No User Data",
	10: "Cookie Received While Shutting Down", 11: "Restart of an Association with New Addresses",
	12: "User-Initiated Abort", 13: "Protocol Violation",
}

// String returns the RFC's name of the cause, or "Cause n".
func (c CauseCode) String() string {
	if c > 0 && int(c) < len(causeNames) {
		return causeNames[c]
	}
	switch c {
	case CauseDeleteLastAddr:
		return "Request to Delete Last Remaining IP Address"
	case CauseResourceShortage:
		return "Operation Refused Due to Resource Shortage"
	case CauseDeleteSourceAddr:
		return "Request to Delete Source IP Address"
	case CauseIllegalASCONFAck:
		return "Association Aborted Due to Illegal ASCONF-ACK"
	case CauseNoAuthorization:
		return "Request Refused - No Authorization"
	case CauseUnsupportedHMAC:
		return "Unsupported HMAC Identifier"
	}
	return "Cause " + decimal(uint32(c))
}

// Cause is one whole error cause: header first, without padding.
type Cause []byte

// Code returns the cause code.
func (c Cause) Code() CauseCode { return CauseCode(binary.BigEndian.Uint16(c)) }

// Len returns the Cause Length field.
func (c Cause) Len() int { return int(binary.BigEndian.Uint16(c[2:])) }

// Body returns the cause-specific information.
func (c Cause) Body() []byte { return c[CauseHeaderLen:] }

func (c Cause) is(code CauseCode, n int) Err {
	if len(c) < CauseHeaderLen {
		return ErrShort
	}
	if c.Code() != code {
		return ErrType
	}
	if len(c) < n {
		return ErrParamLength
	}
	return ErrNone
}

// InvalidStream returns the stream that cause 1 complains about.
func (c Cause) InvalidStream() (StreamID, Err) {
	if e := c.is(CauseInvalidStream, 8); e != ErrNone {
		return 0, e
	}
	return StreamID(binary.BigEndian.Uint16(c[4:])), ErrNone
}

// MissingParams returns the number of parameters that cause 2 lists.
func (c Cause) MissingParams() (int, Err) {
	if e := c.is(CauseMissingParam, 8); e != ErrNone {
		return 0, e
	}
	n := binary.BigEndian.Uint32(c[4:])
	if uint64(n)*2 > uint64(len(c)-8) {
		return 0, ErrCount
	}
	return int(n), ErrNone
}

// MissingParam returns the i-th of the parameters that MissingParams counts.
func (c Cause) MissingParam(i int) ParamType {
	return ParamType(binary.BigEndian.Uint16(c[8+2*i:]))
}

// StaleCookie returns by how many microseconds the cookie of cause 3 was
// late; 0 when the peer does not tell.
func (c Cause) StaleCookie() (usec uint32, _ Err) {
	if e := c.is(CauseStaleCookie, 8); e != ErrNone {
		return 0, e
	}
	return binary.BigEndian.Uint32(c[4:]), ErrNone
}

// NoUserData returns the TSN of the empty DATA chunk of cause 9.
func (c Cause) NoUserData() (TSN, Err) {
	if e := c.is(CauseNoUserData, 8); e != ErrNone {
		return 0, e
	}
	return TSN(binary.BigEndian.Uint32(c[4:])), ErrNone
}

// Causes is a list of error causes as it stands in a chunk.
type Causes []byte

// Walk returns a walker over the list.
func (cs Causes) Walk() CauseWalker { return CauseWalker{rest: cs} }

// Check walks the whole list and says whether it is well formed.
func (cs Causes) Check() Err {
	_, e := listLen(cs)
	return e
}

// Find returns the first cause with that code before any format error.
func (cs Causes) Find(code CauseCode) (Cause, bool) {
	w := cs.Walk()
	for c, ok := w.Next(); ok; c, ok = w.Next() {
		if c.Code() == code {
			return c, true
		}
	}
	return nil, false
}

// CauseWalker steps through error causes; each step takes at least four
// bytes or ends the walk.
type CauseWalker struct{ rest []byte }

// Next returns the next cause; false at the end and at the first that does
// not fit, which Err explains. Only the last may lack its padding.
func (w *CauseWalker) Next() (Cause, bool) {
	c, rest := tlvNext(w.rest)
	w.rest = rest
	return c, c != nil
}

// Err says why Next returned false: ErrNone when every byte was used.
func (w *CauseWalker) Err() Err { return tlvErr(w.rest) }

// BeginCause appends a cause header and returns the mark that EndCause needs.
func BeginCause(b []byte, code CauseCode) (_ []byte, mark int) {
	return append(b, byte(code>>8), byte(code), 0, 0), len(b)
}

// EndCause finishes the cause begun at mark: it clips what is longer than
// MaxCauseInfo, writes the length and pads. Where the information is a list
// of parameters, the padding of the last is not counted.
func EndCause(b []byte, mark int) []byte {
	b = b[:min(len(b), mark+CauseHeaderLen+MaxCauseInfo)]
	n := len(b) - mark
	switch CauseCode(binary.BigEndian.Uint16(b[mark:])) {
	case CauseUnresolvableAddr, CauseUnrecognizedParams, CauseRestartNewAddrs:
		list, _ := listLen(b[mark+CauseHeaderLen:])
		n = CauseHeaderLen + list
	}
	binary.BigEndian.PutUint16(b[mark+2:], uint16(n))
	return pad(b, len(b)-mark)
}

// AppendCause appends a padded cause with the given information.
func AppendCause[T []byte | string](b []byte, code CauseCode, info T) []byte {
	n := min(len(info), MaxCauseInfo)
	b = append(b, byte(code>>8), byte(code), byte((CauseHeaderLen+n)>>8), byte(CauseHeaderLen+n))
	return pad(append(b, info[:n]...), n)
}

func appendCause32(b []byte, code CauseCode, v uint32) []byte {
	b = append(b, byte(code>>8), byte(code), 0, 8)
	return binary.BigEndian.AppendUint32(b, v)
}

func appendCauseEmpty(b []byte, code CauseCode) []byte {
	return append(b, byte(code>>8), byte(code), 0, CauseHeaderLen)
}

// AppendInvalidStream appends cause 1: DATA came on a stream that is not there.
func AppendInvalidStream(b []byte, sid StreamID) []byte {
	return appendCause32(b, CauseInvalidStream, uint32(sid)<<16)
}

// AppendMissingParams appends cause 2: INIT or INIT ACK lacks these.
func AppendMissingParams(b []byte, types ...ParamType) []byte {
	types = types[:min(len(types), (MaxCauseInfo-4)/2)]
	b, mark := BeginCause(b, CauseMissingParam)
	b = binary.BigEndian.AppendUint32(b, uint32(len(types)))
	for _, t := range types {
		b = binary.BigEndian.AppendUint16(b, uint16(t))
	}
	return EndCause(b, mark)
}

// AppendStaleCookie appends cause 3; usec is how late the cookie came, 0 to
// keep that to oneself.
func AppendStaleCookie(b []byte, usec uint32) []byte {
	return appendCause32(b, CauseStaleCookie, usec)
}

// AppendOutOfResource appends cause 4.
func AppendOutOfResource(b []byte) []byte { return appendCauseEmpty(b, CauseOutOfResource) }

// AppendUnresolvableAddr appends cause 5 with the complete address parameter.
func AppendUnresolvableAddr(b []byte, p Param) []byte {
	return AppendCause(b, CauseUnresolvableAddr, []byte(p))
}

// AppendUnrecognizedChunk appends cause 6 with as much of the chunk as fits.
func AppendUnrecognizedChunk(b []byte, c Chunk) []byte {
	return AppendCause(b, CauseUnrecognizedChunk, []byte(c))
}

// AppendInvalidMandatory appends cause 7: a mandatory field has an impossible
// value.
func AppendInvalidMandatory(b []byte) []byte { return appendCauseEmpty(b, CauseInvalidMandatory) }

// AppendUnrecognizedParams appends cause 8 with these complete parameters.
func AppendUnrecognizedParams(b []byte, ps ...Param) []byte {
	b, mark := BeginCause(b, CauseUnrecognizedParams)
	for _, p := range ps {
		b = pad(append(b, p...), len(p))
	}
	return EndCause(b, mark)
}

// AppendNoUserData appends cause 9: the DATA chunk with this TSN was empty.
func AppendNoUserData(b []byte, tsn TSN) []byte {
	return appendCause32(b, CauseNoUserData, uint32(tsn))
}

// AppendCookieInShutdown appends cause 10.
func AppendCookieInShutdown(b []byte) []byte { return appendCauseEmpty(b, CauseCookieInShutdown) }

// AppendRestartNewAddrs appends cause 11 with the addresses that a restart
// tried to add.
func AppendRestartNewAddrs(b []byte, addrs ...netip.Addr) []byte {
	b, mark := BeginCause(b, CauseRestartNewAddrs)
	for _, a := range addrs {
		b = AppendAddrParam(b, a)
	}
	return EndCause(b, mark)
}

// AppendUserAbort appends cause 12 with the upper layer's reason.
func AppendUserAbort[T []byte | string](b []byte, reason T) []byte {
	return AppendCause(b, CauseUserAbort, reason)
}

// AppendProtocolViolation appends cause 13 with a hint what was violated.
func AppendProtocolViolation[T []byte | string](b []byte, info T) []byte {
	return AppendCause(b, CauseProtocolViolation, info)
}
