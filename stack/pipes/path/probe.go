package path

import "github.com/gosctp/gosctp/internal/mono"

// How the search for the path MTU touches its path. Those that report reduced
// leave a smaller PMTU: what is in flight and larger is lost.

// ProbeDue returns when Probe is to be called, zero for never.
func (p *Path) ProbeDue() mono.Time { return p.Search.timer }

// StopProbeTimer stops the timer that ProbeDue tells of.
func (p *Path) StopProbeTimer() { p.Search.timer = 0 }

// StartProbing begins the search, unless it has begun.
func (p *Path) StartProbing(now mono.Time) { p.Search.start(now) }

// Raising reports whether Probe will begin a new search after a rest: the time
// to call LinkMTU.
func (p *Path) Raising() bool { return p.Search.raising() }

// Probe deals with the expiry of the search's timer and returns the size of the
// packet to probe with now, or 0. ProbeSent or ProbeLater has to follow.
func (p *Path) Probe(now mono.Time) int {
	n := p.Search.due(now)
	p.PMTU = p.Search.Size
	return n
}

// ProbeNonce returns what identifies the next probe: fresh, or the nonce of the
// probes before it that may still be answered.
func (p *Path) ProbeNonce(fresh uint64) uint64 {
	if n := p.Search.nonce; n != 0 {
		return n
	}
	return fresh | 1
}

// ProbeSent notes that the probe is on its way, with a nonce from ProbeNonce.
func (p *Path) ProbeSent(nonce uint64, now mono.Time) {
	p.Search.sent(nonce, p.probeTimeout(), now)
	p.Stats.Probes++
}

// ProbeLater notes that the probe could not be sent now.
func (p *Path) ProbeLater(now mono.Time) { p.Search.timer = now.Add(p.probeTimeout()) }

// probeTimeout is PROBE_TIMER: as long as an answer may take, which is what RTO
// says before any back-off, but not less than ProbeTimeout. RFC 8899 section
// 5.1.1 would have 15 s and more; what blocks the sender in a black hole is
// this wait.
func (p *Path) probeTimeout() mono.Duration {
	d := p.cfg.RTOInitial
	if p.SRTT > 0 {
		d = p.clampRTO(p.SRTT + 4*p.RTTVAR)
	}
	return max(d, p.cfg.ProbeTimeout)
}

// AnswersProbe reports whether an answer with that nonce and size is one to a
// probe.
func (p *Path) AnswersProbe(nonce uint64, size int) bool { return p.Search.answers(nonce, size) }

// LastProbe reports whether the last probe had that size and was sent at that
// time.
func (p *Path) LastProbe(size int, at mono.Time) bool {
	return p.Search.probed == size && p.Search.at == at
}

// ProbeAcked takes the answer to a probe.
func (p *Path) ProbeAcked(size int, now mono.Time) (reduced bool) {
	p.Stats.ProbesAcked++
	reduced = p.Search.acked(size, now)
	p.PMTU = p.Search.Size
	return reduced
}

// TooBig takes a validated ICMP message: a router takes IP packets of mtu bytes
// at most.
func (p *Path) TooBig(mtu int, now mono.Time) (reduced bool) {
	if mtu < p.cfg.MinPathMTU {
		return false
	}
	reduced = p.Search.tooBig(mtu-p.Overhead, now)
	p.PMTU = p.Search.Size
	return reduced
}

// LinkMTU takes note that the host's own interface takes IP packets of mtu
// bytes at most. Config.PathMTU holds a larger one down.
func (p *Path) LinkMTU(mtu int, now mono.Time) (reduced bool) {
	p.link = p.sizeOf(mtu)
	if p.cfg.PathMTU != 0 {
		mtu = min(mtu, p.cfg.PathMTU)
	}
	reduced = p.Search.limit(p.sizeOf(mtu), now)
	p.PMTU = p.Search.Size
	return reduced
}

// FragmentSize is how large a packet that IP is to fragment must be at least: no
// IPv6 router fragments, and a host only what its own interface does not take.
func (p *Path) FragmentSize() int {
	if !p.v6() {
		return 0
	}
	return p.link + 4
}

// TimedOut takes note that T3-rtx expired.
func (p *Path) TimedOut(now mono.Time) (reduced bool) {
	reduced = p.Search.timedOut(p.largest, now)
	p.largest = 0
	p.PMTU = p.Search.Size
	return reduced
}

// Down stops probing: the path is thought dead.
func (p *Path) Down() {
	p.Search.down()
	p.PMTU = p.Search.Size
}

// Up goes on with probing, once the path may be used again.
func (p *Path) Up(now mono.Time) (reduced bool) {
	reduced = p.Search.up(now)
	p.PMTU = p.Search.Size
	return reduced
}

// Alive takes note that something came back from the path.
func (p *Path) Alive(now mono.Time) { p.Search.alive(now) }
