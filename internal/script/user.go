package script

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// The stack's user: primitives, and what they tell (RFC 9260 section 11).

type user struct {
	ep    *stack.Endpoint
	a     *stack.Assoc // that primitives are about
	read  int          // bytes read since the stack was told
	inbox []message
	notes []note
}

type message struct {
	stream             chunk.StreamID
	ssn                chunk.SSN
	ppid               chunk.PPID
	tsn                chunk.TSN
	unordered, partial bool
	data               []byte
}

func (m *message) String() string {
	s := fmt.Sprintf("%v stream=%d ssn=%d ppid=%d", value{kind: bytesValue, bytes: m.data}, m.stream, m.ssn, m.ppid)
	if m.unordered {
		s += " unordered"
	}
	if m.partial {
		s += " partial"
	}
	return s
}

type note struct {
	name  string
	cause chunk.CauseCode
	addr  netip.Addr
}

func (n note) String() string {
	s := n.name
	if n.cause != 0 {
		s += " cause=" + causeName(n.cause)
	}
	if n.addr.IsValid() {
		s += " address=" + n.addr.String()
	}
	return s
}

var (
	assocChanges = []string{"COMM_UP", "COMM_LOST", "RESTART", "SHUTDOWN_COMP", "CANT_STR_ASSOC", "GONE"}
	pathEvents   = []string{"PATH_AVAILABLE", "PATH_UNREACHABLE", "PATH_CONFIRMED"}
	noteNames    = append(append([]string{"REMOTE_ERROR", "SHUTDOWN_EVENT"}, assocChanges...), pathEvents...)
	stateNames   = func() (l []string) {
		for s := range tcb.NumStates {
			l = append(l, s.String())
		}
		return l
	}()
	errorNames = []struct {
		name string
		err  error
	}{
		{"would_block", stack.ErrWouldBlock}, {"closing", stack.ErrClosing}, {"too_long", stack.ErrTooLong},
		{"no_stream", stack.ErrStream}, {"no_path", stack.ErrNoPath}, {"path_state", stack.ErrPathState}, {"no_peer", stack.ErrNoPeer},
	}
)

// poll accepts an association, and takes what there is to read.
func (u *user) poll(r *runner) error {
	for u.a == nil || u.a.End().Ended {
		a := u.ep.Accept()
		if a == nil {
			break
		}
		u.drain()
		u.a = a
	}
	u.drain()
	return nil
}

func (u *user) drain() {
	if u.a == nil {
		return
	}
	var l ulpqueue.List
	for {
		err := u.a.Recv(&l, 1<<20, u.read)
		u.read = 0
		if err != nil || l.Empty() {
			return
		}
		for m := l.Pop(); m != nil; m = l.Pop() {
			u.keep(m)
			u.a.Free(m)
		}
	}
}

func (u *user) keep(m *ulpqueue.Message) {
	if m.Kind == ulpqueue.KindNotification {
		n := note{name: "?"}
		switch k := m.Note; {
		case k.Kind == ulpqueue.NotePartialAborted:
			n.name = "PARTIAL_DELIVERY_ABORTED"
		case fsm.Note(k.Kind) == fsm.NoteAssocChange:
			n.name, n.cause = fsm.AssocChange(k.A).String(), chunk.CauseCode(k.B)
		case fsm.Note(k.Kind) == fsm.NotePathChange:
			if int(k.B) < len(pathEvents) {
				n.name = pathEvents[k.B]
			}
			if p := u.a.Status().Paths; int(k.A) < len(p) {
				n.addr = p[k.A].Addr
			}
		case fsm.Note(k.Kind) == fsm.NoteRemoteError:
			n.name, n.cause = "REMOTE_ERROR", chunk.CauseCode(k.B)
		case fsm.Note(k.Kind) == fsm.NoteShutdown:
			n.name = "SHUTDOWN_EVENT"
		}
		u.notes = append(u.notes, n)
		return
	}
	msg := message{stream: m.Stream, ssn: m.SSN, ppid: m.PPID, tsn: m.TSN, unordered: m.Unordered, partial: !m.EOR}
	for s := m.Head; s != nil; s = s.Next {
		msg.data = append(msg.data, s.B...)
	}
	u.inbox = append(u.inbox, msg)
}

// left fails if the user got something that the script did not expect.
func (u *user) left(r *runner) error {
	u.drain()
	if len(u.inbox) > 0 {
		return fmt.Errorf("at the end of the script: expected nothing more to receive, came %v", &u.inbox[0])
	}
	return nil
}

var errNoAssoc = errors.New("there is no association yet")

// primitive is a call of the user's.
type primitive struct {
	name string
	data []byte
	addr netip.Addr
	opts []field
}

func (p *primitive) run(r *runner) error {
	if err := r.rest(); err != nil {
		return err
	}
	if err := r.user.poll(r); err != nil {
		return err
	}
	err := p.call(r)
	if f := option(p.opts, "fails"); f != nil {
		if err == nil {
			return fmt.Errorf("expected the call to fail by %v, and it did not", f.val)
		}
		if got := errorName(err); f.val.name != got {
			return fmt.Errorf("expected the call to fail by %v, came %s: %w", f.val, got, err)
		}
	} else if err != nil {
		return err
	}
	if err := r.pass(r.net.Now(), never); err != nil {
		return err
	}
	return r.acted()
}

