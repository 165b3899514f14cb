// Package netcat is `sctp listen` and `sctp connect`: standard input becomes
// messages, messages become standard output.
package netcat

import (
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gosctp/gosctp/internal/cli/netopts"
	"github.com/gosctp/gosctp/internal/cli/outcome"
	"github.com/gosctp/gosctp/internal/cli/units"
	"github.com/gosctp/gosctp/socketapi"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// options are the flags that both commands have.
type options struct {
	net       netopts.Options
	stream    uint16
	ppid      ppid
	unordered bool
	size      units.Bytes
	lines     bool
	sendOnly  bool
	recvOnly  bool
	quitAfter time.Duration
	nodelay   bool
}

func (o *options) add(fs *pflag.FlagSet, server bool) {
	o.net.Add(fs, server)
	o.size = 16 << 10
	fs.Uint16Var(&o.stream, "stream", 0, "send on that stream")
	fs.Var(&o.ppid, "ppid", "payload protocol identifier of what is sent: a number, or a name such as m3ua, s1ap, ngap, diameter")
	fs.BoolVar(&o.unordered, "unordered", false, "let messages overtake each other")
	fs.Var(&o.size, "size", "cut standard input into messages of at most that size")
	fs.BoolVar(&o.lines, "lines", false, "make a message of each line")
	fs.BoolVar(&o.sendOnly, "send-only", false, "send only, and drop what comes")
	fs.BoolVar(&o.recvOnly, "recv-only", false, "receive only, and do not read standard input")
	fs.DurationVarP(&o.quitAfter, "quit-after", "q", 0, "at the end of input go on receiving until nothing came for so long, and shut down then")
	fs.BoolVar(&o.nodelay, "nodelay", false, "send small messages at once instead of collecting them")
}

func (o *options) validate() error {
	switch {
	case o.sendOnly && o.recvOnly:
		return outcome.Usage("--send-only and --recv-only exclude each other")
	case o.size < 1 || o.size > maxMessage:
		return outcome.Usage("--size must be within 1 and %d", maxMessage)
	case o.quitAfter < 0:
		return outcome.Usage("--quit-after is negative")
	case o.stream == math.MaxUint16:
		return outcome.Usage("--stream must be less than 65535")
	}
	return nil
}

// maxMessage is the largest message that is sent, and that --echo sends back.
const maxMessage = 1 << 20

func (o *options) config() *socketapi.Config {
	cfg := &socketapi.Config{PathMTU: o.net.MTU, NoDelay: o.nodelay}
	if o.stream >= 10 {
		cfg.OutStreams = o.stream + 1
	}
	return cfg
}

func (o *options) sendInfo() socketapi.SendInfo {
	return socketapi.SendInfo{Stream: o.stream, PPID: uint32(o.ppid), Unordered: o.unordered}
}

// ppid is a flag value: a number or a name.
type ppid uint32

var ppids = map[string]uint32{
	"none": socketapi.PPIDUnspecified, "m2ua": socketapi.PPIDM2UA, "m3ua": socketapi.PPIDM3UA, "sua": socketapi.PPIDSUA,
	"m2pa": socketapi.PPIDM2PA, "h248": socketapi.PPIDH248, "s1ap": socketapi.PPIDS1AP, "x2ap": socketapi.PPIDX2AP,
	"echo": socketapi.PPIDEcho, "discard": socketapi.PPIDDiscard, "diameter": socketapi.PPIDDiameter,
	"diameter-dtls": socketapi.PPIDDiameterDTLS, "webrtc-string": socketapi.PPIDWebRTCString,
	"webrtc-binary": socketapi.PPIDWebRTCBinary, "ngap": socketapi.PPIDNGAP, "xnap": socketapi.PPIDXnAP,
	"f1ap": socketapi.PPIDF1AP, "e1ap": socketapi.PPIDE1AP,
}

func ppidNames() []string {
	var names []string
	for n := range ppids {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// String implements pflag.Value.
func (p *ppid) String() string { return strconv.FormatUint(uint64(*p), 10) }

// Set implements pflag.Value.
func (p *ppid) Set(s string) error {
	if n, ok := ppids[strings.ToLower(s)]; ok {
		*p = ppid(n)
		return nil
	}
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		return outcome.Usage("%q is neither a number of 32 bits nor one of %s", s, strings.Join(ppidNames(), ", "))
	}
	*p = ppid(n)
	return nil
}

// Type implements pflag.Value.
func (*ppid) Type() string { return "ppid" }

func completePPID(cmd *cobra.Command) {
	cmd.RegisterFlagCompletionFunc("ppid", cobra.FixedCompletions(ppidNames(), cobra.ShellCompDirectiveNoFileComp))
	cmd.RegisterFlagCompletionFunc("transport", cobra.FixedCompletions([]string{"auto", "rawip", "udp"}, cobra.ShellCompDirectiveNoFileComp))
}

// input is where standard input comes from: nothing with --recv-only.
func (o *options) input(in io.Reader) io.Reader {
	if o.recvOnly {
		return nil
	}
	return in
}
