package socketapi_test

import (
	"bytes"
	"context"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosctp/gosctp/socketapi"
)

// A message that is larger than the receive buffer is read in parts. At level 0
// no other comes in between, at level 1 those of other associations may.
func TestSocketPartialDelivery(t *testing.T) {
	for level := range 2 {
		synctest.Test(t, func(t *testing.T) {
			ha, hz, _ := hosts(t)
			opt := socketapi.DefaultOptions()
			opt.RecvBuffer, opt.FragmentInterleave = 16<<10, level
			s, err := hz.NewSocket(socketapi.SocketConfig{Style: socketapi.OneToMany, Options: &opt})
			noErr(t, err)
			defer s.Close()
			noErr(t, s.Bind(ap("10.0.0.2:5000")))
			noErr(t, s.Listen(1))
			large, small := socket(t, ha, socketapi.OneToMany), socket(t, ha, socketapi.OneToMany)
			msg := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
			n, err := large.TrySend(msg, sockaddr("10.0.0.2:5000"), nil, false)
			if n != len(msg) || err != nil {
				t.Fatal(n, err)
			}
			<-time.After(10 * time.Second)
			p := make([]byte, 1<<10)
			got, parts, others := 0, 0, 0
			for eor := false; !eor; parts++ {
				r, err := s.Recv(bg, p, 0)
				noErr(t, err)
				if r.N == 5 {
					others++
					continue
				}
				if !bytes.Equal(p[:r.N], msg[got:got+r.N]) {
					t.Fatalf("other bytes at %d", got)
				}
				got, eor = got+r.N, r.EOR
				if parts == 0 {
					put(t, small, "small", nil, ap("10.0.0.2:5000"))
				}
			}
			if got != len(msg) {
				t.Errorf("%d bytes", got)
			}
			if level == 0 {
				if others != 0 {
					t.Error("another message in the middle of one")
				}
				read(t, s, "small")
			} else if others != 1 {
				t.Errorf("%d others", others)
			}
			again(t, s)
		})
	}
}

// The rest of a message that does not come is told, and does not block others.
func TestSocketPartialAborted(t *testing.T) {
	for _, told := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			ha, hz, _ := hosts(t)
			opt := socketapi.DefaultOptions()
			opt.RecvBuffer = 16 << 10
			if told {
				opt.Events = socketapi.Events(socketapi.EventPartialAborted)
			}
			s, err := hz.NewSocket(socketapi.SocketConfig{Style: socketapi.OneToMany, Options: &opt})
			noErr(t, err)
			defer s.Close()
			noErr(t, s.Bind(ap("10.0.0.2:5000")))
			noErr(t, s.Listen(1))
			c, d := socket(t, ha, socketapi.OneToMany), socket(t, ha, socketapi.OneToMany)
			_, err = c.TrySend(make([]byte, 64<<10), sockaddr("10.0.0.2:5000"), &socketapi.SendParams{Stream: 3}, false)
			noErr(t, err)
			<-time.After(10 * time.Second)
			p := make([]byte, 64<<10)
			r, err := s.TryRecv(p, 0)
			if r.EOR || r.N == 0 || err != nil {
				t.Fatalf("%+v, %v", r, err)
			}
			noErr(t, c.SetLinger(socketapi.Linger{On: true}))
			noErr(t, c.Close())
			put(t, d, "other", nil, ap("10.0.0.2:5000"))
			if told {
				for r.Event == nil {
					r, err = s.Recv(bg, p, 0) // what had come until then
					noErr(t, err)
				}
				if r.Event.Kind != socketapi.EventPartialAborted || r.Event.Stream != 3 {
					t.Errorf("%+v", r.Event)
				}
			} else {
				for r.N != 5 {
					r, err = s.Recv(bg, p, 0)
					noErr(t, err)
				}
				return
			}
			read(t, s, "other")
		})
	}
}

// Many goroutines at one socket, and sockets that come and go.
func TestSocketBusy(t *testing.T) {
	ha, hz, _ := hosts(t)
	s := server(t, hz, socketapi.OneToMany)
	ctx, cancel := context.WithTimeout(bg, time.Minute)
	defer cancel()
	const clients, messages = 16, 50
	var echo, users sync.WaitGroup
	for range 4 {
		echo.Go(func() {
			p := make([]byte, 100)
			for {
				r, err := s.Recv(ctx, p, 0)
				if err != nil {
					return
				}
				if _, err = s.Send(ctx, p[:r.N], nil, &socketapi.SendParams{Assoc: r.Info.Assoc}, false); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range clients {
		users.Go(func() {
			c := socket(t, ha, socketapi.Style(i%2))
			ready := make(chan struct{}, 1)
			c.OnReady(func() {
				select {
				case ready <- struct{}{}:
				default:
				}
			})
			if _, err := c.Connect(ctx, ap("10.0.0.2:5000")); err != nil {
				t.Error(err)
				return
			}
			p := make([]byte, 100)
			for range messages {
				if _, err := c.Send(ctx, []byte("ping"), sockaddr("10.0.0.2:5000"), nil, false); err != nil {
					t.Error(err)
					return
				}
				for { // poll-style
					r, err := c.TryRecv(p, 0)
					if err == nil {
						if string(p[:r.N]) != "ping" {
							t.Errorf("%q", p[:r.N])
						}
						break
					}
					wantErr(t, err, syscall.EAGAIN)
					select {
					case <-ready:
					case <-ctx.Done():
						t.Error("nobody answers")
						return
					}
				}
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	users.Wait()
	cancel()
	echo.Wait()
	noErr(t, s.Close())
	noErr(t, ha.Close())
	noErr(t, hz.Close())
	if n := ha.Stats().Buffers + hz.Stats().Buffers; n != 0 {
		t.Errorf("%d buffers are left", n)
	}
}
