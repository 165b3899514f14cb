package record

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/seg"
	"github.com/gosctp/gosctp/stack/sideeffects"
)

const (
	bufferSize = 64 << 10               // of records per block
	maxWaiting = 64 << 20               // bytes that wait for the file
	flushEvery = 100 * time.Millisecond // what a kill -9 may cost
)

// ErrBehind says that recording stopped since its file could not be written as
// fast as the stack ran.
var ErrBehind = errors.New("sctp: recording stopped: the file is too slow")

// Writer records the shards of a stack to a file. The shards never wait for
// it: a goroutine writes, and if it falls too far behind, recording ends, and
// the file says so.
type Writer struct {
	w      io.WriteCloser
	data   bool
	limit  int64
	shards [256]atomic.Pointer[shardLog]

	waiting atomic.Int64 // bytes in full buffers
	stopped atomic.Bool
	kick    chan struct{}
	quit    chan struct{}
	done    chan struct{}
	once    sync.Once

	mu     sync.Mutex
	err    error
	onStop func(error)
	out    []byte
}

// Create starts a recording to a file that its owner only can read, in place of
// an older one. With h.Data user data goes there too; else only its size does.
func Create(path string, h Header) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	var w *Writer
	if err = claim(f); err == nil {
		w, err = NewWriter(f, h)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return w, nil
}

// claim makes an older file the owner's only, and then empty. Pipes and devices
// stay as they are: their mode is not ours.
func claim(f *os.File) error {
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return err
	}
	if err := f.Chmod(0o600); err != nil {
		return err
	}
	return f.Truncate(0)
}

// NewWriter starts a recording to w, which Close closes.
func NewWriter(w io.WriteCloser, h Header) (*Writer, error) { return newWriter(w, h, maxWaiting) }

