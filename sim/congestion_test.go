package sim

import (
	"testing"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/sim/impair"
	"github.com/gosctp/gosctp/stack/tcb"
)

// long is a path on which NewReno takes its time: 100 Mbit/s with a round trip
// of 200 ms, which is 1700 packets in flight, and a packet lost now and then.
func long(controller string, loss float64) Scenario {
	link := impair.Config{Delay: 100 * ms, Rate: 100_000_000}
	s := Scenario{MTU: 1500, AtoZ: link, ZtoA: link, CC: controller, A: tcb.DefaultConfig(), Z: tcb.DefaultConfig()}
	s.AtoZ.Loss = loss
	for _, c := range []*tcb.Config{&s.A, &s.Z} {
		c.SendBuffer, c.RecvBuffer = 16<<20, 32<<20
	}
	s.Assocs = []AssocPlan{{
		A: UserPlan{Messages: 2000, MaxSize: 60000, Streams: 1, Closing: CloseWhenSent},
		Z: UserPlan{Messages: 0, MaxSize: 1, Streams: 1},
	}}
	return s
}

// A controller that the stack does not know moves the same data over the same
// link: where losses are rare and the round trip is long, CUBIC is there for
// that, and takes less time than NewReno. Each is the same on every run.
func TestForeignController(t *testing.T) {
	took := make(map[string]mono.Duration)
	sums := make(map[string][32]byte)
	runs := []string{"newreno", "cubic", "", "cubic"}
	if raceEnabled {
		runs = runs[:3]
	}
	for _, name := range runs {
		s := long(name, .0003)
		r := Run(3, s, Options{})
		if r.Err != nil || r.Graceful != 1 || r.Messages != 2000 {
			t.Fatalf("%s: %d messages, %d graceful ends, %v\n%s", name, r.Messages, r.Graceful, r.Err, r.Tail)
		}
		if before, ok := sums[name]; ok && before != r.Sum {
			t.Errorf("%s: another run has other packets", name)
		}
		took[name], sums[name] = r.Time, r.Sum
		t.Logf("%s: %d MB in %v of their time, %.1f Mbit/s, %d packets lost", name, r.Bytes>>20, r.Time, float64(r.Bytes)*8/r.Time.Seconds()/1e6, r.Counts[Lost])
	}
	if sums[""] != sums["newreno"] {
		t.Error("the default is not NewReno")
	}
	if took["cubic"] > took["newreno"]*3/4 {
		t.Errorf("CUBIC took %v, NewReno %v: want three quarters at most", took["cubic"], took["newreno"])
	}
}
