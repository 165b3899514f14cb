package fsm

import (
	"github.com/gosctp/gosctp/stack/tcb"
)

// What the host knows about the ways to the peer: its own addresses, routes and
// carriers. It says nothing about the peer, so that no path is given up for it
// (RFC 9260 section 8.2 leaves that to unanswered packets); but nobody has to
// wait for a timeout either.

// sfRoute: a path's packets leave from another address or by another link from
// now on, or cannot leave.
func sfRoute(v tcb.View, ev *Event, out *Commands) Disposition {
	if int(ev.Path) >= v.NumPaths() {
		return Discard
	}
	reroute(v, ev, out)
	return Consume
}

// sfSetSource: the user says which own address a path's packets leave from.
func sfSetSource(v tcb.View, ev *Event, out *Commands) Disposition {
	if int(ev.Path) >= v.NumPaths() {
		out.result(ResultNoPath)
		return Discard
	}
	if ev.Facts.Foreign {
		out.result(ResultNoSource)
		return Discard
	}
	out.result(ResultOK)
	reroute(v, ev, out)
	return Consume
}

func reroute(v tcb.View, ev *Event, out *Commands) {
	p := ev.Path
	was := v.Path(p).Cut
	a := uint32(0)
	if ev.Facts.Cut {
		a = 1
	}
	out.add(Command{Verb: CmdRoute, Path: p, A: a})
	if !v.State().MaySendData() {
		return // T1 and T2 choose among the paths when they expire
	}
	switch {
	case ev.Facts.Cut:
		if !was && elsewhere(v, p) {
			out.path(CmdRescue, p)
		}
		return
	case was || ev.Facts.SourceGone:
		// Nothing that was sent meanwhile left the host, or its answer goes to
		// an address that nobody has.
		out.path(CmdRescue, p)
	}
	// The new way is probed, and a path that was given up may be back.
	sendHeartbeat(ev, p, out)
	out.start(tcb.THeartbeat, p)
}

// elsewhere reports whether a path other than p takes DATA.
func elsewhere(v tcb.View, p tcb.PathID) bool {
	for i := range v.NumPaths() {
		if q := v.Path(tcb.PathID(i)); tcb.PathID(i) != p && q.Usable() {
			return true
		}
	}
	return false
}
