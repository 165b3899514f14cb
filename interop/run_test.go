package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/interop/kernelvm"
	"github.com/gosctp/gosctp/interop/lab"
	"github.com/gosctp/gosctp/interop/workload"
	"github.com/gosctp/gosctp/sim/impair"
)

// A run is one association between two stacks.
type run struct {
	client, server *stack
	transport      string // raw or udp
	impaired       bool
	end            string // shutdown or abort
	ender          string // client, server or both
	hole           int    // MTU, if not 0, of a black hole in the client's direction
	plant          int    // packets with a bad checksum to send to the client meanwhile
}

func (r run) String() string {
	link := "clean"
	switch {
	case r.hole > 0:
		link = "hole"
	case r.impaired:
		link = "impaired"
	}
	return fmt.Sprintf("%s-%s/%s/%s/%s-by-%s", r.client.name, r.server.name, r.transport, link, r.end, r.ender)
}

const (
	port       = 5000
	clientPort = 5001 // where it has to be known
	maxSize    = 100 << 10
)

// impairment is the bad link's, in each direction.
var impairment = impair.Config{
	Loss:  0.02,
	Delay: 20 * mono.Millisecond,
	// One packet in ten is overtaken by those behind it.
	Reorder: 0.1, ReorderDelay: 10 * mono.Millisecond,
}

// relayed is the link of a run that is not a plain one.
func (r run) relayed(a, b lab.End) (*lab.Link, error) {
	there, back := impairment, impairment
	if r.hole > 0 {
		back = impair.Config{Delay: 5 * mono.Millisecond}
		there = back
		there.MTU, there.Silent = r.hole, true
	}
	return lab.Relayed(a, b, there, back, *seed)
}

// A site is where the two sides of a run are.
type site struct {
	client, server         lab.Place
	clientAddr, serverAddr string
	watch                  *lab.Namespace // what the capture sees: this namespace's
	device                 string
	other                  *lab.Namespace // the other end of the link
}

func (r run) deadline() time.Duration {
	d := time.Minute + time.Duration(*messages)*20*time.Millisecond
	if r.impaired {
		d += time.Duration(*messages) * 100 * time.Millisecond
	}
	return d
}

