package chunk

import (
	"encoding/binary"
	"net/netip"
)

// Variable-length parameters: RFC 9260 §3.2.1, §3.3.2.1, §3.3.3.1.

// ParamHeaderLen is the size of a parameter's type and length.
const ParamHeaderLen = 4

// MaxParamBody is the most a parameter can hold.
const MaxParamBody = MaxChunkLen - ParamHeaderLen

// ParamType is a parameter type; its two top bits say what to do with an
// unknown one.
type ParamType uint16

// Parameter types. Those from ParamOutgoingReset on belong to extensions,
// ParamECN is reserved by RFC 9260.
const (
	ParamHeartbeatInfo      ParamType = 1
	ParamIPv4               ParamType = 5
	ParamIPv6               ParamType = 6
	ParamStateCookie        ParamType = 7
	ParamUnrecognized       ParamType = 8
	ParamCookiePreservative ParamType = 9
	ParamHostName           ParamType = 11
	ParamSupportedAddrTypes ParamType = 12
	ParamOutgoingReset      ParamType = 13
	ParamIncomingReset      ParamType = 14
	ParamTSNReset           ParamType = 15
	ParamReConfigResponse   ParamType = 16
	ParamAddOutgoing        ParamType = 17
	ParamAddIncoming        ParamType = 18
	ParamECN                ParamType = 0x8000
	ParamZeroChecksum       ParamType = 0x8001
	ParamRandom             ParamType = 0x8002
	ParamChunkList          ParamType = 0x8003
	ParamHMACAlgo           ParamType = 0x8004
	ParamPadding            ParamType = 0x8005
	ParamSupportedExt       ParamType = 0x8008
	ParamForwardTSN         ParamType = 0xC000
	ParamAddIP              ParamType = 0xC001
	ParamDeleteIP           ParamType = 0xC002
	ParamErrorCause         ParamType = 0xC003
	ParamSetPrimary         ParamType = 0xC004
	ParamSuccess            ParamType = 0xC005
	ParamAdaptationLayer    ParamType = 0xC006
)

// String returns the RFC's name of t, or "Parameter 0x1234".
func (t ParamType) String() string {
	switch t {
	case ParamHeartbeatInfo:
		return "Heartbeat Info"
	case ParamIPv4:
		return "IPv4 Address"
	case ParamIPv6:
		return "IPv6 Address"
	case ParamStateCookie:
		return "State Cookie"
	case ParamUnrecognized:
		return "Unrecognized Parameter"
	case ParamCookiePreservative:
		return "Cookie Preservative"
	case ParamHostName:
		return "Host Name Address"
	case ParamSupportedAddrTypes:
		return "Supported Address Types"
	case ParamOutgoingReset:
		return "Outgoing SSN Reset Request"
	case ParamIncomingReset:
		return "Incoming SSN Reset Request"
	case ParamTSNReset:
		return "SSN/TSN Reset Request"
	case ParamReConfigResponse:
		return "Re-configuration Response"
	case ParamAddOutgoing:
		return "Add Outgoing Streams Request"
	case ParamAddIncoming:
		return "Add Incoming Streams Request"
	case ParamECN:
		return "ECN Capable"
	case ParamZeroChecksum:
		return "Zero Checksum Acceptable"
	case ParamRandom:
		return "Random"
	case ParamChunkList:
		return "Chunk List"
	case ParamHMACAlgo:
		return "Requested HMAC Algorithm"
	case ParamPadding:
		return "Padding"
	case ParamSupportedExt:
		return "Supported Extensions"
	case ParamForwardTSN:
		return "Forward-TSN-Supported"
	case ParamAddIP:
		return "Add IP Address"
	case ParamDeleteIP:
		return "Delete IP Address"
	case ParamErrorCause:
		return "Error Cause Indication"
	case ParamSetPrimary:
		return "Set Primary Address"
	case ParamSuccess:
		return "Success Indication"
	case ParamAdaptationLayer:
		return "Adaptation Layer Indication"
	}
	return "Parameter " + hex16(uint16(t))
}

// StopOnUnknown reports whether an endpoint that does not know t leaves the
// rest of the chunk's parameters alone.
func (t ParamType) StopOnUnknown() bool { return t&0x8000 == 0 }

// ReportUnknown reports whether an endpoint that does not know t says so.
func (t ParamType) ReportUnknown() bool { return t&0x4000 != 0 }

// Param is one whole parameter: header first, without padding.
type Param []byte

// Type returns the parameter type.
func (p Param) Type() ParamType { return ParamType(binary.BigEndian.Uint16(p)) }

// Len returns the Parameter Length field.
func (p Param) Len() int { return int(binary.BigEndian.Uint16(p[2:])) }

// Body returns the parameter value.
func (p Param) Body() []byte { return p[ParamHeaderLen:] }

// Params is a list of parameters as it stands in a chunk.
type Params []byte

// Walk returns a walker over the list.
func (ps Params) Walk() ParamWalker { return ParamWalker{rest: ps, size: len(ps)} }

