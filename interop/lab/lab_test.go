package lab

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/sim/impair"
)

func TestMain(m *testing.M) {
	CleanupOnSignal()
	RemoveStale()
	code := m.Run()
	Cleanup()
	os.Exit(code)
}

func need(t *testing.T, programs ...string) {
	t.Helper()
	err := Host()
	if err == nil {
		err = Need(programs...)
	}
	if missing := (*Missing)(nil); errors.As(err, &missing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func pair(t *testing.T) (a, b *Namespace) {
	t.Helper()
	var ns [2]*Namespace
	for i := range ns {
		n, err := NewNamespace()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(n.Remove)
		ns[i] = n
	}
	return ns[0], ns[1]
}

// DATA chunks: one that is as it should be, and one that claims to be longer
// than its packet.
var (
	soundChunk   = []byte{0, 3, 0, 20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 'f', 'i', 'n', 'e'}
	overrunChunk = []byte{0, 3, 1, 20, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9, 'l', 'o', 'n', 'g'}
	bogusParam   = []byte{1, 0, 0, 24, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 5, 0, 2} // shorter than its own header
)

// The check that all captures go through has to see what is wrong with a
// packet, and nothing where nothing is.
func TestDissectFlagsPlantedPackets(t *testing.T) {
	need(t, "tcpdump", "tshark", "ethtool")
	a, b := pair(t)
	link, err := Veth(End{a, Device, "10.99.1.1/24"}, End{b, Device, "10.99.1.2/24"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(link.Close)
	c, err := StartCapture(a, Device, filepath.Join(t.TempDir(), "planted.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	badSum := Sealed(1, 2, 3, soundChunk...)
	badSum[len(badSum)-1]++
	packets := [][]byte{
		Sealed(1, 2, 3, soundChunk...),
		badSum,
		Sealed(1, 2, 3, overrunChunk...),
		Sealed(1, 2, 0, bogusParam...),
		Sealed(1, 2, 4, soundChunk...),
	}
	for _, p := range packets {
		if err := b.SendRaw("10.99.1.1", p); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	d, err := Dissect(c.File)
	if err != nil {
		t.Fatal(err)
	}
	if d.Packets != len(packets) {
		t.Errorf("tshark saw %d packets, %d were sent", d.Packets, len(packets))
	}
	for _, f := range d.Flaws {
		t.Logf("frame %d: %s", f.Frame, f.What)
	}
	if len(d.Flaws) != 3 {
		t.Errorf("%d flaws, want the three that were planted", len(d.Flaws))
	}
}

// A relay without impairment loses nothing; one with loss does, by its seed.
func TestRelay(t *testing.T) {
	need(t, "tcpdump", "tshark")
	const sent = 2000
	count := func(imp impair.Config) int {
		a, b := pair(t)
		link, err := Relayed(End{a, TunDevice, "10.99.1.1/24"}, End{b, TunDevice, "10.99.1.2/24"}, imp, imp, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer link.Close()
		c, err := StartCapture(a, TunDevice, filepath.Join(t.TempDir(), "relayed.pcap"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range sent {
			if err := b.SendRaw("10.99.1.1", Sealed(1, 2, uint32(i), soundChunk...)); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(imp.Delay.Std() + 100*time.Millisecond)
		if err := c.Stop(); err != nil {
			t.Fatal(err)
		}
		d, err := Dissect(c.File)
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Flaws) > 0 {
			t.Errorf("flaws: %v", d.Flaws)
		}
		return d.Packets
	}
	if n := count(impair.Config{}); n != sent {
		t.Errorf("a clean relay passed %d packets of %d", n, sent)
	}
	lossy := impair.Config{Loss: 0.1, Delay: 20 * mono.Millisecond}
	n := count(lossy)
	if lost := sent - n; lost < sent/20 || lost > sent/5 {
		t.Errorf("a relay with 10 %% loss lost %d packets of %d", lost, sent)
	}
	if m := count(lossy); m != n {
		t.Errorf("the same seed passed %d packets, then %d", n, m)
	}
}
