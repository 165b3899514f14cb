package pcapng

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// initChunk is a packet with an INIT.
func initPacket() []byte {
	b := make([]byte, 12+20)
	binary.BigEndian.PutUint16(b, 5000)
	binary.BigEndian.PutUint16(b[2:], 38412)
	b[12], b[15] = 1, 20
	binary.BigEndian.PutUint32(b[16:], 0x01020304)
	binary.BigEndian.PutUint32(b[20:], 65536)
	b[25], b[27] = 10, 10
	binary.BigEndian.PutUint32(b[28:], 77)
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func packets() []Packet {
	now := time.Unix(1_700_000_000, 123456789)
	a4, b4 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	a6, b6 := netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2")
	d := initPacket()
	bad := initPacket()
	bad[len(bad)-1]++ // the TSN, so that the checksum is wrong
	return []Packet{
		{Time: now, Src: a4, Dst: b4, Outbound: true, Data: d},
		{Time: now.Add(time.Microsecond), Src: a6, Dst: b6, Data: d},
		{Time: now.Add(time.Second), Src: a4, Dst: b4, SrcUDP: 40000, DstUDP: 9899, Data: d},
		{Time: now.Add(2 * time.Second), Src: a6, Dst: b6, SrcUDP: 9899, DstUDP: 40000, Outbound: true, Data: bad},
	}
}

func capture(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := New(&b, "test")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packets() {
		w.Write(p)
	}
	if err := w.Close(); err != nil || w.Count() != 4 {
		t.Fatal(err, w.Count())
	}
	return b.Bytes()
}

func TestGopacketReadsIt(t *testing.T) {
	r, err := pcapgo.NewNgReader(bytes.NewReader(capture(t)), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	if r.LinkType() != layers.LinkTypeRaw {
		t.Fatalf("link type %v", r.LinkType())
	}
	for i, want := range packets() {
		data, ci, err := r.ReadPacketData()
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		if !ci.Timestamp.Equal(want.Time) {
			t.Errorf("packet %d: at %v, want %v", i, ci.Timestamp, want.Time)
		}
		first := gopacket.LayerType(layers.LayerTypeIPv4)
		if want.Dst.Is6() {
			first = layers.LayerTypeIPv6
		}
		p := gopacket.NewPacket(data, first, gopacket.Default)
		payload := p.NetworkLayer().LayerPayload()
		if udp, ok := p.Layer(layers.LayerTypeUDP).(*layers.UDP); ok {
			if uint16(udp.SrcPort) != want.SrcUDP || uint16(udp.DstPort) != want.DstUDP || int(udp.Length) != 8+len(want.Data) {
				t.Errorf("packet %d: UDP %+v", i, udp)
			}
			payload = udp.Payload
		} else if want.DstUDP != 0 || p.Layer(layers.LayerTypeSCTPInit) == nil {
			t.Errorf("packet %d: %v", i, p)
		}
		if !bytes.Equal(payload, want.Data) {
			t.Errorf("packet %d: payload %x", i, payload)
		}
		src, _ := netip.AddrFromSlice(p.NetworkLayer().NetworkFlow().Src().Raw())
		if src != want.Src {
			t.Errorf("packet %d: from %v", i, src)
		}
	}
	if _, _, err := r.ReadPacketData(); err != io.EOF {
		t.Errorf("after the last packet: %v", err)
	}
}

func TestTsharkReadsIt(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed")
	}
	f := filepath.Join(t.TempDir(), "x.pcapng")
	if err := os.WriteFile(f, capture(t), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tshark, "-n", "-o", "sctp.checksum:CRC 32c", "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
		"-r", f, "-T", "fields", "-e", "sctp.chunk_type", "-e", "_ws.malformed",
		"-e", "sctp.checksum.status", "-e", "ip.checksum.status", "-e", "udp.checksum.status").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	// The last packet is bad on purpose: if tshark did not say so, it would not
	// have looked at the others.
	want := []string{"1\t\t1\t1", "1\t\t1", "1\t\t1\t1\t1", "1\t\t0\t\t1"}
	if len(lines) != 4 {
		t.Fatalf("tshark saw %d packets:\n%s", len(lines), out)
	}
	for i, w := range want {
		if strings.TrimRight(lines[i], "\t") != strings.TrimRight(w, "\t") {
			t.Errorf("packet %d: %q, want %q", i, lines[i], w)
		}
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, os.ErrPermission }

func TestErrorStays(t *testing.T) {
	w, _ := New(failing{}, "x")
	w.Write(packets()[0])
	if err := w.Close(); !errors.Is(err, os.ErrPermission) {
		t.Errorf("Close: %v", err)
	}
}
