package outqueue

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/pipes"
	"github.com/gosctp/gosctp/stack/tcb"
)

// A transfer runs the queue against a receiver that keeps the rules of RFC
// 9260 section 6.2, over links with delay, loss and reordering, in virtual
// time: whatever happens, all data has to arrive, and in good time.
type transfer struct {
	*rig
	rng     *rand.Rand
	delay   mono.Duration
	jitter  mono.Duration
	loss    float64
	dead    tcb.PathSet
	events  []event
	cum     chunk.TSN
	got     map[chunk.TSN]int
	bytes   int // delivered
	held    int // bytes the application has not read
	window  int
	reading bool
	unacked int // packets
	sackAt  mono.Time
	packets int
}

type event struct {
	at   mono.Time
	data []sent // at the receiver
	sack *chunk.Sack
	read bool
}

func (x *transfer) after(d mono.Duration, e event) {
	e.at = x.now.Add(d)
	i, _ := slices.BinarySearchFunc(x.events, e, func(a, b event) int {
		if a.at <= b.at {
			return -1
		}
		return 1
	})
	x.events = slices.Insert(x.events, i, e)
}

func (x *transfer) lost() bool { return x.rng.Float64() < x.loss }

func (x *transfer) transit() mono.Duration {
	return x.delay + mono.Duration(x.rng.Int64N(int64(x.jitter)+1))
}

func (x *transfer) send() {
	out := x.flush()
	for len(out) > 0 {
		n := 1
		for n < len(out) && out[n].packet == out[0].packet {
			n++
		}
		x.packets++
		if !x.lost() && !x.dead.Has(out[0].path) {
			x.after(x.transit(), event{data: out[:n]})
		}
		out = out[n:]
	}
}

func (x *transfer) receive(p []sent) {
	now := len(x.got) > 0
	for _, c := range p {
		switch {
		case c.TSN.LessEq(x.cum) || x.got[c.TSN] > 0:
			now = true
		case x.held+len(c.Payload) > x.window:
			now = true
		default:
			x.got[c.TSN] = len(c.Payload)
			x.held += len(c.Payload)
		}
		now = now || c.Immediate()
	}
	for n := x.got[x.cum+1]; n > 0; n = x.got[x.cum+1] {
		delete(x.got, x.cum+1)
		x.cum++
		x.bytes += n
		if x.reading {
			x.held -= n
		}
	}
	x.unacked++
	if now || len(x.got) > 0 || x.unacked >= 2 {
		x.sendSack()
	} else if x.sackAt == 0 {
		x.sackAt = x.now.Add(200 * ms)
	}
}

func (x *transfer) sendSack() {
	x.unacked, x.sackAt = 0, 0
	if x.lost() {
		return
	}
	var gaps []chunk.GapBlock
	for off := 1; len(gaps) < 300 && off < 5000; off++ {
		if x.got[x.cum.Add(uint32(off))] == 0 {
			continue
		}
		if n := len(gaps); n > 0 && int(gaps[n-1].End) == off-1 {
			gaps[n-1].End++
		} else {
			gaps = append(gaps, chunk.GapBlock{Start: uint16(off), End: uint16(off)})
		}
	}
	s := makeSack(x.cum, uint32(max(x.window-x.held, 0)), gaps...)
	x.after(x.transit(), event{sack: &s})
}

// run moves n messages of size bytes and returns how long it took.
func (x *transfer) run(n, size int, deadline mono.Duration) mono.Duration {
	start := x.now
	total := n * size
	for {
		for n > 0 && x.q.Buffered() < 1<<20 {
			x.push(size)
			n--
		}
		x.send()
		if x.bytes == total && x.q.Empty() {
			return x.now.Sub(start)
		}
		next, t3 := mono.Time(0), -1
		if len(x.events) > 0 {
			next = x.events[0].at
		}
		for i := range x.paths.P {
			if t := x.path(i).T3; t != 0 && (next == 0 || t < next) {
				next, t3 = t, i
			}
		}
		if x.sackAt != 0 && (next == 0 || x.sackAt < next) {
			x.now = x.sackAt
			x.sendSack()
			continue
		}
		if next == 0 {
			x.t.Fatalf("nothing will ever happen again: %d of %d bytes arrived, %d in flight, %d queued, probing %v",
				x.bytes, total, x.q.InFlight(), x.q.Queued(), x.q.probe)
		}
		x.now = next
		if x.now.Sub(start) > deadline {
			x.t.Fatalf("%d of %d bytes after %v; in flight %d, queued %d, rwnd %d, probing %+v", x.bytes, total, deadline, x.q.InFlight(), x.q.Queued(), x.q.PeerRwnd(), x.q.probe)
		}
		if t3 >= 0 {
			x.q.T3Expired(tcb.PathID(t3), x.now)
			x.check()
			continue
		}
		e := x.events[0]
		x.events = x.events[1:]
		switch {
		case e.data != nil:
			x.receive(e.data)
		case e.sack != nil:
			if out := x.q.Sack(*e.sack, x.now); out.Bits&(pipes.BadCumTSN|pipes.BadGap) != 0 {
				x.t.Fatalf("an honest SACK gave %+v", out)
			}
			x.check()
		case e.read:
			x.reading = true
			x.held = 0
			for _, n := range x.got {
				x.held += n
			}
			x.sendSack() // window update
		}
	}
}

