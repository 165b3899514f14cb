package socketapi

import (
	"net/netip"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// EventKind says what an Event is about (RFC 6458 section 6.1). The numbers are
// Linux's, less 0x8000.
type EventKind uint8

// Kinds of event, with the fields of Event that have a meaning.
const (
	EventDataIO         EventKind = 0  // only switches ancillary data; there is no such Event
	EventAssocChange    EventKind = 1  // Change, Cause, Info, OutStreams, InStreams
	EventPathChange     EventKind = 2  // Addr, Path
	EventSendFailedOld  EventKind = 3  // as EventSendFailed: the deprecated form
	EventRemoteError    EventKind = 4  // Cause, Info
	EventShutdown       EventKind = 5  // the peer has shut down
	EventPartialAborted EventKind = 6  // Stream, SSN, Unordered: the rest of a message will not come
	EventAdaptation     EventKind = 7  // Adaptation
	EventAuthentication EventKind = 8  // never: there is no AUTH
	EventSenderDry      EventKind = 9  // nothing is queued or in flight any more
	EventStreamReset    EventKind = 10 // never: there is no RE-CONFIG
	EventAssocReset     EventKind = 11 // never: there is no RE-CONFIG
	EventStreamChange   EventKind = 12 // never: there is no RE-CONFIG
	EventSendFailed     EventKind = 13 // Send, Sent, Data, Cause
	numEventKinds                 = 14
	sendFailedEvents              = EventSet(1<<EventSendFailedOld | 1<<EventSendFailed)
	knownEvents                   = EventSet(1<<numEventKinds - 1)
)

var eventNames = [numEventKinds]string{
	"data io", "association change", "path change", "send failed (old)", "remote error", "shutdown",
	"partial delivery aborted", "adaptation", "authentication", "sender dry", "stream reset",
	"association reset", "stream change", "send failed",
}

// String names the kind.
func (k EventKind) String() string {
	if k < numEventKinds {
		return eventNames[k]
	}
	return "invalid"
}

// EventSet is a set of kinds of event.
type EventSet uint32

// Events returns the set of the given kinds.
func Events(kinds ...EventKind) (s EventSet) {
	for _, k := range kinds {
		s |= 1 << k
	}
	return s
}

// Has reports whether k is in s.
func (s EventSet) Has(k EventKind) bool { return s&(1<<k) != 0 }

// Event tells of something other than a message. Kind says which of the other
// fields have a meaning.
type Event struct {
	Kind  EventKind
	Assoc AssocID

	Change                AssocChange
	OutStreams, InStreams uint16 // with CommUp and Restarted
	Cause                 chunk.CauseCode
	Info                  []byte // what the cause said

	Path PathEvent
	Addr netip.AddrPort // the path's

	Send SendParams // of a message that was not delivered
	Sent bool       // some of it may have reached the peer
	Data []byte     // all of it

	Stream, SSN uint16
	Unordered   bool

	Adaptation uint32 // the peer's adaptation layer indication
}

// events queues what the user wants of a notification.
func (s *Socket) events(m *member, n *ulpqueue.Notification) {
	e := Event{Assoc: m.id, Cause: chunk.CauseCode(n.B)}
	if n.Kind == ulpqueue.NotePartialAborted {
		e.Kind, e.Cause = EventPartialAborted, 0
		e.Stream, e.SSN, e.Unordered = uint16(n.A), uint16(n.B), n.C == 1
		s.event(m, e)
		return
	}
	switch fsm.Note(n.Kind) {
	case fsm.NoteAssocChange:
		e.Kind, e.Change = EventAssocChange, AssocChange(n.A)
		if !m.events.Has(e.Kind) {
			return
		}
		switch e.Change {
		case CommUp, Restarted:
			t := m.a.Status()
			e.OutStreams, e.InStreams = t.OutStreams, t.InStreams
		case CommLost, CantStart:
			e.Info = m.a.End().Info
		}
	case fsm.NotePathChange:
		e.Kind, e.Path, e.Cause = EventPathChange, PathEvent(n.B), 0
		e.Addr = s.from(m, tcb.PathID(n.A))
	case fsm.NoteRemoteError:
		e.Kind = EventRemoteError
		for b := n.Bytes; b != nil; b = b.Next {
			e.Info = append(e.Info, b.B...)
		}
	case fsm.NoteShutdown:
		e.Kind, e.Cause = EventShutdown, 0
	case fsm.NoteAdaptation:
		e.Kind, e.Cause, e.Adaptation = EventAdaptation, 0, n.A
	case fsm.NoteSenderDry:
		e.Kind, e.Cause = EventSenderDry, 0
	case fsm.NoteSendFailed:
		f := sideeffects.ReadSendFailure(n)
		e.Cause, e.Sent = f.Cause, f.Sent
		e.Send = SendParams{Stream: uint16(f.Stream), PPID: uint32(f.PPID), Context: f.Context, Assoc: m.id}
		if f.Unordered {
			e.Send.Flags |= SendUnordered
		}
		if f.Immediate {
			e.Send.Flags |= SendSackImmediately
		}
		for b := f.Data; b != nil; b = b.Next {
			e.Data = append(e.Data, b.B...)
		}
		e.Kind = EventSendFailedOld
		s.event(m, e)
		e.Kind = EventSendFailed
	}
	s.event(m, e)
}

func (s *Socket) event(m *member, e Event) {
	if m.events.Has(e.Kind) && e.Kind != EventDataIO {
		s.push(m, item{ev: &e})
	}
}

// Subscribe switches kinds of event on or off. An event that happened before is
// not seen. Switching EventSenderDry on tells at once if nothing is queued.
// EINVAL: no such kind, or no such association.
func (s *Socket) Subscribe(id AssocID, set EventSet, on bool) error {
	if set&^knownEvents != 0 {
		return errArgument
	}
	if err := s.enter(); err != nil {
		return err
	}
	injected := false
	err := s.setFCA(id, func(o *Options) {
		if on {
			o.Events |= set
		} else {
			o.Events &^= set
		}
	}, func(m *member) error {
		had := m.events
		if on {
			m.events |= set
		} else {
			m.events &^= set
		}
		if (had^m.events)&sendFailedEvents != 0 {
			m.a.ReportSendFailures(m.events&sendFailedEvents != 0)
		}
		if (had ^ m.events).Has(EventSenderDry) {
			dry := m.events.Has(EventSenderDry)
			_ = m.a.Reconfigure(func(c *tcb.Config) { c.SenderDry = dry })
			if dry && m.up && m.a.Dry() {
				s.event(m, Event{Kind: EventSenderDry, Assoc: m.id})
				injected = true
			}
		}
		return nil
	})
	s.mu.Unlock()
	if injected {
		s.tell(sideeffects.WakeReadable)
	}
	return err
}

// Subscribed returns the kinds of event that are switched on.
func (s *Socket) Subscribed(id AssocID) (EventSet, error) {
	return get(s, id, func(o *Options) EventSet { return o.Events }, func(m *member) EventSet { return m.events })
}
