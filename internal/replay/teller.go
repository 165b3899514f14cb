package replay

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/trace"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Teller is a record.Watcher that makes Steps of what is played, and hands
// them to Tell in order.
type Teller struct {
	Tell func(*Step)

	n     int
	cur   []*Step // of the call in hand
	early []Sent  // sent, and not told of a step yet
	was   tcb.TCB
	flow  sideeffects.Status
	call  *sideeffects.Call
	a     *sideeffects.Association
	high  map[uint32]*sentTSN // by association
	acks  map[uint32]*owed    // by association

	counted bool // the DATA of the call in hand
	spent   int  // bytes of DATA that were sent in it
}

// Begin implements record.Watcher.
func (t *Teller) Begin(c *sideeffects.Call, a *sideeffects.Association) {
	t.call, t.a = c, a
	t.cur, t.early = t.cur[:0], t.early[:0]
	t.flow, t.counted, t.spent = sideeffects.Status{}, false, 0
	if a != nil && c.Op != sideeffects.OpPrepare {
		t.was, t.flow = a.CloneTCB(), a.Status()
	}
}

// Step implements record.Watcher.
func (t *Teller) Step(s *sideeffects.Step) {
	e := t.step(s.ID)
	describe(e, s)
	if s.Assoc != nil {
		now := s.Assoc.CloneTCB()
		if t.a == s.Assoc {
			e.Changed = changes(&t.was, &now)
		}
		t.a, t.was = s.Assoc, now
	}
	if direct(s.Commands) {
		t.settle(t.early)
		e.Sent = append(e.Sent, t.early...)
		t.early = t.early[:0]
	}
}

// describe fills in what a step of the machine says.
func describe(e *Step, s *sideeffects.Step) {
	ev := s.Event
	e.At, e.Before, e.After = ev.Env.Now, s.Before, s.After
	e.Line = strings.TrimSuffix(string(trace.AppendLine(nil, "", s)), "\n")
	e.Event, e.Facts, e.Path = ev.ID.String(), trace.Facts(s.Before, ev), ev.Path
	e.Func, e.Result = fsm.Name(ev.ID, s.Before), s.Disposition.String()
	for i := range s.Commands.Len() {
		e.Orders = append(e.Orders, trace.Command(s.Commands.At(i)))
	}
}

// direct reports whether some command sends a packet of its own at once.
func direct(out *fsm.Commands) bool {
	for i := range out.Len() {
		switch out.At(i).Verb {
		case fsm.CmdSendInitAck, fsm.CmdRespond, fsm.CmdSendAbort, fsm.CmdProbe:
			return true
		}
	}
	return false
}

// step begins the next step.
func (t *Teller) step(assoc uint32) *Step {
	t.n++
	e := &Step{N: t.n, At: t.call.Now, Assoc: assoc, Call: callText(t.call), Follows: len(t.cur) > 0}
	if d := t.call.Datagram; d != nil && len(t.cur) == 0 {
		e.In = &Seen{
			Src: d.Src, Dst: d.Dst, Text: trace.Packet(d.Packet), Chunks: chunks(d.Packet),
			Ports: [2]uint16{d.Header.DstPort, d.Header.SrcPort}, Path: t.path(d.Src),
		}
	}
	t.cur = append(t.cur, e)
	return e
}

func (t *Teller) path(addr netip.Addr) tcb.PathID {
	if t.a != nil {
		for i, a := range t.a.PeerAddrs(nil) {
			if a == addr {
				return tcb.PathID(i)
			}
		}
	}
	return tcb.NoPath
}

// Packet implements record.Watcher.
func (t *Teller) Packet(p []byte, to sideeffects.Addressing) {
	h, _ := chunk.ParseHeader(p)
	path := t.path(to.Dst)
	t.early = append(t.early, Sent{
		Src: to.Src, Dst: to.Dst, Text: trace.Packet(p), Chunks: t.reasons(p, path),
		Ports: [2]uint16{h.SrcPort, h.DstPort}, Path: path,
	})
}

// End implements record.Watcher.
func (t *Teller) End(c *sideeffects.Call, a *sideeffects.Association) {
	t.arrive()
	var flowed []string
	if a != nil && c.Op != sideeffects.OpPrepare {
		s := a.Status()
		flowed = flow(&t.flow, &s)
	}
	if len(t.cur) == 0 {
		if len(t.early) == 0 && len(flowed) == 0 {
			return // nothing came of it
		}
		id, state := uint32(0), tcb.Closed
		if a != nil {
			id, state = a.ID(), a.State()
		}
		e := t.step(id)
		e.Before, e.After = state, state
	}
	last := t.cur[len(t.cur)-1]
	last.Changed = append(last.Changed, flowed...)
	t.settle(t.early)
	last.Sent = append(last.Sent, t.early...)
	for _, e := range t.cur {
		t.Tell(e)
	}
}

// callText says what the executor was called for.
func callText(c *sideeffects.Call) string {
	switch c.Op {
	case sideeffects.OpPacket:
		return fmt.Sprintf("a packet from %v to %v", c.Datagram.Src, c.Datagram.Dst)
	case sideeffects.OpTimeout:
		return "a timer"
	case sideeffects.OpAssociate:
		return "the user dials"
	case sideeffects.OpAddPeer:
		return fmt.Sprintf("the user names the peer's address %v", c.Addr)
	case sideeffects.OpSend:
		m := &c.Message
		s := fmt.Sprintf("the user sends a message of %d bytes on stream %d", len(m.Buf.B), m.Stream)
		if m.Unordered {
			s += ", unordered"
		}
		return s
	case sideeffects.OpShutdown:
		return "the user closes"
	case sideeffects.OpAbort:
		return "the user aborts"
	case sideeffects.OpConsumed:
		return fmt.Sprintf("the user has read %d bytes", c.N)
	case sideeffects.OpDetach:
		return "the user takes what is ready"
	case sideeffects.OpResume:
		return "what waited may go: the end of a batch, or room to send"
	case sideeffects.OpUnreachable:
		return "ICMP says that the peer's host has no SCTP"
	case sideeffects.OpTooBig:
		return fmt.Sprintf("packets to %v may have %d bytes", c.Addr, c.N)
	case sideeffects.OpSetPrimary:
		return fmt.Sprintf("the user makes %v the primary address", c.Addr)
	case sideeffects.OpSetSource:
		return fmt.Sprintf("the user sends to %v from %v", c.Addr, c.Src)
	case sideeffects.OpReroute:
		return "the host's addresses or routes have changed"
	case sideeffects.OpReclaim:
		return "memory is short: what cannot be read yet is taken back"
	}
	return c.Op.String()
}

// chunks lists the chunks of a packet.
func chunks(p []byte) (list []string) {
	if len(p) < chunk.HeaderLen {
		return nil
	}
	w := chunk.Walk(p[chunk.HeaderLen:])
	for {
		c, ok := w.Next()
		if !ok {
			return list
		}
		list = append(list, trace.Chunk(c))
	}
}
