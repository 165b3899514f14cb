package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A step is one part of `make test`.
type step struct {
	name, about string
	run         func(*job)
}

// A job is a step at work.
type job struct {
	ctx    context.Context
	report *report
	row    *row // where its results go
	ci     bool // nothing may be missing
	root   bool
}

// steps in the order in which they run.
var steps = []step{
	{"setup", "install what the tests need, where that is possible", setup},
	{"gofmt", "formatting", gofmt},
	{"vet", "go vet, in each module", vet},
	{"staticcheck", "staticcheck, in each module", staticcheck},
	{"tidy", "go.mod and go.sum say what is used, in each module", tidy},
	{"rules", "a test or a stated deviation for every rule of RFC 9260", rules},
	{"test", "all tests of the library and the tools, with the race detector", test},
	{"explore", "all that can happen between two endpoints, up to a bound, without the race detector", explore},
	{"cross", "builds for other systems", cross},
	{"interop", "against the Linux kernel, usrsctp and pion", interop},
}

// modules are the folders of the Go modules.
var modules = []string{".", "tools", "interop"}

// run runs a command and files it as one result.
func (j *job) run(what, dir, name string, args ...string) bool {
	ctx, cancel := context.WithTimeout(j.ctx, 10*time.Minute)
	defer cancel()
	out, err := command(ctx, dir, name, args...).CombinedOutput()
	if err != nil {
		fmt.Printf("--- FAIL %s: %v\n%s\n", what, err, out)
		j.row.fail(what)
		return false
	}
	j.row.pass()
	return true
}

// packages of Debian that the tests need, and what shows that each is there.
var packages = []struct{ name, file string }{
	{"gcc", "/usr/bin/cc"},
	{"libc6-dev", "/usr/include/stdio.h"},
	{"linux-libc-dev", "/usr/include/linux/sctp.h"},
	{"iproute2", "/sbin/ip"},
	{"ethtool", "/sbin/ethtool"},
	{"kmod", "/sbin/modprobe"},
	{"tcpdump", "/usr/bin/tcpdump"},
	{"tshark", "/usr/bin/tshark"},
	{"libusrsctp-dev", "/usr/include/usrsctp.h"},
	{"user-mode-linux", "/usr/bin/linux.uml"},
	{"lksctp-tools", "/usr/bin/sctp_darn"},
}

func setup(j *job) {
	var miss []string
	for _, p := range packages {
		if _, err := os.Stat(p.file); err != nil {
			miss = append(miss, p.name)
		} else {
			j.row.pass()
		}
	}
	if len(miss) == 0 {
		return
	}
	missing := "missing: " + strings.Join(miss, ", ")
	switch _, err := exec.LookPath("apt-get"); {
	case !j.root:
		j.cannot(missing + ", and not root to install them")
	case err != nil:
		j.cannot(missing + ", and no apt-get to install them")
	default:
		j.install(miss)
	}
}

// cannot is a skip, and under CI a failure.
func (j *job) cannot(why string) {
	if j.ci {
		j.row.fail(why)
	} else {
		j.row.skip(why)
	}
}

func (j *job) install(pkgs []string) {
	os.Setenv("DEBIAN_FRONTEND", "noninteractive")
	args := append([]string{"install", "-y", "-q", "--no-install-recommends"}, pkgs...)
	ctx, cancel := context.WithTimeout(j.ctx, 10*time.Minute)
	defer cancel()
	if command(ctx, ".", "apt-get", args...).Run() == nil { // the lists were fresh
		j.row.passed += len(pkgs)
		return
	}
	if out, err := command(ctx, ".", "apt-get", "update", "-q").CombinedOutput(); err != nil {
		fmt.Printf("apt-get update: %v\n%s\n", err, out)
	}
	if out, err := command(ctx, ".", "apt-get", args...).CombinedOutput(); err != nil {
		fmt.Printf("apt-get install: %v\n%s\n", err, out)
		j.cannot("could not install " + strings.Join(pkgs, ", "))
		return
	}
	j.row.passed += len(pkgs)
}

func gofmt(j *job) {
	files, err := goFiles()
	if err != nil {
		j.row.fail(err.Error())
		return
	}
	out, err := command(j.ctx, ".", "gofmt", append([]string{"-l"}, files...)...).CombinedOutput()
	if err != nil {
		j.row.fail("gofmt: " + err.Error() + ": " + string(out))
	}
	for f := range strings.FieldsSeq(string(out)) {
		j.row.fail(f + " is not formatted")
	}
	j.row.passed = len(files) - j.row.failed
}

