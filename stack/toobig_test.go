package stack_test

import (
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/pipes/path"
	"github.com/gosctp/gosctp/stack/sideeffects"
)

// touchy is a congestion controller that panics when it is told to.
type touchy struct {
	path.NewReno
	armed *bool
}

func (c touchy) Idle(p *path.Path, first bool) {
	if *c.armed {
		*c.armed = false
		panic("planted")
	}
	c.NewReno.Idle(p, first)
}

// TestEndWhileTooBig: an association that ends while the stack deals with a
// packet that its link refused wakes its user at once, not when something else
// happens in its shard.
func TestEndWhileTooBig(t *testing.T) {
	armed := false
	r := newRig(t, withOptions(func(o *stack.Options) { o.Paranoid = false }))
	r.ep.SetCongestion(func() path.Controller { return touchy{armed: &armed} })
	p := r.peer().connect()
	var woken sideeffects.Wake
	p.a.OnWake(func(w sideeffects.Wake) { woken |= w })
	p.write("so that there is a window to decay")
	p.take()
	p.send(sack(p.itsn, 65536))
	p.wait(100 * mono.Millisecond)
	woken = 0
	r.wire.refuse = 1000
	r.wire.refused = func() { // an RTO passes in the link, and the path has been idle
		r.clk.step(r.clk.t.Add(5 * mono.Second))
		armed = true
		r.wire.refuse = 0
	}
	p.send(chunk.AppendHeartbeat(nil, make([]byte, 1300)))
	if p.ended(); woken&sideeffects.WakeEnded == 0 {
		t.Errorf("woken for %b", woken)
	}
	if n := r.s.Stats().Contained; n != 1 {
		t.Errorf("%d panics", n)
	}
}
