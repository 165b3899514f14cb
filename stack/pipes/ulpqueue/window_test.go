package ulpqueue

import (
	"math/rand/v2"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/tcb"
)

// R-6.2-24, R-6.2-25, R-6.2-26: the window falls by what arrives, whether or
// not it is complete, and rises by what the reader has read.
func TestWindowIsExact(t *testing.T) {
	r := newRig(t, nil)
	full := r.q.Window()
	if full != uint32(r.cfg.RecvBuffer/2) || full != InitialWindow(&r.cfg) {
		t.Fatalf("initial window %d", full)
	}
	r.put(ok, sized(1, 0, 0, "B", 1000))
	r.put(ok, sized(3, 0, 1, "BE", 1400))
	if w := r.q.Window(); w != full-2400 {
		t.Errorf("window %d short", full-w)
	}
	r.put(done, sized(2, 0, 0, "E", 1000))
	if w := r.q.Window(); w != full-3400 {
		t.Errorf("window %d short", full-w)
	}
	var l List
	r.q.Detach(&l, 0)
	if w := r.q.Window(); w != full-3400 {
		t.Errorf("window %d short after Detach", full-w)
	}
	r.q.Consumed(500) // a part of the message
	if w := r.q.Window(); w != full-2900 {
		t.Errorf("window %d short after reading a part", full-w)
	}
	r.q.Consumed(1500)
	FreeList(r.pool, r.nodes, &l)
	r.read()
	if w := r.q.Window(); w != full {
		t.Errorf("window %d short at the end", full-w) // R-3.3.2-12, R-3.3.3-13
	}
	r.empty()
}

// R-6.2-01, R-6.2-02: what is within the window is taken, and with a shut
// window nothing above the highest TSN is.
func TestWindowShut(t *testing.T) {
	r := newRig(t, func(c *tcb.Config) { c.RecvBuffer = 28000 })
	tsn := chunk.TSN(1)
	for r.q.Window() >= 1400 {
		if !r.q.Room(1400) {
			t.Fatalf("no room within a window of %d", r.q.Window())
		}
		r.put(done, sized(tsn, 0, chunk.SSN(tsn-1), "BE", 1400))
		tsn++
	}
	if tsn != 11 || r.q.Window() != 0 {
		t.Errorf("%d chunks taken, window %d", tsn-1, r.q.Window())
	}
	if r.q.Room(1400) || r.q.Room(1) {
		t.Error("room although the window is shut")
	}
}

// A window is not told if the memory for it is not there.
func TestWindowNeedsMemory(t *testing.T) {
	r := newRig(t, func(c *tcb.Config) { c.RecvBuffer = 48000 })
	tsn := chunk.TSN(0)
	for ; r.q.Window() > 0; tsn++ {
		r.put(done, sized(tsn, 0, chunk.SSN(tsn), "BE", 240))
	}
	if tsn < 98 || tsn > 99 { // of the 100 that the credit is for
		t.Errorf("%d messages taken", tsn)
	}
}

// R-6.2-06: a window too small for a chunk is none.
func TestNoSillyWindow(t *testing.T) {
	r := newRig(t, func(c *tcb.Config) { c.RecvBuffer = 20000 })
	r.put(done, sized(1, 0, 0, "BE", 3000))
	r.put(done, sized(2, 0, 1, "BE", 4500))
	if w := r.q.Window(); w != 0 {
		t.Errorf("window %d, chunks are of 4500", w)
	}
	var l List
	r.q.Detach(&l, 0)
	if r.q.Consumed(1900) {
		t.Error("an update for a window too small for a chunk")
	}
	if !r.q.Consumed(1100) || r.q.Window() != 5500 {
		t.Errorf("no update; window %d", r.q.Window())
	}
	FreeList(r.pool, r.nodes, &l)
}

