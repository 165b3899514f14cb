package socketapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosctp/gosctp/socketapi"
	"github.com/gosctp/gosctp/transport"
)

func socket(t testing.TB, h *socketapi.Host, style socketapi.Style) *socketapi.Socket {
	t.Helper()
	s, err := h.NewSocket(socketapi.SocketConfig{Style: style, IPv6: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// server returns a socket that listens at 10.0.0.2:5000.
func server(t testing.TB, h *socketapi.Host, style socketapi.Style) *socketapi.Socket {
	t.Helper()
	s := socket(t, h, style)
	noErr(t, s.Bind(ap("10.0.0.2:5000")))
	noErr(t, s.Listen(8))
	return s
}

func noErr(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sockets returns two one-to-one sockets with an association between them.
func sockets(t testing.TB) (c, s *socketapi.Socket) {
	t.Helper()
	ha, hz, _ := hosts(t)
	l := server(t, hz, socketapi.OneToOne)
	c = socket(t, ha, socketapi.OneToOne)
	if _, err := c.Connect(context.Background(), ap("10.0.0.2:5000")); err != nil {
		t.Fatal(err)
	}
	s, from, err := l.Accept(context.Background())
	noErr(t, err)
	t.Cleanup(func() { s.Close() })
	if from.Addr() != netip.MustParseAddr("10.0.0.1") {
		t.Errorf("accepted from %v", from)
	}
	return c, s
}

// crowd returns a one-to-many socket and a peer that listens, with an
// association between them: its id on either side.
func crowd(t testing.TB) (c, s *socketapi.Socket, cid, sid socketapi.AssocID) {
	t.Helper()
	ha, hz, _ := hosts(t)
	s, c = server(t, hz, socketapi.OneToMany), socket(t, ha, socketapi.OneToMany)
	cid, err := c.Connect(context.Background(), ap("10.0.0.2:5000"))
	noErr(t, err)
	synctest.Wait()
	ids, err := s.AssocIDs()
	if err != nil || len(ids) != 1 {
		t.Fatalf("%v, %v", ids, err)
	}
	return c, s, cid, ids[0]
}

func put(t testing.TB, s *socketapi.Socket, text string, sp *socketapi.SendParams, to ...netip.AddrPort) {
	t.Helper()
	n, err := s.Send(context.Background(), []byte(text), to, sp, false)
	if n != len(text) || err != nil {
		t.Fatalf("sent %d: %v", n, err)
	}
}

func read(t testing.TB, s *socketapi.Socket, text string) socketapi.Received {
	t.Helper()
	p := make([]byte, len(text)+1)
	r, err := s.Recv(context.Background(), p, 0)
	if err != nil || r.Event != nil || string(p[:r.N]) != text || !r.EOR {
		t.Fatalf("received %.60q, %+v, %v; want %.60q", p[:r.N], r, err, text)
	}
	return r
}

func event(t testing.TB, s *socketapi.Socket, kind socketapi.EventKind) *socketapi.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	r, err := s.Recv(ctx, nil, 0)
	if err != nil || r.Event == nil || r.Event.Kind != kind || !r.EOR {
		t.Fatalf("received %+v, %v; want %v", r, err, kind)
	}
	return r.Event
}

// again fails unless there is nothing to read.
func again(t testing.TB, s *socketapi.Socket) {
	t.Helper()
	r, err := s.TryRecv(make([]byte, 100), 0)
	if !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("received %+v, %v", r, err)
	}
}

func TestSocketOneToOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := sockets(t)
		put(t, c, "hello", &socketapi.SendParams{Stream: 3, PPID: 7, Flags: socketapi.SendUnordered})
		r := read(t, s, "hello")
		if r.From != ap("10.0.0.1:"+port(c)) || r.Info.Stream != 3 || r.Info.PPID != 7 || !r.Info.Unordered {
			t.Errorf("%+v", r)
		}
		put(t, s, "there", nil)
		if r := read(t, c, "there"); r.From != ap("10.0.0.2:5000") {
			t.Errorf("from %v", r.From)
		}
		again(t, c)
		for _, to := range []string{"10.0.0.9:5000", "10.0.0.2:5001"} {
			_, err := c.TrySend([]byte("x"), []netip.AddrPort{ap(to)}, nil, false)
			wantErr(t, err, syscall.EADDRNOTAVAIL)
		}
		put(t, c, "again", nil, ap("10.0.0.2:5000"))
		read(t, s, "again")
		if a, err := c.PeerAddr(); a != ap("10.0.0.2:5000") || err != nil {
			t.Errorf("%v, %v", a, err)
		}
		noErr(t, c.Shutdown(socketapi.ShutWrite))
		_, err := c.TrySend([]byte("x"), nil, nil, false)
		wantErr(t, err, syscall.EPIPE)
		for range 2 {
			_, err = s.Recv(context.Background(), make([]byte, 9), 0)
			wantErr(t, err, io.EOF)
		}
		if r := s.Ready(); r&(socketapi.HangUpRead|socketapi.Readable) != socketapi.HangUpRead|socketapi.Readable {
			t.Errorf("ready %b", r)
		}
		noErr(t, s.Close())
		_, err = c.Recv(context.Background(), make([]byte, 9), 0)
		wantErr(t, err, io.EOF)
		noErr(t, c.TakeError())
	})
}

