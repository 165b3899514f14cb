// Package impair wraps a link so that it loses packets on purpose, by a seeded
// random source: what a bad network does, without one.
package impair

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/gosctp/gosctp/transport"
)

// Link loses a share of what is sent over it.
type Link struct {
	transport.Link
	lost atomic.Uint64

	mu    sync.Mutex
	rng   *rand.Rand
	share float64
	keep  []transport.TxSlot
	index []int
}

// Loss returns a link that loses the given share of the packets sent, chosen
// by seed. A link whose port numbers are shared stays one.
func Loss(l transport.Link, share float64, seed uint64) (transport.Link, *Link) {
	w := &Link{Link: l, share: share, rng: rand.New(rand.NewPCG(seed, 0x6c6f7373))}
	if p, ok := l.(transport.Ports); ok {
		return &portsLink{Link: w, Ports: p}, w
	}
	return w, w
}

type portsLink struct {
	*Link
	transport.Ports
}

// Lost returns how many packets were lost on purpose.
func (l *Link) Lost() uint64 { return l.lost.Load() }

// WriteBatch implements transport.Link. A lost packet counts as sent.
func (l *Link) WriteBatch(slots []transport.TxSlot) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep, l.index = l.keep[:0], l.index[:0]
	for i := range slots {
		if l.rng.Float64() < l.share {
			slots[i].Err = nil
			l.lost.Add(1)
			continue
		}
		l.keep = append(l.keep, slots[i])
		l.index = append(l.index, i)
	}
	if len(l.keep) == 0 {
		return nil
	}
	err := l.Link.WriteBatch(l.keep)
	for k, i := range l.index {
		slots[i].Err = l.keep[k].Err
	}
	return err
}
