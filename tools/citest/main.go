// Command citest runs all checks and tests of this repository and ends with a
// table of what ran, passed, failed, and was skipped and why. `make test` is
// this program; .ci/run is `make test`.
//
//	go -C tools run ./citest [-only STEP,...] [-list]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	only := flag.String("only", "", "comma-separated steps to run instead of all")
	list := flag.Bool("list", false, "list the steps")
	flag.Parse()
	if *list {
		for _, s := range steps {
			fmt.Printf("%-12s %s\n", s.name, s.about)
		}
		return
	}
	root, err := findRoot()
	if err == nil {
		err = os.Chdir(root)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "citest:", err)
		os.Exit(2)
	}
	chosen, err := choose(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "citest:", err)
		os.Exit(64)
	}
	// Tests clean up after themselves when they are interrupted; a second
	// signal does not wait for that.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)

	var report report
	for _, s := range chosen {
		if ctx.Err() != nil {
			report.add(&row{name: s.name}).fail("interrupted")
			continue
		}
		fmt.Printf("=== %s: %s\n", s.name, s.about)
		began := time.Now()
		j := &job{ctx: ctx, report: &report, ci: os.Getenv("CI") == "true", root: os.Geteuid() == 0}
		j.row = report.add(&row{name: s.name})
		s.run(j)
		report.close(time.Since(began))
	}
	report.print(os.Stdout)
	if report.failed() {
		os.Exit(1)
	}
}

// findRoot goes up to the folder with the main module.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(b), "module github.com/gosctp/gosctp\n") {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("not inside the repository")
		}
		dir = up
	}
}

func choose(only string) ([]step, error) {
	if only == "" {
		return steps, nil
	}
	var out []step
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(steps, func(s step) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no step %q; -list shows them", name)
		}
		out = append(out, steps[i])
	}
	return out, nil
}
