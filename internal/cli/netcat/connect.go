package netcat

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gosctp/gosctp/internal/cli/outcome"
	"github.com/gosctp/gosctp/socketapi"
	"github.com/spf13/cobra"
)

// Connect returns the sub-command `sctp connect`.
func Connect() *cobra.Command {
	var o options
	var source string
	var sourcePort uint16
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "connect ADDR[,ADDR...]:PORT",
		Short: "Connect to a peer: standard input to messages, messages to standard output",
		Long: `Sets up an association with the endpoint at the given address. Standard input
becomes messages: a line each on a terminal, else as much as was there to read.
What comes is written to standard output.

At the end of input the association is shut down gracefully: all that was sent
is delivered. SCTP cannot be closed in one direction only, so to get answers to
the last of your messages, give the peer time with --quit-after. If there was no
input at all (</dev/null), the peer decides when to end.

The exit status is 0 if the association ended gracefully, 1 if it could not be
set up or was lost, or the peer ended it before all input was sent, 2 if the
command line is wrong, 130 if interrupted.`,
		Example: `  sctp connect 192.0.2.1:5000
  sctp connect [2001:db8::1]:5000 < file
  sctp connect 192.0.2.1,198.51.100.1:38412 --ppid ngap --stream 1
  echo hello | sctp connect --udp-encap localhost:5000 --quit-after 1s`,
		Args: oneArg("an address such as 192.0.2.1:5000"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			if wait < 0 {
				return outcome.Usage("--wait is negative")
			}
			ctx := cmd.Context()
			cfg := o.config()
			cfg.LocalAddr = &socketapi.Addr{Port: sourcePort}
			if source != "" {
				a, err := socketapi.ParseAddr(fmt.Sprintf("%s:%d", source, sourcePort))
				if err != nil {
					return outcome.Usage("--source: %v", err)
				}
				cfg.LocalAddr = a
			}
			dialCtx, cancel := context.WithCancel(ctx)
			if wait > 0 {
				dialCtx, cancel = context.WithTimeout(ctx, wait)
			}
			defer cancel()
			remote, err := socketapi.ResolveAddr(dialCtx, args[0])
			if err != nil {
				return usageIfAddr(err)
			}
			if len(remote.IPs) == 0 {
				return outcome.Usage("%q does not say which host to connect to", args[0])
			}
			if remote.Port == 0 {
				return outcome.Usage("%q does not say which port to connect to", args[0])
			}
			h, err := o.net.Host(false, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer h.Close()
			conn, err := h.DialAddr(dialCtx, remote, cfg)
			if err != nil {
				if ctx.Err() != nil {
					return outcome.ErrInterrupted
				}
				return err
			}
			if o.net.Verbose {
				fmt.Fprintf(cmd.ErrOrStderr(), "connected: %s\n", describe(h, conn))
			}
			s := &session{o: &o, conn: conn, out: cmd.OutOrStdout()}
			if o.net.Verbose {
				s.log = &lockedWriter{w: cmd.ErrOrStderr()}
			}
			if o.sendOnly {
				s.out = nil
			}
			err = s.run(ctx, o.input(cmd.InOrStdin()))
			if o.net.Verbose && err == nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "shut down gracefully, %d bytes received\n", s.bytes)
			}
			return err
		},
	}
	fs := cmd.Flags()
	o.add(fs, false)
	fs.StringVarP(&source, "source", "s", "", "connect from these local `addresses`, separated by commas (default: all)")
	fs.Uint16VarP(&sourcePort, "source-port", "p", 0, "connect from that local port (default: any free one)")
	fs.DurationVarP(&wait, "wait", "w", 0, "give up if the association is not up after so long (default: after the retransmissions of RFC 9260)")
	completePPID(cmd)
	return cmd
}

func oneArg(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return outcome.Usage("%s is missing", what)
		case len(args) > 1:
			return outcome.Usage("too many arguments: %q; several addresses of one host are separated by commas", args)
		}
		return nil
	}
}

// usageIfAddr makes a malformed address an error of usage.
func usageIfAddr(err error) error {
	var a *socketapi.AddrError
	if errors.As(err, &a) {
		return &outcome.UsageError{Err: err}
	}
	return err
}
