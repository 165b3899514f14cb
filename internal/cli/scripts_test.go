package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestScript: what `sctp script` prints, and how it ends.
func TestScript(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	good := file("good", "listen\n< INIT\n> INIT_ACK\n")
	bad := file("bad", "listen\n< INIT\n> ABORT\n")
	wrong := file("wrong", "\nlistn\n")
	tests := []struct {
		args []string
		in   string
		code int
		out  []string // in this order
		errs string
	}{
		{[]string{good}, "", 0, []string{"ok    " + good + ": 3 statements, 2 packets, 0s"}, ""},
		{[]string{bad, good}, "", 1, []string{"FAIL  " + bad + ":3: after 0s: expected ABORT, came INIT_ACK[", "what happened last:", "ok    ", "1 of 2 scripts held"}, ""},
		{[]string{"--trace", good}, "", 0, []string{good + "\n", "< 10.0.9.1 to 10.0.0.1: INIT[", "CLOSED: INIT", "sfInit consume", "> 10.0.0.1 to 10.0.9.1: INIT_ACK[", "ok "}, ""},
		{[]string{good, wrong}, "", 2, nil, wrong + ":2: expected a statement, found 'listn'"},
		{[]string{filepath.Join(dir, "none")}, "", 2, nil, "no such file"},
		{[]string{"-"}, "silence 1s", 0, []string{"ok    standard input: 1 statements, 0 packets, 1s"}, ""},
		{nil, "", 2, nil, "which script?"},
	}
	for _, tt := range tests {
		p := startWith(t, strings.NewReader(tt.in), append([]string{"script"}, tt.args...)...)
		code := p.wait()
		if code != tt.code {
			t.Errorf("%v: status %d, want %d: %s", tt.args, code, tt.code, p.errs)
		}
		rest := p.out.String()
		for _, want := range tt.out {
			_, after, ok := strings.Cut(rest, want)
			if !ok {
				t.Errorf("%v: no %q in %s", tt.args, want, rest)
			}
			rest = after
		}
		if tt.out == nil && rest != "" {
			t.Errorf("%v: printed %s", tt.args, rest)
		}
		if !strings.Contains(p.errs.String(), tt.errs) {
			t.Errorf("%v: %q, want %q", tt.args, p.errs, tt.errs)
		}
	}
}

// fullDisk takes n bytes.
type fullDisk struct{ n int }

func (f *fullDisk) Write(b []byte) (int, error) {
	if f.n < len(b) {
		return 0, errNoSpace
	}
	f.n -= len(b)
	return len(b), nil
}

var errNoSpace = errors.New("no space")

// TestScriptUnwritten: what cannot be written fails the command.
func TestScriptUnwritten(t *testing.T) {
	name := filepath.Join(t.TempDir(), "good")
	if err := os.WriteFile(name, []byte("listen\n< INIT\n> INIT_ACK\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"script", name}, {"script", name, name}, {"script", "--trace", name}} {
		for n, want := range map[int]int{10: 1, 1 << 20: 0} {
			errs := newBuffer()
			code := Run(context.Background(), append([]string{"sctp"}, args...), Streams{In: strings.NewReader(""), Out: &fullDisk{n}, Err: errs})
			if code != want || (code != 0) != strings.Contains(errs.String(), errNoSpace.Error()) {
				t.Errorf("%v with room for %d: status %d, %q", args, n, code, errs)
			}
		}
	}
}
