// Command mutants breaks rules of RFC 9260 on purpose, one at a time, and runs
// the tests that are said to hold them: each has to fail. mutants.txt names
// the rule, what to break, and the test.
//
//	go -C tools run ./mutants [ID ...]
//
// The tree is not touched: the broken file goes to the compiler as an overlay.
package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed mutants.txt
var list string

// A mutant is one deliberate mistake.
type mutant struct {
	id       string // the rule that it breaks
	pkg      string // whose tests find it
	test     string // the test that does, as go test -run takes it
	file     string
	old, new string // whole lines
}

// parse reads the list:
//
//	R-1.2-03 ./package TestName
//	folder/file.go
//	-	a line of the file
//	+	what stands there instead
//
// with an empty line between two.
func parse(list string) ([]mutant, error) {
	var all []mutant
	for _, par := range strings.Split(strings.TrimSpace(list), "\n\n") {
		lines := strings.Split(par, "\n")
		f := strings.Fields(lines[0])
		if len(f) != 3 || len(lines) < 3 {
			return nil, fmt.Errorf("mutants.txt: want an id, a package and a test, a file and lines: %q", par)
		}
		m := mutant{id: f[0], pkg: f[1], test: f[2], file: lines[1]}
		for _, l := range lines[2:] {
			if old, ok := strings.CutPrefix(l, "-"); ok {
				m.old += old + "\n"
			} else if new, ok := strings.CutPrefix(l, "+"); ok {
				m.new += new + "\n"
			} else {
				return nil, fmt.Errorf("mutants.txt: %s: a line without - or +: %q", m.id, l)
			}
		}
		all = append(all, m)
	}
	return all, nil
}

// apply returns the file with the mistake in it.
func (m *mutant) apply(text []byte) ([]byte, error) {
	if n := bytes.Count(text, []byte(m.old)); n != 1 || m.old == m.new {
		return nil, fmt.Errorf("%s: the lines to break are %d times in %s", m.id, n, m.file)
	}
	return bytes.Replace(text, []byte(m.old), []byte(m.new), 1), nil
}

var errSurvived = errors.New("no test caught it")

// run has the test look at the mistake.
func (m *mutant) run(root, tmp string) error {
	file := filepath.Join(root, m.file)
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if text, err = m.apply(text); err != nil {
		return err
	}
	broken := filepath.Join(tmp, "broken.go")
	overlay := filepath.Join(tmp, "overlay.json")
	spec, err := json.Marshal(map[string]map[string]string{"Replace": {file: broken}})
	if err != nil {
		return err
	}
	if err := errors.Join(os.WriteFile(broken, text, 0o644), os.WriteFile(overlay, spec, 0o644)); err != nil {
		return err
	}
	c := exec.Command("go", "test", "-count=1", "-vet=off", "-timeout=2m", "-overlay="+overlay, "-run", "^("+m.test+")$", m.pkg)
	c.Dir = root
	out, err := c.CombinedOutput()
	switch {
	case err == nil && bytes.Contains(out, []byte("no tests to run")):
		return fmt.Errorf("%s: no test %s in %s", m.id, m.test, m.pkg)
	case err == nil:
		return fmt.Errorf("%s: %s: %w", m.id, m.test, errSurvived)
	case bytes.Contains(out, []byte("[build failed]")) || bytes.Contains(out, []byte("[setup failed]")):
		return fmt.Errorf("%s does not build:\n%s", m.id, out)
	}
	return nil
}

func main() {
	all, err := parse(list)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	tmp, err := os.MkdirTemp("", "mutants")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	defer os.RemoveAll(tmp)
	caught, bad := 0, 0
	for _, m := range all {
		if len(os.Args) > 1 && !slices.Contains(os.Args[1:], m.id) {
			continue
		}
		if err := m.run(root, tmp); err != nil {
			bad++
			fmt.Println(err)
			continue
		}
		caught++
		fmt.Printf("%-14s caught by %s in %s\n", m.id, m.test, m.pkg)
	}
	fmt.Printf("%d of %d mistakes were caught\n", caught, caught+bad)
	if bad > 0 {
		os.RemoveAll(tmp)
		os.Exit(1)
	}
}
