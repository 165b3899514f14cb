package perf

import (
	"fmt"
	"time"

	"github.com/gosctp/gosctp/internal/cli/units"
)

// head prints what the columns of the interval lines mean.
func (c *client) head() {
	if c.o.interval == 0 {
		return
	}
	fmt.Fprintf(c.out, "[ ID] %-15s %12s  %14s  %14s  %6s  %10s\n", "interval", "transfer", "bit rate", "messages", "retr", "cwnd")
}

// intervals looks at the flows each time an interval has passed.
func (c *client) intervals(start, end time.Time, done <-chan struct{}) {
	for _, f := range c.flows {
		f.prev = sample{at: start}
	}
	tick := time.NewTicker(time.Duration(c.o.interval))
	defer tick.Stop()
	prev := start
	for {
		select {
		case <-done:
			if now := time.Now(); now.Sub(prev) > time.Duration(c.o.interval)/10 {
				c.interval(start, prev, now)
			}
			return
		case <-tick.C:
		}
		now := time.Now()
		if now.After(end.Add(time.Duration(c.o.interval) / 2)) {
			continue // what comes now is the end of what was queued
		}
		c.interval(start, prev, now)
		prev = now
	}
}

func (c *client) interval(start, from, to time.Time) {
	sum := resultInterval{Start: from.Sub(start).Seconds(), End: to.Sub(start).Seconds()}
	secs := sum.End - sum.Start
	for i, f := range c.flows {
		st := f.conn.Status()
		f.retrans.Store(max(f.retrans.Load(), st.Retransmissions))
		now, re := f.n.sample(), f.retrans.Load()
		bytes, messages, retr := now.bytes-f.prev.bytes, now.messages-f.prev.messages, re-f.prevRe
		f.prev, f.prevRe = now, re
		sum.Bytes += bytes
		sum.Messages += messages
		sum.Retransmissions += retr
		cwnd := 0
		for _, p := range st.Paths {
			cwnd += p.Cwnd
		}
		c.line(fmt.Sprintf("%3d", i+1), &sum, bytes, messages, retr, secs, units.Bytes(cwnd).String())
	}
	sum.BitsPerSecond = rate(float64(sum.Bytes)*8, secs)
	sum.MessagesPerSecond = rate(float64(sum.Messages), secs)
	if len(c.flows) > 1 {
		c.line("SUM", &sum, sum.Bytes, sum.Messages, sum.Retransmissions, secs, "")
	}
	c.result.Intervals = append(c.result.Intervals, sum)
}

func (c *client) line(id string, in *resultInterval, bytes, messages int64, retr uint64, secs float64, cwnd string) {
	if c.o.json {
		return
	}
	fmt.Fprintf(c.out, "[%s] %6.2f-%-6.2f s %12v  %14s  %14s  %6d  %10s\n", id, in.Start, in.End, units.Bytes(bytes),
		units.Rate(rate(float64(bytes)*8, secs)), units.PerSecond(rate(float64(messages), secs)), retr, cwnd)
}

// summary prints the end of a measurement.
func (c *client) summary() {
	e := &c.result.End
	fmt.Fprintf(c.out, "sent      %v\n", &e.Sent)
	if e.Received != nil {
		fmt.Fprintf(c.out, "received  %v\n", e.Received)
	}
	if l := e.Latency; l != nil {
		fmt.Fprintf(c.out, "latency   %s round trips: median %s, 90%% %s, 99%% %s, 99.9%% %s, worst %s\n", units.Count(l.Count),
			us(l.P50), us(l.P90), us(l.P99), us(l.P999), us(l.Max))
	}
	fmt.Fprintf(c.out, "          %s chunks sent again, smoothed RTT %s, handshake %s, %.2f s of CPU here\n",
		units.Count(e.Retransmissions), us(e.RTTUS), us(e.HandshakeUS), e.CPUSeconds)
}
