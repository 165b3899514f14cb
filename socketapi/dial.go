package socketapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/gosctp/gosctp/stack"
	"github.com/gosctp/gosctp/stack/sideeffects"
)

var errInvalid error = syscall.EINVAL

// Dial sets up an association with the endpoint at addr, as ResolveAddr takes
// it, on cfg.Host or the shared Host. All addresses in addr must be the same
// peer's.
func Dial(ctx context.Context, addr string, cfg *Config) (*Conn, error) {
	h, err := cfg.host()
	if err != nil {
		return nil, opError("dial", nil, nil, err)
	}
	return h.Dial(ctx, addr, cfg)
}

// Dial sets up an association with the endpoint at addr, as ResolveAddr takes
// it. All addresses in addr must be the same peer's. It gives up when ctx is
// done, or after MaxInitRetransmits, with ETIMEDOUT; a peer without a listener
// gives ECONNREFUSED.
func (h *Host) Dial(ctx context.Context, addr string, cfg *Config) (*Conn, error) {
	remote, err := ResolveAddr(ctx, addr)
	if err != nil {
		return nil, opError("dial", nil, nil, err)
	}
	return h.DialAddr(ctx, remote, cfg)
}

// DialAddr is Dial with an address that was parsed before.
func (h *Host) DialAddr(ctx context.Context, remote *Addr, cfg *Config) (*Conn, error) {
	var local *Addr
	if cfg != nil {
		local = cfg.LocalAddr
	}
	c, err := h.dial(ctx, remote, local, cfg)
	if err != nil {
		return nil, opError("dial", local, remote, err)
	}
	return c, nil
}

func (h *Host) dial(ctx context.Context, remote, local *Addr, cfg *Config) (*Conn, error) {
	err := cfg.Validate()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := h.forDial(); err != nil {
		return nil, err
	}
	t := cfg.tcb()
	var bind Addr
	if local != nil {
		bind = *local
	}
	if len(bind.IPs) == 0 && cfg != nil && cfg.AllAddresses {
		if bind.IPs, err = h.allAddrs(remote); err != nil {
			return nil, err
		}
	}
	ep, err := h.stack.Open(bind.IPs, bind.Port, t)
	if err != nil {
		return nil, err
	}
	// The association keeps the endpoint, and the port, as long as it lives.
	defer ep.Close()
	if cfg != nil {
		ep.SetCongestion(cfg.Congestion)
	}
	c := newConn(h, t)
	return c, c.associate(ctx, ep, remote, cfg)
}

// maxOwnAddrs bounds the addresses that a peer is told of by AllAddresses.
const maxOwnAddrs = 16

// allAddrs lists the host's addresses, for Dial those of the peer's scope.
func (h *Host) allAddrs(remote *Addr) ([]netip.Addr, error) {
	all, err := h.stack.Addrs()
	if err != nil {
		return nil, err
	}
	var list []netip.Addr
	for _, a := range all {
		if len(list) < maxOwnAddrs && !slices.Contains(list, a) &&
			(remote == nil || len(remote.IPs) == 0 || a.IsLoopback() == remote.IPs[0].IsLoopback()) {
			list = append(list, a)
		}
	}
	return list, nil
}

// associate starts an association from ep and waits until it is up.
func (c *Conn) associate(ctx context.Context, ep *stack.Endpoint, remote *Addr, cfg *Config) error {
	if len(remote.IPs) == 0 || remote.Port == 0 {
		return fmt.Errorf("sctp: a peer needs an address and a port: %w", errInvalid)
	}
	var udp uint16
	var sources map[netip.Addr]netip.Addr
	if cfg != nil {
		udp, sources = cfg.RemoteUDPPort, cfg.PathSources
	}
	a, err := ep.AssociateFrom(sources, remote.IPs, remote.Port, udp, c.cfg, func(sideeffects.Wake) {})
	if err != nil {
		return err
	}
	c.a = a
	if !c.host.add(c) {
		a.Abort(nil)
		return net.ErrClosed
	}
	a.OnWake(c.wake)
	c.catchUp()
	select {
	case <-c.up:
		c.learnAddrs()
		return nil
	case <-c.done:
	case <-ctx.Done():
		c.closed.Store(true)
		a.Abort(nil)
		return ctx.Err()
	}
	select {
	case <-c.up: // and ended since: the caller shall see how
		c.learnAddrs()
		return nil
	default:
	}
	c.closed.Store(true)
	err = a.EndErr()
	if errors.Is(err, syscall.ECONNABORTED) && c.host.isClosed() {
		return net.ErrClosed
	}
	return translate(err)
}
