package path

import "github.com/gosctp/gosctp/internal/mono"

// Path MTU discovery by probing: RFC 8899, section 6.2 for SCTP. A probe is a
// packet of HEARTBEAT and PAD chunk; what comes back proves its size.
//
// The search begins with what the route says, not with BASE_PLPMTU: on most
// paths that is right, and section 3 does not want a small size forced on the
// user while the search is on. The first probe has that size. What lets a
// sender be so bold is a quick way down: one T3-rtx with large packets lost
// and one lost probe of that size make the search ask with a BASE_PLPMTU
// probe, and if that comes back the larger size is given up (section 4.3).
// Probes that are lost without such proof change nothing: a peer that answers
// no probe at all keeps the size that the route says.

// SearchState is the state of a path's search (RFC 8899 section 5.2).
type SearchState uint8

// States of the search.
const (
	SearchDisabled SearchState = iota // not begun, no connectivity, or nothing answers probes
	SearchBase                        // asks whether BASE_PLPMTU passes
	Searching                         // asks whether the size in use passes, then for larger ones
	SearchComplete                    // the size in use is the largest, until PMTU_RAISE_TIMER
	SearchError                       // BASE_PLPMTU does not pass; asks for MIN_PLPMTU
)

var searchNames = [...]string{"disabled", "base", "searching", "complete", "error"}

// String names the state as RFC 8899 does, in lower case.
func (s SearchState) String() string {
	if int(s) < len(searchNames) {
		return searchNames[s]
	}
	return "invalid-search-state"
}

const (
	maxProbes = 3    // MAX_PROBES: lost in a row
	basePMTU  = 1200 // BASE_PLPMTU over IPv4, at the packetization layer
	min6      = 1280 // MIN_PLPMTU and BASE_PLPMTU over IPv6, with all headers
	minGain   = 16   // what is less is not worth a probe

	// How many T3-rtx in a row with large packets lost are a black hole if the
	// peer has never answered a probe, and so cannot tell a dead path from one.
	maxSuspect = 3
)

// Search finds the size of the largest packet that passes one path. Sizes are
// those of SCTP packets, in bytes and multiples of 4.
type Search struct {
	State SearchState
	Size  int // PLPMTU, the size in use

	min, base, max int           // MIN_PLPMTU, BASE_PLPMTU, MAX_PLPMTU
	least, usual   int           // the first two, where the host's interface takes them
	overhead       int           // bytes in front of the SCTP packet
	raise          mono.Duration // PMTU_RAISE_TIMER, 0 means never
	off            bool          // no probing: only what ICMP and the host say counts

	started bool
	probed  int       // PROBED_SIZE, the next probe's or the last one's
	flying  int       // the size of the probe that is unanswered, 0 if none
	count   int       // PROBE_COUNT
	high    int       // the smallest size that seems not to pass; above max if none
	firm    bool      // a router said so: it need not be tried again
	suspect int       // T3-rtx in a row with large packets lost
	fallen  int       // the size given up without proof by a probe, 0 if none
	heard   bool      // the peer has answered a probe
	nonce   uint64    // of the probes of this round; 0: none was sent
	asked   int       // the largest of these probes
	at      mono.Time // when the last one was sent
	timer   mono.Time // PROBE_TIMER or PMTU_RAISE_TIMER, zero while stopped
}

// init prepares a search up to size max. least is the smallest size that is
// ever used, v6 says whether the path is over IPv6.
func (s *Search) init(off bool, max, least, overhead int, v6 bool, raise mono.Duration) {
	*s = Search{off: off, Size: max, least: least, usual: basePMTU, overhead: overhead, raise: raise}
	if v6 {
		s.usual = (min6 - overhead) &^ 3
		s.least = s.usual
	}
	s.setMax(max)
	s.high = max + 4
}

func (s *Search) setMax(max int) {
	s.min, s.base, s.max = min(s.least, max), min(s.usual, max), max
}

// start begins the search, if that was not done: the path carries packets that
// are worth one.
func (s *Search) start(now mono.Time) {
	if !s.off && !s.started {
		s.started = true
		s.verify(now)
	}
}

// verify asks whether the size in use passes.
func (s *Search) verify(now mono.Time) {
	s.State = Searching
	s.probe(s.Size, now)
}

// probe makes size the next to be asked for. A probe on its way is waited for:
// there is never more than one.
func (s *Search) probe(size int, now mono.Time) {
	s.probed, s.count = size, 0
	s.schedule(now)
}

func (s *Search) schedule(now mono.Time) {
	if s.flying == 0 {
		s.timer = now
	}
}

