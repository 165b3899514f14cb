package impair

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/mem"
)

var dst = netip.MustParseAddr("10.0.0.2")

func send(t *testing.T, l transport.Link, n int) {
	t.Helper()
	for range n {
		tx := []transport.TxSlot{{Dst: dst, Data: make([]byte, 20)}}
		if err := l.WriteBatch(tx); err != nil || tx[0].Err != nil {
			t.Fatal(err, tx[0].Err)
		}
	}
}

func TestLossIsSeededAndNearItsShare(t *testing.T) {
	count := func(seed uint64) (lost uint64, got int) {
		a, b := mem.NewPair(0)
		defer a.Close()
		l, w := Loss(a, 0.1, seed)
		send(t, l, 2000)
		rx := make([]transport.RxSlot, 2000)
		for i := range rx {
			rx[i].Buf = make([]byte, 64)
		}
		got, err := b.ReadBatch(rx)
		if err != nil {
			t.Fatal(err)
		}
		return w.Lost(), got
	}
	lost, got := count(1)
	if lost < 150 || lost > 250 || int(lost)+got != 2000 {
		t.Errorf("lost %d, delivered %d of 2000 at 10%%", lost, got)
	}
	if again, _ := count(1); again != lost {
		t.Errorf("the same seed lost %d, then %d", lost, again)
	}
}

func TestErrorsStayWithTheirPackets(t *testing.T) {
	a, _ := mem.NewPair(0)
	l, _ := Loss(a, 0.5, 7)
	tx := make([]transport.TxSlot, 64)
	for i := range tx {
		tx[i] = transport.TxSlot{Dst: dst, Data: make([]byte, 20), Err: errors.New("stale")}
		if i%2 == 1 {
			tx[i].Data = make([]byte, 4000)
		}
	}
	if err := l.WriteBatch(tx); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for i := range tx {
		switch {
		case tx[i].Err == nil:
		case i%2 == 1 && errors.Is(tx[i].Err, transport.ErrTooBig):
			failed++
		default:
			t.Fatalf("packet %d: %v", i, tx[i].Err)
		}
	}
	if failed == 0 || failed == 32 {
		t.Errorf("%d of 32 packets failed; about half were to be lost before", failed)
	}
}

type ports struct{ transport.Link }

func (ports) Reserve(p uint16) (uint16, error) { return p + 1, nil }
func (ports) Release(uint16)                   {}
func (ports) Answers(uint16) bool              { return true }

func TestPortsAreKept(t *testing.T) {
	a, _ := mem.NewPair(0)
	l, _ := Loss(ports{a}, 0, 0)
	p, ok := l.(transport.Ports)
	if !ok {
		t.Fatal("a link with shared ports lost that")
	}
	if n, _ := p.Reserve(6); n != 7 {
		t.Errorf("Reserve went elsewhere: %d", n)
	}
	if l, _ := Loss(a, 0, 0); func() bool { _, ok := l.(transport.Ports); return ok }() {
		t.Error("a link without shared ports got them")
	}
}

// sink takes everything.
type sink struct{ transport.Link }

func (sink) WriteBatch([]transport.TxSlot) error { return nil }

func TestAllocs(t *testing.T) {
	l, _ := Loss(sink{}, 0.5, 1)
	tx := []transport.TxSlot{{Dst: dst, Data: make([]byte, 20)}}
	l.WriteBatch(tx)
	if n := testing.AllocsPerRun(100, func() { l.WriteBatch(tx) }); n != 0 {
		t.Errorf("%v allocations per packet", n)
	}
}