func newTransfer(t *testing.T, seed uint64, opts ...rigOpt) *transfer {
	x := &transfer{
		rig: newRig(t, append([]rigOpt{withConfig(func(c *tcb.Config) { c.MaxBurst = 4; c.NoDelay = false })}, opts...)...),
		rng: rand.New(rand.NewPCG(seed, seed)), delay: 10 * ms, cum: firstTSN - 1,
		got: map[chunk.TSN]int{}, window: 1 << 20, reading: true,
	}
	return x
}

func TestTransfer(t *testing.T) {
	for _, c := range []struct {
		name     string
		opts     []rigOpt
		set      func(*transfer)
		n, size  int
		deadline mono.Duration
	}{
		{"clean", nil, nil, 3000, 1400, 3 * sec},
		{"small messages", nil, nil, 20000, 50, 3 * sec},
		{"large messages", nil, nil, 50, 60000, 3 * sec},
		{"1 % loss", nil, func(x *transfer) { x.loss = 0.01 }, 3000, 1400, 90 * sec},
		{"10 % loss", nil, func(x *transfer) { x.loss = 0.1 }, 1000, 1400, 900 * sec},
		{"30 % loss", nil, func(x *transfer) { x.loss = 0.3 }, 100, 3000, 4000 * sec},
		{"reordering", nil, func(x *transfer) { x.jitter = 3 * ms }, 2000, 1400, 60 * sec},
		{"small window", nil, func(x *transfer) { x.window = 4000 }, 500, 1400, 60 * sec},
		{"window smaller than a packet", nil, func(x *transfer) { x.window = 1500 }, 20, 1400, 300 * sec},
		{"reader asleep for a minute", nil, func(x *transfer) {
			x.window, x.reading = 20000, false
			x.after(60*sec, event{read: true})
		}, 100, 1400, 130 * sec},
		{"reader asleep, updates lost", nil, func(x *transfer) {
			x.window, x.reading, x.loss = 20000, false, 0.2
			x.after(60*sec, event{read: true})
		}, 100, 1400, 1500 * sec},
		{"first path dead", []rigOpt{withPaths(1500, 1500)}, func(x *transfer) { x.dead = x.dead.With(0) }, 100, 1400, 6000 * sec},
		{"second path dead, loss", []rigOpt{withPaths(1500, 1500)}, func(x *transfer) { x.dead = x.dead.With(1); x.loss = 0.05 }, 100, 1400, 6000 * sec},
		{"jumbo frames to a small reader", []rigOpt{withPaths(65535)}, func(x *transfer) { x.window = 100000 }, 100, 60000, 60 * sec},
	} {
		for seed := uint64(1); seed <= 3; seed++ {
			x := newTransfer(t, seed, c.opts...)
			x.q.maxRwnd = 0
			if c.set != nil {
				c.set(x)
			}
			x.q.SetPeerRwnd(uint32(x.window))
			took := x.run(c.n, c.size, c.deadline)
			p := x.path(0)
			t.Logf("%s, seed %d: %v, %.2f Mbit/s, %d packets; %d chunks again (%d fast), %d timeouts", c.name, seed, took,
				float64(c.n*c.size*8)/took.Seconds()/1e6, x.packets, p.Stats.Retransmissions, p.Stats.FastRetransmits, p.Stats.T3Expiries)
		}
	}
}
