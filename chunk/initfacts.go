package chunk

import (
	"encoding/binary"
	"net/netip"
)

// What an INIT or INIT ACK says, decoded and judged once, before the state
// machine sees it: RFC 9260 §3.2.1, §3.2.2, §3.3.2, §3.3.3 and §5.1.2.

const (
	// MaxAddrs is how many peer addresses InitFacts keeps.
	MaxAddrs = 32
	// MaxUnknown is how many unknown parameters InitFacts keeps for reporting.
	MaxUnknown = 16
)

// Span is a run of bytes within a chunk, counted from the chunk's start; the
// zero Span is none.
type Span struct{ Off, Len uint16 }

// Of returns the bytes of s in c, nil when s does not lie in c.
func (s Span) Of(c Chunk) []byte {
	if int(s.Off)+int(s.Len) > len(c) {
		return nil
	}
	return c[s.Off : int(s.Off)+int(s.Len)]
}

// Features names the extensions whose parameters an endpoint recognises in
// INIT and INIT ACK beyond RFC 9260. What is not set here is still decoded,
// but reported to the peer where its type asks for it.
type Features uint8

// Features whose parameters would be reported by an endpoint without them.
const (
	FeatureForwardTSN Features = 1 << iota // RFC 3758
	FeatureSetPrimary                      // RFC 5061
)

// InitFacts is what an INIT or INIT ACK chunk says. One value serves many
// chunks; Decode allocates nothing and keeps no reference to the chunk.
type InitFacts struct {
	// Features is the owner's: Decode reads it and leaves it alone.
	Features Features

	Type    Type // TypeInit or TypeInitAck
	Verdict Err  // what Decode returned
	Tag     VTag
	ARwnd   uint32
	OS, MIS uint16
	TSN     TSN

	// Addrs[:NAddrs] are the usable listed addresses, each once, in the
	// order of the chunk. The packet's source address counts as well and is
	// the caller's to add.
	Addrs     [MaxAddrs]netip.Addr
	NAddrs    int
	MoreAddrs uint16 // usable ones beyond MaxAddrs, ignored
	BadAddrs  uint16 // multicast, broadcast, unspecified or IPv4-mapped ones, ignored

	// Cookie is the State Cookie without parameter header.
	Cookie        Span
	MissingCookie bool // INIT ACK without a cookie

	// SupportsV4 and SupportsV6 are what the peer can be reached by: all
	// without a Supported Address Types parameter, else the listed ones and
	// those of its addresses. The caller adds the packet's own family.
	SupportsV4, SupportsV6 bool
	HasAddrTypes           bool

	HasHostName bool
	HostName    Span // the complete parameter, for the cause Unresolvable Address

	ECN                bool
	ForwardTSN         bool
	Extensions         ChunkSet // of Supported Extensions
	HasAdaptation      bool
	Adaptation         uint32
	CookiePreservative uint32 // milliseconds to add, 0 when absent

	// Unknown[:NUnknown] are the complete parameters to report to the peer:
	// within INIT ACK for an INIT, in an ERROR chunk for an INIT ACK.
	Unknown     [MaxUnknown]Span
	NUnknown    int
	MoreUnknown uint16 // to be reported, but beyond MaxUnknown
	Stopped     bool   // an unknown parameter ended the processing
	Repeated    bool   // a parameter that may occur once occurred again and was ignored

	// Bad is the parameter at which a format error was found.
	Bad Span
}

// Decode reads c and returns its verdict, which is the gravest finding:
//
//   - ErrShort, ErrType: no such chunk; nothing else is known.
//   - ErrZeroTag: nobody can be answered under that tag.
//   - ErrARwnd, ErrZeroStreams: a mandatory field is invalid.
//   - ErrLength, ErrOverrun, ErrTrailing, ErrParamLength: a parameter is
//     malformed; those before it have been taken in.
//   - ErrHostName: the peer must be refused.
//   - ErrMissing: an INIT ACK without State Cookie.
//
// Whatever the verdict after the first line, the fixed fields are set and all
// parameters that could be read have been taken in.
func (f *InitFacts) Decode(c Chunk) Err {
	f.reset()
	in, e := ParseInit(c)
	if e != ErrNone {
		f.Verdict = e
		return e
	}
	f.Type, f.Tag, f.ARwnd, f.OS, f.MIS, f.TSN = c.Type(), in.Tag, in.ARwnd, in.OS, in.MIS, in.TSN
	format := f.params(in.Params)
	f.MissingCookie = f.Type == TypeInitAck && f.Cookie.Len == 0
	if !f.HasAddrTypes {
		f.SupportsV4, f.SupportsV6 = true, true
	}
	switch {
	case f.Tag == 0:
		f.Verdict = ErrZeroTag
	case f.ARwnd < MinARwnd:
		f.Verdict = ErrARwnd
	case f.OS == 0 || f.MIS == 0:
		f.Verdict = ErrZeroStreams
	case format != ErrNone:
		f.Verdict = format
	case f.HasHostName:
		f.Verdict = ErrHostName
	case f.MissingCookie:
		f.Verdict = ErrMissing
	}
	return f.Verdict
}

