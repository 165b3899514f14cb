package replay

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/sideeffects"
)

// Why a SACK goes: the rules of RFC 9260 section 6.2, applied to what came in
// and to what the SACK says.

// owed is what has come from an association's peer since the last SACK.
type owed struct {
	tag     chunk.VTag
	started bool // DATA has come
	gap     bool // the last SACK told of one
	packets int
	why     []string
}

// owed returns what is owed to the association of the call.
func (t *Teller) owed() *owed {
	if t.a == nil {
		return new(owed)
	}
	if t.acks == nil {
		t.acks = make(map[uint32]*owed)
	}
	local, _ := t.a.Tags()
	k := t.acks[t.a.ID()]
	if k == nil || k.tag != local {
		k = &owed{tag: local}
		t.acks[t.a.ID()] = k
	}
	return k
}

// arrive notes the DATA of the packet in hand, once.
func (t *Teller) arrive() {
	s := t.ingested()
	if t.counted || s == nil || t.call.Datagram == nil {
		return
	}
	t.counted = true
	k := t.owed()
	if !k.started {
		k.because("it is the first")
	}
	k.started = true
	k.packets++
	w := chunk.Walk(t.call.Datagram.Packet[chunk.HeaderLen:])
	for {
		c, ok := w.Next()
		if !ok {
			break
		}
		if d, e := chunk.ParseData(c); e == chunk.ErrNone && d.Immediate() {
			k.because("the I bit asks for it")
		}
	}
}

// ingested returns the step of this call whose DATA was taken.
func (t *Teller) ingested() *Step {
	for _, e := range t.cur {
		if slices.Contains(e.Orders, "ingest") {
			return e
		}
	}
	return nil
}

func (k *owed) because(why string) {
	if !slices.Contains(k.why, why) {
		k.why = append(k.why, why)
	}
}

// sent notes a SACK, and whether it told of a gap.
func (k *owed) sent(gap bool) { k.gap, k.packets, k.why = gap, 0, nil }

// sack says why a SACK was sent.
func (t *Teller) sack(ack chunk.Sack, withData bool) string {
	t.arrive()
	k := t.owed()
	defer func() { k.sent(ack.NumGaps() > 0) }()
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
	if t.call.Op == sideeffects.OpConsumed {
		return "the user has read, and the window opens again"
	}
	switch {
	case ack.NumGaps() > 0:
		k.because("there is a gap")
	case k.gap:
		k.because("a gap is closed")
	}
	if ack.NumDups() > 0 {
		k.because("a duplicate has come")
	}
	if c := t.was.Cfg; c != nil && c.SackFreq > 1 && k.packets >= c.SackFreq {
		k.because(fmt.Sprintf("%d packets have come since the last SACK", k.packets))
	} else if c != nil && c.SackFreq <= 1 && k.packets > 0 {
		k.because("each packet is acknowledged")
	}
	what := "the DATA that came before is acknowledged now"
	s := t.ingested()
	if s != nil {
		what = fmt.Sprintf("the DATA of step %d is acknowledged now", s.N)
	}
	switch why := strings.Join(k.why, "; "); {
	case why != "" && t.call.Op == sideeffects.OpResume:
		return "it waited for the end of the batch: " + why
	case why != "":
		return what + ": " + why
	case withData && s != nil:
		return fmt.Sprintf("the DATA of step %d is acknowledged, with data that goes there anyway", s.N)
	case withData:
		return "an acknowledgement that was due later rides along with data"
	case s != nil:
		return what + ": a chunk was dropped, or no delay is allowed"
	case t.call.Op == sideeffects.OpResume:
		return "it waited for the end of the batch"
	}
	return "due at the end of " + t.occasion()
}
