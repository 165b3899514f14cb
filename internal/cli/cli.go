// Package cli is the command line of `sctp`: the root command, and what all
// sub-commands have in common.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/gosctp/gosctp/internal/cli/check"
	"github.com/gosctp/gosctp/internal/cli/demo"
	"github.com/gosctp/gosctp/internal/cli/netcat"
	"github.com/gosctp/gosctp/internal/cli/outcome"
	"github.com/gosctp/gosctp/internal/cli/perf"
	"github.com/gosctp/gosctp/internal/cli/replay"
	"github.com/gosctp/gosctp/internal/cli/scripts"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Streams are what a command reads from and writes to.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Run runs the command line args, the first of which is the program's name,
// and returns the exit status.
func Run(ctx context.Context, args []string, s Streams) int {
	started := false
	root := newRoot(&started)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	root.SetArgs(arguments(args))
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return outcome.OK
	}
	if !started {
		// Nothing has run: the command line is at fault.
		err = &outcome.UsageError{Err: plain(err)}
	}
	code := outcome.Code(err)
	switch {
	case errors.Is(err, outcome.ErrReported):
	case code == outcome.Interrupted:
		fmt.Fprintln(s.Err, "interrupted")
	default:
		fmt.Fprintf(s.Err, "%s: %v\n", cmd.CommandPath(), err)
		if code == outcome.Misused {
			fmt.Fprintf(s.Err, "`%s --help` says how to use it.\n", cmd.CommandPath())
		} else if a := outcome.Advice(err); a != "" {
			fmt.Fprintln(s.Err, a)
		}
	}
	return code
}

// plain is err without the name of the function that could not read a number.
func plain(err error) error {
	var flag *pflag.InvalidValueError
	var num *strconv.NumError
	if errors.As(err, &flag) && errors.As(err, &num) {
		return fmt.Errorf("--%s %s: %w", flag.GetFlag().Name, flag.GetValue(), num.Err)
	}
	return err
}

// arguments are what follows the program's name. Under the name sctp-perf-peer
// the program is `sctp perf peer`.
func arguments(args []string) []string {
	if len(args) == 0 {
		return []string{}
	}
	name := strings.TrimSuffix(filepath.Base(args[0]), ".exe")
	if name == "sctp-perf-peer" {
		return append([]string{"perf", "peer"}, args[1:]...)
	}
	return args[1:]
}

func newRoot(started *bool) *cobra.Command {
	root := &cobra.Command{
		Use:   "sctp",
		Short: "SCTP (RFC 9260) in userspace: demo, netcat, performance, checks",
		Long: `SCTP (RFC 9260) in userspace. No kernel module is needed: packets travel
directly over IP if the process may use raw sockets (root, or CAP_NET_RAW), or
encapsulated in UDP (RFC 6951) without any privilege.

Start with "sctp demo", or "sctp check" if that does not work.`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRun: func(*cobra.Command, []string) {
			*started = true
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	root.AddCommand(demo.Command(), netcat.Listen(), netcat.Connect(), perf.Command(), replay.Command(), scripts.Command(), check.Command())
	return root
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
