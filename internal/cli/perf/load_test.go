package perf

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/gosctp/gosctp/socketapi"
	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/mem"
)

// pair returns both ends of an association in memory.
func pair(t testing.TB, streams uint16) (a, z *socketapi.Conn) {
	t.Helper()
	la, lz := mem.NewPair(0)
	host := func(l transport.Link) *socketapi.Host {
		h, err := socketapi.NewHost(socketapi.HostConfig{Links: []transport.Link{l}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		return h
	}
	ha, hz := host(la), host(lz)
	cfg := &socketapi.Config{OutStreams: streams}
	l, err := hz.Listen(":5000", cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if a, err = ha.Dial(ctx, "10.0.0.2:5000", cfg); err != nil {
		t.Fatal(err)
	}
	if z, err = l.AcceptSCTP(ctx); err != nil {
		t.Fatal(err)
	}
	return a, z
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// Whoever measures must not disturb: no allocation per message, on either side.
// What is left is pools that still grow.
func TestLoadDoesNotAllocate(t *testing.T) {
	const warm, count = 20000, 30000
	a, z := pair(t, 4)
	var sent, got counter
	errs := make(chan error, 1)
	warmed := make(chan struct{})
	var before uint64
	go func() {
		_, err := receive(z, &got, func(socketapi.RecvInfo, []byte) (bool, error) {
			switch got.messages.Load() {
			case warm:
				close(warmed)
			case warm + count:
				return true, nil
			}
			return false, nil
		})
		errs <- err
	}()
	l := &load{size: 500, streams: 4, count: warm}
	end := time.Now().Add(time.Minute)
	if err := l.send(a, end, &sent); err != nil {
		t.Fatal(err)
	}
	<-warmed
	before = mallocs()
	l.count += count
	if err := l.send(a, end, &sent); err != nil {
		t.Fatal(err)
	}
	if err := <-errs; err != nil {
		t.Fatal(err)
	}
	if n := float64(mallocs()-before) / count; n > 0.1 {
		t.Errorf("%.3f allocations per message", n)
	}
}

func TestReceiveCountsWhatWasTimed(t *testing.T) {
	a, z := pair(t, 1)
	var sent, got counter
	l := &load{size: 100, streams: 1, count: 1000}
	if err := l.send(a, time.Now().Add(time.Minute), &sent); err != nil {
		t.Fatal(err)
	}
	if err := a.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	s, err := receive(z, &got, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := s.report()
	if r.Messages != 1000 || r.Bytes != 100000 || sent.messages.Load() != 1000 || got.bytes.Load() != 100000 {
		t.Errorf("%+v", r)
	}
	if s.messages > 999 || s.messages < 999-checkEvery || s.bytes != s.messages*100 || r.Seconds <= 0 || r.BitsPerSecond <= 0 {
		t.Errorf("timed %d messages with %d bytes in %v s", s.messages, s.bytes, r.Seconds)
	}
}

func TestPercentiles(t *testing.T) {
	var lat []time.Duration
	for i := 1000; i > 0; i-- {
		lat = append(lat, time.Duration(i)*time.Microsecond)
	}
	if l := percentiles(lat); l.Count != 1000 || l.P50 != 501 || l.P99 != 991 || l.Max != 1000 || l.Mean != 500.5 {
		t.Errorf("%+v", l)
	}
	if l := percentiles(nil); l != (latencies{}) {
		t.Errorf("of nothing: %+v", l)
	}
}

func TestSeconds(t *testing.T) {
	for in, want := range map[string]time.Duration{"10": 10 * time.Second, "0.5": 500 * time.Millisecond, "300ms": 300 * time.Millisecond, "1m": time.Minute} {
		var s seconds
		if err := s.Set(in); err != nil || time.Duration(s) != want {
			t.Errorf("%q: %v, %v", in, time.Duration(s), err)
		}
	}
	for _, in := range []string{"", "x", "-1", "-1s", "1e30", "NaN"} {
		var s seconds
		if err := s.Set(in); err == nil {
			t.Errorf("%q was taken as %v", in, time.Duration(s))
		}
	}
}
