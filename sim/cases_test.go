package sim

import (
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/sim/impair"
	"github.com/gosctp/gosctp/stack/tcb"
)

// firstType is the type of a packet's first chunk.
func firstType(p Packet) chunk.Type { return chunk.Type(p.Data[chunk.HeaderLen]) }

// Scenarios that once broke something, without the chance that found it.
func TestCases(t *testing.T) {
	base := func(a, z UserPlan) Scenario {
		for _, u := range []*UserPlan{&a, &z} {
			u.Streams = max(u.Streams, 1)
			u.MaxSize = max(u.MaxSize, 1)
		}
		link := impair.Config{Delay: 10 * ms}
		cfg := tcb.DefaultConfig()
		return Scenario{MTU: 1500, AtoZ: link, ZtoA: link, A: cfg, Z: cfg, Assocs: []AssocPlan{{A: a, Z: z}}}
	}
	lose := func(n int, typ chunk.Type) func(Packet) bool {
		return func(p Packet) bool {
			if firstType(p) == typ && n > 0 {
				n--
				return true
			}
			return false
		}
	}
	for _, tc := range []struct {
		name   string
		s      func() Scenario
		drop   func(Packet) bool
		within mono.Duration
	}{
		{"every kind of packet is lost once: DATA", func() Scenario {
			return base(UserPlan{Messages: 1, MaxSize: 100, Closing: CloseWhenSent}, UserPlan{})
		}, lose(1, chunk.TypeData), 2 * mono.Second},
		{"INIT", func() Scenario { return base(UserPlan{Messages: 1, Closing: CloseWhenSent}, UserPlan{}) },
			lose(1, chunk.TypeInit), 2 * mono.Second},
		{"INIT ACK", func() Scenario { return base(UserPlan{Messages: 1, Closing: CloseWhenSent}, UserPlan{}) },
			lose(1, chunk.TypeInitAck), 2 * mono.Second},
		{"COOKIE ECHO", func() Scenario { return base(UserPlan{Messages: 1, Closing: CloseWhenSent}, UserPlan{}) },
			lose(1, chunk.TypeCookieEcho), 2 * mono.Second},
		{"COOKIE ACK", func() Scenario { return base(UserPlan{Messages: 1, Closing: CloseWhenSent}, UserPlan{}) },
			lose(1, chunk.TypeCookieAck), 2 * mono.Second},
		{"SHUTDOWN", func() Scenario { return base(UserPlan{Messages: 1, Closing: CloseWhenSent}, UserPlan{}) },
			lose(1, chunk.TypeShutdown), 2 * mono.Second},
		{"SHUTDOWN ACK", func() Scenario { return base(UserPlan{Messages: 1, Closing: CloseWhenSent}, UserPlan{}) },
			lose(1, chunk.TypeShutdownAck), 2 * mono.Second},
		{"SHUTDOWN COMPLETE", func() Scenario { return base(UserPlan{Messages: 1, Closing: CloseWhenSent}, UserPlan{}) },
			lose(1, chunk.TypeShutdownComplete), 2 * mono.Second},
		{"DATA comes before the COOKIE ACK, which is lost", func() Scenario {
			return base(UserPlan{Closing: CloseWhenSent, Messages: 3}, UserPlan{Messages: 20, MaxSize: 1000, Pace: ms})
		}, lose(1, chunk.TypeCookieAck), 5 * mono.Second},
		{"a chunk for a large MTU meets a small one", func() Scenario {
			s := base(UserPlan{Messages: 5, MaxSize: 60000, Closing: CloseWhenSent}, UserPlan{})
			s.MTU, s.AtoZ.MTU = 65535, 1300
			return s
		}, nil, 3 * mono.Second},
		{"a message larger than the receive buffer", func() Scenario {
			s := base(UserPlan{Messages: 20, MaxSize: 100000, Streams: 3, Closing: CloseWhenSent}, UserPlan{ReadPause: 50 * ms, ReadBytes: 64000})
			s.Z.RecvBuffer = 16384
			return s
		}, nil, 100 * mono.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lost := 0
			o := Options{}
			if tc.drop != nil {
				o.Drop = func(p Packet) bool {
					d := tc.drop(p)
					if d {
						lost++
					}
					return d
				}
			}
			r := Run(1, tc.s(), o)
			if r.Err != nil {
				t.Fatalf("%v\n%s", r.Err, r.Tail)
			}
			if r.Graceful != 1 || r.Time > tc.within {
				t.Errorf("%d graceful ends, after %v, want one within %v", r.Graceful, r.Time, tc.within)
			}
			if tc.drop != nil && lost != 1 {
				t.Errorf("%d packets were dropped, want 1", lost)
			}
		})
	}
}

// Windows that shut on half a message: the reader has to be woken for the part
// that is there, whichever way it came to that.
func TestShutWindows(t *testing.T) {
	for seed := uint64(1); seed <= 40; seed++ {
		link := impair.Config{Delay: 15 * ms, Jitter: 2 * ms, Duplicate: .1, Corrupt: .01}
		s := Scenario{MTU: 1500, AtoZ: link, ZtoA: link, A: tcb.DefaultConfig(), Z: tcb.DefaultConfig()}
		s.A.RecvBuffer = 16384
		s.Z.MaxSegment = 528
		s.Assocs = []AssocPlan{{
			A: UserPlan{Messages: 20, MaxSize: 20000, Streams: 5, ReadPause: 129 * ms, ReadBytes: 64000, Closing: CloseAt, CloseAt: 10 * ms},
			Z: UserPlan{Messages: 22, MaxSize: 60000, Streams: 10, Unordered: .2, ReadPause: 168 * ms, ReadBytes: 2000},
		}}
		if r := Run(seed, s, Options{}); r.Err != nil || r.Graceful != 1 {
			t.Fatalf("seed %d: %d graceful ends, %v\n%s", seed, r.Graceful, r.Err, r.Tail)
		}
	}
}
