package socketapi_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/socketapi"
)

var bg = context.Background()

func TestSocketBind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, _ := hosts(t)
		s := socket(t, h, socketapi.OneToOne)
		if a := s.LocalAddr(); a != ap("[::]:0") {
			t.Errorf("unbound: %v", a)
		}
		wantErr(t, s.Bind(ap("10.0.0.9:5000")), syscall.EADDRNOTAVAIL)
		wantErr(t, s.Bind(ap("224.0.0.1:5000")), syscall.EADDRNOTAVAIL)
		noErr(t, s.Bind(ap("10.0.0.1:5000")))
		wantErr(t, s.Bind(ap("10.0.0.1:5001")), syscall.EINVAL)
		if a := s.LocalAddr(); a != ap("10.0.0.1:5000") {
			t.Errorf("bound to %v", a)
		}
		x := socket(t, h, socketapi.OneToMany)
		wantErr(t, x.Bind(ap("0.0.0.0:5000")), syscall.EADDRINUSE)

		wantErr(t, s.BindAdd(ap("10.0.0.1:0")), syscall.EINVAL)
		wantErr(t, s.BindAdd(ap("[fd00::1]:5001")), syscall.EINVAL)
		wantErr(t, s.BindAdd(ap("[fd00::1]:5000"), ap("10.0.0.9:0")), syscall.EADDRNOTAVAIL)
		if l, _ := s.LocalAddrs(0); len(l) != 1 {
			t.Errorf("half of it was bound: %v", l)
		}
		noErr(t, s.BindAdd(ap("[fd00::1]:0")))
		if l, _ := s.LocalAddrs(0); len(l) != 2 || l[1] != ap("[fd00::1]:5000") {
			t.Errorf("%v", l)
		}
		wantErr(t, s.BindRemove(ap("10.0.0.7:5000")), syscall.EINVAL)
		wantErr(t, s.BindRemove(ap("10.0.0.1:5001")), syscall.EINVAL)
		wantErr(t, s.BindRemove(ap("0.0.0.0:5000")), syscall.EADDRNOTAVAIL)
		wantErr(t, s.BindRemove(ap("10.0.0.1:0"), ap("[fd00::1]:0")), syscall.EBUSY)
		noErr(t, s.BindRemove(ap("10.0.0.1:5000")))
		wantErr(t, s.BindRemove(ap("[fd00::1]:5000")), syscall.EBUSY)
		wantErr(t, s.BindAdd(), syscall.EINVAL)

		all := socket(t, h, socketapi.OneToOne)
		noErr(t, all.Bind(netip.AddrPort{}))
		wantErr(t, all.BindAdd(ap("10.0.0.1:0")), syscall.EINVAL)
		if l, err := all.LocalAddrs(0); len(l) != 2 || err != nil || l[0].Port() < 1024 {
			t.Errorf("%v, %v", l, err)
		}
		four, err := h.NewSocket(socketapi.SocketConfig{})
		noErr(t, err)
		wantErr(t, four.Bind(ap("[fd00::1]:5002")), syscall.EINVAL)
		noErr(t, four.Bind(ap("[::ffff:10.0.0.1]:5002")))
		noErr(t, four.Close())
		wantErr(t, four.Bind(ap("10.0.0.1:5002")), net.ErrClosed)
		_, err = h.NewSocket(socketapi.SocketConfig{V6Only: true})
		wantErr(t, err, syscall.EINVAL)
	})
}

func TestSocketListenAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ha, hz, _ := hosts(t)
		l := socket(t, hz, socketapi.OneToOne)
		_, _, err := l.TryAccept()
		wantErr(t, err, syscall.EINVAL)
		wantErr(t, l.Listen(-1), syscall.EINVAL)
		wantErr(t, l.Listen(0), syscall.EINVAL)
		noErr(t, l.Bind(ap("10.0.0.2:5000")))
		noErr(t, l.Listen(1))
		noErr(t, l.Listen(2))
		_, _, err = l.TryAccept()
		wantErr(t, err, syscall.EAGAIN)
		if l.Ready() != 0 {
			t.Errorf("ready %b", l.Ready())
		}
		_, err = l.TryConnect(ap("10.0.0.1:5000"))
		wantErr(t, err, syscall.EISCONN)
		_, err = l.TrySend([]byte("x"), nil, nil, false)
		wantErr(t, err, syscall.EPIPE)
		_, err = l.TryRecv(make([]byte, 1), 0)
		wantErr(t, err, syscall.ENOTCONN)
		wantErr(t, l.Shutdown(socketapi.ShutBoth), syscall.EOPNOTSUPP)
		noErr(t, l.Shutdown(socketapi.ShutWrite))

		var c [3]*socketapi.Socket
		for i := range c {
			c[i] = socket(t, ha, socketapi.OneToOne)
			_, err := c[i].TryConnect(ap("10.0.0.2:5000"))
			wantErr(t, err, syscall.EINPROGRESS)
			synctest.Wait()
		}
		if l.Ready() != socketapi.Readable {
			t.Errorf("ready %b", l.Ready())
		}
		wantErr(t, c[2].TakeError(), syscall.ECONNREFUSED) // the backlog is 2
		s, from, err := l.TryAccept()
		noErr(t, err)
		if from.Port() != c[0].LocalAddr().Port() {
			t.Errorf("accepted %v", from)
		}
		wantErr(t, s.Listen(1), syscall.EINVAL)
		_, err = s.TryConnect(ap("10.0.0.1:9"))
		wantErr(t, err, syscall.EISCONN)
		noErr(t, s.Close())
		noErr(t, l.Listen(0)) // aborts who waits
		synctest.Wait()
		wantErr(t, c[1].TakeError(), syscall.ECONNRESET)
		noErr(t, c[1].TakeError())
		_, _, err = l.TryAccept()
		wantErr(t, err, syscall.EINVAL)
		x := socket(t, ha, socketapi.OneToOne)
		_, err = x.Connect(bg, ap("10.0.0.2:5000"))
		wantErr(t, err, syscall.ECONNREFUSED)
		noErr(t, x.TakeError())
		noErr(t, l.Listen(1))
		_, err = x.Connect(bg, ap("10.0.0.2:5000")) // a second try
		noErr(t, err)

		many := socket(t, hz, socketapi.OneToMany)
		_, _, err = many.TryAccept()
		wantErr(t, err, syscall.EOPNOTSUPP)
	})
}

func TestSocketAcceptWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ha, hz, _ := hosts(t)
		l := server(t, hz, socketapi.OneToOne)
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		_, _, err := l.Accept(ctx)
		wantErr(t, err, context.DeadlineExceeded)
		done := make(chan error)
		go func() {
			s, _, err := l.Accept(bg)
			if s != nil {
				s.Close()
			}
			done <- err
		}()
		synctest.Wait()
		_, err = socket(t, ha, socketapi.OneToOne).Connect(bg, ap("10.0.0.2:5000"))
		noErr(t, err)
		noErr(t, <-done)
		go func() { _, _, err := l.Accept(bg); done <- err }()
		synctest.Wait()
		noErr(t, l.Close())
		wantErr(t, <-done, net.ErrClosed)
	})
}

