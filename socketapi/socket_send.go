package socketapi

import (
	"context"
	"errors"
	"net/netip"
	"syscall"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack"
)

// SendFlags are Linux's sinfo_flags.
type SendFlags uint16

// Flags of SendParams.
const (
	SendUnordered       SendFlags = 0x0001 // may overtake others of its stream
	SendAddrOver        SendFlags = 0x0002 // to the given address, and not on the primary path
	SendAbort           SendFlags = 0x0004 // end the association; the message is the reason
	SendSackImmediately SendFlags = 0x0008 // ask the peer to acknowledge at once (RFC 7053)
	SendAll             SendFlags = 0x0040 // to all associations of a one-to-many socket
	SendEOF             SendFlags = 0x0200 // shut the association down; there is no message
	// SendEOR ends a message where Options.ExplicitEOR is set (RFC 6458
	// section 8.1.26). Linux has no such flag.
	SendEOR SendFlags = 0x2000

	knownSendFlags   = SendUnordered | SendAddrOver | SendAbort | SendSackImmediately | SendAll | SendEOF | SendEOR
	defaultSendFlags = SendUnordered | SendAddrOver | SendAbort | SendEOF
)

// SendParams says how a message is sent. The zero value is ordered on stream 0.
type SendParams struct {
	Stream  uint16
	Flags   SendFlags
	PPID    uint32 // payload protocol identifier, in host byte order
	Context uint32 // the caller's own; comes back with EventSendFailed
	Assoc   AssocID
	// TTL, in milliseconds, and Policy are PR-SCTP's, and without effect as
	// toward a peer that does not know it.
	TTL    uint32
	Policy uint16
}

// prPolicies are the bits that Policy may have.
const prPolicies = 0x30

// TrySend sends p as one message, or part of one with Options.ExplicitEOR. to
// has addresses of the peer: the first selects the association, on a
// one-to-many socket, and where there is none all of them are a peer to
// associate with. Without to, sp.Assoc selects it. sp is nil for the defaults.
// With more, the message may wait for the next one.
//
// EAGAIN: no room in the send buffer; EPIPE: no association, or it is shutting
// down; EMSGSIZE: larger than the send buffer, or than a packet with
// DisableFragments; EINVAL: what the association does not have, or cannot be
// combined; EADDRNOTAVAIL: not an address of this socket's association.
func (s *Socket) TrySend(p []byte, to []netip.AddrPort, sp *SendParams, more bool) (int, error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	n, _, err := s.send(p, to, sp, more)
	s.mu.Unlock()
	return n, err
}

// Send is TrySend that waits for room, and until an association that it makes
// is up or has failed, which is not an error of Send's.
func (s *Socket) Send(ctx context.Context, p []byte, to []netip.AddrPort, sp *SendParams, more bool) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	for {
		seq := s.wr.look()
		if err := s.enter(); err != nil {
			return 0, err
		}
		if s.wr.expired.Load() {
			s.mu.Unlock()
			return 0, errDeadline
		}
		n, made, err := s.send(p, to, sp, more)
		s.mu.Unlock()
		if err == nil && made != nil {
			_ = s.until(ctx, &s.wr, func() error { return s.settled(made) })
		}
		if err != errAgain {
			return n, err
		}
		if !s.wr.wait(seq, ctx.Done()) {
			return 0, ctx.Err()
		}
	}
}

// settled says whether m is up or gone, and leaves errors to be told later.
func (s *Socket) settled(m *member) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if m.up || m.ended {
		return nil
	}
	return errAgain
}

// send is TrySend with mu. It returns the association that it made, if any.
func (s *Socket) send(p []byte, to []netip.AddrPort, sp *SendParams, more bool) (int, *member, error) {
	if s.tcp() && s.listening {
		return 0, nil, errPipe
	}
	if len(p) > s.opt.SendBuffer {
		return 0, nil, stack.ErrTooLong
	}
	var flags SendFlags
	var id AssocID
	if sp != nil {
		flags, id = sp.Flags, sp.Assoc
		if flags&^knownSendFlags != 0 || sp.Policy&^prPolicies != 0 {
			return 0, nil, errArgument
		}
	}
	switch end := flags & (SendEOF | SendAbort); {
	case s.tcp() && end != 0,
		end == SendEOF && len(p) > 0,
		end == 0 && len(p) == 0,
		flags&SendAddrOver != 0 && len(to) == 0:
		return 0, nil, errArgument
	}
	if flags&SendAll != 0 && !s.single() {
		return s.sendAll(p, sp, more)
	}
	m, made, err := s.target(to, id, flags)
	if err != nil {
		return 0, nil, err
	}
	var via netip.Addr
	if len(to) > 0 && !s.peeled && (s.tcp() || flags&SendAddrOver != 0) {
		via = to[0].Addr().Unmap()
	}
	n, err := s.sendOn(m, p, sp, via, more)
	if err == nil && made {
		return n, m, nil
	}
	return n, nil, err
}

