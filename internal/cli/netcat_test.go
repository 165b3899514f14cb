package cli

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/socketapi"
)

// listen starts `sctp listen` with UDP encapsulation, and returns what to
// connect to.
func listen(t *testing.T, args ...string) (p *proc, addr, encap string) {
	t.Helper()
	encap = udpFlag(freeUDP(t))
	p = start(t, append([]string{"listen", "-v", encap, "127.0.0.1:5000"}, args...)...)
	sees(t, p.errs, "listening at 127.0.0.1:5000 over udp")
	return p, "127.0.0.1:5000", encap
}

func random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(b)
	return b
}

func TestFileGoesThrough(t *testing.T) {
	l, addr, encap := listen(t)
	l.in.Close() // as </dev/null: the peer decides about the end
	file := random(5 << 20)
	c := startWith(t, bytes.NewReader(file), "connect", encap, addr)
	if code := c.wait(); code != 0 {
		t.Fatalf("connect: exit status %d: %s", code, c.errs)
	}
	if code := l.wait(); code != 0 {
		t.Fatalf("listen: exit status %d: %s", code, l.errs)
	}
	if l.out.String() != string(file) {
		t.Errorf("%d bytes arrived of %d, or others", len(l.out.String()), len(file))
	}
}

// A listener's input goes to whoever connects.
func TestFileComesBack(t *testing.T) {
	encap := udpFlag(freeUDP(t))
	file := random(3 << 20)
	l := startWith(t, bytes.NewReader(file), "listen", "-v", encap, "127.0.0.1:5000")
	sees(t, l.errs, "listening")
	code, out, errs := run(t, "connect", encap, "127.0.0.1:5000")
	if code != 0 || out != string(file) {
		t.Errorf("exit status %d, %d bytes: %s", code, len(out), errs)
	}
	if code := l.wait(); code != 0 {
		t.Errorf("listen: exit status %d: %s", code, l.errs)
	}
}

// zeros is input without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// Input that the peer did not wait for is no success.
func TestPeerLeavesBeforeTheEndOfInput(t *testing.T) {
	encap := udpFlag(freeUDP(t))
	l := start(t, "listen", "-v", encap, "127.0.0.1:5000")
	sees(t, l.errs, "listening")
	c := startWith(t, zeros{}, "connect", "-v", encap, "127.0.0.1:5000")
	sees(t, c.errs, "connected")
	fmt.Fprintln(l.in, "short")
	l.in.Close()
	if code := c.wait(); code != 1 || !strings.Contains(c.errs.String(), "before all of standard input was sent") {
		t.Errorf("connect: exit status %d: %s", code, c.errs)
	}
	if c.out.String() != "short\n" {
		t.Errorf("received %q", c.out.String())
	}
	if code := l.wait(); code != 0 {
		t.Errorf("listen: exit status %d: %s", code, l.errs)
	}
}

func TestMalformedArgumentsInWords(t *testing.T) {
	for want, args := range map[string][]string{
		"--seed x: invalid syntax":                            {"demo", "--seed", "x"},
		"--stream 70000: value out of range":                  {"connect", "--stream", "70000", "127.0.0.1:1"},
		`unexpected argument "extra"`:                         {"demo", "extra"},
		`"127.0.0.1:0" does not say which port to connect to`: {"connect", "127.0.0.1:0"},
	} {
		if code, _, errs := run(t, args...); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%q: exit status %d: %s", args, code, errs)
		}
	}
}

func TestEcho(t *testing.T) {
	l, addr, encap := listen(t, "--echo", "--keep-open")
	for _, in := range []string{"hello\n", string(random(300 << 10))} {
		c := startWith(t, strings.NewReader(in), "connect", encap, addr, "--quit-after", "300ms", "--size", "100KiB")
		if code := c.wait(); code != 0 || c.out.String() != in {
			t.Errorf("exit status %d, %d bytes of %d: %s", code, len(c.out.String()), len(in), c.errs)
		}
	}
	l.cancel()
	if code := l.wait(); code != 130 {
		t.Errorf("listen: exit status %d: %s", code, l.errs)
	}
}

