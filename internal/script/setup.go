package script

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gosctp/gosctp/stack/tcb"
)

// What a script says before anything happens.

// world is what there is before time passes.
type world struct {
	local, peer         []netip.Addr
	bind                []netip.Addr // what the endpoint is bound to, none for all
	stackPort, peerPort uint16
	mtu                 int
	delay               time.Duration
	cfg                 tcb.Config
}

func (w *world) defaults() {
	if len(w.local) == 0 {
		w.local = []netip.Addr{netip.MustParseAddr("10.0.0.1")}
	}
	if len(w.peer) == 0 {
		w.peer = []netip.Addr{netip.MustParseAddr("10.0.9.1")}
	}
}

func (w *world) check() error {
	for i, a := range w.local {
		if slices.Contains(w.peer, a) || slices.Contains(w.local[:i], a) {
			return fmt.Errorf("expected each address once, found %v again", a)
		}
	}
	for i, a := range w.peer {
		if slices.Contains(w.peer[:i], a) {
			return fmt.Errorf("expected each address once, found %v again", a)
		}
	}
	for _, a := range w.bind {
		if !slices.Contains(w.local, a) {
			return fmt.Errorf("expected to bind to local addresses, found %v", a)
		}
	}
	if w.cfg.RTOMin <= 0 || w.cfg.RTOInitial < w.cfg.RTOMin || w.cfg.RTOMax < w.cfg.RTOInitial {
		return fmt.Errorf("expected 0 < RTO.Min <= RTO.Initial <= RTO.Max")
	}
	return nil
}

// purpose reads the rest of a line as an id and free text.
func (s *Script) purpose(rest string) error {
	if s.Purpose != "" {
		return fmt.Errorf("expected one purpose, found another")
	}
	s.Purpose, s.Title, _ = strings.Cut(strings.TrimSpace(rest), " ")
	return nil
}

// setup reads what a world is made of; false if the statement is another one.
func (s *Script) setup(p *parser) (bool, error) {
	w := &s.world
	switch {
	case p.word("local"):
		return true, p.addrs(&w.local)
	case p.word("peer"):
		return true, p.addrs(&w.peer)
	case p.word("bind"):
		return true, p.addrs(&w.bind)
	case p.word("ports"):
		a, err := p.number("the stack's port")
		if err != nil {
			return true, err
		}
		b, err := p.number("the peer's port")
		if err == nil && (a == 0 || a > u16 || b == 0 || b > u16) {
			err = fmt.Errorf("expected two ports from 1 to 65535, found %d %d", a, b)
		}
		w.stackPort, w.peerPort = uint16(a), uint16(b)
		return true, orEnd(p, err)
	case p.word("mtu"):
		n, err := p.number("an MTU in bytes")
		if err == nil && (n < 100 || n > u16) {
			err = fmt.Errorf("expected an MTU from 100 to 65535, found %d", n)
		}
		w.mtu = int(n)
		return true, orEnd(p, err)
	case p.word("delay"):
		var err error
		w.delay, err = p.duration()
		return true, orEnd(p, err)
	case p.word("set"):
		name, err := p.atom("a protocol parameter")
		if err != nil {
			return true, err
		}
		return true, orEnd(p, setParameter(&w.cfg, name, p))
	}
	return false, nil
}

func orEnd(p *parser, err error) error {
	if err != nil {
		return err
	}
	return p.end()
}

func (p *parser) addrs(to *[]netip.Addr) error {
	for {
		a, err := p.addr()
		if err != nil {
			return err
		}
		*to = append(*to, a)
		if len(*to) > maxAddrs {
			return fmt.Errorf("expected at most %d addresses", maxAddrs)
		}
		if p.peek().kind == tokEnd {
			return nil
		}
	}
}
