package fuzz

import (
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
)

// input is the bytes that drive a run.
type input struct{ b []byte }

func (in *input) byte() int {
	if len(in.b) == 0 {
		return 0
	}
	c := in.b[0]
	in.b = in.b[1:]
	return int(c)
}

// below returns a number less than n.
func (in *input) below(n int) int {
	if n <= 1 {
		return 0
	}
	return in.byte() % n
}

var waits = [...]mono.Duration{
	1 * mono.Millisecond, 10 * mono.Millisecond, 100 * mono.Millisecond, 200 * mono.Millisecond,
	1 * mono.Second, 3 * mono.Second, 20 * mono.Second, 70 * mono.Second,
}

// Modes of the first byte.
const (
	modeBoth     = 1 << iota // both ends start
	modeOnPath               // the attacker knows the tags: nothing is promised but survival
	modeNoSetup              // the hostility begins at once, not when the association is up
	modePreludes             // something is in flight when it begins
)

// run plays data on d.
func (d *duo) run(t testing.TB, data []byte) {
	t.Helper()
	if err := d.play(t, data); err != nil {
		t.Fatal(err)
	}
}

func (d *duo) play(t testing.TB, data []byte) error {
	in := &input{data}
	mode := in.byte()
	onPath := mode&modeOnPath != 0
	d.begin()
	d.trust = !onPath
	userAborts := false
	if err := d.side[0].dial(); err != nil {
		t.Fatal(err)
	}
	if mode&modeBoth != 0 {
		if err := d.side[1].dial(); err != nil {
			t.Fatal(err)
		}
	}
	if mode&modeNoSetup == 0 {
		for len(d.fly) > 0 {
			d.deliver(0)
		}
	}
	if mode&modePreludes != 0 {
		for s := range streams {
			d.side[0].send(s)
			d.side[1].send(s)
		}
	}
	for n := 0; len(in.b) > 0 && d.err == nil; n++ {
		op := in.byte()
		arg := op >> 4
		switch op & 15 {
		case 0, 1, 2:
			if len(d.fly) > 0 {
				d.deliver(0)
			}
		case 3:
			if len(d.fly) > 0 {
				d.deliver(arg % len(d.fly))
			}
		case 4:
			for n := len(d.fly); n > 0 && len(d.fly) > 0; n-- {
				d.deliver(0)
			}
		case 5:
			if len(d.fly) > 0 {
				k := arg % len(d.fly)
				p := d.fly[k]
				d.fly = append(d.fly[:k], d.fly[k+1:]...)
				d.remember(p)
			}
		case 6: // a copy goes ahead
			if len(d.fly) > 0 {
				p := d.fly[arg%len(d.fly)]
				d.input(p.to, append([]byte(nil), p.data...))
			}
		case 7: // a bit flips on the wire
			if len(d.fly) > 0 {
				p := d.fly[0]
				k := in.byte() * len(p.data) / 256
				p.data[k] ^= 1 << (arg & 7)
				d.input(p.to, p.data)
				p.data[k] ^= 1 << (arg & 7)
			}
		case 8: // an old one comes again
			if len(d.old) > 0 {
				p := d.old[in.below(len(d.old))]
				d.input(p.to, append([]byte(nil), p.data...))
			}
		case 9, 10:
			d.forge(in, arg, onPath)
		case 11:
			d.wait(waits[arg%len(waits)])
		case 12:
			d.side[0].send(arg % streams)
		case 13:
			d.side[1].send(arg % streams)
		case 14:
			d.side[arg&1].recv()
		case 15:
			h := d.side[arg&1]
			switch {
			case arg>>1 == 2 && d.crashes < 3:
				d.crashes++
				if err := h.crash(in.byte()&1 != 0); err != nil {
					t.Fatal(err)
				}
			case arg>>1 == 3 && len(d.old) > 0:
				q := append(d.buf(), d.old[in.below(len(d.old))].data...)
				if len(q) >= chunk.HeaderLen && !onPath {
					q[4] ^= 0x10
				}
				h.icmp(q[:in.byte()*len(q)/256])
				d.free = append(d.free, q)
			case h.a == nil || h.a.End().Ended:
			case arg>>1 == 0:
				h.a.Shutdown()
			case arg>>1 == 1:
				userAborts = true
				h.a.Abort([]byte("so says the fuzzer"))
			}
		}
		if len(d.fly) > 400 {
			d.drop(200) // the network has its limits
		}
		if n%64 == 63 {
			d.bounded()
		}
	}
	if d.err == nil && d.trust && !userAborts {
		for _, h := range d.side {
			if h.a == nil {
				continue
			}
			if e := h.a.End(); e.Ended && e.Cause != 0 && e.Cause != chunk.CauseStaleCookie && e.Change != fsm.ShutdownComplete {
				d.fail("host %d: ended by %v, %v, although nobody could know the tags", h.i, e.Change, e.Cause)
			}
		}
	}
	if d.err == nil {
		d.finish()
	}
	return d.err
}

