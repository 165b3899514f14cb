package interop

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gosctp/gosctp/interop/kernelvm"
	"github.com/gosctp/gosctp/interop/lab"
	"github.com/gosctp/gosctp/interop/workload"
	"github.com/gosctp/gosctp/sim/impair"
)

// Timers of associations with two paths, on both sides.
const (
	rtoMin      = 200 * time.Millisecond // and RTO.Initial
	rtoMax      = time.Second
	pathRetrans = 2
	hbInterval  = time.Second
	slack       = 2 * time.Second // for a busy machine
)

// A pair is ours at the near end of two links, and another stack at the far end.
type pair struct {
	t           *testing.T
	peer        *stack
	paths       *lab.Paths
	near, far   lab.Place
	oursProgram string
	peerProgram string
	vm          *kernelvm.VM // the peer's own, nil if it shares the one of all
	capture     *lab.Capture
	dir         string
}

// newPair makes the namespaces and the links, and captures what the router gets.
func newPair(t *testing.T, peer *stack, imp *impair.Config) *pair {
	t.Helper()
	return (&pair{t: t, peer: peer}).ready(imp)
}

// newMortalPair is newPair with the kernel in a VM of its own, which may crash.
func newMortalPair(t *testing.T) *pair {
	t.Helper()
	needLab(t)
	v, err := boot(1)
	if err != nil {
		skip(t, err)
	}
	t.Cleanup(v.Stop)
	return (&pair{t: t, peer: linux, vm: v}).ready(nil)
}

