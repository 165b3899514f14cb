package sim

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/internal/mono"
)

// A text is read back as the same scenario, and runs the same.
func TestScenarioText(t *testing.T) {
	n := uint64(200)
	if raceEnabled {
		n = 20
	}
	for seed := uint64(1); seed <= n; seed++ {
		s := Random(seed)
		text := s.Text(seed)
		again, s2, err := ParseScenario("# as it was printed\n\n" + text)
		if err != nil || again != seed || !reflect.DeepEqual(s, s2) {
			t.Fatalf("seed %d: read back with %v as %d\n%s\nwant\n%s", seed, err, again, s2.Text(again), text)
		}
		if seed <= 3 {
			if a, b := Run(seed, s, Options{}), Run(seed, s2, Options{}); a.Sum != b.Sum {
				t.Errorf("seed %d: what was read back runs differently", seed)
			}
		}
	}
	for _, bad := range []string{
		"MTU", "MTU x", "MTU 12", "Nothing 1", "Assocs 1000000", "Assocs -1", "Assocs[0].A.Messages 3",
		"Seed -1", "AtoZ.Loss 2", "AtoZ.Delay 3", "Assocs 1\nAssocs[0].Open whoever", "CC nobody", "Known 2", "More 1\nMore[0].AtoZ.MTU 3",
	} {
		if _, _, err := ParseScenario(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// The shrinker finds what a planted fault needs, and nothing else is left.
func TestShrink(t *testing.T) {
	crowded := func(t *testing.T, wanted func(Scenario) bool, spoil func(*user, []byte) []byte) (uint64, Scenario) {
		for seed := uint64(1); seed < 2000; seed++ {
			s := Random(seed)
			if len(s.More) == 0 || len(s.Assocs) < 2 || len(s.Attacks) == 0 || s.hostile() || !wanted(s) {
				continue
			}
			if Run(seed, s, Options{spoil: spoil}).Err != nil {
				return seed, s
			}
		}
		t.Fatal("no scenario shows the fault")
		return 0, Scenario{}
	}
	lines := func(s Shrunk) int { return strings.Count(s.Scenario.Text(s.Seed), "\n") }
	for _, tc := range []struct {
		name  string
		want  func(Scenario) bool
		spoil func(u *user, data []byte) []byte
		check func(t *testing.T, s Scenario)
		lines int
	}{
		{
			"a message of more than 1000 bytes is damaged on its way to Z",
			func(s Scenario) bool { return true },
			func(u *user, data []byte) []byte {
				if u.side == SideZ && len(data) > 1000 {
					data = bytes.Clone(data)
					data[1000]++
				}
				return data
			},
			func(t *testing.T, s Scenario) {
				a := s.Assocs[0]
				if a.A.Messages > 8 || a.A.MaxSize > 4000 || a.Z.Messages > 0 {
					t.Errorf("%d messages up to %d bytes, and %d back", a.A.Messages, a.A.MaxSize, a.Z.Messages)
				}
				if len(s.Restarts)+len(s.Rebinds) > 0 {
					t.Error("restarts or rebindings are left")
				}
			},
			8,
		},
		{
			"what is read after a restart is damaged",
			func(s Scenario) bool { return len(s.Restarts) > 1 },
			func(u *user, data []byte) []byte {
				if u.run.counts[Restarted] > 0 {
					data = bytes.Clone(data)
					data[0]++
				}
				return data
			},
			func(t *testing.T, s Scenario) {
				if len(s.Restarts) != 1 || s.Assocs[0].Redials != 1 {
					t.Errorf("%d restarts, %d redials, want 1 and 1", len(s.Restarts), s.Assocs[0].Redials)
				}
			},
			16,
		},
		{
			"what is read while a path is dead is damaged",
			func(s Scenario) bool { return true },
			func(u *user, data []byte) []byte {
				for _, w := range u.run.wires {
					if w.dead > 0 {
						data = bytes.Clone(data)
						data[0]++
					}
				}
				return data
			},
			func(t *testing.T, s Scenario) {
				n := 0
				for _, p := range s.paths() {
					n += len(p.Dead)
				}
				if n != 1 || len(s.More) > 1 {
					t.Errorf("%d deaths on %d paths, want 1", n, 1+len(s.More))
				}
			},
			16,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			seed, s := crowded(t, tc.want, tc.spoil)
			o := Options{spoil: tc.spoil}
			small, ok := Shrink(seed, s, o, 2000, nil)
			if !ok {
				t.Fatal("it fails no more")
			}
			t.Logf("%d lines, after %d runs %d:\n%v", strings.Count(s.Text(seed), "\n"), small.Runs, lines(small), small)
			r := small.Scenario
			if len(r.Assocs) != 1 || len(r.Attacks) != 0 || lines(small) > tc.lines {
				t.Errorf("%d associations, %d attackers, %d lines: want 1, none and at most %d",
					len(r.Assocs), len(r.Attacks), lines(small), tc.lines)
			}
			tc.check(t, r)
			// What it prints fails in the same way.
			again, r2, err := ParseScenario(small.String())
			if err != nil {
				t.Fatal(err)
			}
			if res := Run(again, r2, o); res.Fault != small.Result.Fault || res.Sum != small.Result.Sum {
				t.Errorf("the printed scenario gives %q, want %q", res.Fault, small.Result.Fault)
			}
			if res := Run(again, r2, Options{}); res.Err != nil {
				t.Errorf("without the fault: %v", res.Err)
			}
		})
	}
}

// What does not fail cannot be made smaller, and the budget is kept to.
func TestShrinkLimits(t *testing.T) {
	s := Random(1)
	if _, ok := Shrink(1, s, Options{}, 100, nil); ok {
		t.Error("a scenario that holds was shrunk")
	}
	o := Options{spoil: func(_ *user, b []byte) []byte { return append([]byte{1}, b...) }}
	s = homes(2, UserPlan{Messages: 100, MaxSize: 1000, Streams: 5, Pace: mono.Millisecond, Closing: CloseWhenSent}, UserPlan{})
	if small, ok := Shrink(1, s, o, 10, nil); !ok || small.Runs > 10 {
		t.Errorf("%d runs, want at most 10", small.Runs)
	}
	if small, ok := Shrink(1, s, o, 1000, func() bool { return true }); !ok || small.Runs != 1 {
		t.Errorf("%d runs, want 1", small.Runs)
	}
}
