package explore

import (
	"errors"
	"math/rand/v2"
	"net/netip"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/transport"
)

// narrow is a host that is a whole stack, with the real pipes.
type narrow struct {
	h     *host
	stack *stack.Stack
	ep    *stack.Endpoint
	rng   *rand.ChaCha8
	assoc map[uint32]*sideeffects.Association
}

func newNarrow(h *host) *narrow {
	e := &narrow{h: h, rng: rand.NewChaCha8([32]byte{byte(h.side)})}
	e.boot()
	return e
}

func (e *narrow) boot() {
	e.assoc = make(map[uint32]*sideeffects.Association)
	s, err := stack.New(stack.World{Clock: e, Entropy: e, Links: []transport.Link{e}},
		stack.Options{Shards: 1, Paranoid: true, Trace: e})
	if err == nil {
		e.stack = s
		if e.ep, err = s.Open(nil, port, e.h.w.set.config()); err == nil {
			e.ep.Listen(4, nil)
			return
		}
	}
	panic(err)
}

// Read is the stack's entropy. What is read as large as the key of cookies is
// one, and that is to be had again after a restart.
func (e *narrow) Read(b []byte) (int, error) {
	if len(b) == 32 {
		clear(b)
		b[0], b[1] = byte(e.h.side), e.h.secret
		return len(b), nil
	}
	return e.rng.Read(b)
}

// Now implements mono.Clock.
func (e *narrow) Now() mono.Time { return e.h.now }

// NewTimer implements mono.Clock.
func (e *narrow) NewTimer() mono.Timer { return noTimer{} }

type noTimer struct{}

func (noTimer) Set(mono.Time)      {}
func (noTimer) Stop()              {}
func (noTimer) C() <-chan struct{} { return nil }

// ReadBatch implements transport.Link.
func (e *narrow) ReadBatch([]transport.RxSlot) (int, error) { return 0, errors.ErrUnsupported }

// WriteBatch implements transport.Link.
func (e *narrow) WriteBatch(slots []transport.TxSlot) error {
	for i := range slots {
		e.h.sends(slots[i].Data)
	}
	return nil
}

// Route implements transport.Link.
func (e *narrow) Route(dst netip.Addr) (transport.Route, error) {
	if dst != addrs[1-e.h.side] {
		return transport.Route{}, transport.ErrUnreachable
	}
	return transport.Route{Src: addrs[e.h.side], MTU: 1500, Overhead: 20}, nil
}

// Addrs implements transport.Link.
func (e *narrow) Addrs() ([]netip.Addr, error) { return addrs[e.h.side : e.h.side+1], nil }

// Close implements transport.Link.
func (e *narrow) Close() error { return nil }

// Step implements sideeffects.Tracer.
func (e *narrow) Step(s *sideeffects.Step) {
	if s.Assoc != nil {
		e.assoc[s.Assoc.ID()] = s.Assoc
	}
	e.h.Step(s)
}

func (e *narrow) input(p []byte) {
	e.stack.Input(0, []transport.RxSlot{{Data: p, Src: addrs[1-e.h.side], Dst: addrs[e.h.side]}}, e.h.now)
}

func (e *narrow) associate() (conn, bool) {
	a, err := e.ep.Associate([]netip.Addr{addrs[1-e.h.side]}, port, 0, nil, func(sideeffects.Wake) {})
	if err != nil {
		return conn{}, false // the peer was quicker
	}
	return conn{as: a, a: e.assoc[a.Status().ID]}, true
}

func (e *narrow) accept() (conn, bool) {
	a := e.ep.Accept()
	if a == nil {
		return conn{}, false
	}
	return conn{as: a, a: e.assoc[a.Status().ID]}, true
}

func (e *narrow) call(k Kind, c *conn, letter byte) bool {
	switch k {
	case Send:
		b := c.as.Buffer(1)
		b.B[0] = letter
		if err := c.as.Send(stack.Message{Stream: dataStream, PPID: dataPPID}, b); err != nil {
			c.as.FreeBuffer(b)
			return false
		}
	case Shutdown:
		c.as.Shutdown()
	case Abort:
		c.as.Abort(nil)
	case Primary:
		return c.as.SetPrimary(addrs[1-e.h.side]) == nil
	default:
		return false
	}
	return true
}

func (e *narrow) step() mono.Time { return e.stack.Step(e.h.now) }

func (e *narrow) associations() int { return e.stack.Stats().Associations }

func (e *narrow) read(c *conn) {
	for {
		var l ulpqueue.List
		err := c.as.Recv(&l, 1<<20, 0)
		read := 0
		for m := l.Pop(); m != nil; m = l.Pop() {
			if m.Kind == ulpqueue.KindNotification {
				e.h.notified(c, fsm.Note(m.Note.Kind), fsm.AssocChange(m.Note.A))
			} else {
				if m.Len != 1 {
					e.h.w.fail("%c: a message of %d bytes", sideNames[e.h.side], m.Len)
				}
				e.h.message(c, m.Head.B[0])
				read += m.Len
			}
			c.as.Free(m)
		}
		if read > 0 {
			_ = c.as.Recv(&l, 0, read)
		}
		var end *stack.EndError
		switch {
		case errors.As(err, &end):
			e.h.over(c, end.End)
			return
		case err != nil:
			return
		}
	}
}
