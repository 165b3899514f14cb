// Package cc is an example of a congestion controller that is not the stack's
// own: CUBIC (RFC 9438) written against path.Controller, as anybody outside
// this project would write it. It is plugged in by configuration alone:
//
//	cfg := &socketapi.Config{Congestion: func() path.Controller { return new(cc.Cubic) }}
//
// Windows are in bytes of DATA chunks, as everywhere in path; a segment is the
// PMDCS of the path.
package cc

import (
	"math"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/pipes/path"
)

// Constants of RFC 9438: the multiplicative decrease factor of section 4.6, C
// of section 5 in segments per second cubed, and the additive increase of
// section 4.3 that is as aggressive as Reno with that decrease.
const (
	beta  = 0.7
	c     = 0.4
	alpha = 3 * (1 - beta) / (1 + beta)
)

// Cubic is the congestion controller of one path. Its zero value is ready to
// use. Slow start and the decay of an idle window are NewReno's.
type Cubic struct {
	path.NewReno

	wMax  float64   // window at the last reduction, in segments; 0 before the first
	start mono.Time // of the present congestion avoidance; zero between two of them
	k     float64   // seconds from then to wMax
	from  float64   // the plateau of the cubic function, in segments
	reno  float64   // what Reno's window would be now, in segments
}

// Reset implements path.Controller.
func (u *Cubic) Reset(p *path.Path) {
	*u = Cubic{NewReno: u.NewReno}
	u.NewReno.Reset(p)
}

// Acked implements path.Controller by RFC 9438 sections 4.2 to 4.5.
func (u *Cubic) Acked(p *path.Path, a path.Ack) {
	if p.Cwnd <= p.Ssthresh {
		u.NewReno.Acked(p, a)
		return
	}
	if a.Recovery || a.Flight < p.Cwnd {
		return // section 5.8: a window that is not used does not grow
	}
	segment := float64(p.PMDCS())
	cwnd := float64(p.Cwnd) / segment
	acked := float64(a.Bytes) / segment
	if u.start.IsZero() {
		u.begin(cwnd, a.Now)
	}
	u.reno += alpha * acked / cwnd

	t := a.Now.Sub(u.start).Seconds()
	if w := u.window(t); w < u.reno { // the Reno-friendly region
		u.set(p, max(cwnd, u.reno)*segment)
		return
	}
	// A round trip ahead, and at most half as much again in one.
	target := min(max(u.window(t+p.SRTT.Seconds()), cwnd), 1.5*cwnd)
	u.set(p, (cwnd+(target-cwnd)/cwnd*acked)*segment)
}

// begin starts a congestion avoidance.
func (u *Cubic) begin(cwnd float64, now mono.Time) {
	u.start, u.reno = now, cwnd
	u.k, u.from = 0, cwnd
	if cwnd < u.wMax {
		u.k, u.from = math.Cbrt((u.wMax-cwnd)/c), u.wMax
	}
}

// window is W_cubic of section 4.2. The products are rounded one by one, so
// that it is the same number on every processor.
func (u *Cubic) window(t float64) float64 {
	d := t - u.k
	return float64(c*float64(float64(d*d)*d)) + u.from
}

func (u *Cubic) set(p *path.Path, bytes float64) { p.Cwnd = max(int(bytes), p.PMDCS()) }

// Lost implements path.Controller by sections 4.6 and 4.7.
func (u *Cubic) Lost(p *path.Path, _ mono.Time) {
	u.reduce(p)
	p.Cwnd = p.Ssthresh
}

// Timeout implements path.Controller by section 4.8.
func (u *Cubic) Timeout(p *path.Path, _ mono.Time) {
	u.reduce(p)
	p.Cwnd = p.PMDCS()
}

func (u *Cubic) reduce(p *path.Path) {
	segment := float64(p.PMDCS())
	cwnd := float64(p.Cwnd) / segment
	if cwnd < u.wMax {
		u.wMax = cwnd * (1 + beta) / 2 // fast convergence: another flow wants room
	} else {
		u.wMax = cwnd
	}
	u.start = 0
	p.Ssthresh = max(int(math.Round(float64(p.Cwnd)*beta)), 2*p.PMDCS())
	p.PartialBytesAcked = 0
}

// Idle implements path.Controller. The time without sending must not count
// for growth (section 5.8).
func (u *Cubic) Idle(p *path.Path, first bool) {
	u.NewReno.Idle(p, first)
	u.start = 0
}
