package impair

import (
	"bytes"
	"math/rand/v2"

	"github.com/gosctp/gosctp/internal/mono"
)

// A Packet is what enters a link.
type Packet struct {
	Data        []byte
	Size        int  // bytes of IP packet, for rate and MTU
	MayFragment bool // larger than the MTU is no matter
}

// A Delivery is what becomes of a packet; a lost one has none.
type Delivery struct {
	At      mono.Time
	Data    []byte // the packet's own, or a copy if bits flipped
	Bounced bool   // too big: back to the sender; the Link's MTU is what would pass
}

// Stats counts packets.
type Stats struct {
	In         uint64
	Lost       uint64 // by chance
	QueueFull  uint64
	TooBig     uint64
	Duplicated uint64
	Reordered  uint64
	Corrupted  uint64
}

// Link is one direction of a link.
type Link struct {
	cfg Config
	rng rand.PCG

	busy   mono.Time // until then earlier packets are being sent
	last   mono.Time // when the last packet in order arrives
	inLoss bool      // within a burst of losses
	stats  Stats
}

// New returns a link. The Config must be valid.
func New(cfg Config, seed uint64) *Link {
	l := &Link{cfg: cfg}
	l.rng.Seed(seed, 0x6c696e6b)
	return l
}

// Config returns the present impairment.
func (l *Link) Config() Config { return l.cfg }

// SetConfig changes the impairment for the packets that come from now on.
func (l *Link) SetConfig(cfg Config) { l.cfg = cfg }

// Stats returns the counters.
func (l *Link) Stats() Stats { return l.stats }

// luck is the randomness of one packet. All of it is always drawn, so that a
// change of one probability leaves the other decisions as they were.
type luck struct{ loss, dup, reorder, corrupt, jitter, dupJitter, late, bits float64 }

func (l *Link) draw() luck {
	f := func() float64 { return float64(l.rng.Uint64()>>11) / (1 << 53) }
	return luck{f(), f(), f(), f(), f(), f(), f(), f()}
}

// Send puts a packet on the link and appends its deliveries to to, in no
// order of time. Calls must not go back in time.
func (l *Link) Send(to []Delivery, p Packet, now mono.Time) []Delivery {
	c := &l.cfg
	r := l.draw()
	l.stats.In++
	if c.MTU > 0 && p.Size > c.MTU && !p.MayFragment {
		l.stats.TooBig++
		if c.Silent {
			return to
		}
		return append(to, Delivery{At: now.Add(c.Delay), Data: p.Data, Bounced: true})
	}
	if l.lost(r.loss) {
		l.stats.Lost++
		return to
	}
	at, ok := l.transmit(p.Size, now)
	if !ok {
		l.stats.QueueFull++
		return to
	}
	at = at.Add(c.Delay + scale(c.Jitter, r.jitter))
	d := Delivery{At: at, Data: p.Data}
	if r.corrupt < c.Corrupt && len(p.Data) > 0 {
		l.stats.Corrupted++
		d.Data = flip(p.Data, r.bits)
	}
	if r.reorder < c.Reorder {
		l.stats.Reordered++
		d.At = d.At.Add(1 + scale(c.ReorderDelay, r.late))
	} else {
		d.At = max(d.At, l.last)
		l.last = d.At
	}
	to = append(to, d)
	if r.dup < c.Duplicate {
		l.stats.Duplicated++
		d.At = d.At.Add(scale(c.Delay+c.Jitter+c.ReorderDelay, r.dupJitter))
		to = append(to, d)
	}
	return to
}

// lost decides by a two-state (Gilbert) model: Loss is the share of packets
// lost over time, LossBurst the mean length of a run of them.
func (l *Link) lost(r float64) bool {
	c := &l.cfg
	switch {
	case c.Loss == 0 || c.Loss == 1:
		l.inLoss = false
		return c.Loss == 1
	case c.LossBurst <= 1:
		return r < c.Loss
	case l.inLoss:
		l.inLoss = r >= 1/c.LossBurst
	default:
		l.inLoss = r < c.Loss/(c.LossBurst*(1-c.Loss))
	}
	return l.inLoss
}

// transmit returns when the last bit has left; false if the queue is full.
func (l *Link) transmit(size int, now mono.Time) (mono.Time, bool) {
	c := &l.cfg
	if c.Rate == 0 {
		return now, true
	}
	start := max(l.busy, now)
	if c.Queue > 0 {
		if waiting := float64(start.Sub(now)) * float64(c.Rate) / (8 * float64(mono.Second)); int(waiting)+size > c.Queue {
			return 0, false
		}
	}
	l.busy = start.Add(mono.Duration(float64(size) * 8 / float64(c.Rate) * float64(mono.Second)))
	return l.busy, true
}

func scale(d mono.Duration, by float64) mono.Duration { return mono.Duration(float64(d) * by) }

// flip returns a copy of p with one to three different bits flipped.
func flip(p []byte, r float64) []byte {
	p = bytes.Clone(p)
	seed := uint64(r * (1 << 53))
	bits := uint64(len(p)) * 8
	first := seed % bits
	n := min(1+seed/bits%3, bits)
	for i := range n {
		b := (first + i*(1+seed%7)) % bits
		p[b/8] ^= 1 << (b % 8)
	}
	return p
}
