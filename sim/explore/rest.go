package explore

import (
	"sync"

	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Liveness: left alone, with a network that loses nothing and no attacker, and
// with users who call nothing any more, the hosts come to rest.

// settled reports whether nothing more is to come but heartbeats, and that is
// right: both sides closed, or both up and ends of one association.
func (w *world) settled() bool {
	if len(w.net) > 0 {
		return false
	}
	up := 0
	for _, h := range w.hosts {
		if len(h.conns) == 0 {
			continue
		}
		a := h.conns[0].a
		if a.State() != tcb.Established || !a.Data().Empty() || !onlyHeartbeats(a) {
			return false
		}
		up++
	}
	return up == 0 || up == 2 && w.agree()
}

// agree reports whether both ends, which are up, are of one association.
func (w *world) agree() bool {
	local, peer := w.hosts[0].conns[0].a.Tags()
	local2, peer2 := w.hosts[1].conns[0].a.Tags()
	return local == peer2 && peer == local2
}

func onlyHeartbeats(a *sideeffects.Association) bool {
	var buf [8]sideeffects.Armed
	for _, t := range a.AppendArmed(buf[:0]) {
		if t.Event != fsm.EvTimeoutHeartbeat {
			return false
		}
	}
	return true
}

// stuck reports whether nothing but heartbeats can happen, whatever the states.
func (w *world) stuck() bool {
	if len(w.net) > 0 {
		return false
	}
	for _, h := range w.hosts {
		if len(h.conns) > 0 && !onlyHeartbeats(h.conns[0].a) {
			return false
		}
	}
	return true
}

const restSteps = 400

// rested are states from which the hosts are known to come to rest, one set
// for each order of arrival.
type rested [2]struct {
	mu   sync.Mutex
	seen map[Key]struct{}
}

func newRested() *rested {
	r := new(rested)
	for i := range r {
		r[i].seen = make(map[Key]struct{})
	}
	return r
}

// rest leaves the hosts alone, and checks that they come to rest. Packets
// arrive in the order in which they were sent, or, with last, the last one
// first. Worlds that cannot be cloned know no halves.
func (w *world) rest(last bool, l *lab, r *rested) {
	w.resting = true
	order := 0
	if last {
		order = 1
	}
	half := false
	var way []Key
	for range restSteps {
		if w.err != nil {
			return
		}
		if w.settled() {
			w.checkRest()
			if w.err == nil && r != nil {
				r[order].mu.Lock()
				for _, k := range way {
					r[order].seen[k] = struct{}{}
				}
				r[order].mu.Unlock()
			}
			return
		}
		if r != nil {
			k := w.key()
			r[order].mu.Lock()
			_, ok := r[order].seen[k]
			r[order].mu.Unlock()
			if ok {
				return
			}
			way = append(way, k)
		}
		if !half && w.stuck() {
			half = true
			w.checkHalf(last, l)
			if w.err != nil {
				return
			}
		}
		if !w.apply(w.next(last)) {
			w.breaks("P5", w.states())
			w.fail("nothing can happen any more, and the hosts are not at rest: %s", w.states())
			return
		}
	}
	w.fail("the hosts do not come to rest: %s", w.states())
}

// next is what happens in a calm world: a packet arrives, else the next timer
// expires.
func (w *world) next(last bool) Move {
	if n := len(w.net); n > 0 {
		if last {
			return Move{Kind: Deliver, N: uint8(n - 1)}
		}
		return Move{Kind: Deliver}
	}
	a, z := w.hosts[0], w.hosts[1]
	if a.due == 0 || z.due != 0 && z.due.Sub(z.now) < a.due.Sub(a.now) {
		return Move{Kind: Fire, X: 1}
	}
	return Move{Kind: Fire, X: 0}
}

// checkHalf: one end is up and nothing can happen, heartbeats apart. There has
// to be a reason for that, and if the other end moves the association must be
// whole again or gone, without the help of heartbeats.
func (w *world) checkHalf(last bool, l *lab) {
	w.breaks("P5", w.states())
	a, z := len(w.hosts[0].conns), len(w.hosts[1].conns)
	if w.err != nil || a+z != 1 {
		return
	}
	v := w.clone(l)
	if v == nil {
		return
	}
	property, closed := "P3", uint8(1)
	if z == 1 {
		property, closed = "P4", 0
	}
	v.trace = nil
	v.apply(Move{Kind: Associate, X: closed})
	for i := 0; i < restSteps && v.err == nil && !v.settled(); i++ {
		if v.stuck() || !v.apply(v.next(last)) {
			w.breaks(property, "the other end calls ASSOCIATE, and it comes to "+v.states())
			return
		}
	}
	if v.err != nil {
		w.fail("%c calls ASSOCIATE: %v", sideNames[closed], v.err)
	} else if !v.settled() {
		w.breaks(property, "the other end calls ASSOCIATE, and there is no end to "+v.states())
	}
}

// checkRest: an association that nobody wanted to end is up once the network
// loses nothing, and one that its user shut down ended as it should.
func (w *world) checkRest() {
	wanted := w.aborts > 0 || w.crashes > 0 || w.gone > 0 || w.late || w.forged()
	for side, h := range w.hosts {
		if len(h.conns) > 0 && h.conns[0].shut {
			w.breaks("P10", sideNames[side:side+1]+" is up: "+w.states())
		}
	}
	for side, h := range w.hosts {
		if h.lost && !wanted {
			w.fail("%c lost its association, and no user gave it up", sideNames[side])
		}
	}
}
