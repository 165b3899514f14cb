package stack

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"syscall"

	"github.com/gosctp/gosctp/transport"
)

// portTable says which endpoint has which port. Links whose port space is
// shared with other processes reserve a port while any endpoint holds it.
type portTable struct {
	mu     sync.RWMutex
	by     map[uint16][]*Endpoint
	shared []transport.Ports // by link; nil where the link has the ports to itself
}

func (t *portTable) init(links []*link) {
	t.by = make(map[uint16][]*Endpoint)
	for _, l := range links {
		p, _ := l.Link.(transport.Ports)
		t.shared = append(t.shared, p)
	}
}

const (
	ephemeralFirst = 49152 // IANA's dynamic ports
	ephemeralCount = 65536 - ephemeralFirst
)

// bind gives ep a port. One that an endpoint which listened has left to its
// associations can be had again, as with SO_REUSEADDR on Linux: a server that is
// closed and opened anew need not wait for them. Both then are one endpoint in
// the eyes of peers, which have at most one association with it, so that they
// are filed under one name (R-1.3-02, R-1.3-03).
func (t *portTable) bind(ep *Endpoint, port uint16) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if port != 0 {
		for _, e := range t.by[port] {
			if !overlap(e.local(), ep.local()) {
				continue
			}
			if !e.lingers() || ep.root != ep && ep.root != e.root {
				return fmt.Errorf("sctp: port %d: %w", port, syscall.EADDRINUSE)
			}
			ep.root = e.root
		}
		if len(t.by[port]) == 0 {
			if err := t.reserve(port); err != nil {
				return err
			}
		}
	} else {
		p, err := t.ephemeral(ep.stack)
		if err != nil {
			return err
		}
		port = p
	}
	ep.port = port
	t.by[port] = append(t.by[port], ep)
	return nil
}

// ephemeral finds a port that nobody has.
func (t *portTable) ephemeral(s *Stack) (uint16, error) {
	for i, sh := range t.shared {
		if sh == nil {
			continue
		}
		// The first link that shares its ports chooses; the others follow.
		for range 64 {
			p, err := sh.Reserve(0)
			if err != nil {
				return 0, err
			}
			if len(t.by[p]) == 0 && t.reserveFrom(i+1, p) == nil {
				return p, nil
			}
			sh.Release(p)
		}
		return 0, fmt.Errorf("sctp: no free port: %w", syscall.EADDRINUSE)
	}
	var b [2]byte
	s.random(b[:])
	start := int(binary.BigEndian.Uint16(b[:])) % ephemeralCount
	for i := range ephemeralCount {
		p := uint16(ephemeralFirst + (start+i)%ephemeralCount)
		if len(t.by[p]) == 0 {
			return p, nil
		}
	}
	return 0, fmt.Errorf("sctp: no free port: %w", syscall.EADDRINUSE)
}

func (t *portTable) reserve(port uint16) error { return t.reserveFrom(0, port) }

func (t *portTable) reserveFrom(first int, port uint16) error {
	for i := first; i < len(t.shared); i++ {
		if t.shared[i] == nil {
			continue
		}
		if _, err := t.shared[i].Reserve(port); err != nil {
			for j := first; j < i; j++ {
				if t.shared[j] != nil {
					t.shared[j].Release(port)
				}
			}
			return err
		}
	}
	return nil
}

func (t *portTable) unbind(ep *Endpoint) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.by[ep.port] = slices.DeleteFunc(t.by[ep.port], func(e *Endpoint) bool { return e == ep })
	if len(t.by[ep.port]) > 0 {
		return
	}
	delete(t.by, ep.port)
	for _, sh := range t.shared {
		if sh != nil {
			sh.Release(ep.port)
		}
	}
}

// find returns the endpoint that has a local address and port; the newest, if
// others have left it to their associations.
func (t *portTable) find(addr netip.Addr, port uint16) *Endpoint {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, e := range slices.Backward(t.by[port]) {
		if l := e.local(); len(l) == 0 || slices.Contains(l, addr) {
			return e
		}
	}
	return nil
}

// answers reports whether we speak for a port that is not ours.
func (t *portTable) answers(link int, port uint16) bool {
	if sh := t.shared[link]; sh != nil {
		return sh.Answers(port)
	}
	return true
}

func (t *portTable) closeAll() {
	t.mu.Lock()
	clear(t.by)
	t.mu.Unlock()
}

func overlap(a, b []netip.Addr) bool {
	if len(a) == 0 || len(b) == 0 {
		return true
	}
	return slices.ContainsFunc(a, func(x netip.Addr) bool { return slices.Contains(b, x) })
}
