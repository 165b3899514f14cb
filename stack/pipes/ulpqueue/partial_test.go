package ulpqueue

import (
	"testing"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/tcb"
)

func partialAt(n int) func(*tcb.Config) {
	return func(c *tcb.Config) { c.PartialPoint = n }
}

// R-6.9-16: pieces from PartialPoint on, and nothing between them.
func TestPartialDelivery(t *testing.T) {
	r := newRig(t, partialAt(4))
	r.packet(ok, data(1, 1, 0, "B", "abc"))
	r.packet(done, data(2, 1, 0, "", "def"))
	r.want("abcdef...")
	r.packet(ok, data(5, 1, 0, "E", "mno"))
	r.packet(ok, data(6, 1, 1, "BE", "next"))
	r.packet(ok, data(7, 2, 0, "BE", "other"))
	r.packet(ok, data(8, 2, 9, "BEU", "unordered"))
	r.want("") // all of them wait
	r.packet(done, data(3, 1, 0, "", "ghi"))
	r.q.Notify(Notification{Kind: 5}) // does not wait
	r.want("ghi... note5")
	r.packet(done, data(4, 1, 0, "", "jkl"))
	r.want("jklmno unordered next other")
	r.packet(done, data(9, 2, 1, "BE", "z"))
	r.want("z")
	r.empty()
}

// Pieces that the reader has not taken yet are joined.
func TestPartialPiecesJoin(t *testing.T) {
	r := newRig(t, partialAt(1))
	r.packet(done, data(1, 1, 0, "BU", "a"))
	r.packet(done, data(2, 1, 0, "U", "b"))
	r.packet(done, data(3, 1, 0, "U", "c"))
	r.q.Notify(Notification{Kind: 5})
	r.packet(done, data(4, 1, 0, "U", "d"))
	r.packet(done, data(5, 1, 0, "EU", "e"))
	r.want("abc... note5 de")
	r.packet(done, data(6, 1, 0, "B", "f"))
	r.want("f...")
	r.packet(done, data(7, 1, 0, "E", "g"))
	r.want("g")
	r.packet(done, data(8, 1, 1, "BE", "h"))
	r.want("h")
	r.empty()
}

// Before everything below it has arrived there is no partial delivery.
func TestPartialWaitsForItsTurn(t *testing.T) {
	r := newRig(t, partialAt(2))
	r.packet(done, data(0, 0, 0, "BE", "first"))
	r.packet(ok, data(2, 1, 1, "B", "bcd"))
	r.packet(ok, data(3, 1, 1, "", "efg"))
	r.want("first")
	r.packet(done, data(1, 1, 0, "BE", "a"))
	r.want("a bcdefg...")
	r.packet(done, data(4, 1, 1, "", "hij"))
	r.want("hij...")
	// A second message that is large enough begins when this one has ended.
	r.packet(ok, data(6, 2, 0, "B", "123"))
	r.packet(done, data(5, 1, 1, "E", "k"))
	r.want("k 123...")
	r.packet(done, data(7, 2, 0, "E", "4"))
	r.want("4")
	// In another stream it would be in turn, but it is not next.
	r.packet(ok, data(9, 3, 0, "B", "xyz"))
	r.want("")
	r.packet(done, data(8, 4, 0, "BE", "w"))
	r.want("w xyz...")
	r.packet(done, data(10, 3, 0, "E", "!"))
	r.want("!")
	r.empty()
}

// An SSN cannot be that of the message in partial delivery.
func TestPartialSSNTwice(t *testing.T) {
	r := newRig(t, partialAt(1))
	r.packet(done, data(1, 1, 0, "B", "a"))
	if got := r.q.Insert(data(3, 1, 0, "BE", "b")); got&Violation == 0 {
		t.Errorf("result %04b", got)
	}
}

// Without PartialPoint it begins when the window is shut and nothing else can
// be read: a message larger than the buffer gets through.
func TestMessageLargerThanBuffer(t *testing.T) {
	for _, size := range []int{10, 100, 1000, 1400, 9000, 40000} {
		r := newRig(t, func(c *tcb.Config) { c.RecvBuffer = 50000 })
		const total = 500000
		sent, got, pieces := 0, 0, 0
		tsn := chunk.TSN(1)
		for stuck := 0; got < total; stuck++ {
			if stuck > 1 {
				t.Fatalf("size %d: stuck at %d of %d bytes, %d read; window %d", size, sent, total, got, r.q.CurrentWindow())
			}
			for sent < total {
				flags := ""
				if sent == 0 {
					flags = "B"
				} else if sent+size >= total {
					flags = "E"
				}
				n := min(size, total-sent)
				if int(r.q.CurrentWindow()) < n && !(stuck > 0 && r.q.Room(n)) {
					break
				}
				if r.q.Insert(sized(tsn, 0, 0, flags, n))&Accepted == 0 {
					break
				}
				r.q.CumTSNAdvanced(tsn)
				r.check()
				tsn++
				sent += n
				stuck = 0
			}
			var l List
			for r.q.Detach(&l, 1000) > 0 {
				m := l.Pop()
				got += m.Len
				pieces++
				if m.EOR != (got == total) {
					t.Fatalf("size %d: EOR is %t after %d bytes", size, m.EOR, got)
				}
				r.q.Consumed(m.Len)
				FreeMessage(r.pool, r.nodes, m)
				r.check()
				stuck = 0
			}
		}
		if pieces < 5 {
			t.Errorf("size %d: %d pieces", size, pieces)
		}
		r.empty()
	}
}

