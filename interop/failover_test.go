package interop

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gosctp/gosctp/interop/lab"
	"github.com/gosctp/gosctp/interop/workload"
	"github.com/gosctp/gosctp/sim/impair"
)

// A death is what happens to the first link, which carries the primary paths.
type death struct {
	name       string
	kill, heal func(*lab.Paths) error
	spares     string // the side whose DATA still arrives, or which is told by its host
}

const (
	near = "near" // ours
	far  = "far"
)

var (
	nearDown = death{"near-down", func(p *lab.Paths) error { return p.NearDown(0) }, func(p *lab.Paths) error { return p.NearUp(0) }, near}
	farDown  = death{"far-down", func(p *lab.Paths) error { return p.FarDown(0) }, func(p *lab.Paths) error { return p.FarUp(0) }, ""}
	silent   = death{"silent", func(p *lab.Paths) error { return p.Mute(0) }, unmute, ""}
	// One direction is lost, and so are acknowledgements for the other.
	oneWayIn  = death{"one-way-in", func(p *lab.Paths) error { return p.MuteToFar(0) }, unmute, far}
	oneWayOut = death{"one-way-out", func(p *lab.Paths) error { return p.MuteToNear(0) }, unmute, near}
	// What is for the first far address goes by the second link then, and on its
	// way is taken for a forgery, from either of our addresses.
	detour = death{"detour", func(p *lab.Paths) error {
		if err := p.Detour(); err != nil {
			return err
		}
		if err := p.ReversePath(true); err != nil {
			return err
		}
		return p.NearDown(0)
	}, func(p *lab.Paths) error {
		if err := p.ReversePath(false); err != nil {
			return err
		}
		return p.NearUp(0)
	}, ""}
)

func unmute(p *lab.Paths) error { return p.Unmute(0) }

// A failover is a transfer in both directions that loses its primary path and
// gets it back.
type failover struct {
	peer     *stack
	weDial   bool
	death    death
	impaired bool
	retrans  int // Path.Max.Retrans, 0: pathRetrans
}

func (f failover) String() string {
	who, link := f.peer.name+"-ours", "clean"
	if f.weDial {
		who = "ours-" + f.peer.name
	}
	if f.impaired {
		link = "impaired"
	}
	if f.retrans > 0 {
		link += fmt.Sprint("/retrans-", f.retrans)
	}
	return fmt.Sprintf("%s/%s/%s", who, f.death.name, link)
}

// The first of two links dies in mid-transfer and returns. Both sides give up
// their primary path when RTO and Path.Max.Retrans say so, go on over the other,
// and use the first one again when it is back. No message is lost, doubled or
// out of order.
//
// R-5.4-02 R-6.4-01 R-6.4.1-01 R-8.2-02 R-8.2-03 R-8.2-05 R-8.3-07 R-8.3-11 R-8.3-13
func TestFailover(t *testing.T) {
	all := []failover{
		{peer: linux, weDial: true, death: nearDown}, {peer: linux, weDial: true, death: silent, impaired: true},
		{peer: linux, weDial: true, death: detour}, {peer: linux, death: silent, retrans: 4}, {peer: linux, death: farDown, impaired: true},
		{peer: linux, death: oneWayOut}, {peer: usrsctp, weDial: true, death: silent}, {peer: usrsctp, weDial: true, death: nearDown, impaired: true},
		{peer: usrsctp, death: silent, retrans: 4}, {peer: usrsctp, death: farDown}, {peer: usrsctp, death: oneWayIn}, {peer: usrsctp, death: detour},
	}
	if *full {
		all = everyFailover()
	}
	for _, f := range all {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			f.do(t)
		})
	}
}

func everyFailover() (all []failover) {
	for _, peer := range []*stack{linux, usrsctp} {
		for _, weDial := range []bool{true, false} {
			for _, d := range []death{nearDown, farDown, silent, oneWayIn, oneWayOut, detour} {
				for _, retrans := range []int{1, 4} {
					all = append(all, failover{peer: peer, weDial: weDial, death: d, retrans: retrans})
				}
				for _, impaired := range []bool{false, true} {
					all = append(all, failover{peer: peer, weDial: weDial, death: d, impaired: impaired})
				}
			}
		}
	}
	return all
}

