package explore

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes"
	"github.com/gosctp/gosctp/stack/pipes/outqueue"
	"github.com/gosctp/gosctp/stack/pipes/packet"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// counts is a data path that counts instead of carrying: a message is one byte
// in one DATA chunk, windows are never full, the round trip never changes. What
// it does about TSNs, acknowledgements and T3-rtx is what RFC 9260 section 6
// asks for, so that the state machine sees what it would see of the pipes. It
// is a value: a copy of it is another data path.
type counts struct {
	cfg            *tcb.Config
	active         tcb.PathID
	paths          uint8
	sending        bool
	receiving      bool
	closed         bool
	t3             mono.Time
	lastSent       mono.Time
	first          chunk.TSN // of this association
	cum            chunk.TSN // acknowledged
	unacked        letters   // from cum+1 on
	queue          letters
	marked, gapped uint8 // of unacked: to be sent again; reported by a gap block

	in       chunk.TSN // cumulative TSN
	streams  uint16
	ahead    uint8 // bit i: in+2+i has arrived
	held     [8]byte
	sackAt   mono.Time
	packets  uint8
	due      bool
	dup      bool
	dupTSN   chunk.TSN
	started  bool
	hurry    bool
	ready    [maxReady]ready
	nReady   uint8
	overflow bool
}

const (
	maxLetters = 4 // messages that a side may have under way
	maxReady   = 12
)

// letters are messages, a byte each.
type letters struct {
	b [maxLetters]byte
	n uint8
}

func (l *letters) push(c byte) {
	l.b[l.n] = c
	l.n++
}

// drop removes the first n.
func (l *letters) drop(n uint8) {
	copy(l.b[:], l.b[n:l.n])
	l.n -= n
	clear(l.b[l.n:])
}

// ready is what waits for the user: a message or a notification.
type ready struct {
	letter byte // 0: a notification
	kind   fsm.Note
	a      uint32
}

func (c *counts) clone() sideeffects.DataPlane {
	d := *c
	return &d
}

func (c *counts) put(r ready) {
	if c.nReady == maxReady {
		c.overflow = true
		return
	}
	c.ready[c.nReady] = r
	c.nReady++
}

// Paths. There is one, of a fixed RTO.

func (c *counts) AddPath(sideeffects.Addressing, int, int)          { c.paths++ }
func (c *counts) UsePaths(active, _ tcb.PathID)                     { c.active = active }
func (c *counts) PathDown(tcb.PathID, mono.Time)                    { c.markAll() }
func (c *counts) ResetPaths()                                       { c.t3 = 0 }
func (c *counts) PathMTU(tcb.PathID) int                            { return 1480 }
func (c *counts) FragmentSize(tcb.PathID) int                       { return 1400 }
func (c *counts) DropPath(tcb.PathID)                               { c.paths-- }
func (c *counts) PathUp(tcb.PathID, mono.Time)                      {}
func (c *counts) TooBig(tcb.PathID, int, mono.Time)                 {}
func (c *counts) LinkMTU(tcb.PathID, int, mono.Time)                {}
func (c *counts) Alive(tcb.PathID, mono.Time)                       {}
func (c *counts) Raising(tcb.PathID) bool                           { return false }
func (c *counts) Probe(tcb.PathID, uint64, mono.Time) (int, uint64) { return 0, 0 }
func (c *counts) Probed(tcb.PathID, uint64, bool, mono.Time)        {}
func (c *counts) ProbeAcked(tcb.PathID, int, mono.Time)             {}
func (c *counts) RTO(tcb.PathID) mono.Duration                      { return c.cfg.RTOInitial }
func (c *counts) SampleRTT(tcb.PathID, mono.Duration, mono.Time)    {}
func (c *counts) Backoff(tcb.PathID)                                {}
func (c *counts) LastSent(tcb.PathID) mono.Time                     { return c.lastSent }
func (c *counts) Window() uint32                                    { return 1 << 16 }
func (c *counts) CumTSN() chunk.TSN                                 { return c.in }
func (c *counts) Consumed(int) bool                                 { return false }
func (c *counts) SetDraining(bool)                                  {}
func (c *counts) Trim()                                             {}
func (c *counts) BeginFlush(mono.Time)                              {}
func (c *counts) PacketSize(tcb.PathID) int                         { return 1480 }
func (c *counts) SackTo() tcb.PathID                                { return 0 }
func (c *counts) SackRepeated() bool                                { return c.dup }
func (c *counts) SackDue() bool                                     { return c.receiving && c.due }
func (c *counts) SackDueNow() bool                                  { return c.SackDue() }
func (c *counts) SackPending() bool                                 { return c.receiving && (c.due || c.packets > 0) }
func (c *counts) Empty() bool                                       { return c.queue.n == 0 && c.unacked.n == 0 }
func (c *counts) Facts(f *fsm.Facts)                                { f.OutqEmpty = c.Empty() }
func (c *counts) next() chunk.TSN                                   { return c.cum + 1 + chunk.TSN(c.unacked.n) }
func (c *counts) toSend() bool                                      { return c.marked != 0 || c.queue.n > 0 && c.unacked.n < maxLetters }
func (c *counts) Next(mono.Time) (tcb.PathID, bool) {
	return c.active, c.toSend() && c.active != tcb.NoPath
}

