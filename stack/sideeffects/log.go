package sideeffects

import (
	"net/netip"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/outqueue"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
	"github.com/gosctp/gosctp/stack/tcb"
)

// What goes into an Executor is its calls, and what its Host answers. Who logs
// both can have another Executor do everything again.

// Op is a method of Executor.
type Op uint8

// Ops, with the fields of Call that they use beside Assoc, Now, More and Hold.
const (
	OpPrepare     Op = iota // Settings, ID, LocalPort, PeerPort
	OpAddPeer               // Addr, Src, EncapPort
	OpPacket                // Endpoint, Datagram
	OpTimeout               //
	OpAssociate             //
	OpSend                  // Message
	OpShutdown              //
	OpAbort                 // Reason
	OpHeartbeat             // Path
	OpSetPrimary            // Addr
	OpConsumed              // N
	OpDetach                // N
	OpResume                //
	OpUnreachable           //
	OpTooBig                // Addr, N
	OpLinkMTU               // Addr, N
	OpReclaim               // N
	OpReporting             // N: 1 for on
	OpSetSource             // Addr, Src
	OpReroute               // Way
	OpReconfigure           // Settings.Config
	NumOps
)

var opNames = [NumOps]string{
	"prepare", "add peer", "packet", "timeout", "associate", "send", "shutdown", "abort", "heartbeat",
	"set primary", "consumed", "detach", "resume", "unreachable", "too big", "link MTU",
	"reclaim", "reporting", "set source", "reroute", "reconfigure",
}

// String names the method.
func (o Op) String() string {
	if o < NumOps {
		return opNames[o]
	}
	return "invalid-op"
}

// Call is a call of an Executor's method with its arguments.
type Call struct {
	Op         Op
	More, Hold bool // as the Executor's fields are
	Now        mono.Time
	Assoc      *Association // nil: none
	Endpoint   *Endpoint
	Datagram   *Datagram
	Settings   Settings
	ID         uint32
	LocalPort  uint16
	PeerPort   uint16
	EncapPort  uint16
	Path       tcb.PathID
	Addr, Src  netip.Addr
	N          int
	Message    outqueue.Message
	Reason     []byte
	Way        WayFunc // only for Do
}

// Log is told of each call before it is carried out. What a Call points to is
// valid during the call only.
type Log interface {
	Call(c *Call)
	// Share is told of the memory that the executor shares with others, before
	// any call. How much of it is left is an input as well.
	Share(b *seg.Budget)
	// Ways is told of the function of an OpReroute, whose answers are input as
	// well: it returns the one to be called in its place.
	Ways(f WayFunc) WayFunc
}

// log fills in what all calls have in common.
func (x *Executor) log(c Call) {
	x.call = c
	x.call.More, x.call.Hold = x.More, x.Hold
	x.Log.Call(&x.call)
	x.call = Call{}
}

// Do carries out a call that was logged.
func (x *Executor) Do(c *Call) {
	a := c.Assoc
	x.More, x.Hold = c.More, c.Hold
	switch c.Op {
	case OpPrepare:
		x.Prepare(a, c.Settings, c.ID, c.LocalPort, c.PeerPort)
	case OpAddPeer:
		x.AddPeer(a, c.Addr, c.Src, c.EncapPort)
	case OpPacket:
		x.Packet(a, c.Endpoint, c.Datagram, c.Now)
	case OpTimeout:
		x.Timeout(a, c.Now)
	case OpAssociate:
		x.Associate(a, c.Now)
	case OpSend:
		if x.Send(a, c.Message, c.Now) != fsm.ResultOK && a.tcb.State != tcb.Closed {
			x.Pools.Seg.Put(c.Message.Buf) // not taken
		}
	case OpShutdown:
		x.Shutdown(a, c.Now)
	case OpAbort:
		x.Abort(a, c.Reason, c.Now)
	case OpHeartbeat:
		x.Heartbeat(a, c.Path, c.Now)
	case OpSetPrimary:
		x.SetPrimary(a, c.Addr, c.Now)
	case OpConsumed:
		x.Consumed(a, c.N, c.Now)
	case OpDetach:
		var l ulpqueue.List
		x.Detach(a, &l, c.N)
		ulpqueue.FreeList(x.Pools.Seg, x.Pools.Nodes, &l)
	case OpResume:
		x.Resume(a, c.Now)
	case OpUnreachable:
		x.Unreachable(a, c.Now)
	case OpTooBig:
		x.TooBig(a, c.Addr, c.N, c.Now)
	case OpLinkMTU:
		x.LinkMTU(a, c.Addr, c.N, c.Now)
	case OpReclaim:
		x.Reclaim(a, c.N)
	case OpSetSource:
		x.SetSource(a, c.Addr, c.Src, c.Now)
	case OpReroute:
		x.Reroute(a, c.Way, c.Now)
	case OpReporting:
		x.SetReporting(a, c.N == 1)
	case OpReconfigure:
		x.Reconfigure(a, c.Settings.Config, c.Now)
	}
	x.More, x.Hold = false, false
}
