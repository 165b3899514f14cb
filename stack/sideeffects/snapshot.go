package sideeffects

import (
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// What the explorer and tests see of an association beside its View.

// CloneTCB returns a copy of the control state.
func (a *Association) CloneTCB() tcb.TCB { return a.tcb.Clone() }

// Armed is a timer that runs.
type Armed struct {
	At    mono.Time
	Event fsm.EventID // what its expiry is
	Path  tcb.PathID  // NoPath if it is not a path's
}

// AppendArmed appends the timers that run, those of the data path included.
func (a *Association) AppendArmed(to []Armed) []Armed {
	for id, t := range a.timers {
		if t != 0 {
			to = append(to, Armed{t, timerEvents[id], tcb.NoPath})
		}
	}
	for p, t := range a.hb {
		if t != 0 {
			to = append(to, Armed{t, fsm.EvTimeoutHeartbeat, tcb.PathID(p)})
		}
	}
	pl, ok := a.data.(*Plane)
	if !ok || pl.closed {
		return to
	}
	for i := range pl.Paths.P {
		if t := pl.Paths.P[i].T3; t != 0 {
			to = append(to, Armed{t, fsm.EvTimeoutT3, tcb.PathID(i)})
		}
		if t := pl.Paths.P[i].ProbeDue(); t != 0 {
			to = append(to, Armed{t, fsm.EvTimeoutProbe, tcb.PathID(i)})
		}
	}
	if pl.receiving && pl.In.Deadline() != 0 {
		to = append(to, Armed{pl.In.Deadline(), fsm.EvTimeoutSack, tcb.NoPath})
	}
	return to
}
