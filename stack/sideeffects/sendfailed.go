package sideeffects

import (
	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/outqueue"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
)

// Messages that were not delivered come back to their sender in notifications
// (RFC 6458 sections 6.1.4 and 6.1.11), in the order in which they were sent or
// queued, before the end of the association is reported. Their buffers move
// from the one queue to the other, so that the send buffer bounds both; nobody
// who has not asked gets any.

// SendFailure is what a NoteSendFailed says.
type SendFailure struct {
	Stream    chunk.StreamID
	PPID      chunk.PPID
	Context   uint32
	Unordered bool
	Immediate bool
	Sent      bool            // some of it may have reached the peer
	Cause     chunk.CauseCode // why the association ended, or InvalidStream; 0 if there is no cause code
	Data      *seg.Buf        // the whole message; the notification's
}

const (
	failedUnordered = 1 << (16 + iota)
	failedImmediate
	failedSent
)

// SetReporting says whether messages that fail from now on are reported.
func (pl *Plane) SetReporting(on bool) { pl.reporting = on }

// failed returns what to do with messages that fail for that cause.
func (pl *Plane) failed(cause chunk.CauseCode) func(*outqueue.Message, bool) {
	return func(m *outqueue.Message, sent bool) {
		if !pl.reporting {
			return
		}
		n := ulpqueue.Notification{
			Kind: uint8(fsm.NoteSendFailed), Rank: ulpqueue.Final, Cause: uint16(cause),
			A: m.Context, B: uint32(m.PPID), C: uint32(m.Stream), Bytes: m.Buf,
		}
		if m.Unordered {
			n.C |= failedUnordered
		}
		if m.Immediate {
			n.C |= failedImmediate
		}
		if sent {
			n.C |= failedSent
		}
		m.Buf = nil
		pl.Up.Notify(n)
	}
}

// ReadSendFailure reads a NoteSendFailed.
func ReadSendFailure(n *ulpqueue.Notification) SendFailure {
	return SendFailure{
		Stream: chunk.StreamID(n.C & 0xffff), PPID: chunk.PPID(n.B), Context: n.A,
		Unordered: n.C&failedUnordered != 0, Immediate: n.C&failedImmediate != 0, Sent: n.C&failedSent != 0,
		Cause: chunk.CauseCode(n.Cause), Data: n.Bytes,
	}
}

// dry tells the user, who asked for it, that everything was acknowledged (RFC
// 6458 section 6.1.9).
func (x *Executor) dry() {
	if x.a.tcb.Cfg.SenderDry && x.a.data.Empty() && !x.a.wasDry {
		x.a.wasDry = true
		x.a.data.Notify(Note{Kind: fsm.NoteSenderDry})
		x.a.Wakes |= WakeReadable
	}
}
