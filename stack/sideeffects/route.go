package sideeffects

import (
	"net/netip"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// How a path's packets leave the host: which own address they come from, by
// which link. The host's choice counts, among the addresses that the peer was
// told of, unless the user has pinned one.

// A Way is what the host says about reaching a peer's address.
type Way struct {
	Route
	OK         bool // there is a route with a source that the association has
	SourceGone bool // the host does not have the source of before any more
}

// A WayFunc says how dst is reached with one of the addresses in local by a path
// whose source was cur.
type WayFunc func(dst, cur netip.Addr, local []netip.Addr) Way

// Reroute takes note that the host's addresses, routes or interfaces have
// changed; way says how they are now.
func (x *Executor) Reroute(a *Association, way WayFunc, now mono.Time) {
	if x.Log != nil {
		x.log(Call{Op: OpReroute, Assoc: a, Now: now})
		way = x.Log.Ways(way)
	}
	x.begin(a, nil, now)
	defer x.contain()
	for p := 0; x.live() && p < len(a.dests); p++ {
		d := &a.dests[p]
		local := a.local
		if d.pin.IsValid() {
			local = []netip.Addr{d.pin}
		}
		w := way(d.to.Dst, d.to.Src, local)
		cut := !w.OK || w.Cut
		if cut == a.tcb.Paths[p].Cut && (!w.OK || w.Src == d.to.Src && w.Link == d.to.Link) {
			if w.OK && w.MTU >= a.tcb.Cfg.MinPathMTU {
				a.data.LinkMTU(tcb.PathID(p), w.MTU, now)
			}
			continue
		}
		x.event(fsm.EvRoute, tcb.PathID(p))
		x.way = w.Route
		x.ev.Facts.Cut, x.ev.Facts.SourceGone = cut, w.SourceGone
		x.run()
	}
	x.finish()
}

// SetSource pins the own address that packets to addr leave from; the zero Addr
// leaves the choice to the host again.
func (x *Executor) SetSource(a *Association, addr, src netip.Addr, now mono.Time) fsm.Result {
	if x.Log != nil {
		x.log(Call{Op: OpSetSource, Assoc: a, Addr: addr, Src: src, Now: now})
	}
	x.begin(a, nil, now)
	defer x.contain()
	x.result = fsm.ResultState
	p := a.pathOf(addr)
	x.event(fsm.EvPrimSetSource, p)
	if p != tcb.NoPath {
		local := a.local
		if src.IsValid() {
			local = []netip.Addr{src}
		}
		r, ok := x.Host.Route(addr, local)
		x.way = r
		x.ev.Facts.Foreign = src.IsValid() && (!contains(a.local, src) || src.Is4() != addr.Is4())
		x.ev.Facts.Cut = !ok || r.Cut
		if !x.ev.Facts.Foreign {
			a.dests[p].pin = src
		}
	}
	x.run()
	x.finish()
	return x.result
}

// setRoute lets a path's packets go the way that was found.
func (x *Executor) setRoute(p tcb.PathID, cut bool) {
	a := x.a
	a.tcb.Paths[p].Cut = cut
	if to, w := &a.dests[p].to, &x.way; w.Src.IsValid() && (w.Src != to.Src || w.Link != to.Link) {
		to.Src, to.Link = w.Src, w.Link
		a.data.MovePath(p, *to, w.MTU, w.Overhead, x.now)
	}
	a.syncPaths()
}
