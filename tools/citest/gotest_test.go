package main

import (
	"strings"
	"testing"
)

// TestSkips: each skip is in the table, also that of a test with subtests, and
// under CI one for want of something fails.
func TestSkips(t *testing.T) {
	for _, ci := range []bool{false, true} {
		r := &row{}
		g := &gotest{rowOf: func(string, string) *row { return r }, ci: ci, output: map[string][]string{}, parent: map[string]bool{}, status: map[string]string{}, pkgFails: map[string]bool{}}
		skip := func(test, why string) {
			g.take(event{Action: "run", Package: "p", Test: test})
			g.take(event{Action: "output", Package: "p", Test: test, Output: "    a_test.go:1: " + why + "\n"})
			g.take(event{Action: "skip", Package: "p", Test: test})
		}
		g.take(event{Action: "run", Package: "p", Test: "TestA/sub"})
		g.take(event{Action: "pass", Package: "p", Test: "TestA/sub"})
		skip("TestA", "no raw IP: permission denied")
		skip("TestB", "SKIP: for use with -explore.setting and -explore.moves")
		g.finish()
		want := [2]int{2, 0}
		if ci {
			want = [2]int{1, 1}
		}
		if r.passed != 1 || [2]int{r.skipped, r.failed} != want {
			t.Errorf("CI %v: %+v", ci, r)
		}
		if ci && !strings.Contains(strings.Join(r.what, " "), "TestA was skipped: no raw IP") {
			t.Errorf("%q", r.what)
		}
	}
}
