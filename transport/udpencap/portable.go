package udpencap

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/internal/rxring"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const (
	ringPackets = 4096
	maxSources  = 1024 // control messages kept, one per address
	maxRefused  = 1000 // receive errors in a row before the link gives up
)

// portable is the engine for all platforms: net.UDPConn, one packet a call. A
// goroutine for each family reads ahead, since one cannot wait for both.
type portable struct {
	l      *Link
	conns  [2]*conn // IPv4, IPv6
	ring   *rxring.Ring
	remote uint16
	done   sync.WaitGroup
	mu     sync.Mutex // held while writing
}

// A conn is the socket of one family.
type conn struct {
	*net.UDPConn
	v6       bool
	bound    netip.Addr
	fragment bool                  // the socket allows fragmentation just now
	sources  map[netip.Addr][]byte // control messages that select a source
	parsed   map[string]netip.Addr // destinations in received ones
	oob      []byte
}

func openPortable(l *Link, cfg Config) error {
	e := &portable{l: l, remote: cfg.RemotePort, ring: rxring.New(ringPackets, 2048)}
	free := func() {
		for i, c := range e.conns {
			if c != nil {
				c.Close()
			}
			e.conns[i], l.local[i] = nil, netip.AddrPort{}
		}
	}
	err := bindAll(cfg.Listen, func(at netip.AddrPort) (uint16, error) {
		c, err := openConn(at)
		if err != nil {
			return 0, err
		}
		// What is refused is seen in lost packets only.
		_ = c.SetReadBuffer(cfg.RcvBuf)
		_ = c.SetWriteBuffer(cfg.SndBuf)
		port := c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
		e.conns[family(at.Addr())] = c
		l.local[family(at.Addr())] = netip.AddrPortFrom(at.Addr(), port)
		return port, nil
	}, free)
	if err != nil {
		free()
		return err
	}
	l.engine = e
	for _, c := range e.conns {
		if c != nil {
			e.done.Go(func() { e.pump(c) })
		}
	}
	return nil
}

func openConn(at netip.AddrPort) (*conn, error) {
	c := &conn{v6: at.Addr().Is6(), bound: at.Addr(), sources: map[netip.Addr][]byte{}, parsed: map[string]netip.Addr{}}
	network := "udp4"
	if c.v6 {
		network = "udp6"
	}
	var err error
	if c.UDPConn, err = net.ListenUDP(network, net.UDPAddrFromAddrPort(at)); err != nil {
		return nil, err
	}
	// Where the platform cannot tell a packet's destination, it is guessed.
	if c.v6 {
		if ipv6.NewPacketConn(c).SetControlMessage(ipv6.FlagDst|ipv6.FlagInterface, true) == nil {
			c.oob = ipv6.NewControlMessage(ipv6.FlagDst | ipv6.FlagInterface)
		}
	} else if ipv4.NewPacketConn(c).SetControlMessage(ipv4.FlagDst, true) == nil {
		c.oob = ipv4.NewControlMessage(ipv4.FlagDst)
	}
	_ = setFragment(c.UDPConn, c.v6, false) // without DF, probing finds too large a PMTU
	return c, nil
}

func (e *portable) rcvBuf() int { return 0 }

// pump reads one socket until it is closed.
func (e *portable) pump(c *conn) {
	buf := make([]byte, 65536)
	slot := new(transport.RxSlot)
	counters := &e.l.counters
	for failing := 0; failing < maxRefused; {
		n, oobn, _, from, err := c.ReadMsgUDPAddrPort(buf, c.oob)
		counters.recv.Add(1)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			failing++ // some platforms report ICMP errors so
			continue
		}
		failing = 0
		*slot = transport.RxSlot{
			Data: buf[:n], Src: from.Addr().Unmap(), EncapPort: from.Port(),
		}
		slot.Dst = e.destination(c, c.oob[:oobn], slot.Src)
		if n < commonHeader || !unicast(slot.Src) || !unicast(slot.Dst) || slot.EncapPort == 0 {
			counters.invalid.Add(1)
			continue
		}
		e.ring.Lock()
		ok := e.ring.Put(slot)
		e.ring.Unlock()
		if ok {
			counters.packetsIn.Add(1)
			counters.bytesIn.Add(uint64(n))
		} else {
			counters.drops.Add(1)
		}
	}
	e.ring.Close() // the reader learns that the link is of no more use
}