func errorName(err error) string {
	for _, e := range errorNames {
		if errors.Is(err, e.err) {
			return e.name
		}
	}
	var end *stack.EndError
	if errors.As(err, &end) {
		return "ended"
	}
	return "another error"
}

func (p *primitive) call(r *runner) error {
	u := &r.user
	switch p.name {
	case "listen":
		u.ep.Listen(8, nil)
		return nil
	case "close":
		return u.ep.Close()
	case "associate":
		to := r.s.world.peer
		if f := option(p.opts, "to"); f != nil {
			to = nil
			for _, v := range list(f.val) {
				a, err := r.env.addr(v)
				if err != nil {
					return err
				}
				to = append(to, a)
			}
		}
		a, err := u.ep.Associate(to, r.s.world.peerPort, 0, nil, func(sideeffects.Wake) {})
		if err == nil {
			u.a = a
		}
		return err
	}
	if u.a == nil {
		return errNoAssoc
	}
	switch p.name {
	case "send":
		return p.send(r)
	case "shutdown":
		u.a.Shutdown()
	case "abort":
		u.a.Abort(p.data)
	case "primary":
		return u.a.SetPrimary(p.addr)
	}
	return nil
}

func (p *primitive) send(r *runner) error {
	stream, err := r.optNum(p.opts, "stream", num(0), u16)
	if err != nil {
		return err
	}
	ppid, err := r.optNum(p.opts, "ppid", num(0), u32)
	if err != nil {
		return err
	}
	m := stack.Message{
		Stream: chunk.StreamID(stream), PPID: chunk.PPID(ppid),
		Unordered: option(p.opts, "unordered") != nil, Immediate: option(p.opts, "immediate") != nil,
	}
	b := r.user.a.Buffer(len(p.data))
	for s, d := b, p.data; s != nil; s = s.Next {
		d = d[copy(s.B, d):]
	}
	err = r.user.a.Send(m, b)
	if err != nil {
		r.user.a.FreeBuffer(b)
	}
	return err
}

// receive expects a message for the user.
type receive struct {
	nothing bool
	data    []byte
	opts    []field
}

func (x *receive) run(r *runner) error {
	if err := r.user.poll(r); err != nil {
		return err
	}
	u := &r.user
	if x.nothing {
		if len(u.inbox) > 0 {
			return fmt.Errorf("expected nothing to receive, came %v", &u.inbox[0])
		}
		return nil
	}
	want := value{kind: bytesValue, bytes: x.data}
	if len(u.inbox) == 0 {
		return fmt.Errorf("expected the message %v, came nothing", want)
	}
	m := u.inbox[0]
	u.inbox = u.inbox[1:]
	got := map[string]value{"stream": num(uint16(m.stream)), "ssn": num(uint16(m.ssn)), "ppid": num(uint32(m.ppid)), "tsn": num(uint32(m.tsn))}
	err := r.env.match(want, raw(m.data))
	for _, f := range x.opts {
		if g, ok := got[f.name]; ok && err == nil {
			err = r.env.match(f.val, g)
		}
	}
	if err == nil && m.unordered != (option(x.opts, "unordered") != nil) {
		err = fmt.Errorf("expected another order")
	}
	if err == nil && m.partial != (option(x.opts, "partial") != nil) {
		err = fmt.Errorf("expected another end")
	}
	if err != nil {
		return fmt.Errorf("%w; the message was %v", err, &m)
	}
	u.read += len(m.data)
	u.drain()
	if err := r.pass(r.net.Now(), never); err != nil {
		return err
	}
	return r.acted()
}

// notify expects a notification; those before it are passed over.
type notify struct {
	name string
	opts []field
}

func (x *notify) run(r *runner) error {
	if err := r.user.poll(r); err != nil {
		return err
	}
	u := &r.user
	if x.name == "nothing" {
		if len(u.notes) > 0 {
			return fmt.Errorf("expected no notification, came %v", u.notes[0])
		}
		return nil
	}
	for i, n := range u.notes {
		if n.name == x.name && matchCause(r.env, x.opts, n.cause) == nil && matchAddr(r.env, x.opts, n.addr) == nil {
			u.notes = u.notes[i+1:]
			return nil
		}
	}
	var l []string
	for _, n := range u.notes {
		l = append(l, n.String())
	}
	if l == nil {
		l = []string{"nothing"}
	}
	return fmt.Errorf("expected a notification %s, came %s", x.name, strings.Join(l, ", "))
}

func matchCause(e env, opts []field, c chunk.CauseCode) error {
	if f := option(opts, "cause"); f != nil {
		if err := e.match(f.val, num(int(c))); err != nil {
			return fmt.Errorf("cause: %w", err)
		}
	}
	return nil
}

func matchAddr(e env, opts []field, a netip.Addr) error {
	if f := option(opts, "address"); f != nil {
		return e.match(f.val, value{kind: addrValue, addr: a})
	}
	return nil
}
