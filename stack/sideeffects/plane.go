package sideeffects

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes"
	"github.com/gosctp/gosctp/stack/pipes/inqueue"
	"github.com/gosctp/gosctp/stack/pipes/outqueue"
	"github.com/gosctp/gosctp/stack/pipes/packet"
	"github.com/gosctp/gosctp/stack/pipes/path"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Plane is the data path of one association: the pipes, joined.
type Plane struct {
	Paths path.Set
	Out   outqueue.Queue
	In    inqueue.Queue
	Up    ulpqueue.Queue

	cfg       *tcb.Config
	newCC     func() path.Controller // nil: the path's own choice
	pools     *Pools
	sending   bool // StartSend was called
	receiving bool
	closed    bool
	immediate bool // the packet in hand asks for a SACK at once
	reporting bool // messages that fail come back in notifications
	probing   bool // the search for path MTUs has begun
}

func newPlane(set Settings, pools *Pools, cache *ulpqueue.Cache, budget *seg.Budget) *Plane {
	cfg := set.Config
	pl := &Plane{cfg: cfg, newCC: set.Congestion, pools: pools}
	pl.Paths.Active, pl.Paths.Retran = tcb.NoPath, tcb.NoPath
	pl.Up.Init(cfg, pools.Seg, pools.Nodes, cfg.MaxInStreams)
	pl.Up.UseCache(cache)
	if budget != nil {
		pl.Up.UseBudget(budget)
	}
	return pl
}

// AddPath implements DataPlane.
func (pl *Plane) AddPath(to Addressing, mtu, overhead int) {
	p := path.Path{Addr: to.Dst, Src: to.Src, EncapPort: to.EncapPort, Overhead: overhead}
	if pl.newCC != nil {
		p.CC = pl.newCC()
	}
	p.Init(pl.cfg, mtu)
	pl.Paths.P = append(pl.Paths.P, p)
}

// DropPath implements DataPlane.
func (pl *Plane) DropPath(p tcb.PathID) {
	pl.Paths.P = append(pl.Paths.P[:p], pl.Paths.P[p+1:]...)
}

// UsePaths implements DataPlane.
func (pl *Plane) UsePaths(active, retran tcb.PathID) {
	pl.Paths.Active, pl.Paths.Retran = active, retran
}

// PathDown implements DataPlane.
func (pl *Plane) PathDown(p tcb.PathID, now mono.Time) {
	pl.Paths.P[p].Down()
	if pl.sending {
		pl.Out.PathDown(p)
	}
}

// MovePath implements DataPlane.
func (pl *Plane) MovePath(p tcb.PathID, to Addressing, mtu, overhead int, now mono.Time) {
	q := &pl.Paths.P[p]
	q.Src = to.Src
	if q.Moved(mtu, overhead, now) {
		pl.reduced(p, q.PMTU, now)
	}
}

// ResetPaths implements DataPlane.
func (pl *Plane) ResetPaths() {
	for i := range pl.Paths.P {
		pl.Paths.P[i].T3 = 0
		pl.Paths.P[i].Restart()
	}
}

// PathMTU implements DataPlane.
func (pl *Plane) PathMTU(p tcb.PathID) int { return pl.Paths.P[p].PMTU }

// RTO implements DataPlane.
func (pl *Plane) RTO(p tcb.PathID) mono.Duration {
	if q := pl.Paths.Get(p); q != nil {
		return q.RTO
	}
	return pl.cfg.RTOInitial
}

// SampleRTT implements DataPlane.
func (pl *Plane) SampleRTT(p tcb.PathID, d mono.Duration, now mono.Time) {
	if q := pl.Paths.Get(p); q != nil {
		q.SampleRTT(d, now)
	}
}

// Backoff implements DataPlane.
func (pl *Plane) Backoff(p tcb.PathID) {
	if q := pl.Paths.Get(p); q != nil {
		q.Backoff()
	}
}

// LastSent implements DataPlane.
func (pl *Plane) LastSent(p tcb.PathID) mono.Time {
	if q := pl.Paths.Get(p); q != nil {
		return q.LastSent
	}
	return 0
}

// StartSend implements DataPlane.
func (pl *Plane) StartSend(tsn chunk.TSN, streams uint16, rwnd uint32) {
	if !pl.sending {
		pl.Out.Init(pl.cfg, pl.pools.Seg, &pl.Paths, tsn, int(streams), rwnd)
		pl.sending = true
		return
	}
	pl.Out.Reset(tsn, rwnd)
	pl.Out.SetStreams(int(streams))
	// The peer takes fewer streams than the user wrote to: what it would refuse
	// (RFC 9260 section 5.1.1) is not sent.
	pl.Out.PurgeStreams(pl.failed(chunk.CauseInvalidStream))
}

// StartRecv implements DataPlane.
func (pl *Plane) StartRecv(tsn chunk.TSN, streams uint16) {
	pl.In.Init(pl.cfg, tsn)
	pl.Up.Restart(streams)
	pl.receiving = true
}

