package stack_test

import (
	"net/netip"
	"testing"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
	"github.com/gosctp/gosctp/stack/tcb"
	"github.com/gosctp/gosctp/transport"
)

// handWire is a link that hands packets to another stack when told to, so that a
// benchmark sees the protocol's own cost: no goroutine, no system call.
type handWire struct {
	addr netip.Addr
	q    [512]transport.RxSlot
	n    int
	peer *handWire
}

func newHandWires() (a, z *handWire) {
	a = &handWire{addr: netip.MustParseAddr("10.0.0.1")}
	z = &handWire{addr: netip.MustParseAddr("10.0.0.2")}
	a.peer, z.peer = z, a
	for _, w := range []*handWire{a, z} {
		for i := range w.q {
			w.q[i].Buf = make([]byte, 2048)
		}
	}
	return a, z
}

func (w *handWire) ReadBatch([]transport.RxSlot) (int, error) { select {} }

func (w *handWire) WriteBatch(s []transport.TxSlot) error {
	for i := range s {
		d := &w.peer.q[w.peer.n]
		d.Data = d.Buf[:copy(d.Buf, s[i].Data)]
		d.Src, d.Dst = w.addr, w.peer.addr
		w.peer.n++
	}
	return nil
}

func (w *handWire) Route(netip.Addr) (transport.Route, error) {
	return transport.Route{Src: w.addr, MTU: 1500, Overhead: 20}, nil
}

func (w *handWire) Addrs() ([]netip.Addr, error) { return []netip.Addr{w.addr}, nil }
func (w *handWire) Close() error                 { return nil }

type byHand struct{ now mono.Time }

func (c *byHand) Now() mono.Time     { return c.now }
func (*byHand) NewTimer() mono.Timer { return stillTimer{} }

type stillTimer struct{}

func (stillTimer) Set(mono.Time)      {}
func (stillTimer) Stop()              {}
func (stillTimer) C() <-chan struct{} { return nil }

// handRig is two stacks joined by handWires, run by hand.
type handRig struct {
	clock  byHand
	wa, wz *handWire
	sa, sz *stack.Stack
	a, z   *stack.Assoc
	list   ulpqueue.List
	pkts   int
}

func newHandRig(t testing.TB) *handRig {
	r := &handRig{clock: byHand{now: mono.Time(mono.Second)}}
	r.wa, r.wz = newHandWires()
	cfg := tcb.DefaultConfig()
	cfg.NoDelay = true
	mk := func(w *handWire) *stack.Stack {
		s, err := stack.New(stack.World{Clock: &r.clock, Links: []transport.Link{w}}, stack.Options{Shards: 1})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	r.sa, r.sz = mk(r.wa), mk(r.wz)
	ez, err := r.sz.Open(nil, 5000, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	ez.Listen(1, nil)
	ea, err := r.sa.Open(nil, 0, &cfg)
	if err != nil {
		t.Fatal(err)
	}
	if r.a, err = ea.Associate([]netip.Addr{r.wz.addr}, 5000, 0, nil, nil); err != nil {
		t.Fatal(err)
	}
	r.settle()
	if r.z = ez.Accept(); r.z == nil {
		t.Fatal("no association")
	}
	return r
}

// settle delivers packets until there are none.
func (r *handRig) settle() {
	for r.wa.n > 0 || r.wz.n > 0 {
		r.deliver(r.sz, r.wz)
		r.deliver(r.sa, r.wa)
	}
}

func (r *handRig) deliver(s *stack.Stack, w *handWire) {
	if n := w.n; n > 0 {
		w.n = 0
		r.pkts += n
		s.Input(0, w.q[:n], r.clock.now)
	}
}

func (r *handRig) drain(t testing.TB) int {
	n, read := 0, 0
	for {
		m := r.list.Pop()
		if m == nil {
			err := r.z.Recv(&r.list, 64<<10, read)
			read = 0
			if err != nil {
				return n
			}
			continue
		}
		if m.Kind == ulpqueue.KindData {
			n++
			read += m.Len
		}
		r.z.Free(m)
	}
}

// BenchmarkProtocol is the cost of sending, receiving and acknowledging, both
// sides in one goroutine; ns/dgram-side is per packet of either kind and side.
func BenchmarkProtocol(b *testing.B) {
	for _, c := range []struct {
		name string
		size int
	}{{"100", 100}, {"1400", 1400}, {"65536", 65536}} {
		b.Run(c.name, func(b *testing.B) {
			r := newHandRig(b)
			one := func() {
				r.clock.now += mono.Time(10 * mono.Microsecond)
				for i := 0; i < 4; i++ {
					buf := r.a.Buffer(c.size)
					if err := r.a.Send(stack.Message{}, buf); err != nil {
						b.Fatal(err)
					}
				}
				r.settle()
				if n := r.drain(b); n != 4 {
					b.Fatal(n)
				}
				r.settle()
			}
			for range 200 {
				one()
			}
			r.pkts = 0
			b.SetBytes(int64(4 * c.size))
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				one()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(2*r.pkts), "ns/dgram-side")
		})
	}
}

// BenchmarkHold is how long a shard's lock is held for a batch of 64 packets
// with full DATA chunks of one association.
func BenchmarkHold(b *testing.B) {
	r := newHandRig(b)
	buf := make([]byte, 1400)
	batch := func() {
		for i := 0; i < 64; i++ {
			m := r.a.Buffer(len(buf))
			if err := r.a.Send(stack.Message{}, m); err != nil {
				b.Fatal(err)
			}
		}
	}
	for range 50 { // until cwnd takes a whole batch
		batch()
		r.settle()
		r.drain(b)
		r.settle()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		r.clock.now += mono.Time(mono.Millisecond)
		batch()
		if r.wz.n != 64 {
			b.Fatalf("%d packets in the batch", r.wz.n)
		}
		b.StartTimer()
		r.deliver(r.sz, r.wz)
		b.StopTimer()
		r.settle()
		r.drain(b)
		r.settle()
		b.StartTimer()
	}
}
