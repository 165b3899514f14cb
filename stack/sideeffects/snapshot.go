package sideeffects

import (
	"net/netip"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/decision"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// What the explorer and tests see of an association beside its View.

// CloneTCB returns a copy of the control state.
func (a *Association) CloneTCB() tcb.TCB { return a.tcb.Clone() }

// Clone returns a copy of a on data path d that shares nothing with it that is
// ever written; d is a copy of a's, made by who knows its type. The decisions so
// far stay with a.
func (a *Association) Clone(d DataPlane) *Association {
	c := *a
	c.data = d
	c.tcb = a.tcb.Clone()
	c.local = append([]netip.Addr(nil), a.local...)
	c.dests = append([]dest(nil), a.dests...)
	c.hb = append([]mono.Time(nil), a.hb...)
	c.hbSent = append([]mono.Time(nil), a.hbSent...)
	c.cookie = append([]byte(nil), a.cookie...)
	c.ring = decision.Ref{}
	return &c
}

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
	if d, ok := a.data.(interface{ AppendArmed([]Armed) []Armed }); ok {
		return d.AppendArmed(to)
	}
	return to
}

// AppendArmed appends the timers of the data path that run.
func (pl *Plane) AppendArmed(to []Armed) []Armed {
	if pl.closed {
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

// HeldCookie returns the State Cookie that the last INIT ACK brought, not to be
// changed; it is of use in COOKIE-ECHOED.
func (a *Association) HeldCookie() []byte { return a.cookie }