// due deals with the timer's expiry and returns the size of the probe to send
// now, 0 for none.
func (s *Search) due(now mono.Time) int {
	s.timer = 0
	switch {
	case s.flying != 0:
		lost := s.flying
		s.flying = 0
		if lost == s.probed {
			s.count++
			s.lost(now)
		}
	case s.State == SearchComplete && s.Size < s.max:
		s.State = Searching
		s.high, s.firm, s.count = s.max+4, false, 0
		s.next(now)
	case s.State == SearchComplete:
		s.complete(now)
	case s.State == SearchDisabled && s.started:
		s.verify(now)
	}
	switch s.State {
	case SearchBase, Searching, SearchError:
		return s.probed
	}
	return 0
}

// raising reports whether an expiry now would be that of PMTU_RAISE_TIMER.
func (s *Search) raising() bool { return s.State == SearchComplete && s.flying == 0 }

// sent notes that the probe which due named is on its way, with a nonce that
// is kept for the round, and is given up after the timeout.
func (s *Search) sent(nonce uint64, timeout mono.Duration, now mono.Time) {
	if s.nonce == 0 {
		s.nonce, s.asked = nonce|1, 0
	}
	s.flying, s.at = s.probed, now
	s.asked = max(s.asked, s.probed)
	s.timer = now.Add(timeout)
}

// answers reports whether nonce and size are those of a probe of this round.
func (s *Search) answers(nonce uint64, size int) bool {
	return s.nonce != 0 && nonce == s.nonce && size > 0 && size <= s.asked
}

// lost is called when a probe of the size asked for was not answered in time.
func (s *Search) lost(now mono.Time) {
	switch {
	case s.State == SearchBase:
		if s.count >= maxProbes || s.suspect > 0 && s.count >= 2 {
			s.below(s.base, now)
		}
	case s.State == SearchError:
		if s.count >= maxProbes {
			s.disable(now)
		}
	case s.probed == s.Size:
		// A smaller one will tell whether it is the size, or the peer.
		if s.suspect > 0 || s.count >= maxProbes {
			s.below(s.Size, now)
		}
	default:
		if s.probed < s.high {
			s.high, s.firm = s.probed, false
		}
		if s.count >= maxProbes {
			s.complete(now)
			return
		}
		s.next(now)
	}
}

// below asks for the next smaller of the sizes that a path should take.
func (s *Search) below(size int, now mono.Time) {
	switch {
	case size > s.base:
		s.State = SearchBase
		s.probe(s.base, now)
	case size > s.min:
		s.State = SearchError
		s.probe(s.min, now)
	default:
		s.disable(now)
	}
}

// acked is called when a probe of size came back. It reports whether that
// proved the size in use too large, which is smaller then.
func (s *Search) acked(size int, now mono.Time) (reduced bool) {
	size = min(size, s.max) &^ 3
	if size == s.flying {
		s.flying, s.timer = 0, 0
	}
	s.heard, s.fallen = true, 0
	asking := s.State == SearchBase || s.State == SearchError || s.State == Searching && s.probed == s.Size
	switch {
	case size > s.Size:
		s.Size, s.suspect, s.count = size, 0, 0
		if size >= s.high {
			s.high, s.firm = s.max+4, false
		}
		s.State = Searching
		s.next(now)
	case size == s.Size && asking:
		s.suspect, s.count = 0, 0
		s.State = Searching
		s.next(now)
	case size == s.probed && asking:
		// It passes, the size in use does not.
		s.high = s.Size
		if s.State == SearchError {
			s.high = min(s.Size, s.base)
		}
		s.shrink(size)
		s.State, s.firm, s.suspect, s.count = Searching, false, 0, 0
		s.next(now)
		return true
	}
	return false
}

// shrink takes a smaller size into use. Answers to what was asked before mean
// nothing any more.
func (s *Search) shrink(size int) {
	s.Size, s.nonce, s.flying = size, 0, 0
}

// next chooses the size to ask for next, or completes the search.
func (s *Search) next(now mono.Time) {
	n := s.candidate()
	if n == 0 && !s.firm && s.Size < s.max && s.high <= s.max {
		n = s.high // it may have been lost by chance
	}
	if n == 0 {
		s.complete(now)
		return
	}
	s.probed = n
	s.schedule(now)
}

// common are the sizes of IP packets that paths are limited to in practice.
var common = [...]int{576, 768, 1006, 1280, 1340, 1380, 1400, 1420, 1440, 1460, 1480, 1492, 1500, 2002, 4352, 8166, 9000, 16384, 32768}

