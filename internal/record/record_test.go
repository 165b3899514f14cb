package record_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/gosctp/gosctp/internal/record"
	"github.com/gosctp/gosctp/sim"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/pipes/path"
)

// memory is a file.
type memory struct{ bytes.Buffer }

func (*memory) Close() error { return nil }

// simulate records both hosts of a scenario.
func simulate(t testing.TB, seed uint64, s sim.Scenario, data bool) map[string][]byte {
	t.Helper()
	files := make(map[string]*memory)
	var writers []*record.Writer
	r := sim.Run(seed, s, sim.Options{Record: func(host string, boot int) stack.Recorder {
		host = fmt.Sprint(host, boot)
		files[host] = new(memory)
		w, err := record.NewWriter(files[host], record.Header{Host: host, Data: data})
		if err != nil {
			t.Fatal(err)
		}
		writers = append(writers, w)
		return w.Shard
	}})
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	out := make(map[string][]byte)
	for _, w := range writers {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for host, f := range files {
		out[host] = f.Bytes()
	}
	return out
}

// play plays a file to its end.
func play(b []byte, w record.Watcher, cc func() path.Controller) (*record.Player, error) {
	f, err := record.Parse(b)
	if err != nil {
		return nil, err
	}
	p := f.Player(w)
	p.Congestion = cc
	for {
		more, err := p.Next()
		if err != nil || !more {
			return p, err
		}
	}
}

// TestReplay: random runs, with loss, several paths, resets of every kind, are
// played back, and send the same packets, with user data and without.
func TestReplay(t *testing.T) {
	n := uint64(60)
	if testing.Short() || raceEnabled {
		n = 10
	}
	var calls, packets uint64
	for seed := uint64(1); seed <= n; seed++ {
		s := sim.Random(seed)
		for host, b := range simulate(t, seed, s, seed%3 == 0) {
			f, err := record.Parse(b)
			if err != nil || f.Damage != "" || f.Stopped != "" {
				t.Fatalf("seed %d, %s: %v, %+v", seed, host, err, f)
			}
			p, err := play(b, nil, sim.Controllers[s.CC])
			if err != nil {
				var d *record.Difference
				if errors.As(err, &d) {
					t.Logf("got  %x\nwant %x", d.Got, d.Want)
				}
				t.Fatalf("seed %d, %s: %v", seed, host, err)
			}
			if p.Note != "" || p.Odd != nil {
				t.Errorf("seed %d, %s: %q, %v", seed, host, p.Note, p.Odd)
			}
			calls += p.Calls
			packets += p.Packets
		}
	}
	t.Logf("%d calls, %d packets", calls, packets)
	if packets < 1000 {
		t.Error("hardly anything was sent")
	}
}

var _ io.WriteCloser = (*memory)(nil)
