package impair

import (
	"bytes"
	"math"
	"math/bits"
	"reflect"
	"slices"
	"testing"

	"github.com/gosctp/gosctp/internal/mono"
)

const ms = mono.Millisecond

// drive sends n packets of size bytes, gap apart, and returns what arrives.
func drive(l *Link, n, size int, gap mono.Duration) []Delivery {
	var out []Delivery
	for i := range n {
		data := make([]byte, 4)
		data[0], data[1], data[2] = byte(i>>16), byte(i>>8), byte(i)
		out = l.Send(out, Packet{Data: data, Size: size}, mono.Time(mono.Second).Add(mono.Duration(i)*gap))
	}
	return out
}

func number(d Delivery) int { return int(d.Data[0])<<16 | int(d.Data[1])<<8 | int(d.Data[2]) }

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance {
		t.Errorf("%s is %v, want %v within %v", what, got, want, tolerance)
	}
}

func TestPerfectLink(t *testing.T) {
	for i, d := range drive(New(Config{}, 1), 100, 1500, ms) {
		if d.At != mono.Time(mono.Second).Add(mono.Duration(i)*ms) || number(d) != i || d.Bounced {
			t.Fatalf("packet %d: %+v", i, d)
		}
	}
}

func TestSameSeedSameFate(t *testing.T) {
	cfg := Config{Delay: 20 * ms, Jitter: 5 * ms, Loss: .1, LossBurst: 3, Duplicate: .1, Reorder: .1, ReorderDelay: 30 * ms, Corrupt: .1, Rate: 1e7, Queue: 20000}
	a, b := drive(New(cfg, 7), 2000, 1500, ms), drive(New(cfg, 7), 2000, 1500, ms)
	if !reflect.DeepEqual(a, b) {
		t.Fatal("two runs of one seed differ")
	}
	if reflect.DeepEqual(a, drive(New(cfg, 8), 2000, 1500, ms)) {
		t.Fatal("two seeds give the same run")
	}
}

func TestLoss(t *testing.T) {
	for _, burst := range []float64{0, 4} {
		const n = 200000
		l := New(Config{Loss: .05, LossBurst: burst}, 3)
		got := drive(l, n, 100, ms)
		near(t, "share of packets lost", 1-float64(len(got))/n, .05, .004)
		if l.Stats().Lost != uint64(n-len(got)) {
			t.Errorf("%d counted as lost, %d are missing", l.Stats().Lost, n-len(got))
		}
		runs := 0
		for i := 1; i < len(got); i++ {
			if number(got[i])-number(got[i-1]) > 1 {
				runs++
			}
		}
		want := max(burst, 1/(1-.05))
		near(t, "mean burst", float64(n-len(got))/float64(runs), want, want/10)
	}
	if got := drive(New(Config{Loss: 1}, 1), 1000, 100, ms); len(got) != 0 {
		t.Errorf("%d packets pass a dead link", len(got))
	}
}

func TestDelayAndJitterKeepOrder(t *testing.T) {
	for _, gap := range []mono.Duration{ms / 10, 20 * ms} {
		got := drive(New(Config{Delay: 20 * ms, Jitter: 10 * ms}, 1), 5000, 100, gap)
		lo, hi := mono.Second, mono.Duration(0)
		for i, d := range got {
			if number(d) != i || i > 0 && d.At < got[i-1].At {
				t.Fatalf("packet %d arrives as number %d", number(d), i)
			}
			late := d.At.Sub(mono.Time(mono.Second).Add(mono.Duration(i) * gap))
			lo, hi = min(lo, late), max(hi, late)
		}
		if lo < 20*ms || hi >= 30*ms {
			t.Errorf("delays from %v to %v, want 20 to 30 ms", lo, hi)
		}
		if gap > 10*ms && hi-lo < 9*ms {
			t.Errorf("delays from %v to %v vary too little", lo, hi)
		}
	}
}

