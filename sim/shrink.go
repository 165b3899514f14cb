package sim

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/gosctp/gosctp/internal/mono"
)

// Shrunk is the smallest run that Shrink found to fail as the given one does.
type Shrunk struct {
	Seed     uint64
	Scenario Scenario
	Result   Result
	Runs     int // that it took
}

// Shrink looks for a smaller scenario that fails in the same way (with the
// same Result.Fault): without associations, paths, attackers, mishaps and
// impairments that the failure does not need, with fewer and smaller messages,
// and with defaults for what does not matter. It makes no more than about
// budget runs, and stops early when stop says so. ok is false if the run does
// not fail.
func Shrink(seed uint64, s Scenario, o Options, budget int, stop func() bool) (best Shrunk, ok bool) {
	best = Shrunk{Seed: seed, Scenario: s.clone(), Result: Run(seed, s, o), Runs: 1}
	if best.Result.Err == nil {
		return best, false
	}
	// A change shifts what chance does: other seeds get their turn too.
	try := func(c Scenario) bool {
		if c.validate() != nil {
			return false
		}
		for i := range uint64(3) {
			if best.Runs >= budget || stop != nil && stop() {
				return false
			}
			best.Runs++
			if r := Run(best.Seed+i, c, o); r.Fault == best.Result.Fault {
				best.Seed, best.Scenario, best.Result = best.Seed+i, c, r
				return true
			}
		}
		return false
	}
	for again := true; again; {
		again = false
		for _, edits := range []func(*Scenario) []edit{drops, plainer, halves} {
			// Each success makes another scenario with other edits; those
			// that failed before come first no more.
			for i := 0; ; {
				list := edits(&best.Scenario)
				if i >= len(list) {
					break
				}
				c := best.Scenario.clone()
				if list[i](&c); try(c) {
					again = true
				} else {
					i++
				}
			}
		}
	}
	return best, true
}

// edit makes a scenario smaller.
type edit func(*Scenario)

// drops are the edits that take elements out of lists: paths, associations,
// deaths, attackers; first all of a list, then one by one.
func drops(s *Scenario) (list []edit) {
	if len(s.More) > 0 {
		list = append(list, func(s *Scenario) {
			p := s.More[0]
			s.AtoZ, s.ZtoA, s.Dead, s.Shifts = p.AtoZ, p.ZtoA, p.Dead, p.Shifts
			s.More = s.More[1:]
			s.Known = min(s.Known, len(s.More)+1)
		})
	}
	nodeOf(s).visit(func(n node) {
		if !n.isList() || n.v.Len() == 0 {
			return
		}
		if n.v.Len() > 1 {
			list = append(list, func(s *Scenario) { cut(s, n.name, 0, find(s, n.name).Len()) })
		}
		for i := range n.v.Len() {
			list = append(list, func(s *Scenario) { cut(s, n.name, i, i+1) })
		}
	})
	return list
}

func cut(s *Scenario, name string, from, to int) {
	v := find(s, name)
	v.Set(reflect.AppendSlice(v.Slice(0, from), v.Slice(to, v.Len())))
	s.Known = min(s.Known, len(s.More)+1)
}

// plainer are the edits that give what is not the default its default: first
// all of a link's or a host's values at once, then one by one.
func plainer(s *Scenario) (list []edit) {
	groups := make(map[string]bool)
	var each []edit
	nodeOf(s).visit(func(n node) {
		if n.isList() || n.v.Equal(n.base) {
			return
		}
		if i := strings.LastIndexByte(n.name, '.'); i > 0 && !groups[n.name[:i]] {
			group := n.name[:i+1]
			groups[n.name[:i]] = true
			list = append(list, func(s *Scenario) {
				nodeOf(s).visit(func(n node) {
					if !n.isList() && strings.HasPrefix(n.name, group) && !strings.Contains(n.name[len(group):], ".") {
						n.v.Set(n.base)
					}
				})
			})
		}
		each = append(each, func(s *Scenario) { find(s, n.name).Set(n.base) })
	})
	return append(list, each...)
}

// halves are the edits that bring numbers nearer to their defaults.
func halves(s *Scenario) (list []edit) {
	nodeOf(s).visit(func(n node) {
		switch {
		case n.isList() || n.v.Kind() == reflect.Uint8 || n.v.Equal(n.base): // a name, or nothing to do
		case n.v.CanInt() && n.v.Int() != 0:
			base := n.base.Int()
			for _, by := range []int64{2, 10} {
				if d := (n.v.Int() - base) / by; d != 0 {
					list = append(list, func(s *Scenario) {
						v := find(s, n.name)
						v.SetInt(round(v, v.Int()-d))
					})
				}
			}
		case n.v.CanUint() && n.v.Uint() > 1:
			list = append(list, func(s *Scenario) { v := find(s, n.name); v.SetUint(v.Uint() / 2) })
		case n.v.CanFloat() && n.v.Float() > .01:
			list = append(list, func(s *Scenario) { v := find(s, n.name); v.SetFloat(float64(int(v.Float()*50)) / 100) })
		}
	})
	return list
}

// round makes a time a number that is easy to read.
func round(v reflect.Value, n int64) int64 {
	if v.Type() == reflect.TypeFor[mono.Duration]() {
		for _, unit := range []mono.Duration{mono.Second, mono.Millisecond, mono.Microsecond} {
			if n > 20*int64(unit) {
				return n / int64(unit) * int64(unit)
			}
		}
	}
	return n
}

// String is a report: what fails, and the scenario as text.
func (s Shrunk) String() string {
	return fmt.Sprintf("# %s\n# %d packets, found in %d runs\n%s", s.Result.Fault, s.Result.Packets, s.Runs, s.Scenario.Text(s.Seed))
}
