package lab

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gosctp/gosctp/interop/workload"
)

// A Place is where a peer can be run: a Namespace, or a lane of the VM.
type Place interface {
	// Start runs a program; closing the Writer ends its standard input,
	// the Reader has its output, and kill ends it.
	Start(argv ...string) (io.WriteCloser, io.Reader, func(), error)
}

// Start implements Place.
func (n *Namespace) Start(argv ...string) (io.WriteCloser, io.Reader, func(), error) {
	argv = n.Command(argv...)
	c := exec.Command(argv[0], argv[1:]...)
	in, err := c.StdinPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	r, w := io.Pipe()
	c.Stdout, c.Stderr = w, w
	if err := Spawn(c); err != nil {
		return nil, nil, nil, err
	}
	var mu sync.Mutex
	gone := false // its pid may be another's
	go func() {
		err := c.Wait()
		mu.Lock()
		gone = true
		mu.Unlock()
		if err != nil {
			fmt.Fprintf(w, "%s\n", err)
		}
		w.Close()
	}()
	return in, r, func() {
		mu.Lock()
		defer mu.Unlock()
		if !gone {
			syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		}
	}, nil
}

// A Peer is a running program and what it has printed so far.
type Peer struct {
	stdin io.WriteCloser
	kill  func()

	mu    sync.Mutex
	lines []string
	at    []time.Time // when each line came
	ended bool
	more  chan struct{} // closed and replaced at each change
}

// Run starts a program in a place.
func Run(at Place, argv ...string) (*Peer, error) {
	in, out, kill, err := at.Start(argv...)
	if err != nil {
		return nil, err
	}
	p := &Peer{stdin: in, more: make(chan struct{})}
	p.kill = OnExit(kill)
	go p.read(out)
	return p, nil
}

func (p *Peer) read(out io.Reader) {
	s := bufio.NewScanner(out)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		p.change(func() { p.lines, p.at = append(p.lines, s.Text()), append(p.at, time.Now()) })
	}
	p.change(func() { p.ended = true })
}

func (p *Peer) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.more)
	p.more = make(chan struct{})
}

// Output returns what the program has printed so far.
func (p *Peer) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// WaitLine returns the first line with a prefix.
func (p *Peer) WaitLine(prefix string, timeout time.Duration) (string, error) {
	return p.Wait(timeout, "a line "+prefix, func(lines []string) (string, bool) {
		for _, l := range lines {
			if strings.HasPrefix(l, prefix) {
				return l, true
			}
		}
		return "", false
	})
}

// WaitEvent waits for a line that was printed after a time.
func (p *Peer) WaitEvent(line string, after time.Time, timeout time.Duration) (at time.Time, err error) {
	_, err = p.Wait(timeout, "the line "+line, func([]string) (string, bool) {
		var ok bool
		at, ok = p.printed(line, after)
		return line, ok
	})
	return at, err
}

// Printed says when a line was printed, if it was after a time.
func (p *Peer) Printed(line string, after time.Time) (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.printed(line, after)
}

func (p *Peer) printed(line string, after time.Time) (time.Time, bool) {
	for i, l := range p.lines {
		if l == line && p.at[i].After(after) {
			return p.at[i], true
		}
	}
	return time.Time{}, false
}

// WaitEnd waits for the program to end.
func (p *Peer) WaitEnd(timeout time.Duration) error {
	_, err := p.wait(timeout, "its end", true, func([]string) (string, bool) { return "", false })
	return err
}

// Wait waits until the lines printed so far satisfy a condition.
func (p *Peer) Wait(timeout time.Duration, what string, ok func(lines []string) (string, bool)) (string, error) {
	return p.wait(timeout, what, false, ok)
}

func (p *Peer) wait(timeout time.Duration, what string, end bool, ok func([]string) (string, bool)) (string, error) {
	late := time.NewTimer(timeout)
	defer late.Stop()
	for {
		p.mu.Lock()
		s, found := ok(p.lines)
		more, ended := p.more, p.ended
		p.mu.Unlock()
		switch {
		case found || ended && end:
			return s, nil
		case ended:
			return "", fmt.Errorf("waited for %s: the program has ended; output:\n%s", what, p.Output())
		}
		select {
		case <-more:
		case <-late.C:
			return "", fmt.Errorf("waited %s for %s; output so far:\n%s", timeout, what, p.Output())
		}
	}
}

// Result waits for a test peer's result.
func (p *Peer) Result(timeout time.Duration) (r workload.Result, err error) {
	const prefix = "RESULT "
	l, err := p.WaitLine(prefix, timeout)
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal([]byte(l[len(prefix):]), &r)
}

// Write writes to the program's standard input.
func (p *Peer) Write(b []byte) (int, error) { return p.stdin.Write(b) }

// CloseInput ends the program's standard input.
func (p *Peer) CloseInput() { p.stdin.Close() }

// Kill ends the program by SIGKILL.
func (p *Peer) Kill() { p.kill() }

// Close ends the program: by the end of its input, and by force if that does
// not do it.
func (p *Peer) Close() {
	p.stdin.Close()
	p.WaitEnd(2 * time.Second)
	p.kill()
}
