package socketapi

import (
	"context"
	"io"
	"net/netip"

	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// RecvFlags modify TryRecv and Recv.
type RecvFlags uint8

// RecvPeek leaves what is read to be read again.
const RecvPeek RecvFlags = 1

// Received is what TryRecv and Recv have read: a message, part of one, or an
// event.
type Received struct {
	N     int            // bytes of a message
	From  netip.AddrPort // where it came from; of an event, the primary address
	Info  RecvInfo       // of a message
	EOR   bool           // the message ends here; true with an event
	Event *Event         // nil: a message
	Next  *NextInfo      // with Options.RecvNxtInfo, if there is more to read
}

// NextInfo describes what the next call will read (RFC 6458 section 5.3.6).
type NextInfo struct {
	Stream       uint16
	Unordered    bool
	Notification bool
	PPID         uint32
	Length       int // bytes; of an incomplete message those that are here
	Event        *Event
	Assoc        AssocID
}

// TryRecv reads from the next message into p, or returns the next event. A
// message that p does not take, or whose end has not come, goes on with the
// next call. io.EOF: a one-to-one peer has shut down; EAGAIN: nothing is there;
// ENOTCONN: a one-to-one socket that listens; the pending error of a one-to-one
// socket comes after all data.
func (s *Socket) TryRecv(p []byte, fl RecvFlags) (Received, error) {
	var r Received
	err := s.tryRecv(p, fl, &r, false)
	return r, err
}

// Recv is TryRecv that waits. ENOTCONN: there is nothing to wait for, as the
// socket has no association and does not listen.
func (s *Socket) Recv(ctx context.Context, p []byte, fl RecvFlags) (Received, error) {
	var r Received
	if err := ctx.Err(); err != nil {
		return r, err
	}
	for {
		seq := s.rd.look()
		err := s.tryRecv(p, fl, &r, true)
		if err != errAgain {
			return r, err
		}
		if s.rd.expired.Load() {
			return r, errDeadline
		}
		if !s.rd.wait(seq, ctx.Done()) {
			return r, ctx.Err()
		}
	}
}

// MayWait returns the error that Recv has in place of waiting: ENOTCONN, or nil
// if something may come. It is for callers that wait by themselves after EAGAIN.
func (s *Socket) MayWait() error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	return s.mayWait()
}

func (s *Socket) mayWait() error {
	if len(s.members) == 0 && !s.listening && s.reader() == nil {
		return errNotConn
	}
	return nil
}

func (s *Socket) tryRecv(p []byte, fl RecvFlags, r *Received, wait bool) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if s.tcp() && s.listening {
		return errNotConn
	}
	m := s.reader()
	if m == nil {
		switch {
		case s.err != nil:
			err := s.err
			s.err = nil
			return err
		case s.rcvShut:
			return io.EOF
		case wait && s.mayWait() != nil:
			return errNotConn
		}
		return errAgain
	}
	if m.in.cur == nil {
		it := *m.front()
		if it.ev != nil {
			r.Event, r.EOR, r.From = it.ev, true, s.primary(m)
			if fl&RecvPeek == 0 {
				m.pop()
				if s.mid == m && it.ev.Kind == EventPartialAborted {
					s.mid = nil
				}
			}
			s.after(m, r, fl)
			return nil
		}
		m.in.begin(it.msg)
	}
	r.From = s.from(m, m.in.cur.From)
	ctx := m.front().ctx
	if fl&RecvPeek != 0 {
		r.N, _, _ = m.in.peek(p, &r.Info)
	} else {
		s.mid = m
		r.N = m.in.copy(m.a, p, &r.Info)
		if m.in.cur == nil {
			if r.Info.EOR {
				s.mid = nil
			}
			m.pop()
		}
		if m.in.read >= m.in.report {
			s.pull(m)
		}
	}
	r.Info.Context, r.Info.Assoc = ctx, m.id
	r.EOR = r.Info.EOR
	s.after(m, r, fl)
	return nil
}