func (f failover) do(t *testing.T) {
	var imp *impair.Config
	if f.impaired {
		imp = &impairment
	}
	p := newPair(t, f.peer, imp)
	retrans := pathRetrans
	if f.retrans > 0 {
		retrans = f.retrans
	}
	us, them := p.both(f.weDial, "--path-retrans", fmt.Sprint(retrans))
	p.confirmed(us, them, f.weDial)
	sides := []*side{us, them}
	for _, s := range sides {
		s.progress(100)
	}
	switch f.death.spares { // those who lose the path
	case near:
		sides = sides[1:]
	case far:
		sides = sides[:1]
	}

	before := time.Now()
	if err := f.death.kill(p.paths); err != nil {
		t.Fatal(err)
	}
	dead := time.Now()
	// RFC 9260 section 8.2: Path.Max.Retrans+1 timeouts in a row, the first of
	// which was under way already, and one of which may be a heartbeat's. What
	// had arrived, but whose acknowledgement died, may clear the counter once.
	lower, upper := backoff(rtoMin, retrans), backoff(rtoMin, retrans+2)+slack
	if f.impaired { // RTO is larger
		upper = time.Duration(retrans+2)*rtoMax + slack
	}
	lost := make([]time.Time, 2)
	for i, s := range sides {
		lost[i] = s.event("path "+s.to[0]+" unreachable", before, upper)
	}
	for _, s := range []*side{us, them} {
		s.progress(100)
	}

	healed := time.Now()
	if err := f.death.heal(p.paths); err != nil {
		t.Fatal(err)
	}
	// A heartbeat each HB.interval + RTO +-50 %. On a bad link some are lost.
	cycle := hbInterval + rtoMax*3/2 + rtoMax
	returns := cycle + slack
	if f.impaired {
		returns += 2 * cycle
	}
	back := make([]time.Time, 2)
	for i, s := range sides {
		back[i] = s.event("path "+s.to[0]+" available", healed, returns)
	}
	for _, s := range []*side{us, them} {
		s.progress(100)
	}
	p.stop(us, them)

	sent := p.packets()
	if f.death.name == nearDown.name {
		f.told(t, us, sent, dead, healed)
	}
	for i, s := range sides {
		var life time.Time // when the other side was last heard before
		var alternate, late int
		var again time.Time
		for _, k := range sent {
			first, data := k.Dst == s.to[0], k.Has(chunkData)
			switch {
			case slices.Contains(s.to[:], k.Src) && k.At.Before(before):
				life = k.At
			case first && data && k.At.After(lost[i]) && k.At.Before(healed):
				late++
			case k.Dst == s.to[1] && data && k.At.After(lost[i]) && k.At.Before(healed):
				alternate++
			case first && data && k.At.After(healed) && again.IsZero():
				again = k.At
			}
		}
		took := lost[i].Sub(life)
		if s == us && took < lower-20*time.Millisecond || lost[i].Sub(dead) > upper {
			t.Errorf("%s gave the path up after %v, want %v to %v", s.name, took, lower, upper)
		}
		// With no path left, any will do.
		if none, _ := s.saw("path "+s.to[1]+" unreachable", lost[i]); late > 0 && !none || alternate < 10 {
			t.Errorf("%s then sent %d packets with DATA to the dead address, and %d to the other one", s.name, late, alternate)
		}
		if again.IsZero() {
			t.Errorf("%s sent no DATA on the path that was back", s.name)
		}
		t.Logf("%s gave the path up after %v and took it back %v after its return, DATA %v after", s.name, took.Round(time.Millisecond),
			back[i].Sub(healed).Round(time.Millisecond), again.Sub(healed).Round(time.Millisecond))
	}
}

