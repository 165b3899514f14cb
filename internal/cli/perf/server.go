package perf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/gosctp/gosctp/internal/cli/netopts"
	"github.com/gosctp/gosctp/internal/cli/outcome"
	"github.com/gosctp/gosctp/internal/cli/units"
	"github.com/gosctp/gosctp/socketapi"
	"github.com/spf13/cobra"
)

func serverCommand() *cobra.Command {
	var net netopts.Options
	var once, asJSON, nodelay bool
	cmd := &cobra.Command{
		Use:   "server [[ADDR[,ADDR...]]:PORT]",
		Short: "Wait for clients that measure",
		Long: `Waits for "sctp perf client" and does its part of what that measures. Several
clients may come at once, and then share what the machine can do.`,
		Example: `  sctp perf server
  sctp perf server 192.0.2.1:5201 --one-off --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			addr := ":" + strconv.Itoa(defaultPort)
			if len(args) == 1 {
				addr = args[0]
			}
			local, err := socketapi.ResolveAddr(cmd.Context(), addr)
			if err != nil {
				return &outcome.UsageError{Err: err}
			}
			h, err := net.Host(true, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer h.Close()
			l, err := h.ListenAddr(local, &socketapi.Config{PathMTU: net.MTU, NoDelay: nodelay})
			if err != nil {
				return err
			}
			defer l.Close()
			fmt.Fprintf(cmd.ErrOrStderr(), "listening at %v over %s (%s)\n", l.Addr(), h.Transport(), h.Why())
			s := &server{out: cmd.OutOrStdout(), errs: cmd.ErrOrStderr(), json: asJSON}
			return s.serve(cmd.Context(), l, once)
		},
	}
	fs := cmd.Flags()
	net.Add(fs, true)
	fs.BoolVarP(&once, "one-off", "1", false, "end after one association")
	fs.BoolVar(&asJSON, "json", false, "print one JSON object for each association")
	fs.BoolVar(&nodelay, "nodelay", true, "send small answers at once")
	return cmd
}

type server struct {
	out, errs io.Writer
	json      bool
	mu        sync.Mutex // of the outputs
}

// serverReport is what --json prints for an association.
type serverReport struct {
	Peer     string  `json:"peer"`
	Mode     string  `json:"mode"`
	Received *report `json:"received,omitempty"`
	Echoed   int64   `json:"echoed,omitempty"`
	Error    string  `json:"error,omitempty"`
}

func (s *server) serve(ctx context.Context, l *socketapi.Listener, once bool) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := l.AcceptSCTP(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return outcome.ErrInterrupted
			}
			return err
		}
		if once {
			return s.one(ctx, c)
		}
		wg.Go(func() { s.one(ctx, c) })
	}
}

// one lives through an association and reports on it.
func (s *server) one(ctx context.Context, c *socketapi.Conn) error {
	stop := context.AfterFunc(ctx, func() { c.Abort("the server was stopped") })
	defer stop()
	r := serverReport{Peer: c.RemoteAddr().String()}
	err := s.measure(c, &r)
	switch {
	case ctx.Err() != nil:
		err = outcome.ErrInterrupted
	case err != nil:
		c.Abort(err.Error())
	default:
		end, cancel := context.WithTimeout(ctx, 10*time.Second)
		c.CloseWait(end)
		cancel()
	}
	if err != nil {
		r.Error = err.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.json:
		b, jerr := json.Marshal(r)
		if jerr != nil {
			return jerr
		}
		fmt.Fprintf(s.out, "%s\n", b)
	case err != nil:
		fmt.Fprintf(s.errs, "%s: %v\n", r.Peer, err)
		err = errors.Join(outcome.ErrReported, err)
	case r.Received != nil:
		fmt.Fprintf(s.out, "%s: received %s\n", r.Peer, r.Received)
	default:
		fmt.Fprintf(s.out, "%s: %s messages echoed\n", r.Peer, units.Count(r.Echoed))
	}
	return err
}

// String writes a report on one line.
func (r *report) String() string {
	return fmt.Sprintf("%v in %s messages, %s, %s messages, %s", units.Bytes(r.Bytes), units.Count(r.Messages),
		units.Rate(r.BitsPerSecond), units.PerSecond(r.MessagesPerSecond), units.Duration(time.Duration(r.Seconds*1e9)))
}

func (s *server) measure(c *socketapi.Conn, r *serverReport) error {
	var h hello
	if err := hear(c, &h); err != nil {
		return err
	}
	r.Mode = h.Mode
	w := welcome{Server: true, Version: version}
	switch {
	case h.Version != version:
		w.Error = fmt.Sprintf("this server speaks version %d, the client version %d", version, h.Version)
	case h.Mode != modeSend && h.Mode != modeEcho:
		w.Error = fmt.Sprintf("this server cannot %q", h.Mode)
	}
	if err := tell(c, w); err != nil {
		return err
	}
	if w.Error != "" {
		return errors.New(w.Error)
	}
	if h.Mode == modeEcho {
		var err error
		r.Echoed, err = echo(c)
		return err
	}
	var n counter
	want := int64(-1)
	var end finish
	got, err := receive(c, &n, func(info socketapi.RecvInfo, p []byte) (bool, error) {
		if p != nil {
			if err := decode(info, p, &end); err != nil {
				return false, err
			}
			want = end.Messages
		}
		return n.messages.Load() == want, nil
	})
	if err != nil {
		return err
	}
	seen := got.report()
	r.Received = &seen
	if want < 0 {
		return errors.New("the client ended before it said how much it had sent")
	}
	if seen.Messages != want || seen.Bytes != end.Bytes {
		return fmt.Errorf("%d messages with %d bytes came, %d with %d were sent", seen.Messages, seen.Bytes, want, end.Bytes)
	}
	if err := tell(c, seen); err != nil {
		return err
	}
	_, _, err = c.RecvMsg(make([]byte, 1)) // the client ends it
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