func TestSocketConnect(t *testing.T) {
	for _, style := range []socketapi.Style{socketapi.OneToOne, socketapi.OneToMany} {
		synctest.Test(t, func(t *testing.T) {
			ha, hz, n := hosts(t)
			server(t, hz, style)
			c := socket(t, ha, style)
			for _, bad := range []string{"0.0.0.0:5000", "224.0.0.1:5000", "255.255.255.255:5000", "10.0.0.2:0"} {
				_, err := c.TryConnect(ap(bad))
				wantErr(t, err, syscall.EINVAL)
			}
			_, err := c.TryConnect()
			wantErr(t, err, syscall.EINVAL)
			_, err = c.TryConnect(ap("10.0.0.2:5000"), ap("[fd00::2]:5001"))
			wantErr(t, err, syscall.EINVAL)
			_, err = c.TryConnect(ap("10.9.9.9:5000"))
			wantErr(t, err, syscall.ENETUNREACH)

			id, err := c.TryConnect(ap("10.0.0.2:5000"), ap("[fd00::2]:5000"))
			wantErr(t, err, syscall.EINPROGRESS)
			if id < 3 {
				t.Errorf("id %d", id)
			}
			_, err = c.TryConnect(ap("10.0.0.2:5000"))
			wantErr(t, err, syscall.EALREADY)
			synctest.Wait()
			if r := c.Ready(); r != socketapi.Writable {
				t.Errorf("ready %b", r)
			}
			_, err = c.Connect(bg, ap("10.0.0.2:5000"))
			wantErr(t, err, syscall.EISCONN)
			if p, err := c.PeerAddrs(id); len(p) != 1 || err != nil { // the server is bound to one
				t.Errorf("%v, %v", p, err)
			}

			// Nobody answers.
			n.SetHook(func(_, _ netip.Addr, _ []byte) bool { return false })
			y := socket(t, ha, style)
			id, err = y.TryConnect(ap("10.0.0.2:9"))
			wantErr(t, err, syscall.EINPROGRESS)
			_, err = y.TrySend([]byte("early"), nil, &socketapi.SendParams{Assoc: id}, false)
			if style == socketapi.OneToOne { // has no association before it is up
				wantErr(t, err, syscall.EPIPE)
			} else {
				noErr(t, err)
			}
			x := socket(t, ha, style)
			noErr(t, x.SetInitMsg(socketapi.InitMsg{MaxAttempts: 2, MaxTimeout: 3 * time.Second}))
			start := time.Now()
			_, err = x.Connect(bg, ap("10.0.0.2:7"))
			wantErr(t, err, syscall.ETIMEDOUT)
			if d := time.Since(start); d != 6*time.Second { // 1, 2 and 3 s
				t.Errorf("gave up after %v", d)
			}
			x.SetWriteDeadline(time.Now().Add(time.Second))
			_, err = x.Connect(bg, ap("10.0.0.2:7"))
			wantErr(t, err, os.ErrDeadlineExceeded)
		})
	}
}

func TestSocketSendErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := sockets(t)
		try := func(want error, p []byte, sp *socketapi.SendParams, to ...netip.AddrPort) {
			t.Helper()
			n, err := c.TrySend(p, to, sp, false)
			if !errors.Is(err, want) || err != nil && n != 0 {
				t.Errorf("sent %d: %v, want %v", n, err, want)
			}
		}
		x := []byte("x")
		try(syscall.EMSGSIZE, make([]byte, 1<<20+1), nil)
		try(syscall.EINVAL, nil, nil)
		try(syscall.EINVAL, nil, &socketapi.SendParams{Flags: socketapi.SendEOF})
		try(syscall.EINVAL, x, &socketapi.SendParams{Flags: socketapi.SendAbort})
		try(syscall.EINVAL, x, &socketapi.SendParams{Flags: 0x100})
		try(syscall.EINVAL, x, &socketapi.SendParams{Policy: 0x100})
		try(syscall.EINVAL, x, &socketapi.SendParams{Flags: socketapi.SendAddrOver})
		try(syscall.EINVAL, x, &socketapi.SendParams{Stream: 10})
		try(syscall.EINVAL, x, nil, ap("0.0.0.0:5000"))
		try(nil, x, &socketapi.SendParams{Stream: 9})

		u := socket(t, hostOf(t), socketapi.OneToOne)
		_, err := u.TrySend(x, nil, nil, false)
		wantErr(t, err, syscall.EPIPE)
		wantErr(t, u.Shutdown(socketapi.ShutWrite), syscall.ENOTCONN)
		_, err = u.TryRecv(x, 0)
		wantErr(t, err, syscall.EAGAIN)
		_, err = u.Recv(bg, x, 0)
		wantErr(t, err, syscall.ENOTCONN)
		wantErr(t, u.MayWait(), syscall.ENOTCONN)
		_, err = u.PeerAddr()
		wantErr(t, err, syscall.ENOTCONN)
	})
}

