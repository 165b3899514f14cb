package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// maxMustDeviations is how many MUSTs may not be followed.
const maxMustDeviations = 15

// A matrix is the requirements and what stands for each.
type matrix struct {
	all  []*requirement
	errs []string
}

func build(root string) (*matrix, error) {
	all, err := parseRequirements(requirementsTSV, elsewhereTSV)
	if err != nil {
		return nil, err
	}
	s, err := scanTree(root)
	if err != nil {
		return nil, err
	}
	return join(all, s), nil
}

func join(all []*requirement, s *scan) *matrix {
	m := &matrix{all: all, errs: s.errs}
	known := make(map[string]bool)
	for _, r := range all {
		known[r.id] = true
		r.tests = s.tests[r.id]
		slices.SortFunc(r.tests, func(a, b citation) int {
			return strings.Compare(a.file+"\x00"+a.test, b.file+"\x00"+b.test)
		})
		if d, ok := s.deviations[r.id]; ok {
			r.deviation = &d
		}
	}
	for id, c := range s.tests {
		if !known[id] {
			m.errs = append(m.errs, fmt.Sprintf("%s cites %s, which is no id", c[0].file, id))
		}
	}
	for id, d := range s.deviations {
		if !known[id] {
			m.errs = append(m.errs, fmt.Sprintf("%s deviates from %s, which is no id", d.file, id))
		}
	}
	slices.Sort(m.errs)
	return m
}

// problems are what fails the check.
func (m *matrix) problems() []string {
	bad := slices.Clone(m.errs)
	musts := 0
	for _, r := range m.all {
		switch {
		case r.elsewhere != "" && r.deviation != nil:
			bad = append(bad, r.id+" is listed as not ours, and deviated from in "+r.deviation.file)
		case r.elsewhere == "" && r.deviation == nil && len(r.tests) == 0:
			bad = append(bad, fmt.Sprintf("%s (%s) is open: %s", r.id, r.level, r.text))
		}
		if r.deviation != nil && r.must() {
			musts++
		}
	}
	if musts > maxMustDeviations {
		bad = append(bad, fmt.Sprintf("%d MUSTs are not followed; %d is the most", musts, maxMustDeviations))
	}
	return bad
}

type counts struct{ all, tested, deviate, elsewhere, open int }

func count(rs []*requirement) (c counts) {
	for _, r := range rs {
		c.all++
		switch {
		case r.deviation != nil:
			c.deviate++
		case r.elsewhere != "":
			c.elsewhere++
		case len(r.tests) > 0:
			c.tested++
		default:
			c.open++
		}
	}
	return c
}

func (m *matrix) summary() string {
	c := count(m.all)
	return fmt.Sprintf("%d requirements: %d tested, %d deviations, %d not about this code, %d open", c.all, c.tested, c.deviate, c.elsewhere, c.open)
}

// areas returns the requirements by area, in the list's order.
func (m *matrix) areas() (names []string, of map[string][]*requirement) {
	of = make(map[string][]*requirement)
	for _, r := range m.all {
		if of[r.area] == nil {
			names = append(names, r.area)
		}
		of[r.area] = append(of[r.area], r)
	}
	return names, of
}

// coverage is docs/rfc-coverage.md.
func (m *matrix) coverage() []byte {
	var b bytes.Buffer
	b.WriteString("# RFC 9260, rule by rule\n\nWritten by `make docs` (tools/rfccov) from the tests and the code; CI fails when it is stale or a rule is open. A name that does not begin with Test, Fuzz or Example is a helper or a table that tests in its folder use. Level `rule` marks what RFC 9260 describes without a keyword.\n\n")
	fmt.Fprintf(&b, "%s.\n\n", m.summary())
	b.WriteString("| area | rules | tested | deviations | not about this code | open |\n|---|---:|---:|---:|---:|---:|\n")
	names, of := m.areas()
	for _, a := range names {
		c := count(of[a])
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d |\n", a, c.all, c.tested, c.deviate, c.elsewhere, c.open)
	}
	for _, a := range names {
		fmt.Fprintf(&b, "\n## %s\n\n| id | level | rule | held by |\n|---|---|---|---|\n", a)
		for _, r := range of[a] {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.id, r.level, cell(r.text), r.heldBy())
		}
	}
	return b.Bytes()
}

func (r *requirement) heldBy() string {
	var parts []string
	if r.deviation != nil {
		parts = append(parts, "**deviation**, [why](deviations.md)")
	}
	if r.elsewhere != "" {
		parts = append(parts, "not about this code: "+cell(r.elsewhere))
	}
	for i, c := range r.tests {
		if i == 3 {
			parts = append(parts, fmt.Sprintf("and %d more", len(r.tests)-i))
			break
		}
		what := c.file
		if c.test != "" {
			what = c.file[:strings.LastIndexByte(c.file, '/')+1] + " " + c.test
		}
		parts = append(parts, what)
	}
	if len(parts) == 0 {
		return "**open**"
	}
	return strings.Join(parts, "; ")
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// deviationsDoc is docs/deviations.md.
func (m *matrix) deviationsDoc() []byte {
	var b bytes.Buffer
	b.WriteString("# Where we depart from RFC 9260\n\nWritten by `make docs` (tools/rfccov) from the `// Deviation R-…` comments in the code.\n")
	for _, r := range m.all {
		if r.deviation == nil {
			continue
		}
		fmt.Fprintf(&b, "\n## %s (%s)\n\n> %s\n\n%s\n\nIn `%s`.\n", r.id, r.level, r.text, r.deviation.reason, r.deviation.file)
	}
	b.WriteString("\n## Rules that are not about this code\n\nRules for the authors of documents, for hosts and administrators, or for choices that an implementation makes the other way.\n\n| id | level | rule | why |\n|---|---|---|---|\n")
	for _, r := range m.all {
		if r.elsewhere != "" {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.id, r.level, cell(r.text), cell(r.elsewhere))
		}
	}
	return b.Bytes()
}
