package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/pipes/ulpqueue"
	"github.com/gosctp/gosctp/stack/sideeffects"
)

// Closing is how a user ends an association.
type Closing uint8

// Ways to end.
const (
	CloseNever    Closing = iota // it waits for the other
	CloseWhenSent                // gracefully, once all messages were handed over
	CloseAt                      // gracefully, at a time
	AbortAt                      // by ABORT, at a time
)

var closingNames = names{"never", "when-sent", "at", "abort-at"}

// MarshalText implements encoding.TextMarshaler.
func (c Closing) MarshalText() ([]byte, error) { return closingNames.text(uint8(c)) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Closing) UnmarshalText(b []byte) (err error) {
	n, err := closingNames.value(b)
	*c = Closing(n)
	return err
}

// UserPlan is what one end of an association does.
type UserPlan struct {
	Messages  int
	MaxSize   int
	Streams   int
	Unordered float64       // share of messages
	Pace      mono.Duration // mean pause after a message; 0 sends as fast as it goes
	ReadPause mono.Duration // between reads; 0 reads at once
	ReadBytes int           // per read, with ReadPause
	Closing   Closing
	CloseAt   mono.Duration // after the start of the association
	// Pokes is how many other calls of the API come in between, at random
	// times PokeEvery apart on average.
	Pokes     int
	PokeEvery mono.Duration
}

// user is one end of an association: it sends, reads, checks and closes.
type user struct {
	run    *run
	name   string
	plan   UserPlan
	rng    *rand.Rand
	pair   *pair
	side   Side
	caller int // who called: the serial of the peer's flow
	as     *stack.Assoc
	begun  mono.Time
	out    *flow
	in     inbox

	next      int
	pausing   bool // sends nothing for a while
	resting   bool // reads nothing for a while
	scheduled bool
	list      ulpqueue.List
	read      int // bytes read that the stack was not told of

	up      bool
	final   bool // the last notification came
	ended   bool
	end     sideeffects.End
	crashed bool // with its host

	restarted bool // the peer was, and this end was told
	// haunted: the association was made by an old COOKIE ECHO, with the tags
	// and TSNs of an earlier one. Old packets fit it, acknowledgements among
	// them; SCTP has no remedy within the life of a cookie.
	haunted bool
}

// doubtful reports whether what u was told by its stack may be an attacker's
// doing.
func (u *user) doubtful() bool { return u.run.hostile || u.haunted || u.pair.haunted }

// over reports whether the user has no association any more.
func (u *user) over() bool { return u.ended || u.crashed }

// newUser adds an end of a pair: the first at a side, or one that takes the
// place of an earlier one.
func (r *run) newUser(p *pair, side Side) *user {
	plan, way := p.plan.A, "A to Z"
	if side == SideZ {
		plan, way = p.plan.Z, "Z to A"
	}
	serial := len(p.flows[side])
	again := ""
	if serial > 0 {
		again = fmt.Sprintf(", incarnation %d", serial)
	}
	name := fmt.Sprintf("association %d at %v%s", p.index, side, again)
	u := &user{
		run: r, name: name, plan: plan, pair: p, side: side,
		rng: rand.New(r.net.entropy("user "+name, 0)), in: newInbox(&p.flows[1-side]),
		out: newFlow(fmt.Sprintf("association %d %s%s", p.index, way, again), r.net.seed<<8+uint64(serial)<<32+uint64(2*p.index+int(side)), serial),
	}
	p.flows[side] = append(p.flows[side], u.out)
	if side == SideA {
		p.a = u
	} else {
		p.z = u
	}
	r.users = append(r.users, u)
	return u
}

// start gives the user its association.
func (u *user) start(a *stack.Assoc) {
	u.as, u.begun = a, u.run.net.Now()
	switch u.plan.Closing {
	case CloseAt:
		u.later(u.plan.CloseAt, a.Shutdown)
	case AbortAt:
		u.later(u.plan.CloseAt, func() { a.Abort([]byte("had enough")) })
	}
	a.ReportSendFailures(true)
	u.pokes(u.plan.Pokes)
	u.wake(0)
}