// Ingest takes a run of DATA chunks: what each TSN means is decided here (RFC
// 9260 section 6.2).
func (pl *Plane) Ingest(run []byte, from tcb.PathID, now mono.Time) (o pipes.Outcome) {
	pl.Up.From(from)
	w := chunk.Walk(run)
	for {
		c, ok := w.Next()
		if !ok {
			break
		}
		d, e := chunk.ParseData(c)
		if e != chunk.ErrNone {
			break
		}
		if d.Flags&chunk.FlagI != 0 {
			pl.immediate = true
		}
		if len(d.Payload) == 0 {
			o.Merge(pipes.Outcome{Bits: pipes.NoUserData, TSN: d.TSN})
			return o
		}
		pl.take(&d, &o)
	}
	r := pl.Up.CumTSNAdvanced(pl.In.CumTSN())
	if r&ulpqueue.Violation != 0 {
		o.Merge(pipes.Outcome{Bits: pipes.BadFragments, TSN: pl.In.CumTSN()})
	}
	if r&ulpqueue.Delivered != 0 {
		o.Bits |= pipes.Delivered
	}
	return o
}

func (pl *Plane) take(d *chunk.Data, o *pipes.Outcome) {
	switch pl.In.Classify(d.TSN) {
	case inqueue.Duplicate:
		pl.In.Duplicate(d.TSN)
		return
	case inqueue.TooFar:
		pl.immediate = true // the peer learns at once what it has to repeat
		return
	}
	if uint16(d.Stream) >= pl.Up.InStreams() {
		// Acknowledged and dropped (RFC 9260 section 6.5).
		pl.In.Accept(d.TSN)
		o.Merge(pipes.Outcome{Bits: pipes.BadStream, Stream: d.Stream})
		return
	}
	if !pl.Up.Room(len(d.Payload)) {
		if pl.Up.Ready() {
			o.Bits |= pipes.Delivered // a partial delivery may have begun
		}
		// What fills a gap is worth more than what lies beyond it.
		if !d.TSN.Less(pl.In.Highest()) ||
			!pl.Up.RenegeFor(len(d.Payload), d.TSN, pl.In.Renege) {
			pl.immediate = true
			return
		}
	}
	r := pl.Up.Insert(*d)
	if r&ulpqueue.Accepted != 0 {
		pl.In.Accept(d.TSN)
	} else {
		pl.immediate = true
	}
	if r&ulpqueue.Violation != 0 {
		o.Merge(pipes.Outcome{Bits: pipes.BadFragments, TSN: d.TSN})
	}
	if r&ulpqueue.Delivered != 0 {
		o.Bits |= pipes.Delivered
	}
}

// DataPacket implements DataPlane.
func (pl *Plane) DataPacket(from tcb.PathID, now mono.Time) {
	pl.In.DataPacket(now, from, pl.immediate)
	pl.immediate = false
}

// Sack implements DataPlane.
func (pl *Plane) Sack(c chunk.Chunk, now mono.Time) pipes.Outcome {
	s, e := chunk.ParseSack(c)
	if e != chunk.ErrNone {
		return pipes.Outcome{}
	}
	o := pl.Out.Sack(s, now)
	if pl.probing {
		for i := range pl.Paths.P {
			if o.Paths.Has(tcb.PathID(i)) {
				pl.Paths.P[i].Alive(now)
			}
		}
	}
	return o
}

// CumAck implements DataPlane.
func (pl *Plane) CumAck(tsn chunk.TSN, now mono.Time) pipes.Outcome { return pl.Out.CumAck(tsn, now) }

// MarkRtx implements DataPlane. The outqueue stops the timer itself; Due did
// so before, lest it fire for ever.
func (pl *Plane) MarkRtx(p tcb.PathID, now mono.Time) {
	q := &pl.Paths.P[p]
	q.T3 = now
	n := q.Stats.T3Expiries
	pl.Out.T3Expired(p, now)
	if q.Stats.T3Expiries != n && q.TimedOut(now) { // not for a shut window
		pl.reduced(p, q.PMTU, now)
	}
}

// ForceSack implements DataPlane.
func (pl *Plane) ForceSack() { pl.In.Force() }

// Facts implements DataPlane.
func (pl *Plane) Facts(f *fsm.Facts) {
	f.OutqEmpty = pl.Empty()
	if pl.sending {
		f.ZeroWindow = pl.Out.ZeroWindowProbing()
	}
}

// CumTSN implements DataPlane.
func (pl *Plane) CumTSN() chunk.TSN { return pl.In.CumTSN() }

// Window implements DataPlane.
func (pl *Plane) Window() uint32 { return pl.Up.Window() }

// Deadline implements DataPlane.
func (pl *Plane) Deadline() mono.Time {
	if pl.closed {
		return 0
	}
	var min mono.Time
	if pl.receiving {
		min = pl.In.Deadline()
	}
	for i := range pl.Paths.P {
		min = earlier(min, earlier(pl.Paths.P[i].T3, pl.Paths.P[i].ProbeDue()))
	}
	return min
}

