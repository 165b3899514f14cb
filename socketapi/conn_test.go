package socketapi_test

import (
	"bytes"
	"context"
	"io"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/gosctp/gosctp/socketapi"
	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/mem"
)

// hosts returns two hosts that see each other, at 10.0.0.1 and 10.0.0.2, and
// their network.
func hosts(t testing.TB) (a, z *socketapi.Host, n *mem.Network) {
	t.Helper()
	la, lz := mem.NewPair(0)
	mk := func(l transport.Link) *socketapi.Host {
		h, err := socketapi.NewHost(socketapi.HostConfig{Links: []transport.Link{l}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		return h
	}
	return mk(la), mk(lz), la.Network()
}

var _ = netip.Addr{}

// pair returns the two ends of an association.
func pair(t testing.TB, cfg *socketapi.Config) (a, z *socketapi.Conn, n *mem.Network) {
	t.Helper()
	ha, hz, n := hosts(t)
	l, err := hz.Listen(":5000", cfg)
	if err != nil {
		t.Fatal(err)
	}
	a, err = ha.Dial(context.Background(), "10.0.0.2:5000", cfg)
	if err != nil {
		t.Fatal(err)
	}
	z, err = l.AcceptSCTP(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return a, z, n
}

func TestEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := pair(t, nil)
		go func() {
			if _, err := io.Copy(z, z); err != nil {
				t.Error(err)
			}
			z.Close()
		}()
		for _, n := range []int{1, 1400, 1500, 20000} {
			p := bytes.Repeat([]byte{byte(n)}, n)
			if k, err := a.Write(p); k != n || err != nil {
				t.Fatal(k, err)
			}
			q := make([]byte, n)
			if k, err := io.ReadFull(a, q); k != n || err != nil || !bytes.Equal(p, q) {
				t.Fatal(k, err)
			}
		}
		if err := a.CloseWait(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}
