package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Capture is a tcpdump at work.
type Capture struct {
	File string
	cmd  *exec.Cmd
	done chan error
	err  strings.Builder
	now  func()
}

// StartCapture captures a device of a namespace into a file and returns once
// it does. Device AnyIn is what comes in at any of them.
func StartCapture(n *Namespace, dev, file string) (*Capture, error) {
	argv := n.Command("tcpdump", "-w", file, "-U", "-s", "2048", "-B", "65536", "-Z", "root", "--immediate-mode")
	if dev == AnyIn {
		argv = append(argv, "-i", "any", "-Q", "in")
	} else {
		argv = append(argv, "-i", dev)
	}
	c := &Capture{File: file, cmd: exec.Command(argv[0], argv[1:]...), done: make(chan error, 1)}
	ready := make(chan struct{})
	c.cmd.Stderr = &watch{to: &c.err, want: "listening on", ready: ready}
	if err := Spawn(c.cmd); err != nil {
		return nil, err
	}
	go func() { c.done <- c.cmd.Wait() }()
	c.now = OnExit(func() { c.cmd.Process.Kill() })
	select {
	case <-ready:
		return c, nil
	case err := <-c.done:
		return nil, fmt.Errorf("tcpdump: %v: %s", err, c.err.String())
	case <-time.After(10 * time.Second):
		c.now()
		return nil, fmt.Errorf("tcpdump did not start within 10 s")
	}
}

// AnyIn in place of a device means all that a namespace receives: of a router,
// what each side has sent, also where it goes no further.
const AnyIn = "any-in"

// watch closes ready when text has been written to it.
type watch struct {
	to    *strings.Builder
	want  string
	ready chan struct{}
	once  sync.Once
}

func (w *watch) Write(b []byte) (int, error) {
	w.to.Write(b)
	if strings.Contains(w.to.String(), w.want) {
		w.once.Do(func() { close(w.ready) })
	}
	return len(b), nil
}

// Stop ends the capture; it is an error if packets are missing from it.
func (c *Capture) Stop() error {
	c.drain()
	c.cmd.Process.Signal(syscall.SIGINT)
	var err error
	select {
	case err = <-c.done:
	case <-time.After(10 * time.Second):
		err = fmt.Errorf("tcpdump did not end")
	}
	c.now()
	if err != nil {
		return err
	}
	for l := range strings.Lines(c.err.String()) {
		n, what, _ := strings.Cut(l, " ")
		if strings.Contains(what, "dropped") && n != "0" {
			return fmt.Errorf("tcpdump: %s", strings.TrimSpace(l))
		}
	}
	return nil
}

// drain waits until the file grows no more: what tcpdump has not read when it
// is told to end is lost.
func (c *Capture) drain() {
	for last, calm := int64(-1), 0; calm < 3; {
		<-time.After(50 * time.Millisecond)
		size := int64(0)
		if st, err := os.Stat(c.File); err == nil {
			size = st.Size()
		}
		if calm++; size != last {
			last, calm = size, 0
		}
	}
}

// A Flaw is what tshark has against a packet.
type Flaw struct {
	Frame  int
	Src    string // IP address of who sent it
	Chunks string // their types, separated by commas
	BadSum bool
	What   string
}

// A Packet is an SCTP packet in a capture.
type Packet struct {
	At       time.Time
	Src, Dst string // IP addresses
	Chunks   []int  // their types
	TSNs     []uint32
}

// Has says whether there is a chunk of a type.
func (p *Packet) Has(chunk int) bool { return slices.Contains(p.Chunks, chunk) }

// Dissection is what tshark says of a capture.
type Dissection struct {
	Packets int         // SCTP packets
	Sent    []Packet    // the same one by one
	Chunks  map[int]int // in them, by type
	First   map[int]int // the first frame with a chunk of a type
	ICMP    int         // ICMP messages
	Flaws   []Flaw      // malformed packets and bad checksums
}

// Fields that are asked of tshark, in this order.
var fields = []string{"frame.number", "icmp.type", "sctp.checksum.status", "sctp.chunk_type", "_ws.malformed", "_ws.short",
	"_ws.expert.severity", "_ws.expert.message", "ip.src", "ip.dst", "frame.time_epoch", "sctp.data_tsn_raw"}

const (
	checksumGood  = "1"
	severityError = 0x800000 // Wireshark's PI_ERROR
)

