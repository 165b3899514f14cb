package sim

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Calls of the API beside those that a transfer needs: sensible ones and
// mistakes. What they answer is checked.

// pokes plans the next of n calls.
func (u *user) pokes(n int) {
	if n == 0 {
		return
	}
	u.later(mono.Duration(u.rng.ExpFloat64()*float64(u.plan.PokeEvery)), func() {
		if u.over() {
			return
		}
		u.run.counts[Pokes]++
		u.poke()
		u.pokes(n - 1)
	})
}

func (u *user) poke() {
	switch u.rng.IntN(8) {
	case 0:
		u.setPrimary()
	case 1: // longer than fits
		u.badMessage(u.run.config(u.side).SendBuffer+1+u.rng.IntN(100000), 0, stack.ErrTooLong)
	case 2: // no message at all
		u.badMessage(0, 0, syscall.EINVAL)
	case 3: // a stream that nobody has
		u.badMessage(1+u.rng.IntN(100), int(u.run.config(u.side).OutStreams), stack.ErrStream)
	case 4:
		u.checkStatus()
	case 5:
		if err := u.as.EndErr(); (err != nil) != u.as.End().Ended {
			u.run.fail("%s: EndErr is %v", u.name, err)
		}
	case 6: // to close again is no mistake
		if s := u.as.Status().State; s > tcb.Established || s == tcb.Closed {
			u.as.Shutdown()
		}
	case 7: // a buffer that comes to nothing
		u.as.FreeBuffer(u.as.Buffer(1 + u.rng.IntN(10000)))
	}
}

// setPrimary names one of the peer's addresses, or another.
func (u *user) setPrimary() {
	peers := append(slices.Clone(u.run.addrs[1-u.side]), netip.MustParseAddr("10.99.0.9"))
	i := u.rng.IntN(len(peers))
	before := u.as.Status()
	err := u.as.SetPrimary(peers[i])
	after := u.as.Status()
	at := slices.IndexFunc(before.Paths, func(p sideeffects.PathStatus) bool { return p.Addr == peers[i] })
	var end *stack.EndError
	switch {
	case errors.As(err, &end):
	case errors.Is(err, stack.ErrNoPath):
		if at >= 0 {
			u.run.fail("%s: SetPrimary says that %v is no address of the peer", u.name, peers[i])
		}
	case errors.Is(err, stack.ErrPathState):
	case err != nil:
		u.run.fail("%s: SetPrimary: %w", u.name, err)
	case at < 0 || int(after.Primary) != at:
		u.run.fail("%s: the primary path is %d after SetPrimary(%v)", u.name, after.Primary, peers[i])
	}
}

// badMessage sends what cannot be sent.
func (u *user) badMessage(size, stream int, want error) {
	b := u.as.Buffer(max(size, 1))
	b.B = b.B[:size]
	err := u.as.Send(stack.Message{Stream: chunk.StreamID(stream)}, b)
	if err == nil {
		u.run.fail("%s: a message of %d bytes on stream %d was taken", u.name, size, stream)
		return
	}
	u.as.FreeBuffer(b)
	var end *stack.EndError
	if !errors.Is(err, want) && !errors.Is(err, stack.ErrClosing) && !errors.Is(err, stack.ErrWouldBlock) && !errors.As(err, &end) {
		u.run.fail("%s: a message of %d bytes on stream %d: %w, want %v", u.name, size, stream, err, want)
	}
}

// checkStatus checks what must hold at any time.
func (u *user) checkStatus() {
	s := u.as.Status()
	inFlight := 0
	for _, p := range s.Paths {
		inFlight += p.InFlight
		if p.RTO < u.run.config(u.side).RTOMin || p.RTO > u.run.config(u.side).RTOMax || p.Cwnd <= 0 || p.InFlight < 0 {
			u.run.fail("%s: a path is impossible: %+v", u.name, p)
		}
	}
	if s.State != tcb.Closed && (s.InFlight > inFlight || s.InFlight < 0 || s.Queued < 0 || s.Held < 0 || s.PeerRwnd < 0) {
		u.run.fail("%s: the status is impossible: %+v", u.name, s)
	}
}
