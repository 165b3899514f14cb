package explore

import (
	"fmt"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/stack/sideeffects"
)

// letter is one packet of the attackers' alphabet: a chunk type, a class of
// Verification Tag and a class of TSN. What tag and TSN that is depends on the
// association that it is aimed at.
type letter struct {
	what string
	tag  tagClass
	tsn  tsnClass
	body func(b []byte, tsn chunk.TSN) []byte
}

type tagClass uint8

// Classes of tags.
const (
	tagZero  tagClass = iota
	tagWrong          // a guess
	tagOwn            // the right one
	tagPeer           // the other one, as with the T bit
)

var tagNames = [...]string{"zero", "wrong", "own", "peer"}

type tsnClass uint8

// Classes of TSNs, for chunks that have one.
const (
	noTSN tsnClass = iota
	tsnOld
	tsnNext
	tsnAhead
)

var tsnNames = [...]string{"", " old", " next", " ahead"}

func (l *letter) name() string { return l.what + " " + tagNames[l.tag] + tsnNames[l.tsn] }

const (
	guess     chunk.VTag = 0x66666666
	strangers chunk.VTag = 0x77777777 // the tag that an attacker's INIT and INIT ACK offer
)

// alphabet is all that an attacker who writes packets may send.
var alphabet = func() (all []letter) {
	body := func(typ chunk.Type, flags uint8, value []byte) func([]byte, chunk.TSN) []byte {
		return func(b []byte, _ chunk.TSN) []byte {
			b, mark := chunk.Begin(b, typ, flags)
			return chunk.End(append(b, value...), mark)
		}
	}
	data := func(stream chunk.StreamID, payload string) func([]byte, chunk.TSN) []byte {
		return func(b []byte, t chunk.TSN) []byte {
			return chunk.AppendData(b, chunk.Data{Flags: chunk.FlagB | chunk.FlagE, TSN: t, Stream: stream, PPID: dataPPID, Payload: []byte(payload)})
		}
	}
	in := func(typ chunk.Type, params []byte) func([]byte, chunk.TSN) []byte {
		return func(b []byte, t chunk.TSN) []byte {
			return chunk.AppendInit(b, typ, chunk.Init{Tag: strangers, ARwnd: 1 << 16, OS: 5, MIS: 5, TSN: t, Params: params})
		}
	}
	var sack, shutdown, ecne = func(b []byte, t chunk.TSN) []byte { return chunk.AppendSack(b, t, 1<<16, nil, nil) },
		chunk.AppendShutdown, chunk.AppendECNE
	for _, c := range []struct {
		what string
		tsns int
		body func([]byte, chunk.TSN) []byte
	}{
		{"DATA", 3, data(dataStream, "!")},
		{"SACK", 3, sack},
		{"SHUTDOWN", 3, shutdown},
		{"DATA-empty", 1, data(dataStream, "")},
		{"DATA-stream", 1, data(60000, "!")},
		{"INIT", 1, in(chunk.TypeInit, nil)},
		{"INIT-ACK", 1, in(chunk.TypeInitAck, chunk.AppendCookieParam(nil, []byte("not a cookie of theirs")))},
		{"HEARTBEAT", 0, func(b []byte, _ chunk.TSN) []byte { return chunk.AppendHeartbeat(b, []byte("12345678")) }},
		{"HEARTBEAT-ACK", 0, body(chunk.TypeHeartbeatAck, 0, chunk.AppendHeartbeat(nil, make([]byte, 40))[chunk.ChunkHeaderLen:])},
		{"ABORT", 0, body(chunk.TypeAbort, 0, nil)},
		{"ABORT-T", 0, body(chunk.TypeAbort, chunk.FlagT, nil)},
		{"SHUTDOWN-ACK", 0, body(chunk.TypeShutdownAck, 0, nil)},
		{"ERROR-stale", 0, body(chunk.TypeError, 0, chunk.AppendStaleCookie(nil, 1000))},
		{"ERROR", 0, body(chunk.TypeError, 0, chunk.AppendInvalidStream(nil, 5))},
		{"COOKIE-ECHO", 0, body(chunk.TypeCookieEcho, 0, make([]byte, 160))},
		{"COOKIE-ACK", 0, body(chunk.TypeCookieAck, 0, nil)},
		{"ECNE", 1, ecne},
		{"CWR", 1, chunk.AppendCWR},
		{"SHUTDOWN-COMPLETE", 0, body(chunk.TypeShutdownComplete, 0, nil)},
		{"SHUTDOWN-COMPLETE-T", 0, body(chunk.TypeShutdownComplete, chunk.FlagT, nil)},
		{"unknown", 0, body(chunk.Type(0xfe), 0, []byte{1, 2, 3, 4})},
	} {
		for tag := tagZero; tag <= tagPeer; tag++ {
			switch c.tsns {
			case 0:
				all = append(all, letter{c.what, tag, noTSN, c.body})
			case 1:
				all = append(all, letter{c.what, tag, tsnNext, c.body})
			default:
				for t := tsnOld; t <= tsnAhead; t++ {
					all = append(all, letter{c.what, tag, t, c.body})
				}
			}
		}
	}
	if len(all) > 256 {
		panic("the alphabet has more letters than Move can name")
	}
	return all
}()

