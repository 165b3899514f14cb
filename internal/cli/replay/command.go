// Package replay is `sctp replay`: it steps through a recording, says why each
// packet was sent, and draws the exchange.
package replay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gosctp/gosctp/internal/cli/outcome"
	"github.com/gosctp/gosctp/internal/record"
	"github.com/gosctp/gosctp/internal/replay"
	"github.com/gosctp/gosctp/internal/trace"
	"github.com/spf13/cobra"
)

type options struct {
	why     int
	assoc   uint32
	from    int
	to      int
	diagram string
	max     int
}

// Command returns `sctp replay`.
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "replay FILE",
		Short: "Step through a recording: each step, each packet, and why",
		Long: `Plays a recording, which --record of the other commands has made, or a dump of an
association's last steps. It steps through it: each event, what the state
machine knew and decided, what that changed, and each packet that was sent, with
the reason for each of its chunks.

A recording is not read, but done again: this program's own stack gets the same
input, and each packet that it sends is compared with the one that was sent. A
difference is reported with its step. Of a dump each step is decided again.

The exit status is 0 if everything was as recorded, also in a file that ends
early; 1 if something differs, the file is damaged, or it has no such step or
association; and 2 if the file or the flags cannot be used.`,
		Example: `  sctp listen 127.0.0.1:5000 --record server.sctplog
  sctp replay server.sctplog
  sctp replay server.sctplog --why 12
  sctp replay server.sctplog --diagram | less
  sctp replay server.sctplog --diagram=exchange.html`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return outcome.Usage("which recording? Name one file")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(cmd.Flags().Changed); err != nil {
				return err
			}
			o.max = 2000
			return run(cmd.Context(), args[0], o, cmd.OutOrStdout())
		},
	}
	fs := cmd.Flags()
	fs.IntVar(&o.why, "why", 0, "say all that is known of this `step` only")
	fs.Uint32Var(&o.assoc, "assoc", 0, "show the steps of the association with this `id` only")
	fs.IntVar(&o.from, "from", 1, "the first `step` to show")
	fs.IntVar(&o.to, "to", 0, "the last `step` to show; 0 for all")
	fs.StringVar(&o.diagram, "diagram", "", "draw a ladder: as text, or into a `file` that ends in .svg, .html or .txt (--diagram=FILE)")
	fs.Lookup("diagram").NoOptDefVal = "-"
	return cmd
}

// check finds flags that mean nothing; given tells which ones there are.
func (o *options) check(given func(string) bool) error {
	switch {
	case given("why") && given("diagram"):
		return outcome.Usage("--why shows one step and --diagram draws them all: choose one")
	case given("why") && (given("from") || given("to")):
		return outcome.Usage("--why shows one step, --from and --to choose several: choose one way")
	case given("why") && o.why < 1:
		return outcome.Usage("--why=%d: steps are numbered from 1", o.why)
	case o.from < 1:
		return outcome.Usage("--from=%d: steps are numbered from 1", o.from)
	case o.to < 0:
		return outcome.Usage("--to=%d: steps are numbered from 1; 0 is for all", o.to)
	case o.to > 0 && o.from > o.to:
		return outcome.Usage("--from=%d is behind --to=%d", o.from, o.to)
	case given("assoc") && o.assoc == 0:
		return outcome.Usage("--assoc=0: no association has this id")
	case given("diagram"):
		switch strings.ToLower(filepath.Ext(o.diagram)) {
		case ".svg", ".html", ".htm", ".txt":
		default:
			if o.diagram != "-" {
				return outcome.Usage("--diagram=%s: a name that ends in .svg, .html or .txt is needed", o.diagram)
			}
		}
	}
	return nil
}

// show takes the steps of a recording.
type show struct {
	o      options
	w      *bufio.Writer
	ladder *replay.Ladder
	steps  int
	assocs []uint32 // that have steps
	other  uint32   // the association of step --why, if it is not that of --assoc
	shown  int
	cut    bool
	err    error
}

