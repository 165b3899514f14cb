package explore

import (
	"fmt"
	"strings"
)

// Kind is a kind of move.
type Kind uint8

// Kinds of moves.
const (
	Deliver   Kind = iota // packet N arrives
	Drop                  // packet N is lost
	Duplicate             // packet N arrives, and another copy stays in flight
	Fire                  // the next timer of side N expires
	Associate             // calls of the user at side N
	Send
	Shutdown
	Abort
)

var kindNames = [...]string{"deliver", "drop", "duplicate", "fire", "associate", "send", "shutdown", "abort"}

// Move is one thing that happens.
type Move struct {
	Kind Kind
	N    uint8
}

// String returns the move as ParseMoves reads it.
func (m Move) String() string {
	if m.Kind < Fire {
		return fmt.Sprintf("%s %d", kindNames[m.Kind], m.N)
	}
	return fmt.Sprintf("%s %c", kindNames[m.Kind], sideNames[m.N])
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

// ParseMoves reads a list of moves, separated by commas.
func ParseMoves(list string) ([]Move, error) {
	var moves []Move
	for _, f := range strings.Split(list, ",") {
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
	name, arg, _ := strings.Cut(f, " ")
	for k, s := range kindNames {
		if s != name || len(arg) != 1 {
			continue
		}
		if Kind(k) < Fire && arg[0] >= '0' && arg[0] <= '9' {
			return Move{Kind(k), arg[0] - '0'}, nil
		}
		if i := strings.IndexByte(sideNames, arg[0]); Kind(k) >= Fire && i >= 0 {
			return Move{Kind(k), uint8(i)}, nil
		}
	}
	return Move{}, fmt.Errorf("%q is no move: want something like \"deliver 0\" or \"fire A\"", f)
}
