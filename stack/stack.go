package stack

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/decision"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/transport"
)

// World is all that a Stack has of the outside.
type World struct {
	Clock   mono.Clock // nil: the operating system's
	Entropy io.Reader  // nil: crypto/rand
	Links   []transport.Link
}

// Options are a Stack's own parameters; the zero value is good.
type Options struct {
	// Shards is how many groups of associations can run at once; 0 means as
	// many as the machine has processors, at most 8.
	Shards int
	// Trace, if set, sees every step of every association. It is called with
	// the shard's lock held.
	Trace sideeffects.Tracer
	// Paranoid runs every state function twice and panics if it is not pure.
	Paranoid bool
	// Record, if set, logs what goes into the stack.
	Record Recorder
	// Contained, if set, is told of each panic that cost an association, with
	// the association's last steps. It is called without a lock held.
	Contained func(decision.Dump)
	// OutOfBlueRate bounds the answers to out-of-the-blue packets per second;
	// 0 means 1000.
	OutOfBlueRate int
	// RecvMemory bounds the receive memory of all associations together, in
	// bytes; 0 means DefaultRecvMemory, below 0 no limit. Beyond it each
	// association may hold 8 KiB, or one packet.
	RecvMemory int
	// MaxAssociations is how many associations peers may have set up at a
	// time; 0 means DefaultMaxAssociations.
	MaxAssociations int
}

// FirstID is the first association's number: those below have a meaning of
// their own in RFC 6458 section 7.2.
const FirstID = 3

// Defaults of Options.
const (
	DefaultOutOfBlueRate   = 1000
	DefaultMaxAssociations = 1 << 20
)

// Recorder is asked for each shard how to log what goes into its executor: it
// returns a Host that stands before the shard's own, and a Log.
type Recorder func(shard int, h sideeffects.Host) (sideeffects.Host, sideeffects.Log)

// Stack is an SCTP host.
type Stack struct {
	clock   mono.Clock
	entropy io.Reader
	links   []*link
	shards  []*shard
	pools   *sideeffects.Pools
	opts    Options

	ports portTable
	have  atomic.Pointer[ownAddrs] // the host's addresses at the last change; nil: not known

	tuplesMu sync.RWMutex
	tuples   map[tuple]*Assoc

	entropyMu sync.Mutex
	hostMu    sync.Mutex // HostChanged runs once at a time
	keysMu    sync.Mutex
	keys      sideeffects.CookieKeys
	nextID    atomic.Uint32
	blue      bucket
	counters  counters
	inbound   atomic.Int64 // associations that peers set up
	relief    relief
	linkErr   atomic.Pointer[linkError]

	started bool
	closing chan struct{}
	closed  atomic.Bool
	wg      sync.WaitGroup
}

type link struct {
	transport.Link
	txMu sync.Mutex // WriteBatch takes one caller at a time
	rx   rxRun      // the batch in hand
}

// New returns a Stack on the given links. It takes them over and closes them
// in Close.
func New(w World, o Options) (*Stack, error) {
	if len(w.Links) == 0 {
		return nil, errors.New("sctp: a stack needs at least one link")
	}
	if w.Clock == nil {
		w.Clock = mono.System()
	}
	if w.Entropy == nil {
		w.Entropy = rand.Reader
	}
	if o.Shards == 0 {
		o.Shards = min(runtime.GOMAXPROCS(0), 8)
	}
	if o.Shards < 1 || o.Shards > 256 {
		return nil, fmt.Errorf("sctp: %d shards: want 1 to 256", o.Shards)
	}
	if o.OutOfBlueRate < 0 || o.MaxAssociations < 0 {
		return nil, errors.New("sctp: a rate, and a number of associations, cannot be negative")
	}
	if o.OutOfBlueRate == 0 {
		o.OutOfBlueRate = DefaultOutOfBlueRate
	}
	if o.RecvMemory == 0 {
		o.RecvMemory = DefaultRecvMemory
	}
	if o.MaxAssociations == 0 {
		o.MaxAssociations = DefaultMaxAssociations
	}
	s := &Stack{
		clock: w.Clock, entropy: w.Entropy, opts: o,
		pools:   sideeffects.NewPools(),
		tuples:  make(map[tuple]*Assoc),
		closing: make(chan struct{}),
	}
	s.blue.rate = o.OutOfBlueRate
	s.nextID.Store(FirstID - 1)
	if o.RecvMemory > 0 {
		s.relief.total = seg.NewTotal(o.RecvMemory, o.Shards)
	}
	for _, l := range w.Links {
		s.links = append(s.links, &link{Link: l})
	}
	s.ports.init(s.links)
	for i := range o.Shards {
		s.shards = append(s.shards, newShard(s, i))
	}
	return s, nil
}

