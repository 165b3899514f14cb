package sideeffects

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/gosctp/gosctp/chunk"
)

// TestListedAddresses: which own addresses an INIT or INIT ACK lists. None of a
// narrower scope than the peer's address, none of a family that the peer does
// not support, and no list of one. R-5.1.2-10
func TestListedAddresses(t *testing.T) {
	const v4, v4b, v6, lo, lo6, ll, ula = "10.0.0.1", "192.0.2.1", "2001:db8::1", "127.0.0.1", "::1", "fe80::1%eth0", "fd00::1"
	both := 3
	for _, tc := range []struct {
		local    []string
		peer     string
		families int // 1: IPv4, 2: IPv6
		want     []string
	}{
		{[]string{v4}, "10.0.0.2", both, nil},
		{[]string{v4, v4b, v6}, "10.0.0.2", both, []string{v4, v4b, v6}},
		{[]string{v4, v4b, v6}, "10.0.0.2", 1, []string{v4, v4b}},
		{[]string{v6, v4, v4b}, "2001:db8::2", 2, nil},
		{[]string{v4, lo, v6}, "10.0.0.2", both, []string{v4, v6}},
		{[]string{v4, lo, lo6}, "10.0.0.2", both, nil},
		{[]string{lo, lo6, v4}, "127.0.0.1", both, []string{lo, lo6, v4}},
		{[]string{ll, v6}, "fe80::2%eth0", both, []string{"fe80::1", v6}},
		// Private addresses mean nothing to who is reached elsewhere.
		{[]string{v4b, v4, ula, v6}, "198.51.100.1", both, []string{v4b, v6}},
		{[]string{v6, ll, ula}, "2001:db8::2", both, nil},
		{[]string{ula, v6, v4}, "fd00::2", both, []string{ula, v6, v4}},
		// Behind NAT the source is one that the list does not have.
		{[]string{v4, v4b}, "198.51.100.1", both, []string{v4b}},
		{[]string{v4, "10.1.0.1"}, "198.51.100.1", both, nil},
	} {
		var local []netip.Addr
		for _, a := range tc.local {
			local = append(local, netip.MustParseAddr(a))
		}
		b := appendLocalAddrs([]byte{1, 2, 3, 4}, local, local[0], netip.MustParseAddr(tc.peer), tc.families&1 != 0, tc.families&2 != 0)
		var got []string
		for b = b[4:]; len(b) > 0; {
			p := chunk.Param(b[:int(b[2])<<8|int(b[3])])
			a, e := chunk.ParamAddr(p)
			if e != chunk.ErrNone {
				t.Fatalf("%+v: % x", tc, b)
			}
			got = append(got, a.String())
			b = b[chunk.Padded(len(p)):]
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%v to %s: %v, want %v", tc.local, tc.peer, got, tc.want)
		}
	}
}
