// Package demo is `sctp demo`: two endpoints, an association between them, and
// messages of mixed sizes over many streams, of which every byte is verified
// at the other side.
package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/gosctp/gosctp/internal/cli/netopts"
	"github.com/gosctp/gosctp/internal/cli/outcome"
	"github.com/gosctp/gosctp/internal/cli/units"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Command returns the sub-command.
func Command() *cobra.Command {
	o := Defaults()
	asJSON := false
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Move verified data over an SCTP association on this machine",
		Long: `Opens two SCTP endpoints on this machine, an association between them, and
sends messages of mixed sizes (1 byte to 96 KiB), ordered and unordered, over
many streams. The receiver knows which messages must come, and verifies every
byte. The exit status is 0 only if all bytes were verified.

Without --transport, packets are SCTP directly over IP on the loopback
interface if this process may use raw sockets (root, or CAP_NET_RAW), else
encapsulated in UDP (RFC 6951). It says which, and why.`,
		Example: `  sctp demo
  sctp demo --transport udp --bytes 1GiB
  sctp demo --loss 5% --bytes 4MiB --pcap lossy.pcapng
  sctp demo --json | jq .goodput_bits_per_second`,
		Args: outcome.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("seed") {
				o.Seed = rand.Uint64() >> 12 // whole in JSON readers that have only floating point
			}
			if err := o.Validate(); err != nil {
				return err
			}
			bar := newBar(cmd.ErrOrStderr(), &o)
			res, err := Run(cmd.Context(), o, bar.show)
			bar.end()
			out := cmd.OutOrStdout()
			if asJSON {
				b, jerr := json.Marshal(res)
				if jerr != nil {
					return jerr
				}
				if _, werr := fmt.Fprintf(out, "%s\n", b); werr != nil {
					return werr
				}
				return err
			}
			if err != nil {
				return err
			}
			return summary(out, &o, &res)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&o.Transport, "transport", "", "rawip, rawip6, udp (RFC 6951) or mem (no sockets at all); default: rawip, else udp")
	fs.Var(&o.Bytes, "bytes", "how much to send: 1000, 64KiB, 1GiB")
	fs.IntVar(&o.Streams, "streams", o.Streams, "how many streams to send on")
	fs.Var(&o.Loss, "loss", "lose that share of the packets, in both directions: 1% or 0.01")
	fs.IntVar(&o.MTU, "mtu", o.MTU, "path MTU: size of the largest IP packet")
	fs.StringVar(&o.Pcap, "pcap", "", "write the packets to this `file`, in pcapng, for Wireshark")
	netopts.AddRecord(fs, &o.Record, &o.Data)
	fs.BoolVar(&asJSON, "json", false, "print the result as one JSON object")
	fs.Uint64Var(&o.Seed, "seed", 0, "what sizes, order and losses are drawn from (default: a new one each time)")
	cmd.RegisterFlagCompletionFunc("transport", cobra.FixedCompletions(Transports, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// bar shows progress if stderr is a terminal.
type bar struct{ p *progressbar.ProgressBar }

func newBar(w io.Writer, o *Options) *bar {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &bar{}
	}
	return &bar{progressbar.NewOptions64(int64(o.Bytes),
		progressbar.OptionSetWriter(w), progressbar.OptionShowBytes(true), progressbar.OptionUseIECUnits(true),
		progressbar.OptionSetDescription("verified"), progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(50*time.Millisecond), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetElapsedTime(true), progressbar.OptionSetPredictTime(true))}
}

func (b *bar) show(n int64) {
	if b.p != nil {
		b.p.Set64(n)
	}
}

func (b *bar) end() {
	if b.p != nil {
		b.p.Clear()
	}
}

var names = map[string]string{
	"rawip": "raw IPv4 on loopback", "rawip6": "raw IPv6 on loopback",
	"udp": "UDP encapsulation on loopback", "mem": "in memory, no sockets",
}

func plural[T int | int64](n T, what string) string {
	if n != 1 {
		what += "s"
	}
	return units.Count(n) + " " + what
}

func summary(w io.Writer, o *Options, r *Result) error {
	text := fmt.Sprintf("%s in %s over %s: every byte verified\n\n",
		units.Bytes(r.Bytes), plural(r.Messages, "message"), plural(r.Streams, "stream"))
	line := func(name, format string, args ...any) {
		text += fmt.Sprintf("  %-16s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("transport", "%s (%s), path MTU %d", names[r.Transport], r.Reason, r.PathMTU)
	line("goodput", "%s (%s)", units.Rate(r.Goodput), units.Duration(time.Duration(r.DurationMS*1e6)))
	line("handshake", "%s", units.Duration(time.Duration(r.HandshakeUS*1e3)))
	line("RTT", "%s smoothed", units.Duration(time.Duration(r.RTTUS*1e3)))
	line("retransmissions", "%s chunks; %s packets sent", units.Count(r.Retransmissions), units.Count(r.Packets))
	if o.Loss > 0 {
		line("loss", "%s: %s packets lost on purpose, both directions", o.Loss, units.Count(r.PacketsLost))
	}
	if o.Pcap != "" {
		line("capture", "%s: %s packets", o.Pcap, units.Count(r.Captured))
	}
	if o.Record != "" {
		line("recording", "%s: sctp replay steps through it", o.Record)
	}
	line("seed", "%d", r.Seed)
	_, err := io.WriteString(w, text)
	return err
}
