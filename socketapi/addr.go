package socketapi

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Addr is the address of an SCTP endpoint: one port, and the IP addresses that
// it is reached at. No IPs means all addresses of the host. It implements
// net.Addr.
type Addr struct {
	IPs  []netip.Addr
	Port uint16
}

var _ net.Addr = (*Addr)(nil)

// Network returns "sctp".
func (a *Addr) Network() string { return "sctp" }

// String formats the address as ParseAddr takes it: 10.0.0.1/10.0.0.2:38412,
// [fd00::1]/[fd00::2]:38412, or :5000.
func (a *Addr) String() string {
	if a == nil {
		return "<nil>"
	}
	b := make([]byte, 0, 48)
	for i, ip := range a.IPs {
		if i > 0 {
			b = append(b, '/')
		}
		if ip.Is4() {
			b = ip.AppendTo(b)
			continue
		}
		b = append(b, '[')
		b = ip.AppendTo(b)
		b = append(b, ']')
	}
	b = append(b, ':')
	return string(strconv.AppendUint(b, uint64(a.Port), 10))
}

// AddrError says what is wrong with the text of an address.
type AddrError struct {
	Addr string
	Err  string
}

// Error returns the problem and the text.
func (e *AddrError) Error() string {
	return fmt.Sprintf("sctp: address %q: %s", e.Addr, e.Err)
}

// ParseAddr parses literal IP addresses and a port: "10.0.0.1:5000",
// "10.0.0.1/10.0.0.2:38412", "[fd00::1],10.0.0.1:5000", "[fe80::1%eth0]:5000".
// Addresses are separated by '/' or ','. ":5000" and the unspecified addresses
// 0.0.0.0 and :: mean all addresses of the host. IPv4 addresses mapped into
// IPv6 become plain ones.
func ParseAddr(s string) (*Addr, error) {
	hosts, port, err := splitAddr(s)
	if err != nil {
		return nil, err
	}
	a := &Addr{Port: port}
	for _, h := range hosts {
		ip, err := netip.ParseAddr(h)
		if err != nil {
			return nil, &AddrError{s, strconv.Quote(h) + " is not an IP address"}
		}
		if err := a.add(s, ip, len(hosts)); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// ResolveAddr is ParseAddr for host names too. Of the addresses that a name
// has, the first IPv4 address is used, or the first of all: several addresses
// of one name may be several hosts.
func ResolveAddr(ctx context.Context, s string) (*Addr, error) {
	hosts, port, err := splitAddr(s)
	if err != nil {
		return nil, err
	}
	a := &Addr{Port: port}
	for _, h := range hosts {
		ip, err := netip.ParseAddr(h)
		if err != nil {
			if ip, err = lookup(ctx, h); err != nil {
				return nil, err
			}
		}
		if err := a.add(s, ip, len(hosts)); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func lookup(ctx context.Context, name string) (netip.Addr, error) {
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return netip.Addr{}, err
	}
	for i := range ips {
		ips[i] = ips[i].Unmap()
	}
	if i := slices.IndexFunc(ips, netip.Addr.Is4); i > 0 {
		return ips[i], nil
	}
	return ips[0], nil
}

// add appends an address; n is how many the text names.
func (a *Addr) add(s string, ip netip.Addr, n int) error {
	ip = ip.Unmap()
	switch {
	case ip.IsUnspecified() && n == 1:
		return nil
	case ip.IsUnspecified():
		return &AddrError{s, "an unspecified address stands for all, and so alone"}
	case ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return &AddrError{s, ip.String() + " is not a unicast address"}
	case slices.Contains(a.IPs, ip):
		return &AddrError{s, ip.String() + " is named twice"}
	}
	a.IPs = append(a.IPs, ip)
	return nil
}

// splitAddr separates hosts and port. The brackets of IPv6 addresses are taken
// off.
func splitAddr(s string) ([]string, uint16, error) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.LastIndexByte(s, ']') > i {
		return nil, 0, &AddrError{s, "missing port"}
	}
	port, err := strconv.ParseUint(s[i+1:], 10, 16)
	if err != nil {
		return nil, 0, &AddrError{s, "the port must be a number from 0 to 65535"}
	}
	list := s[:i]
	if list == "" {
		return nil, uint16(port), nil
	}
	hosts := strings.FieldsFunc(list, func(r rune) bool { return r == '/' || r == ',' })
	if len(hosts) != 1+strings.Count(list, "/")+strings.Count(list, ",") {
		return nil, 0, &AddrError{s, "an address is missing between separators"}
	}
	for j, h := range hosts {
		in, bracket := strings.CutPrefix(h, "[")
		if bracket {
			var closed bool
			if in, closed = strings.CutSuffix(in, "]"); !closed || !strings.Contains(in, ":") {
				return nil, 0, &AddrError{s, "brackets belong around an IPv6 address"}
			}
		}
		if strings.ContainsAny(in, "[]") {
			return nil, 0, &AddrError{s, "unexpected bracket"}
		}
		if !bracket && strings.Contains(h, ":") {
			return nil, 0, &AddrError{s, "an IPv6 address needs brackets: [" + h + "]"}
		}
		hosts[j] = in
	}
	return hosts, uint16(port), nil
}
