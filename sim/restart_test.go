package sim

import (
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
)

// A process dies in the middle of a transfer and comes back: RFC 9260 sections
// 5.2.4.1, 8.4 and 8.5; and a NAT forgets a port: RFC 6951 section 5.4.

// Whoever called calls again from the same port: the peer is told of a
// restart, keeps its association id, and what it had not delivered arrives at
// the new incarnation, each message once.
// R-5.2.2-05 R-5.2.4-06 R-5.2.4-07
func TestCallerRestarts(t *testing.T) {
	for _, down := range []mono.Duration{0, 500 * ms, 20 * sec} {
		s := homes(2, UserPlan{Messages: 200, MaxSize: 3000, Streams: 3, Pace: 10 * ms, Closing: CloseWhenSent},
			UserPlan{Messages: 300, MaxSize: 3000, Streams: 3, Pace: 10 * ms})
		s.Assocs[0].Redials = 1
		s.Restarts = []Restart{{At: sec, Side: SideA, Down: down}}
		// What reaches the host before it calls again would be answered by ABORT.
		silent := false
		var id, before uint32
		var told []fsm.AssocChange
		o := Options{Drop: func(p Packet) bool { return silent && p.Dst != addrA && p.Dst.As4()[3] == 1 }}
		var r *run
		o.script = func(the *run) {
			r = the
			r.after(999*ms, func() { silent, before = down > 0, r.pairs[0].z.as.Status().ID })
			r.after(sec+down+1, func() { silent = false })
			r.note = func(u *user, n *ulpqueue.Notification) {
				if u.side == SideZ && fsm.Note(n.Kind) == fsm.NoteAssocChange {
					told = append(told, fsm.AssocChange(n.A))
					if fsm.AssocChange(n.A) == fsm.Restarted {
						id = u.as.Status().ID
					}
				}
			}
		}
		res := Run(1, s, o)
		if res.Err != nil {
			t.Fatalf("down %v: %v\n%s", down, res.Err, res.Tail)
		}
		if res.Graceful != 1 || res.Counts[Restarted] != 1 || len(told) != 3 || told[1] != fsm.Restarted || told[2] != fsm.ShutdownComplete {
			t.Errorf("down %v: %d graceful ends, %d restarts; the peer was told %v", down, res.Graceful, res.Counts[Restarted], told)
		}
		if id == 0 || id != before {
			t.Errorf("down %v: the association's id was %d and is %d", down, before, id)
		}
		p := r.pairs[0]
		if p.z.out.arrived != p.z.out.taken || p.a.out.arrived != 200 {
			t.Errorf("down %v: %d of %d messages arrived at A, %d at Z", down, p.z.out.arrived, p.z.out.taken, p.a.out.arrived)
		}
	}
}

// Whoever was called restarts: it answers packets of the old association by
// ABORT with their tag, so that the caller is told that it is gone, and calls
// again.
// R-8.4-10 R-8.4-11 R-8.5.1-06
func TestCalledRestarts(t *testing.T) {
	for _, idle := range []bool{false, true} {
		s := homes(1, UserPlan{Messages: 100, MaxSize: 3000, Streams: 3, Pace: 20 * ms, Closing: CloseWhenSent}, UserPlan{})
		s.Assocs[0].Redials = 1
		s.Restarts = []Restart{{At: sec, Side: SideZ, Down: 10 * ms}}
		if idle {
			s.Assocs[0].A = UserPlan{Messages: 1, MaxSize: 1, Streams: 1, Closing: CloseAt, CloseAt: 300 * sec}
		}
		var ended mono.Duration
		var change fsm.AssocChange
		var r *run
		o := Options{script: func(the *run) {
			r = the
			r.note = func(u *user, n *ulpqueue.Notification) {
				if u.side == SideA && u.out.serial == 0 && fsm.Note(n.Kind) == fsm.NoteAssocChange {
					ended, change = r.net.Now().Sub(mono.Time(sec)), fsm.AssocChange(n.A)
				}
			}
		}}
		res := Run(1, s, o)
		if res.Err != nil {
			t.Fatalf("idle %v: %v\n%s", idle, res.Err, res.Tail)
		}
		if change != fsm.CommLost || res.Graceful != 1 || res.Counts[Redials] != 1 || res.Counts[Restarted] != 0 {
			t.Errorf("idle %v: the caller was told %v; %d graceful ends, called again %d times, %d restarts", idle, change, res.Graceful, res.Counts[Redials], res.Counts[Restarted])
		}
		if first := r.users[0]; !first.end.ByPeer {
			t.Errorf("idle %v: the first association ended by itself: %+v", idle, first.end)
		}
		late := sec + 200*ms
		if idle {
			late = 64 * sec // the path is not idle for the first HB.interval and RTO
		}
		within(t, "the caller is told", ended, sec, late)
	}
}