// reader returns whose turn it is to be read, nil if nobody has anything.
func (s *Socket) reader() *member {
	if m := s.mid; m != nil {
		if m.in.cur != nil || !m.empty() {
			return m
		}
		if s.opt.FragmentInterleave == 0 {
			return nil // the rest of a message comes first
		}
	}
	if len(s.queue) == 0 {
		return nil
	}
	return s.queue[0]
}

// after looks after the turns once something of m was read.
func (s *Socket) after(m *member, r *Received, fl RecvFlags) {
	if fl&RecvPeek == 0 && s.mid != m {
		s.turn(m)
	}
	if s.opt.RecvNxtInfo && (fl&RecvPeek == 0 || r.EOR) {
		r.Next = s.next(m, fl)
	}
	if s.mid == m && m.empty() && m.in.cur == nil {
		s.unqueue(m)
	}
	s.drained(m)
}

// turn puts m behind the others, or out of the queue.
func (s *Socket) turn(m *member) {
	s.unqueue(m)
	if !m.empty() {
		m.queued = true
		s.queue = append(s.queue, m)
	}
}

func (s *Socket) unqueue(m *member) {
	if !m.queued {
		return
	}
	m.queued = false
	for i, q := range s.queue {
		if q == m {
			copy(s.queue[i:], s.queue[i+1:])
			s.queue[len(s.queue)-1] = nil
			s.queue = s.queue[:len(s.queue)-1]
			return
		}
	}
}

// next describes what comes after what was read of m.
func (s *Socket) next(m *member, fl RecvFlags) *NextInfo {
	skip := 0
	if fl&RecvPeek != 0 {
		skip = 1 // what was peeked at
	} else if m = s.reader(); m == nil {
		return nil
	}
	if m.in.cur != nil && skip == 0 {
		return nil // the same message goes on
	}
	if m.head+skip >= len(m.items) {
		return nil
	}
	it := &m.items[m.head+skip]
	n := &NextInfo{Assoc: m.id}
	if it.ev != nil {
		n.Notification, n.Event = true, it.ev
		return n
	}
	n.Stream, n.Unordered, n.PPID, n.Length = uint16(it.msg.Stream), it.msg.Unordered, uint32(it.msg.PPID), it.msg.Len
	return n
}

// from returns the address of a path of m's.
func (s *Socket) from(m *member, p tcb.PathID) netip.AddrPort {
	if int(p) >= len(m.peers) {
		s.learn(m)
	}
	if int(p) >= len(m.peers) {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(m.peers[p], m.port)
}

// NextLen returns the bytes of the message, or the rest of one, that is read
// next: 0 if there is none or it is an event (FIONREAD).
func (s *Socket) NextLen() int {
	if s.enter() != nil {
		return 0
	}
	defer s.mu.Unlock()
	m := s.reader()
	switch {
	case m == nil:
		return 0
	case m.in.cur != nil:
		return m.in.rest()
	case m.front().msg != nil:
		return m.front().msg.Len
	}
	return 0
}

// Shut says which directions Shutdown ends.
type Shut uint8

// Directions.
const (
	ShutRead Shut = iota
	ShutWrite
	ShutBoth
)

// Shutdown ends a one-to-one socket's directions: writing gracefully, with what
// was sent still delivered, and reading here only. ENOTCONN: it has no
// association; EOPNOTSUPP: it listens. On a one-to-many socket it does nothing:
// SendEOF does.
func (s *Socket) Shutdown(how Shut) error {
	if how > ShutBoth {
		return errArgument
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.mu.Unlock()
	switch {
	case s.listening && how == ShutWrite:
		return nil
	case s.listening:
		s.rd.broadcast()
		return errStyle
	case !s.single():
		return errNotConn
	}
	m := s.find(0)
	if m == nil {
		return errNotConn
	}
	if how != ShutWrite {
		s.rcvShut = true
	}
	if how != ShutRead {
		s.sndShut = true
		m.a.Shutdown()
	}
	s.tell(sideeffects.WakeReadable | sideeffects.WakeWritable)
	return nil
}
