package sideeffects

import (
	"fmt"
	"net/netip"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/decision"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes"
	"github.com/gosctp/gosctp/stack/pipes/inqueue"
	"github.com/gosctp/gosctp/stack/pipes/outqueue"
	"github.com/gosctp/gosctp/stack/pipes/packet"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Executor runs the associations of one shard, one event at a time.
type Executor struct {
	Host   Host
	Pools  *Pools
	Budget *seg.Budget // receive memory that associations share; nil: unbounded
	Stats  [fsm.NumStats]uint64
	// Contained counts the panics that cost one association instead of all.
	Contained uint64

	// More tells that more packets of a batch follow: SACKs that are not
	// urgent wait, and Association.OwesSack says for which Resume is to be
	// called at its end.
	More bool

	// Hold keeps what a call of the user's queued from being sent at once;
	// Resume sends it.
	Hold bool

	// Log, if set, is told of every call.
	Log Log
	// Trace, if set, sees every step.
	Trace Tracer
	// Paranoid runs every state function twice and compares; a difference is
	// a panic.
	Paranoid bool

	// Dumped, if set, is told of each contained panic, with the last steps of
	// the association that it costs. It is called where the panic is recovered.
	Dumped func(d decision.Dump, panicked any)

	keys  cookieKeys
	rings decision.Pool
	call  Call // scratch of log

	// What the event in hand is about.
	a       *Association
	ep      *Endpoint
	in      *Datagram
	msg     outqueue.Message
	reason  []byte // of the user's ABORT
	now     mono.Time
	result  fsm.Result
	cookie  Cookie
	way     Route // of EvRoute and EvPrimSetSource
	sawData bool

	ev    fsm.Event
	out   fsm.Commands
	again fsm.Commands
	key   []byte
	init  chunk.InitFacts
	cur   inqueue.Cursor
	fifo  fifo
	ctl   controls
	pk    packet.Builder

	lookups   lookups
	local     []netip.Addr // scratch of INIT ACK
	cache     *ulpqueue.Cache
	replyLost bool // there is no slot for the reply in hand
	scratch   []byte
}

// Pools are the free lists that associations share. They are safe for use by
// several Executors.
type Pools struct {
	Seg   *seg.Pool
	Nodes *seg.Free[ulpqueue.Message]
}

// NewPools returns empty free lists.
func NewPools() *Pools {
	return &Pools{Seg: new(seg.Pool), Nodes: seg.NewFree[ulpqueue.Message](1 << 16)}
}

// Step is one step of the machine, as a Tracer sees it. Its pointers are valid
// during the call only.
type Step struct {
	Assoc         *Association // nil where there is none, or where it is not known any more
	ID            uint32       // the association's, 0 where there is none
	Before, After tcb.State
	Event         *fsm.Event
	Disposition   fsm.Disposition
	Commands      *fsm.Commands
}

// Tracer watches an Executor.
type Tracer interface{ Step(s *Step) }

// Packet processes an inbound packet: for association a, or, if that is nil,
// for endpoint ep; if that is nil too, it is out of the blue.
func (x *Executor) Packet(a *Association, ep *Endpoint, in *Datagram, now mono.Time) {
	if x.Log != nil {
		x.log(Call{Op: OpPacket, Assoc: a, Endpoint: ep, Datagram: in, Now: now})
	}
	x.begin(a, ep, now)
	x.in = in
	defer x.contain()
	if a != nil {
		a.rx.packets++
		a.rx.bytes += uint64(len(in.Packet))
	}
	x.chunks()
	x.finish()
}

// Timeout fires what is due for a.
func (x *Executor) Timeout(a *Association, now mono.Time) {
	if x.Log != nil {
		x.log(Call{Op: OpTimeout, Assoc: a, Now: now})
	}
	x.begin(a, nil, now)
	defer x.contain()
	for id := tcb.TimerID(0); id < tcb.NumTimers && x.live(); id++ {
		if t := a.timers[id]; t != 0 && t <= now {
			a.timers[id] = 0
			a.tcb.Armed &^= 1 << id
			x.event(timerEvents[id], a.tcb.CtlPath)
			x.run()
		}
	}
	for x.live() {
		id, p, ok := a.data.Due(now)
		if !ok {
			break
		}
		x.event(id, p)
		x.run()
	}
	for p := 0; x.live() && p < len(a.hb); p++ {
		if t := a.hb[p]; t != 0 && t <= now {
			if now < a.nextProbe && a.tcb.Paths[p].State == tcb.PathUnconfirmed {
				a.hb[p] = a.nextProbe
				continue
			}
			a.hb[p] = 0
			a.tcb.Paths[p].HBArmed = false
			x.event(fsm.EvTimeoutHeartbeat, tcb.PathID(p))
			x.run()
		}
	}
	if x.live() && a.tcb.Cfg.AutoClose != 0 {
		if t := a.autoclose(); t != 0 && t <= now {
			x.event(fsm.EvPrimShutdown, tcb.NoPath)
			x.run()
		}
	}
	x.finish()
}

var timerEvents = [tcb.NumTimers]fsm.EventID{
	tcb.T1Init:     fsm.EvTimeoutT1Init,
	tcb.T1Cookie:   fsm.EvTimeoutT1Cookie,
	tcb.T2Shutdown: fsm.EvTimeoutT2,
	tcb.T5Guard:    fsm.EvTimeoutT5,
}

// Associate starts an association from the addresses that a was prepared with.
func (x *Executor) Associate(a *Association, now mono.Time) fsm.Result {
	if x.Log != nil {
		x.log(Call{Op: OpAssociate, Assoc: a, Now: now})
	}
	p := tcb.PathID(0)
	for int(p) < len(a.tcb.Paths)-1 && a.tcb.Paths[p].Cut {
		p++
	}
	return x.primitive(a, fsm.EvPrimAssociate, p, now)
}

// Send hands a message over. Unless the result is fsm.ResultOK the message
// stays the caller's.
func (x *Executor) Send(a *Association, m outqueue.Message, now mono.Time) fsm.Result {
	if x.Log != nil {
		x.log(Call{Op: OpSend, Assoc: a, Message: m, Now: now})
	}
	x.msg = m
	r := x.primitive(a, fsm.EvPrimSend, tcb.NoPath, now)
	x.msg.Buf = nil
	return r
}

// Shutdown closes gracefully.
func (x *Executor) Shutdown(a *Association, now mono.Time) fsm.Result {
	if x.Log != nil {
		x.log(Call{Op: OpShutdown, Assoc: a, Now: now})
	}
	return x.primitive(a, fsm.EvPrimShutdown, tcb.NoPath, now)
}

// Abort ends a at once; reason goes to the peer.
func (x *Executor) Abort(a *Association, reason []byte, now mono.Time) fsm.Result {
	if x.Log != nil {
		x.log(Call{Op: OpAbort, Assoc: a, Reason: reason, Now: now})
	}
	x.reason = reason
	r := x.primitive(a, fsm.EvPrimAbort, tcb.NoPath, now)
	x.reason = nil
	return r
}

// Heartbeat probes path p now.
func (x *Executor) Heartbeat(a *Association, p tcb.PathID, now mono.Time) fsm.Result {
	if x.Log != nil {
		x.log(Call{Op: OpHeartbeat, Assoc: a, Path: p, Now: now})
	}
	return x.primitive(a, fsm.EvPrimHeartbeat, p, now)
}

// SetPrimary makes the path to addr the primary one.
func (x *Executor) SetPrimary(a *Association, addr netip.Addr, now mono.Time) fsm.Result {
	if x.Log != nil {
		x.log(Call{Op: OpSetPrimary, Assoc: a, Addr: addr, Now: now})
	}
	return x.primitive(a, fsm.EvPrimSetPrimary, a.pathOf(addr), now)
}

// Consumed tells that the user has read n bytes; the window may open.
func (x *Executor) Consumed(a *Association, n int, now mono.Time) {
	if x.Log != nil {
		x.log(Call{Op: OpConsumed, Assoc: a, N: n, Now: now})
	}
	if a.data.Consumed(n) && a.tcb.State >= tcb.Established && a.tcb.State <= tcb.ShutdownSent {
		x.begin(a, nil, now)
		defer x.contain()
		a.data.ForceSack()
		x.finish()
	}
}

// Detach moves what is ready to be read to dst, as ulpqueue.Queue.Detach does.
func (x *Executor) Detach(a *Association, dst *ulpqueue.List, max int) int {
	if x.Log != nil {
		x.log(Call{Op: OpDetach, Assoc: a, N: max})
	}
	pl, ok := a.data.(*Plane)
	if !ok {
		return 0
	}
	return pl.Up.Detach(dst, max)
}

// Reclaim takes back data that is not ready to be read, until no more than keep
// bytes of it are held, and returns what came free.
func (x *Executor) Reclaim(a *Association, keep int) int {
	if x.Log != nil {
		x.log(Call{Op: OpReclaim, Assoc: a, N: keep})
	}
	pl, ok := a.data.(*Plane)
	if !ok {
		return 0
	}
	return pl.Reclaim(keep)
}

// SetReporting says whether messages that fail from now on are reported.
func (x *Executor) SetReporting(a *Association, on bool) {
	if x.Log != nil {
		n := 0
		if on {
			n = 1
		}
		x.log(Call{Op: OpReporting, Assoc: a, N: n})
	}
	if pl, ok := a.data.(*Plane); ok {
		pl.SetReporting(on)
	}
}

// Resume goes on sending after the host had no slot.
func (x *Executor) Resume(a *Association, now mono.Time) {
	if x.Log != nil {
		x.log(Call{Op: OpResume, Assoc: a, Now: now})
	}
	x.begin(a, nil, now)
	defer x.contain()
	x.finish()
}

// Unreachable processes an ICMP protocol unreachable about a (RFC 9260 section
// 10 ICMP8).
func (x *Executor) Unreachable(a *Association, now mono.Time) {
	if x.Log != nil {
		x.log(Call{Op: OpUnreachable, Assoc: a, Now: now})
	}
	x.begin(a, nil, now)
	defer x.contain()
	x.event(fsm.EvProtoUnreach, tcb.NoPath)
	x.run()
	x.finish()
}

// TooBig processes what a validated ICMP message said about packets to dst: a
// router takes IP packets of mtu bytes (RFC 9260 section 7.3).
func (x *Executor) TooBig(a *Association, dst netip.Addr, mtu int, now mono.Time) {
	if x.Log != nil {
		x.log(Call{Op: OpTooBig, Assoc: a, Addr: dst, N: mtu, Now: now})
	}
	p := a.pathOf(dst)
	if p == tcb.NoPath || a.tcb.State == tcb.Closed {
		return
	}
	x.begin(a, nil, now)
	defer x.contain()
	a.data.TooBig(p, mtu, now)
	x.finish()
}

// LinkMTU processes what the host said about packets to dst: its own interface
// takes IP packets of mtu bytes.
func (x *Executor) LinkMTU(a *Association, dst netip.Addr, mtu int, now mono.Time) {
	if x.Log != nil {
		x.log(Call{Op: OpLinkMTU, Assoc: a, Addr: dst, N: mtu, Now: now})
	}
	p := a.pathOf(dst)
	if p == tcb.NoPath || a.tcb.State == tcb.Closed || mtu < a.tcb.Cfg.MinPathMTU {
		return
	}
	x.begin(a, nil, now)
	defer x.contain()
	a.data.LinkMTU(p, mtu, now)
	x.finish()
}

// FlushCache gives free buffers that x keeps at hand back to the Pools.
func (x *Executor) FlushCache() {
	if x.cache != nil {
		x.cache.Flush()
	}
}

func (x *Executor) primitive(a *Association, id fsm.EventID, p tcb.PathID, now mono.Time) fsm.Result {
	x.begin(a, nil, now)
	defer x.contain()
	x.result = fsm.ResultState
	x.event(id, p)
	x.run()
	x.finish()
	return x.result
}

func (x *Executor) begin(a *Association, ep *Endpoint, now mono.Time) {
	x.a, x.ep, x.in, x.now = a, ep, nil, now
	x.sawData = false
	x.fifo.reset()
	x.ctl.reset()
}

// live reports whether the association in hand still has a TCB.
func (x *Executor) live() bool { return x.a != nil && x.a.tcb.State != tcb.Closed }

// event prepares an event that is not a chunk.
func (x *Executor) event(id fsm.EventID, p tcb.PathID) {
	x.ev = fsm.Event{ID: id, Path: p, Alone: true, Len: ^uint16(0), Cookie: x.ev.Cookie}
}

// run steps through the event in hand and those that follow from it.
func (x *Executor) run() fsm.Disposition {
	d := x.step()
	for {
		n, ok := x.fifo.pop()
		if !ok || !x.live() {
			return d
		}
		p := x.ev.Path
		x.event(n.id, p)
		x.ev.Code, x.ev.Arg, x.ev.Paths = n.code, n.arg, n.paths
		if d2 := x.step(); d2 == fsm.DiscardPacket || d2 == fsm.Violation {
			d = d2
		}
	}
}

// step runs the state function for the event in hand and its commands.
func (x *Executor) step() fsm.Disposition {
	var t *tcb.TCB
	before := tcb.Closed
	if x.live() || (x.a != nil && x.ev.ID == fsm.EvPrimAssociate) {
		t = &x.a.tcb
		before = t.State
		x.facts()
	}
	x.env(before)
	v := tcb.ViewOf(t)
	d := fsm.Step(v, &x.ev, &x.out)
	if x.Paranoid {
		x.checkPure(v, t, d)
	}
	if x.out.Overflowed() {
		panic("sctp: too many commands for one event")
	}
	subject := x.a
	if subject != nil {
		x.keep(subject, t, d)
	}
	x.interpret()
	if subject == nil && x.a != nil {
		x.keep(x.a, nil, d) // the step that made the association
	}
	if x.Trace != nil {
		s := Step{Assoc: subject, Before: before, Event: &x.ev, Disposition: d, Commands: &x.out}
		if x.a != nil {
			s.Assoc = x.a
			s.ID = x.a.tcb.ID
			s.After = x.a.tcb.State
		}
		x.Trace.Step(&s)
	}
	if d == fsm.Bug {
		panic(fmt.Sprintf("sctp: %v in %v cannot happen", x.ev.ID, before))
	}
	return d
}

// keep records the step in hand for a, whose TCB was t.
func (x *Executor) keep(a *Association, t *tcb.TCB, d fsm.Disposition) {
	x.rings.Record(&a.ring, t, &x.ev, d, &x.out)
	if x.Paranoid {
		if v := x.rings.Verify(&a.ring, t, &x.ev, d, &x.out); v != "" {
			panic(fmt.Sprintf("sctp: %v was not recorded well: %s", x.ev.ID, v))
		}
	}
}

// checkPure is the test of purity: the same again, and the TCB unchanged.
func (x *Executor) checkPure(v tcb.View, t *tcb.TCB, d fsm.Disposition) {
	x.key = x.key[:0]
	if t != nil {
		x.key = t.AppendKey(x.key)
	}
	n := len(x.key)
	d2 := fsm.Step(v, &x.ev, &x.again)
	if t != nil {
		x.key = t.AppendKey(x.key)
	}
	if d != d2 || !x.out.Equal(&x.again) || string(x.key[:n]) != string(x.key[n:]) {
		panic(fmt.Sprintf("sctp: %s is not pure", fsm.Name(x.ev.ID, v.State())))
	}
}

func (x *Executor) facts() {
	f := &x.ev.Facts
	x.a.data.Facts(f)
	if p := x.ev.Path; int(p) < len(x.a.dests) {
		last := x.a.data.LastSent(p)
		// The heartbeat period of the path is RTO + HB.interval (RFC 9260
		// section 8.3).
		f.PathBusy = last != 0 && x.now.Sub(last) < x.a.tcb.Cfg.Of(p).HBInterval+x.a.data.RTO(p)
	}
	f.PeerUnknown = x.in != nil && x.ev.Path == tcb.NoPath
}

func (x *Executor) env(s tcb.State) {
	e := &x.ev.Env
	e.Now = x.now
	if x.in != nil {
		e.NonUnicast = x.in.NotUnicast
	}
	if x.ep != nil {
		e.Listening, e.BacklogFull = x.ep.Listening, x.ep.BacklogFull
	}
	if !fsm.WantsEntropy(x.ev.ID, s) {
		return
	}
	var b [20]byte
	x.Host.Entropy(b[:])
	e.Tag = x.Host.NewTag()
	e.TSN = chunk.TSN(le32(b[0:]))
	e.Tie = [2]uint32{le32(b[4:]) | 1, le32(b[8:]) | 1}
	e.Nonce = uint64(le32(b[12:]))<<32 | uint64(le32(b[16:]))
}

func le32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

// report turns what a pipe found into events.
func (x *Executor) report(o pipes.Outcome) {
	if o.Bits == 0 {
		return
	}
	if o.Bits&(pipes.BadCumTSN|pipes.BadGap|pipes.BadFragments) != 0 {
		x.fifo.push(follow{id: fsm.EvViolation, arg: uint32(o.TSN)})
	}
	if o.Bits&pipes.NoUserData != 0 {
		x.fifo.push(follow{id: fsm.EvNoUserData, arg: uint32(o.TSN)})
	}
	if o.Bits&pipes.BadStream != 0 {
		x.fifo.push(follow{id: fsm.EvBadStream, arg: uint32(o.Stream)})
	}
	if o.Bits&pipes.PathsAcked != 0 && x.troubled(o.Paths) {
		x.fifo.push(follow{id: fsm.EvPathsAcked, paths: o.Paths})
	}
	if o.Bits&pipes.Delivered != 0 {
		x.a.Wakes |= WakeReadable
	}
	if o.Bits&pipes.Writable != 0 {
		x.a.Wakes |= WakeWritable
	}
}

// troubled reports whether an acknowledgement on these paths changes any
// counter: usually not, and then the machine need not hear of it.
func (x *Executor) troubled(s tcb.PathSet) bool {
	if x.a.tcb.Errors != 0 {
		return true
	}
	for i := range x.a.tcb.Paths {
		p := &x.a.tcb.Paths[i]
		if s.Has(tcb.PathID(i)) && (p.Errors != 0 || p.State != tcb.PathActive) {
			return true
		}
	}
	return false
}

// finish ends a packet, a timeout or a primitive.
func (x *Executor) finish() {
	if !x.live() {
		return
	}
	if x.sawData {
		x.a.lastData = x.now
		x.a.data.DataPacket(x.pathOfPacket(), x.now)
	}
	if s := x.a.tcb.State; (s == tcb.ShutdownPending || s == tcb.ShutdownReceived) && x.a.data.Empty() {
		x.event(fsm.EvNoPendingTSN, tcb.NoPath)
		x.run()
		if !x.live() {
			return
		}
	}
	if x.Hold {
		return
	}
	x.flush()
}

func (x *Executor) pathOfPacket() tcb.PathID {
	if x.in == nil {
		return tcb.NoPath
	}
	return x.a.pathOf(x.in.Src)
}

// contain keeps a panic from costing more than the association in hand.
func (x *Executor) contain() {
	r := recover()
	if r == nil {
		return
	}
	if x.Paranoid {
		panic(r)
	}
	x.Contained++
	if x.a != nil && x.Dumped != nil {
		x.Dumped(x.a.Decisions(), r)
	}
	switch {
	case x.live():
		x.condemn()
	case x.a != nil && !x.a.End.Ended:
		x.bury() // half set up, or in the middle of a restart
	}
}

// condemn removes an association whose state cannot be trusted any more.
func (x *Executor) condemn() {
	defer func() {
		if recover() == nil {
			return
		}
		// Not even the end went well. It is one nevertheless.
		x.bury()
	}()
	x.fifo.reset()
	x.ctl.reset()
	x.in = nil
	x.event(fsm.EvInternalError, tcb.NoPath)
	x.step()
}

// bury ends an association without a word to its peer.
func (x *Executor) bury() {
	a := x.a
	x.stopTimers()
	a.tcb.State = tcb.Closed
	if pl, ok := a.data.(*Plane); ok {
		pl.Up.LeaveBudget()
	}
	if !a.End.Ended {
		a.End = End{Ended: true, Change: fsm.CommLost, Cause: chunk.CauseOutOfResource}
	}
	a.Wakes |= WakeEnded | WakeReadable | WakeWritable
}

// fifo holds the events that follow from the one in hand.
type fifo struct {
	buf  [8]follow
	r, n int
}

type follow struct {
	id    fsm.EventID
	code  uint16
	arg   uint32
	paths tcb.PathSet
}

func (f *fifo) reset() { f.r, f.n = 0, 0 }

func (f *fifo) push(e follow) {
	if f.n == len(f.buf) {
		panic("sctp: event queue overflow")
	}
	f.buf[(f.r+f.n)%len(f.buf)] = e
	f.n++
}

func (f *fifo) pop() (follow, bool) {
	if f.n == 0 {
		return follow{}, false
	}
	e := f.buf[f.r]
	f.r = (f.r + 1) % len(f.buf)
	f.n--
	return e, true
}