// Find returns the first parameter of type t before any format error.
func (ps Params) Find(t ParamType) (Param, bool) {
	w := ps.Walk()
	for p, ok := w.Next(); ok; p, ok = w.Next() {
		if p.Type() == t {
			return p, true
		}
	}
	return nil, false
}

// ParamWalker steps through parameters; each step takes at least four bytes
// or ends the walk.
type ParamWalker struct {
	rest     []byte
	size, at int
}

// Next returns the next parameter; false at the end and at the first that
// does not fit, which Err explains. Only the last may lack its padding.
func (w *ParamWalker) Next() (Param, bool) {
	p, rest := tlvNext(w.rest)
	if p == nil {
		return nil, false
	}
	w.at = w.size - len(w.rest)
	w.rest = rest
	return p, true
}

// Err says why Next returned false: ErrNone when every byte was used.
func (w *ParamWalker) Err() Err { return tlvErr(w.rest) }

// Offset returns where the parameter returned last begins, counted from the
// start of the list.
func (w *ParamWalker) Offset() int { return w.at }

// Rest returns the bytes that were not walked over yet.
func (w *ParamWalker) Rest() []byte { return w.rest }

// ParamAddr returns the address of an IPv4 or IPv6 Address parameter.
func ParamAddr(p Param) (netip.Addr, Err) {
	if len(p) < ParamHeaderLen {
		return netip.Addr{}, ErrShort
	}
	switch p.Type() {
	case ParamIPv4:
		if len(p) != 8 {
			return netip.Addr{}, ErrParamLength
		}
		return netip.AddrFrom4([4]byte(p[4:8])), ErrNone
	case ParamIPv6:
		if len(p) != 20 {
			return netip.Addr{}, ErrParamLength
		}
		return netip.AddrFrom16([16]byte(p[4:20])), ErrNone
	}
	return netip.Addr{}, ErrType
}

func appendParamHeader(b []byte, t ParamType, n int) []byte {
	return append(b, byte(t>>8), byte(t), byte(n>>8), byte(n))
}

// AppendParam appends a padded parameter, or nothing when body is longer than
// MaxParamBody.
func AppendParam(b []byte, t ParamType, body []byte) []byte {
	if len(body) > MaxParamBody {
		return b
	}
	b = appendParamHeader(b, t, ParamHeaderLen+len(body))
	return pad(append(b, body...), len(body))
}

// AppendParam32 appends a parameter whose value is one 32-bit number.
func AppendParam32(b []byte, t ParamType, v uint32) []byte {
	b = appendParamHeader(b, t, 8)
	return binary.BigEndian.AppendUint32(b, v)
}

// AppendAddrParam appends an IPv4 or IPv6 Address parameter; an IPv4-mapped
// address goes out as IPv4, the zero Addr not at all. Zones stay behind.
func AppendAddrParam(b []byte, a netip.Addr) []byte {
	switch a = a.Unmap(); {
	case a.Is4():
		v := a.As4()
		return append(appendParamHeader(b, ParamIPv4, 8), v[:]...)
	case a.Is6():
		v := a.As16()
		return append(appendParamHeader(b, ParamIPv6, 20), v[:]...)
	}
	return b
}

// AppendCookieParam appends a State Cookie parameter.
func AppendCookieParam(b []byte, cookie []byte) []byte {
	return AppendParam(b, ParamStateCookie, cookie)
}

// AppendCookiePreservative asks for a cookie that lives ms milliseconds longer.
func AppendCookiePreservative(b []byte, ms uint32) []byte {
	return AppendParam32(b, ParamCookiePreservative, ms)
}

// AppendAddrTypes appends a Supported Address Types parameter; types other
// than ParamIPv4 and ParamIPv6 are left out, since the host name must not be
// listed.
func AppendAddrTypes(b []byte, types ...ParamType) []byte {
	n := 0
	for _, t := range types {
		if t == ParamIPv4 || t == ParamIPv6 {
			n++
		}
	}
	if n > MaxParamBody/2 {
		return b
	}
	b = appendParamHeader(b, ParamSupportedAddrTypes, ParamHeaderLen+2*n)
	for _, t := range types {
		if t == ParamIPv4 || t == ParamIPv6 {
			b = binary.BigEndian.AppendUint16(b, uint16(t))
		}
	}
	return pad(b, 2*n)
}

// AppendUnrecognizedParam appends p, complete, within an Unrecognized
// Parameter.
func AppendUnrecognizedParam(b []byte, p Param) []byte {
	return AppendParam(b, ParamUnrecognized, p)
}

// AppendSupportedExt appends a Supported Extensions parameter (RFC 5061
// §4.2.7) that lists chunk types.
func AppendSupportedExt(b []byte, types ...Type) []byte {
	if len(types) > MaxParamBody {
		return b
	}
	b = appendParamHeader(b, ParamSupportedExt, ParamHeaderLen+len(types))
	for _, t := range types {
		b = append(b, byte(t))
	}
	return pad(b, len(types))
}
