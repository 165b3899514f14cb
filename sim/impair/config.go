package impair

import (
	"errors"
	"fmt"

	"github.com/gosctp/gosctp/internal/mono"
)

// Config says what a link does to packets. The zero value is a perfect link:
// nothing is lost, and everything arrives at once and in order.
type Config struct {
	// Delay is the propagation delay. Jitter is the most that is added to it,
	// evenly distributed; packets stay in order.
	Delay, Jitter mono.Duration

	// Rate is in bits per second of IP packets, 0 for no limit. Queue is how
	// many bytes may wait for their turn, 0 for no limit; a packet that finds
	// no room is lost.
	Rate  int64
	Queue int

	// Loss is the probability that a packet is lost. LossBurst is the mean
	// number of packets lost in a row; up to 1, losses are independent.
	Loss      float64
	LossBurst float64

	// Duplicate is the probability that a packet arrives twice.
	Duplicate float64

	// Reorder is the probability that a packet is held back for a while, up
	// to ReorderDelay longer than the others, which overtake it.
	Reorder      float64
	ReorderDelay mono.Duration

	// Corrupt is the probability that bits of a packet flip: one to three of
	// them, which every CRC32c notices.
	Corrupt float64

	// MTU is the largest IP packet that passes, 0 for any. What is larger is
	// bounced, as by a router with ICMP, or lost in silence if Silent. What
	// may be fragmented passes whole.
	MTU    int
	Silent bool
}

// Validate returns all that is wrong with c.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("sctp: impairment: "+format, args...))
	}
	for _, p := range []struct {
		name string
		p    float64
	}{{"loss", c.Loss}, {"duplication", c.Duplicate}, {"reordering", c.Reorder}, {"corruption", c.Corrupt}} {
		if !(p.p >= 0 && p.p <= 1) {
			bad("probability of %s is %v: want 0 to 1", p.name, p.p)
		}
	}
	for _, d := range []struct {
		name string
		d    mono.Duration
	}{{"delay", c.Delay}, {"jitter", c.Jitter}, {"reordering delay", c.ReorderDelay}} {
		if d.d < 0 {
			bad("%s is %v: want 0 or more", d.name, d.d)
		}
	}
	if c.Rate < 0 || c.Queue < 0 {
		bad("rate %d, queue %d: want 0 or more", c.Rate, c.Queue)
	}
	if !(c.LossBurst >= 0) {
		bad("mean loss burst is %v: want 0 or more", c.LossBurst)
	}
	if c.Reorder > 0 && c.ReorderDelay == 0 {
		bad("reordering needs a reordering delay")
	}
	if c.MTU != 0 && c.MTU < 68 {
		bad("MTU is %d: want 68 or more", c.MTU)
	}
	return errors.Join(errs...)
}
