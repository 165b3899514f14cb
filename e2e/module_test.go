package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestForeignModule: what docs/CONGESTION.md shows can be built outside this
// module, where nothing internal can be named.
func TestForeignModule(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	dir := t.TempDir()
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m := regexp.MustCompile("(?s)```go\n(package main\n.*?)```").FindSubmatch(read("docs/CONGESTION.md"))
	if m == nil {
		t.Fatal("no program in docs/CONGESTION.md")
	}
	requires := regexp.MustCompile(`(?s)\nrequire \(.*?\n\)`).FindAll(read("go.mod"), -1)
	mod := []byte("module example.org/foreign\n\ngo 1.25.0\n\nrequire github.com/gosctp/gosctp v0.0.0\n\nreplace github.com/gosctp/gosctp => " + root + "\n")
	for _, r := range requires {
		mod = append(mod, r...)
	}
	write("main.go", m[1])
	write("go.mod", append(mod, '\n'))
	write("go.sum", read("go.sum"))
	c := exec.Command("go", "build", "-mod=mod", "-o", "program", ".")
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