// R-6.2-12, R-6.2-13, R-6.2-23: updates when the window has opened by a fair
// amount, and not again for the same.
func TestWindowUpdates(t *testing.T) {
	r := newRig(t, func(c *tcb.Config) { c.RecvBuffer = 160000 })
	for i := range chunk.TSN(50) {
		r.put(done, sized(i, 0, chunk.SSN(i), "BE", 1000))
	}
	r.q.Window()
	var l List
	updates := 0
	for r.q.Detach(&l, 0) == 1 {
		if r.q.Consumed(1000) {
			updates++
			r.q.Window() // goes out in a SACK
			if r.q.Consumed(0) {
				t.Fatal("a second update for the same")
			}
		}
		FreeList(r.pool, r.nodes, &l)
	}
	if updates != 5 { // every 10,000 of 50,000
		t.Errorf("%d updates", updates)
	}
	r.empty()
}

// A peer that keeps to the window it was told loses nothing, however small
// its messages are and however the reader dawdles, and the window never grows
// by an arrival.
func TestObedientPeerLosesNothing(t *testing.T) {
	for seed := range uint64(24) {
		rng := rand.New(rand.NewPCG(seed, 3))
		r := newRig(t, func(c *tcb.Config) { c.RecvBuffer = 1 << 18 })
		sizes := [][]int{{10}, {20}, {100}, {129}, {1025}, {1400}, {1, 1400}, {60, 9000}}[seed%8]
		told := int(r.q.Window())
		var flight []chunk.Data // sent and not arrived
		// What is in flight may take an eighth of the buffer: against a burst
		// that alone exceeds it no window helps.
		inFlight, cwnd := 0, (1<<15)/(charge(sizes[0])+messageOverhead)*sizes[0]+sizes[len(sizes)-1]
		tsn, ssn := chunk.TSN(0), chunk.SSN(0)
		shut, n := 0, sizes[0]
		for i := range 8000 {
			// Send what the window told last allows.
			for {
				if inFlight+n > told || inFlight+n > cwnd {
					break
				}
				flight = append(flight, sized(tsn, 0, ssn, "BE", n))
				tsn++
				ssn++
				inFlight += n
				n = sizes[rng.IntN(len(sizes))]
			}
			for range 1 + rng.IntN(4) {
				if len(flight) == 0 {
					break
				}
				d := flight[0]
				flight = flight[1:]
				before := r.q.CurrentWindow()
				if !r.q.Room(len(d.Payload)) || r.q.Insert(d)&Accepted == 0 {
					t.Fatalf("seed %d: TSN %d with %d bytes was dropped; told %d, memory %d of %d",
						seed, d.TSN, len(d.Payload), told, r.q.mem, r.q.limit)
				}
				if r.q.CurrentWindow() > before {
					t.Fatalf("seed %d: an arrival opened the window from %d to %d", seed, before, r.q.CurrentWindow())
				}
				inFlight -= len(d.Payload)
				told = max(0, int(r.q.Window()))
			}
			if told == 0 {
				shut++
			}
			// The reader sleeps until nothing can be sent, or is in a hurry.
			if len(flight) == 0 || i/2000%2 == 1 && rng.IntN(5) == 0 {
				if r.q.Detach(&r.list, 1+rng.IntN(20*sizes[0])) > 0 {
					if r.q.Consumed(r.list.Bytes()) {
						told = int(r.q.Window())
					}
					FreeList(r.pool, r.nodes, &r.list)
				}
			}
		}
		r.check()
		if shut == 0 {
			t.Errorf("seed %d: the window never shut", seed)
		}
		r.q.Purge()
	}
}

