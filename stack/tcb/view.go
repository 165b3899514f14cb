package tcb

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
)

// View is what a state function sees of a TCB: getters only. The zero View
// stands for no TCB.
type View struct{ t *TCB }

// ViewOf returns a View of t, which may be nil.
func ViewOf(t *TCB) View { return View{t} }

// Exists reports whether there is a TCB.
func (v View) Exists() bool { return v.t != nil }

// State returns Closed where there is no TCB.
func (v View) State() State {
	if v.t == nil {
		return Closed
	}
	return v.t.State
}

// The getters below need a TCB.

// Config returns the protocol parameters.
func (v View) Config() *Config { return v.t.Cfg }

// LocalTag returns the tag that we expect in packets.
func (v View) LocalTag() chunk.VTag { return v.t.LocalTag }

// PeerTag returns the tag that the peer expects, 0 if not known yet.
func (v View) PeerTag() chunk.VTag { return v.t.PeerTag }

// TieTags returns the nonces that stand for the two tags in cookies.
func (v View) TieTags() (local, peer uint32) { return v.t.TieLocal, v.t.TiePeer }

// LocalTSN returns the own Initial TSN.
func (v View) LocalTSN() chunk.TSN { return v.t.LocalTSN }

// Errors returns the association error counter.
func (v View) Errors() int { return int(v.t.Errors) }

// InitTries returns how often INIT and COOKIE ECHO were retransmitted.
func (v View) InitTries() int { return int(v.t.InitTries) }

// StaleRetries returns how many Stale Cookie errors were answered.
func (v View) StaleRetries() int { return int(v.t.StaleRetries) }

// ShutdownAsked reports whether the user closed during set-up or after the peer.
func (v View) ShutdownAsked() bool { return v.t.ShutdownAsked }

// CtlPath returns where the last set-up or teardown chunk went.
func (v View) CtlPath() PathID { return v.t.CtlPath }

// CtlSent returns when the last INIT or COOKIE ECHO was first sent.
func (v View) CtlSent() mono.Time { return v.t.CtlSent }

// Primary returns the primary path.
func (v View) Primary() PathID { return v.t.Primary }

// NumPaths returns the number of paths.
func (v View) NumPaths() int { return len(v.t.Paths) }

// Path returns the control state of path p, a zero one if there is none.
func (v View) Path(p PathID) PathCtl {
	if int(p) >= len(v.t.Paths) {
		return PathCtl{}
	}
	return v.t.Paths[p]
}

// SelectPaths returns the paths for new data and for retransmissions.
func (v View) SelectPaths() (active, retran PathID) { return v.t.SelectPaths() }

// NextPath returns the next path after p that a set-up or teardown chunk may
// be retransmitted to: confirmed, and preferably active and not cut.
func (v View) NextPath(p PathID) PathID {
	n := PathID(len(v.t.Paths))
	best, rank := p, 0
	for i := PathID(1); i <= n; i++ {
		q := &v.t.Paths[(p+i)%n]
		r := 0
		switch {
		case q.Usable():
			r = 4
		case q.State == PathInactive && !q.Cut:
			r = 3
		case q.State == PathActive:
			r = 2
		case q.State == PathInactive:
			r = 1
		}
		if r > rank {
			best, rank = (p+i)%n, r
		}
	}
	return best
}

// TimerArmed reports whether control timer id runs.
func (v View) TimerArmed(id TimerID) bool { return v.t.Armed&(1<<id) != 0 }
