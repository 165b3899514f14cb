package script

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/sim/impair"
	"github.com/gosctp/gosctp/stack/tcb"
	"github.com/gosctp/gosctp/transport"
)

// Script is a script that was understood.
type Script struct {
	File    string
	Purpose string // the id of the test purpose, "" if none is named
	Title   string // what is behind the id

	world world
	body  []stmt
}

// stmt is a statement.
type stmt struct {
	line int
	text string
	when window
	do   action
}

// window says when something happens, after what was before.
type window struct {
	given  bool
	lo, hi time.Duration
}

// action is what a statement does.
type action interface{ run(r *runner) error }

// Limits of a script's text; an honest one is far from them.
const (
	maxText  = 1 << 20
	maxDepth = 8
	maxAddrs = 16
)

// Parse reads a script; file is its name in errors, which are *SyntaxError.
func Parse(file string, text []byte) (*Script, error) {
	s := &Script{File: file}
	s.world = world{stackPort: 5000, peerPort: 6000, mtu: 1500, cfg: tcb.DefaultConfig()}
	// HEARTBEATs and probes only where a script asks for them.
	s.world.cfg.HBInterval, s.world.cfg.PMTUDiscovery = 0, false
	if len(text) > maxText {
		return nil, &SyntaxError{file, 1, fmt.Sprintf("expected a script of at most %d bytes", maxText)}
	}
	lines := strings.Split(string(text), "\n")
	blocks := []*[]stmt{&s.body}
	var opened []*repeat
	for i := 0; i < len(lines); i++ {
		fail := func(err error) error { return &SyntaxError{file, i + 1, err.Error()} }
		first, text := i, strings.TrimSpace(lines[i])
		if rest, ok := strings.CutPrefix(text, "purpose "); ok {
			if err := s.purpose(rest); err != nil {
				return nil, fail(err)
			}
			continue
		}
		toks, err := lex(lines[i])
		if err != nil {
			return nil, fail(err)
		}
		// What begins with white space belongs to the line before, in which a
		// list is still open.
		for open(toks) && i+1 < len(lines) {
			i++
			more, err := lex(lines[i])
			if err != nil {
				return nil, fail(err)
			}
			toks = append(toks, more...)
			text += " " + strings.TrimSpace(lines[i])
		}
		if len(toks) == 0 {
			continue
		}
		p := &parser{toks: toks}
		if p.is("}") {
			if len(blocks) == 1 {
				return nil, fail(fmt.Errorf("expected a statement, found '}' that closes nothing"))
			}
			if err := p.end(); err != nil {
				return nil, fail(err)
			}
			opened[len(opened)-1].body = *blocks[len(blocks)-1]
			blocks, opened = blocks[:len(blocks)-1], opened[:len(opened)-1]
			continue
		}
		if done, err := s.setup(p); done || err != nil {
			if err != nil {
				return nil, fail(err)
			}
			if len(s.body) > 0 || len(blocks) > 1 {
				return nil, fail(fmt.Errorf("expected '%s' before everything that happens", toks[0].text))
			}
			continue
		}
		st := stmt{line: first + 1, text: text}
		if st.when, err = p.when(); err == nil {
			st.do, err = p.action(st.when)
		}
		if err == nil {
			err = p.end()
		}
		if err != nil {
			return nil, fail(err)
		}
		top := blocks[len(blocks)-1]
		*top = append(*top, st)
		if rep, ok := st.do.(*repeat); ok {
			if len(blocks) > maxDepth {
				return nil, fail(fmt.Errorf("expected at most %d nested blocks", maxDepth))
			}
			opened = append(opened, rep)
			blocks = append(blocks, new([]stmt))
		}
	}
	if len(blocks) > 1 {
		return nil, &SyntaxError{file, len(lines), "expected '}' before the end of the file"}
	}
	s.world.defaults()
	if err := s.world.check(); err != nil {
		return nil, &SyntaxError{file, 1, err.Error()}
	}
	return s, nil
}

