package script

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// The words of a line.

type tokenKind uint8

const (
	tokEnd    tokenKind = iota // of the line
	tokAtom                    // a word, number, address or duration
	tokString                  // text in quotes
	tokPunct                   // one of < > [ ] { } = , ; + - $ ? ! *
)

type token struct {
	kind tokenKind
	text string // of a string without quotes and escapes
}

// String returns the token as an error names it.
func (t token) String() string {
	switch t.kind {
	case tokEnd:
		return "the end of the line"
	case tokString:
		return strconv.Quote(t.text)
	}
	return "'" + t.text + "'"
}

// A SyntaxError says where a script cannot be understood, and what was expected.
type SyntaxError struct {
	File string
	Line int
	Msg  string
}

// Error returns "file:line: message".
func (e *SyntaxError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg) }

func isAtom(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == ':' || c == '/'
}

// lex cuts one line into tokens; a comment is none.
func lex(line string) ([]token, error) {
	var l []token
	for i := 0; i < len(line); {
		c := line[i]
		switch {
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case c == '#':
			return l, nil
		case c == '"':
			end := i + 1
			for end < len(line) && line[end] != '"' {
				if line[end] == '\\' {
					end++
				}
				end++
			}
			if end >= len(line) {
				return nil, fmt.Errorf("expected a closing quote")
			}
			s, err := strconv.Unquote(line[i : end+1])
			if err != nil {
				return nil, fmt.Errorf("expected a string as in Go, found %s", line[i:end+1])
			}
			l = append(l, token{tokString, s})
			i = end + 1
		case isAtom(c):
			end := i
			for end < len(line) && isAtom(line[end]) {
				end++
			}
			l = append(l, token{tokAtom, line[i:end]})
			i = end
		case strings.IndexByte("<>[]{}=,;+-$?!*", c) >= 0:
			l = append(l, token{tokPunct, line[i : i+1]})
			i++
		default:
			return nil, fmt.Errorf("unexpected character %q", c)
		}
	}
	return l, nil
}

// parser reads the tokens of one line.
type parser struct {
	toks []token
	at   int
}

func (p *parser) peek() token {
	if p.at < len(p.toks) {
		return p.toks[p.at]
	}
	return token{}
}

func (p *parser) next() token {
	t := p.peek()
	p.at++
	return t
}

// is takes the punctuation s if it comes next.
func (p *parser) is(s string) bool {
	if t := p.peek(); t.kind == tokPunct && t.text == s {
		p.at++
		return true
	}
	return false
}

// word takes the atom s if it comes next.
func (p *parser) word(s string) bool {
	if t := p.peek(); t.kind == tokAtom && t.text == s {
		p.at++
		return true
	}
	return false
}

func (p *parser) want(s string) error {
	if !p.is(s) {
		return fmt.Errorf("expected '%s', found %v", s, p.peek())
	}
	return nil
}

func (p *parser) end() error {
	if t := p.peek(); t.kind != tokEnd {
		return fmt.Errorf("expected the end of the line, found %v", t)
	}
	return nil
}

func (p *parser) atom(what string) (string, error) {
	if t := p.peek(); t.kind != tokAtom {
		return "", fmt.Errorf("expected %s, found %v", what, t)
	}
	return p.next().text, nil
}

func (p *parser) number(what string) (uint64, error) {
	s, err := p.atom(what)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		return 0, fmt.Errorf("expected %s, found '%s'", what, s)
	}
	return n, nil
}

func (p *parser) addr() (netip.Addr, error) {
	s, err := p.atom("an address")
	if err != nil {
		return netip.Addr{}, err
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return a, fmt.Errorf("expected an address, found '%s'", s)
	}
	return a, nil
}

// maxDuration bounds the times in a script; the longest that a protocol
// parameter asks for is days.
const maxDuration = 240 * time.Hour

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > maxDuration {
		return 0, fmt.Errorf("expected a time such as 200ms or 1.5s, found '%s'", s)
	}
	return d, nil
}

func (p *parser) duration() (time.Duration, error) {
	s, err := p.atom("a time such as 200ms or 1.5s")
	if err != nil {
		return 0, err
	}
	return parseDuration(s)
}

func parseHex(s string) ([]byte, bool) {
	s, ok := strings.CutPrefix(s, "hex:")
	if !ok {
		return nil, false
	}
	b, err := hex.DecodeString(s)
	return b, err == nil
}
