package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/pipes/path"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Watcher sees what a Player does. What it is given is valid during the call
// only, and it must not change it.
type Watcher interface {
	// Begin is called before each call, and End after it. a is nil where the
	// call is for no association; one may have been created by its end.
	Begin(c *sideeffects.Call, a *sideeffects.Association)
	End(c *sideeffects.Call, a *sideeffects.Association)
	// Step is called for each step of a state machine.
	Step(s *sideeffects.Step)
	// Packet is called for each packet that is sent.
	Packet(p []byte, to sideeffects.Addressing)
}

// Difference says that today's code does not do what was recorded.
type Difference struct {
	Shard int
	Call  uint64 // the shard's, from 1
	Op    sideeffects.Op
	At    mono.Time
	Steps uint64 // of the state machines of all shards, up to there
	What  string
	Got   []byte // packets, where they differ
	Want  []byte
}

// Error says what differs, and where.
func (d *Difference) Error() string {
	return fmt.Sprintf("in call %d of shard %d (%v at %d.%09d): %s",
		d.Call, d.Shard, d.Op, int64(d.At)/1e9, int64(d.At)%1e9, d.What)
}

// Player plays a log. Its numbers count what was played so far.
type Player struct {
	Calls, Steps, Packets uint64
	// Odd are the parameters in the log that this program cannot take over.
	Odd []string
	// Note says how the log ends, if not between two calls.
	Note string

	// Memory bounds, in bytes, what messages whose contents are not in the log
	// may take in all, beside 64 times what was read of the log.
	Memory int
	// Congestion makes congestion controllers for associations that had one of
	// the program's own; with nil they get path.NewReno.
	Congestion func() path.Controller

	watch  Watcher
	shards []*shardPlayer
}

// shardPlayer is the Host of an executor that does again what was recorded. An
// executor contains panics, so that what goes wrong in a Host's method is kept
// in err, and the rest of the call is answered with nothing.
type shardPlayer struct {
	p      *Player
	index  int
	dec    decoder
	size   int
	x      sideeffects.Executor
	assocs map[uint32]*sideeffects.Association
	ended  []uint32 // associations that have ended, oldest first
	calls  uint64
	call   *sideeffects.Call
	at     mono.Time
	made   *sideeffects.Association // by Create, in this call
	slot   int                      // capacity of the recorded stack's slots
	buf    []byte
	free   int64
	keys   *sideeffects.Secrets
	err    error
	done   bool
}

const (
	defaultMemory = min(2<<30, math.MaxInt)
	keepEnded     = 4096 // associations that have ended, per shard
)

// Player returns a Player of the file's log; w may be nil.
func (f *File) Player(w Watcher) *Player {
	p := &Player{watch: w, Memory: defaultMemory}
	for i, b := range f.shards {
		if b == nil {
			continue
		}
		s := &shardPlayer{p: p, index: i, assocs: make(map[uint32]*sideeffects.Association), slot: 2048, size: b.Len()}
		s.dec = decoder{b: b.Bytes(), data: f.Header.Data}
		s.x = sideeffects.Executor{Host: s, Pools: sideeffects.NewPools(), Trace: s}
		p.shards = append(p.shards, s)
	}
	return p
}

// HasLog reports whether the file has anything for a Player.
func (f *File) HasLog() bool {
	return slices.ContainsFunc(f.shards[:], func(b *bytes.Buffer) bool { return b != nil })
}

// errEnd is where the log does not have the answers of a call any more.
var errEnd = errors.New("sctp: the log ends")

