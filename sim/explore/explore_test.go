package explore

import (
	"flag"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/stack/fsm"
)

var (
	depth   = flag.Int("explore.depth", -1, "explore that many moves deep, 0 for all there is, -1 for what CI has time for")
	limit   = flag.Duration("explore.time", 0, "stop each setting after this time, 0 for never")
	setting = flag.String("explore.setting", "", "explore or replay only this setting")
	moves   = flag.String("explore.moves", "", "moves for TestReplay")
)

// TestExplore tries all that can happen, and finds nothing wrong.
func TestExplore(t *testing.T) {
	for i := range Settings {
		set := &Settings[i]
		if *setting != "" && !strings.EqualFold(*setting, set.Name) {
			continue
		}
		t.Run(set.Name, func(t *testing.T) {
			l := Limits{Depth: *depth, Time: *limit}
			if l.Depth < 0 {
				l.Depth = set.Depth
			}
			if testing.Short() || raceEnabled && *depth < 0 {
				l.Depth = 7 // the race detector has seen all code by then
			}
			r := Run(set, l)
			t.Log(r.String())
			if r.Bad != nil {
				lines, _ := Replay(set, r.Bad.Moves, r.Bad.Rest)
				t.Fatalf("%v\n\n%s", r.Bad, strings.Join(tail(lines, 80), "\n"))
			}
			if r.MaxCommands > fsm.MaxCommands {
				t.Errorf("%d commands for one event, the most is %d", r.MaxCommands, fsm.MaxCommands)
			}
		})
	}
}

func tail(s []string, n int) []string { return s[max(0, len(s)-n):] }

// TestReplay shows one way through the states.
func TestReplay(t *testing.T) {
	if *moves == "" {
		t.Skip("SKIP: for use with -explore.setting and -explore.moves")
	}
	set := SettingNamed(*setting)
	if set == nil {
		t.Fatalf("no setting %q", *setting)
	}
	list, err := ParseMoves(*moves)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := Replay(set, list, true)
	t.Log("\n" + strings.Join(lines, "\n"))
	if err != nil {
		t.Error(err)
	}
}
