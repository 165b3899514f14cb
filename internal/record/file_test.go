package record_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/internal/record"
)

// TestOlderFile: a recording that takes the place of an older file is its
// owner's only, and has nothing left of that.
func TestOlderFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "old")
	if err := os.WriteFile(name, bytes.Repeat([]byte("old "), 10000), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o666); err != nil {
		t.Fatal(err)
	}
	w, err := record.Create(name, record.Header{Host: "x"})
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", st.Mode())
	}
	if b, err := os.ReadFile(name); err != nil || bytes.Contains(b, []byte("old")) {
		t.Errorf("%v, %d bytes with the older file's", err, len(b))
	}
	if f, err := record.Open(name); err != nil || f.Damage != "" || f.Header.Host != "x" {
		t.Errorf("%v, %+v", err, f)
	}
}

// TestDeviceMode: a device keeps its mode.
func TestDeviceMode(t *testing.T) {
	was, err := os.Stat(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	w, err := record.Create(os.DevNull, record.Header{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if is, err := os.Stat(os.DevNull); err != nil || is.Mode() != was.Mode() {
		t.Errorf("%v, now %v, was %v", err, is.Mode(), was.Mode())
	}
}

// endless has no end, and fails the test if much of it is read.
type endless struct {
	t    *testing.T
	left int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left -= len(p); e.left < 0 {
		e.t.Fatal("it reads on")
	}
	clear(p)
	return len(p), nil
}

// TestOpenBounds: of what is not a recording no more than its beginning is
// read, of what could be one no more than the bound, and a device not at all.
func TestOpenBounds(t *testing.T) {
	if _, err := record.Read(&endless{t, 12}, 0, 1<<40); !errors.Is(err, record.ErrFormat) {
		t.Error(err)
	}
	magic := record.Framed(nil, false)[:12]
	r := io.MultiReader(bytes.NewReader(magic), &endless{t, 1 << 20})
	if _, err := record.Read(r, 0, 100<<10); !errors.Is(err, record.ErrSize) {
		t.Error(err)
	}
	if b, err := record.Read(bytes.NewReader(magic), 0, 12); err != nil || !bytes.Equal(b, magic) {
		t.Errorf("%q, %v", b, err)
	}
	names := []string{t.TempDir(), os.DevNull}
	if runtime.GOOS == "linux" {
		names = append(names, "/dev/zero")
	}
	for _, name := range names {
		if _, err := record.Open(name); !errors.Is(err, record.ErrFormat) || !strings.Contains(err.Error(), "neither a file nor a pipe") {
			t.Errorf("%s: %v", name, err)
		}
	}
	huge := filepath.Join(t.TempDir(), "huge")
	if err := os.WriteFile(huge, magic, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, 1<<40); err != nil {
		t.Fatal(err)
	}
	if _, err := record.Open(huge); !errors.Is(err, record.ErrSize) {
		t.Error(err)
	}
}