// The caller's NAT gives it another port in the middle of a transfer: who was
// called learns it from the next packet, and nothing is lost. It is learnt from
// packets with the right tag only.
func TestRebinding(t *testing.T) {
	s := homes(1, UserPlan{Messages: 300, MaxSize: 3000, Pace: 10 * ms, Closing: CloseWhenSent}, UserPlan{Messages: 300, MaxSize: 3000, Pace: 10 * ms})
	s.UDP = true
	s.Rebinds = []Rebind{{At: sec, Side: SideA}}
	s.Attacks = []Attack{{Kind: AttackChunks, To: 3 * sec, Every: 10 * ms}}
	var wrong []mono.Duration // when packets went to the old port
	var r *run
	o := Options{script: func(the *run) { r = the }}
	o.Drop = func(p Packet) bool {
		if n := r.net.astray; n > uint64(len(wrong)) {
			wrong = append(wrong, p.At.Sub(mono.Time(sec)))
		}
		return false
	}
	res := Run(1, s, o)
	if res.Err != nil || res.Graceful != 1 || res.Messages != 600 {
		t.Fatalf("%d messages, %d graceful ends, %v\n%s", res.Messages, res.Graceful, res.Err, res.Tail)
	}
	if len(wrong) == 0 || wrong[len(wrong)-1] > sec+200*ms {
		t.Errorf("packets went astray %d times, the last at %v", len(wrong), wrong)
	}
}

// A caller that has nothing to say keeps its port alive by heartbeats.
func TestRebindingIdle(t *testing.T) {
	s := homes(1, UserPlan{}, UserPlan{Messages: 100, MaxSize: 3000, Pace: sec, Closing: CloseWhenSent})
	s.UDP = true
	for i := range 3 {
		s.Rebinds = append(s.Rebinds, Rebind{At: mono.Duration(5+30*i) * sec, Side: SideA})
	}
	res := Run(1, s, Options{})
	if res.Err != nil || res.Graceful != 1 || res.Messages != 100 {
		t.Fatalf("%d messages, %d graceful ends, %v\n%s", res.Messages, res.Graceful, res.Err, res.Tail)
	}
	if res.Counts[Astray] == 0 {
		t.Error("nothing went to the old port")
	}
}

// A restart from another UDP port: the COOKIE ACK goes to the new one at once,
// not after a retransmission.
func TestRestartFromAnotherPort(t *testing.T) {
	s := homes(1, UserPlan{Messages: 10, Pace: 100 * ms, Closing: CloseWhenSent}, UserPlan{Messages: 10})
	s.UDP = true
	s.Assocs[0].Redials = 1
	s.Restarts = []Restart{{At: 300 * ms, Side: SideA}}
	s.Rebinds = []Rebind{{At: 300 * ms, Side: SideA}}
	echoes := 0
	res := Run(1, s, Options{Tap: func(p Packet) {
		if !p.Arrived && has(types(p.Data), chunk.TypeCookieEcho) {
			echoes++
		}
	}})
	if res.Err != nil || res.Graceful != 1 || res.Counts[Restarted] != 1 {
		t.Fatalf("%d graceful ends, %d restarts, %v\n%s", res.Graceful, res.Counts[Restarted], res.Err, res.Tail)
	}
	if echoes != 2 {
		t.Errorf("%d COOKIE ECHOs, want one for each handshake", echoes)
	}
}
