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
	"github.com/gosctp/gosctp/transport"
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
	over  map[*user]mono.Duration // when they heard of the end
	large bool                    // packets may be refused as too large
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
	w := &watch{t: t, over: make(map[*user]mono.Duration)}
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
			switch fsm.Note(n.Kind) {
			case fsm.NoteAssocChange:
				w.over[u] = w.now() // the last one counts
			case fsm.NotePathChange:
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
		if n := h.Stack.Stats().SendErrors; n != 0 && !w.large {
			t.Errorf("seed %d: host %s could not send %d packets: from the wrong source", seed, h.Name, n)
		}
	}
	return w, res
}

// unconfirmed checks R-5.4-05 to R-5.4-07.
// R-5.4-06 R-5.4-07
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
		_, r := play(t, 1, s, func(w *watch) {
			w.saw = func(p Packet, from *user, path int, list []chunk.Type) {
				if has(list, chunk.TypeHeartbeat) && !has(list, chunk.TypePad) {
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

// Both paths die: after Association.Max.Retrans failures on either the
// association is lost, and both users are told. R-8.1-01 R-8.1-03 R-8.1-04 R-8.1-05
func TestAllPathsDie(t *testing.T) {
	const dies = 2 * sec
	s := homes(2, UserPlan{Messages: 100, MaxSize: 100, Pace: 100 * ms}, UserPlan{})
	s.Dead = []Span{{From: dies, To: 10000 * sec}}
	s.More[0].Dead = s.Dead
	w, r := play(t, 1, s, nil)
	if r.Ended != 1 || w.a.end.Change != fsm.CommLost || w.z.end.Change != fsm.CommLost || w.a.end.ByPeer {
		t.Errorf("%v; %v, want both lost", w.a, w.z)
	}
	// T3-rtx expires on both paths, each time after twice as long: five times
	// within 31 s on either. The eleventh expiry is the sixth on the first path,
	// after 63 s.
	within(t, "the association is lost", w.over[w.a], dies+63*sec-200*ms, dies+65*sec)
}

// The first address is dead from the beginning: the handshake goes to the
// next one after RTO.Initial, and data follows it there.
// R-5.1-03
func TestHandshakeAroundDeadPath(t *testing.T) {
	for n := 2; n <= 4; n++ {
		s := homes(n, UserPlan{Messages: 20, MaxSize: 100, Closing: CloseWhenSent}, UserPlan{})
		forever := []Span{{To: 1000 * sec}}
		s.Dead = forever
		for i := range n - 2 {
			s.More[i].Dead = forever
		}
		w, r := play(t, 1, s, nil)
		graceful(t, r, 1)
		// RTO.Initial for each address.
		within(t, "all is sent", w.data[0].at, mono.Duration(n-1)*sec, mono.Duration(n-1)*sec+100*ms)
		if got := w.data[0].path; got != n-1 {
			t.Errorf("DATA goes first to path %d, not to the one that works, %d", got, n-1)
		}
		within(t, "the end", w.over[w.a], 0, mono.Duration(n)*sec)
	}
}

// The path dies between INIT ACK and COOKIE ECHO: the COOKIE ECHO comes from
// an address that is not confirmed, and is answered there, with a HEARTBEAT.
// R-5.4-06
func TestCookieEchoMovesToAnotherPath(t *testing.T) {
	s := homes(2, UserPlan{Messages: 20, MaxSize: 100, Closing: CloseWhenSent}, UserPlan{})
	s.Dead = []Span{{From: 15 * ms, To: 1000 * sec}} // the INIT ACK is on its way
	acks := 0
	w, r := play(t, 1, s, func(w *watch) {
		w.saw = func(p Packet, from *user, path int, list []chunk.Type) {
			if has(list, chunk.TypeCookieAck) {
				acks++
				if path != 1 || !has(list, chunk.TypeHeartbeat) {
					t.Errorf("COOKIE ACK on path %d: %v", path, list)
				}
			}
		}
	})
	if graceful(t, r, 1); acks != 1 {
		t.Errorf("%d COOKIE ACKs were seen, want 1", acks)
	}
	within(t, "the first DATA", w.data[0].at, sec, sec+100*ms)
}

// The peer answers the INIT from another address than it was sent to.
// R-5.1.2-04
func TestInitAckFromElsewhere(t *testing.T) {
	for _, known := range []int{1, 0} {
		s := homes(2, UserPlan{Messages: 20, MaxSize: 1000, Pace: 100 * ms, Closing: CloseWhenSent}, UserPlan{})
		s.Known = known
		moved := 0
		o := func(w *watch) {
			w.r.net.Drop = func(p Packet) bool {
				if firstType(p) != chunk.TypeInitAck || moved > 0 {
					return false
				}
				moved++
				w.r.net.push(event{
					at: w.r.net.Now().Add(10 * ms), to: w.r.a,
					slot: transport.RxSlot{Data: append([]byte(nil), p.Data...), Src: w.r.addrZ[1], Dst: w.r.addrA[1]},
				})
				return true
			}
			w.at(sec+500*ms, func() {
				for i := range 2 {
					if p := w.path(w.a, i); p.State != tcb.PathActive || p.Src != w.r.addrA[i] {
						t.Errorf("path %d is %v, from %v", i, p.State, p.Src)
					}
				}
			})
		}
		_, r := play(t, 1, s, o)
		if graceful(t, r, 1); moved != 1 {
			t.Error("no INIT ACK was seen")
		}
	}
}

// The primary path is dead when the association is shut down: SHUTDOWN and
// SHUTDOWN ACK go to another.
func TestShutdownAroundDeadPath(t *testing.T) {
	for _, side := range []Way{BothWays, WayAtoZ, WayZtoA} {
		s := homes(2, UserPlan{Messages: 20, MaxSize: 100}, UserPlan{})
		s.Assocs[0].A.Closing, s.Assocs[0].A.CloseAt = CloseAt, 5*sec
		s.Dead = []Span{{From: 4 * sec, To: 1000 * sec, Way: side}}
		w, r := play(t, 1, s, nil)
		graceful(t, r, 1)
		within(t, "the end", w.over[w.a], 5*sec, 8*sec)
		within(t, "the end for the peer", w.over[w.z], 5*sec, 9*sec)
	}
}

// The user chooses another primary path while a window is in flight on a slower
// one: what overtakes must not look like loss.
// R-6.3.3-06 R-6.4-01
func TestChangeOver(t *testing.T) {
	for _, slow := range []mono.Duration{100 * ms, 300 * ms} {
		for _, loss := range []float64{0, .01} {
			s := homes(2, UserPlan{Messages: 20000, MaxSize: 3000, Closing: CloseWhenSent}, UserPlan{})
			s.AtoZ.Delay, s.ZtoA.Delay = slow, slow
			for _, c := range []*impair.Config{&s.AtoZ, &s.More[0].AtoZ} {
				c.Rate, c.Queue = 1e7, 4<<20 // no other loss
			}
			s.More[0].AtoZ.Loss = loss
			_, r := play(t, 1, s, func(w *watch) {
				for i := range 20 {
					w.at(2*sec+mono.Duration(i)*350*ms, func() {
						if err := w.a.as.SetPrimary(w.r.addrZ[(i+1)%2]); err != nil {
							t.Error(err)
						}
					})
				}
				w.at(2*sec+20*350*ms, func() {
					for i := range 2 {
						p := w.path(w.a, i)
						if p.Stats.Packets < 100 {
							t.Errorf("path %d was not used", i)
						}
						if (loss == 0 || i == 0) && p.Stats.Retransmissions != 0 {
							t.Errorf("slow %v, loss %v: %d chunks sent again on path %d (%d fast), which lost none", slow, loss, p.Stats.Retransmissions, i, p.Stats.FastRetransmits)
						}
					}
				})
			})
			graceful(t, r, 1)
		}
	}
}

// Only DATA gets through on the first path, and only SACKs on the second: the
// receiver tries the other path when it sees that its SACKs get lost, and that
// is progress enough. R-6.4-03 R-8.1-06
func TestSackAvoidsDeadReturnPath(t *testing.T) {
	const from = 2 * sec
	s := homes(2, UserPlan{Messages: 30, MaxSize: 100, Pace: sec, Closing: CloseWhenSent}, UserPlan{})
	s.Dead = []Span{{From: from, To: 10000 * sec, Way: WayZtoA}}
	s.More[0].Dead = []Span{{From: from, To: 10000 * sec, Way: WayAtoZ}}
	s.A.HBInterval, s.Z.HBInterval = 0, 0
	w, _ := play(t, 1, s, nil)
	// SHUTDOWN COMPLETE goes to where SHUTDOWN ACK came from, and is lost.
	if f := w.a.out; w.a.end.Change != fsm.ShutdownComplete || f.arrived != 30 {
		t.Errorf("%d of 30 messages arrived; %v", f.arrived, w.a)
	}
}

// SACKs follow DATA as long as none of it comes twice. R-6.4-02 R-6.4-03 R-6.7-02
func TestSackFollowsData(t *testing.T) {
	s := homes(2, UserPlan{Messages: 500, MaxSize: 1000, Pace: 10 * ms, Closing: CloseWhenSent}, UserPlan{})
	_, r := play(t, 1, s, func(w *watch) {
		last := 0
		w.saw = func(p Packet, from *user, path int, list []chunk.Type) {
			switch {
			case has(list, chunk.TypeData):
				last = path
			case has(list, chunk.TypeSack) && w.now() > 2*sec && path != last && w.now() != 3*sec:
				t.Errorf("at %v a SACK on path %d, and DATA comes on %d", w.now(), path, last)
			}
		}
		// The path changes when nothing is under way.
		w.at(3*sec, func() {
			w.a.pausing = true
			w.at(3*sec+500*ms, func() {
				if err := w.a.as.SetPrimary(w.r.addrZ[1]); err != nil {
					t.Error(err)
				}
				w.a.pausing = false
				w.a.wake(0)
			})
		})
	})
	graceful(t, r, 1)
}

// HEARTBEATs on idle paths: HB.interval and the RTO, which varies by half.
// R-8.3-01 R-8.3-16 R-8.3-17
func TestHeartbeatIntervals(t *testing.T) {
	s := homes(3, UserPlan{}, UserPlan{})
	s.A.HBInterval, s.Z.HBInterval = 5*sec, 20*sec
	s.Assocs[0].A.Closing, s.Assocs[0].A.CloseAt = CloseAt, 600*sec
	last := map[string]mono.Duration{}
	gaps := map[string][]mono.Duration{}
	_, r := play(t, 1, s, func(w *watch) {
		w.saw = func(p Packet, from *user, path int, list []chunk.Type) {
			if !has(list, chunk.TypeHeartbeat) {
				return
			}
			if len(list) != 1 {
				t.Errorf("%v", list)
			}
			k := fmt.Sprintf("%s%d", from.name[len(from.name)-1:], path)
			if at, ok := last[k]; ok {
				gaps[k] = append(gaps[k], w.now()-at)
			}
			last[k] = w.now()
		}
	})
	graceful(t, r, 1)
	for _, side := range []string{"A", "Z"} {
		base := 5 * sec
		if side == "Z" {
			base = 20 * sec
		}
		for i := range 3 {
			k := fmt.Sprintf("%s%d", side, i)
			low, high := mono.Duration(1<<60), mono.Duration(0)
			for _, g := range gaps[k] {
				low, high = min(low, g), max(high, g)
			}
			if len(gaps[k]) < 20 || low < base+sec/2 || high > base+sec*3/2 || high-low < sec/3 {
				t.Errorf("%s: %d gaps of %v to %v, want %v and half to one and a half times the RTO", k, len(gaps[k]), low, high, base)
			}
		}
	}
}

// Each path has its own path MTU; what moves to a smaller one is not lost.
// R-7.3-02 R-7.3-03
func TestPathMTUs(t *testing.T) {
	const dies = 2 * sec
	s := homes(2, UserPlan{Messages: 400, MaxSize: 20000, Pace: 20 * ms, Closing: CloseWhenSent}, UserPlan{})
	s.More[0].AtoZ.MTU = 1100
	s.Dead = []Span{{From: dies, To: 200 * sec}}
	_, r := play(t, 1, s, func(w *watch) {
		w.at(30*sec, func() {
			if p, q := w.path(w.a, 0).PMTU, w.path(w.a, 1).PMTU; p != 1500 || q != 1100 {
				t.Errorf("path MTUs %d and %d, want 1500 and 1100", p, q)
			}
		})
	})
	graceful(t, r, 1)
}

// Endpoints that are bound to all addresses: whoever knows several addresses of
// the peer tells it of as many of its own, and nothing leaves from others.
func TestWildcardEndpoints(t *testing.T) {
	for _, known := range []int{1, 2, 3} {
		s := homes(3, UserPlan{Messages: 100, MaxSize: 1000, Pace: 100 * ms, Closing: CloseWhenSent}, UserPlan{})
		s.Wildcard, s.Known = true, known
		_, r := play(t, 1, s, func(w *watch) {
			w.at(5*sec, func() {
				for _, u := range []*user{w.a, w.z} {
					st := u.as.Status()
					if len(st.Paths) != known || len(st.LocalAddrs) != known {
						t.Errorf("known %d: %s: %d paths, own addresses %v", known, u.name, len(st.Paths), st.LocalAddrs)
					}
					for _, p := range st.Paths {
						if p.State != tcb.PathActive {
							t.Errorf("known %d: %s: path to %v is %v", known, u.name, p.Addr, p.State)
						}
					}
				}
			})
		})
		graceful(t, r, 1)
	}
}

// What was sent again on another path says nothing about the first, but the
// peer is alive: the association goes on for as long as that lasts. R-8.1-06
func TestRetransmissionsKeepTheAssociation(t *testing.T) {
	s := homes(2, UserPlan{Messages: 30, MaxSize: 100, Pace: 10 * sec, Closing: CloseWhenSent}, UserPlan{})
	s.A.PathMaxRetrans, s.A.AssocMaxRetrans, s.A.HBInterval, s.A.RTOMax = 100, 4, 0, 4*sec
	s.Dead = []Span{{From: sec, To: 10000 * sec}}
	w, r := play(t, 1, s, nil)
	graceful(t, r, 1)
	if n := w.sent(w.a, 0, 2*sec, 10000*sec); n < 15 {
		t.Errorf("%d packets with DATA on the dead path: this tests nothing", n)
	}
}

// Three of four paths die. What times out goes to the one with the fewest
// failures, so that each dead one costs one timeout. R-6.4-04 R-8.2-06
func TestRetransmissionFindsTheLivingPath(t *testing.T) {
	const dies = 5*sec + 10*ms
	s := homes(4, UserPlan{Messages: 200, MaxSize: 100, Pace: 100 * ms, Closing: CloseWhenSent}, UserPlan{})
	forever := []Span{{From: dies, To: 10000 * sec}}
	s.Dead, s.More[0].Dead, s.More[1].Dead = forever, forever, forever
	w, r := play(t, 1, s, nil)
	graceful(t, r, 1)
	for i, d := range w.data {
		if d.who == w.a && d.path == 3 {
			within(t, "the living path is found", d.at, dies+2900*ms, dies+3400*ms)
			break
		}
		if i == len(w.data)-1 {
			t.Error("no DATA on the living path")
		}
	}
}

// A SHUTDOWN that comes from another address than the last one is answered
// there. R-6.4-02
func TestShutdownAckGoesBack(t *testing.T) {
	s := homes(2, UserPlan{Messages: 1, MaxSize: 100}, UserPlan{})
	s.Assocs[0].A.Closing, s.Assocs[0].A.CloseAt = CloseAt, 5*sec
	s.Dead = []Span{{From: 5*sec - ms, To: 1000 * sec, Way: WayZtoA}}
	s.Z.RTOInitial, s.Z.RTOMin = 30*sec, 30*sec // its own T2-shutdown does not help
	w, r := play(t, 1, s, nil)
	graceful(t, r, 1)
	within(t, "the end", w.over[w.a], 6*sec, 6*sec+100*ms)

	// The same with the first SHUTDOWN lost: what comes is the first for Z.
	s.Dead[0].Way = BothWays
	w, r = play(t, 1, s, nil)
	graceful(t, r, 1)
	within(t, "the end", w.over[w.a], 6*sec, 6*sec+100*ms)
}

// An interface gets a smaller MTU in mid-transfer, and refuses what is larger:
// that path alone shrinks, and nothing is lost. R-7.3-03
func TestInterfaceShrinks(t *testing.T) {
	for path := range 2 {
		s := homes(2, UserPlan{Messages: 400, MaxSize: 20000, Pace: 20 * ms, Closing: CloseWhenSent}, UserPlan{})
		s.Dead = []Span{{From: 4 * sec, To: 6 * sec}}
		_, r := play(t, 1, s, func(w *watch) {
			w.large = true
			w.at(2*sec, func() { w.r.a.SetMTU(w.r.addrA[path], 1000) })
			w.at(8*sec, func() {
				for i := range 2 {
					want := 1500
					if i == path {
						want = 1000
					}
					if p := w.path(w.a, i); p.PMTU != want {
						t.Errorf("path MTU %d of path %d, want %d", p.PMTU, i, want)
					}
				}
			})
		})
		graceful(t, r, 1)
	}
}

// An address that does not answer its probes: the user is told, they come at the
// usual rate from then on, and cost the association nothing. R-5.4-03 R-8.2-03
func TestUnconfirmedPathFails(t *testing.T) {
	s := homes(2, UserPlan{}, UserPlan{})
	s.Assocs[0].A.Closing, s.Assocs[0].A.CloseAt = CloseAt, 1000*sec
	s.Known = 1
	s.More[0].Dead = []Span{{To: 600 * sec}}
	s.A.HBInterval, s.Z.HBInterval = 40*sec, 40*sec
	s.A.RTOMax, s.Z.RTOMax = 4*sec, 4*sec
	var probes []mono.Duration
	w, r := play(t, 1, s, func(w *watch) {
		w.saw = func(p Packet, from *user, path int, list []chunk.Type) {
			if from == w.z && path == 1 && has(list, chunk.TypeHeartbeat) {
				probes = append(probes, w.now())
			}
		}
		w.at(500*sec, func() {
			if st := w.z.as.Status(); st.Errors != 0 || w.path(w.z, 1).State != tcb.PathUnconfirmed {
				t.Errorf("%d errors, path %v", st.Errors, w.path(w.z, 1).State)
			}
		})
	})
	graceful(t, r, 1)
	down := w.first(w.z, 1, fsm.PathUnreachable, 0)
	// RTOs of 1, 2, 4, 4, 4 and 4 s, each half to one and a half times.
	within(t, "the path is given up", down, 9*sec, 29*sec)
	for i := 1; i < len(probes); i++ {
		gap := probes[i] - probes[i-1]
		if slow := probes[i-1] >= down; slow && gap < 40*sec || !slow && gap > 6*sec {
			t.Errorf("probes at %v and %v; given up at %v", probes[i-1], probes[i], down)
		}
	}
	within(t, "the path is confirmed", w.first(w.z, 1, fsm.PathConfirmed, 600*sec), 600*sec, 646*sec)
}
