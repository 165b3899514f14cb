package netcat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/gosctp/gosctp/internal/cli/outcome"
	"github.com/gosctp/gosctp/socketapi"
	"github.com/spf13/cobra"
)

// Listen returns the sub-command `sctp listen`.
func Listen() *cobra.Command {
	var o options
	var echo, discard, keep bool
	cmd := &cobra.Command{
		Use:   "listen [ADDR[,ADDR...]]:PORT",
		Short: "Wait for a peer: messages to standard output, standard input to messages",
		Long: `Waits for an association at the given port, and addresses if there are any.
Messages are written to standard output, and standard input becomes messages. It
ends with the association; --keep-open takes more than one, also at the same
time, and sends standard input to all of them.

At the end of input the association is shut down gracefully, which ends what the
peer sends too: --quit-after waits for that. If there was no input at all
(</dev/null), the peer decides when to end.

The exit status is 0 if the association ended gracefully, 1 if it was lost, the
peer ended it before all input was sent, or the port cannot be had, 2 if the
command line is wrong, 130 if interrupted.`,
		Example: `  sctp listen :5000
  sctp listen 192.0.2.1,198.51.100.1:5000 > file
  sctp listen :7 --echo --keep-open
  sctp listen --udp-encap :5000`,
		Args: oneArg("a port such as :5000"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case echo && discard:
				return outcome.Usage("--echo and --discard exclude each other")
			case (echo || discard) && (o.sendOnly || o.recvOnly):
				return outcome.Usage("--echo and --discard leave nothing for --send-only and --recv-only to do")
			}
			if err := o.validate(); err != nil {
				return err
			}
			if _, err := strconv.ParseUint(args[0], 10, 16); err == nil {
				args[0] = ":" + args[0] // a port alone
			}
			local, err := socketapi.ResolveAddr(cmd.Context(), args[0])
			if err != nil {
				return usageIfAddr(err)
			}
			h, err := o.net.Host(true, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer h.Close()
			l, err := h.ListenAddr(local, o.config())
			if err != nil {
				return err
			}
			defer l.Close()
			if o.net.Verbose || local.Port == 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "listening at %v over %s (%s)\n", l.Addr(), h.Transport(), h.Why())
			}
			s := &server{o: &o, host: h, echo: echo, log: &lockedWriter{w: cmd.ErrOrStderr()}}
			if !echo && !discard && !o.sendOnly {
				s.out = &lockedWriter{w: cmd.OutOrStdout()}
			}
			in := o.input(cmd.InOrStdin())
			if echo || discard {
				in = nil
			}
			if keep {
				return s.serve(cmd.Context(), l, in)
			}
			return s.one(cmd.Context(), l, in)
		},
	}
	fs := cmd.Flags()
	o.add(fs, true)
	fs.BoolVar(&echo, "echo", false, "send each message back, on its stream and with its payload protocol identifier")
	fs.BoolVar(&discard, "discard", false, "drop what comes")
	fs.BoolVarP(&keep, "keep-open", "k", false, "take more than one association, also at the same time")
	completePPID(cmd)
	return cmd
}

// server takes associations.
type server struct {
	o    *options
	host *socketapi.Host
	out  io.Writer // nil: messages are not written
	echo bool
	log  io.Writer

	mu    sync.Mutex
	conns map[*socketapi.Conn]struct{} // with --keep-open
}

func (s *server) session(c *socketapi.Conn) *session {
	ses := &session{o: s.o, conn: c, out: s.out, echo: s.echo}
	if s.o.net.Verbose {
		ses.log = s.log
	}
	return ses
}

// one takes one association; further peers are refused meanwhile.
func (s *server) one(ctx context.Context, l *socketapi.Listener, in io.Reader) error {
	c, err := l.AcceptSCTP(ctx)
	if err != nil {
		return err
	}
	l.Close()
	s.say("connected: %s", describe(s.host, c))
	ses := s.session(c)
	if err := ses.run(ctx, in); err != nil {
		return err
	}
	s.say("shut down gracefully, %d bytes received", ses.bytes)
	return nil
}

// serve takes associations until ctx ends. One that fails does not disturb the
// others.
func (s *server) serve(ctx context.Context, l *socketapi.Listener, in io.Reader) error {
	s.conns = map[*socketapi.Conn]struct{}{}
	var wg sync.WaitGroup
	defer wg.Wait()
	var reading sync.Once
	for {
		c, err := l.AcceptSCTP(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return outcome.ErrInterrupted
			}
			return err
		}
		s.mu.Lock()
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		if in != nil {
			reading.Do(func() { go s.broadcast(in) })
		}
		wg.Go(func() {
			remote := c.RemoteAddr()
			s.say("connected: %s", describe(s.host, c))
			err := s.session(c).run(ctx, nil)
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
			switch {
			case err == nil:
				s.say("%v shut down gracefully", remote)
			case !errors.Is(err, outcome.ErrInterrupted):
				fmt.Fprintf(s.log, "%v: %s\n", remote, strings.TrimSpace(err.Error()))
			}
		})
	}
}

// broadcast sends standard input to all associations there are. One that takes
// nothing holds up the others.
func (s *server) broadcast(in io.Reader) {
	src := s.o.source(in)
	info := s.o.sendInfo()
	var to []*socketapi.Conn
	for {
		p, err := src.next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				fmt.Fprintf(s.log, "read standard input: %v\n", err)
			}
			return
		}
		to = to[:0]
		s.mu.Lock()
		for c := range s.conns {
			to = append(to, c)
		}
		s.mu.Unlock()
		for _, c := range to {
			c.SendMsg(info, p) // its receiver notices what is wrong
		}
	}
}

func (s *server) say(format string, args ...any) {
	if s.o.net.Verbose {
		fmt.Fprintf(s.log, format+"\n", args...)
	}
}
