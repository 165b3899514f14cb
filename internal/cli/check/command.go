package check

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/gosctp/gosctp/internal/cli/outcome"
	"github.com/spf13/cobra"
)

// Command returns the sub-command.
func Command() *cobra.Command {
	var asJSON, noTest bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Find out whether and how this host can do SCTP",
		Long: `Finds out which ways there are to do SCTP on this host: directly over IP, which
needs the capability CAP_NET_RAW and a kernel that does not speak SCTP itself,
or encapsulated in UDP (RFC 6951), which needs nothing. It moves a little data
over the loopback interface to be sure, and says what is missing, how to get it,
and what is in the way. It loads no kernel module, and sends nothing out.

The exit status is 0 if some way works.`,
		Example: `  sctp check
  sctp check --json | jq -r .best`,
		Args: outcome.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd, thisHost(!noTest), asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as one JSON object")
	cmd.Flags().BoolVar(&noTest, "no-test", false, "do not move data over the loopback interface")
	return cmd
}

func run(cmd *cobra.Command, h host, asJSON bool) error {
	r := examine(cmd.Context(), h)
	if err := cmd.Context().Err(); err != nil {
		return outcome.ErrInterrupted
	}
	var err error
	if asJSON {
		var b []byte
		if b, err = json.Marshal(r); err == nil {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", b)
		}
	} else {
		err = r.print(cmd.OutOrStdout())
	}
	if err == nil && !r.OK {
		err = outcome.ErrReported
	}
	return err
}

func (r *Report) print(w io.Writer) error {
	var text string
	line := func(name, value string) { text += fmt.Sprintf("  %-18s %s\n", name, value) }
	way := func(name string, v Way) {
		switch {
		case v.OK && v.Tested:
			line(name, "yes, tested over loopback")
		case v.OK:
			line(name, "yes")
		default:
			line(name, "no: "+v.Reason)
			if v.Fix != "" {
				line("", "to have it: "+v.Fix)
			}
		}
	}
	switch r.Best {
	case "rawip":
		text = "SCTP works here, directly over IP.\n\n"
	case "udp":
		text = "SCTP works here, encapsulated in UDP; peers must do the same.\n\n"
	default:
		text = "SCTP does not work here.\n\n"
	}
	way("raw IPv4", r.RawIP4)
	way("raw IPv6", r.RawIP6)
	way("UDP encapsulation", r.UDP)
	if r.UDPPortFree {
		line("UDP port 9899", "free")
	} else {
		line("UDP port 9899", "not free")
	}
	offload := map[bool]string{true: "yes", false: "no"}
	line("UDP offload", fmt.Sprintf("sending %s, receiving %s", offload[r.UDPGSO], offload[r.UDPGRO]))
	state := map[string]string{
		"absent": "not there", "builtin": "built in", "present": "not loaded, but there", "blocked": "not loaded, and kept from it",
	}[r.KernelModule]
	if r.KernelLoaded {
		state = "loaded"
	}
	line("kernel SCTP", state)
	for _, n := range r.Notes {
		text += "\nNote: " + n + ".\n"
	}
	_, err := io.WriteString(w, text)
	return err
}
