package main

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed requirements.tsv
var requirementsTSV string

//go:embed elsewhere.tsv
var elsewhereTSV string

// A requirement is one rule of RFC 9260.
type requirement struct {
	id, level, text string
	area            string
	elsewhere       string     // why it does not bind this code, if it does not
	tests           []citation // that would fail if the rule were broken
	deviation       *deviation
}

func (r *requirement) must() bool { return strings.HasPrefix(r.level, "MUST") }

// A citation is a test that names the rule.
type citation struct{ file, test string }

// A deviation is a comment in the code that says that a rule is not followed.
type deviation struct{ file, reason string }

// parseRequirements reads the list: areas as "# A. …", rules as id, level and
// text with tabs between.
func parseRequirements(list, elsewhere string) ([]*requirement, error) {
	var all []*requirement
	byID := make(map[string]*requirement)
	area := ""
	for n, line := range strings.Split(strings.TrimSpace(list), "\n") {
		if a, ok := strings.CutPrefix(line, "# "); ok {
			area = a
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 3 || !idPattern.MatchString(f[0]) || byID[f[0]] != nil {
			return nil, fmt.Errorf("requirements.tsv:%d: not a new id, its level and its text: %q", n+1, line)
		}
		r := &requirement{id: f[0], level: f[1], text: f[2], area: area}
		byID[r.id] = r
		all = append(all, r)
	}
	if elsewhere == "" {
		return all, nil
	}
	for n, line := range strings.Split(strings.TrimSpace(elsewhere), "\n") {
		f := strings.Split(line, "\t")
		if len(f) != 2 || byID[f[0]] == nil || f[1] == "" || byID[f[0]].elsewhere != "" {
			return nil, fmt.Errorf("elsewhere.tsv:%d: not a known id and a reason: %q", n+1, line)
		}
		byID[f[0]].elsewhere = f[1]
	}
	return all, nil
}
