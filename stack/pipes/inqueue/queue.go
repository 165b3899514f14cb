package inqueue

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/tcb"
)

// maxDups bounds the duplicate TSNs that one SACK reports.
const maxDups = 16

// A Verdict says what a TSN is to the receiver.
type Verdict uint8

// Verdicts.
const (
	New       Verdict = iota // not seen yet
	Duplicate                // arrived before
	TooFar                   // further ahead than a SACK could report: to be dropped
)

// A Queue is one association's record of the peer's TSNs and of the SACK that
// is owed for them. Its zero value is not usable: see Init.
type Queue struct {
	tsn tsnMap
	cfg *tcb.Config

	deadline mono.Time // when the delayed SACK goes out at the latest
	packets  int       // with DATA since the last SACK
	from     tcb.PathID
	due      bool // a SACK is to go out,
	urgent   bool // and for a reason that tolerates no delay
	hasty    bool // something in the packet under way asks for that
	started  bool // DATA has arrived

	nDups uint8
	dups  [maxDups]chunk.TSN
	gaps  []chunk.GapBlock // scratch
}

// Init prepares q for a peer whose first TSN is initial. It may be called
// again, when the association restarts.
func (q *Queue) Init(cfg *tcb.Config, initial chunk.TSN) {
	tsn, gaps := q.tsn, q.gaps
	tsn.reset(initial - 1)
	*q = Queue{cfg: cfg, tsn: tsn, gaps: gaps, from: tcb.NoPath}
}

// Classify says what to do with a DATA chunk that has TSN t.
func (q *Queue) Classify(t chunk.TSN) Verdict {
	switch n := t.Diff(q.tsn.cum); {
	case n == 1:
		return New
	case n <= 0:
		return Duplicate
	case n > maxAhead:
		return TooFar
	case q.tsn.has(t):
		return Duplicate
	}
	return New
}

// Accept notes that the DATA chunk with TSN t was taken. It does nothing
// unless t is New.
func (q *Queue) Accept(t chunk.TSN) {
	if q.Classify(t) != New {
		return
	}
	gap := q.tsn.hasGap()
	q.tsn.add(t)
	if gap && !q.tsn.hasGap() {
		q.hasty = true
	}
}

// Duplicate notes that TSN t arrived once more, for the next SACK to report.
func (q *Queue) Duplicate(t chunk.TSN) {
	q.hasty = true
	if q.nDups < maxDups {
		q.dups[q.nDups] = t
		q.nDups++
	}
}

// Renege takes back that TSN t arrived. TSNs up to the cumulative one cannot
// be taken back.
func (q *Queue) Renege(t chunk.TSN) {
	if q.tsn.cum.Less(t) && q.tsn.has(t) {
		q.tsn.remove(t)
	}
}

// SetConfig replaces the parameters that Init was given.
func (q *Queue) SetConfig(cfg *tcb.Config) { q.cfg = cfg }

// CumTSN returns the last TSN before the first one that is missing.
func (q *Queue) CumTSN() chunk.TSN { return q.tsn.cum }

// Highest returns the highest TSN that arrived.
func (q *Queue) Highest() chunk.TSN { return q.tsn.highest }

// HasGap reports whether a TSN below Highest is missing.
func (q *Queue) HasGap() bool { return q.tsn.hasGap() }
