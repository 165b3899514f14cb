package sideeffects

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Cookie is the contents of a State Cookie (RFC 9260 section 5.1.3): all that
// it takes to create the association. It goes out with a MAC, unencrypted, so
// that nothing secret may be in it.
type Cookie struct {
	Created  mono.Time
	Lifetime mono.Duration

	LocalTag, PeerTag   chunk.VTag
	LocalTSN, PeerTSN   chunk.TSN
	TieLocal, TiePeer   uint32
	PeerRwnd            uint32
	OutStreams          uint16 // negotiated
	InStreams           uint16
	LocalPort, PeerPort uint16
	LocalAddr, PeerAddr netip.Addr // of the INIT
	EncapPort           uint16
	Link                uint8
	Addrs               [chunk.MaxAddrs]netip.Addr // the other addresses in the INIT
	NAddrs              int
	Adaptation          uint32 // the peer's adaptation layer indication
}

const (
	cookieFixed = 4 + 2*8 + 8*4 + 5*2 + 2*17
	cookieMAC   = sha256.Size
)

// appendCookie seals c.
func (x *Executor) appendCookie(b []byte, c *Cookie) []byte {
	x.useKeys(c.Lifetime)
	start := len(b)
	be := binary.BigEndian
	b = append(b, 1, x.keys.from.ID, uint8(c.NAddrs), c.Link)
	b = be.AppendUint64(b, uint64(c.Created))
	b = be.AppendUint64(b, uint64(c.Lifetime))
	for _, v := range [...]uint32{
		uint32(c.LocalTag), uint32(c.PeerTag), uint32(c.LocalTSN), uint32(c.PeerTSN),
		c.TieLocal, c.TiePeer, c.PeerRwnd, uint32(c.OutStreams)<<16 | uint32(c.InStreams),
	} {
		b = be.AppendUint32(b, v)
	}
	b = be.AppendUint16(b, c.LocalPort)
	b = be.AppendUint16(b, c.PeerPort)
	b = be.AppendUint16(b, c.EncapPort)
	b = be.AppendUint32(b, c.Adaptation)
	b = appendAddr(b, c.LocalAddr)
	b = appendAddr(b, c.PeerAddr)
	for _, a := range c.Addrs[:c.NAddrs] {
		b = appendAddr(b, a)
	}
	return append(b, x.mac(x.keys.mac[0], b[start:])...)
}

func appendAddr(b []byte, a netip.Addr) []byte {
	fam := byte(4)
	if a.Is6() {
		fam = 6
	}
	a16 := a.As16()
	return append(append(b, fam), a16[:]...)
}

func readAddr(b []byte) netip.Addr {
	a := netip.AddrFrom16([16]byte(b[1:17]))
	if b[0] == 4 {
		return a.Unmap()
	}
	return a
}

// openCookie opens and judges the cookie of a COOKIE ECHO (RFC 9260 section
// 5.1.5 steps 1 to 4) into x.cookie and the event.
func (x *Executor) openCookie(b []byte) {
	f := &x.ev.Cookie
	*f = fsm.CookieFacts{}
	if len(b) < cookieFixed+cookieMAC || b[0] != 1 {
		return
	}
	n := int(b[2])
	if n > chunk.MaxAddrs || len(b) < cookieFixed+17*n+cookieMAC {
		return
	}
	body, sum := b[:cookieFixed+17*n], b[cookieFixed+17*n:]
	x.useKeys(0)
	h := x.keyOf(b[1])
	if h == nil {
		return
	}
	// The chunk's length may count padding that was ours.
	if len(sum) > cookieMAC+3 || !hmac.Equal(x.mac(h, body), sum[:cookieMAC]) {
		return
	}

	be := binary.BigEndian
	c := &x.cookie
	*c = Cookie{
		Created: mono.Time(be.Uint64(b[4:])), Lifetime: mono.Duration(be.Uint64(b[12:])),
		LocalTag: chunk.VTag(be.Uint32(b[20:])), PeerTag: chunk.VTag(be.Uint32(b[24:])),
		LocalTSN: chunk.TSN(be.Uint32(b[28:])), PeerTSN: chunk.TSN(be.Uint32(b[32:])),
		TieLocal: be.Uint32(b[36:]), TiePeer: be.Uint32(b[40:]),
		PeerRwnd: be.Uint32(b[44:]), OutStreams: be.Uint16(b[48:]), InStreams: be.Uint16(b[50:]),
		LocalPort: be.Uint16(b[52:]), PeerPort: be.Uint16(b[54:]), EncapPort: be.Uint16(b[56:]),
		LocalAddr: Scoped(readAddr(b[62:]), x.in.Dst), PeerAddr: Scoped(readAddr(b[79:]), x.in.Src),
		Link: b[3], NAddrs: n, Adaptation: be.Uint32(b[58:]),
	}
	for i := range c.Addrs[:n] {
		c.Addrs[i] = Scoped(readAddr(b[cookieFixed+17*i:]), x.in.Src)
	}
	hdr := &x.in.Header
	if c.LocalPort != hdr.DstPort || c.PeerPort != hdr.SrcPort || c.LocalTag != hdr.VTag {
		return
	}
	if x.a == nil && x.ep != nil && len(x.ep.Cfg.Local) > 0 && !contains(x.ep.Cfg.Local, c.LocalAddr) {
		return // another endpoint on the same port made it
	}
	*f = fsm.CookieFacts{
		Valid: true, LocalTag: c.LocalTag, PeerTag: c.PeerTag,
		TieLocal: c.TieLocal, TiePeer: c.TiePeer,
	}
	f.Moved = c.PeerAddr != x.in.Src
	if age := x.now.Sub(c.Created); age > c.Lifetime {
		f.Expired = true
		f.StaleBy = age - c.Lifetime
	}
	if x.live() {
		x.ev.Facts.NewAddrs = x.cookieAddsAddrs(c)
	}
}

// cookieAddsAddrs reports whether c names an address that is no path of the
// association in hand.
func (x *Executor) cookieAddsAddrs(c *Cookie) bool {
	if x.a.pathOf(c.PeerAddr) == tcb.NoPath {
		return true
	}
	for _, addr := range c.Addrs[:c.NAddrs] {
		if x.a.pathOf(addr) == tcb.NoPath {
			if _, ok := x.usable(addr, x.a.local); ok {
				return true
			}
		}
	}
	return false
}
