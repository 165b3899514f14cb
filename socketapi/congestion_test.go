package socketapi_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/gosctp/gosctp/socketapi"
	"github.com/gosctp/gosctp/stack/pipes/path"
)

// onePacket is a controller as a user might write it: one packet in flight.
type onePacket struct {
	seen *seen
}

type seen struct {
	mu                  sync.Mutex
	made, resets, bytes int
	most                int // bytes in flight
}

func (o onePacket) Reset(p *path.Path) {
	o.seen.mu.Lock()
	o.seen.resets++
	o.seen.mu.Unlock()
	p.Cwnd, p.Ssthresh = p.PMDCS(), p.PMDCS()
}

func (o onePacket) Acked(p *path.Path, a path.Ack) {
	o.seen.mu.Lock()
	o.seen.bytes += a.Bytes
	o.seen.most = max(o.seen.most, a.Flight)
	o.seen.mu.Unlock()
}

func (o onePacket) Lost(*path.Path, path.Time)    {}
func (o onePacket) Timeout(*path.Path, path.Time) {}
func (o onePacket) Idle(*path.Path, bool)         {}

// A controller of the user's own, on either side, decides the window.
func TestCongestionController(t *testing.T) {
	with := func() (*socketapi.Config, *seen) {
		s := new(seen)
		return &socketapi.Config{Congestion: func() path.Controller {
			s.mu.Lock()
			s.made++
			s.mu.Unlock()
			return onePacket{s}
		}}, s
	}
	ca, atA := with()
	cz, atZ := with()
	a, z, _ := pair2(t, ca, cz)
	const n, size = 40, 1000
	go func() {
		p := make([]byte, size)
		for range n {
			if k, _, err := z.RecvMsg(p); err != nil || k != size {
				t.Errorf("%d bytes, %v", k, err)
				return
			}
			if _, err := z.SendMsg(socketapi.SendInfo{}, p); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	p := make([]byte, size)
	for range n {
		if _, err := a.SendMsg(socketapi.SendInfo{}, p); err != nil {
			t.Fatal(err)
		}
	}
	for range n {
		if _, _, err := a.RecvMsg(p); err != nil {
			t.Fatal(err)
		}
	}
	if got := a.Status().Paths[0].Cwnd; got > 70000 {
		t.Errorf("cwnd %d", got)
	}
	for name, s := range map[string]*seen{"dialler": atA, "listener": atZ} {
		s.mu.Lock()
		// The last SACKs may be under way.
		if s.made != 1 || s.resets == 0 || s.bytes < (n/2)*size {
			t.Errorf("%s: %d controllers made, %d resets, %d bytes acknowledged", name, s.made, s.resets, s.bytes)
		}
		if a := a.Status().Paths[0]; s.most > 2*a.PMTU {
			t.Errorf("%s: %d bytes in flight, and the window is one packet of %d", name, s.most, a.PMTU)
		}
		s.mu.Unlock()
	}
}

// TestControllerPanics: a controller that cannot be made costs the call, not the
// host.
func TestControllerPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ha, hz, _ := hosts(t)
		listen(t, hz, ":5000", nil)
		for range 10 {
			cfg := &socketapi.Config{Congestion: func() path.Controller { panic("planted") }}
			if _, err := ha.Dial(t.Context(), "10.0.0.2:5000", cfg); err == nil || !strings.Contains(err.Error(), "planted") {
				t.Fatalf("%v", err)
			}
			dial(t, ha, "10.0.0.2:5000", nil)
		}
		if n := ha.Stats().Associations; n != 10 {
			t.Errorf("%d associations", n)
		}
	})
}
