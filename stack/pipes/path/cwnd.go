package path

import "github.com/gosctp/gosctp/internal/mono"

// Congestion control per peer address: RFC 9260 section 7.2.

// Time is a point in time, in nanoseconds since the stack began, or virtual: a
// name for who writes a Controller outside this module.
type Time = mono.Time

// Duration is a span of time in nanoseconds.
type Duration = mono.Duration

// A Controller decides the congestion window of a path. It writes Cwnd,
// Ssthresh and PartialBytesAcked of the Path it is given and nothing else;
// what more it needs it keeps itself, so one that keeps something serves one
// path. Window sizes are in bytes of DATA chunks with headers and padding.
type Controller interface {
	// Reset sets the initial window: a new or restarted association, or a
	// changed route (section 7.2.5).
	Reset(p *Path)
	// Acked is called once per SACK that acknowledges something new on p,
	// before Lost for the same SACK. p.Flight is already reduced.
	Acked(p *Path, a Ack)
	// Lost is called when p enters Fast Recovery, not again while in it.
	Lost(p *Path, now Time)
	// Timeout is called when T3-rtx of p expired with DATA in flight.
	Timeout(p *Path, now Time)
	// Idle is called for each RTO in which nothing was sent on p; first is
	// set on the first such call since DATA was sent.
	Idle(p *Path, first bool)
}

// An Ack describes what one SACK acknowledges on a path.
type Ack struct {
	Bytes    int  // newly acknowledged, each DATA chunk once
	Flight   int  // flightsize when the SACK arrived
	Recovery bool // the association was in Fast Recovery when the SACK arrived
	Drained  bool // nothing sent to this path remains unacknowledged
	Now      mono.Time
}

// unlimited is the initial ssthresh, "arbitrarily high" (section 7.2.1).
const unlimited = 1 << 30

// NewReno is the congestion control of RFC 9260 section 7.2. Its zero value is
// ready to use.
type NewReno struct {
	// L bounds what one SACK may add to cwnd in slow start, in PMDCS; 0
	// means 1 (section 7.2.1, RFC 3465).
	L int
}

// Reset implements Controller by section 7.2.1. Config.InitialBurst, in
// packets, replaces the RFC's initial window.
func (NewReno) Reset(p *Path) {
	pmdcs := p.PMDCS()
	floor := 4404
	if p.v6() {
		floor = 4344
	}
	p.Cwnd = min(4*pmdcs, max(2*pmdcs, floor))
	if p.cfg.InitialBurst > 0 {
		p.Cwnd = p.cfg.InitialBurst * pmdcs
	}
	p.Ssthresh = unlimited
	p.PartialBytesAcked = 0
}

// Acked implements Controller by sections 7.2.1 and 7.2.2. Bytes reported in
// Duplicate TSNs, which section 7.2.2 lets a sender count as well, are not.
func (c NewReno) Acked(p *Path, a Ack) {
	switch {
	case p.Cwnd <= p.Ssthresh: // slow start
		if a.Flight >= p.Cwnd && !a.Recovery {
			p.Cwnd += min(a.Bytes, max(c.L, 1)*p.PMDCS())
		}
	default: // congestion avoidance
		p.PartialBytesAcked += a.Bytes
		if a.Flight < p.Cwnd {
			p.PartialBytesAcked = min(p.PartialBytesAcked, p.Cwnd)
		} else if p.PartialBytesAcked >= p.Cwnd {
			p.PartialBytesAcked -= p.Cwnd
			p.Cwnd += p.PMDCS()
		}
	}
	if a.Drained {
		p.PartialBytesAcked = 0
	}
}

// Lost implements Controller by section 7.2.3.
func (NewReno) Lost(p *Path, _ mono.Time) {
	p.Ssthresh = max(p.Cwnd/2, 4*p.PMDCS())
	p.Cwnd = p.Ssthresh
	p.PartialBytesAcked = 0
}

// Timeout implements Controller by section 7.2.3.
func (NewReno) Timeout(p *Path, _ mono.Time) {
	p.Ssthresh = max(p.Cwnd/2, 4*p.PMDCS())
	p.Cwnd = p.PMDCS()
	p.PartialBytesAcked = 0
}

// Idle implements Controller by section 7.2.1. A window below the floor of
// the decay stays: the rule is there to shrink it.
func (NewReno) Idle(p *Path, first bool) {
	n := max(p.Cwnd/2, 4*p.PMDCS())
	if n >= p.Cwnd {
		return
	}
	if first {
		p.Ssthresh = p.Cwnd
	}
	p.Cwnd = n
}

// OnIdle lets the window decay if nothing was sent for an RTO or more. It may
// be called at any time, as often as one likes.
func (p *Path) OnIdle(now mono.Time) {
	if p.Flight > 0 || p.idleFrom.IsZero() || p.RTO <= 0 {
		return
	}
	n := now.Sub(p.idleFrom) / p.RTO
	if n <= 0 {
		return
	}
	p.idleFrom = p.idleFrom.Add(n * p.RTO)
	// The window halves: after 32 RTOs there is nothing left to decay.
	for range min(n, 32) {
		p.CC.Idle(p, !p.decayed)
		p.decayed = true
	}
}