// open reports whether a [ is not closed yet.
func open(toks []token) bool {
	n := 0
	for _, t := range toks {
		if t.kind == tokPunct && t.text == "[" {
			n++
		}
		if t.kind == tokPunct && t.text == "]" {
			n--
		}
	}
	return n > 0
}

// when reads +2s, +1s..3s or +..3s at the start of a statement.
func (p *parser) when() (w window, err error) {
	if !p.is("+") {
		return w, nil
	}
	s, err := p.atom("a time such as 200ms or 1s..2s")
	if err != nil {
		return w, err
	}
	w.given = true
	lo, hi, ranged := strings.Cut(s, "..")
	if lo != "" {
		if w.lo, err = parseDuration(lo); err != nil {
			return w, err
		}
	}
	w.hi = w.lo
	if ranged {
		if w.hi, err = parseDuration(hi); err != nil {
			return w, err
		}
	}
	if w.hi < w.lo {
		return w, fmt.Errorf("expected a time that does not end before it begins, found '%s'", s)
	}
	return w, nil
}

// action reads the statement behind the time.
func (p *parser) action(when window) (action, error) {
	switch {
	case p.is("<"):
		if when.hi != when.lo {
			return nil, fmt.Errorf("expected one time for what is sent, found a range")
		}
		cs, opts, err := p.packet([]string{"tag", "from", "to", "sport", "dport", "crc", "cut", "corrupt"})
		return &inject{cs, opts}, err
	case p.is(">"):
		cs, opts, err := p.packet([]string{"tag", "from", "to", "sport", "dport", "size"})
		return &expect{cs, opts}, err
	}
	if when.given {
		return nil, fmt.Errorf("expected '<' or '>' behind a time, found %v", p.peek())
	}
	t := p.next()
	if t.kind != tokAtom {
		return nil, fmt.Errorf("expected a statement, found %v", t)
	}
	switch t.text {
	case "silence":
		d, err := p.duration()
		return &silence{d}, err
	case "repeat":
		n, err := p.number("how often")
		if err == nil {
			err = p.want("{")
		}
		return &repeat{n: int(n)}, err
	case "let":
		if err := p.want("$"); err != nil {
			return nil, err
		}
		name, err := p.name()
		if err == nil {
			err = p.want("=")
		}
		if err != nil {
			return nil, err
		}
		v, err := p.value(0)
		return &let{name, v}, err
	case "answer":
		if !p.word("HEARTBEAT") {
			return nil, fmt.Errorf("expected HEARTBEAT, found %v", p.peek())
		}
		return &answer{}, nil
	case "listen", "shutdown", "close":
		return &primitive{name: t.text}, nil
	case "abort":
		a := &primitive{name: t.text}
		if p.peek().kind == tokString {
			a.data = []byte(p.next().text)
		}
		return a, nil
	case "associate":
		opts, err := p.options([]string{"to", "fails"})
		return &primitive{name: t.text, opts: opts}, err
	case "send":
		a := &primitive{name: t.text}
		var err error
		if a.data, err = p.payload(); err == nil {
			a.opts, err = p.options([]string{"stream", "ppid", "unordered", "immediate", "fails"})
		}
		return a, err
	case "primary":
		to, err := p.addr()
		if err != nil {
			return nil, err
		}
		opts, err := p.options([]string{"fails"})
		return &primitive{name: t.text, addr: to, opts: opts}, err
	case "receive":
		return p.receive()
	case "notify", "ended":
		name, err := p.atom("what happened")
		if err != nil {
			return nil, err
		}
		known := append([]string{"nothing"}, noteNames...)
		if t.text == "ended" {
			known = assocChanges
		}
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("expected one of %s, found '%s'", strings.Join(known, ", "), name)
		}
		if t.text == "ended" {
			opts, err := p.options([]string{"cause", "by", "info"})
			return &ended{name, opts}, err
		}
		opts, err := p.options([]string{"cause", "address"})
		return &notify{name, opts}, err
	case "state":
		name, err := p.atom("a state")
		for err == nil && p.is("-") {
			var more string
			more, err = p.atom("the rest of a state's name")
			name += "-" + more
		}
		if err == nil && !slices.Contains(stateNames, name) {
			err = fmt.Errorf("expected one of %s, found '%s'", strings.Join(stateNames, ", "), name)
		}
		return &state{name}, err
	case "status":
		opts, err := p.options([]string{"out_streams", "in_streams", "primary", "errors", "in_flight", "queued", "peer_rwnd"})
		return &status{opts: opts}, err
	case "path":
		a, err := p.addr()
		if err != nil {
			return nil, err
		}
		opts, err := p.options([]string{"state", "errors", "rto", "srtt", "cwnd", "ssthresh", "in_flight", "pmtu"})
		return &status{path: a, opts: opts}, err
	case "associations":
		n, err := p.number("a number")
		return &associations{int(n)}, err
	case "link":
		return p.link()
	case "icmp":
		kind, err := p.atom("a kind of ICMP error")
		if err != nil {
			return nil, err
		}
		k, ok := icmpKinds[kind]
		if !ok {
			return nil, fmt.Errorf("expected a kind of ICMP error, found '%s'", kind)
		}
		opts, err := p.options([]string{"mtu", "tag", "quote"})
		return &icmp{k, opts}, err
	}
	return nil, fmt.Errorf("expected a statement, found '%s'", t.text)
}