// bounded checks that nothing grows beyond what the configuration allows: two
// associations may live on a side, each with its buffers full.
func (d *duo) bounded() {
	for _, h := range d.side {
		if st := h.s.Stats(); st.Buffers > 4000 || st.Associations > 3 {
			d.fail("host %d: %d buffers, %d associations", h.i, st.Buffers, st.Associations)
		}
	}
}

// forge sends a packet made from one that was seen: its bytes changed, its
// checksum right. Off path its tag is wrong.
func (d *duo) forge(in *input, arg int, onPath bool) {
	pool := d.fly
	if arg&1 != 0 || len(pool) == 0 {
		pool = d.old
	}
	if len(pool) == 0 {
		return
	}
	p := pool[in.below(len(pool))]
	to := p.to
	b := append(d.buf(), p.data...)
	for range 1 + arg>>2 {
		k := in.byte() * len(b) / 256
		switch v := in.byte(); v & 3 {
		case 0:
			b[k] = byte(in.byte())
		case 1:
			b[k] ^= 1 << (v >> 5)
		case 2: // a piece is cut out or put in twice
			n := min(4*(1+v>>4), len(b)-k)
			if v&4 != 0 {
				b = append(b[:k], b[k+n:]...)
			} else if len(b)+n < 2000 {
				b = append(b, b[len(b)-n:]...)
				copy(b[k+n:], b[k:len(b)-n])
			}
		case 3: // another packet's chunks follow
			q := pool[v>>2%len(pool)]
			if len(b)+len(q.data) < 2000 && len(q.data) > chunk.HeaderLen {
				b = append(b, q.data[chunk.HeaderLen:]...)
			}
		}
		if len(b) == 0 {
			return
		}
	}
	if arg&2 != 0 {
		to = 1 - to
	}
	if len(b) >= chunk.HeaderLen {
		if !onPath {
			// What is guessed is wrong, but for the tag 0 of an INIT.
			tag := binary.BigEndian.Uint32(b[4:])
			if tag != 0 || in.byte()&1 != 0 {
				tag = binary.BigEndian.Uint32(p.data[4:]) ^ 0x40000000 | 1
			}
			binary.BigEndian.PutUint32(b[4:], tag)
			if len(b) >= chunk.HeaderLen+chunk.InitLen && chunk.Type(b[12]) == chunk.TypeInit {
				b[16] ^= 0x55 // it may not know the Initiate Tag either
			}
		}
		chunk.SetChecksum(b)
	}
	d.input(to, b)
	d.free = append(d.free, b)
}

var theDuo *duo

// FuzzTwoStacks lets a hostile network loose on two stacks: it delivers, drops,
// repeats, reorders, corrupts and forges packets, lets time pass, and calls
// the stacks' users. Nothing panics; what is read is what was sent; memory is
// bounded; and in the end both ends are gone.
func FuzzTwoStacks(f *testing.F) {
	for _, seed := range seeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			return
		}
		d := theDuo
		if d == nil {
			d = newDuo(t)
		}
		theDuo = nil // a run that fails leaves nothing for the next
		d.run(t, data)
		theDuo = d
	})
}

// seeds are runs of each kind.
func seeds() (l [][]byte) {
	r := rand.New(rand.NewPCG(9, 260))
	for mode := range byte(16) {
		b := []byte{mode}
		for range 200 {
			b = append(b, byte(r.Uint32()))
		}
		l = append(l, b)
	}
	return append(l, nil, []byte{0}, []byte{0, 12, 13, 4, 4, 0xf0, 4}, []byte{modeBoth | modeNoSetup, 3 << 4, 4, 4, 4})
}

var soak = flag.Int("soak", 3000, "runs of TestTwoStacksSoak")

// TestTwoStacksSoak plays many random runs, as the fuzzer would.
func TestTwoStacksSoak(t *testing.T) {
	n := *soak
	if testing.Short() {
		n = min(n, 500)
	}
	d := newDuo(t)
	r := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 0, 600)
	for i := range n {
		data = data[:0]
		for range 20 + r.IntN(500) {
			data = append(data, byte(r.Uint32()))
		}
		data[0] = byte(i) & 15
		if err := d.play(t, data); err != nil {
			t.Fatalf("run %d: %v\n%q", i, err, data)
		}
	}
}

// BenchmarkTwoStacks is one run of 200 steps.
func BenchmarkTwoStacks(b *testing.B) {
	d := newDuo(b)
	all := seeds()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d.run(b, all[i%16])
	}
}