func (s *show) step(st *replay.Step) {
	s.steps++
	if st.Assoc != 0 && !slices.Contains(s.assocs, st.Assoc) {
		s.assocs = append(s.assocs, st.Assoc)
	}
	if st.N == s.o.why && st.Assoc != s.o.assoc {
		s.other = st.Assoc
	}
	switch {
	case s.err != nil, st.N < s.o.from, s.o.to > 0 && st.N > s.o.to, s.o.assoc != 0 && st.Assoc != s.o.assoc && st.Assoc != 0:
		return
	case s.o.assoc != 0 && st.Assoc == 0 && s.ladder == nil:
		return
	}
	switch {
	case s.o.why > 0:
		if st.N == s.o.why {
			s.shown++
			s.err = replay.WriteWhy(s.w, st)
		}
	case s.ladder != nil:
		s.cut = s.cut || s.ladder.Full()
		s.ladder.Add(st)
		s.shown++
	default:
		s.shown++
		s.err = replay.WriteStep(s.w, st)
	}
}

func run(ctx context.Context, path string, o options, out io.Writer) error {
	f, err := record.Open(path)
	if err != nil {
		return &outcome.UsageError{Err: err}
	}
	s := &show{o: o, w: bufio.NewWriter(out)}
	if o.diagram != "" {
		s.ladder = replay.NewLadder(filepath.Base(path), o.max)
		s.ladder.Subtitle = about(f)
	} else if o.why == 0 {
		fmt.Fprintf(s.w, "%s\n\n", about(f))
	}
	verdict, same, err := s.play(ctx, f)
	if err != nil {
		return err
	}
	if s.err != nil {
		return s.err
	}
	missed := s.missed()
	if missed != nil {
		s.ladder = nil // nothing to be drawn
	}
	if missed == nil && o.why == 0 || !same {
		if err := s.finish(verdict); err != nil {
			return err
		}
	}
	if missed == nil || !same {
		if err := s.w.Flush(); err != nil {
			return err
		}
	}
	switch {
	case missed != nil:
		return missed
	case !same:
		return outcome.ErrReported
	}
	return nil
}

// missed says which of the steps that were asked for there are not.
func (s *show) missed() error {
	o := &s.o
	switch {
	case o.assoc != 0 && !slices.Contains(s.assocs, o.assoc):
		has := "none"
		if len(s.assocs) > 0 {
			has = strings.Trim(fmt.Sprint(s.assocs[:min(len(s.assocs), 20)]), "[]")
		}
		if len(s.assocs) > 20 {
			has += " and more"
		}
		return fmt.Errorf("there is no association %d; those in the recording: %s", o.assoc, has)
	case s.shown > 0:
	case o.why > s.steps, o.from > 1 && o.from > s.steps:
		return fmt.Errorf("there is no step %d: the recording has %d", max(o.why, o.from), s.steps)
	case o.why > 0 && s.other != 0:
		return fmt.Errorf("step %d is of association %d, not %d", o.why, s.other, o.assoc)
	case o.why > 0:
		return fmt.Errorf("step %d is of no association, not of %d", o.why, o.assoc)
	case o.assoc != 0:
		return fmt.Errorf("association %d has no step there", o.assoc)
	}
	return nil
}

// finish writes the verdict, and the diagram.
func (s *show) finish(verdict []string) error {
	if s.ladder == nil {
		for _, v := range verdict {
			fmt.Fprintf(s.w, "\n%s\n", v)
		}
		return nil
	}
	if s.cut {
		verdict = append(verdict, fmt.Sprintf("The diagram ends after %d packets and changes; --from and --to choose others.", s.o.max))
	}
	s.ladder.Foot = verdict
	draw := s.ladder.WriteText
	switch ext := strings.ToLower(filepath.Ext(s.o.diagram)); {
	case s.o.diagram == "-":
		return draw(s.w)
	case ext == ".svg":
		draw = s.ladder.WriteSVG
	case ext == ".html", ext == ".htm":
		draw = s.ladder.WriteHTML
	}
	file, err := os.Create(s.o.diagram)
	if err != nil {
		return err
	}
	if err := errors.Join(draw(file), file.Close()); err != nil {
		return err
	}
	for _, v := range append(verdict, "The diagram is in "+s.o.diagram+".") {
		fmt.Fprintln(s.w, v)
	}
	return nil
}

