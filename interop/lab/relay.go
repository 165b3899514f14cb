package lab

import (
	"container/heap"
	"math/rand/v2"
	"os"
	"sync"
	"time"
)

// startRelay carries packets between two TUN devices until it is stopped.
func startRelay(a, b *os.File, imp Impairment) (stop func()) {
	up := newPipe(b, imp, 1)
	down := newPipe(a, imp, 2)
	go up.feed(a)
	go down.feed(b)
	return func() {
		a.Close()
		b.Close()
		up.stop()
		down.stop()
	}
}

// A pipe is one direction: packets in the order in which they are due.
type pipe struct {
	out *os.File
	imp Impairment
	rng *rand.Rand

	mu    sync.Mutex
	queue dueQueue
	wake  chan struct{}
	quit  chan struct{}
}

type due struct {
	at time.Time
	p  []byte
}

func newPipe(out *os.File, imp Impairment, n uint64) *pipe {
	p := &pipe{out: out, imp: imp, rng: rand.New(rand.NewPCG(imp.Seed, n)), wake: make(chan struct{}, 1), quit: make(chan struct{})}
	go p.deliver()
	return p
}

func (p *pipe) stop() { close(p.quit) }

func (p *pipe) feed(in *os.File) {
	buf := make([]byte, 65536)
	for {
		n, err := in.Read(buf)
		if err != nil {
			return
		}
		lost := p.rng.Float64() < p.imp.Loss
		delay := time.Duration(p.imp.DelayMS) * time.Millisecond
		if j := p.imp.JitterMS; j > 0 && p.rng.IntN(4) == 0 { // one in four is late
			delay += time.Duration(p.rng.Int64N(int64(j) * int64(time.Millisecond)))
		}
		if lost {
			continue
		}
		p.mu.Lock()
		heap.Push(&p.queue, due{time.Now().Add(delay), append([]byte(nil), buf[:n]...)})
		p.mu.Unlock()
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

func (p *pipe) deliver() {
	timer := time.NewTimer(time.Hour)
	for {
		p.mu.Lock()
		wait := time.Hour
		for len(p.queue) > 0 {
			if wait = time.Until(p.queue[0].at); wait > 0 {
				break
			}
			p.out.Write(heap.Pop(&p.queue).(due).p)
			wait = time.Hour
		}
		p.mu.Unlock()
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-p.wake:
		case <-p.quit:
			return
		}
	}
}

type dueQueue []due

func (q dueQueue) Len() int           { return len(q) }
func (q dueQueue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q dueQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *dueQueue) Push(x any)        { *q = append(*q, x.(due)) }
func (q *dueQueue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}
