package stack

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/transport"
)

const ringSize = 256 // packets; a power of two

// txRing holds packets between the shard that builds them, under its lock, and
// whoever sends them, under mu.
type txRing struct {
	slots [ringSize]transport.TxSlot
	meta  [ringSize]txMeta
	head  atomic.Uint32 // next to be built
	tail  atomic.Uint32 // next to be sent

	mu sync.Mutex // the sender's
}

type txMeta struct {
	link uint8
	a    *Assoc
}

func (r *txRing) empty() bool { return r.head.Load() == r.tail.Load() }

// Slot implements sideeffects.Host.
func (sh *shard) Slot(n int) []byte {
	r := &sh.ring
	h := r.head.Load()
	if h-r.tail.Load() == ringSize {
		return nil
	}
	s := &r.slots[h%ringSize]
	if cap(s.Buf) < n {
		s.Buf = make([]byte, slotSize(n))
	}
	return s.Buf[:cap(s.Buf)]
}

// slotSize rounds up, so that a ring settles on one size for a usual MTU.
func slotSize(n int) int {
	switch {
	case n <= 2048:
		return 2048
	case n <= 9216:
		return 9216
	}
	return 65536
}

// Emit implements sideeffects.Host.
func (sh *shard) Emit(packet []byte, to sideeffects.Addressing) {
	r := &sh.ring
	h := r.head.Load()
	s := &r.slots[h%ringSize]
	s.Data = packet
	s.Src, s.Dst, s.EncapPort, s.Fragment = to.Src, to.Dst, to.EncapPort, to.Fragment
	s.Err = nil
	r.meta[h%ringSize] = txMeta{link: to.Link, a: sh.current}
	r.head.Store(h + 1)
}

// flush returns when everything in the ring has been sent, by whomever.
func (r *txRing) flush(sh *shard) {
	if r.empty() {
		return
	}
	r.mu.Lock()
	failed := sh.send()
	r.mu.Unlock()
	sh.tooBig(failed)
	sh.drain() // for those who found the lock taken
}

// drain sends what the ring holds, unless somebody else does already: then
// that one sends ours too, which is why everyone who had the sender lock looks
// again after giving it back. Associations that wait for room go on even if
// the ring is empty by now: who emptied it may have looked too early.
func (sh *shard) drain() {
	r := &sh.ring
	for !r.empty() || sh.anyBlocked.Load() {
		if !r.empty() {
			if !r.mu.TryLock() {
				return
			}
			failed := sh.send()
			r.mu.Unlock()
			sh.tooBig(failed)
		}
		if sh.anyBlocked.Load() {
			sh.mu.Lock()
			sh.resume(sh.stack.clock.Now())
			t := sh.unlock()
			t.tell(sh)
		}
	}
}

// send writes runs of packets that leave by the same link, and returns those
// that were too large.
func (sh *shard) send() (failed []tooBig) {
	r := &sh.ring
	for {
		t, h := r.tail.Load(), r.head.Load()
		if t == h {
			return failed
		}
		i := t % ringSize
		l := r.meta[i].link
		n := uint32(1)
		for t+n != h && i+n < ringSize && r.meta[i+n].link == l {
			n++
		}
		lk := sh.stack.links[l]
		lk.txMu.Lock()
		err := lk.WriteBatch(r.slots[i : i+n])
		lk.txMu.Unlock()
		if err == nil {
			sh.stack.counters.out.Add(uint64(n))
		}
		for j := i; j < i+n; j++ {
			if r.slots[j].Err != nil {
				sh.stack.counters.sendErr.Add(1)
				if errors.Is(r.slots[j].Err, transport.ErrTooBig) && r.meta[j].a != nil {
					failed = append(failed, tooBig{r.meta[j].a, r.slots[j].Dst, len(r.slots[j].Data), l})
				}
			}
			r.meta[j].a = nil
		}
		r.tail.Store(t + n)
	}
}

type tooBig struct {
	a    *Assoc
	dst  netip.Addr
	size int
	link uint8
}

// tooBig tells associations that a packet exceeded what the host takes.
func (sh *shard) tooBig(failed []tooBig) {
	if len(failed) == 0 {
		return
	}
	now := sh.stack.clock.Now()
	for _, f := range failed {
		r, err := sh.stack.links[f.link].Route(f.dst)
		if err != nil {
			continue
		}
		mtu := r.MTU
		if mtu >= f.size+r.Overhead {
			// The host's idea is out of date: try a smaller packet.
			mtu = (f.size + r.Overhead) * 3 / 4
		}
		sh.mu.Lock()
		sh.current = f.a
		sh.x.LinkMTU(&f.a.a, f.dst, mtu, now)
		sh.settle(f.a)
		t := sh.unlock()
		t.tell(sh)
	}
}

// The rest of sideeffects.Host.

// Entropy implements sideeffects.Host.
func (sh *shard) Entropy(b []byte) { sh.stack.random(b) }

// Secrets implements sideeffects.Host: all shards have the same keys.
func (sh *shard) Secrets(now mono.Time, life mono.Duration) *sideeffects.Secrets {
	s := sh.stack
	s.keysMu.Lock()
	defer s.keysMu.Unlock()
	return s.keys.At(now, life, s.random)
}

// NewTag implements sideeffects.Host: the tag says which shard it belongs to.
func (sh *shard) NewTag() chunk.VTag {
	n := uint32(len(sh.stack.shards))
	var b [4]byte
	for {
		sh.stack.random(b[:])
		v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		tag := chunk.VTag(v - v%n + uint32(sh.index))
		if tag == 0 || uint32(tag)%n != uint32(sh.index) || sh.byTag[tag] != nil {
			continue
		}
		return tag
	}
}

// Route implements sideeffects.Host.
func (sh *shard) Route(dst netip.Addr, local []netip.Addr) (sideeffects.Route, bool) {
	return sh.stack.route(dst, local)
}

// Ended implements sideeffects.Host; settle does the rest.
func (sh *shard) Ended(*sideeffects.Association) {}
