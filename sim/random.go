package sim

import (
	"math/rand/v2"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/sim/impair"
	"github.com/gosctp/gosctp/stack/tcb"
)

// generator makes the scenario of a seed.
type generator struct {
	*rand.Rand
	s     Scenario
	tame  bool // nothing happens that excuses a lost message
	calm  bool // processes may restart and NATs forget, but nothing else does
	alive int  // this path is to live; -1: none need
	// mobile: only the NAT of who calls forgets ports, so that both find each
	// other again.
	mobile bool
	caller Side
}

func (g *generator) chance(p float64) bool { return g.Float64() < p }

func (g *generator) pick(d ...mono.Duration) mono.Duration { return d[g.IntN(len(d))] }

// Random returns the scenario of a seed: one to four paths, and any of all
// that a Scenario can have.
func Random(seed uint64) Scenario {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0x7363656e6172696f)), alive: -1}
	s := &g.s
	s.V6, s.MTU = g.chance(.3), []int{1500, 1500, 1500, 9000, 1280, 65535}[g.IntN(6)]
	if !s.V6 && g.chance(.1) {
		s.MTU = 576
	}
	n := []int{1, 1, 1, 1, 1, 2, 2, 3, 4}[g.IntN(9)]
	g.tame = g.chance(.4)
	g.calm = !g.tame && g.chance(.4)
	if g.tame && n > 1 {
		g.alive = g.IntN(n)
	}
	for i := range n {
		p := g.path(i, n)
		if i == 0 {
			s.AtoZ, s.ZtoA, s.Dead, s.Shifts = p.AtoZ, p.ZtoA, p.Dead, p.Shifts
		} else {
			s.More = append(s.More, p)
		}
	}
	s.A, s.Z = randomConfig(g.Rand), randomConfig(g.Rand)
	s.Wildcard = n > 1 && g.chance(.3)
	if n > 1 && !g.tame && g.chance(.5) {
		s.Known = 1 + g.IntN(n)
	}
	if g.chance(.2) {
		s.CC = "cubic"
	}
	if g.chance(.2) {
		s.UDP = true
		if !g.tame {
			g.mobile, g.caller = g.calm && g.chance(.7), Side(g.IntN(2))
			for range 1 + g.IntN(4) {
				b := Rebind{At: g.time(), Side: Side(g.IntN(2))}
				if g.mobile {
					b.Side = g.caller
				}
				s.Rebinds = append(s.Rebinds, b)
			}
		}
	}
	if !g.tame && !g.mobile && g.chance(.6) {
		for range 1 + g.IntN(4) {
			s.Restarts = append(s.Restarts, Restart{At: g.time(), Side: Side(g.IntN(2)),
				Down: g.pick(0, ms, 50*ms, 50*ms, 3*mono.Second, 100*mono.Second)})
		}
	}
	if g.chance(.3) {
		g.attacks()
	}
	for range 1 + g.IntN(3) {
		s.Assocs = append(s.Assocs, g.assoc())
	}
	g.patience(n)
	return *s
}

// time returns a time at which an association is likely to be busy.
func (g *generator) time() mono.Duration {
	return mono.Duration(g.ExpFloat64() * float64(g.pick(50*ms, 300*ms, 300*ms, 3*mono.Second, 30*mono.Second)))
}

// path returns path i of n.
func (g *generator) path(i, n int) PathPlan {
	p := PathPlan{AtoZ: randomLink(g.Rand, g.s.MTU, g.leastMTU())}
	p.ZtoA = p.AtoZ
	if g.chance(.4) {
		p.ZtoA = randomLink(g.Rand, g.s.MTU, g.leastMTU())
	}
	switch {
	case i == g.alive:
		for _, c := range []*impair.Config{&p.AtoZ, &p.ZtoA} {
			c.Loss, c.LossBurst, c.Corrupt = min(c.Loss, .02), 0, 0
		}
	case g.calm:
		p.AtoZ.LossBurst, p.ZtoA.LossBurst = 0, 0
	case n > 1:
		at := g.pick(0, 20*ms, 500*ms, 3*mono.Second)
		for range g.IntN(4) {
			d := Span{From: at, To: at + g.pick(100*ms, 2*mono.Second, 20*mono.Second, 100*mono.Second, 1000*mono.Second), Way: Way(g.IntN(3))}
			p.Dead = append(p.Dead, d)
			at = d.To + g.pick(50*ms, mono.Second, 30*mono.Second)
		}
	case !g.tame && g.chance(.2):
		from := g.pick(0, 30*ms, 500*ms, 3*mono.Second)
		p.Dead = append(p.Dead, Span{From: from, To: from + g.pick(300*ms, 4*mono.Second, 40*mono.Second, 2000*mono.Second)})
	}
	if g.chance(.2) {
		for range 1 + g.IntN(3) {
			c := Shift{At: g.time(), Way: Way(g.IntN(3)), MTU: g.s.MTU}
			if least := g.leastMTU(); g.s.MTU > least && g.chance(.7) {
				c.MTU = least + g.IntN(g.s.MTU-least)
				c.Silent = g.chance(.5)
			}
			p.Shifts = append(p.Shifts, c)
		}
	}
	return p
}

