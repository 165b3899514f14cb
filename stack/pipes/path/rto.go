package path

import "github.com/gosctp/gosctp/internal/mono"

// The retransmission timeout: RFC 9260 section 6.3.1 and rule E2 of 6.3.3.

// granularity is G of rule G1: mono.Clock counts nanoseconds, but nothing
// that is timed here is steadier than a microsecond.
const granularity = mono.Microsecond

// SampleRTT takes a measurement of the round-trip time, from a DATA chunk that
// was sent once or from a HEARTBEAT. It undoes any Backoff.
func (p *Path) SampleRTT(r mono.Duration, _ mono.Time) {
	r = max(r, 0)
	if p.SRTT == 0 { // C2
		p.SRTT, p.RTTVAR = r, r/2
	} else { // C3 with RTO.Alpha 1/8 and RTO.Beta 1/4
		d := p.SRTT - r
		if d < 0 {
			d = -d
		}
		p.RTTVAR += (d - p.RTTVAR) / 4
		p.SRTT += (r - p.SRTT) / 8
	}
	p.SRTT = max(p.SRTT, 1) // zero means never measured
	if p.RTTVAR == 0 {
		p.RTTVAR = granularity // G1
	}
	p.RTO = p.clampRTO(p.SRTT + 4*p.RTTVAR)

	if p.Stats.RTTSamples == 0 || r < p.Stats.MinRTT {
		p.Stats.MinRTT = r
	}
	p.Stats.RTTSamples++
	p.Stats.LastRTT = r
}

// Backoff doubles RTO up to RTO.Max (rule E2): T3-rtx expired, or a HEARTBEAT
// went unanswered. The next sample ends it.
func (p *Path) Backoff() { p.RTO = p.clampRTO(2 * p.RTO) }

// clampRTO applies C6 and C7.
func (p *Path) clampRTO(d mono.Duration) mono.Duration {
	return max(min(d, p.cfg.RTOMax), p.cfg.RTOMin)
}
