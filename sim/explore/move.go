package explore

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind is a kind of move.
type Kind uint8

// Kinds of moves.
const (
	Deliver   Kind = iota // packet N arrives
	Drop                  // packet N is lost
	Duplicate             // packet N arrives, and another copy stays in flight
	Replay                // a copy of old packet N arrives: the attacker kept it
	Inject                // the attacker's packet N arrives at side X
	Fire                  // the next timer of side X expires
	Wait                  // the clock of side X passes the life of a cookie
	Restart               // side X crashes and starts again, with its cookie key
	Reboot                // the same, and the cookie key is lost
	Associate             // calls of the user at side X
	Send
	Shutdown
	Abort
	Heartbeat
	Primary

	numKinds
)

var kindNames = [numKinds]string{"deliver", "drop", "duplicate", "replay", "inject", "fire", "wait",
	"restart", "reboot", "associate", "send", "shutdown", "abort", "heartbeat", "primary"}

// Move is one thing that happens.
type Move struct {
	Kind Kind
	N    uint8 // which packet
	X    uint8 // which side
}

// String returns the move as ParseMoves reads it.
func (m Move) String() string {
	switch {
	case m.Kind < Inject:
		return fmt.Sprintf("%s %d", kindNames[m.Kind], m.N)
	case m.Kind == Inject:
		return fmt.Sprintf("inject %c %s", sideNames[m.X], alphabet[m.N].name())
	}
	return fmt.Sprintf("%s %c", kindNames[m.Kind], sideNames[m.X])
}

const sideNames = "AZ"

// Format writes moves as ParseMoves reads them.
func Format(moves []Move) string {
	s := make([]string, len(moves))
	for i, m := range moves {
		s[i] = m.String()
	}
	return strings.Join(s, ", ")
}

// ParseMoves reads a list of moves, separated by commas or newlines.
func ParseMoves(list string) ([]Move, error) {
	var moves []Move
	for _, f := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == '\n' }) {
		if f = strings.TrimSpace(f); f == "" {
			continue
		}
		m, err := parseMove(f)
		if err != nil {
			return nil, err
		}
		moves = append(moves, m)
	}
	return moves, nil
}

func parseMove(f string) (Move, error) {
	bad := fmt.Errorf("%q is no move: want something like \"deliver 0\", \"fire A\" or \"inject Z ABORT wrong\"", f)
	name, arg, _ := strings.Cut(f, " ")
	for k, s := range kindNames {
		if s != name || arg == "" {
			continue
		}
		m := Move{Kind: Kind(k)}
		if m.Kind < Inject {
			n, err := strconv.ParseUint(arg, 10, 8)
			if err != nil {
				return Move{}, bad
			}
			m.N = uint8(n)
			return m, nil
		}
		side := strings.IndexByte(sideNames, arg[0])
		if side < 0 {
			return Move{}, bad
		}
		m.X = uint8(side)
		if m.Kind != Inject && len(arg) == 1 {
			return m, nil
		}
		for i := range alphabet {
			if m.Kind == Inject && arg[1:] == " "+alphabet[i].name() {
				m.N = uint8(i)
				return m, nil
			}
		}
	}
	return Move{}, bad
}
