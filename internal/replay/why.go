package replay

import (
	"fmt"
	"strings"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/trace"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// reasons says why each chunk of a packet was sent. Control chunks were
// commanded in a step of the same call; SACK and DATA go when the pipes find
// them due.
func (t *Teller) reasons(p []byte, to tcb.PathID) (list []Reason) {
	w := chunk.Walk(p[chunk.HeaderLen:])
	data, ack := false, chunk.Sack{}
	for {
		c, ok := w.Next()
		if !ok {
			break
		}
		switch c.Type() {
		case chunk.TypeData:
			data = true
		case chunk.TypeSack:
			ack, _ = chunk.ParseSack(c)
		}
		list = append(list, Reason{Chunk: trace.Chunk(c), Why: t.reason(c, to)})
	}
	for i := range list {
		if list[i].Why == "" {
			list[i].Why = t.sack(ack, data)
		}
	}
	return list
}

func (t *Teller) reason(c chunk.Chunk, to tcb.PathID) string {
	switch c.Type() {
	case chunk.TypeData:
		if d, e := chunk.ParseData(c); e == chunk.ErrNone {
			return t.data(&d, to)
		}
	case chunk.TypeSack:
		return "" // see ack.go
	}
	return later
}

// later stands for the reason of a control chunk until the steps are known that
// may have commanded it: of a packet that is sent at once the step is told after.
const later = "later"

// order names the last command so far in this call that makes a chunk.
func (t *Teller) order(name string) string {
	for i := len(t.cur) - 1; i >= 0; i-- {
		e := t.cur[i]
		for _, o := range e.Orders {
			probe := strings.HasPrefix(o, "probe path MTU") && (name == "HEARTBEAT" || name == "PAD")
			if probe || strings.HasPrefix(o, "send "+name) || strings.HasPrefix(o, "respond "+name) {
				return fmt.Sprintf("step %d: %s in %v, %s commands %q", e.N, e.Event, e.Before, e.Func, o)
			}
		}
	}
	return ""
}

// settle gives packets that were sent at once their reasons.
func (t *Teller) settle(sent []Sent) {
	for i := range sent {
		for k := range sent[i].Chunks {
			if c := &sent[i].Chunks[k]; c.Why == later {
				if c.Why = t.order(strings.TrimSuffix(kind(c.Chunk), " T")); c.Why == "" {
					c.Why = "at the end of " + t.occasion()
				}
			}
		}
	}
}

// occasion is what the executor does.
func (t *Teller) occasion() string {
	if n := len(t.cur); n > 0 {
		e := t.cur[n-1]
		return fmt.Sprintf("step %d (%s)", e.N, e.Event)
	}
	return callText(t.call)
}

// event returns the last step of this call with one of these events.
func (t *Teller) event(ids ...fsm.EventID) *Step {
	for i := len(t.cur) - 1; i >= 0; i-- {
		for _, id := range ids {
			if t.cur[i].Event == id.String() {
				return t.cur[i]
			}
		}
	}
	return nil
}

// data says why a DATA chunk was sent to a path now, for the first time or again.
func (t *Teller) data(d *chunk.Data, to tcb.PathID) string {
	again, was := false, tcb.NoPath
	if t.a != nil {
		if t.high == nil {
			t.high = make(map[uint32]*sentTSN)
		}
		local, _ := t.a.Tags()
		h := t.high[t.a.ID()]
		if h == nil || h.tag != local {
			h = &sentTSN{tag: local, first: d.TSN}
			t.high[t.a.ID()] = h
		}
		again, was = h.send(d.TSN, to)
	}
	t.spent += len(d.Payload)
	t3, sack := t.event(fsm.EvTimeoutT3), t.event(fsm.EvSack)
	if again {
		return "again: " + t.again(t3, sack, was)
	}
	switch {
	case t.call.Op == sideeffects.OpSend && len(t.cur) > 0:
		n, m := t.cur[len(t.cur)-1].N, &t.call.Message
		switch {
		case t.flow.Queued == 0:
			return fmt.Sprintf("new: the message of step %d may go at once", n)
		case d.Stream != m.Stream || d.Unordered() != m.Unordered:
			return fmt.Sprintf("new: it was queued before, and may go now, at step %d", n)
		}
		return fmt.Sprintf("new: the message of step %d, or one before it, may go now", n)
	case sack != nil && t.room(to):
		return fmt.Sprintf("new: the SACK of step %d lets it go; there was room before: Nagle's algorithm, or the bound of a burst", sack.N)
	case sack != nil:
		return fmt.Sprintf("new: the SACK of step %d made room in the windows", sack.N)
	case t3 != nil:
		return fmt.Sprintf("new: at the timeout of step %d there was room", t3.N)
	}
	return "new: may go now, at " + t.occasion()
}

// room reports whether the windows had room on a path, before the call, for all
// DATA that was sent in it.
func (t *Teller) room(to tcb.PathID) bool {
	if int(to) >= len(t.flow.Paths) || t.flow.PeerRwnd < t.spent {
		return false
	}
	p := &t.flow.Paths[to]
	return p.InFlight+t.spent <= p.Cwnd
}

// again says why DATA is sent again that went to path was before.
func (t *Teller) again(t3, sack *Step, was tcb.PathID) string {
	if e := t.left(was); e != nil {
		return fmt.Sprintf("it went to path %d, which step %d gives up (%s)", was, e.N, e.Event)
	}
	switch {
	case t3 != nil && (t3.Path == was || was == tcb.NoPath):
		return fmt.Sprintf("T3-rtx expired (step %d)", t3.N)
	case t3 != nil:
		return fmt.Sprintf("marked as lost before, and may go now, at the timeout of step %d", t3.N)
	case sack != nil:
		return fmt.Sprintf("reported missing, or marked so before; the SACK of step %d lets it go", sack.N)
	}
	return "marked as lost before, and may go now, at " + t.occasion()
}

// left returns the step of this call that has all DATA on path p go elsewhere.
func (t *Teller) left(p tcb.PathID) *Step {
	if p == tcb.NoPath {
		return nil
	}
	for _, e := range t.cur {
		for _, o := range e.Orders {
			if o == fmt.Sprintf("rescue path %d", p) || o == fmt.Sprintf("path state path %d %v", p, tcb.PathInactive) {
				return e
			}
		}
	}
	return nil
}

// sentTSN is what was sent under a tag: where each TSN went last, from first
// on.
type sentTSN struct {
	tag   chunk.VTag
	first chunk.TSN
	to    []tcb.PathID
}

// maxSent bounds how many TSNs a sentTSN keeps: more than are ever in flight.
const maxSent = 1 << 16

// send notes that a TSN goes to a path, and returns where it went before.
func (h *sentTSN) send(tsn chunk.TSN, to tcb.PathID) (again bool, was tcb.PathID) {
	switch i := int(tsn.Diff(h.first)); {
	case i < 0:
		return true, tcb.NoPath // too long ago
	case i < len(h.to):
		was, h.to[i] = h.to[i], to
		return true, was
	case i > len(h.to): // not in their order: no stack of ours
		h.first, h.to = tsn, h.to[:0]
	}
	h.to = append(h.to, to)
	if n := len(h.to) - maxSent; n > maxSent {
		h.to = append(h.to[:0], h.to[n:]...)
		h.first += chunk.TSN(n)
	}
	return false, tcb.NoPath
}