func TestReorder(t *testing.T) {
	l := New(Config{Delay: 20 * ms, Reorder: .1, ReorderDelay: 10 * ms}, 1)
	got := drive(l, 10000, 100, ms)
	slices.SortStableFunc(got, func(a, b Delivery) int { return int(a.At - b.At) })
	if len(got) != 10000 {
		t.Fatalf("%d packets of 10000", len(got))
	}
	overtaken := 0
	for i := 1; i < len(got); i++ {
		if number(got[i]) < number(got[i-1]) {
			overtaken++
		}
	}
	near(t, "share held back", float64(l.Stats().Reordered)/10000, .1, .02)
	if overtaken < 600 {
		t.Errorf("%d packets were overtaken, want about 900", overtaken)
	}
}

func TestDuplicate(t *testing.T) {
	got := drive(New(Config{Delay: 20 * ms, Duplicate: .2}, 1), 10000, 100, ms)
	near(t, "share duplicated", float64(len(got)-10000)/10000, .2, .02)
}

func TestCorrupt(t *testing.T) {
	l := New(Config{Corrupt: .5}, 1)
	packet := bytes.Repeat([]byte{0x5a}, 64)
	keep := bytes.Clone(packet)
	for range 10000 {
		d := l.Send(nil, Packet{Data: packet, Size: 84}, 1)[0]
		n := 0
		for i := range d.Data {
			n += bits.OnesCount8(d.Data[i] ^ keep[i])
		}
		if n > 3 || n > 0 && &d.Data[0] == &packet[0] {
			t.Fatalf("%d bits flipped; in the sender's buffer: %v", n, &d.Data[0] == &packet[0])
		}
		if n > 0 {
			l.stats.Corrupted--
		}
	}
	if l.Stats().Corrupted != 0 {
		t.Errorf("%d packets count as corrupted and are not", l.Stats().Corrupted)
	}
}

func TestRateAndQueue(t *testing.T) {
	// 12 Mbit/s carry a packet of 1500 bytes per millisecond; two come.
	l := New(Config{Rate: 12e6, Queue: 15000}, 1)
	got := drive(l, 1000, 1500, ms/2)
	near(t, "packets through", float64(len(got)), 510, 5)
	for i := 1; i < len(got); i++ {
		if d := got[i].At.Sub(got[i-1].At); d < ms-1 {
			t.Fatalf("packets %v apart, faster than the rate", d)
		}
	}
	if st := l.Stats(); int(st.QueueFull) != 1000-len(got) {
		t.Errorf("%d dropped at the queue, %d missing", st.QueueFull, 1000-len(got))
	}
	last := got[len(got)-1]
	if d := last.At.Sub(mono.Time(mono.Second).Add(mono.Duration(number(last)) * ms / 2)); d > 10*ms {
		t.Errorf("a packet waited %v in a queue of 10 ms", d)
	}
}

func TestMTU(t *testing.T) {
	big, small := Packet{Data: []byte{1}, Size: 1401}, Packet{Data: []byte{2}, Size: 1400}
	whole := Packet{Data: []byte{3}, Size: 3000, MayFragment: true}
	l := New(Config{MTU: 1400, Delay: ms}, 1)
	if d := l.Send(nil, big, 1); len(d) != 1 || !d[0].Bounced {
		t.Errorf("too big: %+v", d)
	}
	if d := l.Send(nil, small, 1); len(d) != 1 || d[0].Bounced {
		t.Errorf("fits: %+v", d)
	}
	if d := l.Send(nil, whole, 1); len(d) != 1 || d[0].Bounced {
		t.Errorf("may be fragmented: %+v", d)
	}
	l.SetConfig(Config{MTU: 1400, Silent: true})
	if d := l.Send(nil, big, 1); len(d) != 0 {
		t.Errorf("too big for a silent router: %+v", d)
	}
	if n := l.Stats().TooBig; n != 2 {
		t.Errorf("%d too big, want 2", n)
	}
}

func TestValidate(t *testing.T) {
	if err := new(Config).Validate(); err != nil {
		t.Error(err)
	}
	for _, c := range []Config{
		{Loss: 1.1}, {Loss: math.NaN()}, {Duplicate: -1}, {Corrupt: 2}, {Reorder: .1}, {Delay: -1},
		{Rate: -1}, {Queue: -1}, {MTU: 20}, {LossBurst: -1}, {Jitter: -1},
	} {
		if c.Validate() == nil {
			t.Errorf("%+v passes", c)
		}
	}
}
