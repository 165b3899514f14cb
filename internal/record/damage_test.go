package record_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/record"
	"github.com/gosctp/gosctp/sim"
	"github.com/gosctp/gosctp/sim/impair"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// lossy is a scenario with two paths, loss and traffic both ways.
func lossy() sim.Scenario {
	link := impair.Config{Delay: 10 * mono.Millisecond, Loss: .05}
	cfg := tcb.DefaultConfig()
	user := sim.UserPlan{Messages: 60, MaxSize: 4000, Streams: 3, Unordered: .2, Closing: sim.CloseWhenSent}
	return sim.Scenario{
		MTU: 1500, AtoZ: link, ZtoA: link, More: []sim.PathPlan{{AtoZ: link, ZtoA: link}}, A: cfg, Z: cfg,
		Assocs: []sim.AssocPlan{{A: user, Z: user}},
	}
}

// sent is a Watcher that keeps the packets, and the calls that sent them.
type sent struct {
	calls   uint64
	packets [][]byte
	call    []uint64
}

func (s *sent) Begin(*sideeffects.Call, *sideeffects.Association) { s.calls++ }
func (s *sent) End(*sideeffects.Call, *sideeffects.Association)   {}
func (s *sent) Step(*sideeffects.Step)                            {}
func (s *sent) Packet(p []byte, _ sideeffects.Addressing) {
	s.packets = append(s.packets, bytes.Clone(p))
	s.call = append(s.call, s.calls)
}

// TestChangedByte: one byte of a packet that was sent is another one, and the
// replay says in which call, and what it should be.
func TestChangedByte(t *testing.T) {
	file := simulate(t, 1, lossy(), false)["A0"]
	all := new(sent)
	if _, err := play(file, all, nil); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for i, p := range all.packets {
		if tried == 12 || !contains(file, p) {
			continue // user data is not in the file
		}
		tried++
		want := bytes.Clone(p)
		want[len(want)-1] ^= 1
		seen := 0
		for j := range i {
			if bytes.Equal(all.packets[j], p) {
				seen++
			}
		}
		bad := record.Rewrite(file, func(payload []byte) []byte {
			for at := 0; ; {
				k := bytes.Index(payload[at:], p)
				if k < 0 {
					return payload
				}
				if at += k; seen == 0 {
					payload[at+len(p)-1] ^= 1
					seen--
					return payload
				}
				seen--
				at += len(p)
			}
		})
		_, err := play(bad, nil, nil)
		var d *record.Difference
		if !errors.As(err, &d) {
			t.Fatalf("packet %d: %v", i, err)
		}
		if d.Call != all.call[i] || !bytes.Equal(d.Got, p) || !bytes.Equal(d.Want, want) {
			t.Errorf("packet %d: %v, want call %d", i, d, all.call[i])
		}
	}
	if tried < 5 {
		t.Fatalf("only %d packets were changed", tried)
	}
}

// contains reports whether p stands in the file's records as it is.
func contains(file, p []byte) (found bool) {
	record.Rewrite(file, func(b []byte) []byte { found = found || bytes.Contains(b, p); return b })
	return found
}

// TestAnyByte: whatever byte is another one, nothing panics, and most changes
// are noticed.
func TestAnyByte(t *testing.T) {
	s := lossy()
	s.Assocs[0].A.Messages, s.Assocs[0].Z.Messages = 8, 8
	file := simulate(t, 1, s, false)["Z0"]
	n := 0
	record.Rewrite(file, func(p []byte) []byte { n += len(p); return p })
	step := 11
	if testing.Short() || raceEnabled {
		step = 61
	}
	noticed, tried := 0, 0
	for i := 0; i < n; i += step {
		at := i
		bad := record.Rewrite(file, func(p []byte) []byte {
			if at >= 0 && at < len(p) {
				p[at] ^= 0x11
			}
			at -= len(p)
			return p
		})
		tried++
		if _, err := play(bad, nil, nil); err != nil {
			noticed++
		}
	}
	t.Logf("%d of %d changes were noticed", noticed, tried)
	if noticed < tried/2 {
		t.Error("too few")
	}
}

// TestCut: a file that was cut off anywhere plays up to there and says so.
func TestCut(t *testing.T) {
	file := simulate(t, 1, lossy(), false)["A0"]
	whole, err := play(file, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	last := uint64(0)
	for i := 0; i < len(file); i += 397 {
		f, err := record.Parse(file[:i])
		if err != nil {
			if i > 12 || !errors.Is(err, record.ErrFormat) {
				t.Fatalf("%d bytes: %v", i, err)
			}
			continue
		}
		p, err := play(file[:i], nil, nil)
		if err != nil || f.Damage == "" || !f.Cut || p.Calls < last {
			t.Fatalf("%d bytes: %v, %q, cut %t, %d calls", i, err, f.Damage, f.Cut, p.Calls)
		}
		last = p.Calls
	}
	// Cut within the records, as a kill between two blocks has it.
	for n := 1; n < 3000; n += 53 {
		left := n
		short := record.Rewrite(file, func(p []byte) []byte {
			p = p[:min(left, len(p))]
			left -= len(p)
			return p
		})
		p, err := play(short, nil, nil)
		if err != nil && !strings.Contains(err.Error(), "ends too early") {
			t.Fatalf("%d bytes of records: %v", n, err)
		}
		if p.Calls == 0 && n > 1000 || p.Calls >= whole.Calls {
			t.Fatalf("%d bytes of records: %d calls", n, p.Calls)
		}
	}
	// A flipped bit is found by the checksum, or, in a block's length, by the
	// end of the file, which is there: neither is a cut.
	const second = 12 + 16 // behind the magic and the header's own
	n := second + int(file[12]) + int(file[13])<<8
	for at, want := range map[int]string{len(file) / 2: "checksum", n + 2: "in a block", n + 3: "a block of", n + 4: "checksum", len(file) - 1: "checksum"} {
		bad := bytes.Clone(file)
		bad[at] ^= 0x40
		if f, err := record.Parse(bad); err != nil || !strings.Contains(f.Damage, want) || !strings.HasPrefix(f.Damage, "at byte ") || f.Cut {
			t.Errorf("byte %d: %v, %q, cut %t, want %q", at, err, f.Damage, f.Cut, want)
		}
	}
	for _, b := range [][]byte{nil, []byte("hello"), file[:11], append([]byte(nil), "\x89SCTPLOG\r\n\x1a\x02"...)} {
		if _, err := record.Parse(b); !errors.Is(err, record.ErrFormat) {
			t.Errorf("%q: %v", b, err)
		}
	}
}

// FuzzReplay: no file makes the replay panic, hang or take all memory. The
// bytes are a file, or the records in one.
func FuzzReplay(f *testing.F) {
	s := lossy()
	s.Assocs[0].A.Messages, s.Assocs[0].Z.Messages = 3, 3
	for _, host := range simulate(f, 2, s, false) {
		f.Add(host, false, false)
		record.Rewrite(host, func(p []byte) []byte { f.Add(p, true, false); return p })
	}
	for _, host := range simulate(f, 3, s, true) {
		record.Rewrite(host, func(p []byte) []byte { f.Add(p, true, true); return p })
	}
	f.Fuzz(func(t *testing.T, b []byte, framed, data bool) {
		if framed {
			b = record.Framed(b, data)
		}
		file, err := record.Parse(b)
		if err != nil {
			return
		}
		p := file.Player(new(sent))
		p.Memory = 1 << 20
		for more := true; more && err == nil; {
			more, err = p.Next()
		}
	})
}
