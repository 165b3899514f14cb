package demo

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/gosctp/gosctp/internal/cli/outcome"
)

func options(transport string) Options {
	o := Defaults()
	o.Transport, o.Bytes, o.Seed = transport, 2<<20, 42
	return o
}

func TestRun(t *testing.T) {
	lossy := options("mem")
	lossy.Loss, lossy.Bytes = 0.03, 512<<10
	one := options("mem")
	one.Bytes, one.Streams = 1, 1
	many := options("mem")
	many.Streams, many.MTU = 3000, 9000
	for name, o := range map[string]Options{
		"mem": options("mem"), "udp": options("udp"), "lossy": lossy, "one byte": one, "many streams": many,
	} {
		t.Run(name, func(t *testing.T) {
			var seen atomic.Int64
			r, err := Run(context.Background(), o, seen.Store)
			if err != nil {
				t.Fatal(err)
			}
			if !r.Verified || r.Bytes != int64(o.Bytes) || r.Messages == 0 || r.Transport != o.Transport || r.Error != "" {
				t.Errorf("%+v", r)
			}
			if r.Goodput <= 0 || r.HandshakeUS <= 0 || r.DurationMS <= 0 || r.RTTUS <= 0 || r.PathMTU != o.MTU || r.Packets == 0 {
				t.Errorf("%+v", r)
			}
			if seen.Load() != int64(o.Bytes) {
				t.Errorf("progress ended at %d", seen.Load())
			}
			if lossy := o.Loss > 0; lossy != (r.PacketsLost > 0) || lossy && r.Retransmissions == 0 {
				t.Errorf("%d packets lost, %d retransmissions", r.PacketsLost, r.Retransmissions)
			}
		})
	}
}

// Without --transport, UDP is taken where raw IP cannot be had, and the reason
// is told.
func TestDefaultTransport(t *testing.T) {
	o := options("")
	r, err := Run(context.Background(), o, nil)
	if err != nil || !r.Verified {
		t.Fatalf("%+v, %v", r, err)
	}
	w, rawErr := openRaw(false)
	if rawErr == nil {
		w.close()
	}
	want, why := "rawip", "raw sockets"
	if rawErr != nil {
		want, why = "udp", "no raw IP"
	}
	if r.Transport != want || !strings.Contains(r.Reason, why) {
		t.Errorf("transport %s (%s), want %s (%s)", r.Transport, r.Reason, want, why)
	}
}

func TestCapture(t *testing.T) {
	for _, transport := range []string{"mem", "udp"} {
		o := options(transport)
		o.Bytes, o.Pcap = 64<<10, filepath.Join(t.TempDir(), "x.pcapng")
		r, err := Run(context.Background(), o, nil)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(o.Pcap)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		in, err := pcapgo.NewNgReader(f, pcapgo.DefaultNgReaderOptions)
		if err != nil {
			t.Fatal(err)
		}
		n, first := 0, map[byte]int{} // by the type of the first chunk
		for p := range gopacket.NewPacketSource(in, layers.LayerTypeIPv4).Packets() {
			n++
			sctp := p.NetworkLayer().LayerPayload()
			if udp, ok := p.Layer(layers.LayerTypeUDP).(*layers.UDP); ok {
				sctp = udp.Payload
			}
			first[sctp[12]]++
		}
		const data, init, initAck, shutdown = 0, 1, 2, 7
		if n != r.Captured || n < 50 || first[init] != 1 || first[initAck] != 1 || first[shutdown] != 1 || first[data] < 40 {
			t.Errorf("%s: %d packets, %d said, first chunks %v", transport, n, r.Captured, first)
		}
	}
}

func TestCaptureThatCannotBeWritten(t *testing.T) {
	o := options("mem")
	o.Pcap = filepath.Join(t.TempDir(), "no", "such", "directory")
	if _, err := Run(context.Background(), o, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full")
	}
	o.Pcap = "/dev/full"
	if r, err := Run(context.Background(), o, nil); err == nil || r.Verified {
		t.Errorf("a full disk went unnoticed: %+v", r)
	}
}

func TestWatchdog(t *testing.T) {
	o := options("mem")
	o.Loss, o.Stall = 0.9999, 250*time.Millisecond
	r, err := Run(context.Background(), o, nil)
	if err == nil || !strings.Contains(err.Error(), "no progress") || r.Verified || outcome.Code(err) != outcome.Failed {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o := options("mem")
	o.Bytes = 1 << 34
	r, err := Run(ctx, o, func(n int64) {
		if n > 1<<20 {
			cancel()
		}
	})
	if !errors.Is(err, outcome.ErrInterrupted) || r.Verified || r.Bytes == 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