// attacks lists what the attacker can do now.
func (w *world) attacks(to []Move) []Move {
	if w.set.Attacker == Replayer {
		for i := range w.old {
			to = append(to, Move{Kind: Replay, N: uint8(i)})
		}
		return to
	}
	for side, h := range w.hosts {
		if side == 1 && w.set.Attacker == EvilServer {
			break // it has no quarrel with itself
		}
		for i := range alphabet {
			if w.writes(h, &alphabet[i]) {
				to = append(to, Move{Kind: Inject, N: uint8(i), X: uint8(side)})
			}
		}
	}
	return to
}

// writes reports whether the attacker may write letter l to h. Who knows the
// tags has no use for wrong ones, which are the off-path attacker's.
func (w *world) writes(h *host, l *letter) bool {
	if w.set.Attacker == OffPath {
		return l.tag <= tagWrong
	}
	if len(h.conns) == 0 {
		return l.tag == tagWrong && w.set.Attacker == OnPath || l.tag == tagZero && l.what == "INIT"
	}
	if l.tag == tagPeer {
		_, peer := h.conns[0].a.Tags()
		return peer != 0
	}
	return l.tag == tagOwn || l.tag == tagZero && l.what == "INIT"
}

// attack makes the packet of a move of the attacker's.
func (w *world) attack(m Move) (datagram, bool) {
	if w.injects >= w.set.Injections {
		return datagram{}, false
	}
	if m.Kind == Replay {
		if int(m.N) >= len(w.old) {
			return datagram{}, false
		}
		return w.old[m.N], true
	}
	h, l := w.hosts[m.X], &alphabet[m.N]
	if !w.writes(h, l) {
		return datagram{}, false
	}
	tag, in, out := guess, chunk.TSN(1<<30), chunk.TSN(1<<29)
	if len(h.conns) > 0 {
		a := h.conns[0].a
		own, peer := a.Tags()
		in, out = tsns(a.Data())
		if l.tag == tagOwn {
			tag = own
		} else if l.tag == tagPeer {
			tag = peer
		}
	}
	if l.tag == tagZero {
		tag = 0
	}
	t := in + 1 // of DATA: the next is what is waited for
	if l.what == "SACK" || l.what == "SHUTDOWN" {
		t = out // all that was sent
	}
	switch l.tsn {
	case tsnOld:
		t -= 2
	case tsnAhead:
		t += 3
	}
	p := l.body(chunk.AppendHeader(nil, port, port, tag), t)
	for len(p)%4 != 0 {
		p = append(p, 0)
	}
	chunk.SetChecksum(p)
	w.base(in)
	w.base(out)
	return datagram{from: 1 - m.X, taint: true, data: p}, true
}

// tsns are the last TSN that arrived without a gap and the last that was sent.
func tsns(d sideeffects.DataPlane) (in, out chunk.TSN) {
	switch d := d.(type) {
	case *counts:
		return d.in, d.next() - 1
	case *sideeffects.Plane:
		return d.In.CumTSN(), d.Out.NextTSN() - 1
	}
	panic(fmt.Sprintf("a data path of type %T", d))
}

const keepPackets = 16

// keep has a replaying attacker keep the first packet of each kind, from each
// side, and of each incarnation.
func (w *world) keep(p datagram) {
	if w.set.Attacker != Replayer || len(w.old) >= keepPackets || p.taint {
		return
	}
	p.epoch = w.epoch()
	for _, q := range w.old {
		if q.from == p.from && q.epoch == p.epoch && firstType(q.data) == firstType(p.data) {
			return
		}
	}
	p.taint = true
	w.old = append(w.old, p)
}

// epoch tells incarnations apart.
func (w *world) epoch() uint8 {
	a, z := w.hosts[0], w.hosts[1]
	return a.boots + z.boots + a.used[Associate] + z.used[Associate]
}
