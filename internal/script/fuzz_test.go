package script

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// FuzzScript: whatever a file holds, it is refused with a line number, or
// played to an end; neither parser, interpreter nor stack panics.
func FuzzScript(f *testing.F) {
	files, err := filepath.Glob("../../conformance/*/*.script")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(handshake + "send 3000\nrepeat 2 {\n> DATA\n}\n> DATA; *\nreceive nothing"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse("f", text)
		var syntax *SyntaxError
		if err != nil {
			if !errors.As(err, &syntax) || syntax.Line < 1 {
				t.Fatalf("not a syntax error with a line: %v", err)
			}
			return
		}
		_, err = s.Run(Options{Trace: io.Discard, MaxSteps: 500})
		var failure *Failure
		if err != nil && !errors.As(err, &failure) {
			t.Fatalf("not a failure: %v", err)
		}
		if errors.Is(err, errContained) {
			t.Fatal(err)
		}
	})
}
