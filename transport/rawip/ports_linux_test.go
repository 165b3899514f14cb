package rawip

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gosctp/gosctp/internal/nstest"
	"github.com/gosctp/gosctp/transport"
)

const childEnv = "RAWIP_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
		return
	}
	os.Exit(m.Run())
}

// child is another process with a link: it obeys one command per line.
func child() {
	l, err := Open(Config{NoResponder: os.Getenv(childEnv) == "silent"})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	fmt.Println("ready", l.Stats().Responder)
	if os.Getenv(childEnv) == "echo" {
		echo(l)
		return
	}
	var p uint16
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		f := strings.Fields(in.Text())
		if len(f) > 1 {
			fmt.Sscan(f[1], &p)
		}
		switch f[0] {
		case "reserve":
			p, err := l.Reserve(p)
			fmt.Println(p, errors.Is(err, transport.ErrPortInUse) && errors.Is(err, syscall.EADDRINUSE), err == nil)
		case "release":
			l.Release(p)
			fmt.Println("done")
		case "answers":
			fmt.Println(l.Answers(p))
		case "responder":
			fmt.Println(l.Stats().Responder)
		}
	}
}

// process is a child seen from the test.
type process struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func start(t testing.TB, h *nstest.Host, kind string) (*process, string) {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), childEnv+"="+kind)
	p.cmd.Stderr = os.Stderr
	p.in, _ = p.cmd.StdinPipe()
	out, _ := p.cmd.StdoutPipe()
	p.out = bufio.NewReader(out)
	var err error
	h.Do(func() { err = p.cmd.Start() })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p, p.line()
}

func (p *process) line() string {
	p.t.Helper()
	dog := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	defer dog.Stop()
	s, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("child: %v", err)
	}
	return strings.TrimSpace(s)
}

func (p *process) do(format string, args ...any) string {
	p.t.Helper()
	fmt.Fprintf(p.in, format+"\n", args...)
	return p.line()
}

// kill is kill -9.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

func TestPortsBetweenProcesses(t *testing.T) {
	h := nstest.New(t)
	l := open(t, h, Config{})
	p, hello := start(t, h, "candidate")
	if hello != "ready false" {
		t.Fatalf("child says %q", hello)
	}
	check := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	const free, used = "%d false true", "0 true false"
	reserve(t, l, 38412)
	check("a port that we hold", p.do("reserve 38412"), used)
	check("another", p.do("reserve 38413"), fmt.Sprintf(free, 38413))
	if _, err := l.Reserve(38413); !errors.Is(err, transport.ErrPortInUse) || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("the child's port: %v", err)
	}
	if _, err := l.Reserve(38412); !errors.Is(err, transport.ErrPortInUse) {
		t.Errorf("our own port again: %v", err)
	}
	l.Release(38412)
	check("a port that we gave back", p.do("reserve 38412"), fmt.Sprintf(free, 38412))

	// A number in a block that someone holds is in use, except for its holder.
	eph := reserve(t, l, 0)
	near := eph ^ 1
	check("a port in our block", p.do("reserve %d", near), used)
	reserve(t, l, near)
	// A number taken before the block is not handed out with it.
	const odd = 65535
	if eph>>8 == odd>>8 {
		t.Skip("chance put our block where the child's port has to be")
	}
	check("a number in a free block", p.do("reserve %d", odd), fmt.Sprintf(free, odd))
	for {
		got, err := l.Reserve(0)
		if err != nil {
			t.Fatal(err)
		}
		if got == odd {
			t.Fatal("an ephemeral port that the child holds was handed out")
		}
		if len(l.ports.blocks) == 256-firstEphemeral>>8 && l.ports.blocks[odd>>8].used == 255 {
			break // all that there are
		}
	}
	if got := reserve(t, l, 0); got >= firstEphemeral && got == odd {
		t.Errorf("port %d", got)
	}
	// All blocks are taken: there are spare ones.
	var spare uint16
	if fmt.Sscan(p.do("reserve 0"), &spare); spare < firstSpare || spare >= firstEphemeral {
		t.Errorf("no block is left, and the child got port %d", spare)
	}

	// Answers: we are elected, and nobody must hold the port.
	if l.Answers(38413) || l.Answers(odd) || l.Answers(eph) || l.Answers(0) {
		t.Error("answers for a port that someone holds")
	}
	if !l.Answers(9) {
		t.Error("does not answer for a port that nobody holds")
	}
	check("the child answers", p.do("answers 9"), "false")

	p.kill()
	for _, n := range []uint16{38412, 38413, odd} {
		if !l.Answers(n) && n != odd {
			t.Errorf("port %d of a dead process has no answer", n)
		}
		reserve(t, l, n)
	}
}