func hostOf(t testing.TB) *socketapi.Host { h, _, _ := hosts(t); return h }

// The sender waits for room, poll-style and blocking.
func TestSocketSendWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ha, hz, _ := hosts(t)
		opt := socketapi.DefaultOptions()
		opt.SendBuffer, opt.RecvBuffer = 8192, 8192
		l, err := hz.NewSocket(socketapi.SocketConfig{Options: &opt})
		noErr(t, err)
		noErr(t, l.Bind(ap("10.0.0.2:5000")))
		noErr(t, l.Listen(1))
		c, err := ha.NewSocket(socketapi.SocketConfig{Options: &opt})
		noErr(t, err)
		_, err = c.Connect(bg, ap("10.0.0.2:5000"))
		noErr(t, err)
		s, _, err := l.Accept(bg)
		noErr(t, err)
		p := bytes.Repeat([]byte("p"), 1000)
		sent := 0
		for ; ; sent++ {
			if _, err = c.TrySend(p, nil, nil, false); err != nil {
				break
			}
			synctest.Wait()
		}
		wantErr(t, err, syscall.EAGAIN)
		if c.Ready()&socketapi.Writable != 0 {
			t.Error("writable with a full buffer")
		}
		woken := make(chan struct{}, 100)
		c.OnReady(func() { woken <- struct{}{} })
		done := make(chan error)
		go func() { _, err := c.Send(bg, p, nil, nil, false); done <- err }()
		synctest.Wait()
		for range sent {
			read(t, s, string(p))
		}
		noErr(t, <-done)
		if len(woken) == 0 || c.Ready()&socketapi.Writable == 0 {
			t.Error("nobody was told of the room")
		}
		read(t, s, string(p))
		for range 20 {
			c.TrySend(p, nil, nil, false)
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		_, err = c.Send(ctx, p, nil, nil, false)
		wantErr(t, err, context.DeadlineExceeded)
		for _, x := range []*socketapi.Socket{c, s, l} {
			noErr(t, x.Close())
		}
		synctest.Wait()
		if n := ha.Stats().Associations + hz.Stats().Associations; n != 0 {
			t.Errorf("%d associations are left", n) // c's peer had unread data: an ABORT
		}
	})
}

func TestSocketClose(t *testing.T) {
	for _, test := range []struct {
		name string
		f    func(c, s *socketapi.Socket) error
		recv error
		last error
	}{
		{"graceful", func(c, s *socketapi.Socket) error { return c.Close() }, io.EOF, nil},
		{"linger 0", func(c, s *socketapi.Socket) error {
			return errors.Join(c.SetLinger(socketapi.Linger{On: true}), c.Close())
		}, syscall.ECONNRESET, nil},
		{"unread", func(c, s *socketapi.Socket) error {
			_, err := s.Send(bg, []byte("x"), nil, nil, false)
			synctest.Wait()
			return errors.Join(err, c.Close())
		}, syscall.ECONNRESET, nil},
		{"lingering", func(c, s *socketapi.Socket) error {
			return errors.Join(c.SetLinger(socketapi.Linger{On: true, Time: time.Minute}), c.Close())
		}, io.EOF, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, s := sockets(t)
			noErr(t, test.f(c, s))
			wantErr(t, c.Close(), net.ErrClosed)
			_, err := s.Recv(bg, make([]byte, 9), 0)
			if !errors.Is(err, test.recv) {
				t.Errorf("%s: %v, want %v", test.name, err, test.recv)
			}
			_, err = s.TrySend([]byte("x"), nil, nil, false)
			wantErr(t, err, syscall.EPIPE)
			_, err = c.TryRecv(make([]byte, 9), 0)
			wantErr(t, err, net.ErrClosed)
		})
	}
}

