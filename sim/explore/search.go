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
	Script
	Err error
}

func (c *Counterexample) Error() string {
	return fmt.Sprintf("setting %s: %v\nafter %d moves. As a script, for testdata:\n\n%s\nagain: go test ./sim/explore -run TestReplay -v -explore.setting='%s' -explore.moves='%s'",
		c.Setting, c.Err, len(c.Moves), c.Script.String(), c.Setting, Format(c.Moves))
}

// String returns the report as a line.
func (r *Report) String() string {
	end := fmt.Sprintf("complete at depth %d", r.Depth)
	if !r.Complete {
		end = fmt.Sprintf("bounded at depth %d", r.Depth)
	}
	return fmt.Sprintf("%-15s %9d states %10d moves, %-20s at most %2d commands per event, %.1fs",
		r.Setting, r.States, r.Transitions, end+",", r.MaxCommands, r.Time.Seconds())
}

// Limits bound an exploration; zero means no bound.
type Limits struct {
	Depth  int
	States int // looked at between batches: a few thousand more may be seen
	Time   time.Duration
	Strict string // the property that nothing excuses
}

type node struct {
	parent int32
	move   Move
}

// search explores breadth first, so that a counterexample is as short as can
// be. What it finds does not depend on how its goroutines take turns: states
// are told apart in the order of the states that they follow.
type search struct {
	set    *Setting
	strict string
	nodes  []node
	worlds []*world // of the nodes from base on; nil where they have to be made again
	base   int
	kept   int
	seen   map[Key]int32
	labs   []*lab
	rested *rested
	from   []int32 // edges of arrivals
	to     []int32
	bad    *Counterexample

	maxCommands int
	moves       atomic.Int64
}

const (
	batch     = 512
	keepWorld = 60_000 // more states than these of the next level are made again when it is their turn
)

// found is a state that a node leads to.
type found struct {
	key   Key
	move  Move
	world *world // nil if the state was known
}

// Run explores a setting.
func Run(set *Setting, l Limits) Report {
	start := time.Now()
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // worlds are short-lived
	s := &search{set: set, strict: l.Strict, nodes: []node{{parent: -1}}, seen: make(map[Key]int32), rested: newRested()}
	for range runtime.GOMAXPROCS(0) {
		s.labs = append(s.labs, newLab())
	}
	w := newWorld(set, s.labs[0])
	s.seen[w.key()] = 0
	s.worlds = []*world{nil}
	r := Report{Setting: set.Name}
	over := func() bool {
		return s.bad != nil || l.States > 0 && len(s.nodes) > l.States || l.Time > 0 && time.Since(start) > l.Time
	}
	first := 0
	for first < len(s.nodes) && !over() && (l.Depth == 0 || r.Depth < l.Depth) {
		end := len(s.nodes)
		now := s.worlds
		s.worlds, s.base, s.kept = nil, end, 0
		at := first
		for at < end && !over() {
			n := min(batch, end-at)
			s.expand(at, now[at-first:at-first+n])
			at += n
		}
		if at < end {
			break
		}
		first = end
		if len(s.nodes) > end {
			r.Depth++
		}
	}
	r.Complete = first == len(s.nodes) && s.bad == nil
	if s.bad == nil {
		s.checkCycles()
	}
	r.States = len(s.nodes)
	r.Transitions = s.moves.Load()
	r.MaxCommands = s.maxCommands
	r.Time = time.Since(start)
	r.Bad = s.bad
	return r
}

// parallel runs f for each of n things.
func (s *search) parallel(n int, f func(i int, l *lab)) {
	var wg sync.WaitGroup
	var at atomic.Int64
	for _, l := range s.labs {
		wg.Go(func() {
			for {
				i := int(at.Add(1)) - 1
				if i >= n {
					return
				}
				f(i, l)
			}
		})
	}
	wg.Wait()
}