func (g *generator) attacks() {
	for range 1 + g.IntN(3) {
		kind := AttackKind(g.IntN(int(numAttacks)))
		if kind == AttackOnPath && (g.tame || g.calm || g.chance(.5)) {
			kind = AttackReplay
		}
		if kind == AttackReplay && g.calm {
			kind = AttackChunks
		}
		a := Attack{Kind: kind, From: g.pick(0, 0, 30*ms, mono.Second), Every: g.pick(ms, 5*ms, 50*ms, mono.Second)}
		a.To = a.From + g.pick(500*ms, 10*mono.Second, 100*mono.Second)
		g.s.Attacks = append(g.s.Attacks, a)
	}
}

func (g *generator) assoc() AssocPlan {
	s := &g.s
	a := AssocPlan{Start: g.pick(0, 0, 5*ms, 200*ms), Open: OpenByA}
	switch g.IntN(10) {
	case 0, 1:
		a.Open = OpenByZ
	case 2, 3:
		a.Open = OpenBoth
		a.Skew = g.pick(0, 0, s.AtoZ.Delay, s.AtoZ.Delay/2, 2*s.AtoZ.Delay)
	case 4:
		if g.chance(.5) {
			a.Open = OpenNobody
		}
	}
	if g.mobile {
		a.Open = Opening(g.caller) // by A, or by Z
	}
	a.A, a.Z = randomUser(g.Rand, &s.A, &s.Z), randomUser(g.Rand, &s.Z, &s.A)
	for _, u := range []*UserPlan{&a.A, &a.Z} {
		if busy := len(s.More) + len(s.Restarts) + len(s.Rebinds); busy > 0 && g.chance(.5) {
			u.Pace = g.pick(20*ms, 300*ms, 3*mono.Second)
		}
		if g.chance(.25) {
			u.Pokes, u.PokeEvery = 1+g.IntN(20), g.pick(ms, 20*ms, 500*ms)
		}
	}
	a.Leave = g.chance(.3)
	if len(s.Restarts) > 0 && g.chance(.8) || !g.tame && g.chance(.1) {
		a.Redials = 1 + g.IntN(2+2*len(s.Restarts))
	}
	g.closing(&a)
	return a
}

// closing chooses how an association ends; somebody has to end it.
func (g *generator) closing(a *AssocPlan) {
	kind := g.IntN(8)
	if g.alive >= 0 {
		kind = g.IntN(5) // who closes at a time may have sent nothing
	}
	switch kind {
	case 0, 1, 2:
		a.A.Closing = CloseWhenSent
	case 3:
		a.Z.Closing = CloseWhenSent
	case 4:
		a.A.Closing, a.Z.Closing = CloseWhenSent, CloseWhenSent
	case 5:
		a.A.Closing, a.A.CloseAt = CloseAt, g.pick(0, 10*ms, 50*ms, mono.Second)
	case 6:
		a.A.Closing, a.A.CloseAt = CloseAt, g.pick(0, 10*ms, 100*ms, mono.Second)
		a.Z.Closing, a.Z.CloseAt = CloseAt, a.A.CloseAt
	case 7:
		a.Z.Closing = CloseWhenSent
		if !g.tame && !g.calm {
			a.A.Closing, a.A.CloseAt = AbortAt, g.pick(0, 10*ms, 50*ms, 300*ms, 5*mono.Second)
		}
	}
}

