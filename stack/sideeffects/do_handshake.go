package sideeffects

import (
	"net/netip"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Prepare makes a ready for Associate or for Setup from a cookie.
func (x *Executor) Prepare(a *Association, s Settings, id uint32, localPort, peerPort uint16) {
	if x.Log != nil {
		x.log(Call{Op: OpPrepare, Assoc: a, Settings: s, ID: id, LocalPort: localPort, PeerPort: peerPort})
	}
	a.local, a.auto = s.Local, len(s.Local) == 0
	a.sackedTo = tcb.NoPath
	a.tcb = tcb.TCB{
		Cfg: s.Config, ID: id,
		LocalPort: localPort, PeerPort: peerPort,
		OutStreams: s.Config.OutStreams, InStreams: s.Config.MaxInStreams,
	}
	if a.data == nil {
		if x.cache == nil {
			x.cache = ulpqueue.NewCache(x.Pools.Seg, x.Pools.Nodes)
		}
		a.data = newPlane(s, x.Pools, x.cache, x.Budget)
	}
}

// UseDataPlane puts d in place of the real pipes; before Prepare.
func (a *Association) UseDataPlane(d DataPlane) { a.data = d }

// AddPeer names an address of the peer before Associate, and, unless it is the
// zero Addr, the own address that packets go there from. Addresses that the
// user names count as confirmed (RFC 9260 section 5.4).
func (x *Executor) AddPeer(a *Association, dst, src netip.Addr, encapPort uint16) bool {
	if x.Log != nil {
		x.log(Call{Op: OpAddPeer, Assoc: a, Addr: dst, Src: src, EncapPort: encapPort})
	}
	local := a.local
	switch {
	case src.IsValid():
		local = []netip.Addr{src}
	case a.auto:
		local = nil
	}
	r, ok := x.Host.Route(dst, local)
	if !ok {
		return false
	}
	if a.auto {
		a.local = withSource(a.local, r.Src)
	}
	to := Addressing{Src: r.Src, Dst: dst, EncapPort: encapPort, Link: r.Link}
	p := a.addPath(to, r, tcb.PathActive)
	if p == tcb.NoPath {
		return false
	}
	a.dests[p].pin = src
	return true
}

// setup fills in what our own INIT says.
func (x *Executor) setup(c *fsm.Command) {
	t := &x.a.tcb
	t.LocalTag = chunk.VTag(c.A)
	t.LocalTSN = chunk.TSN(c.B)
	t.TieLocal = c.C
	t.Initiated = true
	t.CtlSent = x.now
	// Messages may be queued before the peer's limits are known.
	x.a.data.StartSend(t.LocalTSN, t.OutStreams, 0)
}

// adoptInit takes what the peer's INIT ACK says (RFC 9260 section 5.1 C).
func (x *Executor) adoptInit() {
	a, in := x.a, &x.init
	t := &a.tcb
	t.PeerTag = in.Tag
	t.PeerTSN = in.TSN
	t.PeerRwnd = in.ARwnd
	a.adaptation = in.Adaptation
	t.OutStreams = min(t.Cfg.OutStreams, in.MIS)
	t.InStreams = min(t.Cfg.MaxInStreams, in.OS)
	t.TiePeer = x.tie()
	t.CtlSent = x.now
	c := chunk.Chunk(x.bytes(x.ev.Span))
	a.cookie = append(a.cookie[:0], in.Cookie.Of(c)...)
	x.ownUp()
	for p := len(a.dests) - 1; p >= 0; p-- {
		if x.ev.Paths.Has(tcb.PathID(p)) {
			a.dropPath(tcb.PathID(p))
		}
	}
	x.addSource() // first, since there must be one
	x.addListed(in.Addrs[:in.NAddrs])
	a.syncPaths()
	a.Wakes |= WakeReadable // messages for streams that do not exist may come back
	a.data.StartSend(t.LocalTSN, t.OutStreams, t.PeerRwnd)
	a.data.StartRecv(t.PeerTSN, t.InStreams)
}

// stale goes back to where nothing is known of the peer, for another INIT.
func (x *Executor) stale(c *fsm.Command) {
	t := &x.a.tcb
	t.StaleRetries++
	t.CookieLifetime = c.A
	t.LocalTag = chunk.VTag(c.B)
	t.PeerTag, t.TiePeer = 0, 0
	t.CtlSent = x.now
}

func (x *Executor) tie() uint32 {
	var b [4]byte
	x.Host.Entropy(b[:])
	return le32(b[:]) | 1
}

// addListed adds addresses that the peer listed, unconfirmed.
func (x *Executor) addListed(addrs []netip.Addr) {
	for _, addr := range addrs {
		if r, ok := x.usable(addr, x.a.local); ok {
			to := Addressing{Src: r.Src, Dst: addr, Link: r.Link}
			if len(x.a.dests) > 0 {
				to.EncapPort = x.a.dests[0].to.EncapPort
			}
			x.a.addPath(to, r, tcb.PathUnconfirmed)
		}
	}
}

// usable says how an address that the peer listed is reached.
func (x *Executor) usable(addr netip.Addr, local []netip.Addr) (Route, bool) {
	if !Reaches(addr, x.in.Src) {
		return Route{}, false
	}
	return x.Host.Route(addr, local)
}

// addSource adds the source of the packet in hand: it always counts as an
// address of the peer (RFC 9260 section 5.1.2).
func (x *Executor) addSource() {
	r, ok := x.Host.Route(x.in.Src, x.a.local)
	if !ok {
		r = x.wayBack()
	}
	to := Addressing{Src: x.in.Dst, Dst: x.in.Src, EncapPort: x.in.EncapPort, Link: x.in.Link}
	x.a.addPath(x.uncrossed(to, r), r, tcb.PathUnconfirmed)
}

// uncrossed is how a packet of the handshake is answered once the association
// is there. One to the first of our addresses may have come from the second of
// the peer's; if answers to there leave by our second link, they are to leave
// from its address, or both paths depend on the first link.
func (x *Executor) uncrossed(to Addressing, r Route) Addressing {
	if r.Link == to.Link && contains(x.a.local, r.Src) {
		to.Src = r.Src
	}
	return to
}

// wayBack is the route to where the packet in hand came from, if the host knows
// none: something came from there, so something can go there.
func (x *Executor) wayBack() Route {
	return Route{MTU: x.a.tcb.Cfg.MinPathMTU, Overhead: 48}
}

// ownUp leaves the association the own addresses that the INIT told the peer
// of. Paths that have come from others choose anew.
func (x *Executor) ownUp() {
	a := x.a
	to := a.dests[a.tcb.CtlPath].to
	a.local = told(a.local, to.Src, to.Dst)
	for p := range a.dests {
		d := &a.dests[p].to
		if contains(a.local, d.Src) {
			continue
		}
		if r, ok := x.Host.Route(d.Dst, a.local); ok {
			x.way = r
			x.setRoute(tcb.PathID(p), r.Cut)
		} else {
			a.tcb.Paths[p].Cut = true
		}
	}
}

// newAssoc creates the association of a valid cookie (RFC 9260 section 5.1.5).
func (x *Executor) newAssoc(c *fsm.Command) bool {
	ck := &x.cookie
	a := x.Host.Create(ck)
	if a == nil {
		return false
	}
	x.a = a
	if a.auto {
		a.local = x.sources(nil, ck)
	}
	a.local = told(a.local, ck.LocalAddr, ck.PeerAddr)
	a.rx.packets, a.rx.bytes = 1, uint64(len(x.in.Packet))
	a.tcb.TieLocal = c.C
	r, ok := x.Host.Route(ck.PeerAddr, a.local)
	if !ok {
		r = x.wayBack()
	}
	// The INIT ACK reached this address, or there were no cookie.
	to := Addressing{Src: ck.LocalAddr, Dst: ck.PeerAddr, EncapPort: ck.EncapPort, Link: ck.Link}
	if ck.NAddrs > 0 { // else a NAT or a firewall may be waiting for just that source
		to = x.uncrossed(to, r)
	}
	a.addPath(to, r, tcb.PathActive)
	x.adoptCookie()
	return true
}

// adoptCookie takes what the peer's INIT said, from the cookie in hand.
//
// Deviation R-5.1.2-05: after a collision addresses that the user has named stay,
// although the peer's INIT may list others. It went to where our INIT came from,
// and so did not know which of its addresses we use.
func (x *Executor) adoptCookie() {
	a, ck := x.a, &x.cookie
	t := &a.tcb
	if t.State >= tcb.Established {
		// The peer began anew within this association (RFC 9260 section
		// 5.2.4 B): the TSNs in flight mean nothing to it.
		a.data.ResetPaths()
	}
	t.LocalTag, t.PeerTag = ck.LocalTag, ck.PeerTag
	t.LocalTSN, t.PeerTSN = ck.LocalTSN, ck.PeerTSN
	t.PeerRwnd = ck.PeerRwnd
	a.adaptation = ck.Adaptation
	t.OutStreams, t.InStreams = ck.OutStreams, ck.InStreams
	t.InitTries = 0
	if t.TiePeer == 0 {
		t.TiePeer = x.tie()
	}
	x.addListed(ck.Addrs[:ck.NAddrs])
	if p := x.pathOfPacket(); p != tcb.NoPath {
		// RFC 6951 section 5.4: a restarted peer may have another UDP port, and
		// one behind a NAT since its INIT.
		a.dests[p].to.EncapPort = x.in.EncapPort
	}
	a.Wakes |= WakeWritable | WakeReadable // messages may be dropped that nobody will acknowledge
	a.data.StartSend(t.LocalTSN, t.OutStreams, t.PeerRwnd)
	a.data.StartRecv(t.PeerTSN, t.InStreams)
}

// restart is action A of RFC 9260 section 5.2.4: a new association in the
// place of the old one, whose id and queued messages it keeps.
func (x *Executor) restart(c *fsm.Command) {
	t := &x.a.tcb
	t.State = tcb.Closed // so that adoptCookie takes everything
	t.TieLocal, t.TiePeer = c.C, x.tie()
	t.Errors, t.InitTries, t.StaleRetries = 0, 0, 0
	for i := range t.Paths {
		t.Paths[i].Errors = 0
		t.Paths[i].HBOut = false
	}
	x.a.data.ResetPaths()
	x.adoptCookie()
	x.a.syncPaths()
}

// sendInitAck answers the INIT in hand; nothing about it is kept here.
func (x *Executor) sendInitAck(c *fsm.Command) {
	in, d := &x.init, x.in
	set := x.settings()
	cfg := set.Config
	ck := &x.cookie
	*ck = Cookie{
		Created: x.now, Lifetime: cfg.ValidCookieLife,
		LocalTag: chunk.VTag(c.A), PeerTag: in.Tag,
		LocalTSN: chunk.TSN(c.B), PeerTSN: in.TSN,
		PeerRwnd:   in.ARwnd,
		OutStreams: min(cfg.OutStreams, in.MIS), InStreams: min(cfg.MaxInStreams, in.OS),
		LocalPort: d.Header.DstPort, PeerPort: d.Header.SrcPort,
		LocalAddr: d.Dst, PeerAddr: d.Src,
		EncapPort: d.EncapPort, Link: d.Link, Adaptation: in.Adaptation,
	}
	if c.Flags&fsm.InitAckTie != 0 {
		ck.TieLocal, ck.TiePeer = x.a.tcb.TieLocal, x.a.tcb.TiePeer
	}
	if more := mayExtend(in.CookiePreservative); more > 0 {
		ck.Lifetime += more
	}
	// In a flood of INITs that invent addresses, those who list some get an
	// association with the one that they come from.
	lookups := 2 * in.NAddrs
	if lookups > 0 {
		lookups++ // of the INIT's own source
	}
	if x.lookups.take(lookups, x.now) {
		for _, addr := range in.Addrs[:in.NAddrs] {
			if _, ok := x.usable(addr, set.Local); ok && addr != d.Src {
				ck.Addrs[ck.NAddrs] = addr
				ck.NAddrs++
			}
		}
	}

	local := set.Local
	if len(local) == 0 {
		x.local = x.sources(x.local[:0], ck)
		local = x.local
	}
	x.beginReply(in.Tag)
	b, mark := chunk.BeginInit(x.pk.Tail(), chunk.TypeInitAck, chunk.Init{
		Tag: ck.LocalTag, ARwnd: max(ulpqueue.InitialWindow(cfg), chunk.MinARwnd),
		OS: ck.OutStreams, MIS: cfg.MaxInStreams, TSN: ck.LocalTSN,
	})
	if len(b) == 0 {
		return
	}
	b = appendLocalAddrs(b, local, d.Dst, d.Src, in.SupportsV4, in.SupportsV6)
	b = appendAdaptation(b, cfg.Adaptation)
	// The cookie is encoded in place: a parameter is a header and its body.
	hdr := len(b)
	b = append(b, 0, 0, 0, 0)
	b = x.appendCookie(b, ck)
	n := len(b) - hdr
	b[hdr], b[hdr+1], b[hdr+2], b[hdr+3] = byte(chunk.ParamStateCookie>>8), byte(chunk.ParamStateCookie&0xff), byte(n>>8), byte(n)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	init := chunk.Chunk(x.bytes(x.ev.Span))
	for _, s := range in.Unknown[:in.NUnknown] {
		// What does not fit is not reported: the handshake matters more.
		if p := chunk.Param(s.Of(init)); len(b)+chunk.ParamHeaderLen+chunk.Padded(len(p)) <= x.pk.Room() {
			b = chunk.AppendUnrecognizedParam(b, p)
		}
	}
	x.pk.Commit(chunk.End(b, mark))
	x.emitReply()
}

// settings are those of the association in hand, else of the endpoint.
func (x *Executor) settings() Settings {
	if x.live() {
		return Settings{Config: x.a.tcb.Cfg, Local: x.a.local}
	}
	return x.ep.Cfg
}
