package conformance

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/internal/script"
)

// TestETSI plays the script of each test purpose, and holds that each has one.
func TestETSI(t *testing.T) {
	text, err := os.ReadFile("etsi/purposes.txt")
	if err != nil {
		t.Fatal(err)
	}
	titles := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, title, _ := strings.Cut(line, " ")
		if _, twice := titles[id]; twice {
			t.Errorf("%s: twice in purposes.txt", id)
		}
		titles[id] = title
		t.Run(id, func(t *testing.T) {
			s := play(t, filepath.Join("etsi", id+".script"))
			if s.Purpose != id || s.Title != title {
				t.Errorf("its purpose is %q, %q; want %q, %q", s.Purpose, s.Title, id, title)
			}
		})
	}
	if len(titles) != 121 {
		t.Errorf("%d test purposes, want 121", len(titles))
	}
	for _, f := range scripts(t, "etsi") {
		if id := strings.TrimSuffix(filepath.Base(f), ".script"); titles[id] == "" {
			t.Errorf("%s: purposes.txt does not know it", f)
		}
	}
}

// TestCases plays the situations of famous bugs.
func TestCases(t *testing.T) { playAll(t, "cases") }

// TestStates plays each chunk, each call of the user's and some timers in each
// state.
func TestStates(t *testing.T) { playAll(t, "states") }

func playAll(t *testing.T, dir string) {
	for _, f := range scripts(t, dir) {
		name := strings.TrimSuffix(filepath.Base(f), ".script")
		t.Run(name, func(t *testing.T) {
			if s := play(t, f); s.Purpose != name {
				t.Errorf("its purpose is %q", s.Purpose)
			}
		})
	}
}

func scripts(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.script"))
	if err != nil || len(files) == 0 {
		t.Fatal(len(files), err)
	}
	return files
}

func play(t *testing.T, file string) *script.Script {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := script.Parse(file, text)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "R-") {
		t.Error("it does not say which rules it is about")
	}
	res, err := s.Run(script.Options{})
	if err != nil {
		t.Error(err)
	}
	var f *script.Failure
	if err != nil && !errors.As(err, &f) {
		t.Errorf("not a *script.Failure: %T", err)
	}
	if res.Packets < 1 {
		t.Errorf("%d packets", res.Packets)
	}
	return s
}
