package socketapi_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gosctp/gosctp/socketapi"
	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/mem"
)

// TestMain fails if goroutines are left when all hosts were closed.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if left := leaked(5 * time.Second); left != "" {
			fmt.Fprintf(os.Stderr, "goroutines left:\n%s\n", left)
			code = 1
		}
	}
	os.Exit(code)
}

// leaked returns the stacks of goroutines of this module that do not end in
// time.
func leaked(patience time.Duration) string {
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		var left []string
		buf := make([]byte, 1<<20)
		buf = buf[:runtime.Stack(buf, true)]
		for i, g := range strings.Split(string(buf), "\n\n") {
			if i > 0 && strings.Contains(g, "github.com/gosctp/gosctp") {
				left = append(left, g)
			}
		}
		if len(left) == 0 {
			return ""
		}
		select {
		case <-tick.C:
		case <-deadline:
			return strings.Join(left, "\n\n")
		}
	}
}

func newHost(t testing.TB, l ...transport.Link) *socketapi.Host {
	t.Helper()
	h, err := socketapi.NewHost(socketapi.HostConfig{Links: l})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// hosts returns two hosts that see each other, with addresses 10.0.0.1 and
// fd00::1, 10.0.0.2 and fd00::2, and their network.
func hosts(t testing.TB) (a, z *socketapi.Host, n *mem.Network) {
	t.Helper()
	la, lz := mem.NewPair(0)
	return newHost(t, la), newHost(t, lz), la.Network()
}

// pair returns the two ends of an association on hosts of their own.
func pair(t testing.TB, cfg *socketapi.Config) (a, z *socketapi.Conn, n *mem.Network) {
	t.Helper()
	return pair2(t, cfg, cfg)
}

func pair2(t testing.TB, ca, cz *socketapi.Config) (a, z *socketapi.Conn, n *mem.Network) {
	t.Helper()
	ha, hz, n := hosts(t)
	l := listen(t, hz, ":5000", cz)
	a = dial(t, ha, "10.0.0.2:5000", ca)
	return a, accept(t, l), n
}

func listen(t testing.TB, h *socketapi.Host, addr string, cfg *socketapi.Config) *socketapi.Listener {
	t.Helper()
	l, err := h.Listen(addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func dial(t testing.TB, h *socketapi.Host, addr string, cfg *socketapi.Config) *socketapi.Conn {
	t.Helper()
	c, err := h.Dial(context.Background(), addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func accept(t testing.TB, l *socketapi.Listener) *socketapi.Conn {
	t.Helper()
	c, err := l.AcceptSCTP(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func send(t testing.TB, c *socketapi.Conn, stream uint16, p string) {
	t.Helper()
	if n, err := c.SendMsg(socketapi.SendInfo{Stream: stream}, []byte(p)); n != len(p) || err != nil {
		t.Fatalf("sent %d of %d bytes: %v", n, len(p), err)
	}
}

// want reads a whole message.
func want(t testing.TB, c *socketapi.Conn, text string) socketapi.RecvInfo {
	t.Helper()
	p := make([]byte, len(text)+1)
	n, info, err := c.RecvMsg(p)
	if err != nil || string(p[:n]) != text || !info.EOR {
		t.Fatalf("received %.60q, %+v, %v; want %.60q", p[:n], info, err, text)
	}
	return info
}

// wantErr fails unless err is all of these.
func wantErr(t testing.TB, err error, is ...error) {
	t.Helper()
	for _, target := range is {
		if !errors.Is(err, target) {
			t.Errorf("error %v, want %v", err, target)
		}
	}
}

// newLinks returns the links of two hosts that see each other.
func newLinks() (a, z []transport.Link) {
	la, lz := mem.NewPair(0)
	return []transport.Link{la}, []transport.Link{lz}
}