// destination finds the address that a packet was sent to.
func (e *portable) destination(c *conn, oob []byte, src netip.Addr) netip.Addr {
	if !c.bound.IsUnspecified() {
		return c.bound
	}
	if a := c.parse(oob); a.IsValid() {
		if a.IsLinkLocalUnicast() {
			a = a.WithZone(src.Zone())
		}
		return a
	}
	r, _ := e.l.host.Route(src)
	return r.Src
}

// parse finds the destination in a control message; the zero Addr if it is not
// there. Parsing allocates, and there are few different ones.
func (c *conn) parse(oob []byte) netip.Addr {
	if len(oob) == 0 {
		return netip.Addr{}
	}
	a, ok := c.parsed[string(oob)]
	if ok {
		return a
	}
	if c.v6 {
		var cm ipv6.ControlMessage
		if cm.Parse(oob) == nil {
			a, _ = netip.AddrFromSlice(cm.Dst)
		}
	} else {
		var cm ipv4.ControlMessage
		if cm.Parse(oob) == nil {
			a, _ = netip.AddrFromSlice(cm.Dst.To4())
		}
	}
	if len(c.parsed) >= maxSources {
		clear(c.parsed)
	}
	c.parsed[string(oob)] = a
	return a
}

func (e *portable) read(slots []transport.RxSlot) (int, error) { return e.ring.Read(slots) }

func (e *portable) write(slots []transport.TxSlot) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	counters := &e.l.counters
	for i := range slots {
		s := &slots[i]
		s.Err = e.send(s)
		switch {
		case s.Err == nil:
			counters.packetsOut.Add(1)
			counters.bytesOut.Add(uint64(len(s.Data)))
		case errors.Is(s.Err, net.ErrClosed):
			return net.ErrClosed
		default:
			counters.sendErrors.Add(1)
		}
	}
	if e.ring.Closed() {
		return net.ErrClosed
	}
	return nil
}

func (e *portable) send(s *transport.TxSlot) error {
	if !e.l.carries(s.Dst) {
		return errNoFamily
	}
	if len(s.Data) == 0 {
		return fmt.Errorf("%w: no data", transport.ErrUnreachable)
	}
	c := e.conns[family(s.Dst)]
	if s.Fragment != c.fragment && setFragment(c.UDPConn, c.v6, s.Fragment) == nil {
		c.fragment = s.Fragment
	}
	port := s.EncapPort
	if port == 0 {
		port = e.remote
	}
	e.l.counters.send.Add(1)
	_, _, err := c.WriteMsgUDPAddrPort(s.Data, c.source(s.Src), netip.AddrPortFrom(s.Dst, port))
	if err == nil || errors.Is(err, net.ErrClosed) {
		return err
	}
	return fmt.Errorf("%w: %w", kind(err), err)
}

// source returns the control message that selects a source address.
func (c *conn) source(src netip.Addr) []byte {
	if !src.IsValid() || src == c.bound || c.oob == nil {
		return nil
	}
	oob, ok := c.sources[src]
	if !ok {
		if c.v6 {
			oob = (&ipv6.ControlMessage{Src: src.AsSlice()}).Marshal()
		} else {
			oob = (&ipv4.ControlMessage{Src: src.AsSlice()}).Marshal()
		}
		if len(c.sources) >= maxSources {
			clear(c.sources)
		}
		c.sources[src] = oob
	}
	return oob
}

func (e *portable) close() error {
	if !e.ring.Close() {
		return net.ErrClosed
	}
	for _, c := range e.conns {
		if c != nil {
			c.Close()
		}
	}
	e.done.Wait()
	return nil
}