func TestBlocksAnswerForThemselves(t *testing.T) {
	h := nstest.New(t)
	l := open(t, h, Config{})
	p, _ := start(t, h, "silent")
	var eph uint16
	fmt.Sscan(p.do("reserve 0"), &eph)
	if eph < firstEphemeral {
		t.Fatalf("port %d", eph)
	}
	for _, q := range []uint16{eph, eph ^ 1} {
		if l.Answers(q) {
			t.Errorf("the elected one answers for %d, which is in another's block", q)
		}
	}
	if got := p.do("answers %d", eph^1); got != "true" {
		t.Errorf("free port of its own block: %s", got)
	}
	if got := p.do("answers %d", eph); got != "false" {
		t.Errorf("a port that it holds: %s", got)
	}
	if got := p.do("answers 9"); got != "false" {
		t.Errorf("not elected, and answers: %s", got)
	}
}

// wait polls the child until it says what is wanted; the answer takes a moment
// since the child learns of an event by itself.
func (p *process) wait(cmd, want string) {
	p.t.Helper()
	for end := time.Now().Add(patience); p.do(cmd) != want; {
		if time.Now().After(end) {
			p.t.Fatalf("%s: never %s", cmd, want)
		}
	}
}

func TestElection(t *testing.T) {
	h := nstest.New(t)
	a, hello := start(t, h, "candidate")
	if hello != "ready true" {
		t.Fatalf("alone and not elected: %q", hello)
	}
	b, hello := start(t, h, "candidate")
	if hello != "ready false" {
		t.Fatalf("two are elected: %q", hello)
	}
	l := open(t, h, Config{NoResponder: true})
	if l.Stats().Responder || l.Answers(9) {
		t.Error("elected without standing")
	}
	if a.do("answers 9") != "true" || b.do("answers 9") != "false" {
		t.Error("the wrong one answers")
	}
	a.kill()
	b.wait("responder", "true")
	b.wait("answers 9", "true")
	c, hello := start(t, h, "candidate")
	if hello != "ready false" {
		t.Fatalf("two are elected: %q", hello)
	}
	b.kill()
	c.wait("responder", "true")
	// Who leaves in good order makes room, too.
	d := open(t, h, Config{})
	e, _ := start(t, h, "candidate")
	c.kill()
	for end := time.Now().Add(patience); !d.Stats().Responder && e.do("responder") == "false"; {
		if time.Now().After(end) {
			t.Fatal("nobody took over")
		}
	}
	if d.Stats().Responder {
		// It sees packets for ports that nobody holds, from now on.
		send(t, l, transport.TxSlot{Dst: addr("127.0.0.1"), Data: packet(1, 9, 12, 0)})
		if got := recv(t, d, 1)[0]; binary.BigEndian.Uint16(got.Data[2:]) != 9 {
			t.Errorf("got %+v", got)
		}
	}
	d.Close()
	e.wait("responder", "true")
}

// Each namespace has its own locks, and a link stays in the one it was opened
// in, whoever calls it.
func TestNamespacesAreApart(t *testing.T) {
	a, b := nstest.New(t), nstest.New(t)
	la, lb := open(t, a, Config{}), open(t, b, Config{})
	if !la.Stats().Responder || !lb.Stats().Responder {
		t.Error("one election for two namespaces")
	}
	reserve(t, la, 5000)
	reserve(t, lb, 5000)
	second := open(t, a, Config{})
	if _, err := second.Reserve(5000); !errors.Is(err, transport.ErrPortInUse) {
		t.Errorf("held in this namespace: %v", err)
	}
}
