package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The README's program compiles and does what the text says.
func TestReadmeProgram(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(m) != 1 {
		t.Fatalf("%d Go programs in README.md", len(m))
	}
	dir := t.TempDir()
	src, bin := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(src, []byte(m[0][1]), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", bin, src).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := inNamespace(t, bin, `exec "$SCTP"`)
	out, err := cmd.CombinedOutput()
	if want := `"hello" on stream 3, PPID 60` + "\n"; err != nil || string(out) != want {
		t.Errorf("%v: %q, want %q", err, out, want)
	}
}

var commandLine = regexp.MustCompile("(?m)^    (?:go run ./cmd/)?sctp ([a-z].*?)(?: #.*)?$")

// Each command line of the README is one that the program takes.
func TestReadmeCommands(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := commandLine.FindAllStringSubmatch(string(text), -1)
	if len(found) < 6 {
		t.Fatalf("%d command lines found: %q", len(found), found)
	}
	for _, m := range found {
		started := false
		root := newRoot(&started)
		args := strings.Fields(m[1])
		cmd, rest, err := root.Find(args)
		if err != nil || cmd == root {
			t.Errorf("sctp %s: %v", m[1], err)
			continue
		}
		if err := cmd.ParseFlags(rest); err != nil {
			t.Errorf("sctp %s: %v", m[1], err)
		} else if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
			t.Errorf("sctp %s: %v", m[1], err)
		}
	}
}