// A probe with a chunk for which there is no room sets a message free that
// was waiting for its end.
func TestProbeRelieves(t *testing.T) {
	r := newRig(t, func(c *tcb.Config) { c.RecvBuffer = 40000 })
	r.packet(ok, sized(1, 0, 0, "B", 4000))
	r.packet(ok, sized(2, 0, 0, "", 4000))
	r.packet(ok, sized(3, 0, 0, "", 4000))
	r.packet(ok, sized(4, 0, 0, "", 4000))
	if r.q.CurrentWindow() != 4000 || r.q.Ready() {
		t.Fatalf("window %d", r.q.CurrentWindow())
	}
	if r.q.Room(30000) {
		t.Fatal("there is room")
	}
	if !r.q.Ready() {
		t.Fatal("nothing became ready")
	}
	if n := len(r.read()); n != 16003 {
		t.Errorf("%d bytes", n)
	}
	if !r.q.Room(30000) {
		t.Error("an empty buffer does not take a large chunk")
	}
}

// A reader that has read everything there was sets it free, too.
func TestReadingRelieves(t *testing.T) {
	r := newRig(t, func(c *tcb.Config) { c.RecvBuffer = 40000 })
	r.packet(done, sized(1, 0, 0, "BE", 450))
	for tsn := chunk.TSN(2); r.q.Window() > 0; tsn++ {
		flags := ""
		if tsn == 2 {
			flags = "B"
		}
		r.packet(ok, sized(tsn, 0, 1, flags, 4800))
	}
	r.q.Detach(&r.list, 0)
	if r.q.Ready() {
		t.Fatal("something is ready")
	}
	r.q.Consumed(450)
	if !r.q.Ready() {
		t.Error("nothing is ready, and nothing can come")
	}
	FreeList(r.pool, r.nodes, &r.list)
	r.check()
}

// A piece that was read is not added to, even if its memory is in the list
// again as something else.
func TestPieceGone(t *testing.T) {
	r := newRig(t, partialAt(1))
	r.packet(done, data(1, 1, 0, "B", "a"))
	r.want("a...")
	r.q.Notify(Notification{Kind: 5})
	r.packet(done, data(2, 1, 0, "E", "b"))
	r.want("note5 b")
	r.empty()
}

// The reader hears that a message it has seen the beginning of has no end.
func TestAbort(t *testing.T) {
	r := newRig(t, partialAt(1))
	r.packet(done, data(1, 4, 0, "B", "a"))
	r.packet(ok, data(3, 4, 1, "BE", "b"))
	r.packet(ok, data(5, 4, 2, "B", "c"))
	r.q.Abort()
	r.check()
	if r.q.Pending() {
		t.Error("data is pending")
	}
	r.q.Detach(&r.list, 1<<30)
	m, n := r.list.Pop(), r.list.Pop()
	if m.EOR || n.Note != (Notification{Kind: NotePartialAborted, Rank: Final, A: 4}) {
		t.Errorf("%+v", n.Note)
	}
	r.q.Consumed(m.Len)
	FreeMessage(r.pool, r.nodes, m)
	FreeMessage(r.pool, r.nodes, n)
	r.empty()
	r.q.Abort()
	r.want("") // nothing to tell the second time
}

func TestRestart(t *testing.T) {
	r := newRig(t, partialAt(100))
	r.packet(done, data(10, 1, 0, "BE", "old"))
	r.packet(ok, data(11, 1, 1, "B", "cut"))
	r.q.CumTSNAdvanced(11)
	r.q.Restart(5)
	if r.q.InStreams() != 5 {
		t.Errorf("%d streams", r.q.InStreams())
	}
	r.packet(0, data(1<<31, 5, 0, "BE", "no such stream"))
	r.packet(done, data(1<<31, 1, 0, "BE", "new"))
	if r.q.CumTSNAdvanced(1<<31) != 0 {
		t.Error("a violation")
	}
	r.want("old new")
	r.empty()

	// What was known about TSNs is forgotten.
	r.q.CumTSNAdvanced(1<<31 + 11)
	r.q.Restart(5)
	r.put(ok, data(1<<31+1, 1, 0, "E", "no beginning"))
	r.put(ok, data(1<<31+2, 1, 1, "BE", "waits"))
	if r.q.CumTSNAdvanced(1<<31+2) != Violation {
		t.Error("a message without beginning passed")
	}
}

func TestPurge(t *testing.T) {
	r := newRig(t, partialAt(3))
	r.packet(done, data(1, 1, 0, "BE", "ready"))
	r.packet(done, data(2, 1, 1, "B", "piece"))
	r.packet(ok, data(4, 1, 2, "BE", "waits"))
	r.packet(ok, data(6, 3, 2, "U", "middle"))
	r.q.Notify(Notification{Kind: 1, Bytes: r.pool.Get(5)})
	var l List
	r.q.Detach(&l, 1)
	r.q.Purge()
	r.check()
	if r.q.Ready() || r.q.Pending() || r.pool.InUse() != 1 {
		t.Errorf("%d buffers in use", r.pool.InUse())
	}
	r.q.Consumed(l.Bytes())
	FreeList(r.pool, r.nodes, &l)
	r.empty()
	if r.q.mem != 0 || r.q.CurrentWindow() != uint32(r.q.grant()) {
		t.Errorf("window %d, %d held", r.q.CurrentWindow(), r.q.mem)
	}
}
