package explore

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/stack/fsm"
)

var (
	depth   = flag.Int("explore.depth", -1, "explore that many moves deep, 0 for all there is, -1 for what CI has time for")
	deep    = flag.Bool("explore.deep", false, "explore as deep as docs/EXPLORATION.md tells of")
	limit   = flag.Duration("explore.time", 0, "stop each setting after this time, 0 for never")
	states  = flag.Int("explore.states", 0, "stop each setting after this many states, 0 for never")
	setting = flag.String("explore.setting", "", "explore or replay only this setting")
	strict  = flag.String("explore.strict", "", "excuse nothing that breaks this property, such as P9")
	moves   = flag.String("explore.moves", "", "moves for TestReplay")
)

// TestExplore tries all that can happen, and finds nothing wrong.
func TestExplore(t *testing.T) {
	for i := range Settings {
		set := &Settings[i]
		if *setting != "" && !strings.EqualFold(*setting, set.Name) {
			continue
		}
		t.Run(strings.ReplaceAll(set.Name, " ", "-"), func(t *testing.T) {
			l := Limits{Depth: *depth, Time: *limit, States: *states, Strict: *strict}
			if l.Depth < 0 {
				l.Depth = set.Depth
				if *deep {
					l.Depth, l.States = 0, set.Deep()
				}
			}
			if testing.Short() || raceEnabled && *depth < 0 {
				l.Depth = 5 // the race detector has seen all code by then
			}
			r := Run(set, l)
			t.Log(r.String())
			if r.Bad != nil {
				lines, _ := r.Bad.Play(*strict)
				t.Fatalf("%v\n\n%s", r.Bad, strings.Join(tail(lines, 80), "\n"))
			}
			if r.MaxCommands > fsm.MaxCommands {
				t.Errorf("%d commands for one event, the most is %d", r.MaxCommands, fsm.MaxCommands)
			}
		})
	}
}

// The document names all that there is: settings, properties, kept scripts.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	has := func(what string) {
		if !strings.Contains(string(text), what) {
			t.Errorf("%s does not tell of %q", doc, what)
		}
	}
	for i := range Settings {
		has("| " + Settings[i].Name + " |")
	}
	for _, p := range Properties {
		has("| " + p.Name + " | " + p.Text + " |")
	}
	files, _ := filepath.Glob("testdata/*.txt")
	for _, f := range files {
		has("`" + filepath.Base(f) + "`")
	}
}

func tail(s []string, n int) []string { return s[max(0, len(s)-n):] }

// TestReplay shows one way through the states.
func TestReplay(t *testing.T) {
	if *moves == "" {
		t.Skip("SKIP: for use with -explore.setting and -explore.moves")
	}
	list, err := ParseMoves(*moves)
	if err != nil {
		t.Fatal(err)
	}
	s := Script{Setting: *setting, Moves: list, Rest: true}
	lines, err := s.Play(*strict)
	t.Log("\n" + strings.Join(lines, "\n"))
	if err != nil {
		t.Error(err)
	}
}

// Kept ways through the states: what was once wrong holds, and what a correct
// stack cannot promise is shown not to hold, for the reason that the script
// gives.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts: ", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			s, err := ParseScript(string(text))
			if err != nil {
				t.Fatal(err)
			}
			if s.Why == "" {
				t.Error("it does not say why")
			}
			if lines, err := s.Play(""); err != nil {
				t.Fatalf("%v\n%s", err, strings.Join(tail(lines, 60), "\n"))
			}
			if s.Breaks == "nothing" {
				return
			}
			if _, err := s.Play(s.Breaks); err == nil || !strings.HasPrefix(err.Error(), s.Breaks+" (") {
				t.Errorf("%s holds, unexpectedly: %v", s.Breaks, err)
			}
		})
	}
}
