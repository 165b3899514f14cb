package e2e

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gosctp/gosctp/internal/nstest"
)

// stream has the process send numbered lines until its input is closed, and
// waits for some of them to come back.
func (p *process) stream(from string) {
	p.t.Helper()
	go func() {
		for i := 0; ; i++ {
			if _, err := fmt.Fprintf(p.in, "%s %d %0200d\n", from, i, i); err != nil {
				return
			}
		}
	}()
	for i := range 100 {
		p.readUntil(fmt.Sprintf("%s %d ", from, i))
	}
}

// readUntil reads lines up to one with the given prefix.
func (p *process) readUntil(prefix string) {
	p.t.Helper()
	timer := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	defer timer.Stop()
	for {
		line, err := p.out.ReadString('\n')
		if strings.HasPrefix(line, prefix) {
			return
		}
		if err != nil {
			p.t.Fatalf("never said %q: %v\n%s", prefix, err, p.err)
		}
	}
}

// TestKillAndRestart: kill -9 of one side in mid-transfer, and a new process in
// its place. A client that comes back from its port is a restart of the
// association that the server has, unless what the server still sent has made
// the new process say by an ABORT that it knows nothing of that one; a server
// that comes back refuses the client, which ends at once, and takes a new one.
// Nobody hangs.
func TestKillAndRestart(t *testing.T) {
	for _, transport := range []string{"rawip", "udp"} {
		t.Run(transport, func(t *testing.T) {
			t.Run("client", func(t *testing.T) { killClient(t, transport) })
			t.Run("server", func(t *testing.T) { killServer(t, transport) })
		})
	}
}

// twoHosts are joined by a link.
func twoHosts(t *testing.T) (a, z *nstest.Host) {
	a, z = nstest.New(t), nstest.New(t)
	nstest.Wire(a, z, "one", "one")
	a.Up("one", 1500, "10.1.0.1/24")
	z.Up("one", 1500, "10.1.0.2/24")
	return a, z
}

func serve(t *testing.T, h *nstest.Host, transport string) *process {
	t.Helper()
	p := start(t, h, "listen", "-v", "--lines", "--transport", transport, "--echo", "-k", "10.1.0.2:5000")
	p.waitFor("listening")
	return p
}

func connect(t *testing.T, h *nstest.Host, transport string) *process {
	t.Helper()
	p := start(t, h, "connect", "-v", "--lines", "--transport", transport, "-p", "7777", "10.1.0.2:5000")
	p.waitFor("connected")
	return p
}

func killClient(t *testing.T, transport string) {
	a, z := twoHosts(t)
	server := serve(t, z, transport)
	client := connect(t, a, transport)
	client.stream("first")
	client.kill()
	client = connect(t, a, transport)
	if _, err := io.WriteString(client.in, "second\n"); err != nil {
		t.Fatal(err)
	}
	client.readUntil("second") // after what the server still had for the first
	said := server.err.String()
	n, restarts := strings.Count(said, "connected:"), strings.Count(said, "has restarted")
	switch {
	case n == 1 && restarts == 1:
		t.Log("the association was restarted")
	case n == 2 && restarts == 0 && strings.Contains(said, "aborted by the peer"):
		t.Log("the association was aborted, and another set up")
	default:
		t.Errorf("%d associations and %d restarts:\n%s", n, restarts, said)
	}
	client.in.Close()
	if code := client.wait(); code != 0 {
		t.Errorf("a graceful end: exit status %d, %s", code, client.err)
	}
}

func killServer(t *testing.T, transport string) {
	a, z := twoHosts(t)
	server := serve(t, z, transport)
	client := connect(t, a, transport)
	client.stream("first")
	server.kill()
	server = serve(t, z, transport)
	began := time.Now()
	if code := client.wait(); code == 0 || !strings.Contains(client.err.String(), "aborted by the peer") {
		t.Errorf("the client of a server that is gone: exit status %d, %s", code, client.err)
	}
	t.Logf("the client ended %v after the server was back", time.Since(began).Round(time.Millisecond))
	client = connect(t, a, transport)
	client.echo("second")
	client.in.Close()
	if code := client.wait(); code != 0 {
		t.Errorf("a graceful end: exit status %d, %s", code, client.err)
	}
	if s := server.err.String(); strings.Contains(s, "restarted") {
		t.Errorf("a new server knows of a restart:\n%s", s)
	}
}
