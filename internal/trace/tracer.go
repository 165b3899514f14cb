package trace

import (
	"io"
	"sync"

	"github.com/gosctp/gosctp/stack/sideeffects"
)

// Writer is a sideeffects.Tracer that writes a line per step. Several hosts
// may have one each on the same io.Writer if that is safe for it.
type Writer struct {
	Who string // the host's name in each line
	W   io.Writer

	mu   sync.Mutex
	line []byte
	err  error
}

// Step implements sideeffects.Tracer.
func (t *Writer) Step(s *sideeffects.Step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return
	}
	t.line = AppendLine(t.line[:0], t.Who, s)
	_, t.err = t.W.Write(t.line)
}

// Err returns the error that ended the writing, nil if there was none.
func (t *Writer) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Tail is an io.Writer that keeps the last n lines written to it.
type Tail struct {
	mu    sync.Mutex
	lines [][]byte
	next  int
}

// NewTail returns a Tail of n lines.
func NewTail(n int) *Tail { return &Tail{lines: make([][]byte, n)} }

// Write keeps p, one line.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.next % len(t.lines)
	t.lines[i] = append(t.lines[i][:0], p...)
	t.next++
	return len(p), nil
}

// String returns the lines, oldest first.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b []byte
	for i := range t.lines {
		b = append(b, t.lines[(t.next+i)%len(t.lines)]...)
	}
	return string(b)
}