func goFiles() (files []string, err error) {
	err = filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "build" || d.Name() == "testdata"):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".go"):
			files = append(files, path)
		}
		return nil
	})
	return files, err
}

func vet(j *job) {
	for _, m := range modules {
		j.run("go vet in "+m, m, "go", "vet", "./...")
	}
}

// staticcheck runs the version that tools/go.mod says, from Go's build cache.
func staticcheck(j *job) {
	bin, err := command(j.ctx, "tools", "go", "tool", "-n", "staticcheck").Output()
	if err != nil {
		j.row.fail("go tool staticcheck: " + err.Error())
		return
	}
	for _, m := range modules {
		j.run("staticcheck in "+m, m, strings.TrimSpace(string(bin)), "./...")
	}
}

func tidy(j *job) {
	for _, m := range modules {
		j.run("go mod tidy in "+m, m, "go", "mod", "tidy", "-diff")
	}
}

func rules(j *job) {
	j.run("rfccov", "tools", "go", "run", "./rfccov", "-check")
}

// race is the flag for the race detector, which needs a C compiler.
func (j *job) race() []string {
	if _, err := exec.LookPath("cc"); err != nil {
		j.cannot("race detector: no C compiler")
		return nil
	}
	return []string{"-race"}
}

// test files the tests of the main module by what they are, and those of tools.
func test(j *job) {
	rowOf := j.rowsBy(kind)
	race := j.race()
	j.goTest(".", 10*time.Minute, rowOf, append(race, "-shuffle=on", "./...")...)
	j.goTest("tools", 5*time.Minute, rowOf, append(race, "-shuffle=on", "./...")...)
}

// rowsBy files tests under rows of their own by what kind says.
func (j *job) rowsBy(kind func(pkg, test string) string) func(pkg, test string) *row {
	rows := map[string]*row{}
	return func(pkg, test string) *row {
		name := kind(strings.TrimPrefix(pkg, "github.com/gosctp/gosctp/"), test)
		if name == "" {
			return j.row
		}
		if rows[name] == nil {
			rows[name] = j.report.add(&row{name: "  " + name})
		}
		return rows[name]
	}
}

// explore does what is too slow with the race detector.
func explore(j *job) {
	j.goTest(".", 20*time.Minute, func(string, string) *row { return j.row },
		"-count=1", "-run=^TestExplore$", "./sim/explore")
}

// kind says which of the table's rows a test belongs to; "" is the step's own.
func kind(pkg, test string) string {
	switch {
	case strings.HasPrefix(test, "Fuzz"):
		return "fuzz seeds"
	case strings.HasPrefix(test, "Example"):
		return "examples"
	case pkg == "internal/lint":
		return "architecture"
	case strings.Contains(pkg, "explore"):
		return "explorer"
	case pkg == "conformance":
		return "conversations"
	case pkg == "e2e":
		return "end to end"
	case pkg == "transport/rawip" || pkg == "sim/relay":
		return "namespaces"
	case pkg == "sim" || strings.HasPrefix(pkg, "sim/"):
		return "simulation"
	}
	return ""
}

func cross(j *job) {
	for _, t := range []string{"linux/arm64", "linux/386", "darwin/arm64", "freebsd/amd64", "windows/amd64"} {
		goos, goarch, _ := strings.Cut(t, "/")
		env := []string{"GOOS=" + goos, "GOARCH=" + goarch, "CGO_ENABLED=0"}
		for _, verb := range []string{"build", "vet"} {
			j.run(fmt.Sprintf("go %s for %s", verb, t), ".", "env", append(env, "go", verb, "./...")...)
		}
	}
}

func interop(j *job) {
	rowOf := j.rowsBy(func(_, test string) string {
		test, _, _ = strings.Cut(test, "/")
		switch test {
		case "TestFailover", "TestOutage", "TestLinksDieForGood":
			return "failover"
		case "TestOursIsKilled", "TestOursIsKilledAndItsHostTells", "TestPeerIsKilled", "TestRestartWithAddedAddress", "TestKernelCrashes":
			return "restarts"
		}
		return ""
	})
	j.goTest("interop", 12*time.Minute, rowOf,
		append(j.race(), "-shuffle=on", "-parallel=4", "./...")...)
}