// Dissect has tshark read a capture, with checksums verified. What is inside
// the messages is random bytes, so the dissectors for it are off. tshark takes
// a value of sctp.checksum that it does not know ("crc32c" for one, before
// Wireshark 4.2) for "None" without a word, so "good" is what counts.
func Dissect(file string) (*Dissection, error) {
	args := []string{"-Y", "sctp || icmp || _ws.malformed", "-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=,"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out, err := tshark(file, args...)
	if err != nil {
		return nil, err
	}
	d := &Dissection{Chunks: map[int]int{}, First: map[int]int{}}
	for l := range strings.Lines(out) {
		f := strings.Split(strings.TrimRight(l, "\n"), "\t")
		if len(f) != len(fields) {
			return nil, fmt.Errorf("tshark: unexpected line %q", l)
		}
		d.add(f)
	}
	return d, nil
}

// Explain returns what tshark sees in one frame, and its bytes.
func Explain(file string, frame int) string {
	out, err := tshark(file, "-Y", fmt.Sprint("frame.number==", frame), "-V", "-x")
	if err != nil {
		return err.Error()
	}
	return out
}

// Summary returns a line for each of the first frames.
func Summary(file string, frames int) string {
	out, err := tshark(file, "-c", fmt.Sprint(frames))
	if err != nil {
		return err.Error()
	}
	return out
}

func tshark(file string, args ...string) (string, error) {
	conf, err := tsharkConfig()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "tshark", append([]string{"-r", file, "-n",
		"-o", "sctp.checksum:CRC 32c", "-o", "udp.check_checksum:TRUE"}, args...)...)
	c.Env = append(os.Environ(), "WIRESHARK_CONFIG_DIR="+conf)
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("tshark: %w: %s", err, stderr.String())
	}
	return string(out), nil
}

// add takes one packet's fields.
func (d *Dissection) add(f []string) {
	icmp, checksum, types, malformed, short, severities, messages, src := f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8]
	if icmp != "" { // what an error quotes is cut short, and not a packet
		d.ICMP++
		return
	}
	d.Packets++
	p := Packet{Src: src, Dst: f[9]}
	if sec, err := strconv.ParseFloat(f[10], 64); err == nil {
		p.At = time.UnixMicro(int64(sec * 1e6))
	}
	for t := range strings.SplitSeq(f[11], ",") {
		if n, err := strconv.ParseUint(t, 10, 32); err == nil {
			p.TSNs = append(p.TSNs, uint32(n))
		}
	}
	frame, _ := strconv.Atoi(f[0])
	for t := range strings.SplitSeq(types, ",") {
		if n, err := strconv.Atoi(t); err == nil {
			p.Chunks = append(p.Chunks, n)
			if d.Chunks[n]++; d.Chunks[n] == 1 {
				d.First[n] = frame
			}
		}
	}
	d.Sent = append(d.Sent, p)
	var what []string
	if checksum != checksumGood {
		what = append(what, fmt.Sprintf("checksum status %q", checksum))
	}
	if malformed != "" || short != "" {
		what = append(what, "malformed")
	}
	for s := range strings.SplitSeq(severities, ",") {
		if v, err := strconv.Atoi(s); err == nil && v >= severityError && !slices.Contains(what, "expert error") {
			what = append(what, "expert error")
		}
	}
	if len(what) > 0 {
		d.Flaws = append(d.Flaws, Flaw{Frame: frame, Src: src, Chunks: types, BadSum: checksum != checksumGood,
			What: strings.Join(what, ", ") + ": " + messages})
	}
}

var tsharkConfig = sync.OnceValues(func() (string, error) {
	keep := []string{"frame", "eth", "ethertype", "raw", "sll", "ip", "ipv6", "icmp", "icmpv6", "udp", "sctp", "_ws.malformed", "_ws.short", "_ws.expert"}
	list, err := output(context.Background(), "tshark", "-G", "protocols")
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "gosctp-tshark-")
	if err != nil {
		return "", err
	}
	OnExit(func() { os.RemoveAll(dir) })
	var off strings.Builder
	for l := range strings.Lines(list) {
		f := strings.Split(strings.TrimSpace(l), "\t")
		if len(f) >= 3 && !slices.Contains(keep, f[2]) {
			off.WriteString(f[2] + "\n")
		}
	}
	return dir, os.WriteFile(filepath.Join(dir, "disabled_protos"), []byte(off.String()), 0o644)
})
