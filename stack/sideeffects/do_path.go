package sideeffects

import (
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

func (x *Executor) strike(c *fsm.Command) {
	t := &x.a.tcb
	if c.A == 1 && t.Errors < ^uint16(0) {
		t.Errors++
	}
	if int(c.Path) < len(t.Paths) && t.Paths[c.Path].Errors < ^uint16(0) {
		t.Paths[c.Path].Errors++
	}
	x.a.syncPaths()
}

// clearErrors forgives the paths in c.C, and brings back those that were given
// up.
func (x *Executor) clearErrors(c *fsm.Command) {
	t := &x.a.tcb
	if c.A == 1 {
		t.Errors = 0
	}
	for i := range t.Paths {
		p := tcb.PathID(i)
		if !tcb.PathSet(c.C).Has(p) {
			continue
		}
		t.Paths[i].Errors = 0
		if t.Paths[i].State == tcb.PathInactive {
			x.pathState(p, tcb.PathActive)
			x.a.data.Notify(Note{Kind: fsm.NotePathChange, A: uint32(p), B: uint32(fsm.PathAvailable)})
			x.a.Wakes |= WakeReadable
		}
	}
	x.a.syncPaths()
}

func (x *Executor) pathState(p tcb.PathID, s tcb.PathState) {
	x.a.tcb.Paths[p].State = s
	x.a.syncPaths()
	switch s {
	case tcb.PathInactive:
		x.a.data.PathDown(p, x.now)
	case tcb.PathActive:
		x.a.data.PathUp(p, x.now)
	}
}

func (x *Executor) heartbeat(c *fsm.Command) {
	p := c.Path
	if p == tcb.NoPath {
		if p = x.pathOfPacket(); p == tcb.NoPath {
			return
		}
	}
	pc := &x.a.tcb.Paths[p]
	pc.HBOut = true
	pc.Nonce = uint64(c.A)<<32 | uint64(c.B)
	x.a.hbSent[p] = x.now
	if pc.State == tcb.PathUnconfirmed {
		x.a.nextProbe = x.now.Add(x.probeGap())
	}
	x.ctl.add(c, p)
	if x.ev.ID == fsm.EvTimeoutHeartbeat {
		x.a.data.Trim() // the association is idle
	}
}