// later calls f, unless the user's host has crashed by then.
func (u *user) later(after mono.Duration, f func()) {
	n := u.run.net
	n.At(n.Now().Add(after), func() {
		if !u.crashed {
			f()
		}
	})
}

// wake is told that something may be possible.
func (u *user) wake(sideeffects.Wake) {
	if !u.scheduled {
		u.scheduled = true
		u.run.net.Soon(u.act)
	}
}

func (u *user) act() {
	u.scheduled = false
	if u.as == nil || u.over() {
		return
	}
	u.receive()
	u.send()
}

func (u *user) send() {
	for u.next < u.plan.Messages && !u.pausing && !u.ended {
		m := u.message()
		b := u.as.Buffer(m.size)
		u.out.fill(m, b.B)
		err := u.as.Send(stack.Message{
			Stream: m.stream, PPID: u.out.ppid(m), Unordered: m.unordered, Immediate: m.number%13 == 0,
		}, b)
		if err != nil {
			u.as.FreeBuffer(b)
			var end *stack.EndError
			switch {
			case errors.Is(err, stack.ErrWouldBlock):
				return
			case errors.Is(err, stack.ErrClosing), errors.As(err, &end):
				u.out.refused = u.plan.Messages - u.next
				u.next = u.plan.Messages
				return
			}
			u.run.fail("%s: sending message %d of %d bytes: %w", u.name, m.number, m.size, err)
			u.next = u.plan.Messages
			return
		}
		u.out.accepted(m)
		u.next++
		if u.plan.Pace > 0 {
			u.pausing = true
			pause := mono.Duration(u.rng.ExpFloat64() * float64(u.plan.Pace))
			u.later(pause, func() { u.pausing = false; u.wake(0) })
		}
	}
	if u.next == u.plan.Messages && u.plan.Closing == CloseWhenSent {
		u.plan.Closing = CloseNever
		u.as.Shutdown()
	}
}

// message is the next message to send; the same until it was taken.
func (u *user) message() message {
	rng := rand.New(rand.NewPCG(u.out.seed, uint64(u.next)<<1|1))
	m := message{
		number: u.next, stream: chunk.StreamID(rng.IntN(u.plan.Streams)),
		unordered: rng.Float64() < u.plan.Unordered,
	}
	// Most messages are small, some as large as it goes.
	switch rng.IntN(4) {
	case 0:
		m.size = 1 + rng.IntN(u.plan.MaxSize)
	case 1:
		m.size = 1 + rng.IntN(min(u.plan.MaxSize, 3000))
	default:
		m.size = 1 + rng.IntN(min(u.plan.MaxSize, 200))
	}
	return m
}

func (u *user) receive() {
	for !u.resting && !u.ended {
		batch := 64 << 10
		if u.plan.ReadPause > 0 {
			batch = u.plan.ReadBytes
		}
		read := u.read
		u.read = 0
		err := u.as.Recv(&u.list, batch, read)
		for m := u.list.Pop(); m != nil; m = u.list.Pop() {
			u.take(m)
			u.as.Free(m)
		}
		var end *stack.EndError
		switch {
		case err == nil:
		case errors.Is(err, stack.ErrWouldBlock):
			return
		case errors.As(err, &end):
			u.finish(end.End)
			return
		default:
			u.run.fail("%s: receive: %w", u.name, err)
			return
		}
		if u.plan.ReadPause > 0 {
			u.resting = true
			u.later(u.plan.ReadPause, func() { u.resting = false; u.wake(0) })
		}
	}
}

