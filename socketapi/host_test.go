package socketapi_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/socketapi"
	"github.com/gosctp/gosctp/transport"
	"github.com/gosctp/gosctp/transport/mem"
)

// talk sets an association up between two hosts and sends something both ways.
func talk(t *testing.T, from, to *socketapi.Host, listenAt, dialTo string, cfg *socketapi.Config) {
	t.Helper()
	l := listen(t, to, listenAt, nil)
	if strings.HasSuffix(dialTo, ":") {
		dialTo += fmt.Sprint(l.Addr().(*socketapi.Addr).Port)
	}
	c := dial(t, from, dialTo, cfg)
	z := accept(t, l)
	for _, n := range []int{10, 1000, 50000} {
		text := strings.Repeat("x", n)
		send(t, c, 1, text)
		want(t, z, text)
		send(t, z, 2, text)
		want(t, c, text)
	}
	if err := c.CloseWait(context.Background()); err != nil {
		t.Error(err)
	}
	z.Close()
	l.Close()
}

func TestUDPHost(t *testing.T) {
	for _, ip := range []string{"127.0.0.1", "::1"} {
		at := netip.AddrPortFrom(netip.MustParseAddr(ip), 0)
		server, err := socketapi.NewHost(socketapi.HostConfig{Transport: socketapi.UDP, UDP: socketapi.UDPConfig{Listen: at}})
		if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
			t.Logf("no address %v here", ip)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		client, err := socketapi.NewHost(socketapi.HostConfig{Transport: socketapi.UDP})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if server.Transport() != "udp" || server.UDPPort() == 0 || client.UDPPort() != 0 || server.Why() != "asked for" {
			t.Error(server.Transport(), server.UDPPort(), client.UDPPort(), server.Why())
		}
		to := socketapi.Addr{IPs: []netip.Addr{at.Addr()}}
		text := strings.TrimSuffix(to.String(), "0")
		talk(t, client, server, ":0", text, &socketapi.Config{RemoteUDPPort: server.UDPPort()})
		if p := client.UDPPort(); p == 0 || p == 9899 || p == server.UDPPort() {
			t.Errorf("the client has UDP port %d", p)
		}
		// The port is taken.
		_, err = socketapi.NewHost(socketapi.HostConfig{
			Transport: socketapi.UDP,
			UDP:       socketapi.UDPConfig{Listen: netip.AddrPortFrom(at.Addr(), server.UDPPort())},
		})
		wantErr(t, err, transport.ErrPortInUse)
	}
}

// RemotePort is for all peers that Config does not give another.
func TestUDPRemotePort(t *testing.T) {
	at := netip.MustParseAddrPort("127.0.0.1:0")
	server, err := socketapi.NewHost(socketapi.HostConfig{Transport: socketapi.UDP, UDP: socketapi.UDPConfig{Listen: at}})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	client, err := socketapi.NewHost(socketapi.HostConfig{
		Transport: socketapi.UDP, UDP: socketapi.UDPConfig{RemotePort: server.UDPPort()},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	talk(t, client, server, ":0", "127.0.0.1:", nil)
}

func TestPacketTap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var in, out []string
		la, lz := mem.NewPair(0)
		ha, err := socketapi.NewHost(socketapi.HostConfig{
			Links: []transport.Link{la},
			PacketTap: func(p socketapi.Packet) {
				if !chunk.VerifyChecksum(p.Data) || p.Time.IsZero() {
					t.Errorf("%+v", p)
				}
				s := fmt.Sprintf("%v %v %v", chunk.Type(p.Data[chunk.HeaderLen]), p.Src, p.Dst)
				mu.Lock()
				defer mu.Unlock()
				if p.Out {
					out = append(out, s)
				} else {
					in = append(in, s)
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer ha.Close()
		l := listen(t, newHost(t, lz), ":5000", nil)
		c := dial(t, ha, "10.0.0.2:5000", nil)
		accept(t, l)
		c.Abort("")
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		const there, back = " 10.0.0.1 10.0.0.2", " 10.0.0.2 10.0.0.1"
		if s := strings.Join(out, ","); s != "INIT"+there+",COOKIE ECHO"+there+",ABORT"+there {
			t.Error(s)
		}
		if s := strings.Join(in, ","); s != "INIT ACK"+back+",COOKIE ACK"+back {
			t.Error(s)
		}
	})
}

// brokenLink fails to read when it is told.
type brokenLink struct {
	transport.Link
	fail chan struct{}
}

var errBroken = errors.New("the cable is out")

func (l *brokenLink) ReadBatch([]transport.RxSlot) (int, error) {
	<-l.fail
	return 0, errBroken
}

func TestLinkFailureIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		la, _ := mem.NewPair(0)
		b := &brokenLink{la, make(chan struct{})}
		var log strings.Builder
		h, err := socketapi.NewHost(socketapi.HostConfig{
			Links: []transport.Link{b}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		synctest.Wait()
		if h.Err() != nil || log.Len() > 0 {
			t.Error(h.Err(), log.String())
		}
		close(b.fail)
		synctest.Wait()
		wantErr(t, h.Err(), errBroken)
		if s := log.String(); !strings.Contains(s, "link failed") || !strings.Contains(s, errBroken.Error()) || !strings.Contains(s, "level=ERROR") {
			t.Error(s)
		}
	})
}

func TestHostStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, _ := hosts(t)
		l := listen(t, a, ":5000", nil)
		dial(t, a, "10.0.0.1:5000", nil)
		accept(t, l)
		s := a.Stats()
		events := map[string]uint64{}
		for _, e := range s.Events {
			events[e.Name] = e.Value
		}
		if s.Associations != 2 || s.InPackets < 4 || s.OutPackets < 4 || events["SctpActiveEstabs"] != 1 || events["SctpPassiveEstabs"] != 1 {
			t.Errorf("%+v", s)
		}
		addrs, err := a.Addrs()
		if err != nil || len(addrs) != 2 {
			t.Error(addrs, err)
		}
	})
}

func TestHostErrors(t *testing.T) {
	if _, err := socketapi.NewHost(socketapi.HostConfig{Transport: 99}); err == nil {
		t.Error("no such transport, no error")
	}
	la, _ := mem.NewPair(0)
	if _, err := socketapi.NewHost(socketapi.HostConfig{Links: []transport.Link{la}, Shards: -1}); err == nil {
		t.Error("no shards, no error")
	}
	// The link was closed all the same.
	wantErr(t, la.Close(), net.ErrClosed)
}
