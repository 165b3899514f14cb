package inqueue

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/chunk"
)

// packetOf builds a packet: 12 bytes of header and the chunks.
func packetOf(chunks ...[]byte) []byte {
	return append(make([]byte, chunk.HeaderLen), bytes.Join(chunks, nil)...)
}

func data(tsn chunk.TSN, n int) []byte {
	return chunk.AppendData(nil, chunk.Data{TSN: tsn, Flags: chunk.FlagB | chunk.FlagE, Payload: make([]byte, n)})
}

func raw(typ chunk.Type, length int, body int) []byte {
	b := make([]byte, 4+body)
	b[0], b[2], b[3] = byte(typ), byte(length>>8), byte(length)
	return b
}

// show lists the items of p on one line each.
func show(p []byte) string {
	var c Cursor
	c.Reset(p)
	var out []string
	for {
		it, ok := c.Next()
		if !ok {
			break
		}
		s := fmt.Sprintf("%d@%d n=%d run=%d", it.Type, it.Off, it.N, len(it.Run))
		for _, f := range []struct {
			is   bool
			name string
		}{{it.First, "first"}, {it.Last, "last"}, {it.Singleton, "single"}} {
			if f.is {
				s += " " + f.name
			}
		}
		out = append(out, s)
	}
	if _, again := c.Next(); again {
		out = append(out, "NEXT AFTER END")
	}
	out = append(out, fmt.Sprint("err=", uint8(c.Err())))
	return strings.Join(out, "; ")
}

func TestCursor(t *testing.T) {
	sack := chunk.AppendSack(nil, 1, 1, nil, nil)
	unpadded := data(3, 5)
	unpadded = unpadded[:21]
	for _, c := range []struct {
		name, want string
		packet     []byte
	}{
		{"empty", "err=0", packetOf()},
		{"shorter than a header", fmt.Sprint("err=", uint8(chunk.ErrShort)), make([]byte, 11)},
		{"one control chunk", "3@12 n=1 run=16 first last single; err=0", packetOf(sack)},
		{"one DATA", "0@12 n=1 run=24 first last single; err=0", packetOf(data(1, 8))},
		{"a run", "0@12 n=3 run=72 first last; err=0", packetOf(data(1, 8), data(2, 5), data(3, 7))},
		{"last without padding", "0@12 n=2 run=45 first last; err=0", packetOf(data(1, 8), unpadded)},
		{"control, run, control, run",
			"3@12 n=1 run=16 first; 0@28 n=2 run=48; 10@76 n=1 run=4; 0@80 n=1 run=20 last; err=0",
			packetOf(sack, data(1, 8), data(2, 8), raw(chunk.TypeCookieEcho, 4, 0), data(3, 1))},
		// R-6.10-07: a partial chunk is dropped, those before it count.
		{"overrun behind a run", fmt.Sprint("0@12 n=1 run=24 first last; err=", uint8(chunk.ErrOverrun)),
			packetOf(data(1, 8), raw(chunk.TypeData, 40, 16))},
		{"overrun first", fmt.Sprint("err=", uint8(chunk.ErrOverrun)), packetOf(raw(chunk.TypeData, 40, 16))},
		{"zero length", fmt.Sprint("3@12 n=1 run=16 first last; err=", uint8(chunk.ErrLength)),
			packetOf(sack, raw(chunk.TypeSack, 0, 16), data(1, 1))},
		{"length 3", fmt.Sprint("err=", uint8(chunk.ErrLength)), packetOf(raw(chunk.TypeInit, 3, 16))},
		// R-6.10-08: what must be alone is not, however the rest looks.
		{"INIT and a broken chunk", fmt.Sprint("1@12 n=1 run=20 first last; err=", uint8(chunk.ErrOverrun)),
			packetOf(raw(chunk.TypeInit, 20, 16), raw(chunk.TypeData, 40, 0))},
		{"INIT and two bytes", fmt.Sprint("1@12 n=1 run=20 first last single; err=", uint8(chunk.ErrTrailing)),
			append(packetOf(raw(chunk.TypeInit, 20, 16)), 0, 0)},
		{"DATA and INIT", "0@12 n=1 run=20 first; 1@32 n=1 run=20 last; err=0",
			packetOf(data(1, 1), raw(chunk.TypeInit, 20, 16))},
	} {
		if got := show(c.packet); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// Every run holds exactly its chunks, and nothing of the packet is seen twice
// or left out.
func FuzzCursor(f *testing.F) {
	f.Add(packetOf(data(1, 8), data(2, 5)))
	f.Add(packetOf(chunk.AppendSack(nil, 1, 1, nil, nil), data(1, 1)))
	f.Add(packetOf(data(1, 8), raw(chunk.TypeData, 40, 16)))
	f.Fuzz(func(t *testing.T, p []byte) {
		var flat []string
		var flatErr chunk.Err
		if len(p) >= chunk.HeaderLen {
			w := chunk.Walk(p[chunk.HeaderLen:])
			for c, ok := w.Next(); ok; c, ok = w.Next() {
				flat = append(flat, fmt.Sprint(chunk.HeaderLen+w.Offset(), c.Type(), len(c)))
			}
			flatErr = w.Err()
		} else {
			flatErr = chunk.ErrShort
		}
		var c Cursor
		c.Reset(p)
		i, end, wasData := 0, chunk.HeaderLen, false
		for {
			it, ok := c.Next()
			if !ok {
				break
			}
			if it.Off != end {
				t.Fatalf("item at %d, the one before ended at %d", it.Off, end)
			}
			if it.First != (i == 0) || it.Last != (i+it.N == len(flat)) {
				t.Fatalf("first %t last %t for chunks %d to %d of %d", it.First, it.Last, i, i+it.N, len(flat))
			}
			isData := it.Type == chunk.TypeData
			if !isData && it.N != 1 || isData && wasData {
				t.Fatal("runs are wrong")
			}
			wasData = isData
			w := chunk.Walk(it.Run)
			for range it.N {
				ch, ok := w.Next()
				if !ok {
					t.Fatal("a run has too few chunks")
				}
				if got := fmt.Sprint(it.Off+w.Offset(), ch.Type(), len(ch)); got != flat[i] {
					t.Fatalf("chunk %s, want %s", got, flat[i])
				}
				i++
			}
			if _, ok := w.Next(); ok || w.Err() != chunk.ErrNone {
				t.Fatal("a run has too many bytes")
			}
			end = it.Off + len(it.Run)
		}
		if i != len(flat) || c.Err() != flatErr {
			t.Fatalf("%d of %d chunks, error %v, want %v", i, len(flat), c.Err(), flatErr)
		}
	})
}