func (p *pair) ready(imp *impair.Config) *pair {
	t, peer := p.t, p.peer
	t.Helper()
	needLab(t)
	p.dir = t.TempDir()
	var err error
	if p.oursProgram, err = ours.build(); err == nil {
		p.peerProgram, err = peer.build()
	}
	if err != nil {
		skip(t, err)
	}
	p.wire(imp)
	if *keep != "" {
		p.dir = filepath.Join(*keep, strings.ReplaceAll(t.Name(), "/", "_"))
		if err := os.MkdirAll(p.dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if p.capture, err = lab.StartCapture(p.paths.Router, lab.AnyIn, filepath.Join(p.dir, "run.pcap")); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pair) wire(imp *impair.Config) {
	t := p.t
	t.Helper()
	near := namespace(t)
	p.near = near
	var router *lab.Namespace
	var far lab.Shell
	var devs [2]string
	var err error
	if p.peer.inVM {
		v := p.vm
		if v == nil {
			if v, err = vm(); err != nil {
				skip(t, err)
			}
		}
		lane, err := v.Take()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(lane.Release)
		p.far, far, router = lane, lane, lane.Host
		devs = [2]string{lane.Device(0), lane.Device(1)}
	} else {
		ns := namespace(t)
		p.far, far, router = ns, ns, namespace(t)
		if devs, err = lab.FarLinks(ns, router); err != nil {
			t.Fatal(err)
		}
	}
	if p.paths, err = lab.NewPaths(near, router, far, devs, imp, *seed); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.paths.Close)
	if p.peer == usrsctp {
		p.guard(p.far)
	}
}

// guard keeps the kernel of a namespace from speaking for who is there.
func (p *pair) guard(at lab.Place) (release func()) {
	release, err := at.(*lab.Namespace).Guard()
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(release)
	return release
}

// A side is a running peer with two addresses.
type side struct {
	*lab.Peer
	p       *pair
	name    string
	own, to [2]string // its addresses, and the other's
	hears   bool      // messages are sent to it
}

// start starts a side, ours or the other one.
func (p *pair) start(weAre bool, role string, args ...string) *side {
	p.t.Helper()
	at, program := p.near, p.oursProgram
	s := &side{p: p, name: "ours", own: lab.NearAddrs, to: lab.FarAddrs}
	if !weAre {
		at, program = p.far, p.peerProgram
		s.name, s.own, s.to = p.peer.name, s.to, s.own
	}
	argv := []string{program, role, "--local", strings.Join(s.own[:], ","), "--remote", strings.Join(s.to[:], ","), "--primary", s.to[0],
		"--transport", "raw", "--port", fmt.Sprint(port), "--local-port", fmt.Sprint(clientPort),
		"--messages", "1000000", "--until-stop", "--pace-us", "5000", "--seed", fmt.Sprint(*seed), "--max-size", "20000",
		"--streams", "16", "--unordered-every", "4", "--hb-ms", millis(hbInterval), "--rto-min-ms", millis(rtoMin), "--rto-max-ms", millis(rtoMax),
		"--sack-ms", "20", "--path-retrans", fmt.Sprint(pathRetrans), "--timeout", "100", "--hold"}
	s.Peer = start(p.t, at, append(argv, args...))
	s.hears = role == "server" || !slices.Contains(args, "up") // as in --direction up
	p.t.Cleanup(func() {
		if p.t.Failed() {
			p.t.Logf("%s %s:\n%s", s.name, role, clip(s.Output()))
		}
	})
	if role == "server" {
		if _, err := s.WaitLine("READY", wait); err != nil {
			p.t.Fatal(err)
		}
	}
	return s
}

// clip shortens what a peer has said about its progress.
func clip(s string) string { return progressLines.ReplaceAllString(s, "$1") }

var progressLines = regexp.MustCompile(`(PROGRESS \d+\n)+`)

func millis(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }

// both starts ours and the other side, one as client and one as server.
func (p *pair) both(weDial bool, args ...string) (us, them *side) {
	if weDial {
		them = p.start(false, "server", args...)
		return p.start(true, "client", args...), them
	}
	us = p.start(true, "server", args...)
	return us, p.start(false, "client", args...)
}

// event waits for a line that came after a time.
func (s *side) event(line string, after time.Time, timeout time.Duration) time.Time {
	s.p.t.Helper()
	at, err := s.WaitEvent("EVENT "+line, after, timeout)
	if err != nil {
		s.p.t.Fatalf("%s: %v", s.name, err)
	}
	return at
}

// saw says whether and when a line came after a time.
func (s *side) saw(line string, after time.Time) (bool, time.Time) {
	at, ok := s.Printed("EVENT "+line, after)
	return ok, at
}

// progress waits until so many more messages have been received, or received
// since the workload began anew.
func (s *side) progress(n int) {
	s.p.t.Helper()
	if !s.hears {
		return
	}
	base := -1
	_, err := s.Wait(wait, "progress", func(lines []string) (string, bool) {
		last := 0
		for _, l := range lines {
			if n, ok := strings.CutPrefix(l, "PROGRESS "); ok {
				last, _ = strconv.Atoi(n)
			}
		}
		if base < 0 || last < base {
			base = last
		}
		return "", last >= base+n
	})
	if err != nil {
		s.p.t.Fatalf("%s: %v", s.name, err)
	}
}

// stop ends the workload, and checks what both sides say of it.
func (p *pair) stop(a, b *side) (ar, br workload.Result) {
	p.t.Helper()
	for _, s := range []*side{a, b} {
		io.WriteString(s, "stop\n")
	}
	ar, aerr := a.Result(wait)
	br, berr := b.Result(wait)
	a.Close()
	b.Close()
	if aerr != nil || berr != nil {
		p.t.Fatalf("%s: %v\n%s: %v", a.name, aerr, b.name, berr)
	}
	for _, r := range []struct{ got, other workload.Result }{{ar, br}, {br, ar}} {
		if r.got.Error != "" || !r.got.Verified || r.got.Received != r.other.Sent || r.got.ReceivedBytes != r.other.SentBytes {
			p.t.Errorf("%s: %q, verified=%t, received %d messages of %d, %d bytes of %d", r.got.Stack, r.got.Error, r.got.Verified,
				r.got.Received, r.other.Sent, r.got.ReceivedBytes, r.other.SentBytes)
		}
		if r.got.Ending != workload.ShutdownComp {
			p.t.Errorf("%s: ended with %q", r.got.Stack, r.got.Ending)
		}
	}
	return ar, br
}

// packets ends the capture, has tshark confirm that all in it is sound, and
// returns it.
func (p *pair) packets() []lab.Packet {
	p.t.Helper()
	if err := p.capture.Stop(); err != nil {
		p.t.Fatal(err)
	}
	d, err := lab.Dissect(p.capture.File)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, f := range d.Flaws[:min(10, len(d.Flaws))] {
		p.t.Errorf("frame %d: %s\n%s", f.Frame, f.What, lab.Explain(p.capture.File, f.Frame))
	}
	return d.Sent
}

// pairName names a pair by who dials.
func pairName(peer *stack, weDial bool) string {
	if weDial {
		return "ours-" + peer.name
	}
	return peer.name + "-ours"
}

func role(dials bool) string {
	if dials {
		return "client"
	}
	return "server"
}

// addrs returns the addresses of our side, or of the other.
func addrs(ours bool) [2]string {
	if ours {
		return lab.NearAddrs
	}
	return lab.FarAddrs
}