// expand makes every move from the nodes from first on.
func (s *search) expand(first int, worlds []*world) {
	all := make([][]found, len(worlds))
	s.parallel(len(worlds), func(i int, l *lab) {
		all[i] = s.follow(int32(first+i), worlds[i], l)
		worlds[i] = nil
	})
	// One after the other, so that it is always the same.
	begin := len(s.nodes)
	var fresh []*world
	for i, list := range all {
		for _, f := range list {
			at, known := s.seen[f.key]
			if !known {
				at = int32(len(s.nodes))
				s.seen[f.key] = at
				s.nodes = append(s.nodes, node{int32(first + i), f.move})
				fresh = append(fresh, f.world)
			}
			if f.move.Kind == Deliver {
				s.from = append(s.from, int32(first+i))
				s.to = append(s.to, at)
			}
		}
	}
	errs := make([]*Counterexample, len(fresh))
	s.parallel(len(fresh), func(i int, l *lab) {
		errs[i] = s.examine(int32(begin+i), fresh[i], l)
	})
	for i, w := range fresh {
		if errs[i] != nil && s.bad == nil {
			s.bad = errs[i]
		}
		s.maxCommands = max(s.maxCommands, w.maxCommands)
		w.lab = nil
		if s.kept == keepWorld || !s.set.Wide {
			w = nil
		} else {
			s.kept++
		}
		s.worlds = append(s.worlds, w)
	}
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

// replay makes moves from the start, which were found good.
func (s *search) replay(moves []Move, l *lab) *world {
	w := newWorld(s.set, l)
	w.known = true
	for _, m := range moves {
		w.apply(m)
	}
	w.known = false
	w.strict = s.strict
	return w
}

// follow makes every move from a node.
func (s *search) follow(i int32, w *world, l *lab) (list []found) {
	path := s.path(i)
	if w == nil {
		w = s.replay(path, l)
	}
	w.lab = l
	used := false
	var spare *world
	for _, m := range w.moves(nil) {
		// What a loss leads to is known without it.
		if m.Kind == Drop && !used {
			if _, ok := s.seen[w.without(m.N).key()]; ok {
				s.moves.Add(1)
				continue
			}
		}
		v := spare
		spare = nil
		if v == nil {
			v = w.clone(l)
		}
		if v == nil {
			if used {
				w = s.replay(path, l)
			}
			used, v = true, w
		}
		if !v.apply(m) {
			continue
		}
		s.moves.Add(1)
		if v.err == nil && (m.Kind == Inject || m.Kind == Replay) && len(v.out) == 0 {
			// An attack without effect only makes the attacker weaker.
			v.injects--
			if s.set.Attacker == OffPath && s.set.Wide {
				spare = v // it was checked that nothing has changed
				continue
			}
			_, ok := s.seen[v.key()]
			v.injects++
			if ok {
				continue
			}
		}
		k := v.key()
		if _, ok := s.seen[k]; ok && v.err == nil {
			if m.Kind == Deliver {
				list = append(list, found{key: k, move: m})
			}
			continue
		}
		list = append(list, found{k, m, v})
	}
	return list
}

// examine looks whether a new state is good, and whether it comes to rest.
func (s *search) examine(i int32, w *world, l *lab) *Counterexample {
	w.lab = l
	if w.err != nil {
		return s.counterexample(i, w, false)
	}
	for _, last := range []bool{false, true} {
		v, r := w.clone(l), s.rested
		if v == nil {
			// A narrow world is used up by this, and it has no time for more.
			v = w
			if last {
				break
			}
		}
		v.rest(last, l, r)
		w.maxCommands = max(w.maxCommands, v.maxCommands)
		if v.err != nil {
			return s.counterexample(i, v, true)
		}
	}
	return nil
}

func (s *search) counterexample(i int32, w *world, rest bool) *Counterexample {
	c := &Counterexample{Err: w.err}
	c.Setting, c.Moves, c.Rest = s.set.Name, s.path(i), rest
	c.Breaks = "?"
	if name, _, ok := strings.Cut(w.err.Error(), " ("); ok && propertyNamed(name) != nil {
		c.Breaks = name
	}
	return c
}

// checkCycles looks for packets that cause packets for ever: a ring of
// arrivals that leads back to the same state.
func (s *search) checkCycles() {
	before := make([]int32, len(s.nodes))
	start := make([]int32, len(s.nodes)+1)
	for i := range s.from {
		before[s.to[i]]++
		start[s.from[i]+1]++
	}
	for i := 1; i < len(start); i++ {
		start[i] += start[i-1]
	}
	next := make([]int32, len(s.from))
	fill := append([]int32(nil), start[:len(s.nodes)]...)
	for i := range s.from {
		next[fill[s.from[i]]] = s.to[i]
		fill[s.from[i]]++
	}
	var free []int32
	for i, n := range before {
		if n == 0 {
			free = append(free, int32(i))
		}
	}
	done := 0
	for len(free) > 0 {
		i := free[len(free)-1]
		free = free[:len(free)-1]
		done++
		for _, j := range next[start[i]:start[i+1]] {
			if before[j]--; before[j] == 0 {
				free = append(free, j)
			}
		}
	}
	for i, n := range before {
		if done < len(s.nodes) && n > 0 {
			c := &Counterexample{Err: fmt.Errorf("packets cause packets for ever, from here or a little later")}
			c.Setting, c.Moves, c.Breaks = s.set.Name, s.path(int32(i)), "?"
			s.bad = c
			return
		}
	}
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
