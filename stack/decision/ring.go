package decision

import (
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

const (
	halfSize = 2048
	poolSize = 128 // rings of an executor
)

// A ring holds the last steps of one association, in two halves: when one is
// full the other is begun anew, with a checkpoint of the TCB.
type ring struct {
	half  [2]half
	cur   uint8
	fresh bool   // no change of the TCB since the last checkpoint
	used  bool   // since the hand came by
	gen   uint32 // changes with the association
}

type half struct {
	n     int
	check int    // where its last checkpoint begins
	last  int    // where its last step begins
	first uint64 // number of its first step
	steps uint64
	buf   [halfSize]byte
}

// A Ref is an association's hold on a ring; the zero Ref holds none. It loses
// the ring when others need it more.
type Ref struct {
	r   *ring
	gen uint32
}

// A Pool has the rings of the associations of one executor that were active
// last. It is not safe for concurrent use.
type Pool struct {
	rings []*ring
	hand  int

	check Step // scratch of Verify
	again fsm.Commands
	tcb   tcb.TCB
	key   []byte
}

// take gives f a ring: a new one, or that of an association which has done
// nothing for long.
func (p *Pool) take(f *Ref) *ring {
	if len(p.rings) < poolSize {
		r := new(ring)
		p.rings = append(p.rings, r)
		f.r, f.gen = r, 0
		return r
	}
	for {
		r := p.rings[p.hand]
		p.hand = (p.hand + 1) % poolSize
		if r.used {
			r.used = false
			continue
		}
		r.gen++
		r.cur, r.fresh = 0, false
		for i := range r.half {
			r.half[i].n, r.half[i].first, r.half[i].steps = 0, 0, 0
		}
		f.r, f.gen = r, r.gen
		return r
	}
}

// Record keeps a step: the TCB as it was before (nil: there was none), the
// event, and what the state function made of it. The step's commands must not
// have been carried out yet.
func (p *Pool) Record(f *Ref, t *tcb.TCB, ev *fsm.Event, d fsm.Disposition, out *fsm.Commands) {
	r := f.r
	if r == nil || r.gen != f.gen {
		r = p.take(f)
	}
	r.used = true
	if r.fresh && t != nil && quietEvents>>ev.ID&1 != 0 {
		// The hot path: events with data in ESTABLISHED.
		h := &r.half[r.cur]
		n := out.Len()
		if size := stepFixed + commandSize*n; h.n+size <= halfSize {
			b := h.buf[h.n : h.n+size]
			putHeader((*[stepFixed]byte)(b), flagTCB, ev, d, n)
			b = b[stepFixed:]
			for i := 0; i < n && len(b) >= commandSize; i++ {
				c := out.At(i)
				putCommand((*[commandSize]byte)(b), c)
				r.fresh = r.fresh && quietVerbs>>c.Verb&1 != 0
				b = b[commandSize:]
			}
			h.last = h.n
			h.n += size
			h.steps++
			return
		}
	}
	r.record(t, ev, d, out)
}

func (r *ring) record(t *tcb.TCB, ev *fsm.Event, d fsm.Disposition, out *fsm.Commands) {
	flags, size := sections(ev)
	size += stepFixed + commandSize*out.Len()
	need := size
	if t != nil {
		flags |= flagTCB
		need += tcbSize(t)
	}
	h := &r.half[r.cur]
	if h.n+need > halfSize {
		r.cur ^= 1
		next := h.first + h.steps
		h = &r.half[r.cur]
		h.n, h.first, h.steps = 0, next, 0
	}
	if t != nil {
		h.check = h.n
		h.n += putTCB(h.buf[h.n:], t)
	}
	h.last = h.n
	putStep(h.buf[h.n:h.n+size], flags, ev, d, out)
	h.n += size
	h.steps++
	r.fresh = t != nil
	for i := 0; i < out.Len(); i++ {
		r.fresh = r.fresh && quietVerbs>>out.At(i).Verb&1 != 0
	}
}

// quietEvents are those whose preparation leaves the TCB alone, quietVerbs the
// commands that do. Between checkpoints there are no others.
const (
	quietEvents uint64 = 1<<fsm.EvData | 1<<fsm.EvSack | 1<<fsm.EvPrimSend | 1<<fsm.EvTimeoutSack

	quietVerbs uint64 = 1<<fsm.CmdNop | 1<<fsm.CmdIngest | 1<<fsm.CmdSack | 1<<fsm.CmdGenSack |
		1<<fsm.CmdEnqueue | 1<<fsm.CmdNotify | 1<<fsm.CmdResult | 1<<fsm.CmdCount
)

// Dump appends what the ring holds, oldest first, for Decode; nothing if it
// holds nothing (any more).
func (f *Ref) Dump(b []byte) []byte {
	r := f.r
	if r == nil || r.gen != f.gen {
		return b
	}
	first := true
	for _, i := range [2]uint8{r.cur ^ 1, r.cur} {
		h := &r.half[i]
		if h.steps == 0 {
			continue
		}
		if first {
			b = le.AppendUint64(b, h.first)
			first = false
		}
		b = append(b, h.buf[:h.n]...)
	}
	return b
}