// R-6.2-03, R-6.2-29: the highest TSNs go first, and no more than needed.
func TestRenege(t *testing.T) {
	r := newRig(t, func(c *tcb.Config) { c.RecvBuffer = 20000 })
	big := func(tsn chunk.TSN, ssn chunk.SSN, flags string) chunk.Data { return sized(tsn, 0, ssn, flags, 1500) }
	r.put(done, big(1, 0, "BE")) // ready: never dropped
	r.put(ok, big(3, 2, "BE"))   // waits
	r.put(ok, big(5, 3, "B"))    // fragments
	r.put(ok, big(6, 3, ""))     //
	r.put(ok, big(8, 5, "BE"))   //
	r.put(ok, big(9, 6, "B"))    // complete, but two of the three
	r.put(ok, big(10, 6, ""))    // go
	r.put(ok, big(11, 6, "E"))   //
	for tsn := chunk.TSN(20); r.q.fits(1500); tsn++ {
		r.put(done, sized(tsn, 1, chunk.SSN(tsn-20), "BE", 50))
	}
	var gone []chunk.TSN
	drop := func(t chunk.TSN) { gone = append(gone, t) }
	before := r.q.Held()
	if !r.q.RenegeFor(3000, 2, drop) {
		t.Fatal("no room was made")
	}
	r.check()
	if len(gone) != 2 || gone[0] != 11 || gone[1] != 10 {
		t.Fatalf("dropped %v", gone)
	}
	if r.q.Held() != before-2*charge(1500) {
		t.Errorf("%d of memory came free", before-r.q.Held())
	}
	// The rest of what was cut is a fragment again, and can be completed.
	if r.q.bySSN.n != 2 {
		t.Errorf("%d messages wait", r.q.bySSN.n)
	}
	// Nothing at or below the gap's TSN is dropped.
	gone = nil
	if r.q.RenegeFor(1<<20, 7, drop) {
		t.Error("room out of nothing")
	}
	if len(gone) != 2 || gone[0] != 9 || gone[1] != 8 {
		t.Errorf("dropped %v", gone)
	}
	r.check()
	r.read()
	r.put(done, sized(2, 0, 1, "BE", 10))
	r.put(ok, sized(8, 0, 5, "BE", 10))
	r.put(ok, sized(4, 0, 4, "BE", 10)) // not its turn: SSN 3 is incomplete
	r.put(done, sized(7, 0, 3, "E", 10))
	r.read()
	r.empty()
}

// The beginning of a message that lost its end to reneging is completed again.
func TestRenegeThenComplete(t *testing.T) {
	r := newRig(t, func(c *tcb.Config) { c.RecvBuffer = 8800 })
	r.put(ok, sized(2, 0, 1, "B", 2000))
	r.put(ok, sized(3, 0, 1, "E", 2000))
	if !r.q.RenegeFor(4000, 1, func(t chunk.TSN) {
		if t != 3 {
			panic(t)
		}
	}) {
		t.Fatal("no room was made")
	}
	r.check()
	r.put(done, sized(1, 0, 0, "BE", 4000))
	if n := len(r.read()); n != 4000 {
		t.Fatalf("%d bytes read", n)
	}
	r.put(done, sized(3, 0, 1, "E", 2000))
	if n := len(r.read()); n != 4000 {
		t.Errorf("%d bytes read", n)
	}
	r.empty()
}

// What the reader has seen the beginning of is not dropped.
func TestNoRenegeInPartialDelivery(t *testing.T) {
	r := newRig(t, func(c *tcb.Config) { c.RecvBuffer = 4096; c.PartialPoint = 1 })
	r.packet(done, sized(5, 0, 0, "B", 1000))
	r.packet(done, sized(6, 0, 0, "", 1000))
	if r.q.RenegeFor(3000, 4, func(t chunk.TSN) { panic(t) }) {
		t.Error("room out of nothing")
	}
	r.read()
	r.packet(done, sized(7, 0, 0, "E", 1000))
	r.read()
	r.empty()
}

// A window that small messages have shut opens again by updates, though it never
// grows by much: few of them, each several times the one before.
func TestWindowUpdatesOfSmallMessages(t *testing.T) {
	r := newRig(t, nil)
	tsn := chunk.TSN(0)
	for r.q.Window() > 1 {
		r.put(done, sized(tsn, 0, 0, "BEU", 1))
		tsn++
	}
	var l List
	updates, last := 0, uint32(1)
	for r.q.Detach(&l, 0) == 1 {
		if r.q.Consumed(1) {
			updates++
			w := r.q.Window()
			if w < 4*last {
				t.Errorf("from %d to %d", last, w)
			}
			last = w
		}
		FreeList(r.pool, r.nodes, &l)
	}
	if updates == 0 || updates > 4 || last < segment {
		t.Errorf("%d updates for %d messages, up to %d", updates, tsn, last)
	}
	r.empty()
}
