package socketapi

import (
	"net/netip"
	"sync/atomic"

	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// member is an association of a Socket. The stack tells what became possible
// from any goroutine, also from one that has the socket locked: that is only
// noted, and whoever next locks the socket settles it.
type member struct {
	owner atomic.Pointer[Socket]
	bits  atomic.Uint32 // Wakes that nobody has looked at
	a     *stack.Assoc
	id    AssocID

	gone bool // with the owner's leaf: the end was counted

	// With the owner's mu.
	in     inbox
	items  []item
	head   int        // of items
	open   bool       // the last piece of data that was taken is not a message's end
	queued bool       // in the owner's queue
	up     bool       // has come up
	ended  bool       // is gone
	endErr error      // and how; an *stack.EndError
	full   bool       // the send buffer was full, and nothing was said since
	held   bool       // messages wait for others to go with
	part   []byte     // of a message that has no end yet: explicit EOR
	send   SendParams // defaults
	events EventSet
	ctx    uint32 // Context of messages received
	whole  bool   // messages are not fragmented
	port   uint16
	peers  []netip.Addr // by path
}

// item is what there is to read: a message, a piece of one, or an event.
type item struct {
	msg *ulpqueue.Message
	ev  *Event
	ctx uint32
}

// peer is one address of a peer.
type peer struct {
	addr netip.Addr
	port uint16
}

// newMember returns a member without an association; with mu.
func (s *Socket) newMember() *member {
	m := &member{
		in:   inbox{report: s.opt.RecvBuffer / 16},
		send: s.opt.DefaultSend, events: s.opt.Events, ctx: s.opt.Context, whole: s.opt.DisableFragments,
	}
	m.owner.Store(s)
	return m
}

// wake is called by the stack, from any goroutine.
func (m *member) wake(w sideeffects.Wake) {
	first := m.bits.Or(uint32(w)) == 0
	s := m.owner.Load() // after the bits: PeelOff takes them from the old owner's list
	if first {
		s.leaf.Lock()
		s.woken = append(s.woken, m)
		s.leaf.Unlock()
	}
	s.tell(w)
	if s.closed.Load() {
		s.afterClose(m, w)
	}
}

// tell lets everybody look again.
func (s *Socket) tell(w sideeffects.Wake) {
	const both = sideeffects.WakeUp | sideeffects.WakeEnded
	if w&(both|sideeffects.WakeReadable) != 0 {
		s.rd.broadcast()
	}
	if w&(both|sideeffects.WakeWritable) != 0 {
		s.wr.broadcast()
	}
	if f := s.onReady.Load(); f != nil {
		(*f)()
	}
}

// settle catches up with what happened to the members; with mu.
func (s *Socket) settle() {
	s.leaf.Lock()
	arrived := s.arrived
	s.arrived = false
	s.scratch, s.woken = s.woken, s.scratch[:0]
	s.leaf.Unlock()
	for i, m := range s.scratch {
		s.scratch[i] = nil
		if m.owner.Load() == s {
			s.update(m, sideeffects.Wake(m.bits.Swap(0)))
		}
	}
	if arrived && s.style == OneToMany && s.listening {
		for a := s.ep.Accept(); a != nil; a = s.ep.Accept() {
			s.adopt(a)
		}
	}
}

// adopt takes an association that a peer set up.
func (s *Socket) adopt(a *stack.Assoc) *member {
	m := s.newMember()
	m.up = true
	s.join(m, a)
	a.OnWake(m.wake)
	s.update(m, sideeffects.Wake(m.bits.Load()))
	if e := a.EndErr(); e != nil {
		s.end(m)
	}
	return m
}

// join makes a the member's association.
func (s *Socket) join(m *member, a *stack.Assoc) {
	m.a, m.id = a, AssocID(a.ID())
	a.ReportSendFailures(m.events&sendFailedEvents != 0)
	s.members[m.id] = m
	if s.single() {
		s.one = m
	}
	s.learn(m)
}

// learn notes the addresses of the member's peer.
func (s *Socket) learn(m *member) {
	for _, a := range m.peers {
		delete(s.byAddr, peer{a, m.port})
	}
	t := m.a.Status()
	m.port, m.peers = t.PeerPort, m.peers[:0]
	for i := range t.Paths {
		m.peers = append(m.peers, t.Paths[i].Addr)
		if !m.ended {
			s.byAddr[peer{t.Paths[i].Addr, m.port}] = m
		}
	}
}

// update looks at what happened to m.
func (s *Socket) update(m *member, w sideeffects.Wake) {
	if w&sideeffects.WakeUp != 0 {
		s.cameUp(m)
	}
	if w&sideeffects.WakeWritable != 0 {
		m.full = false
	}
	s.pull(m)
	if w&sideeffects.WakeEnded != 0 {
		s.end(m)
	}
}

func (s *Socket) cameUp(m *member) {
	m.up = true
	if !m.ended {
		s.learn(m)
	}
}

// end takes note that m is gone. What was not read stays.
func (s *Socket) end(m *member) {
	if m.ended {
		return
	}
	m.endErr = m.a.EndErr()
	if m.endErr == nil {
		return
	}
	s.pull(m)
	m.ended, m.full, m.part = true, false, nil
	delete(s.members, m.id)
	for _, a := range m.peers {
		delete(s.byAddr, peer{a, m.port})
	}
	if s.single() {
		switch {
		case !graceful(m.endErr):
			s.err = translate(m.endErr)
		default:
			s.rcvShut = true
		}
	}
	s.drained(m)
}

// drained lets an association go that has ended and has nothing to read.
func (s *Socket) drained(m *member) {
	if m.ended && m.empty() && m.in.cur == nil {
		if s.mid == m {
			s.mid = nil
		}
		m.in.leave(m.a)
	}
}

func (m *member) empty() bool { return m.head == len(m.items) }

func (m *member) front() *item { return &m.items[m.head] }

func (m *member) pop() {
	m.items[m.head] = item{}
	m.head++
	switch {
	case m.head == len(m.items):
		m.items, m.head = m.items[:0], 0
	case m.head >= 64 && m.head > len(m.items)/2:
		n := copy(m.items, m.items[m.head:])
		clear(m.items[n:])
		m.items, m.head = m.items[:n], 0
	}
}

// push adds something to read.
func (s *Socket) push(m *member, it item) {
	m.items = append(m.items, it)
	if !m.queued {
		m.queued = true
		s.queue = append(s.queue, m)
	}
}

// pull takes what is ready from the stack: messages, and the events that the
// user wants now. What was read is reported, which opens the window.
func (s *Socket) pull(m *member) {
	_ = m.in.fetch(m.a, 1<<30) // how it ended is for end to say
	for msg := m.in.list.Pop(); msg != nil; msg = m.in.list.Pop() {
		if msg.Kind == ulpqueue.KindData {
			m.open = !msg.EOR
			s.push(m, item{msg: msg, ctx: m.ctx})
			continue
		}
		s.noted(m, &msg.Note)
		m.a.Free(msg)
	}
}

// cut ends a message whose rest will not come.
func (s *Socket) cut(m *member) {
	if !m.open {
		return
	}
	m.open = false
	for i := len(m.items) - 1; i >= m.head; i-- {
		if msg := m.items[i].msg; msg != nil {
			msg.EOR = true // there is a piece that nobody has read
			return
		}
	}
	if m.in.cur != nil {
		m.in.cur.EOR = true
	} else if s.mid == m {
		s.mid = nil
	}
}

// find returns the association that an id names, nil if there is none.
func (s *Socket) find(id AssocID) *member {
	if s.single() {
		if m := s.one; m != nil && m.up && !m.ended {
			return m
		}
		return nil
	}
	return s.members[id]
}

// afterClose looks after an association that was left to end by itself.
func (s *Socket) afterClose(m *member, w sideeffects.Wake) {
	if w&sideeffects.WakeReadable != 0 {
		m.a.Discard()
	}
	if w&sideeffects.WakeEnded != 0 {
		s.count(m)
	}
}

// count takes note that an association of a closed socket has ended.
func (s *Socket) count(m *member) {
	s.leaf.Lock()
	last := false
	if !m.gone {
		m.gone = true
		if s.counted {
			s.left--
			last = s.left == 0
		}
	}
	s.leaf.Unlock()
	if last {
		s.host.removeSocket(s)
		s.wr.broadcast()
	}
}

// established reports whether data can be sent on m.
func (m *member) established() bool {
	return m.up && !m.ended && m.a.Status().State == tcb.Established
}

// noted turns a notification of the stack's into an event, if it is wanted.
func (s *Socket) noted(m *member, n *ulpqueue.Notification) {
	if n.Kind == ulpqueue.NotePartialAborted {
		if m.events.Has(EventPartialAborted) {
			m.open = false // the event is the end
		} else {
			s.cut(m)
		}
	}
	switch fsm.Note(n.Kind) {
	case fsm.NoteAssocChange:
		switch AssocChange(n.A) {
		case CommUp:
			s.cameUp(m)
		case Restarted:
			s.cameUp(m)
			if s.single() {
				s.rcvShut = false
			}
		}
	case fsm.NoteShutdown:
		if s.single() {
			s.rcvShut = true
		}
	}
	s.events(m, n)
}
