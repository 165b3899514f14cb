package socketapi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gosctp/gosctp/chunk"
	"github.com/gosctp/gosctp/socketapi"
)

func TestEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := pair(t, nil)
		done := make(chan struct{})
		defer func() { <-done }()
		go func() {
			defer close(done)
			if _, err := io.Copy(z, z); err != nil {
				t.Error(err)
			}
			z.Close()
		}()
		for _, n := range []int{1, 1400, 1500, 20000, 65536} {
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

func TestMessageInfo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := pair(t, &socketapi.Config{OutStreams: 20})
		if s := a.Status(); s.OutStreams != 20 || s.InStreams != 20 {
			t.Errorf("%d and %d streams", s.OutStreams, s.InStreams)
		}
		for i := range 3 {
			for _, stream := range []uint16{0, 7, 19} {
				text := fmt.Sprint("ordered ", i, stream)
				if _, err := a.SendMsg(socketapi.SendInfo{Stream: stream, PPID: socketapi.PPIDNGAP}, []byte(text)); err != nil {
					t.Fatal(err)
				}
				info := want(t, z, text)
				if info.Stream != stream || info.SSN != uint16(i) || info.PPID != 60 || info.Unordered {
					t.Errorf("%+v", info)
				}
			}
		}
		first := want2(t, a, z, socketapi.SendInfo{Unordered: true, PPID: 0xfedcba98})
		if !first.Unordered || first.PPID != 0xfedcba98 { // R-3.3.1-14
			t.Errorf("%+v", first)
		}
		next := want2(t, a, z, socketapi.SendInfo{Immediate: true})
		if next.TSN != first.TSN+1 || next.CumTSN != next.TSN-1 && next.CumTSN != next.TSN {
			t.Errorf("%+v after %+v", next, first)
		}
	})
}

func want2(t *testing.T, a, z *socketapi.Conn, info socketapi.SendInfo) socketapi.RecvInfo {
	t.Helper()
	if _, err := a.SendMsg(info, []byte("x")); err != nil {
		t.Fatal(err)
	}
	return want(t, z, "x")
}

// A message larger than the buffer is continued, whichever call reads it, and
// the next message stays apart.
func TestSmallReadBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := pair(t, nil)
		msg := make([]byte, 10000)
		for i := range msg {
			msg[i] = byte(i * 7)
		}
		for range 2 {
			if _, err := a.SendMsg(socketapi.SendInfo{Stream: 3, PPID: 9}, msg); err != nil {
				t.Fatal(err)
			}
		}
		for round := range 2 {
			var got []byte
			for eor := false; !eor; {
				p := make([]byte, 1+len(got)%977)
				if len(got)%2 == round {
					n, err := z.Read(p)
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, p[:n]...)
					eor = len(got) == len(msg)
					continue
				}
				n, info, err := z.RecvMsg(p)
				if err != nil || info.Stream != 3 || info.PPID != 9 || info.SSN != uint16(round) {
					t.Fatalf("%+v, %v", info, err)
				}
				got = append(got, p[:n]...)
				if eor = info.EOR; eor != (len(got) == len(msg)) {
					t.Fatalf("EOR %t after %d bytes", eor, len(got))
				}
			}
			if !bytes.Equal(got, msg) {
				t.Fatal("the message arrived differently")
			}
		}
	})
}

// RecvMsg without a buffer tells about the message and leaves it there.
func TestPeek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := pair(t, nil)
		send(t, a, 4, "hello")
		n, info, err := z.RecvMsg(nil)
		if n != 0 || info.Stream != 4 || info.EOR || err != nil {
			t.Fatalf("%d, %+v, %v", n, info, err)
		}
		if n, err := z.Read(nil); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		want(t, z, "hello")
	})
}