// MovePath implements sideeffects.DataPlane.
func (c *counts) MovePath(tcb.PathID, sideeffects.Addressing, int, int, mono.Time) {}

// AnswersProbe implements sideeffects.DataPlane.
func (c *counts) AnswersProbe(tcb.PathID, uint64, int, mono.Time) (known, last bool) {
	return false, false
}

func (c *counts) FirstSize(tcb.PathID) int {
	if c.toSend() {
		return chunk.DataHeaderLen + 4
	}
	return 0
}

// StartSend implements sideeffects.DataPlane: what was not acknowledged is
// sent anew.
func (c *counts) StartSend(tsn chunk.TSN, _ uint16, _ uint32) {
	q := c.unacked
	for _, l := range c.queue.b[:c.queue.n] {
		if q.n < maxLetters {
			q.push(l)
		} else {
			c.overflow = true
		}
	}
	c.queue, c.unacked = q, letters{}
	c.first, c.cum = tsn, tsn-1
	c.marked, c.gapped, c.t3 = 0, 0, 0
	c.sending = true
}

// StartRecv implements sideeffects.DataPlane.
func (c *counts) StartRecv(tsn chunk.TSN, streams uint16) {
	c.in, c.streams, c.receiving = tsn-1, streams, true
	c.ahead, c.held = 0, [8]byte{}
	c.acknowledged()
	c.started, c.hurry = false, false
}

func (c *counts) acknowledged() { c.sackAt, c.packets, c.due, c.dup = 0, 0, false, false }

// Ingest implements sideeffects.DataPlane.
func (c *counts) Ingest(run []byte, _ tcb.PathID, _ mono.Time) (o pipes.Outcome) {
	w := chunk.Walk(run)
	for {
		ch, ok := w.Next()
		if !ok {
			return o
		}
		d, e := chunk.ParseData(ch)
		if e != chunk.ErrNone {
			return o
		}
		c.hurry = c.hurry || d.Flags&chunk.FlagI != 0
		if len(d.Payload) == 0 {
			o.Merge(pipes.Outcome{Bits: pipes.NoUserData, TSN: d.TSN})
			return o
		}
		letter := d.Payload[0]
		if uint16(d.Stream) >= c.streams {
			letter = 0 // acknowledged and dropped
		}
		switch n := d.TSN.Diff(c.in); {
		case n <= 0 || n >= 2 && n < 10 && c.ahead&(1<<(n-2)) != 0:
			c.dup, c.dupTSN, c.hurry = true, d.TSN, true
			continue
		case n == 1:
			c.arrive(letter, &o)
		case n < 10:
			c.ahead |= 1 << (n - 2)
			c.held[n-2] = letter
		default:
			c.hurry = true
			continue
		}
		if letter == 0 {
			o.Merge(pipes.Outcome{Bits: pipes.BadStream, Stream: d.Stream})
		}
	}
}

// arrive takes the next TSN, and those that waited for it.
func (c *counts) arrive(letter byte, o *pipes.Outcome) {
	for {
		c.in++
		if letter != 0 {
			c.put(ready{letter: letter})
			o.Bits |= pipes.Delivered
		}
		more := c.ahead&1 != 0
		letter = c.held[0]
		c.ahead >>= 1
		copy(c.held[:], c.held[1:])
		c.held[len(c.held)-1] = 0
		if !more {
			return
		}
		c.hurry = true
	}
}

// DataPacket implements sideeffects.DataPlane.
func (c *counts) DataPacket(_ tcb.PathID, now mono.Time) {
	c.packets++
	if c.hurry || !c.started || c.ahead != 0 || c.packets >= 2 {
		c.due = true
	}
	c.started, c.hurry = true, false
	if c.sackAt == 0 {
		c.sackAt = now.Add(c.cfg.SackDelay)
	}
}

// ForceSack implements sideeffects.DataPlane.
func (c *counts) ForceSack() { c.due = true }

// AppendSack implements sideeffects.DataPlane.
func (c *counts) AppendSack(b []byte, _ int) []byte {
	var gaps []chunk.GapBlock
	for i := uint16(0); i < 8; i++ {
		if c.ahead&(1<<i) != 0 {
			gaps = append(gaps, chunk.GapBlock{Start: i + 2, End: i + 2})
		}
	}
	var dups []chunk.TSN
	if c.dup {
		dups = append(dups, c.dupTSN)
	}
	c.acknowledged()
	return chunk.AppendSack(b, c.in, c.Window(), gaps, dups)
}

