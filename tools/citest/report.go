package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A row is one line of the table.
type row struct {
	name    string
	passed  int
	failed  int
	skipped int
	reasons []string // of the skipped, one each
	what    []string // the failures
	took    time.Duration
}

func (r *row) pass() { r.passed++ }

func (r *row) fail(what string) {
	r.failed++
	r.what = append(r.what, what)
}

func (r *row) skip(reason string) {
	r.skipped++
	r.reasons = append(r.reasons, reason)
}

// A report collects rows. A step may add more than one.
type report struct {
	rows   []*row
	closed int
}

func (p *report) add(r *row) *row {
	p.rows = append(p.rows, r)
	return r
}

// close ends a step: its time goes to its first row, and rows in which nothing
// ran vanish.
func (p *report) close(took time.Duration) {
	p.rows[p.closed].took = took
	p.rows = slices.DeleteFunc(p.rows, func(r *row) bool {
		return r != p.rows[p.closed] && r.passed+r.failed+r.skipped == 0
	})
	p.closed = len(p.rows)
}

func (p *report) failed() bool {
	return slices.ContainsFunc(p.rows, func(r *row) bool { return r.failed > 0 })
}

func (p *report) print(w io.Writer) {
	var all row
	for _, r := range p.rows {
		for _, f := range r.what {
			if all.failed == 0 {
				fmt.Fprintf(w, "\nfailed:\n")
			}
			all.failed++
			fmt.Fprintf(w, "  %s: %s\n", r.name, f)
		}
	}
	all.failed = 0
	for _, r := range p.rows {
		if r.skipped > 0 {
			if all.skipped == 0 {
				fmt.Fprintf(w, "\nskipped:\n")
			}
			all.skipped += r.skipped
			for _, reason := range distinct(r.reasons) {
				fmt.Fprintf(w, "  %s: %s\n", r.name, reason)
			}
		}
	}
	fmt.Fprintf(w, "\n%-28s %7s %7s %7s %7s %8s\n", "step", "ran", "passed", "skipped", "failed", "seconds")
	for _, r := range p.rows {
		seconds := ""
		if r.took > 0 {
			seconds = fmt.Sprintf("%.1f", r.took.Seconds())
		}
		fmt.Fprintf(w, "%-28s %7d %7d %7d %7d %8s\n", r.name, r.passed+r.failed, r.passed, r.skipped, r.failed, seconds)
		all.passed += r.passed
		all.failed += r.failed
		all.took += r.took
	}
	fmt.Fprintf(w, "%-28s %7d %7d %7d %7d %8.1f\n", "all", all.passed+all.failed, all.passed, all.skipped, all.failed, all.took.Seconds())
	fmt.Fprintf(w, "\n%d passed, %d failed, %d skipped\n", all.passed, all.failed, all.skipped)
}

// distinct returns each text once, with how often it was there.
func distinct(texts []string) []string {
	var out []string
	count := map[string]int{}
	for _, t := range texts {
		if count[t]++; count[t] == 1 {
			out = append(out, t)
		}
	}
	for i, t := range out {
		if n := count[t]; n > 1 {
			out[i] = fmt.Sprintf("%s (%d)", strings.TrimSpace(t), n)
		}
	}
	return out
}
