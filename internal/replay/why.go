package replay

import (
	"fmt"
	"strings"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/trace"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/sideeffects"
)

// reasons says why each chunk of a packet was sent. Control chunks were
// commanded in a step of the same call; SACK and DATA go when the pipes find
// them due.
func (t *Teller) reasons(p []byte) (list []Reason) {
	w := chunk.Walk(p[chunk.HeaderLen:])
	data := false
	for {
		c, ok := w.Next()
		if !ok {
			break
		}
		data = data || c.Type() == chunk.TypeData
		list = append(list, Reason{Chunk: trace.Chunk(c), Why: t.reason(c)})
	}
	for i := range list {
		if list[i].Why == "" {
			list[i].Why = t.sack(data)
		}
	}
	return list
}

func (t *Teller) reason(c chunk.Chunk) string {
	switch c.Type() {
	case chunk.TypeData:
		if d, e := chunk.ParseData(c); e == chunk.ErrNone {
			return t.data(d.TSN)
		}
	case chunk.TypeSack:
		return "" // see sack
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

// sack says why a SACK was sent.
func (t *Teller) sack(withData bool) string {
	if s := t.event(fsm.EvTimeoutSack); s != nil {
		return fmt.Sprintf("step %d: the time for which an acknowledgement may wait is over", s.N)
	}
	for i := len(t.cur) - 1; i >= 0; i-- {
		for _, o := range t.cur[i].Orders {
			if strings.HasPrefix(o, "acknowledge") {
				return fmt.Sprintf("step %d: %s commands %q", t.cur[i].N, t.cur[i].Func, o)
			}
		}
	}
	switch s := t.event(fsm.EvData); {
	case t.call.Op == sideeffects.OpConsumed:
		return "the user has read, and the window opens again"
	case s != nil && withData:
		return fmt.Sprintf("the DATA of step %d is acknowledged, with data that goes there anyway", s.N)
	case s != nil:
		return fmt.Sprintf("the DATA of step %d is acknowledged now: enough packets, a gap, a duplicate, or asked for", s.N)
	case withData:
		return "an acknowledgement that was due later rides along with data"
	case t.call.Op == sideeffects.OpResume:
		return "it waited for the end of the batch"
	}
	return "due at the end of " + t.occasion()
}

// data says why a DATA chunk was sent now, for the first time or again.
func (t *Teller) data(tsn chunk.TSN) string {
	again := false
	if t.a != nil {
		if t.high == nil {
			t.high = make(map[uint32]sentTSN)
		}
		local, _ := t.a.Tags()
		h := t.high[t.a.ID()]
		if h.tag != local {
			h = sentTSN{tag: local}
		}
		if again = h.any && tsn.LessEq(h.tsn); !again {
			h.tsn, h.any = tsn, true
		}
		t.high[t.a.ID()] = h
	}
	t3, sack := t.event(fsm.EvTimeoutT3), t.event(fsm.EvSack)
	switch {
	case again && t3 != nil:
		return fmt.Sprintf("again: T3-rtx expired (step %d)", t3.N)
	case again && sack != nil:
		return fmt.Sprintf("again: reported missing, or marked so before; the SACK of step %d lets it go", sack.N)
	case again:
		return "again: marked as lost before, and may go now, at " + t.occasion()
	case t.call.Op == sideeffects.OpSend && len(t.cur) > 0:
		return fmt.Sprintf("new: the message of step %d may go at once, or one before it", t.cur[len(t.cur)-1].N)
	case sack != nil:
		return fmt.Sprintf("new: the SACK of step %d made room in the windows", sack.N)
	case t3 != nil:
		return fmt.Sprintf("new: at the timeout of step %d there was room", t3.N)
	}
	return "new: may go now, at " + t.occasion()
}