// R-6.9-16: a message may be many times the receive buffer. It is delivered in
// parts, and the window opens as they are read.
func TestPartialDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := pair2(t, nil, &socketapi.Config{RecvBuffer: 8192})
		msg := make([]byte, 300000)
		rng := rand.New(rand.NewPCG(3, 4))
		for i := range msg {
			msg[i] = byte(rng.Uint32())
		}
		go func() {
			for range 3 {
				if _, err := a.SendMsg(socketapi.SendInfo{Stream: 1}, msg); err != nil {
					t.Error(err)
				}
				if _, err := a.SendMsg(socketapi.SendInfo{Stream: 2}, []byte("between")); err != nil {
					t.Error(err)
				}
			}
			a.Close()
		}()
		p := make([]byte, 5000)
		for round := range 3 {
			var got []byte
			parts := 0
			for {
				n, info, err := z.RecvMsg(p)
				if err != nil {
					t.Fatal(err)
				}
				if info.Stream != 1 {
					t.Fatalf("stream %d before the end of the message", info.Stream)
				}
				got = append(got, p[:n]...)
				parts++
				if info.EOR {
					break
				}
			}
			if !bytes.Equal(got, msg) || parts < 10 {
				t.Fatalf("round %d: %d bytes in %d parts", round, len(got), parts)
			}
			want(t, z, "between")
		}
		if _, err := z.Read(p); err != io.EOF {
			t.Fatal(err)
		}
	})
}

// Many goroutines send and receive on one association; each message arrives
// once, and those of one sender on one stream in order.
func TestConcurrentUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := pair(t, &socketapi.Config{SendBuffer: 30000, RecvBuffer: 30000, OutStreams: 8})
		const senders, each = 8, 200
		var sent, received sync.WaitGroup
		for s := range senders {
			sent.Go(func() {
				for i := range each {
					p := []byte(fmt.Sprintf("%d %d %s", s, i, bytes.Repeat([]byte{'x'}, i*5)))
					if _, err := a.SendMsg(socketapi.SendInfo{Stream: uint16(s)}, p); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		var mu sync.Mutex
		seen := map[[2]int]int{}
		var total atomic.Int32
		for range 4 {
			received.Go(func() {
				p := make([]byte, 5000)
				for {
					n, info, err := z.RecvMsg(p)
					if err == io.EOF {
						return
					}
					if err != nil || !info.EOR {
						t.Errorf("%+v, %v", info, err)
						return
					}
					var s, i int
					if _, err := fmt.Sscan(string(p[:n]), &s, &i); err != nil || s != int(info.Stream) || i != int(info.SSN) {
						t.Errorf("%.20q as %+v", p[:n], info)
					}
					mu.Lock()
					seen[[2]int{s, i}]++
					mu.Unlock()
					total.Add(1)
				}
			})
		}
		sent.Wait()
		a.Close()
		received.Wait()
		if total.Load() != senders*each || len(seen) != senders*each {
			t.Errorf("%d messages, %d different", total.Load(), len(seen))
		}
	})
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := pair(t, &socketapi.Config{SendBuffer: 10000, RecvBuffer: 10000})
		p := make([]byte, 3000)

		// Reading: at its time, and again until set anew.
		start := time.Now()
		a.SetReadDeadline(start.Add(3 * time.Second))
		_, err := a.Read(p)
		wantErr(t, err, os.ErrDeadlineExceeded)
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("after %v", d)
		}
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("%v is no timeout", err)
		}
		_, _, err = a.RecvMsg(p)
		wantErr(t, err, os.ErrDeadlineExceeded)
		_, err = a.Read(nil)
		wantErr(t, err, os.ErrDeadlineExceeded)

		// A deadline in the past holds even if there is something to read.
		send(t, z, 0, "here")
		synctest.Wait()
		a.SetReadDeadline(time.Unix(1, 0))
		_, err = a.Read(p)
		wantErr(t, err, os.ErrDeadlineExceeded)
		a.SetReadDeadline(time.Time{})
		want(t, a, "here")

		// It can be set, moved and taken away while a reader waits.
		errs := make(chan error)
		go func() { _, err := a.Read(p); errs <- err }()
		synctest.Wait()
		start = time.Now()
		a.SetDeadline(start.Add(time.Hour))
		a.SetReadDeadline(start.Add(time.Minute))
		synctest.Wait()
		a.SetReadDeadline(start.Add(2 * time.Minute))
		wantErr(t, <-errs, os.ErrDeadlineExceeded)
		if d := time.Since(start); d != 2*time.Minute {
			t.Errorf("after %v", d)
		}
		a.SetDeadline(time.Time{})
		go func() { _, err := a.Read(p); errs <- err }()
		synctest.Wait()
		a.SetReadDeadline(time.Now().Add(time.Second))
		a.SetReadDeadline(time.Time{})
		<-time.After(time.Hour)
		send(t, z, 0, "at last")
		if err := <-errs; err != nil {
			t.Error(err)
		}

		// Writing blocks once the buffers of both sides are full.
		start = time.Now()
		a.SetWriteDeadline(start.Add(5 * time.Second))
		sent := 0
		for {
			if _, err = a.Write(p); err != nil {
				break
			}
			sent++
		}
		wantErr(t, err, os.ErrDeadlineExceeded)
		if d := time.Since(start); d != 5*time.Second || sent < 3 || sent > 10 {
			t.Errorf("%d messages, %v", sent, d)
		}
		_, err = a.SendMsg(socketapi.SendInfo{}, p)
		wantErr(t, err, os.ErrDeadlineExceeded)
		_, err = a.Write(nil)
		wantErr(t, err, os.ErrDeadlineExceeded)
		a.SetWriteDeadline(time.Time{})
		go func() { _, err := a.Write(p); errs <- err }()
		q := make([]byte, 5000)
		for range sent + 1 {
			if n, err := z.Read(q); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := <-errs; err != nil {
			t.Error(err)
		}
		// What timed out was not sent.
		z.SetReadDeadline(time.Now().Add(time.Minute))
		_, err = z.Read(q)
		wantErr(t, err, os.ErrDeadlineExceeded)
	})
}

func TestContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := pair(t, &socketapi.Config{SendBuffer: 10000, RecvBuffer: 10000})
		p := make([]byte, 3000)
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		start := time.Now()
		_, _, err := a.RecvMsgContext(ctx, p)
		wantErr(t, err, context.DeadlineExceeded)
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("after %v", d)
		}
		send(t, z, 0, "there")
		synctest.Wait()
		_, _, err = a.RecvMsgContext(ctx, p) // over from the start
		wantErr(t, err, context.DeadlineExceeded)
		ctx, cancel = context.WithCancel(context.Background())
		if n, _, err := a.RecvMsgContext(ctx, p); string(p[:n]) != "there" || err != nil {
			t.Errorf("%q, %v", p[:n], err)
		}

		errs := make(chan error)
		go func() {
			p := make([]byte, 3000)
			for {
				if _, err := a.SendMsgContext(ctx, socketapi.SendInfo{}, p); err != nil {
					errs <- err
					return
				}
			}
		}()
		synctest.Wait()
		go func() { _, _, err := a.RecvMsgContext(ctx, make([]byte, 10)); errs <- err }()
		synctest.Wait()
		cancel()
		wantErr(t, <-errs, context.Canceled)
		wantErr(t, <-errs, context.Canceled)

		// Waiters without that context are not disturbed.
		go func() { _, err := a.Read(p); errs <- err }()
		synctest.Wait()
		send(t, z, 0, "x")
		if err := <-errs; err != nil {
			t.Error(err)
		}
	})
}

// If a waiter gives up just when it is told that it may go on, the next waiter
// goes on in its place.
func TestNoLostWakeup(t *testing.T) {
	a, z, _ := pair(t, &socketapi.Config{NoDelay: true})
	const rounds = 300
	for i := range rounds {
		ctx, cancel := context.WithCancel(context.Background())
		got := make(chan int, 2)
		for _, c := range []context.Context{ctx, context.Background()} {
			go func() {
				p := make([]byte, 10)
				n, _, err := a.RecvMsgContext(c, p)
				if err != nil {
					n = 0
				}
				got <- n
			}()
		}
		go cancel()
		send(t, z, 0, "x")
		n := <-got
		if i%2 == 0 {
			// Whoever is left must get the second one.
			send(t, z, 0, "y")
			n += <-got
		} else if n == 0 {
			n += <-got // the first message went to the one that did not give up
		} else {
			send(t, z, 0, "y")
			n += <-got
		}
		if n == 0 {
			t.Fatal("no message arrived")
		}
		// Read what the one who gave up did not take.
		for range 2 {
			a.SetReadDeadline(time.Now().Add(time.Millisecond))
			a.Read(make([]byte, 10))
			a.SetReadDeadline(time.Time{})
		}
	}
}

func TestCloseFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := pair(t, nil)
		const n = 500
		go func() {
			p := make([]byte, 1000)
			for i := range n {
				p[0] = byte(i)
				if _, err := a.Write(p); err != nil {
					t.Error(err)
				}
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
			_, err := a.Write(p)
			wantErr(t, err, net.ErrClosed)
			_, err = a.Read(p)
			wantErr(t, err, net.ErrClosed)
			wantErr(t, a.Close(), net.ErrClosed)
			wantErr(t, a.CloseWrite(), net.ErrClosed)
			wantErr(t, a.SetDeadline(time.Time{}), net.ErrClosed)
		}()
		p := make([]byte, 2000)
		for i := range n {
			k, err := z.Read(p)
			if k != 1000 || p[0] != byte(i) || err != nil {
				t.Fatal(i, k, err)
			}
		}
		for range 3 {
			if _, err := z.Read(p); err != io.EOF {
				t.Fatal(err)
			}
		}
		_, err := z.Write(p)
		wantErr(t, err, syscall.EPIPE)
		if err := a.CloseWait(context.Background()); err != nil {
			t.Error(err)
		}
		if err := z.CloseWait(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// Who closes drops what it did not read; the peer's messages do not keep the
// association from ending.
func TestCloseWithUnreadData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := pair(t, &socketapi.Config{SendBuffer: 100000, RecvBuffer: 20000})
		p := make([]byte, 4000)
		done := make(chan int)
		go func() {
			p := make([]byte, 4000)
			n := 0
			for {
				if _, err := z.Write(p); err != nil {
					wantErr(t, err, syscall.EPIPE)
					break
				}
				n++
			}
			done <- n
		}()
		synctest.Wait()
		if _, err := a.Read(p[:100]); err != nil { // the rest of the message, too
			t.Fatal(err)
		}
		if err := a.CloseWait(context.Background()); err != nil {
			t.Error(err)
		}
		if n := <-done; n < 10 {
			t.Errorf("%d messages", n)
		}
		if err := z.CloseWait(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// R-9.2-12, R-9.2-27: after a shutdown nothing new is taken, and what was sent
// still arrives.
func TestCloseWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := pair(t, nil)
		p := make([]byte, 1000)
		// What z has sent before it learns of the shutdown still arrives. With
		// nobody reading, much of it waits on z's side.
		done := make(chan struct{})
		defer func() { <-done }()
		go func() {
			defer close(done)
			p := make([]byte, 1000)
			for {
				if _, err := z.Write(p); err != nil {
					wantErr(t, err, syscall.EPIPE)
					return
				}
			}
		}()
		synctest.Wait()
		if err := a.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		_, err := a.Write(p)
		wantErr(t, err, syscall.EPIPE, socketapi.ErrShutdown)
		n := 0
		for {
			_, err := a.Read(p)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n < 500 {
			t.Errorf("%d messages", n)
		}
		if _, err := z.Read(p); err != io.EOF {
			t.Error(err)
		}
		if err := a.CloseWait(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// R-8.1-04, R-9.2-06, R-9.2-07: a peer that is gone cannot keep CloseWait; the
// timers end it.
func TestCloseWaitDeadPeer(t *testing.T) {
	for _, queued := range []bool{false, true} {
		t.Run(fmt.Sprint("queued ", queued), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, _, n := pair(t, &socketapi.Config{RTOMax: 3 * time.Second, MaxRetransmits: 4})
				n.SetHook(func(_, _ netip.Addr, _ []byte) bool { return false })
				if queued {
					send(t, a, 0, "never arrives")
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				wantErr(t, a.CloseWait(ctx), context.DeadlineExceeded)
				start := time.Now()
				wantErr(t, a.CloseWait(context.Background()), syscall.ETIMEDOUT)
				if d := time.Since(start); d < 5*time.Second || d > 15*time.Second {
					t.Errorf("after %v", d)
				}
			})
		})
	}
}

// R-9.1-01, R-9.1-04, R-9.1-08, R-9.1-09: the peer is told, with the reason.
func TestAbort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := pair(t, nil)
		p := make([]byte, 100)
		errs := make(chan error, 4)
		for range 2 {
			go func() { _, err := z.Read(make([]byte, 10)); errs <- err }()
			go func() { _, err := a.Read(make([]byte, 10)); errs <- err }()
		}
		synctest.Wait()
		if err := a.Abort("no\x1b more"); err != nil {
			t.Fatal(err)
		}
		var reset, closed int
		for range 4 {
			switch err := <-errs; {
			case errors.Is(err, syscall.ECONNRESET):
				reset++
				var ae *socketapi.AssocError
				if !errors.As(err, &ae) || !ae.ByPeer || ae.Cause != chunk.CauseUserAbort || string(ae.Info) != "no\x1b more" {
					t.Errorf("%+v", ae)
				}
				if s := err.Error(); !bytes.Contains([]byte(s), []byte("no. more")) {
					t.Error(s)
				}
			case errors.Is(err, net.ErrClosed):
				closed++
			default:
				t.Error(err)
			}
		}
		if reset != 2 || closed != 2 {
			t.Errorf("%d reset, %d closed", reset, closed)
		}
		_, err := z.Write(p)
		wantErr(t, err, syscall.ECONNRESET)
		_, err = a.Write(p)
		wantErr(t, err, net.ErrClosed)
		wantErr(t, a.Abort(""), net.ErrClosed)
		wantErr(t, a.CloseWait(context.Background()), syscall.ECONNABORTED)
		wantErr(t, z.CloseWait(context.Background()), syscall.ECONNRESET)
	})
}

