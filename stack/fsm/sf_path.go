package fsm

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/tcb"
)

// sfHeartbeat: RFC 9260 section 8.3, the information goes back unchanged, to
// where it came from.
func sfHeartbeat(_ tcb.View, ev *Event, out *Commands) Disposition {
	out.add(Command{Verb: CmdSend, Kind: chunk.TypeHeartbeatAck, Path: ev.Path, Span: ev.Span})
	return Consume
}

// sfHeartbeatAck: RFC 9260 sections 5.4 and 8.3. Only the nonce of the last
// HEARTBEAT to that path counts.
func sfHeartbeatAck(v tcb.View, ev *Event, out *Commands) Disposition {
	hb := &ev.HB
	if hb.Valid && hb.Probe != 0 {
		return probeAcked(v, ev, out)
	}
	pc := v.Path(hb.Path)
	if !hb.Valid || int(hb.Path) >= v.NumPaths() || !pc.HBOut || hb.Nonce != pc.Nonce || hb.RTT < 0 {
		out.count(StatDiscards)
		return Discard
	}
	out.path(CmdHBAcked, hb.Path)
	out.add(Command{Verb: CmdRTTSample, Path: hb.Path, Dur: hb.RTT})
	if pc.State == tcb.PathUnconfirmed {
		out.add(Command{Verb: CmdPathState, Path: hb.Path, A: uint32(tcb.PathActive)})
		out.notify(NotePathChange, uint32(hb.Path), uint32(PathConfirmed), Span{})
		if v.State().MaySendData() {
			out.start(tcb.THeartbeat, hb.Path) // the normal rate from now on
		}
	}
	// Clears both counters, and brings an inactive path back.
	out.add(Command{Verb: CmdClearErrors, A: 1, C: uint32(tcb.PathSet(0).With(hb.Path))})
	return Consume
}

// sfHeartbeatTimer: RFC 9260 section 8.3. The last HEARTBEAT counts as lost if
// it is still unanswered; a path that carries data needs none.
func sfHeartbeatTimer(v tcb.View, ev *Event, out *Commands) Disposition {
	p := ev.Path
	pc := v.Path(p)
	if pc.HBOut {
		active, _ := v.SelectPaths()
		// Unanswered heartbeats count for the association only on the path in
		// use (section 8.1), which no unconfirmed one is (5.4). An inactive path's
		// own counter stands still (8.3).
		//
		// Deviation R-5.4-03: where no path is confirmed yet the peer would be
		// waited for for ever if it died now.
		inUse := p == active
		failed := p
		if pc.State == tcb.PathInactive {
			failed = tcb.NoPath
		}
		if (inUse || failed != tcb.NoPath) && !strike(v, failed, inUse, out) {
			return Consume
		}
		out.path(CmdBackoff, p)
	} else if ev.Facts.PathBusy {
		out.start(tcb.THeartbeat, p)
		return Consume
	}
	sendHeartbeat(ev, p, out)
	out.start(tcb.THeartbeat, p)
	return Consume
}

func sendHeartbeat(ev *Event, p tcb.PathID, out *Commands) {
	n := ev.Env.Nonce
	out.add(Command{Verb: CmdHeartbeat, Path: p, A: uint32(n >> 32), B: uint32(n)})
}

// sfProbeTimer: RFC 8899 section 6.2.1, the search for the path MTU goes on, on
// paths that may carry data. What a lost probe means is the pipe's business: it
// is no failure of the path.
func sfProbeTimer(v tcb.View, ev *Event, out *Commands) Disposition {
	if v.Path(ev.Path).State != tcb.PathActive {
		return Discard
	}
	n := ev.Env.Nonce
	out.add(Command{Verb: CmdProbe, Path: ev.Path, A: uint32(n >> 32), B: uint32(n)})
	return Consume
}

// probeAcked: RFC 8899 section 6.2.1.2, for the counters an answered probe is an
// answered HEARTBEAT.
func probeAcked(v tcb.View, ev *Event, out *Commands) Disposition {
	hb := &ev.HB
	if int(hb.Path) >= v.NumPaths() {
		out.count(StatDiscards)
		return Discard
	}
	out.add(Command{Verb: CmdProbeAcked, Path: hb.Path, A: uint32(hb.Probe)})
	if hb.RTT >= 0 {
		out.add(Command{Verb: CmdRTTSample, Path: hb.Path, Dur: hb.RTT})
	}
	out.add(Command{Verb: CmdClearErrors, A: 1, C: uint32(tcb.PathSet(0).With(hb.Path))})
	return Consume
}

// sfSetPrimary: RFC 9260 section 11.1.4. Nothing may be sent to an unconfirmed
// address (section 5.4).
func sfSetPrimary(v tcb.View, ev *Event, out *Commands) Disposition {
	if int(ev.Path) >= v.NumPaths() {
		out.result(ResultNoPath)
		return Discard
	}
	if v.Path(ev.Path).State == tcb.PathUnconfirmed {
		out.result(ResultState)
		return Discard
	}
	out.path(CmdPrimary, ev.Path)
	out.result(ResultOK)
	return Consume
}

// sfHeartbeatRequest: RFC 9260 section 11.1.8.
func sfHeartbeatRequest(v tcb.View, ev *Event, out *Commands) Disposition {
	if int(ev.Path) >= v.NumPaths() {
		out.result(ResultState)
		return Discard
	}
	sendHeartbeat(ev, ev.Path, out)
	out.result(ResultOK)
	return Consume
}
