package interop

import (
	"testing"
	"time"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/interop/workload"
)

// Ours is killed in mid-transfer, with nothing said, and another process takes
// its place on the same addresses and ports. To the other side that is a
// restart of the association, if we dial (R-5.2.2-01, R-5.2.4-06, R-5.2.4-07).
// If we listen, we know nothing of it, and our ABORT (R-8.4-10, R-8.4-11) makes
// way for a new one.
func TestOursIsKilled(t *testing.T) {
	for _, c := range []struct {
		peer   *stack
		weDial bool
	}{{linux, true}, {linux, false}, {usrsctp, true}, {usrsctp, false}} {
		t.Run(pairName(c.peer, c.weDial), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, c.peer, nil)
			p.guard(p.near) // the host has another user of raw SCTP, and stays silent
			args := []string{"--again"}
			if c.peer == usrsctp && c.weDial {
				// A restart in the middle of a message that it sends has
				// usrsctp send nothing any more.
				args = append(args, "--direction", "up")
			}
			us, them := p.both(c.weDial, args...)
			p.survive(us, them, c.weDial, func() *side { return p.start(true, role(c.weDial), args...) })
		})
	}
}

// The host of one that was killed says that nobody speaks SCTP there. To the
// kernel that is the end of the association, which another replaces
// (RFC 9260 section 10, ICMP8).
func TestOursIsKilledAndItsHostTells(t *testing.T) {
	for _, weDial := range []bool{true, false} {
		t.Run(pairName(linux, weDial), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, linux, nil)
			us, them := p.both(weDial, "--again")
			p.survive(us, them, false, func() *side {
				them.event("lost 0", time.Time{}, wait)
				return p.start(true, role(weDial), "--again")
			})
		})
	}
}

// The other side's process is killed. The kernel then ends the association for
// it; usrsctp cannot, and its restart is one within the association if it dials
// (R-5.2.4-06, R-5.2.4-07).
func TestPeerIsKilled(t *testing.T) {
	for _, c := range []struct {
		peer    *stack
		weDial  bool
		restart bool
	}{{linux, true, false}, {linux, false, false}, {usrsctp, true, false}, {usrsctp, false, true}} {
		t.Run(pairName(c.peer, c.weDial), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, c.peer, nil)
			us, them := p.both(c.weDial, "--again")
			p.survive(them, us, c.restart, func() *side { return p.start(false, role(!c.weDial), "--again") })
		})
	}
}

// survive kills one side of a transfer in mid-course and has another take its
// place. The survivor is told of a restart, or of a loss, and the whole
// transfer is made again, without an error.
func (p *pair) survive(victim, survivor *side, restart bool, again func() *side) {
	p.t.Helper()
	victim.progress(100)
	survivor.progress(100)
	victim.Kill()
	if err := victim.WaitEnd(wait); err != nil {
		p.t.Fatal(err)
	}
	s := again()
	survivor.progress(200) // of the new transfer
	s.progress(200)
	r, _ := p.stop(survivor, s)
	want := [2]int{0, 1}
	if restart {
		want = [2]int{1, 0}
	}
	if got := [2]int{r.Restarts, r.Losses}; got != want {
		p.t.Errorf("%s saw %d restarts and %d losses, want %d and %d", survivor.name, got[0], got[1], want[0], want[1])
	}
	p.packets()
}

// One that was killed comes back with an address that the association does not
// have. That might be someone else who wants to take it over, and is refused;
// with the addresses of before it is a restart.
// R-5.2.2-02 R-5.2.2-03 R-5.2.2-04 R-5.2.2-10
func TestRestartWithAddedAddress(t *testing.T) {
	for _, c := range []struct {
		peer  *stack
		weDie bool
	}{{linux, true}, {usrsctp, true}, {usrsctp, false}} {
		name := c.peer.name + "-dies"
		if c.weDie {
			name = c.peer.name + "-refuses"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, c.peer, nil)
			p.guard(p.near)
			survivor := p.start(!c.weDie, "server", "--again", "--direction", "up", "--hb-ms", "30000")
			client := func(list string, more ...string) *side {
				return p.start(c.weDie, "client", append(more, "--local", list, "--direction", "up")...)
			}
			own := addrs(c.weDie)
			first := client(own[0])
			survivor.progress(100)
			first.Kill()
			if err := first.WaitEnd(wait); err != nil {
				t.Fatal(err)
			}
			cause := chunk.CauseRestartNewAddrs
			if survivor.name == usrsctp.name {
				cause = 0 // it does not say why
			}
			p.refused(client(own[0]+","+own[1]), cause)
			third := client(own[0])
			survivor.event("restart", time.Time{}, wait)
			survivor.progress(200)
			r, _ := p.stop(survivor, third)
			if r.Restarts != 1 || r.Losses != 0 {
				t.Errorf("%s saw %d restarts and %d losses, want one restart", survivor.name, r.Restarts, r.Losses)
			}
			p.packets()
		})
	}
}

// refused waits until a client has been told that it adds addresses, or just to go.
func (p *pair) refused(s *side, cause chunk.CauseCode) {
	p.t.Helper()
	r, err := s.Result(wait)
	if err != nil {
		p.t.Fatalf("%s: %v", s.name, err)
	}
	if r.Up || r.Ending != workload.CommLost || r.Cause != int(cause) {
		p.t.Errorf("%s: up=%t, %s with cause %d, want to be refused with cause %d", s.name, r.Up, r.Ending, r.Cause, cause)
	}
	s.Close()
}

// The kernel crashes, with nothing said, and boots again.
func TestKernelCrashes(t *testing.T) {
	t.Parallel()
	p := newMortalPair(t)
	reboot := func() {
		t.Helper()
		if err := p.vm.Reboot(); err != nil {
			t.Fatal(err)
		}
		if err := p.paths.FarRoutes(); err != nil {
			t.Fatal(err)
		}
	}

	// We dialled: the new kernel knows nothing of the association, and we dial
	// again until its user listens again.
	us, them := p.both(true, "--again")
	us.progress(100)
	them.progress(100)
	p.vm.Crash()
	reboot()
	them = p.start(false, "server", "--again")
	us.event("up", us.event("lost 0", time.Time{}, wait), wait)
	us.progress(200)
	them.progress(200)
	if r, _ := p.stop(us, them); r.Losses != 1 || r.Restarts != 0 {
		t.Errorf("we saw %d restarts and %d losses, want one loss", r.Restarts, r.Losses)
	}

	// It dialled, and we are silent: when it dials again, that is a restart,
	// unless it adds an address (R-5.2.2-02, R-5.2.4-06).
	us = p.start(true, "server", "--again", "--direction", "up", "--hb-ms", "30000")
	dial := func(list string) *side {
		return p.start(false, "client", "--local", list, "--direction", "up", "--hb-ms", "30000")
	}
	dial(addrs(false)[0])
	us.progress(100)
	p.vm.Crash()
	reboot()
	p.refused(dial(addrs(false)[0]+","+addrs(false)[1]), chunk.CauseRestartNewAddrs)
	them = dial(addrs(false)[0])
	us.event("restart", time.Time{}, wait)
	us.progress(200)
	if r, _ := p.stop(us, them); r.Restarts != 1 || r.Losses != 0 {
		t.Errorf("we saw %d restarts and %d losses, want one restart", r.Restarts, r.Losses)
	}
	p.packets()
}
