package interop

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gosctp/gosctp/interop/kernelvm"
	"github.com/gosctp/gosctp/interop/lab"
)

// sctp is the command line program of this repository.
var sctp = once("sctp", func(p *lab.Programs) error { return p.Go("sctp", "..", "./cmd/sctp") })

// A tool is a program of lksctp-tools in the VM against our command line
// program at the other end of the lane, with the packets captured.
type tool struct {
	t       *testing.T
	lane    *kernelvm.Lane
	program string
	capture *lab.Capture
}

const (
	wait  = 30 * time.Second
	ourIP = kernelvm.HostAddr
	vmIP  = kernelvm.GuestAddr
)

func newTool(t *testing.T) *tool {
	t.Helper()
	t.Parallel()
	needLab(t)
	if err := lab.Need("sctp_test", "sctp_darn"); err != nil {
		skip(t, err)
	}
	program, err := sctp()
	if err != nil {
		skip(t, err)
	}
	v, err := vm()
	if err != nil {
		skip(t, err)
	}
	lane, err := v.Take()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lane.Release)
	c, err := lab.StartCapture(lane.Host, lab.Device, filepath.Join(t.TempDir(), "run.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(lab.Summary(c.File, 40))
		}
	})
	return &tool{t, lane, program, c}
}

func (l *tool) inVM(argv ...string) *lab.Peer { return l.start(l.lane, argv) }
func (l *tool) ours(argv ...string) *lab.Peer {
	return l.start(l.lane.Host, append([]string{l.program}, argv...))
}

func (l *tool) start(at lab.Place, argv []string) *lab.Peer {
	l.t.Helper()
	p := start(l.t, at, argv)
	l.t.Cleanup(func() {
		if l.t.Failed() {
			l.t.Logf("%s:\n%s", strings.Join(argv, " "), p.Output())
		}
	})
	return p
}

// finish checks the capture: all packets sound, and the end a graceful one.
func (l *tool) finish() {
	l.t.Helper()
	if err := l.capture.Stop(); err != nil {
		l.t.Fatal(err)
	}
	run{client: ours, server: linux, end: "shutdown"}.checkCapture(l.t, l.capture.File, &site{clientAddr: ourIP, serverAddr: vmIP})
}

func (l *tool) line(p *lab.Peer, text string) string {
	l.t.Helper()
	s, err := p.Wait(wait, "a line with "+strconv.Quote(text), func(lines []string) (string, bool) {
		for _, s := range lines {
			if strings.Contains(s, text) {
				return s, true
			}
		}
		return "", false
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// ended waits for a program to end, without a complaint about its exit status.
func (l *tool) ended(p *lab.Peer) {
	l.t.Helper()
	if err := p.WaitEnd(wait); err != nil {
		l.t.Fatal(err)
	}
	if strings.Contains(p.Output(), "exit status") {
		l.t.Errorf("the program failed:\n%s", p.Output())
	}
}

// sctp connect to a listening sctp_darn.
func TestDarnListens(t *testing.T) {
	l := newTool(t)
	darn := l.inVM("stdbuf", "-oL", "sctp_darn", "-H", vmIP, "-P", "5000", "-l")
	l.line(darn, "listening")
	ours := l.ours("connect", vmIP+":5000", "--transport", "rawip", "--lines", "-v")
	io.WriteString(ours, "hello kernel\nsecond line\n")
	l.line(darn, "COMM_UP")
	l.line(darn, "hello kernel")
	l.line(darn, "second line")
	ours.CloseInput()
	l.ended(ours)
	l.line(darn, "SHUTDOWN_COMP")
	l.finish()
}

// sctp_darn sends to sctp listen.
func TestDarnSends(t *testing.T) {
	l := newTool(t)
	ours := l.ours("listen", ourIP+":5000", "--transport", "rawip", "-v")
	l.line(ours, "listening")
	darn := l.inVM("sctp_darn", "-H", vmIP, "-P", "6000", "-h", ourIP, "-p", "5000", "-s")
	io.WriteString(darn, "hello userspace\nanother\n")
	l.line(ours, "hello userspace")
	l.line(ours, "another")
	darn.CloseInput()
	l.ended(ours)
	l.finish()
}

var received = regexp.MustCompile(`Data (\d+) bytes`)

// sctp_test in the VM gets what sctp connect sends.
func TestSctpTestListens(t *testing.T) {
	l := newTool(t)
	peer := l.inVM("sctp_test", "-H", vmIP, "-P", "5000", "-l")
	l.line(peer, "Server: Receiving packets")
	const total = 100_000
	ours := l.ours("connect", vmIP+":5000", "--transport", "rawip", "--size", "7000")
	io.WriteString(ours, strings.Repeat("x", total))
	ours.CloseInput()
	l.ended(ours)
	l.line(peer, "SHUTDOWN_COMPLETE")
	sum := 0
	for _, m := range received.FindAllStringSubmatch(peer.Output(), -1) {
		n, _ := strconv.Atoi(m[1])
		sum += n
	}
	if sum != total {
		t.Errorf("sctp_test received %d bytes, %d were sent:\n%s", sum, total, peer.Output())
	}
	l.finish()
}

// sctp_test in the VM sends messages of many sizes, ordered and not, over ten
// streams to sctp listen.
func TestSctpTestSends(t *testing.T) {
	l := newTool(t)
	file := filepath.Join(t.TempDir(), "received")
	ours := l.start(l.lane.Host, []string{"sh", "-c", `exec "$0" listen "$1" --transport rawip -v >"$2"`, l.program, ourIP + ":5000", file})
	l.line(ours, "listening")
	// Case 4 is a message of each of these sizes, three times over.
	peer := l.inVM("sctp_test", "-H", vmIP, "-P", "6001", "-h", ourIP, "-p", "5000", "-s", "-c", "4", "-x", "3", "-o", "2", "-M", "9")
	const want = 3 * (1 + 1000 + 2000 + 3000 + 5000 + 10000 + 15000 + 20000 + 25000 + 32768)
	l.ended(ours)
	if st, err := os.Stat(file); err != nil || st.Size() != want {
		t.Errorf("%d bytes were sent, received: %v, %v\n%s", want, st, err, peer.Output())
	}
	l.finish()
}