// Due implements DataPlane.
func (pl *Plane) Due(now mono.Time) (fsm.EventID, tcb.PathID, bool) {
	for i := range pl.Paths.P {
		if t := pl.Paths.P[i].T3; t != 0 && t <= now {
			pl.Paths.P[i].T3 = 0
			return fsm.EvTimeoutT3, tcb.PathID(i), true
		}
	}
	if pl.receiving {
		if t := pl.In.Deadline(); t != 0 && t <= now {
			pl.In.TimerFired()
			return fsm.EvTimeoutSack, tcb.NoPath, true
		}
	}
	for i := range pl.Paths.P {
		if t := pl.Paths.P[i].ProbeDue(); t != 0 && t <= now {
			pl.Paths.P[i].StopProbeTimer()
			return fsm.EvTimeoutProbe, tcb.PathID(i), true
		}
	}
	return 0, tcb.NoPath, false
}

// Push implements DataPlane.
func (pl *Plane) Push(m outqueue.Message, now mono.Time) bool { return pl.Out.Push(m, now) }

// Notify implements DataPlane.
func (pl *Plane) Notify(n Note) {
	v := ulpqueue.Notification{Kind: uint8(n.Kind), A: n.A, B: n.B}
	switch {
	case pl.closed:
		v.Rank = ulpqueue.Final
	case n.Kind == fsm.NoteAssocChange, n.Kind == fsm.NoteAdaptation:
		v.Rank = ulpqueue.Vital
	}
	if len(n.Info) > 0 {
		v.Bytes = pl.pools.Seg.Get(len(n.Info))
		copy(v.Bytes.B, n.Info)
	}
	pl.Up.Notify(v)
}

// Consumed implements DataPlane.
func (pl *Plane) Consumed(n int) bool { return pl.Up.Consumed(n) && !pl.closed && pl.receiving }

// Reclaim takes back data that is not ready to be read, from the highest TSN
// down, until no more than keep bytes of memory are in it; it returns what came
// free.
func (pl *Plane) Reclaim(keep int) int { return pl.Up.Reclaim(keep, pl.In.Renege) }

// Empty implements DataPlane.
func (pl *Plane) Empty() bool { return !pl.sending || pl.Out.Empty() }

// SetDraining implements DataPlane.
func (pl *Plane) SetDraining(on bool) {
	if pl.sending {
		pl.Out.SetDraining(on)
	}
}

// Close implements DataPlane.
func (pl *Plane) Close(cause chunk.CauseCode) {
	pl.closed = true
	if pl.sending {
		pl.Out.Purge(pl.failed(cause))
	}
	pl.Up.Abort()
	for i := range pl.Paths.P {
		pl.Paths.P[i].T3 = 0
		pl.Paths.P[i].StopProbeTimer()
	}
}

// BeginFlush implements DataPlane.
func (pl *Plane) BeginFlush(now mono.Time) { pl.Out.BeginFlush(now) }

// Next implements DataPlane.
func (pl *Plane) Next(now mono.Time) (tcb.PathID, bool) { return pl.Out.Next(now) }

// Fill implements DataPlane.
func (pl *Plane) Fill(p tcb.PathID, b *packet.Builder, now mono.Time) int {
	return pl.Out.Fill(p, b, now)
}

// PacketSize implements DataPlane.
func (pl *Plane) PacketSize(p tcb.PathID) int {
	if !pl.sending {
		return 0
	}
	n := pl.Out.PacketSize(p)
	if q := &pl.Paths.P[p]; n > q.PMTU {
		n = max(n, q.FragmentSize())
	}
	return n
}

// FragmentSize implements DataPlane.
func (pl *Plane) FragmentSize(p tcb.PathID) int { return pl.Paths.P[p].FragmentSize() }

// FirstSize implements DataPlane.
func (pl *Plane) FirstSize(p tcb.PathID) int { return pl.Out.FirstSize(p) }

// Trim implements DataPlane.
func (pl *Plane) Trim() {
	if pl.sending {
		pl.Out.Trim()
	}
}

// SackDue implements DataPlane.
func (pl *Plane) SackDue() bool { return pl.receiving && pl.In.Due() }

// SackDueNow implements DataPlane.
func (pl *Plane) SackDueNow() bool { return pl.receiving && pl.In.DueNow() }

// SackPending implements DataPlane.
func (pl *Plane) SackPending() bool { return pl.receiving && pl.In.Pending() }

// SackTo implements DataPlane.
func (pl *Plane) SackTo() tcb.PathID { return pl.In.To() }

// SackRepeated implements DataPlane.
func (pl *Plane) SackRepeated() bool { return pl.In.Repeated() }

// AppendSack implements DataPlane.
func (pl *Plane) AppendSack(b []byte, room int) []byte {
	return pl.In.AppendSack(b, room, pl.Up.Window())
}
