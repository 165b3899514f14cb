package sim

import (
	"flag"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/gosctp/gosctp/stack/fsm"
)

var pathSeeds = flag.Int("sim.paths", 30, "how many seeds TestRandomPaths runs")

// TestRandomPaths runs associations whose paths die and return at random, also
// all at once: what Run checks holds, and where one path lives all is delivered.
// A seed that is named runs alone: -sim.seed=17 -sim.trace.
// R-6.4.1-01 R-8.2-02 R-8.2-04
func TestRandomPaths(t *testing.T) {
	first, n := *from, uint64(*pathSeeds)
	var trace io.Writer
	if *oneSeed >= 0 {
		first, n = uint64(*oneSeed), 1
		if *verbose {
			trace = os.Stdout
		}
	}
	var graceful, ended, failovers int
	for seed := first; seed < first+n; seed++ {
		s, survives := RandomPaths(seed)
		o := Options{Trace: trace}
		if trace != nil {
			o.Tap = func(p Packet) { fmt.Println(p) }
			t.Logf("survives %v, scenario %+v", survives, s)
		}
		var r *run
		o.script = func(the *run) { r = the }
		res := Run(seed, s, o)
		if res.Err == nil && survives {
			for _, p := range r.pairs {
				lost := func(u *user) bool { return u.ended && u.end.Change != fsm.ShutdownComplete }
				if p.gaveUpEarly() {
					continue
				}
				if lost(p.a) && lost(p.z) || p.a.out.arrived != p.a.out.taken || p.z.out.arrived != p.z.out.taken {
					res.Err = fmt.Errorf("a path lived, and yet: %v; %v; %d of %d and %d of %d messages arrived", p.a, p.z,
						p.a.out.arrived, p.a.out.taken, p.z.out.arrived, p.z.out.taken)
				}
			}
		}
		if res.Err != nil {
			t.Fatalf("seed %d, survives %v:\n%v\n\nThe last steps:\n%s\nAgain: go test ./sim -run TestRandomPaths -sim.seed=%d -sim.trace", seed, survives, res.Err, res.Tail, seed)
		}
		graceful += res.Graceful
		ended += res.Ended
		for _, h := range r.net.hosts {
			failovers += int(h.Stack.Stats().Events[fsm.StatT3RtxExpireds])
		}
	}
	t.Logf("%d seeds: %d associations closed gracefully, %d ended otherwise; T3-rtx expired %d times", n, graceful, ended, failovers)
}
