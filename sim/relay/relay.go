package relay

import (
	"container/heap"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/sim/impair"
)

// Config describes a relay.
type Config struct {
	// A and B are the devices: each Read gives one IP packet, each Write takes
	// one, and Close ends a Read (TUN without packet information, as OpenTUN
	// returns). The relay owns them.
	A, B io.ReadWriteCloser
	// AtoB and BtoA impair the two directions.
	AtoB, BtoA impair.Config
	// Seed decides what happens to which packet.
	Seed uint64
}

// Relay carries packets until it is closed.
type Relay struct {
	cfg      Config
	forth    *direction
	back     *direction
	closed   chan struct{}
	closeErr error
	once     sync.Once
	wg       sync.WaitGroup
}

// New starts a relay between two devices.
func New(cfg Config) (*Relay, error) {
	if err := errors.Join(cfg.AtoB.Validate(), cfg.BtoA.Validate()); err != nil {
		return nil, err
	}
	if cfg.A == nil || cfg.B == nil {
		return nil, errors.New("sctp: a relay needs two devices")
	}
	r := &Relay{cfg: cfg, closed: make(chan struct{})}
	clock := mono.System()
	r.forth = newDirection(clock, cfg.A, cfg.B, cfg.AtoB, cfg.Seed*2)
	r.back = newDirection(clock, cfg.B, cfg.A, cfg.BtoA, cfg.Seed*2+1)
	for _, d := range []*direction{r.forth, r.back} {
		r.wg.Go(func() { d.read(r.closed) })
		r.wg.Go(func() { d.deliver(r.closed) })
	}
	return r, nil
}

// Close stops the relay and closes both devices. Packets on the way are lost.
func (r *Relay) Close() error {
	r.once.Do(func() {
		close(r.closed)
		r.closeErr = errors.Join(r.cfg.A.Close(), r.cfg.B.Close())
		r.wg.Wait()
	})
	return r.closeErr
}

// Set changes the impairments for the packets that come from now on.
func (r *Relay) Set(atoB, btoA impair.Config) error {
	if err := errors.Join(atoB.Validate(), btoA.Validate()); err != nil {
		return err
	}
	r.forth.set(atoB)
	r.back.set(btoA)
	return nil
}

// Stats returns what happened to packets so far.
func (r *Relay) Stats() (atoB, btoA impair.Stats) { return r.forth.stats(), r.back.stats() }

// direction carries packets from one device to the other.
type direction struct {
	clock    mono.Clock
	from, to io.ReadWriter

	mu     sync.Mutex
	link   *impair.Link
	queue  queue
	serial uint64
	timer  mono.Timer
}

func newDirection(clock mono.Clock, from, to io.ReadWriter, cfg impair.Config, seed uint64) *direction {
	return &direction{clock: clock, from: from, to: to, link: impair.New(cfg, seed), timer: clock.NewTimer()}
}

func (d *direction) set(cfg impair.Config) {
	d.mu.Lock()
	d.link.SetConfig(cfg)
	d.mu.Unlock()
}

func (d *direction) stats() impair.Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.link.Stats()
}

// read takes packets in until the device is closed.
func (d *direction) read(closed <-chan struct{}) {
	buf := make([]byte, 65536)
	var fates []impair.Delivery
	for {
		n, err := d.from.Read(buf)
		if err != nil {
			if errors.Is(err, os.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
				return
			}
			select { // the device is down for now
			case <-closed:
				return
			case <-time.After(10 * time.Millisecond):
				continue
			}
		}
		p := append([]byte(nil), buf[:n]...)
		now := d.clock.Now()
		d.mu.Lock()
		fates = d.link.Send(fates[:0], impair.Packet{Data: p, Size: n, MayFragment: mayFragment(p)}, now)
		for _, f := range fates {
			out := d.to
			if f.Bounced {
				if f.Data = tooBig(p, d.link.Config().MTU); f.Data == nil {
					continue
				}
				out = d.from
			}
			d.serial++
			heap.Push(&d.queue, due{f.At, d.serial, f.Data, out})
		}
		d.arm()
		d.mu.Unlock()
	}
}

// arm sets the timer for the earliest packet; with mu.
func (d *direction) arm() {
	if len(d.queue) > 0 {
		d.timer.Set(d.queue[0].at)
	}
}

// deliver writes packets out when they are due.
func (d *direction) deliver(closed <-chan struct{}) {
	var now []due
	for {
		select {
		case <-closed:
			d.timer.Stop()
			return
		case <-d.timer.C():
		}
		t := d.clock.Now()
		d.mu.Lock()
		now = now[:0]
		for len(d.queue) > 0 && d.queue[0].at <= t {
			now = append(now, heap.Pop(&d.queue).(due))
		}
		d.arm()
		d.mu.Unlock()
		for _, p := range now {
			// A device that is down or full loses the packet, as a wire does.
			_, _ = p.out.Write(p.data)
		}
	}
}

// due is a packet on its way.
type due struct {
	at     mono.Time
	serial uint64 // packets due at one time keep their order
	data   []byte
	out    io.Writer
}

type queue []due

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].serial < q[j].serial
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(due)) }
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	old[len(old)-1] = due{}
	*q = old[:len(old)-1]
	return x
}
