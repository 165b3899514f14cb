package explore

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Report is what an exploration found.
type Report struct {
	Setting     string
	States      int
	Transitions int64
	Depth       int  // moves on the shortest way to the farthest state
	Complete    bool // everything within the setting's bounds was seen
	MaxCommands int  // of any event
	Time        time.Duration
	Bad         *Counterexample
}

// Counterexample is a way to a state that should not be.
type Counterexample struct {
	Setting string
	Moves   []Move
	Rest    bool // it shows when the hosts are left alone after the moves
	Err     error
}

func (c *Counterexample) Error() string {
	what := ""
	if c.Rest {
		what = " and left alone"
	}
	return fmt.Sprintf("setting %s: %v\nafter %d moves%s: %s\nagain: go test ./sim/explore -run TestReplay -v -explore.setting=%s -explore.moves='%s'",
		c.Setting, c.Err, len(c.Moves), what, Format(c.Moves), c.Setting, Format(c.Moves))
}

// String returns the report as a line.
func (r *Report) String() string {
	end := fmt.Sprintf("complete at depth %d", r.Depth)
	if !r.Complete {
		end = fmt.Sprintf("to depth %d", r.Depth)
	}
	return fmt.Sprintf("%-10s %8d states %9d moves, %s, at most %d commands per event, %.1fs",
		r.Setting, r.States, r.Transitions, end, r.MaxCommands, r.Time.Seconds())
}

// Limits bound an exploration; zero means no bound.
type Limits struct {
	Depth  int
	States int
	Time   time.Duration
}

type node struct {
	parent int32
	move   Move
}

// search explores breadth first, so that a counterexample is as short as can
// be.
type search struct {
	set   *Setting
	nodes []node

	mu   sync.Mutex
	seen map[Key]struct{}
	next []node
	bad  *Counterexample

	maxCommands int

	moves atomic.Int64
	stop  atomic.Bool
}

// Run explores a setting.
func Run(set *Setting, l Limits) Report {
	start := time.Now()
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // worlds are short-lived
	s := &search{set: set, nodes: []node{{parent: -1}}, seen: make(map[Key]struct{})}
	s.seen[newWorld(set).key()] = struct{}{}
	r := Report{Setting: set.Name}
	first := 0
	for first < len(s.nodes) {
		if l.Depth > 0 && r.Depth == l.Depth || l.States > 0 && len(s.nodes) > l.States {
			break
		}
		s.level(first, start, l.Time)
		if s.bad != nil || s.stop.Load() {
			break
		}
		first = len(s.nodes)
		s.nodes = append(s.nodes, s.next...)
		if len(s.next) > 0 {
			r.Depth++
		}
		s.next = s.next[:0]
	}
	r.Complete = first == len(s.nodes) && s.bad == nil && !s.stop.Load()
	r.States = len(s.seen)
	r.Transitions = s.moves.Load()
	r.MaxCommands = s.maxCommands
	r.Time = time.Since(start)
	r.Bad = s.bad
	return r
}

// level makes every move from the nodes of one depth.
func (s *search) level(first int, start time.Time, limit time.Duration) {
	var wg sync.WaitGroup
	var at atomic.Int64
	at.Store(int64(first))
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for !s.stop.Load() {
				i := int(at.Add(1)) - 1
				if i >= len(s.nodes) {
					return
				}
				s.expand(int32(i))
				if limit > 0 && time.Since(start) > limit {
					s.stop.Store(true)
				}
			}
		})
	}
	wg.Wait()
}

func (s *search) path(i int32) []Move {
	var moves []Move
	for ; s.nodes[i].parent >= 0; i = s.nodes[i].parent {
		moves = append(moves, s.nodes[i].move)
	}
	for i, j := 0, len(moves)-1; i < j; i, j = i+1, j-1 {
		moves[i], moves[j] = moves[j], moves[i]
	}
	return moves
}

// replay makes moves from the start.
func replay(set *Setting, moves []Move) *world {
	w := newWorld(set)
	w.known = true
	for _, m := range moves {
		w.apply(m)
	}
	w.known = false
	return w
}

func (s *search) expand(i int32) {
	path := s.path(i)
	w := replay(s.set, path)
	used := false
	for _, m := range w.moves(nil) {
		// What a loss leads to is known without it.
		if m.Kind == Drop && !used && s.known(w.without(m.N).key()) {
			s.moves.Add(1)
			continue
		}
		if used {
			w = replay(s.set, path)
		}
		used = true
		if !w.apply(m) {
			continue
		}
		s.moves.Add(1)
		if w.err == nil && !s.fresh(w.key()) {
			continue
		}
		if !s.found(i, path, m, w) {
			return
		}
	}
}

// found deals with a new state; it returns false if it is a bad one.
func (s *search) found(i int32, path []Move, m Move, w *world) bool {
	rest := w.err == nil
	if rest {
		w.rest()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.maxCommands = max(s.maxCommands, w.maxCommands)
	if w.err == nil {
		s.next = append(s.next, node{i, m})
		return true
	}
	c := &Counterexample{Setting: s.set.Name, Moves: append(path[:len(path):len(path)], m), Rest: rest, Err: w.err}
	if s.bad == nil || Format(c.Moves) < Format(s.bad.Moves) {
		s.bad = c
	}
	return false
}

func (s *search) known(k Key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.seen[k]
	return ok
}

func (s *search) fresh(k Key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.seen[k]; ok {
		return false
	}
	s.seen[k] = struct{}{}
	return true
}

// Replay makes the moves of a list and tells what happens, line by line. With
// rest it then leaves the hosts alone. It returns what does not hold.
func Replay(set *Setting, moves []Move, rest bool) (lines []string, err error) {
	w := newWorld(set)
	w.trace = func(l string) { lines = append(lines, l) }
	for _, m := range moves {
		if !w.apply(m) {
			return lines, fmt.Errorf("%v cannot happen then", m)
		}
		if w.err != nil {
			return lines, w.err
		}
	}
	if rest {
		lines = append(lines, "left alone:")
		w.rest()
	}
	return lines, w.err
}

// SettingNamed returns one of Settings, nil if there is none of that name.
func SettingNamed(name string) *Setting {
	for i := range Settings {
		if strings.EqualFold(Settings[i].Name, name) {
			return &Settings[i]
		}
	}
	return nil
}
