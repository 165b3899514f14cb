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
// are probed at once (RFC 9260 section 5.4).
func (x *Executor) startHeartbeats() {
	for p := range x.a.hb {
		if x.a.tcb.Paths[p].State == tcb.PathUnconfirmed {
			x.a.hb[p] = x.now
			x.a.tcb.Paths[p].HBArmed = true
		} else {
			x.startHeartbeat(tcb.PathID(p))
		}
	}
}

// startHeartbeat arms the heartbeat timer of path p for HB.interval plus the
// RTO, which varies by half to either side (RFC 9260 section 8.3). Without
// HB.interval only unconfirmed paths are probed.
func (x *Executor) startHeartbeat(p tcb.PathID) {
	a := x.a
	confirmed := a.tcb.Paths[p].State != tcb.PathUnconfirmed
	if confirmed && a.tcb.Cfg.HBInterval == 0 {
		a.hb[p] = 0
		a.tcb.Paths[p].HBArmed = false
		return
	}
	var b [2]byte
	x.Host.Entropy(b[:])
	jitter := mono.Duration(uint16(b[0])<<8 | uint16(b[1]))
	d := a.data.RTO(p)
	d = d/2 + d*jitter/65536
	if confirmed {
		d += a.tcb.Cfg.HBInterval
	}
	a.hb[p] = x.now.Add(d)
	a.tcb.Paths[p].HBArmed = true
}

const maxExtension = 60 * 1000 // ms; the most a Cookie Preservative gets

// mayExtend bounds what a Cookie Preservative asks for (RFC 9260 section
// 5.2.6).
func mayExtend(ms uint32) mono.Duration {
	return mono.Duration(min(ms, maxExtension)) * mono.Millisecond
}
