//go:build !linux

package rawip

import (
	"errors"
	"net/netip"

	"github.com/gosctp/gosctp/transport"
)

var errUnsupported = errors.New("sctp: raw IP needs Linux; use UDP encapsulation on this platform")

// Link is the raw IP link, which only Linux has.
type Link struct{ none counters }

// Open fails: there is no raw IP on this platform.
func Open(Config) (*Link, error) { return nil, errUnsupported }

// Check says that there is no raw IP on this platform.
func Check() Report { return Report{V4: errUnsupported, V6: errUnsupported} }

// ReadBatch implements transport.Link.
func (*Link) ReadBatch([]transport.RxSlot) (int, error) { return 0, errUnsupported }

// WriteBatch implements transport.Link.
func (*Link) WriteBatch([]transport.TxSlot) error { return errUnsupported }

// Route implements transport.Link.
func (*Link) Route(netip.Addr) (transport.Route, error) { return transport.Route{}, errUnsupported }

// Addrs implements transport.Link.
func (*Link) Addrs() ([]netip.Addr, error) { return nil, errUnsupported }

// Close implements transport.Link.
func (*Link) Close() error { return errUnsupported }

// Reserve implements transport.Ports.
func (*Link) Reserve(uint16) (uint16, error) { return 0, errUnsupported }

// Release implements transport.Ports.
func (*Link) Release(uint16) {}

// Answers implements transport.Ports.
func (*Link) Answers(uint16) bool { return false }

// Stats returns what the link has done so far.
func (l *Link) Stats() Stats { return l.none.stats() }
