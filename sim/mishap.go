package sim

import (
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/sim/impair"
)

// What befalls a run beside the impairments of its links: paths that die and
// change their MTU, NATs that forget ports, processes that die and come back.

// wire is one direction of a path.
type wire struct {
	link *impair.Link
	cfg  impair.Config // while it lives
	dead int           // deaths that last
}

func (w *wire) apply() {
	cfg := w.cfg
	if w.dead > 0 {
		cfg = impair.Config{Loss: 1}
	}
	w.link.SetConfig(cfg)
}

// after calls f a time after the start.
func (r *run) after(d mono.Duration, f func()) { r.net.At(mono.Time(mono.Second).Add(d), f) }

// wiring lays the wires, and plans their deaths and changes.
func (r *run) wiring() {
	for i, p := range r.s.paths() {
		both := [2]*wire{
			{link: r.net.Connect(r.addrA[i], r.addrZ[i], p.AtoZ), cfg: p.AtoZ},
			{link: r.net.Connect(r.addrZ[i], r.addrA[i], p.ZtoA), cfg: p.ZtoA},
		}
		r.wires = append(r.wires, both[:]...)
		on := func(way Way, f func(*wire)) {
			for j, w := range both {
				if way == BothWays || (way == WayAtoZ) == (j == 0) {
					f(w)
					w.apply()
				}
			}
		}
		for _, d := range p.Dead {
			r.after(d.From, func() { r.counts[Deaths]++; on(d.Way, func(w *wire) { w.dead++ }) })
			r.after(d.To, func() { on(d.Way, func(w *wire) { w.dead-- }) })
		}
		for _, c := range p.Shifts {
			r.after(c.At, func() {
				r.counts[Shifts]++
				if c.Silent {
					r.counts[BlackHoles]++
				}
				on(c.Way, func(w *wire) { w.cfg.MTU, w.cfg.Silent = c.MTU, c.Silent })
			})
		}
	}
}

// mishaps plans what befalls the hosts.
func (r *run) mishaps() {
	for i, b := range r.s.Rebinds {
		r.after(b.At, func() {
			r.counts[Rebinds]++
			r.hosts[b.Side].Rebind(uint16(20000 + i))
		})
	}
	for _, x := range r.s.Restarts {
		r.after(x.At, func() {
			if r.hosts[x.Side].Stack == nil {
				return // it is down already
			}
			r.crash(x.Side)
			r.net.At(r.net.Now().Add(x.Down), func() { r.boot(x.Side) })
		})
	}
	for i, a := range r.s.Attacks {
		r.attack(i, a)
	}
}

// crash ends a host's process. What its stack had given to nobody yet counts
// as given: the peer may know that it arrived.
func (r *run) crash(s Side) {
	r.counts[Crashes]++
	h := r.hosts[s]
	h.link.dead = true
	for _, u := range r.users {
		if u.side == s && u.as != nil && !u.over() {
			u.crash()
		}
	}
	h.Crash()
	r.eps[s] = nil
	for _, p := range r.pairs {
		p.ep[s] = nil
	}
}

// boot starts a host's process again: it listens, and calls again whom it
// called before.
func (r *run) boot(s Side) {
	r.hosts[s].Boot()
	r.listenOn(s)
	for _, p := range r.pairs {
		if u := p.user(s); u.crashed {
			r.redial(p, s, 0)
		} else if u.as == nil && u.out.serial > 0 {
			r.dial(p, s) // it was about to
		}
	}
}

// Count is something that a scenario can have and that happened.
type Count int

// Counts.
const (
	MultiHomed Count = iota // runs with several paths
	Encapsulated
	Foreign // runs with a congestion controller of another kind
	Lost
	Duplicated
	Reordered
	Corrupted
	TooBig
	Deaths
	Shifts
	BlackHoles
	Rebinds
	Astray
	Crashes
	Restarted // notifications of a peer's restart
	Redials
	Failures // messages that were reported not to have arrived
	Ghosts   // associations that an old COOKIE ECHO made
	Injected
	Pokes

	numCounts
)

var countNames = [numCounts]string{
	"runs with several paths", "runs in UDP", "runs with a foreign congestion controller",
	"packets lost", "duplicated", "reordered", "corrupted", "too big",
	"path deaths", "changes of path MTU", "of them black holes",
	"NAT rebindings", "packets for a port that was forgotten",
	"processes killed and started again", "restarts that the peer was told of", "associations begun again",
	"messages reported as failed",
	"associations out of an old cookie", "packets injected by attackers", "other calls of the API",
}

// String says what is counted.
func (c Count) String() string { return countNames[c] }

// Counts say how often things happened.
type Counts [numCounts]uint64

// Add adds what happened in another run.
func (c *Counts) Add(other Counts) {
	for i, n := range other {
		c[i] += n
	}
}

// count completes the counts of the run.
func (r *run) count() Counts {
	c := r.counts
	flag := func(i Count, on bool) {
		if on {
			c[i] = 1
		}
	}
	flag(MultiHomed, len(r.s.More) > 0)
	flag(Encapsulated, r.s.UDP)
	flag(Foreign, r.s.CC != "" && r.s.CC != "newreno")
	for _, w := range r.wires {
		st := w.link.Stats()
		c[Lost] += st.Lost + st.QueueFull
		c[Duplicated] += st.Duplicated
		c[Reordered] += st.Reordered
		c[Corrupted] += st.Corrupted
		c[TooBig] += st.TooBig
	}
	c[Astray] = r.net.astray
	return c
}
