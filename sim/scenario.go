package sim

import (
	"math/rand/v2"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/sim/impair"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Scenario is what happens in a run, but for chance.
type Scenario struct {
	V6         bool
	MTU        int // of both hosts
	AtoZ, ZtoA impair.Config
	// Dead are times in which nothing arrives.
	Dead []Span

	// More are paths beside the one above: both hosts have an address on each,
	// and those on different paths do not see each other.
	More []PathPlan
	// Known is how many of the peer's addresses whoever starts an association
	// names; 0 means all.
	Known int
	// Wildcard has endpoints bound to all addresses instead of naming them.
	Wildcard bool

	A, Z   tcb.Config
	Assocs []AssocPlan
}

// Span is a span of time, from the start of the run.
type Span struct {
	From, To mono.Duration
	Way      Way
}

// Way is in which direction packets are lost.
type Way uint8

// Ways.
const (
	BothWays Way = iota
	WayAtoZ
	WayZtoA
)

// PathPlan is a further path between the hosts.
type PathPlan struct {
	AtoZ, ZtoA impair.Config
	Dead       []Span
}

// paths lists all paths.
func (s *Scenario) paths() []PathPlan {
	return append([]PathPlan{{s.AtoZ, s.ZtoA, s.Dead}}, s.More...)
}

// AssocPlan is an association.
type AssocPlan struct {
	Start mono.Duration
	Open  Opening
	Skew  mono.Duration // with OpenBoth: how much later Z starts
	A, Z  UserPlan
}

// Opening is who starts an association.
type Opening uint8

// Ways to start.
const (
	OpenByA    Opening = iota // Z listens
	OpenByZ                   // A listens
	OpenBoth                  // both at about the same time
	OpenNobody                // A calls a port that is not there
)

// Reliable reports whether the scenario leaves no excuse for a lost message:
// nobody aborts, the link is never dead and loses little.
func (s *Scenario) Reliable() bool {
	for _, p := range s.paths() {
		for _, c := range []impair.Config{p.AtoZ, p.ZtoA} {
			if c.Loss > .1 || c.LossBurst > 1.5 || c.Corrupt > .05 {
				return false
			}
		}
		if len(p.Dead) > 0 {
			return false
		}
	}
	for _, a := range s.Assocs {
		if a.A.Closing == AbortAt || a.Z.Closing == AbortAt {
			return false
		}
	}
	return true
}

const ms = mono.Millisecond

// Random returns the scenario of a seed.
func Random(seed uint64) Scenario {
	rng := rand.New(rand.NewPCG(seed, 0x7363656e6172696f))
	pick := func(d ...mono.Duration) mono.Duration { return d[rng.IntN(len(d))] }
	chance := func(p float64) bool { return rng.Float64() < p }

	s := Scenario{V6: chance(.3), MTU: []int{1500, 1500, 1500, 9000, 1280, 65535}[rng.IntN(6)]}
	if s.V6 || chance(.8) {
		s.MTU = max(s.MTU, 1280)
	} else {
		s.MTU = 576
	}
	s.AtoZ = randomLink(rng, s.MTU)
	s.ZtoA = s.AtoZ
	if chance(.4) {
		s.ZtoA = randomLink(rng, s.MTU)
	}
	if chance(.1) {
		from := pick(0, 30*ms, 500*ms, 3*mono.Second)
		s.Dead = append(s.Dead, Span{From: from, To: from + pick(300*ms, 4*mono.Second, 40*mono.Second, 2000*mono.Second)})
	}
	s.A, s.Z = randomConfig(rng), randomConfig(rng)
	for range 1 + rng.IntN(3) {
		a := AssocPlan{Start: pick(0, 0, 5*ms, 200*ms), Open: OpenByA}
		switch rng.IntN(10) {
		case 0:
			a.Open = OpenByZ
		case 1, 2:
			a.Open = OpenBoth
			a.Skew = pick(0, 0, s.AtoZ.Delay, s.AtoZ.Delay/2, 2*s.AtoZ.Delay)
		case 3:
			a.Open = OpenNobody
		}
		a.A, a.Z = randomUser(rng, &s.A, &s.Z), randomUser(rng, &s.Z, &s.A)
		switch rng.IntN(8) {
		case 0, 1, 2:
			a.A.Closing = CloseWhenSent
		case 3:
			a.Z.Closing = CloseWhenSent
		case 4:
			a.A.Closing, a.Z.Closing = CloseWhenSent, CloseWhenSent
		case 5:
			a.A.Closing, a.A.CloseAt = CloseAt, pick(0, 10*ms, 50*ms, mono.Second)
		case 6:
			a.A.Closing, a.A.CloseAt = CloseAt, pick(0, 10*ms, 100*ms, mono.Second)
			a.Z.Closing, a.Z.CloseAt = CloseAt, a.A.CloseAt
		case 7:
			a.Z.Closing = CloseWhenSent
			a.A.Closing, a.A.CloseAt = AbortAt, pick(0, 10*ms, 50*ms, 300*ms, 5*mono.Second)
		}
		s.Assocs = append(s.Assocs, a)
	}
	if !s.Reliable() {
		// Without heartbeats nobody notices that an idle peer is gone.
		for _, c := range []*tcb.Config{&s.A, &s.Z} {
			if c.HBInterval == 0 {
				c.HBInterval = 10 * mono.Second
			}
		}
	}
	return s
}

func randomLink(rng *rand.Rand, mtu int) impair.Config {
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
	if rng.IntN(5) == 0 && mtu > 600 {
		c.MTU = 600 + rng.IntN(mtu-600)
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

// RandomPaths returns the scenario of a seed with two to four paths that die
// and return. If survives is set one of them lives all the time and loses
// little, and nobody aborts: then all has to end well.
func RandomPaths(seed uint64) (s Scenario, survives bool) {
	rng := rand.New(rand.NewPCG(seed, 0x7061746873))
	pick := func(d ...mono.Duration) mono.Duration { return d[rng.IntN(len(d))] }
	s = Scenario{V6: rng.IntN(3) == 0, MTU: []int{1500, 1500, 9000, 1280}[rng.IntN(4)]}
	survives = rng.IntN(2) == 0
	n := 2 + rng.IntN(3)
	living := rng.IntN(n)
	for i := range n {
		p := PathPlan{AtoZ: randomLink(rng, s.MTU)}
		p.ZtoA = p.AtoZ
		if rng.IntN(2) == 0 {
			p.ZtoA = randomLink(rng, s.MTU)
		}
		if survives && i == living {
			for _, c := range []*impair.Config{&p.AtoZ, &p.ZtoA} {
				c.Loss, c.LossBurst, c.Corrupt = min(c.Loss, .02), 0, 0
			}
		} else {
			at := pick(0, 20*ms, 500*ms, 3*mono.Second)
			for range rng.IntN(4) {
				d := Span{From: at, To: at + pick(100*ms, 2*mono.Second, 20*mono.Second, 100*mono.Second, 1000*mono.Second), Way: Way(rng.IntN(3))}
				p.Dead = append(p.Dead, d)
				at = d.To + pick(50*ms, mono.Second, 30*mono.Second)
			}
		}
		if i == 0 {
			s.AtoZ, s.ZtoA, s.Dead = p.AtoZ, p.ZtoA, p.Dead
		} else {
			s.More = append(s.More, p)
		}
	}
	s.A, s.Z = randomConfig(rng), randomConfig(rng)
	for _, c := range []*tcb.Config{&s.A, &s.Z} {
		c.HBInterval = pick(mono.Second, 5*mono.Second, 30*mono.Second)
		if rng.IntN(3) == 0 {
			c.PathMaxRetrans = rng.IntN(4)
		}
		if survives {
			// Enough for all paths but one to fail, and for a SHUTDOWN to wait
			// while the peer's data goes one packet per timeout.
			c.PathMaxRetrans = rng.IntN(3)
			c.AssocMaxRetrans = 30
			c.MaxInitRetransmits = 4 * n
			c.ShutdownGuard = 3600 * mono.Second
		}
	}
	s.Wildcard = rng.IntN(3) == 0
	if !survives && rng.IntN(2) == 0 {
		s.Known = 1 + rng.IntN(n)
	}
	for range 1 + rng.IntN(2) {
		a := AssocPlan{Start: pick(0, 0, 5*ms, mono.Second), Open: []Opening{OpenByA, OpenByA, OpenByZ, OpenBoth}[rng.IntN(4)]}
		a.A, a.Z = randomUser(rng, &s.A, &s.Z), randomUser(rng, &s.Z, &s.A)
		for _, u := range []*UserPlan{&a.A, &a.Z} {
			if rng.IntN(2) == 0 {
				u.Pace = pick(20*ms, 300*ms, 3*mono.Second)
			}
		}
		a.A.Closing = CloseWhenSent
		if rng.IntN(2) == 0 {
			a.Z.Closing = CloseWhenSent
		}
		if !survives && rng.IntN(4) == 0 {
			a.Z.Closing, a.Z.CloseAt = AbortAt, pick(10*ms, mono.Second, 30*mono.Second)
		}
		s.Assocs = append(s.Assocs, a)
	}
	return s, survives
}