// payload reads a message: a string, or how many bytes.
func (p *parser) payload() ([]byte, error) {
	if p.peek().kind == tokString {
		return []byte(p.next().text), nil
	}
	n, err := p.number("a message: a string, or how many bytes")
	if err == nil && n > maxFill {
		err = fmt.Errorf("expected at most %d bytes, found %d", maxFill, n)
	}
	if err != nil {
		return nil, err
	}
	return pattern(int(n)), nil
}

func (p *parser) receive() (action, error) {
	if p.word("nothing") {
		return &receive{nothing: true}, nil
	}
	data, err := p.payload()
	if err != nil {
		return nil, err
	}
	opts, err := p.options([]string{"stream", "ssn", "ppid", "tsn", "unordered", "partial"})
	return &receive{data: data, opts: opts}, err
}

func (p *parser) link() (action, error) {
	l := &link{}
	if a, err := netip.ParseAddr(p.peek().text); err == nil {
		p.next()
		l.local = a
		if l.peer, err = p.addr(); err != nil {
			return nil, err
		}
	}
	what, err := p.atom("up, down, loss, mtu or delay")
	if err != nil {
		return nil, err
	}
	switch what {
	case "up":
		l.cfg = func(c *impair.Config) { *c = impair.Config{Delay: c.Delay} }
	case "down":
		l.cfg = func(c *impair.Config) { c.Loss = 1 }
	case "loss":
		s, err := p.atom("a probability")
		if err != nil {
			return nil, err
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || !(f >= 0 && f <= 1) {
			return nil, fmt.Errorf("expected a probability from 0 to 1, found '%s'", s)
		}
		l.cfg = func(c *impair.Config) { c.Loss = f }
	case "mtu":
		n, err := p.number("an MTU in bytes")
		if err != nil || n > u16 {
			return nil, fmt.Errorf("expected an MTU up to 65535, found %d", n)
		}
		silent := p.word("silent")
		l.cfg = func(c *impair.Config) { c.MTU, c.Silent = int(n), silent }
	case "delay":
		d, err := p.duration()
		if err != nil {
			return nil, err
		}
		l.cfg = func(c *impair.Config) { c.Delay = mono.FromStd(d) }
	default:
		return nil, fmt.Errorf("expected up, down, loss, mtu or delay, found '%s'", what)
	}
	return l, nil
}

var icmpKinds = map[string]transport.ICMP{
	"unreachable": transport.ICMPUnreachable, "protocol_unreachable": transport.ICMPProtoUnreachable,
	"port_unreachable": transport.ICMPPortUnreachable, "too_big": transport.ICMPPacketTooBig,
	"time_exceeded": transport.ICMPTimeExceeded, "parameter_problem": transport.ICMPParameterProblem,
	"other": transport.ICMPOther,
}
