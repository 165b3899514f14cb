package sim

import (
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/sim/cc"
	"github.com/gosctp/gosctp/sim/impair"
	"github.com/gosctp/gosctp/stack/pipes/path"
	"github.com/gosctp/gosctp/stack/tcb"
)

const ms = mono.Millisecond

// Scenario is what happens in a run, but for chance. Text and ParseScenario
// turn it into text and back.
type Scenario struct {
	V6         bool
	MTU        int // of both hosts
	AtoZ, ZtoA impair.Config
	// Dead are times in which nothing arrives, Shifts changes of the path MTU.
	Dead   []Span
	Shifts []Shift

	// More are paths beside the one above: both hosts have an address on each,
	// and those on different paths do not see each other.
	More []PathPlan
	// Known is how many of the peer's addresses whoever starts an association
	// names; 0 means all.
	Known int
	// Wildcard has endpoints bound to all addresses instead of naming them.
	Wildcard bool

	// UDP encapsulates all packets in UDP (RFC 6951). Both hosts are behind a
	// NAT that leaves addresses alone: Rebinds change a host's port.
	UDP     bool
	Rebinds []Rebind
	// Restarts are the deaths of a host's process, which then begins anew.
	Restarts []Restart
	Attacks  []Attack

	// CC names the congestion controller of both hosts, one of Controllers.
	CC     string
	A, Z   tcb.Config
	Assocs []AssocPlan
}

// Controllers are the congestion controllers that a scenario can name.
var Controllers = map[string]func() path.Controller{
	"newreno": func() path.Controller { return path.NewReno{} },
	"cubic":   func() path.Controller { return new(cc.Cubic) },
}

// Span is a span of time, from the start of the run.
type Span struct {
	From, To mono.Duration
	Way      Way
}

// Way is a direction in which something happens to packets.
type Way uint8

// Ways.
const (
	BothWays Way = iota
	WayAtoZ
	WayZtoA
)

var wayNames = names{"both-ways", "A-to-Z", "Z-to-A"}

