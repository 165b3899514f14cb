package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gosctp/gosctp/internal/nstest"
)

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gosctp-e2e-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "sctp")
	out, err := exec.Command("go", "build", "-o", bin, "github.com/gosctp/gosctp/cmd/sctp").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if bin, err := build(); err == nil {
		os.RemoveAll(filepath.Dir(bin))
	}
	os.Exit(code)
}

// patience is how long a process may take on a busy machine.
const patience = 60 * time.Second

// process is a running sctp.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	err   *lockedBuffer
	ended chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T, h *nstest.Host, args ...string) *process {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(bin, args...), err: new(lockedBuffer), ended: make(chan struct{})}
	p.cmd.Stderr = p.err
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout = w
	p.out = bufio.NewReader(r)
	h.Do(func() { err = p.cmd.Start() })
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	go func() { p.cmd.Wait(); close(p.ended) }()
	t.Cleanup(func() { p.kill(); r.Close() })
	return p
}

// kill ends the process as kill -9 does.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.ended
}

// waitFor waits until standard error says s.
func (p *process) waitFor(s string) {
	p.t.Helper()
	late := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(strings.ToLower(p.err.String()), s) {
		select {
		case <-tick.C:
		case <-late:
			p.t.Fatalf("%v never said %q; it said:\n%s", p.cmd.Args, s, p.err)
		}
	}
}

// echo sends a line and expects it back.
func (p *process) echo(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatalf("%v\n%s", err, p.err)
	}
	timer := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	got, err := p.out.ReadString('\n')
	timer.Stop()
	if err != nil || got != line+"\n" {
		p.t.Fatalf("%q came back as %q: %v\n%s", line, got, err, p.err)
	}
}

// wait waits for the end and returns the exit status.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("%v does not end\n%s", p.cmd.Args, p.err)
	}
	return p.cmd.ProcessState.ExitCode()
}
