package stack_test

import (
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/decision"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// mine panics at the first step that it is told to.
type mine struct{ at fsm.EventID }

func (m *mine) Step(s *sideeffects.Step) {
	if s.Event.ID == m.at {
		m.at = fsm.NumEvents
		panic("planted")
	}
}

// checkDump: a contained panic leaves the last steps of its association, the
// one that it happened in last, and they decide the same once more.
func checkDump(t *testing.T, dumps []decision.Dump, later decision.Dump) {
	t.Helper()
	if len(dumps) != 1 || !strings.HasPrefix(dumps[0].Panic, "planted\n") || !strings.Contains(dumps[0].Panic, "contain_test.go") {
		t.Fatalf("%d dumps: %+v", len(dumps), dumps)
	}
	steps, err := decision.Decode(dumps[0].Steps)
	if err != nil || len(steps) < 2 || steps[len(steps)-1].Event.ID != fsm.EvData || steps[0].Event.ID != fsm.EvCookieEcho {
		t.Fatalf("%d steps, %v", len(steps), err)
	}
	for i := range steps {
		var out fsm.Commands
		if d := steps[i].Again(dumps[0].Config, &out); d != steps[i].Disposition || !out.Equal(&steps[i].Commands) {
			t.Errorf("step %d is not the same again", i+1)
		}
	}
	after, err := decision.Decode(later.Steps)
	if err != nil || len(after) != len(steps)+1 || after[len(steps)].Event.ID != fsm.EvInternalError || later.ID != dumps[0].ID {
		t.Errorf("afterwards %d steps of association %d, %v", len(after), later.ID, err)
	}
}

// TestContain: a panic costs one association; the stack goes on, its locks are
// free, and nothing of the dead one is left.
func TestContain(t *testing.T) {
	m := &mine{at: fsm.NumEvents}
	var dumps []decision.Dump
	r := newRig(t, withOptions(func(o *stack.Options) {
		o.Paranoid, o.Shards, o.Trace = false, 1, m
		o.Contained = func(d decision.Dump) { dumps = append(dumps, d) }
	}))
	p, q := r.peer(), r.peer()
	q.port++
	p.connect()
	q.connect()
	m.at = fsm.EvData
	p.send(p.data("boom"))
	r.expect("ABORT(4)")
	checkDump(t, dumps, p.a.Decisions())
	if e := p.ended(); e.Change != fsm.CommLost || e.Cause != chunk.CauseOutOfResource || e.ByPeer {
		t.Fatalf("%+v", e)
	}
	if st := r.s.Stats(); st.Contained != 1 || st.Associations != 1 {
		t.Fatalf("%d contained, %d associations", st.Contained, st.Associations)
	}
	q.send(q.data("fine"))
	r.expect("SACK")
	if got := q.received(); len(got) != 1 {
		t.Fatalf("%q", got)
	}
	q.inState(tcb.Established)
	// The same peer may come again.
	p.received()
	p.theirs = 0
	p.connect()

	// In a call of the user's.
	m.at = fsm.EvPrimSend
	if err := p.write("boom"); !errors.Is(err, syscall.ECONNABORTED) {
		t.Errorf("a message that is lost: %v", err)
	}
	r.take()
	p.ended()
	if err := p.write("again"); err == nil {
		t.Error("a message for a dead association was taken")
	}

	// In a packet that belongs to nobody, and in a timeout.
	m.at = fsm.EvInit
	p.sendTag(0, p.init())
	r.take()
	m.at = fsm.EvPrimAssociate
	if a, err := r.ep.Associate([]netip.Addr{there}, 9999, 0, nil, func(sideeffects.Wake) {}); err == nil && !a.End().Ended {
		t.Error("it lives")
	}
	r.take()
	s := r.peer()
	s.port = 4000
	s.dial()
	m.at = fsm.EvTimeoutT1Init
	r.wait(5e9)
	s.ended()
	r.take()
	if st := r.s.Stats(); st.Contained != 5 || st.Associations != 1 {
		t.Fatalf("%d contained, %d associations", st.Contained, st.Associations)
	}
	q.send(q.data("still fine"))
	if got := q.received(); len(got) != 1 {
		t.Fatalf("%q", got)
	}
	q.a.Abort(nil)
	q.received()
	r.gone()
}