// Next plays the next call, of whichever shard it is. It returns false at the
// end, and an error, a *Difference or one that wraps ErrFormat, where it cannot
// go on.
func (p *Player) Next() (bool, error) {
	var next *shardPlayer
	for _, s := range p.shards {
		if s.done {
			continue
		}
		if kind := s.dec.peek(); kind == 0 {
			s.done = true
			if s.dec.err != nil {
				return false, s.dec.err
			}
			continue
		}
		if next == nil || s.dec.callTime() < next.dec.callTime() {
			next = s
		}
	}
	if next == nil {
		return false, nil
	}
	err := next.play()
	if errors.Is(err, errEnd) {
		next.done = true
		p.Note = fmt.Sprintf("the log of shard %d ends within call %d (%v)", next.index, next.calls, next.call.Op)
		return true, nil
	}
	p.odd()
	if d, ok := err.(*Difference); ok && len(p.Odd) > 0 {
		d.What += fmt.Sprintf("; what was recorded had parameters that this program has not: %s", strings.Join(p.Odd, ", "))
	}
	return err == nil, err
}

func (p *Player) odd() {
	for _, s := range p.shards {
		for name := range s.dec.odd {
			if !slices.Contains(p.Odd, name) {
				p.Odd = append(p.Odd, name)
			}
		}
	}
	slices.Sort(p.Odd)
}

// play does one call.
func (s *shardPlayer) play() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: it makes the stack panic: %v", ErrFormat, r)
		}
	}()
	s.dec.congestion = s.p.Congestion
	if s.dec.peek() == recShare {
		s.share()
	}
	if kind := s.dec.peek(); kind == 0 {
		return s.dec.err
	} else if !isCall(kind) {
		return s.differ("%s was recorded where a call should be", recordName(kind))
	}
	c, a, err := s.next()
	if err != nil || c == nil {
		return err
	}
	s.calls++
	s.p.Calls++
	s.call, s.made, s.at = c, nil, max(s.at, c.Now)
	if s.p.watch != nil {
		s.p.watch.Begin(c, a)
	}
	c.Way = s.way
	s.x.Do(c)
	if a == nil {
		a = s.made
	}
	if s.p.watch != nil {
		s.p.watch.End(c, a)
	}
	switch kind := s.dec.peek(); {
	case s.err != nil:
		return s.err
	case s.dec.err != nil:
		return s.dec.err
	case kind != 0 && !isCall(kind):
		return s.differ("%s was recorded, and does not come now", recordName(kind))
	}
	if a != nil && a.End.Ended && a.State() == tcb.Closed {
		s.forget(a.ID())
	}
	return nil
}

// share makes the executor's part of the memory that shards shared.
func (s *shardPlayer) share() {
	d := &s.dec
	d.b = d.b[1:]
	limit, quantum := d.uint(min(1<<40, math.MaxInt)), d.uint(1<<30)
	if quantum == 0 {
		d.fail(fmt.Errorf("%w: memory in parts of nothing", ErrFormat))
		return
	}
	s.x.Budget = seg.LikeBudget(limit, quantum)
	s.x.Budget.Watch(func(int64) int64 {
		if s.answer(recFree, "asks for shared memory") {
			v, n := binary.Varint(d.b)
			if n <= 0 {
				d.fail(errShort)
				return s.free
			}
			d.b = d.b[n:]
			s.free += v
		}
		return s.free
	})
}

// forget lets go of associations that ended long ago: what is still done with
// them has no effect.
func (s *shardPlayer) forget(id uint32) {
	if slices.Contains(s.ended[max(len(s.ended)-64, 0):], id) {
		return
	}
	if s.ended = append(s.ended, id); len(s.ended) > keepEnded {
		delete(s.assocs, s.ended[0])
		s.ended = s.ended[1:]
	}
}

