package explore

import (
	"fmt"
	"strings"
)

// Script is a way through the states that is worth keeping, as text: comments
// that say why, headers, and the moves, one on a line.
//
//	# Why it is so.
//	setting: restart
//	breaks: P9
//	rest: yes
//
//	associate A
//	deliver 0
type Script struct {
	Why     string
	Setting string
	// Breaks names the property that does not hold here, for a reason which its
	// excuse covers; "nothing" if all holds, as after a mistake was put right.
	Breaks string
	Rest   bool // the hosts are left alone after the moves
	Moves  []Move
}

// String writes a script as ParseScript reads it.
func (s *Script) String() string {
	var b strings.Builder
	for _, l := range strings.Split(strings.TrimSpace(s.Why), "\n") {
		if l != "" {
			fmt.Fprintf(&b, "# %s\n", l)
		}
	}
	fmt.Fprintf(&b, "setting: %s\nbreaks: %s\n", s.Setting, s.Breaks)
	if s.Rest {
		b.WriteString("rest: yes\n")
	}
	b.WriteString("\n")
	for _, m := range s.Moves {
		fmt.Fprintf(&b, "%v\n", m)
	}
	return b.String()
}

// ParseScript reads a script.
func ParseScript(text string) (*Script, error) {
	s := &Script{}
	var moves []string
	for i, l := range strings.Split(text, "\n") {
		l = strings.TrimSpace(l)
		name, value, header := strings.Cut(l, ": ")
		switch {
		case l == "":
		case strings.HasPrefix(l, "#"):
			s.Why += strings.TrimSpace(strings.TrimPrefix(l, "#")) + "\n"
		case !header:
			moves = append(moves, l)
		case name == "setting":
			s.Setting = value
		case name == "breaks":
			s.Breaks = value
		case name == "rest":
			s.Rest = value == "yes"
		default:
			return nil, fmt.Errorf("line %d: what is %q?", i+1, l)
		}
	}
	if SettingNamed(s.Setting) == nil {
		return nil, fmt.Errorf("no setting %q", s.Setting)
	}
	if s.Breaks != "nothing" && propertyNamed(s.Breaks) == nil {
		return nil, fmt.Errorf("no property %q", s.Breaks)
	}
	var err error
	s.Moves, err = ParseMoves(strings.Join(moves, "\n"))
	return s, err
}

// Play makes the moves and tells what happens, line by line; it returns what
// does not hold. Strict names a property that nothing excuses.
func (s *Script) Play(strict string) (lines []string, err error) {
	set := SettingNamed(s.Setting)
	if set == nil {
		return nil, fmt.Errorf("no setting %q", s.Setting)
	}
	l := newLab()
	w := newWorld(set, l)
	w.strict = strict
	w.trace = func(l string) { lines = append(lines, l) }
	for _, m := range s.Moves {
		if !w.apply(m) {
			return lines, fmt.Errorf("%v cannot happen then", m)
		}
		if w.err != nil {
			return lines, w.err
		}
	}
	for _, last := range []bool{true, false} {
		if !s.Rest || w.err != nil {
			break
		}
		v := w.clone(l)
		if v == nil {
			if last {
				continue
			}
			v = w
		}
		lines = append(lines, "left alone:")
		v.rest(last, l, nil)
		w.err = v.err
	}
	return lines, w.err
}