// candidate returns the most useful size between what passes and what does
// not: BASE_PLPMTU, the largest if nothing has failed, 1400 or 1500, the middle
// one of the common sizes, the middle.
func (s *Search) candidate() int {
	if s.Size >= s.max {
		return 0
	}
	if s.Size < s.base && s.base < s.high {
		return s.base
	}
	if s.high > s.max {
		return s.max
	}
	var in [len(common)]int
	n := 0
	for _, c := range common {
		size := (c - s.overhead) &^ 3
		if size < s.Size+minGain || size >= s.high {
			continue
		}
		if c == 1400 || c == 1500 {
			return size
		}
		in[n] = size
		n++
	}
	if n > 0 {
		return in[(n-1)/2]
	}
	if s.high-s.Size <= minGain {
		return 0
	}
	return (s.Size + s.high) / 2 &^ 3
}

func (s *Search) complete(now mono.Time) {
	s.State = SearchComplete
	s.rest(now)
}

// disable ends probing: nothing answers, not even the smallest.
func (s *Search) disable(now mono.Time) {
	s.State = SearchDisabled
	s.rest(now)
}

// rest waits for PMTU_RAISE_TIMER.
func (s *Search) rest(now mono.Time) {
	s.count, s.flying, s.timer = 0, 0, 0
	if s.raise > 0 {
		s.timer = now.Add(s.raise)
	}
}

// timedOut is called when T3-rtx expired; largest is the largest packet with
// DATA sent since it last did. It reports whether the size in use is smaller
// now.
func (s *Search) timedOut(largest int, now mono.Time) (reduced bool) {
	if s.off || largest <= s.min {
		return false
	}
	s.started = true
	s.suspect++
	if s.suspect >= maxSuspect && !s.heard && s.Size > s.base {
		s.fall(now)
		return true
	}
	switch {
	case s.State == SearchComplete, s.State == SearchDisabled:
		s.flying = 0
		s.verify(now)
	case s.State == Searching && s.probed > s.Size:
		s.probe(s.Size, now)
	}
	return false
}

// fall takes BASE_PLPMTU into use, unproven, and asks for it.
func (s *Search) fall(now mono.Time) {
	s.high, s.firm, s.fallen = s.Size, false, s.Size
	s.shrink(s.base)
	s.State = SearchBase
	s.probe(s.base, now)
}

// tooBig takes a router's word, from an ICMP message that was validated, that
// the largest packet it takes has size bytes (section 4.6.2). It reports
// whether the size in use is smaller now.
func (s *Search) tooBig(size int, now mono.Time) (reduced bool) {
	size &^= 3
	switch {
	case size < s.min:
		return false // nobody's path is so small
	case size < s.Size && s.off:
		s.shrink(size)
		return true
	case size < s.Size:
		if size < s.base {
			s.shrink(s.min)
		} else {
			s.shrink(s.base)
		}
		s.started, s.fallen, reduced = true, 0, true
	case s.flying > size:
		s.flying = 0 // the probe, and it will not come back
	default:
		return false // it contradicts what is known
	}
	s.State = Searching
	s.high, s.firm, s.suspect = size+4, true, 0
	if size == s.Size && !reduced {
		s.complete(now)
	} else {
		s.probe(size, now)
	}
	return reduced
}

// limit sets the size that the host's interface takes. It reports whether the
// size in use is smaller now.
func (s *Search) limit(max int, now mono.Time) (reduced bool) {
	more := max > s.max
	s.setMax(max)
	s.fallen = min(s.fallen, max)
	if s.Size > max {
		s.shrink(max)
		reduced = true
	}
	s.high = min(s.high, max+4)
	if s.flying > max || reduced {
		s.flying = 0
	}
	if s.State != SearchDisabled && s.State != SearchComplete && (s.probed > max || reduced) {
		s.probe(min(s.probed, max), now)
	}
	if more && s.State == SearchComplete {
		s.timer = now
	}
	return reduced
}

// down stops the search: the path is thought dead. That explains losses too, so
// that the size for the other paths' chunks is not lowered by it.
func (s *Search) down() {
	s.State, s.flying, s.timer = SearchDisabled, 0, 0
	if s.fallen > 0 {
		s.Size, s.fallen = min(s.fallen, s.max), 0
	}
}

// up goes on after the path returned, or was confirmed. If large packets were
// lost before it was given up it begins with BASE_PLPMTU. It reports whether
// the size in use is smaller now.
func (s *Search) up(now mono.Time) (reduced bool) {
	if s.off || !s.started {
		return false
	}
	if s.suspect > 0 && s.Size > s.base {
		s.fall(now)
		return true
	}
	s.verify(now)
	return false
}

// alive is called when something proves that the path works: a search that was
// given up while it did not begins again.
func (s *Search) alive(now mono.Time) {
	if s.State == SearchDisabled && s.suspect > 0 {
		s.suspect = 0
		s.verify(now)
	}
}