// Start lets the stack run by itself: a goroutine per link reads packets, and
// two per shard wait for timers and send for busy users.
func (s *Stack) Start() {
	if s.started {
		return
	}
	s.started = true
	for i := range s.links {
		s.wg.Add(1)
		go s.readLoop(i)
		if w, ok := s.links[i].Link.(transport.Watcher); ok {
			w.Watch(s.HostChanged)
		}
	}
	for _, sh := range s.shards {
		s.wg.Add(2)
		go sh.timerLoop()
		go sh.sendLoop()
	}
}

// Close ends all associations without a word to their peers, and closes the
// links. Abort or shut associations down first to be polite.
func (s *Stack) Close() error {
	if s.closed.Swap(true) {
		return net.ErrClosed
	}
	s.Flush()
	close(s.closing)
	var errs []error
	for _, l := range s.links {
		errs = append(errs, l.Close())
	}
	s.wg.Wait()
	for _, sh := range s.shards {
		sh.abandon()
	}
	s.ports.closeAll()
	return errors.Join(errs...)
}

// Flush returns when all packets that were built before have been handed to
// their links.
func (s *Stack) Flush() {
	for _, sh := range s.shards {
		sh.ring.flush(sh)
	}
}

// Now returns the stack's time.
func (s *Stack) Now() mono.Time { return s.clock.Now() }

// Addrs lists the addresses that packets can be sent from.
func (s *Stack) Addrs() ([]netip.Addr, error) {
	var all []netip.Addr
	for _, l := range s.links {
		a, err := l.Addrs()
		if err != nil {
			return nil, err
		}
		all = append(all, a...)
	}
	return all, nil
}

func (s *Stack) random(b []byte) {
	s.entropyMu.Lock()
	_, err := io.ReadFull(s.entropy, b)
	s.entropyMu.Unlock()
	if err != nil {
		panic("sctp: no entropy: " + err.Error())
	}
}

// Stats is a snapshot of the stack's counters.
type Stats struct {
	Events         [fsm.NumStats]uint64
	InPackets      uint64
	OutPackets     uint64
	BadChecksums   uint64
	BadPackets     uint64 // too short, or ports of zero
	OutOfBlue      uint64 // for no association of ours
	SendErrors     uint64
	Contained      uint64 // panics that cost one association
	Associations   int
	Addresses      int    // of peers, that lead to an association
	Timers         int    // associations that wait for a deadline
	Ports          int    // in use
	Buffers        int    // for user data, in use
	RecvMemory     int    // bytes held for readers, overhead included; 0 without a limit
	RingFull       uint64 // times a packet had to wait for room to send
	PurityChecking bool
}

// Stats returns the counters now.
func (s *Stack) Stats() Stats {
	st := Stats{
		InPackets: s.counters.in.Load(), OutPackets: s.counters.out.Load(),
		BadChecksums: s.counters.badSum.Load(), BadPackets: s.counters.bad.Load(),
		OutOfBlue: s.counters.blue.Load(), SendErrors: s.counters.sendErr.Load(),
		PurityChecking: s.opts.Paranoid,
	}
	for _, sh := range s.shards {
		sh.mu.Lock()
		for i, n := range sh.x.Stats {
			st.Events[i] += n
		}
		st.Contained += sh.x.Contained
		st.Associations += len(sh.byTag)
		st.Timers += len(sh.heap.e)
		st.RingFull += sh.ringFull
		if sh.budget != nil {
			st.RecvMemory += sh.budget.Used()
		}
		sh.x.FlushCache()
		sh.mu.Unlock()
	}
	st.Buffers = s.pools.Seg.InUse()
	s.tuplesMu.RLock()
	st.Addresses = len(s.tuples)
	s.tuplesMu.RUnlock()
	s.ports.mu.RLock()
	st.Ports = len(s.ports.by)
	s.ports.mu.RUnlock()
	return st
}

type counters struct{ in, out, badSum, bad, blue, sendErr atomic.Uint64 }

// bucket limits answers to packets that nobody asked for.
type bucket struct {
	mu     sync.Mutex
	rate   int
	tokens int
	last   mono.Time
}

func (b *bucket) take(now mono.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last == 0 {
		b.last, b.tokens = now, b.rate
	}
	if add := int(now.Sub(b.last) / max(mono.Second/mono.Duration(b.rate), 1)); add > 0 {
		b.tokens += min(add, b.rate-b.tokens)
		b.last = now
	}
	if b.tokens <= 0 {
		return false
	}
	b.tokens--
	return true
}
