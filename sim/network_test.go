package sim

import (
	"encoding/hex"
	"flag"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/trace"
	"github.com/gosctp/gosctp/sim/impair"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

var update = flag.Bool("sim.update", false, "write the golden files anew")

// The same seed gives the same packets, byte for byte, and other seeds others.
func TestSameSeedSamePackets(t *testing.T) {
	seen := make(map[[32]byte]uint64)
	for seed := uint64(1); seed <= 10; seed++ {
		a, b := Run(seed, Random(seed), Options{}), Run(seed, Random(seed), Options{})
		if a.Sum != b.Sum || a.Packets != b.Packets || a.Time != b.Time {
			t.Errorf("seed %d: two runs differ: %d packets in %v, %d in %v", seed, a.Packets, a.Time, b.Packets, b.Time)
		}
		if other, ok := seen[a.Sum]; ok {
			t.Errorf("seeds %d and %d give the same packets", seed, other)
		}
		seen[a.Sum] = seed
	}
}

// One conversation, known by its digest and its steps: a change of either is a
// change of what goes over the wire. -sim.update accepts it.
func TestGolden(t *testing.T) {
	var steps strings.Builder
	cfg := tcb.DefaultConfig()
	s := Scenario{
		MTU:  1500,
		AtoZ: impair.Config{Delay: 10 * ms, Loss: .1}, ZtoA: impair.Config{Delay: 10 * ms, Loss: .1},
		A: cfg, Z: cfg,
		Assocs: []AssocPlan{{
			A: UserPlan{Messages: 6, MaxSize: 3000, Streams: 2, Unordered: .3, Closing: CloseWhenSent},
			Z: UserPlan{Messages: 3, MaxSize: 200, Streams: 1, Pace: 10 * ms},
		}},
	}
	r := Run(4, s, Options{Trace: &steps, Tap: func(p Packet) { steps.WriteString(p.String() + "\n") }})
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	got := steps.String() + "digest " + hex.EncodeToString(r.Sum[:]) + "\n"
	const file = "testdata/golden.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
		for i := range g {
			if i >= len(w) || g[i] != w[i] {
				t.Fatalf("line %d of %s is another (go test ./sim -run TestGolden -sim.update, if that is right):\n got %s\nwant %s",
					i+1, file, g[i], w[min(i, len(w)-1)])
			}
		}
		t.Fatalf("%d lines, want %d", len(g), len(w))
	}
}

var (
	addrA = netip.MustParseAddr("10.0.0.1")
	addrZ = netip.MustParseAddr("10.0.0.2")
)

// A network without a wire, or with one way only, is no network.
func TestUnconnected(t *testing.T) {
	n := NewNetwork(1)
	a := n.AddHost("A", 1500, stack.Options{}, addrA)
	cfg := tcb.DefaultConfig()
	ep, err := a.Stack.Open(nil, 0, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ep.Associate([]netip.Addr{addrZ}, 5000, 0, nil, nil); err == nil {
		t.Error("an association over no wire at all was started")
	}
}

// With the link dead, set-up ends after Max.Init.Retransmits, at the time that
// the timers say: R-4-04 and the back-off of section 6.3.3.
func TestSetupGivesUpInTime(t *testing.T) {
	tail := trace.NewTail(20)
	n := NewNetwork(1)
	a := n.AddHost("A", 1500, stack.Options{Trace: &trace.Writer{Who: "A", W: tail}}, addrA)
	n.Connect(addrA, addrZ, impair.Config{Loss: 1})
	cfg := tcb.DefaultConfig()
	ep, err := a.Stack.Open(nil, 0, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	start := n.Now()
	as, err := ep.Associate([]netip.Addr{addrZ}, 5000, 0, nil, func(sideeffects.Wake) {})
	if err != nil {
		t.Fatal(err)
	}
	for n.Step(start.Add(maxTime)) {
	}
	// 1+2+4+8+16+32+60+60+60 seconds.
	if got := n.Now().Sub(start); got != 243*mono.Second || !as.End().Ended {
		t.Errorf("ended: %v, after %v, want 243s\n%s", as.End().Ended, got, tail)
	}
	if n.Packets() != 9 {
		t.Errorf("%d INITs, want 9", n.Packets())
	}
}