// MarshalText implements encoding.TextMarshaler.
func (w Way) MarshalText() ([]byte, error) { return wayNames.text(uint8(w)) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (w *Way) UnmarshalText(b []byte) (err error) {
	n, err := wayNames.value(b)
	*w = Way(n)
	return err
}

// Shift changes what a path carries: IP packets of up to MTU bytes, 0 for any.
// Silent loses larger ones without a word: a black hole.
type Shift struct {
	At     mono.Duration
	Way    Way
	MTU    int
	Silent bool
}

// PathPlan is a further path between the hosts.
type PathPlan struct {
	AtoZ, ZtoA impair.Config
	Dead       []Span
	Shifts     []Shift
}

// Side is one of the two hosts.
type Side uint8

// Sides.
const (
	SideA Side = iota
	SideZ
)

var sideNames = names{"A", "Z"}

// MarshalText implements encoding.TextMarshaler.
func (s Side) MarshalText() ([]byte, error) { return sideNames.text(uint8(s)) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Side) UnmarshalText(b []byte) (err error) {
	n, err := sideNames.value(b)
	*s = Side(n)
	return err
}

func (s Side) String() string { return sideNames[s] }

// Rebind gives a host another UDP port: its NAT forgot the old one.
type Rebind struct {
	At   mono.Duration
	Side Side
}

// Restart kills a host's process and starts it again after Down.
type Restart struct {
	At   mono.Duration
	Side Side
	Down mono.Duration
}

// paths lists all paths.
func (s *Scenario) paths() []PathPlan {
	return append([]PathPlan{{s.AtoZ, s.ZtoA, s.Dead, s.Shifts}}, s.More...)
}

// AssocPlan is an association.
type AssocPlan struct {
	Start mono.Duration
	Open  Opening
	Skew  mono.Duration // with OpenBoth: how much later Z starts
	A, Z  UserPlan
	// Redials is how often whoever started the association starts it again
	// when it was lost, or forgotten in a restart.
	Redials int
	// Leave has whoever starts it give up the endpoint at once: the
	// association keeps the port as long as it lives.
	Leave bool
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

var openingNames = names{"by-A", "by-Z", "by-both", "by-nobody"}

// MarshalText implements encoding.TextMarshaler.
func (o Opening) MarshalText() ([]byte, error) { return openingNames.text(uint8(o)) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *Opening) UnmarshalText(b []byte) (err error) {
	n, err := openingNames.value(b)
	*o = Opening(n)
	return err
}

// by reports whether a side starts.
func (o Opening) by(s Side) bool {
	switch o {
	case OpenByZ:
		return s == SideZ
	case OpenBoth:
		return true
	}
	return s == SideA
}

// hostile reports whether an attacker sees and changes packets: then nothing
// is promised but that both ends survive and come to an end.
func (s *Scenario) hostile() bool {
	for _, a := range s.Attacks {
		if a.Kind == AttackOnPath {
			return true
		}
	}
	return false
}

// forgetful reports whether an association can be begun anew.
func (s *Scenario) forgetful() bool {
	for _, a := range s.Assocs {
		if a.Redials > 0 {
			return true
		}
	}
	return len(s.Restarts) > 0
}

// aborts reports whether a user ends an association by ABORT.
func (s *Scenario) aborts() bool {
	for _, a := range s.Assocs {
		if a.A.Closing == AbortAt || a.Z.Closing == AbortAt {
			return true
		}
	}
	return false
}

// Reliable reports whether the scenario leaves no excuse for a lost message:
// nobody aborts or forgets, and the network is steady.
func (s *Scenario) Reliable() bool { return s.steady() && !s.forgetful() }

// Recovers reports whether the scenario leaves no excuse for an association
// that was begun after all restarts and does not end well: the network is
// steady, and nobody repeats old cookies.
func (s *Scenario) Recovers() bool {
	for _, a := range s.Attacks {
		if a.Kind == AttackReplay {
			return false
		}
	}
	return s.steady()
}

// settled is when the last process has been started again.
func (s *Scenario) settled() (last mono.Duration) {
	for _, x := range s.Restarts {
		last = max(last, x.At+x.Down)
	}
	return last
}

// steady reports whether the links are never dead and lose little, and nobody
// makes an association fail on purpose.
func (s *Scenario) steady() bool {
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
	return !s.aborts() && !s.hostile() && s.found()
}

// found reports whether a host whose NAT forgets its port is found again: it
// is the one that called, and so does not need to be called, and it does not
// stay silent for long.
func (s *Scenario) found() bool {
	for _, b := range s.Rebinds {
		if b.Side == SideA && s.A.HBInterval == 0 || b.Side == SideZ && s.Z.HBInterval == 0 {
			return false
		}
		for _, a := range s.Assocs {
			if a.Open == OpenBoth || !a.Open.by(b.Side) {
				return false
			}
		}
	}
	return true
}

// Survives reports whether one path is so much better than the others that
// all must arrive whatever becomes of those.
func (s *Scenario) Survives() bool {
	paths := s.paths()
	for _, c := range []*tcb.Config{&s.A, &s.Z} {
		// Enough for all paths but one to fail, and for a SHUTDOWN to wait
		// while the peer's data goes one packet per timeout.
		if c.PathMaxRetrans > 2 || c.AssocMaxRetrans < 30 || c.MaxInitRetransmits < 4*len(paths) ||
			c.ShutdownGuard < 3600*mono.Second || c.HBInterval == 0 {
			return false
		}
	}
	if s.Known != 0 || s.aborts() || s.forgetful() || s.hostile() || len(s.Rebinds) > 0 {
		return false
	}
	for _, p := range paths {
		good := len(p.Dead) == 0
		for _, c := range []impair.Config{p.AtoZ, p.ZtoA} {
			good = good && c.Loss <= .02 && c.LossBurst <= 1 && c.Corrupt == 0 && !c.Silent
		}
		// A path that was given up is not probed for its MTU: with few
		// Path.Max.Retrans a black hole is as good as a death.
		for _, c := range p.Shifts {
			good = good && !c.Silent
		}
		if good {
			return true
		}
	}
	return false
}
