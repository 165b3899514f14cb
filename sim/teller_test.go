package sim

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/internal/record"
	"github.com/gosctp/gosctp/internal/replay"
	"github.com/gosctp/gosctp/stack"
)

// closer is a file in memory.
type closer struct{ bytes.Buffer }

func (*closer) Close() error { return nil }

// told returns the reasons, step by step, and the ladder, of what host A has
// done in a run.
func told(t *testing.T, s Scenario, script func(*run)) (reasons []string, ladder string) {
	t.Helper()
	file := new(closer)
	var w *record.Writer
	r := Run(1, s, Options{script: script, Record: func(host string, _ int) stack.Recorder {
		if host != "A" {
			return nil
		}
		var err error
		if w, err = record.NewWriter(file, record.Header{}); err != nil {
			t.Fatal(err)
		}
		return w.Shard
	}})
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := record.Parse(file.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	l := replay.NewLadder("", 100000)
	p := f.Player(&replay.Teller{Tell: func(s *replay.Step) {
		l.Add(s)
		for i := range s.Sent {
			for _, c := range s.Sent[i].Chunks {
				reasons = append(reasons, fmt.Sprintf("%d: %s: %s", s.N, c.Chunk, c.Why))
			}
		}
	}})
	for more := true; more; {
		if more, err = p.Next(); err != nil {
			t.Fatal(err)
		}
	}
	var b strings.Builder
	if err := l.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return reasons, b.String()
}

// TestToldRoute: what is rescued from a path that the host has no way to any
// more is told to be, in the step of that; the ladder has the change.
func TestToldRoute(t *testing.T) {
	s := homes(2, UserPlan{Messages: 300, MaxSize: 1000, Pace: ms, Closing: CloseWhenSent}, UserPlan{})
	const gone, back = 150 * ms, 200 * ms
	reasons, ladder := told(t, s, func(r *run) {
		r.after(gone, func() { r.a.SetAddr(r.addrA[0], false) })
		r.after(back, func() { r.a.SetAddr(r.addrA[0], true) })
	})
	rescued := 0
	for _, why := range reasons {
		step, rest, _ := strings.Cut(why, ": ")
		if strings.HasSuffix(rest, fmt.Sprintf("again: it went to path 0, which step %s gives up (route change)", step)) {
			rescued++
		}
		if strings.Contains(why, "marked as lost before") && rescued == 0 {
			t.Error(why)
		}
	}
	if rescued == 0 {
		t.Errorf("nothing was rescued:\n%s", strings.Join(reasons, "\n"))
	}
	if n := strings.Count(ladder, "(the host has no way to path 0 now)"); n != 1 {
		t.Errorf("%d times that the way is gone", n)
	}
	if n := strings.Count(ladder, "(the host's way to path 0 changes)"); n != 1 {
		t.Errorf("%d times that the way is back", n)
	}
}

// TestToldClose: a close with nothing under way is two steps, and drawn once.
func TestToldClose(t *testing.T) {
	s := homes(1, UserPlan{Messages: 20, MaxSize: 100, Pace: 30 * ms, Closing: CloseAt, CloseAt: 5 * sec}, UserPlan{Messages: 20, MaxSize: 100})
	reasons, ladder := told(t, s, nil)
	if n := strings.Count(ladder, "(the user closes)"); n != 1 {
		t.Errorf("%d times that the user closes:\n%s", n, ladder)
	}
	if all := strings.Join(reasons, "\n"); !strings.Contains(all, "is acknowledged now: it is the first") || !strings.Contains(all, "lets it go; there was room before") {
		t.Error(all)
	}
}
