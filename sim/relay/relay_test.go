package relay

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/sim/impair"
)

// device stands for a TUN device: what a test puts in is read by the relay,
// and what the relay writes comes out.
type device struct {
	in, out chan []byte
	gone    chan struct{}
}

func newDevice() *device {
	return &device{in: make(chan []byte, 64), out: make(chan []byte, 64), gone: make(chan struct{})}
}

func (d *device) Read(b []byte) (int, error) {
	select {
	case p := <-d.in:
		return copy(b, p), nil
	case <-d.gone:
		return 0, io.EOF
	}
}

func (d *device) Write(p []byte) (int, error) {
	d.out <- bytes.Clone(p)
	return len(p), nil
}

func (d *device) Close() error { close(d.gone); return nil }

func packet4(n int, df bool) []byte {
	p := make([]byte, n)
	p[0], p[8], p[9] = 0x45, 64, 132
	binary.BigEndian.PutUint16(p[2:], uint16(n))
	copy(p[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
	if df {
		p[6] = 0x40
	}
	return p
}

func TestDelayIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newDevice(), newDevice()
		r, err := New(Config{A: a, B: b, AtoB: impair.Config{Delay: 20 * mono.Millisecond}, BtoA: impair.Config{Delay: 30 * mono.Millisecond}})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		start := time.Now()
		for i := range 10 {
			a.in <- packet4(100+i, true)
		}
		for i := range 10 {
			if p := <-b.out; len(p) != 100+i {
				t.Fatalf("packet %d has %d bytes", i, len(p))
			}
		}
		if d := time.Since(start); d != 20*time.Millisecond {
			t.Errorf("A to B took %v, want 20ms", d)
		}
		start = time.Now()
		b.in <- packet4(100, true)
		<-a.out
		if d := time.Since(start); d != 30*time.Millisecond {
			t.Errorf("B to A took %v, want 30ms", d)
		}
	})
}

func TestDeadLinkAndSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newDevice(), newDevice()
		r, err := New(Config{A: a, B: b, AtoB: impair.Config{Loss: 1}})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		a.in <- packet4(100, true)
		synctest.Wait()
		if len(b.out) != 0 {
			t.Error("a packet passed a dead link")
		}
		if err := r.Set(impair.Config{}, impair.Config{}); err != nil {
			t.Fatal(err)
		}
		a.in <- packet4(101, true)
		if p := <-b.out; len(p) != 101 {
			t.Errorf("%d bytes arrived, want 101", len(p))
		}
		if st, _ := r.Stats(); st.In != 2 || st.Lost != 1 {
			t.Errorf("stats %+v", st)
		}
		if r.Set(impair.Config{Loss: 2}, impair.Config{}) == nil {
			t.Error("an impossible impairment was taken")
		}
	})
}

func TestTooBigIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newDevice(), newDevice()
		r, err := New(Config{A: a, B: b, AtoB: impair.Config{MTU: 1280}})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		p4 := packet4(1400, true)
		a.in <- p4
		e := <-a.out
		if e[9] != 1 || e[20] != 3 || e[21] != 4 || binary.BigEndian.Uint16(e[26:]) != 1280 ||
			!bytes.Equal(e[12:16], p4[16:20]) || !bytes.Equal(e[16:20], p4[12:16]) || !bytes.Equal(e[28:], p4[:548]) {
			t.Errorf("ICMP error % x", e[:40])
		}
		if fold(sum(0, e[:20])) != 0 || fold(sum(0, e[20:])) != 0 {
			t.Error("bad checksums in ICMP error")
		}
		p6 := make([]byte, 1400)
		p6[0], p6[6], p6[8], p6[24] = 0x60, 132, 0xfd, 0xfc
		a.in <- p6
		e = <-a.out
		if e[6] != 58 || e[40] != 2 || binary.BigEndian.Uint32(e[44:]) != 1280 || e[8] != 0xfc || e[24] != 0xfd || len(e) != 1280 {
			t.Errorf("ICMPv6 error % x", e[:48])
		}
		if fold(sum(uint32(len(e)-40)+58, e[8:])) != 0 {
			t.Error("bad checksum in ICMPv6 error")
		}
		a.in <- packet4(1400, false)
		if p := <-b.out; len(p) != 1400 {
			t.Error("a packet that may be fragmented did not pass")
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	if _, err := New(Config{A: newDevice(), B: newDevice(), AtoB: impair.Config{Loss: -1}}); err == nil {
		t.Error("negative loss was taken")
	}
	if _, err := New(Config{}); err == nil {
		t.Error("a relay without devices was made")
	}
	a, b := newDevice(), newDevice()
	r, err := New(Config{A: a, B: b})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Error(err)
	}
}
