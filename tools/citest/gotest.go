package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// An event is a line of `go test -json` (go doc test2json), or of the build
// before it.
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Output      string
	FailedBuild string
}

// A gotest takes the events of one run. It counts leaves: a test with subtests
// only holds them together.
type gotest struct {
	rowOf    func(pkg, test string) *row
	ci       bool                // a skip that is not one of mayskip is a failure
	output   map[string][]string // by package and test
	parent   map[string]bool
	status   map[string]string
	order    []string
	pkgFails map[string]bool // packages in which a test has failed
}

// goTest runs `go test -json` in a module's folder, and files each test under
// the row that rowOf names.
func (j *job) goTest(dir string, timeout time.Duration, rowOf func(pkg, test string) *row, args ...string) {
	args = append([]string{"test", "-json", fmt.Sprintf("-timeout=%s", timeout)}, args...)
	fmt.Printf("  go %s  (in %s)\n", strings.Join(args, " "), dir)
	ctx, cancel := context.WithTimeout(j.ctx, timeout+5*time.Minute) // building is extra
	defer cancel()
	c := command(ctx, dir, "go", args...)
	log, err := j.log()
	if err != nil {
		j.row.fail(err.Error())
		return
	}
	defer log.Close()
	c.Stderr = log
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		j.row.fail(err.Error())
		return
	}
	g := &gotest{rowOf: rowOf, ci: j.ci, output: map[string][]string{}, parent: map[string]bool{}, status: map[string]string{}, pkgFails: map[string]bool{}}
	s := bufio.NewScanner(out)
	s.Buffer(nil, 16<<20)
	for s.Scan() {
		var e event
		if json.Unmarshal(s.Bytes(), &e) != nil {
			e = event{Action: "output", Output: s.Text() + "\n"}
		}
		log.WriteString(e.Output)
		g.take(e)
	}
	err = c.Wait()
	g.finish()
	if err != nil && j.ctx.Err() != nil {
		j.row.fail("interrupted")
	} else if err != nil && ctx.Err() != nil {
		j.row.fail("go test did not end in time")
	} else if err != nil && !j.report.stepFailed() {
		j.row.fail("go test: " + err.Error() + "; see " + log.Name())
	}
}

func (p *report) stepFailed() bool {
	for _, r := range p.rows[p.closed:] {
		if r.failed > 0 {
			return true
		}
	}
	return false
}

func (g *gotest) take(e event) {
	pkg := e.Package
	if pkg == "" { // the build's events have the package as it was built, "p [p.test]"
		pkg, _, _ = strings.Cut(e.ImportPath, " ")
	}
	key := pkg + "\x00" + e.Test
	switch e.Action {
	case "output", "build-output":
		g.output[key] = append(g.output[key], e.Output)
	case "run":
		g.order = append(g.order, key)
		for i, c := range e.Test { // a subtest's own name may have slashes, too
			if c == '/' {
				g.parent[pkg+"\x00"+e.Test[:i]] = true
			}
		}
	case "pass", "skip", "fail":
		g.status[key] = e.Action
		if e.Test == "" {
			if e.Action == "fail" && !g.pkgFails[pkg] { // it did not build, or ended outside of a test
				g.report(key, "fail")
			}
			return
		}
		if e.Action == "fail" {
			g.pkgFails[pkg] = true
		}
	}
}

// finish files what has run. A test without an end was cut off by the end of
// its package.
func (g *gotest) finish() {
	for _, key := range g.order {
		status := g.status[key]
		switch {
		case status == "":
			g.report(key, "fail")
		case !g.parent[key] || status == "skip" || status == "fail" && !g.childFailed(key):
			g.report(key, status)
		}
	}
}

func (g *gotest) childFailed(key string) bool {
	for k, s := range g.status {
		if s == "fail" && strings.HasPrefix(k, key+"/") {
			return true
		}
	}
	return false
}

func (g *gotest) report(key, status string) {
	pkg, test, _ := strings.Cut(key, "\x00")
	r := g.rowOf(pkg, test)
	name := strings.TrimPrefix(pkg, "github.com/gosctp/gosctp/")
	if test != "" {
		name += "." + test
	}
	switch status {
	case "pass":
		r.pass()
	case "skip":
		why := reason(g.output[key])
		if g.ci && !maySkip.MatchString(why) {
			r.fail(name + " was skipped: " + why)
		} else {
			r.skip(why)
		}
	default:
		r.fail(name)
		fmt.Printf("--- FAIL %s\n%s", name, tail(g.output[key], 60))
	}
}

// maySkip are the reasons that count in CI, too: tools in the form of tests, and
// what a kernel has or has not, which nobody can install.
var maySkip = regexp.MustCompile(`^(for use with -explore\.|TestMutantsAreFound builds|the kernel's SCTP is |this kernel has no UDP_SEGMENT|this host has no IPv6|chance put our block)`)

// skipLine is how the text of t.Skip is printed.
var skipLine = regexp.MustCompile(`^\s+\w+\.go:\d+: (.*)`)

func reason(lines []string) string {
	for _, l := range slices.Backward(lines) {
		if m := skipLine.FindStringSubmatch(l); m != nil {
			return strings.TrimSpace(strings.TrimPrefix(m[1], "SKIP: "))
		}
	}
	return "no reason given"
}

func tail(lines []string, n int) string {
	if len(lines) > n {
		lines = append([]string{fmt.Sprintf("    (%d lines before)\n", len(lines)-n)}, lines[len(lines)-n:]...)
	}
	return "    " + strings.Join(lines, "    ")
}

// command is a child in a process group of its own, which an interrupt ends
// softly, so that tests can clean up.
func command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
	c.WaitDelay = 20 * time.Second
	return c
}

// log opens the file that keeps a step's full output.
func (j *job) log() (*os.File, error) {
	if err := os.MkdirAll("build/test", 0o755); err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join("build/test", j.row.name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
}