func newWriter(w io.WriteCloser, h Header, limit int64) (*Writer, error) {
	if h.Build == "" {
		h.Build = build()
	}
	if _, err := w.Write(appendHeader(nil, h)); err != nil {
		return nil, err
	}
	wr := &Writer{
		w: w, data: h.Data, limit: limit,
		kick: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
	go wr.run()
	return wr, nil
}

// build names the version of the running program.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// Shard is what stack.Options.Record wants.
func (w *Writer) Shard(i int, h sideeffects.Host) (sideeffects.Host, sideeffects.Log) {
	s := &shardLog{w: w, host: h, shard: byte(i), enc: encoder{data: w.data}}
	w.shards[byte(i)].Store(s)
	return s, s
}

// OnStop has f told, by a goroutine of the Writer's, if recording stops before
// Close.
func (w *Writer) OnStop(f func(error)) {
	w.mu.Lock()
	w.onStop = f
	w.mu.Unlock()
}

// Err returns why recording stopped, nil if it goes on.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Close ends the recording, after the stack's end, and closes the file. It
// returns what went wrong, also before.
func (w *Writer) Close() error {
	w.once.Do(func() { close(w.quit) })
	<-w.done
	return w.Err()
}

// stop ends the recording; what waits is still written.
func (w *Writer) stop(err error) {
	w.mu.Lock()
	if w.err == nil {
		w.err = err
	}
	w.mu.Unlock()
	w.stopped.Store(true)
}

func (w *Writer) run() {
	defer close(w.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		last := false
		select {
		case <-w.kick:
		case <-tick.C:
		case <-w.quit:
			last = true
		}
		behind := w.stopped.Load()
		w.flush()
		if !last && !behind {
			continue
		}
		switch err := w.Err(); {
		case err == nil:
			w.write(blockEnd, 0, 0, nil)
		case errors.Is(err, ErrBehind):
			w.write(blockStop, 0, 0, []byte(err.Error()))
		}
		w.stopped.Store(true)
		if err := w.w.Close(); err != nil {
			w.stop(fmt.Errorf("sctp: recording: %w", err))
		}
		w.mu.Lock()
		err, told := w.err, w.onStop
		w.mu.Unlock()
		if err != nil && told != nil {
			told(err)
		}
		return
	}
}

// flush writes what the shards have.
func (w *Writer) flush() {
	for i := range w.shards {
		s := w.shards[i].Load()
		if s == nil {
			continue
		}
		full, part := s.take()
		for _, b := range append(full, part) {
			if len(b) > 0 {
				w.write(blockInput, s.shard, s.seq, b)
				s.seq++
			}
		}
		for _, b := range full {
			w.waiting.Add(-int64(len(b)))
		}
		s.give(part)
	}
}

// write writes a block; after an error nothing more.
func (w *Writer) write(kind, shard byte, seq uint32, payload []byte) {
	if err := w.Err(); err != nil && !errors.Is(err, ErrBehind) {
		return
	}
	w.out = appendBlock(w.out[:0], kind, shard, seq, payload)
	if _, err := w.w.Write(w.out); err != nil {
		w.stop(fmt.Errorf("sctp: recording stopped: %w", err))
	}
}

// shardLog records one shard. It stands before the shard's Host, and is its
// Log: all but take and give is called with the shard's lock.
type shardLog struct {
	w     *Writer
	host  sideeffects.Host
	shard byte
	seq   uint32 // the writer's

	mu    sync.Mutex // held for a record, and for taking buffers over
	enc   encoder
	full  [][]byte
	spare []byte
}

// begin reports whether there is something to be recorded; then end must
// follow.
func (s *shardLog) begin() bool {
	if s.w.stopped.Load() {
		return false
	}
	s.mu.Lock()
	return true
}

func (s *shardLog) end() {
	if n := len(s.enc.b); n >= bufferSize {
		s.full = append(s.full, s.enc.b)
		s.enc.b, s.spare = s.spare, nil
		if s.w.waiting.Add(int64(n)) > s.w.limit {
			s.w.stop(ErrBehind)
		}
		select {
		case s.w.kick <- struct{}{}:
		default:
		}
	}
	s.mu.Unlock()
}

// take takes what is recorded.
func (s *shardLog) take() (full [][]byte, part []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	full, part = s.full, s.enc.b
	s.full = nil
	s.enc.b, s.spare = s.spare, nil
	return full, part
}

// give brings a buffer back.
func (s *shardLog) give(b []byte) {
	s.mu.Lock()
	if s.spare == nil {
		s.spare = b[:0]
	}
	s.mu.Unlock()
}

// Call implements sideeffects.Log.
func (s *shardLog) Call(c *sideeffects.Call) {
	if s.begin() {
		s.enc.call(c)
		s.end()
	}
}

// Share implements sideeffects.Log.
func (s *shardLog) Share(b *seg.Budget) {
	if s.begin() {
		s.enc.share(b.Limit(), b.Quantum())
		s.end()
	}
	b.Watch(func(free int64) int64 {
		if s.begin() {
			s.enc.left(free)
			s.end()
		}
		return free
	})
}

// Ways implements sideeffects.Log.
func (s *shardLog) Ways(f sideeffects.WayFunc) sideeffects.WayFunc {
	return func(dst, cur netip.Addr, local []netip.Addr) sideeffects.Way {
		w := f(dst, cur, local)
		if s.begin() {
			s.enc.way(&w)
			s.end()
		}
		return w
	}
}

// Secrets implements sideeffects.Host.
func (s *shardLog) Secrets(now mono.Time, life mono.Duration) *sideeffects.Secrets {
	k := s.host.Secrets(now, life)
	if s.begin() {
		s.enc.secrets(k)
		s.end()
	}
	return k
}

// Slot implements sideeffects.Host.
func (s *shardLog) Slot(n int) []byte {
	b := s.host.Slot(n)
	if s.begin() {
		if b == nil {
			s.enc.b = append(s.enc.b, recFull)
		} else {
			s.enc.slot(cap(b))
		}
		s.end()
	}
	return b
}

// Emit implements sideeffects.Host.
func (s *shardLog) Emit(packet []byte, to sideeffects.Addressing) {
	if s.begin() {
		s.enc.emit(packet, to)
		s.end()
	}
	s.host.Emit(packet, to)
}

// Entropy implements sideeffects.Host.
func (s *shardLog) Entropy(b []byte) {
	s.host.Entropy(b)
	if s.begin() {
		s.enc.entropy(b)
		s.end()
	}
}

// NewTag implements sideeffects.Host.
func (s *shardLog) NewTag() chunk.VTag {
	t := s.host.NewTag()
	if s.begin() {
		s.enc.tag(t)
		s.end()
	}
	return t
}

// Route implements sideeffects.Host.
func (s *shardLog) Route(dst netip.Addr, local []netip.Addr) (sideeffects.Route, bool) {
	r, ok := s.host.Route(dst, local)
	if s.begin() {
		s.enc.route(dst, r, ok)
		s.end()
	}
	return r, ok
}

// Create implements sideeffects.Host.
func (s *shardLog) Create(c *sideeffects.Cookie) *sideeffects.Association {
	a := s.host.Create(c)
	if s.begin() {
		id := uint32(0)
		if a != nil {
			id = a.ID()
		}
		s.enc.created(id)
		s.end()
	}
	return a
}

// Ended implements sideeffects.Host.
func (s *shardLog) Ended(a *sideeffects.Association) { s.host.Ended(a) }
