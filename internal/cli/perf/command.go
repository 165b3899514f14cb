// Package perf is `sctp perf`: how fast SCTP is between two hosts. The server
// waits, the client says what to measure, both report.
package perf

import (
	"strconv"
	"time"

	"github.com/gosctp/gosctp/internal/cli/outcome"
	"github.com/spf13/cobra"
)

// defaultPort is the server's port, the one of iperf3.
const defaultPort = 5201

// Command returns the sub-command.
func Command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "perf",
		Short: "Measure throughput, message rate and latency between two hosts",
		Long: `Measures what SCTP achieves between two hosts (or on one): throughput of large
messages, rate of small ones, latency of request and response. Start the server
first, then the client.`,
		Example: `  sctp perf server
  sctp perf client 192.0.2.1                     # bulk, 10 seconds
  sctp perf client 192.0.2.1 --size 100 -t 5     # small messages
  sctp perf client 192.0.2.1 --rr                # latency`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(serverCommand(), clientCommand(), peerCommand())
	return cmd
}

// seconds is a flag value: "10", "0.5", or with a unit, "300ms".
type seconds time.Duration

// String implements pflag.Value.
func (s *seconds) String() string {
	return strconv.FormatFloat(time.Duration(*s).Seconds(), 'f', -1, 64)
}

// Set implements pflag.Value.
func (s *seconds) Set(v string) error {
	f, err := strconv.ParseFloat(v, 64)
	d := time.Duration(f * float64(time.Second))
	if err != nil {
		d, err = time.ParseDuration(v)
	}
	if err != nil || d < 0 || d > 1e6*time.Second {
		return outcome.Usage("%q is not a time: write 10, 0.5 or 300ms", v)
	}
	*s = seconds(d)
	return nil
}

// Type implements pflag.Value.
func (*seconds) Type() string { return "seconds" }