// do has the run and checks all that can be seen of it.
func (r run) do(t *testing.T) {
	needLab(t)
	paths := map[*stack]string{}
	for _, s := range []*stack{r.client, r.server} {
		p, err := s.build()
		if err != nil {
			skip(t, err)
		}
		paths[s] = p
	}
	s := r.site(t)
	r.guard(t, s)
	dir := t.TempDir()
	if *keep != "" {
		dir = filepath.Join(*keep, strings.ReplaceAll(t.Name(), "/", "_"))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	capture, err := lab.StartCapture(s.watch, s.device, filepath.Join(dir, "run.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	common := []string{"--transport", r.transport, "--port", fmt.Sprint(port), "--messages", fmt.Sprint(*messages),
		"--seed", fmt.Sprint(*seed), "--max-size", fmt.Sprint(maxSize), "--streams", "16", "--unordered-every", "4",
		"--direction", "both", "--end", r.end, "--ender", r.ender, "--timeout", fmt.Sprint(int(r.deadline().Seconds())), "--hold"}
	server := start(t, s.server, append([]string{paths[r.server], "server", "--local", s.serverAddr}, common...))
	if _, err := server.WaitLine("READY", 30*time.Second); err != nil {
		t.Fatalf("server: %v", err)
	}
	argv := append([]string{paths[r.client], "client", "--local", s.clientAddr, "--remote", s.serverAddr}, common...)
	if r.client.anyUDP {
		argv = append(argv, "--udp-port", "0")
	}
	if r.plant > 0 {
		argv = append(argv, "--local-port", fmt.Sprint(clientPort))
	}
	client := start(t, s.client, argv)
	for i := range r.plant {
		bad := lab.Sealed(port, clientPort, uint32(i), 0, 3, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 'e', 'v', 'i', 'l')
		bad[len(bad)-1]++
		if err := s.other.SendRaw(s.clientAddr, bad); err != nil {
			t.Fatal(err)
		}
	}
	cr, cerr := client.Result(r.deadline() + 5*time.Second)
	sr, serr := server.Result(40 * time.Second) // silence is noticed after some 20 s
	client.Close()
	server.Close()
	stopErr := capture.Stop()
	if *keep != "" {
		os.WriteFile(filepath.Join(dir, "output.txt"), fmt.Appendf(nil, "client:\n%s\nserver:\n%s\n", client.Output(), server.Output()), 0o644)
	}
	if cerr != nil || serr != nil {
		t.Fatalf("client: %v\nserver: %v", cerr, serr)
	}
	r.check(t, "client", cr, sr)
	r.check(t, "server", sr, cr)
	if stopErr != nil {
		t.Fatal(stopErr)
	}
	r.checkCapture(t, capture.File, s)
	if t.Failed() {
		t.Logf("client: %s\nserver: %s", client.Output(), server.Output())
	}
}

func start(t *testing.T, at lab.Place, argv []string) *lab.Peer {
	t.Helper()
	p, err := lab.Run(at, argv...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// site makes the namespaces and the link of the run.
func (r run) site(t *testing.T) *site {
	t.Helper()
	if r.client.inVM || r.server.inVM {
		return r.siteWithVM(t)
	}
	a, b := namespace(t), namespace(t)
	s := &site{client: a, server: b, clientAddr: "10.99.1.1", serverAddr: "10.99.1.2", watch: a, device: lab.Device, other: b}
	var link *lab.Link
	var err error
	if r.impaired || r.hole > 0 {
		s.device = lab.TunDevice
		link, err = r.relayed(lab.End{NS: a, Device: s.device, Addr: s.clientAddr + "/24"}, lab.End{NS: b, Device: s.device, Addr: s.serverAddr + "/24"})
	} else {
		link, err = lab.Veth(lab.End{NS: a, Device: s.device, Addr: s.clientAddr + "/24"}, lab.End{NS: b, Device: s.device, Addr: s.serverAddr + "/24"})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(link.Close)
	return s
}

// siteWithVM has one side inside the VM, behind a lane. The host's end of the
// lane is where the other side is; if the link is to be impaired, it is a
// router instead, and the link goes on from there.
func (r run) siteWithVM(t *testing.T) *site {
	t.Helper()
	v, err := vm()
	if err != nil {
		skip(t, err)
	}
	lane, err := v.Take()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lane.Release)
	var here lab.Place = lane.Host
	addr := kernelvm.HostAddr
	s := &site{watch: lane.Host, device: lab.Device, other: lane.Host}
	if r.impaired || r.hole > 0 {
		a := namespace(t)
		addr = "10.99.1.1"
		link, err := r.relayed(lab.End{NS: a, Device: lab.TunDevice, Addr: addr + "/24"},
			lab.End{NS: lane.Host, Device: lab.TunDevice, Addr: "10.99.1.2/24"})
		if err == nil {
			t.Cleanup(link.Close)
			err = a.Route(kernelvm.Subnet, "10.99.1.2")
		}
		if err == nil {
			err = lane.Host.Forward()
		}
		if err != nil {
			t.Fatal(err)
		}
		here, s.watch, s.device = a, a, lab.TunDevice
	}
	s.client, s.clientAddr, s.server, s.serverAddr = here, addr, lane, kernelvm.GuestAddr
	if r.client.inVM {
		s.client, s.clientAddr, s.server, s.serverAddr = s.server, s.serverAddr, s.client, s.clientAddr
	}
	return s
}

// guard keeps the host of usrsctp from speaking for it. Ours has to do so itself.
func (r run) guard(t *testing.T, s *site) {
	t.Helper()
	for _, side := range []struct {
		stack *stack
		at    lab.Place
	}{{r.client, s.client}, {r.server, s.server}} {
		n, ok := side.at.(*lab.Namespace)
		if side.stack != usrsctp || !ok {
			continue
		}
		release, err := n.Guard()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(release)
	}
}

func namespace(t *testing.T) *lab.Namespace {
	t.Helper()
	n, err := lab.NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Remove)
	return n
}

// check holds one side's result to what it should be; other is the other side's.
func (r run) check(t *testing.T, role string, got, other workload.Result) {
	t.Helper()
	bad := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s (%s): %s", role, got.Stack, fmt.Sprintf(format, args...))
	}
	if got.Error != "" {
		bad("%s", got.Error)
	}
	if !got.Up {
		bad("no COMM_UP")
	}
	if !got.Verified || got.Received != *messages || got.ReceivedBytes != other.SentBytes {
		bad("verified=%t, received %d messages of %d, %d bytes of %d", got.Verified, got.Received, *messages, got.ReceivedBytes, other.SentBytes)
	}
	if got.Sent != *messages {
		bad("sent %d messages of %d", got.Sent, *messages)
	}
	if got.StreamsOut < 16 || got.StreamsIn < 16 {
		bad("%d streams out, %d in, want at least 16", got.StreamsOut, got.StreamsIn)
	}
	want, aborted := workload.ShutdownComp, false
	if r.end == "abort" {
		want, aborted = workload.CommLost, r.ender != role
	}
	if got.Ending != want {
		bad("ended with %q, want %s", got.Ending, want)
	}
	// On a bad link the ABORT may be lost. The next packet then gets one
	// without a cause, from an endpoint that knows the association no more.
	if aborted && got.Cause != workload.UserInitiatedAbort && !(r.impaired && got.Cause == 0) {
		bad("aborted with cause %d, want %d", got.Cause, workload.UserInitiatedAbort)
	}
}

// known says whether a flaw is one that a foreign stack is known for: pion
// probes with a HEARTBEAT without the parameter that it must have.
func (r run) known(f lab.Flaw, s *site) bool {
	byPion := r.client == pion && f.Src == s.clientAddr || r.server == pion && f.Src == s.serverAddr
	return byPion && !f.BadSum && f.Chunks == strconv.Itoa(chunkHeartbeat)
}

// Chunk types that captures are searched for.
const (
	chunkData, chunkInit, chunkInitAck, chunkHeartbeat, chunkAbort, chunkShutdown, chunkShutdownAck = 0, 1, 2, 4, 6, 7, 8
	chunkCookieEcho, chunkCookieAck, chunkShutdownComplete                                          = 10, 11, 14
	chunkHeartbeatAck, chunkPad                                                                     = 5, 132
)

// checkCapture has tshark confirm that all packets were sound, and that they
// were those of the run.
func (r run) checkCapture(t *testing.T, file string, s *site) {
	t.Helper()
	d, err := lab.Dissect(file)
	if err != nil {
		t.Fatal(err)
	}
	d.Flaws = slices.DeleteFunc(d.Flaws, func(f lab.Flaw) bool { return r.known(f, s) })
	if len(d.Flaws) != r.plant {
		t.Errorf("tshark has something against %d packets, %d bad ones were planted", len(d.Flaws), r.plant)
		for _, f := range d.Flaws[:min(10, len(d.Flaws))] {
			t.Errorf("frame %d: %s", f.Frame, f.What)
		}
		if len(d.Flaws) > 0 {
			t.Log(lab.Explain(file, d.Flaws[0].Frame))
		}
	}
	want := []int{chunkInit, chunkInitAck, chunkCookieEcho, chunkCookieAck, chunkData}
	if r.end == "abort" {
		want = append(want, chunkAbort)
	} else {
		want = append(want, chunkShutdown, chunkShutdownAck, chunkShutdownComplete)
	}
	if r.hole > 0 {
		want = append(want, chunkHeartbeat, chunkHeartbeatAck, chunkPad)
	}
	for _, c := range want {
		// What left the far side may have been lost before the capture saw it.
		if d.Chunks[c] == 0 && !(r.impaired && (c == chunkAbort || c == chunkShutdownComplete)) {
			t.Errorf("no chunk of type %d in the capture: %v", c, d.Chunks)
		}
	}
	// Afterwards, an ABORT is the answer to what comes late for an association
	// that is no more: usrsctp may send a last SACK behind its SHUTDOWN ACK.
	if r.end == "shutdown" && d.Chunks[chunkAbort] > 0 && d.First[chunkAbort] < d.First[chunkShutdownComplete] {
		t.Errorf("an ABORT in frame %d of a run that ended gracefully", d.First[chunkAbort])
	}
	t.Logf("%d packets, chunks by type %v", d.Packets, d.Chunks)
}
