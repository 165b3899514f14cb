package trace

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// AppendLine appends a step as one line, newline included:
//
//	1.020000000 A #1 COOKIE-WAIT: INIT ACK (path 0, own tag) sfInitAck consume: stop T1-init; … -> COOKIE-ECHOED
//
// who is the caller's name for the host, "" for none.
func AppendLine(b []byte, who string, s *sideeffects.Step) []byte {
	ev := s.Event
	b = AppendTime(b, ev.Env.Now)
	if who != "" {
		b = append(b, ' ')
		b = append(b, who...)
	}
	if s.ID != 0 {
		b = append(b, " #"...)
		b = strconv.AppendUint(b, uint64(s.ID), 10)
	}
	b = append(b, ' ')
	b = append(b, s.Before.String()...)
	b = append(b, ": "...)
	b = append(b, ev.ID.String()...)
	if f := Facts(s.Before, ev); len(f) > 0 {
		b = append(b, " ("...)
		b = append(b, strings.Join(f, ", ")...)
		b = append(b, ')')
	}
	b = append(b, ' ')
	b = append(b, fsm.Name(ev.ID, s.Before)...)
	b = append(b, ' ')
	b = append(b, s.Disposition.String()...)
	for i := range s.Commands.Len() {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		b = append(b, sep...)
		b = append(b, Command(s.Commands.At(i))...)
	}
	if s.After != s.Before {
		b = append(b, " -> "...)
		b = append(b, s.After.String()...)
	}
	return append(b, '\n')
}

// AppendTime appends t in seconds.
func AppendTime(b []byte, t mono.Time) []byte {
	return fmt.Appendf(b, "%d.%09d", int64(t)/1e9, int64(t)%1e9)
}

// Facts lists what the state function may have decided by.
func Facts(s tcb.State, ev *fsm.Event) []string {
	var f []string
	add := func(format string, args ...any) { f = append(f, fmt.Sprintf(format, args...)) }
	flag := func(on bool, name string) {
		if on {
			f = append(f, name)
		}
	}
	if ev.Path != tcb.NoPath {
		add("path %d", ev.Path)
	}
	if isChunk(ev.ID) {
		add("%s tag", tagName(ev))
		flag(ev.Flags&chunk.FlagT != 0 && (ev.ID == fsm.EvAbort || ev.ID == fsm.EvShutdownComplete), "T")
		flag(ev.ID == fsm.EvUnknownChunk || ev.ID == fsm.EvBadChunk, "type "+strconv.Itoa(int(ev.Type)))
		flag(!ev.Alone, "bundled")
		flag(ev.Env.NonUnicast, "not unicast")
	}
	switch ev.ID {
	case fsm.EvInit, fsm.EvInitAck:
		if ev.Init != nil {
			add("tag %08x, TSN %d, a_rwnd %d, %d/%d streams", uint32(ev.Init.Tag), uint32(ev.Init.TSN), ev.Init.ARwnd, ev.Init.OS, ev.Init.MIS)
			flag(ev.Init.Verdict != chunk.ErrNone, fmt.Sprint("defect ", ev.Init.Verdict))
		}
		flag(ev.Facts.NewAddrs, "new addresses")
	case fsm.EvCookieEcho:
		flag(!ev.Cookie.Valid, "cookie invalid")
		flag(ev.Cookie.Expired, "cookie expired "+ev.Cookie.StaleBy.String()+" ago")
		if ev.Cookie.Valid {
			add("cookie tags %08x %08x", uint32(ev.Cookie.LocalTag), uint32(ev.Cookie.PeerTag))
			flag(ev.Cookie.TieLocal != 0, "tie-tags")
		}
	case fsm.EvHeartbeatAck:
		flag(!ev.HB.Valid, "not ours")
		flag(ev.HB.Probe != 0, "to a probe")
		flag(ev.HB.Valid && ev.HB.RTT >= 0, "RTT "+ev.HB.RTT.String())
	case fsm.EvAbort, fsm.EvError, fsm.EvViolation, fsm.EvPrimAbort:
		flag(ev.Code != 0, chunk.CauseCode(ev.Code).String())
	case fsm.EvShutdown, fsm.EvNoUserData:
		add("TSN %d", ev.Arg)
	case fsm.EvBadStream:
		add("stream %d", ev.Arg)
	case fsm.EvPathsAcked:
		add("paths %b", uint32(ev.Paths))
	case fsm.EvTimeoutHeartbeat:
		flag(ev.Facts.PathBusy, "path busy")
	case fsm.EvTimeoutT3:
		flag(ev.Facts.ZeroWindow, "zero window")
	case fsm.EvPrimShutdown:
		flag(ev.Facts.OutqEmpty, "outqueue empty")
	}
	if s == tcb.Closed && isChunk(ev.ID) {
		flag(!ev.Env.Listening, "not listening")
		flag(ev.Env.BacklogFull, "backlog full")
	}
	return f
}

func isChunk(id fsm.EventID) bool { return id <= fsm.EvBadChunk }

func tagName(ev *fsm.Event) string {
	switch {
	case ev.Tag&fsm.TagOwn != 0 && ev.Tag&fsm.TagPeer != 0:
		return "own and peer's"
	case ev.Tag&fsm.TagOwn != 0:
		return "own"
	case ev.Tag&fsm.TagPeer != 0:
		return "peer's"
	case ev.Tag&fsm.TagZero != 0:
		return "zero"
	}
	return fmt.Sprintf("foreign %08x", uint32(ev.VTag))
}