// next reads a call and finds its association; a nil call is one for an
// association that is forgotten.
func (s *shardPlayer) next() (*sideeffects.Call, *sideeffects.Association, error) {
	c, id, has := s.dec.call()
	if s.dec.err != nil {
		return nil, nil, s.dec.err
	}
	if c.Op == sideeffects.OpPrepare {
		c.Assoc = new(sideeffects.Association)
		s.assocs[id] = c.Assoc
		return &c, c.Assoc, nil
	}
	if has {
		if c.Assoc = s.assocs[id]; c.Assoc == nil {
			if len(s.ended) == keepEnded && id < s.ended[0] {
				return nil, nil, nil
			}
			return nil, nil, fmt.Errorf("%w: a call for association %d, which there is not", ErrFormat, id)
		}
	} else if c.Op != sideeffects.OpPacket {
		return nil, nil, fmt.Errorf("%w: %v for no association", ErrFormat, c.Op)
	}
	if c.Op == sideeffects.OpSend {
		if s.p.Memory -= len(c.Reason); !s.dec.data && s.p.Memory+64*s.read() < 0 {
			return nil, nil, fmt.Errorf("%w: its messages take too much memory", ErrFormat)
		}
		b := s.x.Pools.Seg.Get(len(c.Reason))
		copy(b.B, c.Reason)
		c.Message.Buf, c.Reason = b, nil
	}
	return &c, c.Assoc, nil
}

// read is how much of the logs was read.
func (s *shardPlayer) read() (n int) {
	for _, o := range s.p.shards {
		n += o.size - len(o.dec.b)
	}
	return n
}

func (s *shardPlayer) differ(format string, args ...any) *Difference {
	d := &Difference{Shard: s.index, Call: s.calls, At: s.at, Steps: s.p.Steps, What: fmt.Sprintf(format, args...)}
	if s.call != nil {
		d.Op = s.call.Op
	}
	return d
}

// answer reports whether the next record is of that kind, and takes its first
// byte. If not, the call has gone another way than it did.
func (s *shardPlayer) answer(kind byte, asked string) bool {
	if s.err != nil {
		return false
	}
	switch got := s.dec.peek(); {
	case got == kind:
		s.dec.b = s.dec.b[1:]
		return true
	case s.dec.err != nil:
		s.err = s.dec.err
	case got == 0:
		s.err = errEnd
	default:
		s.err = s.differ("the stack %s; then came %s", asked, recordName(got))
	}
	return false
}

func recordName(kind byte) string {
	switch kind {
	case recEntropy:
		return "randomness"
	case recTag:
		return "a new tag"
	case recRoute:
		return "a route"
	case recCreated:
		return "the creation of an association"
	case recFull, recSlot:
		return "a request for room to send"
	case recEmit:
		return "a packet"
	case recSecrets:
		return "the keys of cookies"
	case recWay:
		return "the way to a path"
	case recShare, recFree:
		return "a look at the shared memory"
	case 0:
		return "nothing"
	}
	if isCall(kind) {
		return "the next call"
	}
	return fmt.Sprintf("a record of kind %d", kind)
}

// Step implements sideeffects.Tracer.
func (s *shardPlayer) Step(st *sideeffects.Step) {
	s.p.Steps++
	if s.p.watch != nil {
		s.p.watch.Step(st)
	}
}

// Slot implements sideeffects.Host.
func (s *shardPlayer) Slot(n int) []byte {
	switch s.dec.peek() {
	case recFull:
		s.dec.b = s.dec.b[1:]
		return nil
	case recSlot:
		s.dec.b = s.dec.b[1:]
		s.slot = s.dec.uint(1 << 20)
	}
	if size := max(s.slot, n); cap(s.buf) != size {
		if s.buf = s.buf[:0]; cap(s.buf) < size {
			s.buf = make([]byte, size)
		}
		s.buf = s.buf[:size:size]
	}
	return s.buf
}

// Emit implements sideeffects.Host: the packet must be the one that was sent.
func (s *shardPlayer) Emit(p []byte, to sideeffects.Addressing) {
	if s.err == errEnd {
		return // the answer before it was made up
	}
	s.p.Packets++
	if s.p.watch != nil {
		s.p.watch.Packet(p, to)
	}
	if !s.answer(recEmit, "sends a packet") {
		return
	}
	d := &s.dec
	was := sideeffects.Addressing{
		Src: d.addr(), Dst: d.addr(), EncapPort: uint16(d.uint(1<<16 - 1)), Link: uint8(d.uint(255)), Fragment: d.byte() != 0,
	}
	want := d.packet()
	switch {
	case d.err != nil:
		s.err = d.err
	case !bytes.Equal(p, want):
		diff := s.differ("the packet is another one than was sent")
		diff.Got, diff.Want = bytes.Clone(p), want
		s.err = diff
	case was != to:
		s.err = s.differ("a packet goes another way than it did: %+v, not %+v", to, was)
	}
}

