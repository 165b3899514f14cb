package stack_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/mem"
)

// side is one host of a test, with the little that is needed to block.
type side struct {
	t     testing.TB
	s     *stack.Stack
	ep    *stack.Endpoint
	a     *stack.Assoc
	ready chan struct{}
	list  ulpqueue.List
	read  int
	notes []ulpqueue.Notification
}

func (d *side) poke(sideeffects.Wake) {
	select {
	case d.ready <- struct{}{}:
	default:
	}
}

func pair(t testing.TB, cfg tcb.Config, mtu int) (a, z *side) {
	t.Helper()
	la, lz := mem.NewPair(mtu)
	mk := func(l transport.Link, paranoid bool) *side {
		s, err := stack.New(stack.World{Links: []transport.Link{l}}, stack.Options{Paranoid: paranoid})
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		return &side{t: t, s: s, ready: make(chan struct{}, 1)}
	}
	_, bench := t.(*testing.B)
	a, z = mk(la, !bench), mk(lz, !bench)
	var err error
	if z.ep, err = z.s.Open(nil, 5000, &cfg); err != nil {
		t.Fatal(err)
	}
	z.ep.Listen(5, func() { z.poke(0) })
	if a.ep, err = a.s.Open(nil, 0, &cfg); err != nil {
		t.Fatal(err)
	}
	if a.a, err = a.ep.Associate([]netip.Addr{netip.MustParseAddr("10.0.0.2")}, 5000, 0, nil, a.poke); err != nil {
		t.Fatal(err)
	}
	for z.a == nil {
		<-z.ready
		z.a = z.ep.Accept()
	}
	z.a.OnWake(z.poke)
	for a.a.Status().State != tcb.Established {
		<-a.ready
	}
	return a, z
}

func (d *side) close() { d.s.Close() }

func (d *side) send(sid chunk.StreamID, unordered bool, p []byte) error {
	for {
		b := d.a.Buffer(len(p))
		copy(b.B, p)
		err := d.a.Send(stack.Message{Stream: sid, Unordered: unordered, PPID: 7}, b)
		if err == nil {
			return nil
		}
		d.a.FreeBuffer(b)
		if !errors.Is(err, stack.ErrWouldBlock) {
			return err
		}
		<-d.ready
	}
}

// recv returns the next message piece; its contents are appended to buf.
func (d *side) recv(buf []byte) ([]byte, *ulpqueue.Message, error) {
	for {
		m := d.list.Pop()
		if m == nil {
			n := d.read
			d.read = 0
			err := d.a.Recv(&d.list, 64<<10, n)
			if errors.Is(err, stack.ErrWouldBlock) {
				<-d.ready
				continue
			}
			if err != nil {
				return buf, nil, err
			}
			continue
		}
		if m.Kind == ulpqueue.KindNotification {
			d.notes = append(d.notes, m.Note)
			d.a.Free(m)
			continue
		}
		for b := m.Head; b != nil; b = b.Next {
			buf = append(buf, b.B...)
		}
		d.read += m.Len
		info := *m
		d.a.Free(m)
		return buf, &info, nil
	}
}

func TestTransfer(t *testing.T) {
	for _, mtu := range []int{1500, 576, 9000, 65535} {
		t.Run(fmt.Sprint(mtu), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { transfer(t, mtu) })
		})
	}
}

func transfer(t *testing.T, mtu int) {
	a, z := pair(t, tcb.DefaultConfig(), mtu)
	defer a.close()
	defer z.close()
	sizes := []int{1, 3, 100, 1400, 1452, 1453, 4000, 65536, 200000}
	go func() {
		for round := range 20 {
			for i, n := range sizes {
				p := bytes.Repeat([]byte{byte(round), byte(i)}, (n+1)/2)[:n]
				if err := a.send(chunk.StreamID(i%4), i%3 == 0, p); err != nil {
					t.Error(err)
					return
				}
			}
		}
		a.a.Shutdown()
	}()
	total, want := 0, 0
	for _, n := range sizes {
		want += 20 * n
	}
	var buf []byte
	for {
		p, m, err := z.recv(buf[:0])
		buf = p
		if err != nil {
			if !errors.Is(err, syscall.EPIPE) {
				t.Fatal(err)
			}
			break
		}
		total += m.Len
	}
	if total != want {
		t.Fatalf("%d bytes arrived, want %d", total, want)
	}
	if e := z.a.End(); e.Change != fsm.ShutdownComplete {
		t.Fatalf("ended by %v", e)
	}
	<-time.After(time.Second)
	synctest.Wait()
	if e := a.a.End(); e.Change != fsm.ShutdownComplete {
		t.Fatalf("ended by %v", e)
	}
}

// TestOnWakeLate: who asks to be woken after the end is told of it.
func TestOnWakeLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z := pair(t, tcb.DefaultConfig(), 1500)
		defer a.close()
		defer z.close()
		peer := []netip.Addr{netip.MustParseAddr("10.0.0.2")}
		if _, err := a.ep.Associate(peer, 5000, 0, nil, nil); !errors.Is(err, syscall.EISCONN) {
			t.Fatal(err)
		}
		a.a.Abort(nil)
		synctest.Wait()
		b, err := a.ep.Associate(peer, 5000, 0, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.Abort(nil)
		synctest.Wait()
		c := z.ep.Accept()
		for _, x := range []*stack.Assoc{b, c} {
			var got sideeffects.Wake
			x.OnWake(func(w sideeffects.Wake) { got |= w })
			if want := sideeffects.WakeUp | sideeffects.WakeEnded; got&want != want {
				t.Errorf("woken by %b only", got)
			}
		}
	})
}

func BenchmarkMem(b *testing.B) {
	for _, size := range []int{100, 1400, 65536} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			cfg := tcb.DefaultConfig()
			a, z := pair(b, cfg, 1500)
			defer a.close()
			defer z.close()
			p := make([]byte, size)
			done := make(chan int)
			go func() {
				var buf []byte
				n := 0
				for {
					var err error
					buf, _, err = z.recv(buf[:0])
					if err != nil {
						done <- n
						return
					}
					n++
				}
			}()
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if err := a.send(0, false, p); err != nil {
					b.Fatal(err)
				}
			}
			a.a.Shutdown()
			<-done
		})
	}
}
