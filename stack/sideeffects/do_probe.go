package sideeffects

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Path MTU discovery (RFC 8899): probes go out here, and what the search finds
// goes from the path to the outqueue.

// probe lets the search on a path go on. A probe is a packet of its own, and
// never fragmented: HEARTBEAT, and PAD to the size that is asked for.
func (x *Executor) probe(c *fsm.Command) {
	a, p := x.a, c.Path
	if a.data.Raising(p) {
		// What the host says may have changed meanwhile.
		if r, ok := x.Host.Route(a.dests[p].to.Dst, a.local); ok {
			a.data.LinkMTU(p, r.MTU, x.now)
		}
	}
	size, nonce := a.data.Probe(p, uint64(c.A)<<32|uint64(c.B), x.now)
	if size == 0 {
		return
	}
	buf := x.Host.Slot(size)
	a.data.Probed(p, nonce, buf != nil, x.now)
	if buf == nil {
		return
	}
	to := a.dests[p].to
	x.pk.Begin(buf, size, a.tcb.LocalPort, a.tcb.PeerPort, a.tcb.PeerTag)
	var info [hbLen]byte
	b := chunk.AppendHeartbeat(x.pk.Tail(), appendHeartbeatInfo(info[:0], p, size, x.now, nonce, to.Dst.As16()))
	x.pk.Commit(b)
	x.pk.Commit(chunk.AppendPad(x.pk.Tail(), x.pk.Room()))
	pkt := x.pk.Finish()
	a.tx.packets++
	a.tx.bytes += uint64(len(pkt))
	x.Host.Emit(pkt, to)
}

// reduced has the chunks sent again that need packets of more than size bytes.
func (pl *Plane) reduced(p tcb.PathID, size int, now mono.Time) {
	if pl.sending {
		pl.Out.PMTUReduced(p, size, now)
	}
}

// TooBig implements DataPlane. What a router takes need not go again even if
// it is more than what is sent until a probe has shown that.
func (pl *Plane) TooBig(p tcb.PathID, mtu int, now mono.Time) {
	if q := &pl.Paths.P[p]; q.TooBig(mtu, now) {
		pl.reduced(p, mtu-q.Overhead, now)
	}
}

// LinkMTU implements DataPlane.
func (pl *Plane) LinkMTU(p tcb.PathID, mtu int, now mono.Time) {
	if q := &pl.Paths.P[p]; q.LinkMTU(mtu, now) {
		pl.reduced(p, q.PMTU, now)
	}
}

// PathUp implements DataPlane.
func (pl *Plane) PathUp(p tcb.PathID, now mono.Time) {
	q := &pl.Paths.P[p]
	if pl.probing {
		q.StartProbing(now)
	}
	if q.Up(now) {
		pl.reduced(p, q.PMTU, now)
	}
}

// Raising implements DataPlane.
func (pl *Plane) Raising(p tcb.PathID) bool { return pl.Paths.P[p].Raising() }

// Probe implements DataPlane. When the first path is worth probing all are:
// what fails over should find their sizes known.
func (pl *Plane) Probe(p tcb.PathID, fresh uint64, now mono.Time) (size int, nonce uint64) {
	if !pl.probing {
		pl.probing = true
		for i := range pl.Paths.P {
			pl.Paths.P[i].StartProbing(now)
		}
	}
	q := &pl.Paths.P[p]
	return q.Probe(now), q.ProbeNonce(fresh)
}

// Probed implements DataPlane.
func (pl *Plane) Probed(p tcb.PathID, nonce uint64, sent bool, now mono.Time) {
	if q := &pl.Paths.P[p]; sent {
		q.ProbeSent(nonce, now)
	} else {
		q.ProbeLater(now)
	}
}

// AnswersProbe implements DataPlane.
func (pl *Plane) AnswersProbe(p tcb.PathID, nonce uint64, size int, at mono.Time) (known, last bool) {
	q := &pl.Paths.P[p]
	known = q.AnswersProbe(nonce, size)
	return known, known && q.LastProbe(size, at)
}

// ProbeAcked implements DataPlane.
func (pl *Plane) ProbeAcked(p tcb.PathID, size int, now mono.Time) {
	if q := &pl.Paths.P[p]; q.ProbeAcked(size, now) {
		pl.reduced(p, q.PMTU, now)
	}
}

// Alive implements DataPlane.
func (pl *Plane) Alive(p tcb.PathID, now mono.Time) { pl.Paths.P[p].Alive(now) }