func TestConversationLineByLine(t *testing.T) {
	l, addr, encap := listen(t)
	c := start(t, "connect", "-v", encap, addr)
	sees(t, c.errs, "connected")
	fmt.Fprintln(c.in, "hello")
	sees(t, l.out, "hello\n")
	fmt.Fprintln(l.in, "good evening")
	sees(t, c.out, "good evening\n")
	c.in.Close()
	if code := c.wait(); code != 0 {
		t.Errorf("connect: exit status %d: %s", code, c.errs)
	}
	if code := l.wait(); code != 0 {
		t.Errorf("listen: exit status %d: %s", code, l.errs)
	}
}

func TestKeepOpenSpeaksToAll(t *testing.T) {
	l, addr, encap := listen(t, "-k")
	a := start(t, "connect", "-v", encap, addr)
	b := start(t, "connect", "-v", encap, addr)
	for _, c := range []*proc{a, b} {
		sees(t, c.errs, "connected")
		fmt.Fprintln(c.in, "here")
	}
	sees(t, l.out, "here\nhere\n")
	fmt.Fprintln(l.in, "all of you")
	sees(t, a.out, "all of you\n")
	sees(t, b.out, "all of you\n")
	a.in.Close()
	if code := a.wait(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	fmt.Fprintln(b.in, "still here")
	sees(t, l.out, "still here\n")
}

func TestDiscard(t *testing.T) {
	l, addr, encap := listen(t, "--discard")
	c := startWith(t, bytes.NewReader(random(1<<20)), "connect", encap, addr)
	if code := c.wait(); code != 0 {
		t.Errorf("connect: exit status %d: %s", code, c.errs)
	}
	if code := l.wait(); code != 0 || l.out.String() != "" || !strings.Contains(l.errs.String(), "1048576 bytes received") {
		t.Errorf("listen: exit status %d, %d bytes: %s", code, len(l.out.String()), l.errs)
	}
}

// apiHost is a host with UDP encapsulation for tests that look closer than the
// commands do.
func apiHost(t *testing.T) (h *socketapi.Host, port int) {
	t.Helper()
	port = freeUDP(t)
	h, err := socketapi.NewHost(socketapi.HostConfig{
		Transport: socketapi.UDP,
		UDP:       socketapi.UDPConfig{Listen: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port))},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h, port
}

func TestStreamPPIDAndMessages(t *testing.T) {
	h, port := apiHost(t)
	l, err := h.Listen("127.0.0.1:7000", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		flags []string
		in    string
		want  []string
	}{
		{[]string{"--lines"}, "one\ntwo\nrest", []string{"one\n", "two\n", "rest"}},
		{[]string{"--lines", "--size", "4"}, "123456\n7\n", []string{"1234", "56\n", "7\n"}},
		{[]string{"--size", "5"}, "1234567", []string{"12345", "67"}},
	} {
		c := startWith(t, strings.NewReader(tc.in), append([]string{
			"connect", udpFlag(port), "127.0.0.1:7000", "--stream", "12", "--ppid", "ngap", "--unordered", "--nodelay",
		}, tc.flags...)...)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		conn, err := l.AcceptSCTP(ctx)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 100)
		for _, want := range tc.want {
			n, info, err := conn.RecvMsgContext(ctx, buf)
			if err != nil || string(buf[:n]) != want || info.Stream != 12 || info.PPID != socketapi.PPIDNGAP || !info.Unordered || !info.EOR {
				t.Fatalf("%q, %+v, %v; want %q", buf[:n], info, err, want)
			}
		}
		if err := conn.CloseWait(ctx); err != nil {
			t.Error(err)
		}
		if code := c.wait(); code != 0 {
			t.Errorf("exit status %d: %s", code, c.errs)
		}
	}
}

