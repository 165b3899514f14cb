package sideeffects

import (
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

func (x *Executor) startTimer(c *fsm.Command) {
	a := x.a
	if c.Timer == tcb.THeartbeat {
		x.startHeartbeat(c.Path)
		return
	}
	d := c.Dur
	if d == 0 {
		d = a.data.RTO(c.Path)
	}
	if most := a.tcb.Cfg.MaxInitTimeout; most != 0 && (c.Timer == tcb.T1Init || c.Timer == tcb.T1Cookie) {
		d = min(d, most)
	}
	a.timers[c.Timer] = x.now.Add(d)
	a.tcb.Armed |= 1 << c.Timer
}

func (x *Executor) stopTimers() {
	a := x.a
	a.timers = [tcb.NumTimers]mono.Time{}
	a.tcb.Armed = 0
	clear(a.hb)
	for i := range a.tcb.Paths {
		a.tcb.Paths[i].HBArmed = false
	}
}

// startHeartbeats starts the heartbeat timer of every path. Unconfirmed paths
// are probed at once, as far as HB.Max.Burst allows (RFC 9260 section 5.4).
func (x *Executor) startHeartbeats() {
	a := x.a
	at := max(x.now, a.nextProbe)
	for p := range a.hb {
		if pc := &a.tcb.Paths[p]; pc.State == tcb.PathUnconfirmed && !pc.HBOut {
			a.hb[p] = at
			pc.HBArmed = true // Timeout spaces them
		} else {
			x.startHeartbeat(tcb.PathID(p))
		}
		if a.tcb.Paths[p].State == tcb.PathActive {
			a.data.PathUp(tcb.PathID(p), x.now)
		}
	}
}

// probeGap spaces probes of unconfirmed paths, whichever they are, so that
// there are HB.Max.Burst of them in an RTO of the path in use.
func (x *Executor) probeGap() mono.Duration {
	active, _ := x.a.tcb.SelectPaths()
	return x.a.data.RTO(active) / mono.Duration(max(x.a.tcb.Cfg.HBMaxBurst, 1))
}

// startHeartbeat arms the heartbeat timer of path p for HB.interval plus the
// RTO, which varies by half to either side (RFC 9260 section 8.3). Without
// HB.interval only unconfirmed paths are probed: each RTO, until they have
// failed as often as makes a path inactive (section 5.4), and at the normal rate
// as long as no path is confirmed.
func (x *Executor) startHeartbeat(p tcb.PathID) {
	a := x.a
	pc := &a.tcb.Paths[p]
	own := a.tcb.Cfg.Of(p)
	normal := pc.State != tcb.PathUnconfirmed || int(pc.Errors) > own.PathMaxRetrans
	if normal && own.HBInterval == 0 && !a.unsure {
		a.hb[p] = 0
		a.tcb.Paths[p].HBArmed = false
		return
	}
	var b [2]byte
	x.Host.Entropy(b[:])
	jitter := mono.Duration(uint16(b[0])<<8 | uint16(b[1]))
	d := a.data.RTO(p)
	d = d/2 + d*jitter/65536
	if normal {
		d += own.HBInterval
	}
	a.hb[p] = x.now.Add(d)
	pc.HBArmed = true
}

const maxExtension = 60 * 1000 // ms; the most a Cookie Preservative gets

// mayExtend bounds what a Cookie Preservative asks for (RFC 9260 section
// 5.2.6).
func mayExtend(ms uint32) mono.Duration {
	return mono.Duration(min(ms, maxExtension)) * mono.Millisecond
}
