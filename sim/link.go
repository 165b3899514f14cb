package sim

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/gosctp/gosctp/transport"
)

// link is a host's way into the network. Packets come in by Stack.Input.
type link struct {
	h    *Host
	dead bool // the host's process is gone
}

var errNoReader = errors.New("sctp: sim: a host reads nothing by itself")

// ReadBatch implements transport.Link; a stack that is not started never
// calls it.
func (l *link) ReadBatch([]transport.RxSlot) (int, error) { return 0, errNoReader }

// WriteBatch implements transport.Link.
func (l *link) WriteBatch(slots []transport.TxSlot) error {
	if l.dead {
		return net.ErrClosed
	}
	for i := range slots {
		s := &slots[i]
		r, err := l.Route(s.Dst)
		if err != nil {
			s.Err = err
			continue
		}
		src := s.Src
		if !src.IsValid() {
			src = r.Src
		}
		switch {
		case l.h.net.wires[route{src, s.Dst}] == nil || l.h.gone[src]:
			s.Err = fmt.Errorf("sim: %v to %v: %w", src, s.Dst, transport.ErrUnreachable)
		case len(s.Data)+r.Overhead > r.MTU && !s.Fragment:
			s.Err = transport.ErrTooBig
		default:
			udp := s.EncapPort
			if udp == 0 && l.h.net.UDP {
				udp = firstUDP
			}
			l.h.net.send(l.h, src, s.Dst, udp, s.Data, s.Fragment)
		}
	}
	return nil
}

// Route implements transport.Link.
func (l *link) Route(dst netip.Addr) (transport.Route, error) {
	for _, a := range l.h.addrs {
		if l.h.net.wires[route{a, dst}] != nil && !l.h.gone[a] {
			mtu := l.h.mtu
			if m := l.h.mtus[a]; m != 0 {
				mtu = m
			}
			return transport.Route{Src: a, MTU: mtu, Overhead: l.h.net.overhead(dst)}, nil
		}
	}
	return transport.Route{}, fmt.Errorf("sim: no route to %v: %w", dst, transport.ErrUnreachable)
}

// Addrs implements transport.Link.
func (l *link) Addrs() (list []netip.Addr, err error) {
	for _, a := range l.h.addrs {
		if !l.h.gone[a] {
			list = append(list, a)
		}
	}
	return list, nil
}

// Close implements transport.Link.
func (l *link) Close() error { return nil }