// told checks that the side whose own host knows of the death waits for no
// timeouts, neither to go nor to come back.
func (f failover) told(t *testing.T, s *side, sent []lab.Packet, dead, healed time.Time) {
	t.Helper()
	var gone, back time.Time // when DATA went to either address
	for _, k := range sent {
		if data := k.Has(chunkData); data && k.Dst == s.to[1] && k.At.After(dead) && gone.IsZero() {
			gone = k.At
		} else if data && k.Dst == s.to[0] && k.At.After(healed) && back.IsZero() {
			back = k.At
		}
	}
	if gone.IsZero() || gone.Sub(dead) > slack || back.IsZero() || back.Sub(healed) > hbInterval+rtoMax+slack {
		t.Errorf("%s sent DATA to the other address after %v, and to the first after %v", s.name, gone.Sub(dead), back.Sub(healed))
	}
	t.Logf("%s sent DATA to the other address after %v, and to the first %v after its return", s.name,
		gone.Sub(dead).Round(time.Millisecond), back.Sub(healed).Round(time.Millisecond))
}

// confirmed waits until the server's stack has both addresses of the client
// confirmed. To the client's the user has vouched for both (RFC 9260 section 5.4).
func (p *pair) confirmed(us, them *side, weDial bool) {
	p.t.Helper()
	server, both := us, false
	if weDial {
		// It tells of the address of the handshake, too.
		server, both = them, p.peer == usrsctp
	}
	_, err := server.Wait(wait, "the addresses to be confirmed", func(lines []string) (string, bool) {
		n := 0
		for _, to := range server.to {
			if slices.Contains(lines, "EVENT path "+to+" confirmed") {
				n++
			}
		}
		return "", n == 2 || n == 1 && !both
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// Both links fall silent, until both sides have given up all paths, and return:
// the transfer goes on.
// R-8.1-04 R-8.1-07 R-8.3-07 R-8.3-08 R-8.3-11
func TestOutage(t *testing.T) {
	for _, peer := range []*stack{linux, usrsctp} {
		for _, weDial := range []bool{true, false} {
			if !*full && weDial != (peer == linux) {
				continue
			}
			t.Run(pairName(peer, weDial), func(t *testing.T) {
				t.Parallel()
				p := newPair(t, peer, nil)
				us, them := p.both(weDial)
				p.confirmed(us, them, weDial)
				sides := []*side{us, them}
				for _, s := range sides {
					s.progress(100)
				}
				before := time.Now()
				for link := range 2 {
					if err := p.paths.Mute(link); err != nil {
						t.Fatal(err)
					}
				}
				for _, s := range sides {
					for _, to := range s.to {
						s.event("path "+to+" unreachable", before, wait)
					}
				}
				healed := time.Now()
				for link := range 2 {
					if err := p.paths.Unmute(link); err != nil {
						t.Fatal(err)
					}
				}
				for _, s := range sides {
					for _, to := range s.to {
						s.event("path "+to+" available", healed, wait)
					}
					s.progress(100)
				}
				p.stop(us, them)
				p.packets()
			})
		}
	}
}

// Both links fall silent, and stay so: both sides give the association up, within
// the timeouts that Association.Max.Retrans allows.
// R-8.1-01 R-8.1-03 R-8.1-04 R-8.1-05
func TestLinksDieForGood(t *testing.T) {
	const retrans = 5
	for _, peer := range []*stack{linux, usrsctp} {
		t.Run(pairName(peer, true), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, peer, nil)
			us, them := p.both(true, "--assoc-retrans", fmt.Sprint(retrans))
			p.confirmed(us, them, true)
			for _, s := range []*side{us, them} {
				s.progress(100)
			}
			before := time.Now()
			for link := range 2 {
				if err := p.paths.Mute(link); err != nil {
					t.Fatal(err)
				}
			}
			// Some timeouts are of one path, while the other one's runs.
			const bound = 2*(retrans+2)*rtoMax + slack
			for _, s := range []*side{us, them} {
				at := s.event("lost 0", before, bound)
				r, err := s.Result(wait)
				if err != nil {
					t.Fatal(err)
				}
				if r.Ending != workload.CommLost {
					t.Errorf("%s: ended with %q", s.name, r.Ending)
				}
				t.Logf("%s gave up after %v", s.name, at.Sub(before).Round(time.Millisecond))
			}
			p.packets()
		})
	}
}

// backoff is the sum of the first timeouts in a row.
func backoff(rto time.Duration, timeouts int) (sum time.Duration) {
	for range timeouts {
		sum += min(rto, rtoMax)
		rto *= 2
	}
	return sum
}
