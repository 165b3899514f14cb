// Command rfccov holds the tests to RFC 9260: requirements.tsv numbers every
// MUST and SHOULD, tests cite the ids that they would catch breaking, and code
// that departs from one says so in a comment "// Deviation R-…: reason".
//
//	go -C tools run ./rfccov            what is open
//	go -C tools run ./rfccov -write     write docs/rfc-coverage.md and docs/deviations.md
//	go -C tools run ./rfccov -check     fail if an id is open or these files are not as they would be written
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	write := flag.Bool("write", false, "write the documents")
	check := flag.Bool("check", false, "fail if a requirement is open or a document is stale")
	flag.Parse()
	root, err := findRoot()
	if err != nil {
		fatal(err)
	}
	m, err := build(root)
	if err != nil {
		fatal(err)
	}
	bad := m.problems()
	for _, d := range []struct {
		name string
		text []byte
	}{
		{"docs/rfc-coverage.md", m.coverage()},
		{"docs/deviations.md", m.deviationsDoc()},
	} {
		file := filepath.Join(root, d.name)
		if *write {
			if err := os.WriteFile(file, d.text, 0o644); err != nil {
				fatal(err)
			}
		} else if *check {
			if have, err := os.ReadFile(file); err != nil || !bytes.Equal(have, d.text) {
				bad = append(bad, d.name+" is stale: make docs")
			}
		}
	}
	for _, s := range bad {
		fmt.Println(s)
	}
	fmt.Println(m.summary())
	if *check && len(bad) > 0 {
		os.Exit(1)
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "rfccov:", err)
	os.Exit(2)
}

// findRoot goes up to the folder that holds the main module.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "stack", "fsm")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("not inside the repository")
		}
		dir = up
	}
}
