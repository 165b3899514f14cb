package netcat

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gosctp/gosctp/internal/cli/outcome"
	"github.com/gosctp/gosctp/socketapi"
)

// source reads standard input as messages.
type source struct {
	o    *options
	in   io.Reader
	scan *bufio.Reader
	buf  []byte
	read int64
}

func (o *options) source(in io.Reader) *source {
	s := &source{o: o, in: in, buf: make([]byte, o.size)}
	if o.lines {
		s.scan = bufio.NewReaderSize(in, max(4096, int(o.size)))
	}
	return s
}

// next returns a message, valid until it is called again: what one read gave,
// or a line. A line that is too long becomes several messages.
func (s *source) next() ([]byte, error) {
	for {
		if s.scan == nil {
			n, err := s.in.Read(s.buf)
			s.read += int64(n)
			if n > 0 {
				return s.buf[:n], nil
			}
			if err != nil {
				return nil, err
			}
			continue
		}
		n := 0
		for n < len(s.buf) {
			c, err := s.scan.ReadByte()
			if err != nil {
				if n > 0 {
					break
				}
				return nil, err
			}
			s.buf[n] = c
			n++
			if c == '\n' {
				break
			}
		}
		s.read += int64(n)
		return s.buf[:n], nil
	}
}

// errNotAllSent is the end of an association that was graceful, and yet too
// early for this side.
var errNotAllSent = errors.New("the peer shut the association down before all of standard input was sent")

// session is an association and what is done with its messages.
type session struct {
	o        *options
	conn     *socketapi.Conn
	out      io.Writer // nil: what comes is dropped
	echo     bool
	log      io.Writer    // --verbose: what happens to the association
	received atomic.Int64 // messages or pieces of messages
	bytes    int64
}

// tell writes down what happens to the association.
func (s *session) tell(n socketapi.Notification) {
	switch {
	case n.Kind == socketapi.AssocChanged && n.Change == socketapi.Restarted:
		fmt.Fprintf(s.log, "%v has restarted\n", s.conn.RemoteAddr())
	case n.Kind == socketapi.PathChanged:
		what := map[socketapi.PathEvent]string{
			socketapi.PathAvailable: "works again", socketapi.PathUnreachable: "does not answer", socketapi.PathConfirmed: "is confirmed",
		}[n.Path]
		fmt.Fprintf(s.log, "%v %s\n", n.Addr, what)
	}
}

// receive handles messages until the association ends; nil is a graceful end.
func (s *session) receive() error {
	buf := make([]byte, 64<<10)
	have := 0
	for {
		n, info, err := s.conn.RecvMsg(buf[have:])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		s.received.Add(1)
		s.bytes += int64(n)
		if !s.echo {
			if s.out != nil {
				if _, err := s.out.Write(buf[:n]); err != nil {
					return fmt.Errorf("write to standard output: %w", err)
				}
			}
			continue
		}
		// An echo is a whole message.
		have += n
		if !info.EOR {
			if have < len(buf) {
				continue
			}
			if have >= maxMessage {
				return fmt.Errorf("a message on stream %d has more than %d bytes, too many to echo", info.Stream, maxMessage)
			}
			buf = append(buf, make([]byte, len(buf))...)
			continue
		}
		back := socketapi.SendInfo{Stream: info.Stream, PPID: info.PPID, Unordered: info.Unordered}
		if int(info.Stream) >= int(s.conn.Status().OutStreams) {
			back.Stream = 0
		}
		if _, err := s.conn.SendMsg(back, buf[:have]); err != nil {
			if errors.Is(err, socketapi.ErrShutdown) {
				have = 0
				continue // the peer is leaving: it does not want the rest
			}
			return err
		}
		have = 0
	}
}

// send makes messages of standard input until it ends; then it shuts the
// association down if anything was sent, or nothing can come.
func (s *session) send(ctx context.Context, in io.Reader) error {
	src := s.o.source(in)
	info := s.o.sendInfo()
	for {
		p, err := src.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read standard input: %w", err)
		}
		if _, err := s.conn.SendMsg(info, p); errors.Is(err, syscall.EPIPE) {
			return errNotAllSent
		} else if err != nil {
			return err
		}
	}
	if src.read == 0 && !s.o.sendOnly {
		return nil // </dev/null: the peer decides about the end
	}
	if err := s.untilQuiet(ctx); err != nil {
		return err
	}
	return s.conn.CloseWrite()
}

// untilQuiet waits until nothing has come for the time of --quit-after.
func (s *session) untilQuiet(ctx context.Context) error {
	if s.o.quitAfter == 0 {
		return nil
	}
	t := time.NewTicker(s.o.quitAfter)
	defer t.Stop()
	for last := s.received.Load(); ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
		now := s.received.Load()
		if now == last {
			return nil
		}
		last = now
	}
}

// run lives through the association. in may be nil.
func (s *session) run(ctx context.Context, in io.Reader) error {
	if s.log != nil {
		s.conn.OnNotification(s.tell)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { s.conn.Abort("the user ended the program") })
	defer stop()
	sending := make(chan error, 1)
	if in != nil {
		// Left behind if it blocks in a read when the association ends.
		go func() { sending <- s.send(ctx, in) }()
	}
	receiving := make(chan error, 1)
	go func() { receiving <- s.receive() }()
	var err, cut error
	for waiting := true; waiting; {
		select {
		case err = <-receiving:
			waiting = false
		case serr := <-sending:
			if errors.Is(serr, errNotAllSent) {
				cut = serr // what the peer has sent may still come
			} else if serr != nil && !errors.Is(serr, socketapi.ErrShutdown) && !errors.Is(serr, net.ErrClosed) {
				err, waiting = serr, false
				s.conn.Abort("")
				<-receiving
			}
			sending = nil
		}
	}
	if ctx.Err() != nil {
		return outcome.ErrInterrupted
	}
	if err != nil {
		s.conn.Abort("")
		return err
	}
	stop()
	if sending != nil {
		// A file has more to read at once; a terminal may have nothing, and
		// nothing is then lost.
		select {
		case serr := <-sending:
			if errors.Is(serr, errNotAllSent) {
				cut = serr
			}
		case <-time.After(50 * time.Millisecond):
		}
	}
	if err := s.conn.CloseWait(ctx); err != nil && ctx.Err() != nil {
		s.conn.Abort("the user ended the program")
		return outcome.ErrInterrupted
	} else if err != nil {
		return err
	}
	return cut
}

// lockedWriter lets several associations write to one output.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// describe tells what an association looks like.
func describe(h *socketapi.Host, c *socketapi.Conn) string {
	s := c.Status()
	return fmt.Sprintf("%v to %v over %s (%s), %d streams out, %d in",
		&s.Local, &s.Remote, h.Transport(), h.Why(), s.OutStreams, s.InStreams)
}