// Sack implements sideeffects.DataPlane.
func (c *counts) Sack(ch chunk.Chunk, now mono.Time) pipes.Outcome {
	s, e := chunk.ParseSack(ch)
	if e != chunk.ErrNone {
		return pipes.Outcome{}
	}
	o := c.CumAck(s.CumTSN, now)
	if o.Bits&pipes.BadCumTSN != 0 || s.CumTSN != c.cum {
		return o
	}
	c.gapped = 0
	for i := range s.NumGaps() {
		start, end := s.Gap(i)
		for t := start; t <= end && t >= start && t < 16; t++ {
			if t < 2 || t > uint16(c.unacked.n) {
				o.Bits |= pipes.BadGap
				break
			}
			c.gapped |= 1 << (t - 1)
			c.marked &^= 1 << (t - 1)
			o.Bits |= pipes.PathsAcked
			o.Paths = o.Paths.With(0)
		}
	}
	return o
}

// CumAck implements sideeffects.DataPlane.
func (c *counts) CumAck(cum chunk.TSN, now mono.Time) (o pipes.Outcome) {
	n := cum.Diff(c.cum)
	switch {
	case n < 0:
		return o
	case n > int32(c.unacked.n):
		return pipes.Outcome{Bits: pipes.BadCumTSN, TSN: cum}
	case n == 0:
		return o
	}
	c.cum = cum
	c.unacked.drop(uint8(n))
	c.marked >>= n
	c.gapped >>= n
	o.Bits |= pipes.PathsAcked
	o.Paths = o.Paths.With(0)
	c.t3 = 0
	if c.unacked.n > 0 {
		c.t3 = now.Add(c.cfg.RTOInitial) // R-6.3.2-03
	} else if c.queue.n == 0 {
		o.Bits |= pipes.AllAcked
	}
	return o
}

func (c *counts) markAll() {
	c.marked = uint8(1)<<c.unacked.n - 1
	c.marked &^= c.gapped
	c.t3 = 0
}

// MarkRtx implements sideeffects.DataPlane.
func (c *counts) MarkRtx(tcb.PathID, mono.Time) { c.markAll() }

// Fill implements sideeffects.DataPlane.
func (c *counts) Fill(p tcb.PathID, b *packet.Builder, now mono.Time) int {
	if p != c.active {
		return 0
	}
	n := 0
	for i := uint8(0); i < c.unacked.n; i++ {
		if c.marked&(1<<i) != 0 {
			c.marked &^= 1 << i
			n += c.send(i, b)
		}
	}
	for c.queue.n > 0 && c.unacked.n < maxLetters {
		c.unacked.push(c.queue.b[0])
		c.queue.drop(1)
		n += c.send(c.unacked.n-1, b)
	}
	if n > 0 {
		c.lastSent = now
		if c.t3 == 0 {
			c.t3 = now.Add(c.cfg.RTOInitial)
		}
	}
	return n
}

// send writes the DATA chunk of unacked message i.
func (c *counts) send(i uint8, b *packet.Builder) int {
	t := c.cum + 1 + chunk.TSN(i)
	b.Data(chunk.FlagB|chunk.FlagE, t, dataStream, chunk.SSN(t-c.first), dataPPID, c.unacked.b[i:i+1])
	return 1
}

// Deadline implements sideeffects.DataPlane.
func (c *counts) Deadline() mono.Time {
	switch {
	case c.closed:
		return 0
	case c.t3 == 0 || c.sackAt != 0 && c.sackAt < c.t3:
		return c.sackAt
	}
	return c.t3
}

// Due implements sideeffects.DataPlane.
func (c *counts) Due(now mono.Time) (fsm.EventID, tcb.PathID, bool) {
	if c.t3 != 0 && c.t3 <= now {
		c.t3 = 0
		return fsm.EvTimeoutT3, 0, true
	}
	if c.sackAt != 0 && c.sackAt <= now {
		c.sackAt = 0
		c.due = true
		return fsm.EvTimeoutSack, tcb.NoPath, true
	}
	return 0, tcb.NoPath, false
}

// AppendArmed appends the timers that run.
func (c *counts) AppendArmed(to []sideeffects.Armed) []sideeffects.Armed {
	if c.t3 != 0 {
		to = append(to, sideeffects.Armed{At: c.t3, Event: fsm.EvTimeoutT3})
	}
	if c.sackAt != 0 {
		to = append(to, sideeffects.Armed{At: c.sackAt, Event: fsm.EvTimeoutSack, Path: tcb.NoPath})
	}
	return to
}

// Push implements sideeffects.DataPlane.
func (c *counts) Push(m outqueue.Message, _ mono.Time) bool {
	if c.queue.n == maxLetters {
		return false
	}
	c.queue.push(m.Buf.B[0])
	return true
}

// Notify implements sideeffects.DataPlane.
func (c *counts) Notify(n sideeffects.Note) { c.put(ready{kind: n.Kind, a: n.A}) }

// Close implements sideeffects.DataPlane.
func (c *counts) Close(chunk.CauseCode) {
	c.closed = true
	c.queue, c.unacked = letters{}, letters{}
	c.t3, c.sackAt = 0, 0
}