// play plays all that the file holds, and says how it went; same tells whether
// everything was as recorded.
func (s *show) play(ctx context.Context, f *record.File) (verdict []string, same bool, err error) {
	same = true
	say := func(format string, args ...any) { verdict = append(verdict, fmt.Sprintf(format, args...)) }
	for _, d := range f.Dumps {
		if d.Panic != "" {
			say("The association was aborted by a panic: %s", strings.TrimSpace(d.Panic))
		}
		differ, err := replay.TellDump(d, s.step)
		switch {
		case err != nil:
			same = false
			say("%v", err)
		case differ > 0:
			same = false
			say("Of the last steps of association %d, %d are decided otherwise by this program.", d.ID, differ)
		default:
			say("The last %d steps of association %d: each is decided the same by this program.", s.steps, d.ID)
		}
	}
	if f.HasLog() {
		p := f.Player(&replay.Teller{Tell: s.step})
		for {
			if ctx.Err() != nil {
				return nil, false, outcome.ErrInterrupted
			}
			more, err := p.Next()
			var d *record.Difference
			switch {
			case errors.As(err, &d):
				same = false
				say("DIFFERENCE at step %d, %v.", s.steps, d)
				if d.Got != nil {
					say("Recorded: %s\n     Now: %s\n%s", trace.Packet(d.Want), trace.Packet(d.Got), apart(d.Want, d.Got))
				}
			case err != nil:
				same = false
				say("It cannot be played on: %v", err)
			}
			if err != nil || !more {
				break
			}
		}
		how := "all as recorded, byte for byte"
		if !f.Header.Data {
			how += "; user data is zeros, checksums are made to fit"
		}
		if !same {
			how = "up to there as recorded"
		}
		say("%d calls, %d steps, %d packets sent: %s.", p.Calls, s.steps, p.Packets, how)
		if p.Note != "" {
			say("At the end %s.", p.Note)
		}
		if len(p.Odd) > 0 {
			say("Parameters that could not be taken over: %s.", strings.Join(p.Odd, ", "))
		}
	}
	if f.Stopped != "" {
		say("Recording stopped early: %s.", f.Stopped)
	}
	switch {
	case f.Cut:
		say("The file ends early: %s.", f.Damage)
	case f.Damage != "":
		same = false
		say("The file is damaged %s. What is before it was played.", f.Damage)
	}
	return verdict, same, nil
}

// apart says where two packets differ.
func apart(want, got []byte) string {
	n := min(len(want), len(got))
	for i := range n {
		if want[i] != got[i] {
			return fmt.Sprintf("They differ from byte %d on: %02x then, %02x now.", i, want[i], got[i])
		}
	}
	return fmt.Sprintf("%d bytes then, %d now.", len(want), len(got))
}

// about says what was recorded.
func about(f *record.File) string {
	h := &f.Header
	var parts []string
	if h.Program != "" {
		parts = append(parts, h.Program)
	}
	if h.Host != "" {
		parts = append(parts, "host "+h.Host)
	}
	if !h.Wall.IsZero() {
		parts = append(parts, h.Wall.Format("2006-01-02 15:04:05 MST"))
	}
	if h.Build != "" {
		parts = append(parts, "gosctp "+h.Build)
	}
	if f.HasLog() {
		if h.Data {
			parts = append(parts, "with user data")
		} else {
			parts = append(parts, "without user data")
		}
	}
	return "Recording: " + strings.Join(parts, ", ")
}
