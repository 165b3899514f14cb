package sideeffects

import (
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/decision"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Parameters that the user changes while the association lives (RFC 6458
// section 8.1): a new Config takes the place of the old one, in the TCB and in
// all pipes.

// Reconfigure gives a the parameters in cfg, which is not to be changed
// afterwards. What INIT has told the peer stays, and so do buffers for
// receiving.
func (x *Executor) Reconfigure(a *Association, cfg *tcb.Config, now mono.Time) {
	if x.Log != nil {
		x.log(Call{Op: OpReconfigure, Assoc: a, Settings: Settings{Config: cfg}, Now: now})
	}
	if a.tcb.State == tcb.Closed {
		return
	}
	x.begin(a, nil, now)
	defer x.contain()
	old := a.tcb.Cfg
	a.tcb.Cfg = cfg
	a.ring = decision.Ref{} // steps so far were made with other parameters
	if pl, ok := a.data.(*Plane); ok {
		pl.setConfig(cfg, now)
	}
	for i := range a.hb {
		p := tcb.PathID(i)
		if a.tcb.State.MaySendData() && a.tcb.Paths[i].State != tcb.PathUnconfirmed && old.Of(p).HBInterval != cfg.Of(p).HBInterval {
			x.startHeartbeat(p)
		}
	}
	x.finish()
}

// setConfig hands cfg to all pipes.
func (pl *Plane) setConfig(cfg *tcb.Config, now mono.Time) {
	pl.cfg = cfg
	for i := range pl.Paths.P {
		if q := &pl.Paths.P[i]; q.SetConfig(cfg.With(tcb.PathID(i)), now) {
			pl.reduced(tcb.PathID(i), q.PMTU, now)
		}
	}
	if pl.sending {
		pl.Out.SetConfig(cfg)
	}
	if pl.receiving {
		pl.In.SetConfig(cfg)
	}
	pl.Up.SetConfig(cfg)
}

// FragmentPoint returns the most user data that a DATA chunk takes now.
func (pl *Plane) FragmentPoint() int {
	if !pl.sending {
		return 0
	}
	return pl.Out.FragmentPoint()
}

// autoclose returns when the association, idle since, is to be shut down by
// itself (RFC 6458 section 8.1.8); zero means never.
func (a *Association) autoclose() mono.Time {
	d := a.tcb.Cfg.AutoClose
	if d == 0 || a.tcb.State != tcb.Established {
		return 0
	}
	last := a.lastData
	for p := range a.dests {
		if t := a.data.LastSent(tcb.PathID(p)); t > last {
			last = t
		}
	}
	return last.Add(d)
}
