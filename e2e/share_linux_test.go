package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gosctp/gosctp/internal/nstest"
)

// TestProcessesShareAHost: several processes with ports of their own live side
// by side on raw IP, a taken port is refused, a killed process leaves its port,
// and a port that nobody holds answers at once.
func TestProcessesShareAHost(t *testing.T) {
	h := nstest.New(t)
	serve := func(port string) *process {
		p := start(t, h, "listen", "-v", "--transport", "rawip", "--echo", "-k", "127.0.0.1:"+port)
		p.waitFor("listening")
		return p
	}
	one, two := serve("5001"), serve("5002")
	a := start(t, h, "connect", "--transport", "rawip", "127.0.0.1:5001")
	b := start(t, h, "connect", "--transport", "rawip", "127.0.0.1:5002")
	for i := range 50 {
		a.echo(fmt.Sprint("a", i))
		b.echo(fmt.Sprint("b", i))
	}

	third := start(t, h, "listen", "--transport", "rawip", "127.0.0.1:5001")
	if code := third.wait(); code == 0 || !strings.Contains(third.err.String(), "in use") {
		t.Errorf("a taken port: exit status %d, %q", code, third.err)
	}
	// The third process came and went; nobody was aborted.
	a.echo("still here")
	b.echo("still here")

	// A port that nobody holds is refused by its answer, not by T1-init,
	// which takes minutes to give up.
	began := time.Now()
	dead := start(t, h, "connect", "--transport", "rawip", "127.0.0.1:5999")
	if code := dead.wait(); code == 0 || !strings.Contains(dead.err.String(), "refused") {
		t.Errorf("a dead port: exit status %d, %q", code, dead.err)
	}
	t.Logf("refused after %v, the process's start included", time.Since(began))

	// kill -9 frees the port at once; the other association lives on.
	one.kill()
	again := serve("5001")
	c := start(t, h, "connect", "--transport", "rawip", "127.0.0.1:5001")
	c.echo("new")
	b.echo("old")
	for _, p := range []*process{c, b} {
		p.in.Close()
		if code := p.wait(); code != 0 {
			t.Errorf("a graceful end: exit status %d, %s", code, p.err)
		}
	}
	for _, p := range []*process{two, again} {
		if s := p.err.String(); strings.Contains(strings.ToLower(s), "abort") {
			t.Errorf("%v speaks of an ABORT:\n%s", p.cmd.Args, s)
		}
	}
}