// What has arrived before an ABORT can still be read.
func TestReadBeforeAbort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := pair(t, nil)
		send(t, a, 0, "one")
		send(t, a, 0, "two")
		synctest.Wait()
		a.Abort("")
		want(t, z, "one")
		want(t, z, "two")
		_, err := z.Read(make([]byte, 1))
		wantErr(t, err, syscall.ECONNRESET)
	})
}

// A message that was read in part, and whose rest does not come, does not end
// as if it were whole.
func TestMessageCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := pair2(t, nil, &socketapi.Config{RecvBuffer: 8192})
		go a.Write(make([]byte, 100000))
		p := make([]byte, 100000)
		n, info, err := z.RecvMsg(p)
		if n == 0 || info.EOR || err != nil {
			t.Fatal(n, info, err)
		}
		synctest.Wait()
		a.Abort("")
		synctest.Wait()
		for {
			if _, info, err = z.RecvMsg(p); err != nil {
				break
			}
			if info.EOR {
				t.Fatal("the message has an end")
			}
		}
		wantErr(t, err, socketapi.ErrMessageCut)
		_, err = z.Read(p)
		wantErr(t, err, syscall.ECONNRESET)
	})
}

func TestBadMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := pair(t, &socketapi.Config{SendBuffer: 5000})
		_, err := a.Write(make([]byte, 5001))
		wantErr(t, err, syscall.EMSGSIZE)
		_, err = a.SendMsg(socketapi.SendInfo{}, nil)
		wantErr(t, err, syscall.EINVAL)
		_, err = a.SendMsg(socketapi.SendInfo{Stream: 10}, []byte("x"))
		wantErr(t, err, syscall.EINVAL)
		if n, err := a.Write(nil); n != 0 || err != nil {
			t.Error(n, err)
		}
		if n, err := a.Write(make([]byte, 5000)); n != 5000 || err != nil {
			t.Error(n, err)
		}
		if n, err := z.Read(make([]byte, 6000)); n != 5000 || err != nil {
			t.Error(n, err)
		}
	})
}