func (u *user) take(m *ulpqueue.Message) {
	if u.final {
		u.run.fail("%s: something came after the last notification", u.name)
	}
	if m.Kind == ulpqueue.KindNotification {
		u.notified(&m.Note)
		return
	}
	if !u.up {
		u.run.fail("%s: data before COMM_UP", u.name)
	}
	var data []byte
	for b := m.Head; b != nil; b = b.Next {
		data = append(data, b.B...)
	}
	if len(data) != m.Len {
		u.run.fail("%s: a message of %d bytes has %d", u.name, m.Len, len(data))
	}
	u.read += m.Len
	if u.run.o.spoil != nil {
		data = u.run.o.spoil(u, data)
	}
	if u.run.hostile || u.pair.haunted || u.haunted && !u.restarted {
		return // it need not be what was sent to this end
	}
	if err := u.in.piece(m.Stream, m.Unordered, m.PPID, data, m.EOR); err != nil {
		u.run.failed(err.Error(), fmt.Errorf("%s: %w", u.name, err))
	}
}

func (u *user) notified(n *ulpqueue.Notification) {
	if u.run.note != nil {
		u.run.note(u, n)
	}
	if n.Kind == ulpqueue.NotePartialAborted {
		u.in.forget(chunk.StreamID(n.A), n.C == 1)
		return
	}
	switch fsm.Note(n.Kind) {
	case fsm.NoteSendFailed:
		u.sendFailed(sideeffects.ReadSendFailure(n))
		return
	case fsm.NoteAssocChange:
	default:
		return
	}
	switch fsm.AssocChange(n.A) {
	case fsm.CommUp:
		if u.up {
			u.run.fail("%s: COMM_UP twice", u.name)
		}
		u.up = true
	case fsm.Restarted:
		if other := u.pair.user(1 - u.side); other.out.serial == 0 && !other.crashed {
			u.run.fail("%s: restarted, and nobody did", u.name)
		}
		u.run.counts[Restarted]++
		u.pair.haunted = u.pair.haunted || u.run.echoed(u.side)
		u.in.restarted()
		u.restarted = true
	case fsm.ShutdownComplete:
		if !u.up {
			u.run.fail("%s: SHUTDOWN_COMP before COMM_UP", u.name)
		}
		u.final = true
	default:
		u.final = true
	}
}

func (u *user) sendFailed(f sideeffects.SendFailure) {
	u.run.counts[Failures]++
	var data []byte
	for b := f.Data; b != nil; b = b.Next {
		data = append(data, b.B...)
	}
	if err := u.out.failed(f.PPID, f.Stream, f.Unordered, data, !f.Sent); err != nil && !u.doubtful() {
		u.run.failed(err.Error(), err)
	}
}

func (u *user) finish(e sideeffects.End) {
	u.ended, u.end = true, e
	if !e.Ended {
		u.run.fail("%s: ended without an end", u.name)
	}
	if !u.final && e.Change != fsm.Gone {
		u.run.fail("%s: ended (%v) without a last notification", u.name, e.Change)
	}
	switch e.Cause {
	case chunk.CauseInvalidStream, chunk.CauseMissingParam, chunk.CauseUnresolvableAddr, chunk.CauseInvalidMandatory, chunk.CauseNoUserData, chunk.CauseProtocolViolation:
		if !u.doubtful() {
			u.run.fail("%s: one stack accuses the other: %v", u.name, u)
		}
	}
	switch e.Change {
	case fsm.CommLost, fsm.CantStart:
		if e.Cause != chunk.CauseUserAbort && u == u.pair.user(u.side) {
			u.run.redial(u.pair, u.side, mono.Duration(u.rng.ExpFloat64()*float64(mono.Second)))
		}
	}
}

// crash ends the user with its host. What its stack has ready to be read was
// perhaps acknowledged, so that it counts as read.
func (u *user) crash() {
	for u.as.Recv(&u.list, 1<<30, 0) == nil {
		for m := u.list.Pop(); m != nil; m = u.list.Pop() {
			u.take(m)
			u.as.Free(m)
		}
	}
	u.crashed = true
}

func (u *user) String() string {
	switch {
	case u.as == nil:
		return u.name + ": no association"
	case u.crashed:
		return u.name + ": crashed"
	case !u.ended:
		return fmt.Sprintf("%s: %v", u.name, u.as.Status().State)
	}
	return fmt.Sprintf("%s: %v", u.name, &stack.EndError{End: u.end})
}
