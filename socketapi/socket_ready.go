package socketapi

import (
	"context"
)

// Ready says what a Socket can do without waiting, as poll does.
type Ready uint8

// Readiness.
const (
	Readable   Ready = 1 << iota // a message, an event, the end, or an association to accept
	Writable                     // room to send, or a failure to hear of by sending
	HangUpRead                   // a one-to-one peer has shut down
	HangUp                       // a one-to-one association has ended
	Failed                       // TakeError has something to tell
)

// Ready returns what the socket can do now.
func (s *Socket) Ready() Ready {
	if s.enter() != nil {
		return HangUp
	}
	defer s.mu.Unlock()
	var r Ready
	if s.tcp() && s.listening {
		if s.ep.Waiting() > 0 {
			r |= Readable
		}
		return r
	}
	if s.reader() != nil {
		r |= Readable
	}
	if s.err != nil {
		r |= Failed | Readable
	}
	if !s.single() {
		if !s.anyFull() {
			r |= Writable
		}
		return r
	}
	if s.rcvShut {
		r |= HangUpRead | Readable
	}
	switch m := s.one; {
	case m == nil:
	case m.ended:
		r |= HangUp | Writable
	case m.up && !m.full:
		r |= Writable
	}
	return r
}

// anyFull reports whether sending had to wait, and still has.
func (s *Socket) anyFull() bool {
	for _, m := range s.members {
		if m.full {
			return true
		}
	}
	return false
}

// OnReady has f called, from any goroutine, after anything may have changed
// that Ready tells; nil stops it. f must not call the socket: it may be called
// from within one of the socket's methods.
func (s *Socket) OnReady(f func()) {
	if f == nil {
		s.onReady.Store(nil)
		return
	}
	s.onReady.Store(&f)
}

// TakeError returns the error with which a one-to-one association ended, once
// (SO_ERROR); nil if there is none.
func (s *Socket) TakeError() error {
	if s.enter() != nil {
		return nil
	}
	defer s.mu.Unlock()
	err := s.err
	s.err = nil
	return err
}

// Close ends all associations of the socket: gracefully in the background or,
// if there are unread messages or Options.Linger says so, with an ABORT. On a
// one-to-one socket it waits for the end for as long as Linger says.
func (s *Socket) Close() error {
	linger, err := s.close(false)
	if err != nil || linger.Time <= 0 || !linger.On {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), linger.Time)
	defer cancel()
	for {
		seq := s.wr.look()
		s.leaf.Lock()
		left := s.left
		s.leaf.Unlock()
		if left == 0 || !s.wr.wait(seq, ctx.Done()) {
			return nil
		}
	}
}

// abandon is Close when the host closes.
func (s *Socket) abandon() {
	if _, err := s.close(true); err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.leavers {
		m.a.Abort(nil)
	}
}

func (s *Socket) close(abort bool) (Linger, error) {
	if err := s.enter(); err != nil {
		return Linger{}, err
	}
	l := s.opt.Linger
	abort = abort || l.On && l.Time == 0
	for _, m := range s.queue {
		abort = abort || m.unread()
	}
	if s.mid != nil {
		abort = abort || s.mid.unread()
	}
	if !s.tcp() {
		l.On = false
	}
	s.closed.Store(true)
	listening := s.listening
	s.listening = false
	if s.owns {
		if listening {
			s.ep.Unlisten()
		}
		_ = s.ep.Close()
	}
	for _, m := range s.queue {
		if m.ended {
			m.drop()
		}
	}
	for _, m := range s.members {
		s.leavers = append(s.leavers, m)
		m.drop()
		if abort || !m.up && m.a.Status().Queued == 0 {
			m.a.Abort(nil)
		} else {
			m.a.Shutdown()
		}
	}
	s.queue, s.mid, s.err = nil, nil, nil
	s.leaf.Lock()
	s.woken = nil
	s.leaf.Unlock()
	for _, m := range s.leavers {
		if m.a.EndErr() != nil {
			s.count(m) // before anybody waits for it
		}
	}
	s.leaf.Lock()
	s.counted = true
	for _, m := range s.leavers {
		if !m.gone {
			s.left++
		}
	}
	none := s.left == 0
	s.leaf.Unlock()
	s.mu.Unlock()
	if none {
		s.host.removeSocket(s)
	}
	s.rd.stop()
	s.wr.stop()
	s.rd.broadcast()
	s.wr.broadcast()
	return l, nil
}

// unread reports whether there are messages that nobody has read.
func (m *member) unread() bool {
	if m.in.cur != nil {
		return true
	}
	for i := m.head; i < len(m.items); i++ {
		if m.items[i].msg != nil {
			return true
		}
	}
	return false
}

// drop gives what was not read back to the stack.
func (m *member) drop() {
	for ; !m.empty(); m.pop() {
		if msg := m.front().msg; msg != nil && msg != m.in.cur {
			m.in.list.Push(msg)
		}
	}
	m.in.leave(m.a)
	m.a.Discard()
}