func TestNotifications(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := pair(t, nil)
		var got []string
		z.OnNotification(func(n socketapi.Notification) {
			got = append(got, fmt.Sprint(n.Kind, " ", n.Change))
			z.Status() // a callback may use the Conn
		})
		send(t, a, 0, "x")
		want(t, z, "x")
		if len(got) != 1 || got[0] != "association change COMM_UP" {
			t.Error(got)
		}
		got = nil
		send(t, a, 0, "y")
		a.Close()
		want(t, z, "y")
		if len(got) != 0 {
			t.Errorf("%v came before its turn", got)
		}
		if _, err := z.Read(make([]byte, 1)); err != io.EOF {
			t.Fatal(err)
		}
		// Reading at the end gives what notifications are left.
		<-time.After(time.Second)
		if _, err := z.Read(make([]byte, 1)); err != io.EOF {
			t.Fatal(err)
		}
		if len(got) != 2 || got[0] != "shutdown COMM_UP" || got[1] != "association change SHUTDOWN_COMP" {
			t.Error(got)
		}
	})
}

func TestAddrsAndStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := pair(t, nil)
		local := a.LocalAddr().(*socketapi.Addr)
		if local.String() != fmt.Sprintf("10.0.0.1:%d", local.Port) || local.Port < 49152 || a.RemoteAddr().String() != "10.0.0.2:5000" {
			t.Error(local, a.RemoteAddr())
		}
		if z.LocalAddr().String() != "10.0.0.2:5000" || z.RemoteAddr().String() != local.String() {
			t.Error(z.LocalAddr(), z.RemoteAddr())
		}
		send(t, a, 0, "x")
		synctest.Wait()
		s, r := a.Status(), z.Status()
		if s.State != socketapi.Established || len(s.Paths) != 1 || s.Paths[0].State != "active" ||
			s.Paths[0].PMTU != 1500 || s.Paths[0].Chunks != 1 || s.Remote.String() != "10.0.0.2:5000" {
			t.Errorf("%+v", s)
		}
		if r.Held == 0 || r.InPackets == 0 {
			t.Errorf("%+v", r)
		}
		want(t, z, "x")
		if r = z.Status(); r.Held != 0 {
			// The last bytes read are reported before the next wait.
			z.SetReadDeadline(time.Now().Add(time.Second))
			z.Read(make([]byte, 1))
			if r = z.Status(); r.Held != 0 {
				t.Errorf("%d bytes held", r.Held)
			}
		}
		a.Close()
		<-time.After(time.Second)
		if s = a.Status(); s.State != socketapi.Closed {
			t.Errorf("%+v", s)
		}
	})
}

// TestBlockedSenderPassesOn: of two senders that wait for room the first finds
// that its stream does not exist; the room is the second one's.
func TestBlockedSenderPassesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := pair(t, &socketapi.Config{SendBuffer: 10000, RecvBuffer: 10000, OutStreams: 8})
		p := make([]byte, 3000)
		sent := 0
		for {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := a.SendMsgContext(ctx, socketapi.SendInfo{}, p)
			cancel()
			if err != nil {
				break
			}
			sent++
		}
		bad, good := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := a.SendMsg(socketapi.SendInfo{Stream: 100}, p)
			bad <- err
		}()
		synctest.Wait()
		go func() {
			_, err := a.SendMsg(socketapi.SendInfo{Stream: 1}, p)
			good <- err
		}()
		synctest.Wait()
		for range sent {
			if _, _, err := z.RecvMsg(p); err != nil {
				t.Fatal(err)
			}
		}
		wantErr(t, <-bad, syscall.EINVAL)
		select {
		case err := <-good:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Error("a sender waits although there is room")
		}
		a.Abort("")
	})
}

// TestCloseGivesAllBack: what waits in the stack when a reader closes does not
// stay in the window, which the peer may need to finish.
func TestCloseGivesAllBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z, _ := pair(t, nil)
		send(t, a, 0, "read")
		want(t, z, "read")
		for range 3 {
			send(t, a, 0, string(make([]byte, 1000)))
			synctest.Wait()
		}
		if z.Close(); z.Status().Held != 0 {
			t.Errorf("%d bytes are still held", z.Status().Held)
		}
	})
}
