// Package scripts is `sctp script`: it plays conversation scripts.
package scripts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/gosctp/gosctp/internal/cli/outcome"
	"github.com/gosctp/gosctp/internal/script"
	"github.com/spf13/cobra"
)

// Command returns `sctp script`.
func Command() *cobra.Command {
	var trace bool
	c := &cobra.Command{
		Use:   "script FILE...",
		Short: "play conversation scripts against the stack, in virtual time",
		Long: `Play conversation scripts: each is the peer of a stack of its own, sends it
packets, and expects certain packets and notifications at certain times. Nothing
touches the network, and time is virtual. FILE may be - for standard input.

docs/SCRIPTS.md describes the language; conformance/ has more than a hundred
scripts to start from.

The exit status is 0 if all scripts held, 1 if one did not, and 2 if a file
cannot be read or understood.`,
		Example: `  sctp script conformance/etsi/*.script
  sctp script --trace mine.script`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return outcome.Usage("which script? Name one or more files")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return play(cmd.Context(), args, trace, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	c.Flags().BoolVar(&trace, "trace", false, "print each packet, and each step of the stack")
	return c
}

// checked keeps the first error of writing to w.
type checked struct {
	w   io.Writer
	err error
}

// Write writes, or does nothing after an error.
func (c *checked) Write(b []byte) (n int, err error) {
	if c.err == nil {
		n, c.err = c.w.Write(b)
	}
	return n, c.err
}

// play plays files, all of them even if one fails, but not on if out fails.
func play(ctx context.Context, files []string, trace bool, in io.Reader, w io.Writer) error {
	out := &checked{w: w}
	var all []*script.Script
	var bad []error
	for _, f := range files {
		text, name, err := read(f, in)
		if err == nil {
			var s *script.Script
			if s, err = script.Parse(name, text); err == nil {
				all = append(all, s)
				continue
			}
		}
		bad = append(bad, err)
	}
	if len(bad) > 0 {
		return &outcome.UsageError{Err: errors.Join(bad...)}
	}
	failed := 0
	for _, s := range all {
		switch {
		case ctx.Err() != nil:
			return outcome.ErrInterrupted
		case out.err != nil:
			return out.err
		}
		var o script.Options
		if trace {
			fmt.Fprintf(out, "%s\n", s.File)
			o.Trace = out
		}
		res, err := s.Run(o)
		if err != nil {
			failed++
			fmt.Fprintf(out, "FAIL  %v\n", err)
			continue
		}
		fmt.Fprintf(out, "ok    %s: %d statements, %d packets, %v\n", s.File, res.Statements, res.Packets, res.Time.Round(time.Millisecond))
	}
	if len(all) > 1 {
		fmt.Fprintf(out, "%d of %d scripts held\n", len(all)-failed, len(all))
	}
	switch {
	case out.err != nil:
		return out.err
	case failed > 0:
		return outcome.ErrReported
	}
	return nil
}

func read(file string, in io.Reader) (text []byte, name string, err error) {
	if file == "-" {
		text, err = io.ReadAll(in)
		return text, "standard input", err
	}
	text, err = os.ReadFile(file)
	return text, file, err
}