// patience sets what is given up when, and what notices that a peer is gone.
func (g *generator) patience(paths int) {
	for _, c := range []*tcb.Config{&g.s.A, &g.s.Z} {
		if paths > 1 {
			c.HBInterval = g.pick(mono.Second, 5*mono.Second, 30*mono.Second)
			if g.chance(.3) {
				c.PathMaxRetrans = g.IntN(4)
			}
		}
		if g.alive >= 0 {
			c.PathMaxRetrans = g.IntN(3)
			c.AssocMaxRetrans = 30
			c.MaxInitRetransmits = 4 * paths
			c.ShutdownGuard = 3600 * mono.Second
		}
		// Without heartbeats nobody notices that an idle peer is gone.
		if c.HBInterval == 0 && (!g.s.Reliable() || len(g.s.Attacks) > 0) {
			c.HBInterval = 10 * mono.Second
		}
	}
}

// leastMTU is the smallest that a path may have: every IPv6 link takes 1280
// bytes (RFC 8200 section 5).
func (g *generator) leastMTU() int {
	if g.s.V6 {
		return 1280
	}
	return 600
}

func randomLink(rng *rand.Rand, mtu, least int) impair.Config {
	c := impair.Config{Delay: mono.Duration(rng.IntN(80)) * ms / 2}
	some := func(p, max float64) float64 {
		if rng.Float64() >= p {
			return 0
		}
		return rng.Float64() * max
	}
	if rng.IntN(5) == 0 {
		return c // a clean link
	}
	c.Loss = some(.7, .1)
	if rng.IntN(20) == 0 {
		c.Loss = some(1, .3)
	}
	if rng.IntN(4) == 0 && c.Loss < .1 {
		c.LossBurst = 1 + rng.Float64()*3
	}
	c.Duplicate = some(.4, .1)
	c.Corrupt = some(.3, .05)
	c.Jitter = mono.Duration(some(.5, float64(10*ms)))
	if c.Reorder = some(.5, .3); c.Reorder > 0 {
		c.ReorderDelay = mono.Duration(1+rng.IntN(40)) * ms
	}
	if rng.IntN(3) == 0 {
		c.Rate = 1e5 << rng.IntN(10)
		c.Queue = max(4*mtu, int(c.Rate/8/10)) // a tenth of a second
	}
	if rng.IntN(5) == 0 && mtu > least {
		c.MTU = least + rng.IntN(mtu-least)
		c.Silent = rng.IntN(2) == 0
	}
	return c
}

func randomConfig(rng *rand.Rand) tcb.Config {
	c := tcb.DefaultConfig()
	if rng.IntN(2) == 0 {
		c.RTOMin, c.RTOInitial = 200*ms, 500*ms
	}
	c.NoDelay = rng.IntN(2) == 0
	c.SackFreq = 1 + rng.IntN(3)
	if rng.IntN(4) == 0 {
		c.SackDelay = mono.Duration(1+rng.IntN(400)) * ms
	}
	if rng.IntN(3) == 0 {
		c.SendBuffer = 4096 << rng.IntN(6)
	}
	if rng.IntN(3) == 0 {
		c.RecvBuffer = 16384 << rng.IntN(5)
	}
	if rng.IntN(4) == 0 {
		c.PartialPoint = 1000 + rng.IntN(20000)
	}
	if rng.IntN(5) == 0 {
		c.MaxSegment = 4 * (25 + rng.IntN(300))
	}
	c.HBInterval = []mono.Duration{30 * mono.Second, mono.Second, 0}[rng.IntN(3)]
	c.OutStreams = uint16(1 + rng.IntN(64))
	c.MaxInStreams = uint16(1 + rng.IntN(64))
	return c
}

func randomUser(rng *rand.Rand, own, peer *tcb.Config) UserPlan {
	u := UserPlan{
		Messages: rng.IntN(60), MaxSize: []int{20, 1000, 5000, 60000}[rng.IntN(4)],
		Streams: 1 + rng.IntN(int(min(own.OutStreams, peer.MaxInStreams))),
	}
	// Each message costs the peer some 200 bytes of overhead. A window full of
	// tiny ones makes it drop what it seemed to have room for, and so little
	// goes through per T3-rtx that a shutdown does not end in time.
	if rng.IntN(6) == 0 && peer.RecvBuffer >= 128<<10 {
		u.Messages = 300
	}
	u.MaxSize = min(u.MaxSize, own.SendBuffer)
	u.Unordered = []float64{0, .2, .5, 1}[rng.IntN(4)]
	if rng.IntN(3) == 0 {
		u.Pace = mono.Duration(1+rng.IntN(50)) * ms
	}
	if rng.IntN(4) == 0 {
		u.ReadPause = mono.Duration(1+rng.IntN(200)) * ms
		u.ReadBytes = 500 << rng.IntN(8)
	}
	return u
}
