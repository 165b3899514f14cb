// Command ours is the test peer on this repository's own stack.
package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/gosctp/gosctp/interop/peers/driver"
	"github.com/gosctp/gosctp/interop/workload"
	"github.com/gosctp/gosctp/socketapi"
)

func main() { driver.Main(&stack{}) }

type stack struct {
	host     *socketapi.Host
	cfg      socketapi.Config
	listener *socketapi.Listener
}

func (*stack) Name() string { return "ours" }

// open makes a host of our own for the run.
func (s *stack) open(o driver.Options) (err error) {
	if s.host != nil {
		return nil
	}
	hc := socketapi.HostConfig{Transport: socketapi.RawIP}
	local, err := addresses(o.Local)
	if err != nil {
		return err
	}
	if o.UDP {
		hc.Transport = socketapi.UDP
		hc.UDP.RemotePort = uint16(o.UDPPeer)
		if o.UDPPort != 0 {
			hc.UDP.Listen = netip.AddrPortFrom(local[0], uint16(o.UDPPort))
		}
	}
	s.host, err = socketapi.NewHost(hc)
	s.cfg = socketapi.Config{
		LocalAddr:  &socketapi.Addr{IPs: local, Port: uint16(o.LocalPort)},
		OutStreams: uint16(o.Streams), MaxInStreams: 2048, HeartbeatInterval: o.HeartbeatInterval,
		RTOInitial: o.RTOMin, RTOMin: o.RTOMin, RTOMax: o.RTOMax, SackDelay: o.SackDelay,
		MaxPathRetransmits: o.PathRetrans, MaxRetransmits: o.AssocRetrans,
	}
	// An ABORT may be lost, and pion answers nothing after it: silence has to be
	// noticed within the run.
	if s.cfg.RTOMax == 0 {
		s.cfg.RTOMax = 2 * time.Second
	}
	if s.cfg.MaxRetransmits == 0 {
		s.cfg.MaxRetransmits = 8
	}
	return err
}

func addresses(list []string) (out []netip.Addr, err error) {
	for _, s := range list {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

func (s *stack) Listen(o driver.Options) error {
	if err := s.open(o); err != nil {
		return err
	}
	l, err := s.host.ListenAddr(&socketapi.Addr{IPs: s.cfg.LocalAddr.IPs, Port: uint16(o.Port)}, &s.cfg)
	s.listener = l
	return err
}

func (s *stack) Accept() (driver.Assoc, error) {
	c, err := s.listener.AcceptSCTP(context.Background())
	if err != nil {
		return nil, err
	}
	return newAssoc(c), nil
}

func (s *stack) Dial(o driver.Options) (driver.Assoc, error) {
	if err := s.open(o); err != nil {
		return nil, err
	}
	remote, err := addresses(o.Remote)
	if err != nil {
		return nil, err
	}
	c, err := s.host.DialAddr(context.Background(), &socketapi.Addr{IPs: remote, Port: uint16(o.Port)}, &s.cfg)
	if lost := (*socketapi.AssocError)(nil); errors.As(err, &lost) && lost.ByPeer {
		return nil, &driver.End{Ending: workload.CommLost, Cause: int(lost.Cause)}
	}
	if err != nil {
		return nil, err
	}
	return newAssoc(c), nil
}

type assoc struct {
	c         *socketapi.Conn
	buf       []byte
	restarted bool
	onPath    func(addr, state string)
}

func newAssoc(c *socketapi.Conn) *assoc {
	a := &assoc{c: c, buf: make([]byte, 64<<10), onPath: func(string, string) {}}
	c.OnNotification(a.note)
	return a
}

// OnPath implements driver.Multihomed.
func (a *assoc) OnPath(f func(addr, state string)) { a.onPath = f }

// SetPrimary implements driver.Multihomed.
func (a *assoc) SetPrimary(addr string) error {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return err
	}
	return a.c.SetPrimary(ip)
}

// note takes a notification, in line with the messages. That the peer has
// restarted has to end RecvMsg, and a deadline does that.
func (a *assoc) note(n socketapi.Notification) {
	switch {
	case n.Kind == socketapi.AssocChanged && n.Change == socketapi.Restarted:
		a.restarted = true
		a.c.SetReadDeadline(time.Unix(1, 0))
	case n.Kind == socketapi.PathChanged:
		states := map[socketapi.PathEvent]string{socketapi.PathAvailable: "available",
			socketapi.PathUnreachable: "unreachable", socketapi.PathConfirmed: "confirmed"}
		a.onPath(n.Addr.String(), states[n.Path])
	}
}

func (a *assoc) Streams() (out, in int) {
	s := a.c.Status()
	return int(s.OutStreams), int(s.InStreams)
}

func (a *assoc) Send(stream uint16, ppid uint32, unordered bool, p []byte) error {
	_, err := a.c.SendMsg(socketapi.SendInfo{Stream: stream, PPID: ppid, Unordered: unordered}, p)
	return err
}

// Recv puts messages together that are larger than the buffer or come in parts.
func (a *assoc) Recv() (driver.Msg, error) {
	for have := 0; ; {
		n, info, err := a.c.RecvMsg(a.buf[have:])
		if errors.Is(err, socketapi.ErrMessageCut) {
			have = 0 // why, the next call says
			continue
		}
		if a.restarted {
			a.restarted = false
			a.c.SetReadDeadline(time.Time{})
			return driver.Msg{}, driver.ErrRestarted
		}
		if err != nil {
			return driver.Msg{}, a.end(err)
		}
		have += n
		if info.EOR {
			o := workload.Ordered
			if info.Unordered {
				o = workload.Unordered
			}
			return driver.Msg{Stream: info.Stream, PPID: info.PPID, Ordering: o, Payload: a.buf[:have]}, nil
		}
		if have == len(a.buf) {
			a.buf = append(a.buf, make([]byte, len(a.buf))...)
		}
	}
}

// end turns the error at the end of an association into what it says.
func (a *assoc) end(err error) error {
	if err == nil {
		return nil
	}
	if lost := (*socketapi.AssocError)(nil); errors.As(err, &lost) {
		e := &driver.End{Ending: workload.CommLost}
		if lost.ByPeer {
			e.Cause = int(lost.Cause)
		}
		return e
	}
	if errors.Is(err, net.ErrClosed) { // by our own Abort
		return &driver.End{Ending: workload.CommLost}
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	// There is no more to read; CloseWait says whether the end was agreed on.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := a.c.CloseWait(ctx); err != nil {
		return a.end(err)
	}
	return &driver.End{Ending: workload.ShutdownComp}
}

func (a *assoc) Shutdown() error           { return a.c.CloseWrite() }
func (a *assoc) Abort(reason string) error { return a.c.Abort(reason) }