func sockaddr(s string) []netip.AddrPort { return []netip.AddrPort{ap(s)} }

func port(s *socketapi.Socket) string {
	a := s.LocalAddr().String()
	return a[strings.LastIndexByte(a, ':')+1:]
}

func TestSocketOneToMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ha, hz, _ := hosts(t)
		s, c := server(t, hz, socketapi.OneToMany), socket(t, ha, socketapi.OneToMany)
		for _, x := range []*socketapi.Socket{s, c} {
			noErr(t, x.Subscribe(socketapi.FutureAssoc, socketapi.Events(socketapi.EventAssocChange, socketapi.EventShutdown), true))
		}
		put(t, c, "first", nil, ap("10.0.0.2:5000"))
		up := event(t, c, socketapi.EventAssocChange)
		if up.Change != socketapi.CommUp || up.Assoc < 3 || up.OutStreams != 10 || up.InStreams != 10 {
			t.Errorf("%+v", up)
		}
		id := event(t, s, socketapi.EventAssocChange).Assoc
		r := read(t, s, "first")
		if r.Info.Assoc != id || id < 3 {
			t.Errorf("%+v", r)
		}
		put(t, s, "answer", &socketapi.SendParams{Assoc: id})
		read(t, c, "answer")
		put(t, s, "by address", nil, r.From)
		read(t, c, "by address")

		_, err := c.TrySend([]byte("x"), nil, &socketapi.SendParams{Assoc: 99}, false)
		wantErr(t, err, syscall.EPIPE)
		_, err = c.TrySend(nil, nil, &socketapi.SendParams{Assoc: up.Assoc, Flags: socketapi.SendEOF}, false)
		noErr(t, err)
		event(t, s, socketapi.EventShutdown)
		for _, x := range []*socketapi.Socket{s, c} {
			if e := event(t, x, socketapi.EventAssocChange); e.Change != socketapi.ShutdownComplete {
				t.Errorf("%+v", e)
			}
			if ids, err := x.AssocIDs(); len(ids) != 0 || err != nil {
				t.Errorf("%v, %v", ids, err)
			}
		}
		_, err = c.Recv(context.Background(), nil, 0)
		wantErr(t, err, syscall.ENOTCONN)
		_, err = c.Status(up.Assoc)
		wantErr(t, err, syscall.EINVAL)
	})
}

func ExampleHost_NewSocket() {
	host, err := socketapi.NewHost(socketapi.HostConfig{Links: exampleLinks()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer host.Close()
	s, err := host.NewSocket(socketapi.SocketConfig{Style: socketapi.OneToMany})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	_, err = s.TryConnect(netip.MustParseAddrPort("10.0.0.2:38412"))
	fmt.Println(errors.Is(err, syscall.EINPROGRESS))
	_, err = s.TryRecv(make([]byte, 1500), 0)
	fmt.Println(errors.Is(err, syscall.EAGAIN))
	// Output:
	// true
	// true
}

func exampleLinks() []transport.Link {
	a, _ := newLinks()
	return a
}