func TestEchoKeepsStreamAndPPID(t *testing.T) {
	_, addr, encap := listen(t, "--echo")
	h, _ := apiHost(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var port uint16
	fmt.Sscanf(encap, "--udp-encap=%d", &port)
	conn, err := h.Dial(ctx, addr, &socketapi.Config{RemoteUDPPort: port})
	if err != nil {
		t.Fatal(err)
	}
	msg := random(200 << 10) // larger than one read
	if _, err := conn.SendMsg(socketapi.SendInfo{Stream: 3, PPID: 46}, msg); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, len(msg)+1)
	n, info, err := conn.RecvMsgContext(ctx, buf)
	if err != nil || !bytes.Equal(buf[:n], msg) || info.Stream != 3 || info.PPID != 46 {
		t.Errorf("%d bytes, %+v, %v", n, info, err)
	}
}

func TestErrorsNameTheCause(t *testing.T) {
	// Nobody listens on that SCTP port.
	_, port := apiHost(t)
	if code, _, errs := run(t, "connect", udpFlag(port), "127.0.0.1:7001"); code != 1 || !strings.Contains(errs, "nobody listens") {
		t.Errorf("refused: exit status %d: %s", code, errs)
	}
	// Something is there and does not answer.
	deaf, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	if code, _, errs := run(t, "connect", udpFlag(deaf.LocalAddr().(*net.UDPAddr).Port), "127.0.0.1:7001", "-w", "200ms"); code != 1 || !strings.Contains(errs, "No answer") {
		t.Errorf("no answer: exit status %d: %s", code, errs)
	}
	// The UDP port is taken.
	if code, _, errs := run(t, "listen", udpFlag(port), ":5000"); code != 1 || !strings.Contains(errs, "Another program has this port") {
		t.Errorf("taken: exit status %d: %s", code, errs)
	}
	// Not an address of this host.
	if code, _, errs := run(t, "listen", udpFlag(freeUDP(t)), "192.0.2.77:5000"); code != 1 || !strings.Contains(errs, "one of this host's") {
		t.Errorf("foreign address: exit status %d: %s", code, errs)
	}
	if code, _, errs := run(t, "connect", "--udp-encap", "no-such-host.invalid:1"); code != 1 || !strings.Contains(errs, "no-such-host") {
		t.Errorf("no such host: exit status %d: %s", code, errs)
	}
}

func TestPeerAborts(t *testing.T) {
	h, port := apiHost(t)
	l, err := h.Listen("127.0.0.1:7000", nil)
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, "connect", udpFlag(port), "127.0.0.1:7000")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := l.AcceptSCTP(ctx)
	if err != nil {
		t.Fatal(err)
	}
	conn.Abort("no more of this")
	if code := c.wait(); code != 1 || !strings.Contains(c.errs.String(), "no more of this") {
		t.Errorf("exit status %d: %s", code, c.errs)
	}
}

func TestInterrupt(t *testing.T) {
	l, addr, encap := listen(t)
	c := start(t, "connect", "-v", encap, addr)
	sees(t, c.errs, "connected")
	c.cancel()
	if code := c.wait(); code != 130 || !strings.Contains(c.errs.String(), "interrupted") {
		t.Errorf("connect: exit status %d: %s", code, c.errs)
	}
	if code := l.wait(); code != 1 || !strings.Contains(l.errs.String(), "ended the program") {
		t.Errorf("listen: exit status %d: %s", code, l.errs)
	}
	waiting := start(t, "listen", "-v", udpFlag(freeUDP(t)), ":5000")
	sees(t, waiting.errs, "listening")
	waiting.cancel()
	if code := waiting.wait(); code != 130 {
		t.Errorf("a waiting listener: exit status %d: %s", code, waiting.errs)
	}
}

func TestSendOnlyAndRecvOnly(t *testing.T) {
	l, addr, encap := listen(t, "--recv-only")
	c := startWith(t, strings.NewReader("one way"), "connect", encap, addr, "--send-only")
	if code := c.wait(); code != 0 {
		t.Errorf("connect: exit status %d: %s", code, c.errs)
	}
	if code := l.wait(); code != 0 || l.out.String() != "one way" {
		t.Errorf("listen: exit status %d, %q: %s", code, l.out, l.errs)
	}
}