// target finds or makes the association to send on.
func (s *Socket) target(to []netip.AddrPort, id AssocID, flags SendFlags) (m *member, made bool, err error) {
	if len(to) > 0 && !s.peeled {
		for i, a := range to {
			ip, err := s.peerAddr(a)
			if err != nil {
				return nil, false, err
			}
			if i == 0 {
				m = s.byAddr[peer{ip, a.Port()}]
			}
		}
		if m == nil {
			m, err = s.implicit(to, flags)
			return m, err == nil, err
		}
		return m, false, nil
	}
	if m = s.find(id); m == nil {
		return nil, false, s.pipe()
	}
	return m, false, nil
}

// implicit makes an association because a message is sent to its peer.
func (s *Socket) implicit(to []netip.AddrPort, flags SendFlags) (*member, error) {
	if flags&(SendEOF|SendAbort) != 0 {
		return nil, errArgument
	}
	if s.tcp() && s.one != nil && !s.one.ended {
		return nil, fail("not an address of this association", syscall.EADDRNOTAVAIL)
	}
	if err := s.autobind(); err != nil {
		return nil, err
	}
	var ips []netip.Addr
	for _, a := range to {
		if a.Port() != to[0].Port() {
			return nil, errArgument
		}
		ips = append(ips, a.Addr().Unmap())
	}
	return s.associate(ips, to[0].Port())
}

// pipe is EPIPE, or the error that is pending.
func (s *Socket) pipe() error {
	if err := s.err; err != nil {
		s.err = nil
		return err
	}
	return errPipe
}

// sendAll sends to each association that is up.
func (s *Socket) sendAll(p []byte, sp *SendParams, more bool) (int, *member, error) {
	ids := s.ids()
	for _, id := range ids {
		m := s.members[id]
		if m == nil || !m.established() {
			continue
		}
		if _, err := s.sendOn(m, p, sp, netip.Addr{}, more); err != nil {
			return 0, nil, err
		}
	}
	if sp.Flags&(SendEOF|SendAbort) != 0 {
		return 0, nil, nil
	}
	return len(p), nil, nil
}

// sendOn sends on m, to via if it is valid.
func (s *Socket) sendOn(m *member, p []byte, sp *SendParams, via netip.Addr, more bool) (int, error) {
	if sp == nil {
		d := m.send
		d.Assoc = m.id
		sp = &d
	}
	switch {
	case sp.Flags&SendAbort != 0:
		m.a.Abort(p)
		return 0, nil
	case sp.Flags&SendEOF != 0:
		m.a.Shutdown()
		return 0, nil
	case s.sndShut:
		return 0, s.pipe()
	}
	n := len(p)
	if s.opt.ExplicitEOR {
		if len(m.part)+n > s.opt.SendBuffer {
			return 0, stack.ErrTooLong
		}
		if sp.Flags&SendEOR == 0 {
			m.part = append(m.part, p...)
			return n, nil
		}
		p = append(m.part[:len(m.part):len(m.part)], p...)
	}
	if m.whole && len(p) > m.a.FragmentSize() { // R-6.9-05
		return 0, fail("the message does not fit one packet", syscall.EMSGSIZE)
	}
	b := m.a.Buffer(len(p))
	copy(b.B, p)
	err := m.a.Send(stack.Message{
		Stream: chunk.StreamID(sp.Stream), PPID: chunk.PPID(sp.PPID), Context: sp.Context,
		Unordered: sp.Flags&SendUnordered != 0, Immediate: sp.Flags&SendSackImmediately != 0,
		More: more, To: via,
	}, b)
	if err == nil {
		m.held, m.part = more, nil
		return n, nil
	}
	m.a.FreeBuffer(b)
	var end *stack.EndError
	switch {
	case errors.Is(err, stack.ErrWouldBlock):
		m.full = true
		if m.held { // or it would never come free
			m.held = false
			m.a.Push()
		}
		return 0, errAgain
	case errors.As(err, &end):
		s.end(m)
		return 0, s.pipe()
	case err == stack.ErrClosing:
		return 0, s.pipe()
	}
	return 0, err
}
