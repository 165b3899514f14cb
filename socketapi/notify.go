package socketapi

import (
	"net/netip"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
	"github.com/gosctp/gosctp/stack/sideeffects"
)

// NotificationKind says what a Notification is about.
type NotificationKind uint8

// Kinds of notification (RFC 6458 section 6.1).
const (
	AssocChanged NotificationKind = iota + 1 // Change, Cause
	PathChanged                              // Addr, Path
	RemoteError                              // Cause, Info: the peer's ERROR chunk
	PeerShutDown                             // the peer takes no more messages
	SendFailed                               // Send, Sent, Data, Cause: a message that was not delivered
)

// String names the kind.
func (k NotificationKind) String() string {
	switch k {
	case AssocChanged:
		return "association change"
	case PathChanged:
		return "path change"
	case RemoteError:
		return "remote error"
	case PeerShutDown:
		return "shutdown"
	case SendFailed:
		return "send failed"
	}
	return "invalid"
}

// AssocChange says how an association changed.
type AssocChange = fsm.AssocChange

// Association changes.
const (
	CommUp           = fsm.CommUp
	CommLost         = fsm.CommLost
	Restarted        = fsm.Restarted
	ShutdownComplete = fsm.ShutdownComplete
	CantStart        = fsm.CantStart
)

// PathEvent says how a path changed.
type PathEvent = fsm.PathEvent

// Path events.
const (
	PathAvailable   = fsm.PathAvailable
	PathUnreachable = fsm.PathUnreachable
	PathConfirmed   = fsm.PathConfirmed
)

// Notification tells of something other than a message. Kind says which of the
// other fields have a meaning.
type Notification struct {
	Kind   NotificationKind
	Change AssocChange
	Path   PathEvent
	Addr   netip.Addr // the path's
	Cause  chunk.CauseCode
	Info   []byte

	// Of a message that was not acknowledged in whole before the association
	// ended, or whose stream the peer does not take (Cause is InvalidStream):
	Send SendInfo // as it was given to SendMsg
	Sent bool     // some of it may have reached the peer
	Data []byte   // all of it
}

// OnNotification has f called with notifications, nil with none. They wait in
// line with the messages: f is called by Read or RecvMsg, on the goroutine that
// reads, when their turn comes. A Conn that nobody reads gives no
// notifications, and neither does one that was closed. Messages that fail are
// reported if f was set by then; their data waits for the reader.
func (c *Conn) OnNotification(f func(Notification)) {
	c.rmu.Lock()
	c.notify = f
	c.a.ReportSendFailures(f != nil)
	c.rmu.Unlock()
}

func (c *Conn) notification(n *ulpqueue.Notification) Notification {
	out := Notification{Cause: chunk.CauseCode(n.B)}
	switch fsm.Note(n.Kind) {
	case fsm.NoteAssocChange:
		out.Kind, out.Change = AssocChanged, AssocChange(n.A)
	case fsm.NotePathChange:
		out.Kind, out.Path, out.Cause = PathChanged, PathEvent(n.B), 0
		if s := c.a.Status(); int(n.A) < len(s.Paths) {
			out.Addr = s.Paths[n.A].Addr
		}
	case fsm.NoteRemoteError:
		out.Kind = RemoteError
		for b := n.Bytes; b != nil; b = b.Next {
			out.Info = append(out.Info, b.B...)
		}
	case fsm.NoteShutdown:
		out.Kind, out.Cause = PeerShutDown, 0
	case fsm.NoteSendFailed:
		f := sideeffects.ReadSendFailure(n)
		out.Kind, out.Cause, out.Sent = SendFailed, f.Cause, f.Sent
		out.Send = SendInfo{
			Stream: uint16(f.Stream), PPID: uint32(f.PPID),
			Unordered: f.Unordered, Immediate: f.Immediate, Context: f.Context,
		}
		for b := f.Data; b != nil; b = b.Next {
			out.Data = append(out.Data, b.B...)
		}
	}
	return out
}