// Data comes before the error, and the error before the end.
func TestSocketReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := sockets(t)
		put(t, c, "last words", nil)
		synctest.Wait()
		noErr(t, c.SetLinger(socketapi.Linger{On: true}))
		noErr(t, c.Close())
		synctest.Wait()
		if r := s.Ready(); r&(socketapi.Failed|socketapi.Readable|socketapi.HangUp) != socketapi.Failed|socketapi.Readable|socketapi.HangUp {
			t.Errorf("ready %b", r)
		}
		read(t, s, "last words")
		_, err := s.TrySend([]byte("x"), nil, nil, false)
		wantErr(t, err, syscall.ECONNRESET) // the pending error instead of EPIPE
		noErr(t, s.TakeError())
		again(t, s)
		_, err = s.Recv(bg, nil, 0)
		wantErr(t, err, syscall.ENOTCONN)
		_, err = s.Status(0)
		wantErr(t, err, syscall.EINVAL)
	})
}

func TestSocketRecvParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, _, _ := crowd(t)
		noErr(t, s.SetRecvNxtInfo(true))
		noErr(t, s.SetContext(socketapi.AllAssocs, 77))
		put(t, c, "0123456789", &socketapi.SendParams{PPID: 1}, ap("10.0.0.2:5000"))
		put(t, c, "second", &socketapi.SendParams{PPID: 2, Stream: 4}, ap("10.0.0.2:5000"))
		synctest.Wait()
		if n := s.NextLen(); n != 10 {
			t.Errorf("next is %d bytes", n)
		}
		p := make([]byte, 4)
		for range 2 {
			r, err := s.TryRecv(p, socketapi.RecvPeek)
			if err != nil || string(p[:r.N]) != "0123" || r.EOR || r.Info.Context != 77 {
				t.Errorf("%+v, %v", r, err)
			}
		}
		for i, want := range []string{"0123", "4567", "89"} {
			r, err := s.TryRecv(p, 0)
			if err != nil || string(p[:r.N]) != want || r.EOR != (i == 2) || r.Info.PPID != 1 || r.Info.Context != 77 {
				t.Errorf("%q, %+v, %v", p[:r.N], r, err)
			}
			if i == 0 && s.NextLen() != 6 {
				t.Errorf("%d bytes are left", s.NextLen())
			}
			if (r.Next != nil) != (i == 2) || r.Next != nil && (r.Next.Length != 6 || r.Next.PPID != 2 || r.Next.Stream != 4 || r.Next.Notification) {
				t.Errorf("next: %+v", r.Next)
			}
		}
		read(t, s, "second")
		again(t, s)
	})
}

func TestSocketPeelOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, cid, sid := crowd(t)
		noErr(t, s.Subscribe(socketapi.AllAssocs, socketapi.Events(socketapi.EventShutdown), true))
		put(t, c, "unread", nil, ap("10.0.0.2:5000"))
		synctest.Wait()
		_, err := s.PeelOff(99)
		wantErr(t, err, syscall.EINVAL)
		p, err := s.PeelOff(sid)
		noErr(t, err)
		defer p.Close()
		again(t, s)
		if ids, _ := s.AssocIDs(); len(ids) != 0 {
			t.Errorf("%v", ids)
		}
		from := read(t, p, "unread").From
		put(t, p, "answer", nil)
		read(t, c, "answer")
		_, err = p.PeelOff(sid)
		wantErr(t, err, syscall.EINVAL)
		wantErr(t, p.Listen(1), syscall.EINVAL)
		_, err = s.TrySend([]byte("x"), []netip.AddrPort{from}, nil, false)
		wantErr(t, err, syscall.EADDRNOTAVAIL)
		_, err = s.TryConnect(from)
		wantErr(t, err, syscall.EADDRNOTAVAIL)
		_, err = c.TrySend([]byte("why"), nil, &socketapi.SendParams{Assoc: cid, Flags: socketapi.SendAbort}, false)
		noErr(t, err)
		synctest.Wait()
		wantErr(t, p.TakeError(), syscall.ECONNRESET)

		one, _ := sockets(t)
		_, err = one.PeelOff(3)
		wantErr(t, err, syscall.EINVAL)
	})
}

func TestSocketEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, cid, sid := crowd(t)
		every := socketapi.EventSet(1<<14 - 1)
		wantErr(t, c.Subscribe(socketapi.AllAssocs, 1<<14, true), syscall.EINVAL)
		wantErr(t, c.Subscribe(99, every, true), syscall.EINVAL)
		again(t, c) // COMM_UP was before
		for _, x := range []*socketapi.Socket{c, s} {
			noErr(t, x.Subscribe(socketapi.AllAssocs, every, true))
			event(t, x, socketapi.EventSenderDry) // nothing is queued
		}
		if set, err := c.Subscribed(cid); set != every || err != nil {
			t.Errorf("%b, %v", set, err)
		}
		if set, err := c.Subscribed(0); set != every || err != nil {
			t.Errorf("%b, %v", set, err)
		}
		put(t, c, "data", &socketapi.SendParams{Assoc: cid})
		event(t, c, socketapi.EventSenderDry)
		read(t, s, "data")
		again(t, c)
		noErr(t, c.Subscribe(cid, socketapi.Events(socketapi.EventSenderDry), false))
		put(t, c, "more", &socketapi.SendParams{Assoc: cid})
		<-time.After(time.Second) // it is acknowledged
		again(t, c)

		_, err := c.TrySend([]byte("reason"), nil, &socketapi.SendParams{Assoc: cid, Flags: socketapi.SendAbort}, false)
		noErr(t, err)
		if e := event(t, c, socketapi.EventAssocChange); e.Change != socketapi.CommLost || e.Cause != chunk.CauseUserAbort || e.Assoc != cid {
			t.Errorf("%+v", e)
		}
		synctest.Wait()
		// The id is dead at once, and what was not read stays.
		_, err = s.Status(sid)
		wantErr(t, err, syscall.EINVAL)
		read(t, s, "more")
		if e := event(t, s, socketapi.EventAssocChange); e.Change != socketapi.CommLost || string(e.Info) != "reason" || e.Assoc != sid {
			t.Errorf("%+v", e)
		}
		if r := s.Ready(); r != socketapi.Writable {
			t.Errorf("ready %b", r)
		}
	})
}

func TestSocketSendFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ha, hz, n := hosts(t)
		server(t, hz, socketapi.OneToMany)
		c := socket(t, ha, socketapi.OneToMany)
		noErr(t, c.Subscribe(socketapi.FutureAssoc, socketapi.Events(socketapi.EventSendFailed, socketapi.EventSendFailedOld, socketapi.EventAssocChange), true))
		id, err := c.Connect(bg, ap("10.0.0.2:5000"))
		noErr(t, err)
		event(t, c, socketapi.EventAssocChange)
		n.SetHook(func(_, _ netip.Addr, _ []byte) bool { return false })
		noErr(t, c.SetAssocParams(id, socketapi.AssocParams{MaxRetransmits: 1}))
		put(t, c, "lost", &socketapi.SendParams{Assoc: id, Stream: 2, Context: 42, PPID: 9})
		for _, kind := range []socketapi.EventKind{socketapi.EventSendFailedOld, socketapi.EventSendFailed} {
			e := event(t, c, kind)
			if string(e.Data) != "lost" || !e.Sent || e.Send.Stream != 2 || e.Send.Context != 42 || e.Send.PPID != 9 || e.Send.Assoc != id {
				t.Errorf("%+v", e)
			}
		}
		if e := event(t, c, socketapi.EventAssocChange); e.Change != socketapi.CommLost {
			t.Errorf("%+v", e)
		}
	})
}