// Entropy implements sideeffects.Host.
func (s *shardPlayer) Entropy(b []byte) {
	clear(b)
	if s.answer(recEntropy, "asks for randomness") {
		if n := s.dec.uint(1 << 16); n != len(b) {
			s.err = s.differ("the stack asks for %d random bytes, it were %d", len(b), n)
			return
		}
		copy(b, s.dec.bytes(len(b)))
	}
}

// NewTag implements sideeffects.Host.
func (s *shardPlayer) NewTag() chunk.VTag {
	if s.answer(recTag, "asks for a new tag") {
		if b := s.dec.bytes(4); b != nil {
			return chunk.VTag(le.Uint32(b))
		}
	}
	return 1
}

// Route implements sideeffects.Host.
func (s *shardPlayer) Route(dst netip.Addr, _ []netip.Addr) (r sideeffects.Route, ok bool) {
	if !s.answer(recRoute, fmt.Sprintf("asks for the route to %v", dst)) {
		return r, false
	}
	d := &s.dec
	if to := d.addr(); to != dst && d.err == nil {
		s.err = s.differ("the stack asks for the route to %v, it was to %v", dst, to)
		return r, false
	}
	if d.byte() == 0 {
		return r, false
	}
	if r = d.route(); d.err == nil && r.MTU == 0 {
		d.fail(fmt.Errorf("%w: a route without an MTU", ErrFormat))
	}
	return r, d.err == nil
}

// way is the function of a Reroute.
func (s *shardPlayer) way(netip.Addr, netip.Addr, []netip.Addr) (w sideeffects.Way) {
	if s.answer(recWay, "asks for the way to a path") {
		f := s.dec.byte()
		w = sideeffects.Way{OK: f&wayOK != 0, SourceGone: f&waySourceGone != 0, Route: s.dec.route()}
		if s.dec.err != nil {
			return sideeffects.Way{}
		}
	}
	return w
}

// Secrets implements sideeffects.Host.
func (s *shardPlayer) Secrets(mono.Time, mono.Duration) *sideeffects.Secrets {
	if s.keys == nil {
		s.keys = new(sideeffects.Secrets)
	}
	if s.answer(recSecrets, "asks for the keys of cookies") && s.dec.byte() != 0 {
		if b := s.dec.bytes(66); b != nil {
			s.keys = &sideeffects.Secrets{ID: b[0], Two: b[1] != 0, Current: [32]byte(b[2:34]), Previous: [32]byte(b[34:66])}
		}
	}
	return s.keys
}

// Create implements sideeffects.Host.
func (s *shardPlayer) Create(*sideeffects.Cookie) *sideeffects.Association {
	if s.err != nil {
		return nil
	}
	if s.dec.peek() == byte(sideeffects.OpPrepare)+1 {
		c, a, err := s.next()
		if err != nil {
			s.err = err
			return nil
		}
		s.x.Prepare(a, c.Settings, c.ID, c.LocalPort, c.PeerPort)
	}
	if !s.answer(recCreated, "makes an association") {
		return nil
	}
	id := s.dec.uint32()
	if id == 0 {
		return nil
	}
	if s.made = s.assocs[id]; s.made == nil {
		s.err = fmt.Errorf("%w: association %d was created, and not prepared", ErrFormat, id)
	}
	return s.made
}

// Ended implements sideeffects.Host.
func (s *shardPlayer) Ended(*sideeffects.Association) {}
