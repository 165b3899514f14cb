package socketapi_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/socketapi"
)

func TestParseAddr(t *testing.T) {
	for _, c := range []struct{ in, want string }{ // want: "" is an error
		{"10.0.0.1:5000", "10.0.0.1:5000"},
		{"10.0.0.1/10.0.0.2:38412", "10.0.0.1/10.0.0.2:38412"},
		{"10.0.0.1,10.0.0.2:38412", "10.0.0.1/10.0.0.2:38412"},
		{"[fd00::1]/[fd00:0::2]:38412", "[fd00::1]/[fd00::2]:38412"},
		{"[::1],127.0.0.1:0", "[::1]/127.0.0.1:0"},
		{"[fe80::1%eth0]:5000", "[fe80::1%eth0]:5000"},
		{"[::ffff:10.0.0.1]:65535", "10.0.0.1:65535"},
		{":5000", ":5000"},
		{"0.0.0.0:5000", ":5000"},
		{"[::]:5000", ":5000"},

		{"", ""},
		{"10.0.0.1", ""},
		{"[::1]", ""},
		{"10.0.0.1:", ""},
		{"10.0.0.1:65536", ""},
		{"10.0.0.1:-1", ""},
		{"10.0.0.1:http", ""},
		{"::1:5000", ""},
		{"fd00::1/fd00::2:5000", ""},
		{"10.0.0.1//10.0.0.2:5000", ""},
		{"/10.0.0.1:5000", ""},
		{"10.0.0.1/:5000", ""},
		{"10.0.0.1/10.0.0.1:5000", ""},
		{"10.0.0.1/[::ffff:10.0.0.1]:5000", ""},
		{"10.0.0.1/0.0.0.0:5000", ""},
		{"224.0.0.1:5000", ""},
		{"[ff02::1]:5000", ""},
		{"255.255.255.255:5000", ""},
		{"[10.0.0.1]:5000", ""},
		{"[::1:5000", ""},
		{"::1]:5000", ""},
		{"[::1]x:5000", ""},
		{"[[::1]]:5000", ""},
		{"[::1/::2]:5000", ""},
		{"localhost:5000", ""},
		{"10.0.0.256:5000", ""},
	} {
		a, err := socketapi.ParseAddr(c.in)
		if err != nil {
			var ae *socketapi.AddrError
			if c.want != "" || !errors.As(err, &ae) || ae.Addr != c.in || !strings.HasPrefix(err.Error(), "sctp: ") {
				t.Errorf("%q: %v", c.in, err)
			}
			continue
		}
		if a.String() != c.want {
			t.Errorf("%q is %q, want %q", c.in, a, c.want)
			continue
		}
		again, err := socketapi.ParseAddr(a.String())
		if err != nil || again.String() != a.String() {
			t.Errorf("%q, parsed again: %v, %v", a, again, err)
		}
		if a.Network() != "sctp" {
			t.Error(a.Network())
		}
	}
	var none *socketapi.Addr
	if none.String() != "<nil>" {
		t.Error(none)
	}
}

func TestResolveAddr(t *testing.T) {
	ctx := context.Background()
	a, err := socketapi.ResolveAddr(ctx, "localhost:5000")
	if err != nil {
		t.Fatal(err)
	}
	if len(a.IPs) != 1 || !a.IPs[0].IsLoopback() || a.Port != 5000 {
		t.Error(a)
	}
	a, err = socketapi.ResolveAddr(ctx, "10.0.0.1/localhost:5000")
	if err != nil || len(a.IPs) != 2 {
		t.Error(a, err)
	}
	_, err = socketapi.ResolveAddr(ctx, "localhost/localhost:5000")
	var ae *socketapi.AddrError
	if !errors.As(err, &ae) {
		t.Error(err)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	_, err = socketapi.ResolveAddr(done, "no-such-host.invalid:5000")
	var dns *net.DNSError
	if !errors.As(err, &dns) {
		t.Error(err)
	}
}

func FuzzParseAddr(f *testing.F) {
	for _, s := range []string{"10.0.0.1/10.0.0.2:38412", "[fd00::1%lo],1.2.3.4:1", ":0", "[::]:9", "][:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := socketapi.ParseAddr(s)
		if err != nil {
			return
		}
		b, err := socketapi.ParseAddr(a.String())
		if err != nil || b.String() != a.String() || len(b.IPs) != len(a.IPs) {
			t.Errorf("%q is %v, and that is %v, %v", s, a, b, err)
		}
	})
}
