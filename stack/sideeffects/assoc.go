package sideeffects

import (
	"net/netip"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/decision"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes"
	"github.com/gosctp/gosctp/stack/pipes/outqueue"
	"github.com/gosctp/gosctp/stack/pipes/packet"
	"github.com/gosctp/gosctp/stack/pipes/path"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Settings is what an association gets from its endpoint or its dialler.
type Settings struct {
	Config *tcb.Config
	Local  []netip.Addr // own addresses; empty: the one that the first packet uses
	// Congestion makes the congestion controller of each path; nil: path.NewReno.
	Congestion func() path.Controller
}

// Wake says what became possible for the user of an association.
type Wake uint8

// Wakes.
const (
	WakeReadable Wake = 1 << iota // a message, a notification or the end is there
	WakeWritable                  // send buffer space is free again
	WakeUp                        // the association came up
	WakeEnded                     // the association is gone
)

// Association is one association: control state, pipes and timers. Everything
// in it belongs to the owner of its Executor.
type Association struct {
	Owner any // the host's handle

	tcb   tcb.TCB
	local []netip.Addr
	auto  bool   // local is what the host chose
	dests []dest // by PathID
	data  DataPlane

	timers [tcb.NumTimers]mono.Time
	hb     []mono.Time // heartbeat timers, by PathID
	hbSent []mono.Time // when the last HEARTBEAT left, by PathID
	// nextProbe is when the next unconfirmed path may be probed (HB.Max.Burst).
	nextProbe mono.Time
	lastData  mono.Time  // when DATA last came, or the association came up
	wasDry    bool       // since the last message was queued
	dropped   bool       // see Readdressed
	unsure    bool       // no path is confirmed: nothing but probes may be sent (RFC 9260 section 5.4)
	sackedTo  tcb.PathID // where the last SACK went
	cookie    []byte     // for COOKIE ECHO

	adaptation uint32 // the peer's adaptation layer indication, 0 for none

	ring    decision.Ref
	blocked bool // the host had no slot for its packets
	rx, tx  traffic

	Wakes Wake // collected for the host, which clears it
	End   End  // valid once the state is Closed after the end
}

// dest is how a path's packets are addressed.
type dest struct {
	to  Addressing
	pin netip.Addr // the source that the user wants
}

type traffic struct{ packets, bytes uint64 }

// End says how an association ended.
type End struct {
	Ended  bool
	Change fsm.AssocChange
	Cause  chunk.CauseCode
	Info   []byte // what an ABORT told, bounded
	ByPeer bool   // an ABORT of the peer's, or ICMP from its host
}

// TCB returns a read-only view of the control state.
func (a *Association) TCB() tcb.View { return tcb.ViewOf(&a.tcb) }

// State returns the association's state.
func (a *Association) State() tcb.State { return a.tcb.State }

// ID returns the association id.
func (a *Association) ID() uint32 { return a.tcb.ID }

// Tags returns the two Verification Tags.
func (a *Association) Tags() (local, peer chunk.VTag) { return a.tcb.LocalTag, a.tcb.PeerTag }

// Ports returns the two port numbers.
func (a *Association) Ports() (local, peer uint16) { return a.tcb.LocalPort, a.tcb.PeerPort }

// PeerAddrs appends the peer's addresses, in path order.
func (a *Association) PeerAddrs(to []netip.Addr) []netip.Addr {
	for i := range a.dests {
		to = append(to, a.dests[i].to.Dst)
	}
	return to
}

// LocalAddrs appends the own addresses.
func (a *Association) LocalAddrs(to []netip.Addr) []netip.Addr {
	if len(a.local) == 0 && len(a.dests) > 0 {
		return append(to, a.dests[0].to.Src)
	}
	return append(to, a.local...)
}

// Data returns the association's data path.
func (a *Association) Data() DataPlane { return a.data }

// Decisions returns the association's last steps, as far as they are kept:
// those of associations that did nothing for long are not.
func (a *Association) Decisions() decision.Dump {
	return decision.Dump{ID: a.tcb.ID, Config: a.tcb.Cfg, Steps: a.ring.Dump(nil)}
}

// Blocked reports, and clears, whether packets wait for room in the host.
func (a *Association) Blocked() bool {
	b := a.blocked
	a.blocked = false
	return b
}

// OwesSack reports whether a SACK waits for the end of the batch.
func (a *Association) OwesSack() bool {
	return a.tcb.State != tcb.Closed && a.data.SackDue()
}

// pathOf returns the path of a peer address.
func (a *Association) pathOf(addr netip.Addr) tcb.PathID {
	for i := range a.dests {
		if a.dests[i].to.Dst == addr {
			return tcb.PathID(i)
		}
	}
	return tcb.NoPath
}

// addPath adds a peer address; it returns NoPath if there is one already, or
// no room.
func (a *Association) addPath(to Addressing, r Route, s tcb.PathState) tcb.PathID {
	if len(a.dests) >= tcb.MaxPaths || a.pathOf(to.Dst) != tcb.NoPath {
		return tcb.NoPath
	}
	a.dests = append(a.dests, dest{to: to})
	a.tcb.Paths = append(a.tcb.Paths, tcb.PathCtl{State: s, Cut: r.Cut})
	a.hb = append(a.hb, 0)
	a.hbSent = append(a.hbSent, 0)
	a.data.AddPath(to, r.MTU, r.Overhead)
	a.syncPaths()
	return tcb.PathID(len(a.dests) - 1)
}

// dropPath takes a path away before there is data; those behind it move up.
func (a *Association) dropPath(p tcb.PathID) {
	a.dests = append(a.dests[:p], a.dests[p+1:]...)
	a.tcb.Paths = append(a.tcb.Paths[:p], a.tcb.Paths[p+1:]...)
	a.hb = append(a.hb[:p], a.hb[p+1:]...)
	for _, q := range []*tcb.PathID{&a.tcb.Primary, &a.tcb.CtlPath} {
		if *q > p {
			*q--
		} else if *q == p {
			*q = 0
		}
	}
	a.tcb.Cfg = a.tcb.Cfg.Without(p)
	a.data.DropPath(p)
	a.dropped = true
}

// Readdressed reports, and clears, whether the peer has lost an address.
func (a *Association) Readdressed() bool {
	d := a.dropped
	a.dropped = false
	return d
}

// syncPaths tells the data path which paths to use.
func (a *Association) syncPaths() {
	active, retran := a.tcb.SelectPaths()
	a.unsure = a.tcb.Paths[active].State == tcb.PathUnconfirmed
	a.data.UsePaths(active, retran)
	if pl, ok := a.data.(*Plane); ok {
		pl.Paths.Usable = 0
		for i := range a.tcb.Paths {
			if a.tcb.Paths[i].Usable() {
				pl.Paths.Usable = pl.Paths.Usable.With(tcb.PathID(i))
			}
		}
	}
}

// Deadline returns when the association next wants Timeout to be called; zero
// means never.
func (a *Association) Deadline() mono.Time {
	var min mono.Time
	for _, t := range a.timers {
		min = earlier(min, t)
	}
	for _, t := range a.hb {
		min = earlier(min, t)
	}
	if a.tcb.Cfg.AutoClose != 0 {
		min = earlier(min, a.autoclose())
	}
	return earlier(min, a.data.Deadline())
}

func earlier(a, b mono.Time) mono.Time {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

// DataPlane is the seam between the executor and the pipes. The real one is
// Plane; the explorer has one that only counts.
type DataPlane interface {
	// AddPath adds the next path; mtu is the IP packet's.
	AddPath(to Addressing, mtu, overhead int)
	DropPath(p tcb.PathID) // those behind it move up; StartSend follows
	UsePaths(active, retran tcb.PathID)
	PathDown(p tcb.PathID, now mono.Time)
	PathUp(p tcb.PathID, now mono.Time)
	MovePath(p tcb.PathID, to Addressing, mtu, overhead int, now mono.Time) // other source or link
	ResetPaths()                                                            // congestion and RTO back to the start
	PathMTU(p tcb.PathID) int                                               // largest SCTP packet
	TooBig(p tcb.PathID, mtu int, now mono.Time)                            // a router takes IP packets of mtu bytes
	LinkMTU(p tcb.PathID, mtu int, now mono.Time)                           // the host's interface does
	RTO(p tcb.PathID) mono.Duration
	SampleRTT(p tcb.PathID, d mono.Duration, now mono.Time)
	Backoff(p tcb.PathID)
	LastSent(p tcb.PathID) mono.Time

	// For the search of the path MTU. Probe returns the size and nonce of a
	// packet to send now, size 0 if there is none; raising says that a new
	// search begins. Probed follows it and tells whether the packet went out.
	// AnswersProbe knows what was sent: at is when, if it was the last one.
	Raising(p tcb.PathID) bool
	Probe(p tcb.PathID, fresh uint64, now mono.Time) (size int, nonce uint64)
	Probed(p tcb.PathID, nonce uint64, sent bool, now mono.Time)
	AnswersProbe(p tcb.PathID, nonce uint64, size int, at mono.Time) (known, last bool)
	ProbeAcked(p tcb.PathID, size int, now mono.Time)
	Alive(p tcb.PathID, now mono.Time) // a HEARTBEAT came back

	// StartSend and StartRecv set the two directions up; called again they
	// start over, keeping what the user queued and what is ready to be read.
	StartSend(tsn chunk.TSN, streams uint16, rwnd uint32)
	StartRecv(tsn chunk.TSN, streams uint16)

	Ingest(run []byte, from tcb.PathID, now mono.Time) pipes.Outcome
	DataPacket(from tcb.PathID, now mono.Time)
	Sack(c chunk.Chunk, now mono.Time) pipes.Outcome
	CumAck(tsn chunk.TSN, now mono.Time) pipes.Outcome
	MarkRtx(p tcb.PathID, now mono.Time)
	ForceSack()

	// Facts fills in what the machine may know.
	Facts(f *fsm.Facts)
	CumTSN() chunk.TSN
	Window() uint32

	// Deadline is the earliest of T3-rtx, delayed SACK and the probe timers;
	// Due says which of them is due, one at a time.
	Deadline() mono.Time
	Due(now mono.Time) (ev fsm.EventID, p tcb.PathID, ok bool)

	// For the user.
	Push(m outqueue.Message, now mono.Time) bool
	Notify(n Note)
	Consumed(n int) bool
	Empty() bool // nothing queued or in flight
	SetDraining(on bool)
	Trim()                       // give memory back that is kept for speed
	Close(cause chunk.CauseCode) // drop what cannot be sent or completed any more

	// For flush: which path has data to send, what goes into its packet, and
	// the SACK.
	BeginFlush(now mono.Time)
	Next(now mono.Time) (tcb.PathID, bool)
	Fill(p tcb.PathID, b *packet.Builder, now mono.Time) int
	PacketSize(p tcb.PathID) int   // most that the next packet may need
	FragmentSize(p tcb.PathID) int // least that a packet needs for IP to fragment it
	FirstSize(p tcb.PathID) int    // of the DATA chunk that Fill would put first; 0: none
	SackDue() bool
	SackDueNow() bool // due although more packets follow in the batch
	SackPending() bool
	SackTo() tcb.PathID
	SackRepeated() bool // what it acknowledges was sent again: the last one may be lost
	AppendSack(b []byte, room int) []byte
}

// Note is a notification to the user. Info is copied.
type Note struct {
	Kind fsm.Note
	A, B uint32
	Info []byte
}
