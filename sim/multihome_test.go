package sim

import (
	"fmt"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/sim/impair"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Associations over several paths: RFC 9260 sections 5.4, 6.4, 8.2 and 8.3.

const sec = mono.Second

// homes is a scenario with n paths of 10 ms each, and one association in which
// A sends and closes.
func homes(n int, a, z UserPlan) Scenario {
	for _, u := range []*UserPlan{&a, &z} {
		u.Streams, u.MaxSize = max(u.Streams, 1), max(u.MaxSize, 1)
	}
	link := impair.Config{Delay: 10 * ms}
	cfg := tcb.DefaultConfig()
	s := Scenario{MTU: 1500, AtoZ: link, ZtoA: link, A: cfg, Z: cfg, Assocs: []AssocPlan{{A: a, Z: z}}}
	for range n - 1 {
		s.More = append(s.More, PathPlan{AtoZ: link, ZtoA: link})
	}
	return s
}

// watch is what a test sees of a run over several paths.
type watch struct {
	t     *testing.T
	r     *run
	a, z  *user
	notes []pathNote
	data  []dataSent
	// saw is called with each packet sent, and its chunk types.
	saw func(p Packet, from *user, path int, types []chunk.Type)
}

type pathNote struct {
	at   mono.Duration
	who  *user
	path int
	what fsm.PathEvent
}

type dataSent struct {
	at   mono.Duration
	who  *user
	path int
}

func types(p []byte) (list []chunk.Type) {
	w := chunk.Walk(p[chunk.HeaderLen:])
	for {
		c, ok := w.Next()
		if !ok {
			return list
		}
		list = append(list, c.Type())
	}
}

func has(list []chunk.Type, t chunk.Type) bool {
	for _, v := range list {
		if v == t {
			return true
		}
	}
	return false
}

// play runs s and checks, beside what Run checks, that an unconfirmed address
// gets nothing that it must not.
func play(t *testing.T, seed uint64, s Scenario, script func(*watch)) (*watch, Result) {
	t.Helper()
	w := &watch{t: t}
	o := Options{}
	o.Tap = func(p Packet) {
		if p.Arrived || w.r == nil {
			return
		}
		from := w.a
		path := -1
		for i, a := range w.r.addrA {
			if p.Dst == a {
				from, path = w.z, i
			}
			if p.Dst == w.r.addrZ[i] {
				path = i
			}
		}
		list := types(p.Data)
		if has(list, chunk.TypeData) {
			w.data = append(w.data, dataSent{w.now(), from, path})
		}
		w.unconfirmed(p, from, list)
		if w.saw != nil {
			w.saw(p, from, path, list)
		}
	}
	o.script = func(r *run) {
		w.r, w.a, w.z = r, r.pairs[0].a, r.pairs[0].z
		r.note = func(u *user, n *ulpqueue.Notification) {
			if fsm.Note(n.Kind) == fsm.NotePathChange {
				w.notes = append(w.notes, pathNote{w.now(), u, w.pathOf(u, int(n.A)), fsm.PathEvent(n.B)})
			}
		}
		if script != nil {
			script(w)
		}
	}
	res := Run(seed, s, o)
	if res.Err != nil {
		t.Errorf("seed %d: %v\n%s", seed, res.Err, res.Tail)
	}
	for _, h := range w.r.net.hosts {
		// A wrong source address has no wire.
		if n := h.Stack.Stats().SendErrors; n != 0 {
			t.Errorf("seed %d: host %s could not send %d packets: from the wrong source", seed, h.Name, n)
		}
	}
	return w, res
}

// unconfirmed checks R-5.4-05 and R-5.4-06.
func (w *watch) unconfirmed(p Packet, from *user, list []chunk.Type) {
	if from.as == nil || from.as.Status().State == tcb.Closed {
		return
	}
	for _, q := range from.as.Status().Paths {
		if q.Addr != p.Dst || q.State != tcb.PathUnconfirmed {
			continue
		}
		for _, t := range list {
			switch t {
			case chunk.TypeHeartbeat, chunk.TypeHeartbeatAck, chunk.TypeInitAck, chunk.TypeAbort, chunk.TypeShutdownComplete:
			case chunk.TypeCookieAck:
				if !has(list, chunk.TypeHeartbeat) {
					w.r.fail("%s sends COOKIE ACK without HEARTBEAT to the unconfirmed %v", from.name, p.Dst)
				}
			default:
				w.r.fail("%s sends %v to the unconfirmed %v", from.name, t, p.Dst)
			}
		}
	}
}

func (w *watch) now() mono.Duration { return w.r.net.Now().Sub(mono.Time(sec)) }

// at calls f at a time since the start.
func (w *watch) at(d mono.Duration, f func()) { w.r.net.At(mono.Time(sec).Add(d), f) }

// pathOf translates a path of a user's association into one of the scenario.
func (w *watch) pathOf(u *user, p int) int {
	s := u.as.Status()
	for i := range w.r.addrA {
		if a := s.Paths[p].Addr; a == w.r.addrA[i] || a == w.r.addrZ[i] {
			return i
		}
	}
	return -1
}

// path returns the state of the scenario's path i at a user.
func (w *watch) path(u *user, i int) sideeffects.PathStatus {
	for j, p := range u.as.Status().Paths {
		if w.pathOf(u, j) == i {
			return p
		}
	}
	return sideeffects.PathStatus{State: 99}
}

// first returns when u was first told something of a path, not before after.
func (w *watch) first(u *user, path int, what fsm.PathEvent, after mono.Duration) mono.Duration {
	for _, n := range w.notes {
		if n.who == u && n.path == path && n.what == what && n.at >= after {
			return n.at
		}
	}
	w.t.Errorf("%s was never told that path %d is %v after %v; it was told %v", u.name, path, what, after, w.told())
	return 0
}

func (w *watch) told() (s string) {
	for _, n := range w.notes {
		s += fmt.Sprintf("\n%v %s: path %d: %v", n.at, n.who.name, n.path, n.what)
	}
	return s
}

// sent counts the packets with DATA that u sent on a path in a time.
func (w *watch) sent(u *user, path int, from, to mono.Duration) (n int) {
	for _, d := range w.data {
		if d.who == u && d.path == path && d.at >= from && d.at < to {
			n++
		}
	}
	return n
}

func within(t *testing.T, what string, got, low, high mono.Duration) {
	t.Helper()
	if got < low || got > high {
		t.Errorf("%s at %v, want between %v and %v", what, got, low, high)
	}
}

func graceful(t *testing.T, r Result, n int) {
	t.Helper()
	if r.Graceful != n {
		t.Errorf("%d graceful ends, want %d", r.Graceful, n)
	}
}

// Whoever starts names one address; the others are learned, probed and
// confirmed, no more than HB.Max.Burst per RTO.
// R-5.1.2-04 R-5.4-01 R-5.4-02 R-5.4-04
func TestPathsAreConfirmed(t *testing.T) {
	for _, known := range []int{1, 2, 0} {
		s := homes(4, UserPlan{Messages: 50, MaxSize: 2000, Pace: 200 * ms, Closing: CloseWhenSent}, UserPlan{})
		s.Known = known
		var probes [2][]mono.Duration
		w, r := play(t, 1, s, func(w *watch) {
			w.saw = func(p Packet, from *user, path int, list []chunk.Type) {
				if has(list, chunk.TypeHeartbeat) {
					i := 0
					if from == w.z {
						i = 1
					}
					probes[i] = append(probes[i], w.now())
				}
			}
			w.at(8*sec, func() {
				for _, u := range []*user{w.a, w.z} {
					for i := range 4 {
						if p := w.path(u, i); p.State != tcb.PathActive {
							t.Errorf("known %d: %s: path %d is %v", known, u.name, i, p.State)
						}
					}
				}
			})
		})
		graceful(t, r, 1)
		// A confirmed path is not said to be so.
		n := 4 - known
		if known == 0 {
			n = 0
		}
		for i, want := range []int{n, 3} {
			if len(probes[i]) != want {
				t.Errorf("known %d: host %d sent %d HEARTBEATs, want %d", known, i, len(probes[i]), want)
			}
			for j := 1; j < len(probes[i]); j++ {
				if gap := probes[i][j] - probes[i][j-1]; gap < sec {
					t.Errorf("known %d: host %d: two HEARTBEATs within %v, less than an RTO", known, i, gap)
				}
			}
		}
		_ = w
	}
}

// The primary path dies in mid-transfer: T3-rtx, retransmission on the other
// path, inactive after Path.Max.Retrans, new data there; it returns and is used
// again. R-6.4-01 R-6.4-04 R-6.4.1-01 R-8.2-02 R-8.2-03 R-8.2-05 R-8.3-07 R-8.3-11 R-8.3-13
func TestPrimaryDiesAndReturns(t *testing.T) {
	const dies, returns = 2 * sec, 100 * sec
	s := homes(2, UserPlan{Messages: 8000, MaxSize: 1000, Streams: 3, Pace: 50 * ms, Closing: CloseWhenSent}, UserPlan{})
	s.A.OutStreams, s.A.HBInterval = 3, 5*sec
	s.Dead = []Span{{From: dies, To: returns}}
	w, r := play(t, 1, s, nil)
	graceful(t, r, 1)
	// RTO is 1 s, and doubles: six expiries are more than Path.Max.Retrans (5).
	down := w.first(w.a, 0, fsm.PathUnreachable, 0)
	within(t, "the primary path is given up", down, dies+63*sec-200*ms, dies+64*sec)
	if n := w.sent(w.a, 0, down+1, returns); n != 0 {
		t.Errorf("%d packets with DATA to an inactive path", n)
	}
	for at := down; at < returns; at += sec {
		if w.sent(w.a, 1, at, at+sec) == 0 {
			t.Errorf("no DATA on the other path from %v on", at)
		}
	}
	up := w.first(w.a, 0, fsm.PathAvailable, returns)
	within(t, "the primary path is back", up, returns, returns+5*sec+90*sec)
	if w.sent(w.a, 0, up, up+5*sec) == 0 || w.sent(w.a, 1, up+2*sec, 1000*sec) != 0 {
		t.Errorf("the primary path is not used again: %d packets on it, %d on the other", w.sent(w.a, 0, up, 1000*sec), w.sent(w.a, 1, up+2*sec, 1000*sec))
	}
}