// reset clears everything but Features; of the arrays only what was in use.
func (f *InitFacts) reset() {
	clear(f.Addrs[:f.NAddrs])
	clear(f.Unknown[:f.NUnknown])
	f.Type, f.Verdict, f.Tag, f.ARwnd, f.OS, f.MIS, f.TSN = 0, ErrNone, 0, 0, 0, 0, 0
	f.NAddrs, f.MoreAddrs, f.BadAddrs = 0, 0, 0
	f.Cookie, f.MissingCookie = Span{}, false
	f.SupportsV4, f.SupportsV6, f.HasAddrTypes = false, false, false
	f.HasHostName, f.HostName = false, Span{}
	f.ECN, f.ForwardTSN, f.Extensions = false, false, ChunkSet{}
	f.HasAdaptation, f.Adaptation, f.CookiePreservative = false, 0, 0
	f.NUnknown, f.MoreUnknown, f.Stopped, f.Repeated = 0, 0, false, false
	f.Bad = Span{}
}

// once keeps track of the parameters that may occur once.
type once uint16

const (
	onceCookie once = 1 << iota
	oncePreservative
	onceHostName
	onceAddrTypes
	onceECN
	onceForwardTSN
	onceExtensions
	onceAdaptation
)

// first reports whether the parameter was not there before.
func (f *InitFacts) first(seen *once, o once) bool {
	if *seen&o != 0 {
		f.Repeated = true
		return false
	}
	*seen |= o
	return true
}

// params takes in the parameters up to the end, a malformed one or an unknown
// one that stops.
func (f *InitFacts) params(ps Params) Err {
	var seen once
	w := ps.Walk()
	for {
		p, ok := w.Next()
		if !ok {
			break
		}
		at := Span{uint16(InitLen + w.Offset()), uint16(len(p))}
		body := Span{at.Off + ParamHeaderLen, at.Len - ParamHeaderLen}
		if n := fixedParamLen(p.Type()); n != 0 && n != len(p) {
			f.Bad = at
			return ErrParamLength
		}
		switch p.Type() {
		case ParamIPv4, ParamIPv6:
			f.addr(p)
		case ParamStateCookie:
			if f.first(&seen, onceCookie) {
				f.Cookie = body
			}
		case ParamCookiePreservative:
			if f.first(&seen, oncePreservative) {
				f.CookiePreservative = binary.BigEndian.Uint32(p.Body())
			}
		case ParamHostName:
			if f.first(&seen, onceHostName) {
				f.HasHostName, f.HostName = true, at
			}
		case ParamSupportedAddrTypes:
			if len(p)&1 != 0 {
				f.Bad = at
				return ErrParamLength
			}
			if f.first(&seen, onceAddrTypes) {
				f.addrTypes(p.Body())
			}
		case ParamECN:
			f.ECN = true
			f.first(&seen, onceECN)
		case ParamForwardTSN:
			f.ForwardTSN = true
			if f.first(&seen, onceForwardTSN) && f.Features&FeatureForwardTSN == 0 {
				f.report(at)
			}
		case ParamSupportedExt:
			if f.first(&seen, onceExtensions) {
				for _, t := range p.Body() {
					f.Extensions.Add(Type(t))
				}
			}
		case ParamAdaptationLayer:
			if f.first(&seen, onceAdaptation) {
				f.HasAdaptation, f.Adaptation = true, binary.BigEndian.Uint32(p.Body())
			}
		case ParamSetPrimary:
			if f.Features&FeatureSetPrimary == 0 {
				f.report(at)
			}
		case ParamHeartbeatInfo, ParamUnrecognized:
			// Known, and nothing to take from here.
		default:
			t := p.Type()
			if t.ReportUnknown() {
				f.report(at)
			}
			if t.StopOnUnknown() {
				f.Stopped = true
				return ErrNone
			}
		}
	}
	if e := w.Err(); e != ErrNone {
		rest := len(w.Rest())
		f.Bad = Span{uint16(InitLen + len(ps) - rest), uint16(min(rest, ParamHeaderLen))}
		return e
	}
	return ErrNone
}

// fixedParamLen returns the only length that a parameter of type t can have,
// 0 when it varies.
func fixedParamLen(t ParamType) int {
	switch t {
	case ParamIPv4, ParamCookiePreservative, ParamAdaptationLayer:
		return 8
	case ParamIPv6:
		return 20
	case ParamECN, ParamForwardTSN:
		return 4
	}
	return 0
}

// UsableAddr reports whether a peer can have the address: not unspecified,
// multicast, IPv4 broadcast or IPv4-mapped. Scope is not looked at.
func UsableAddr(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.Is4In6() &&
		a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

func (f *InitFacts) addr(p Param) {
	a, e := ParamAddr(p)
	if e != ErrNone || !UsableAddr(a) {
		f.BadAddrs++
		return
	}
	if a.Is4() {
		f.SupportsV4 = true
	} else {
		f.SupportsV6 = true
	}
	for i := range f.NAddrs {
		if f.Addrs[i] == a {
			return
		}
	}
	if f.NAddrs == MaxAddrs {
		f.MoreAddrs++
		return
	}
	f.Addrs[f.NAddrs] = a
	f.NAddrs++
}

func (f *InitFacts) addrTypes(body []byte) {
	f.HasAddrTypes = true
	for ; len(body) >= 2; body = body[2:] {
		switch ParamType(binary.BigEndian.Uint16(body)) {
		case ParamIPv4:
			f.SupportsV4 = true
		case ParamIPv6:
			f.SupportsV6 = true
		}
	}
}

func (f *InitFacts) report(at Span) {
	if f.NUnknown == MaxUnknown {
		f.MoreUnknown++
		return
	}
	f.Unknown[f.NUnknown] = at
	f.NUnknown++
}
