package driver

import (
	"bufio"
	"flag"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gosctp/gosctp/interop/workload"
)

// Options are what a Stack needs to know to open an association.
type Options struct {
	UDP              bool
	Local, Remote    []string // IP addresses
	Port, LocalPort  int      // SCTP ports: the server's, the client's (0: any)
	UDPPort, UDPPeer int      // our UDP port (0: any), and the one we send to
	Streams          int

	// 0 is the stack's default. The initial RTO is the smallest.
	HeartbeatInterval, RTOMin, RTOMax, SackDelay time.Duration
	PathRetrans, AssocRetrans                    int
}

func parse(name string, args []string) *peer {
	p := &peer{started: time.Now(), last: -1, stop: make(chan struct{}), inputOver: make(chan struct{})}
	fs := flag.NewFlagSet(name+"-peer server|client", flag.ExitOnError)
	if len(args) == 0 || (args[0] != "server" && args[0] != "client") {
		fs.Usage()
		os.Exit(64)
	}
	p.server = args[0] == "server"
	transport := fs.String("transport", "raw", "raw or udp")
	local := fs.String("local", "", "our IP addresses, separated by commas")
	remote := fs.String("remote", "", "the server's IP addresses")
	fs.StringVar(&p.primary, "primary", "", "the peer's address to send to while it is reachable")
	fs.IntVar(&p.opt.Port, "port", 5000, "SCTP port of the server")
	fs.IntVar(&p.opt.LocalPort, "local-port", 0, "SCTP port of the client, 0 for any")
	fs.IntVar(&p.opt.UDPPort, "udp-port", 9899, "our UDP port")
	fs.IntVar(&p.opt.UDPPeer, "udp-peer", 9899, "UDP port of the other side")
	fs.IntVar(&p.load.Messages, "messages", 100, "messages in each direction")
	fs.Uint64Var(&p.load.Seed, "seed", 1, "what the messages are made from")
	fs.IntVar(&p.load.Streams, "streams", 16, "streams in each direction")
	fs.IntVar(&p.load.UnorderedEvery, "unordered-every", 4, "every nth message is unordered, 0 for none")
	fs.IntVar(&p.load.MaxSize, "max-size", 102400, "bytes of the largest message")
	direction := fs.String("direction", "both", "up, down or both")
	end := fs.String("end", "shutdown", "shutdown or abort")
	ender := fs.String("ender", "client", "who ends the association: client, server or both")
	millis := func(to *time.Duration, name, usage string) {
		fs.Func(name, usage+", 0 for the stack's default", func(s string) error {
			n, err := strconv.Atoi(s)
			*to = time.Duration(n) * time.Millisecond
			return err
		})
	}
	millis(&p.opt.HeartbeatInterval, "hb-ms", "heartbeat interval")
	millis(&p.opt.RTOMin, "rto-min-ms", "smallest and initial retransmission timeout")
	millis(&p.opt.RTOMax, "rto-max-ms", "largest retransmission timeout")
	millis(&p.opt.SackDelay, "sack-ms", "how long an acknowledgement may wait")
	fs.IntVar(&p.opt.PathRetrans, "path-retrans", 0, "Path.Max.Retrans, 0 for the stack's default")
	fs.IntVar(&p.opt.AssocRetrans, "assoc-retrans", 0, "Association.Max.Retrans, 0 for the stack's default")
	pace := fs.Int("pace-us", 0, "microseconds to wait after each message")
	fs.BoolVar(&p.untilStop, "until-stop", false, "send until standard input says stop, --messages at most")
	fs.BoolVar(&p.again, "again", false, "begin anew when the peer restarts or the association is lost")
	timeout := fs.Int("timeout", 120, "seconds after which to give up")
	fs.BoolVar(&p.hold, "hold", false, "stay after RESULT until standard input ends")
	fs.Parse(args[1:])
	p.opt.UDP = *transport == "udp"
	p.opt.Streams = p.load.Streams
	p.opt.Local, p.opt.Remote = split(*local), split(*remote)
	p.pace = time.Duration(*pace) * time.Microsecond
	role, mine, theirs := "client", "up", "down"
	in := workload.Down
	if p.server {
		role, mine, theirs, in = "server", "down", "up", workload.Up
	}
	p.sends = *direction == "both" || *direction == mine
	p.receives = *direction == "both" || *direction == theirs
	p.aborts = *end == "abort"
	p.weEnd = *ender == "both" || *ender == role
	p.in = workload.NewVerifier(&p.load, in)
	p.res = workload.Result{Stack: name, Role: role, Transport: *transport}
	go p.commands()
	time.AfterFunc(time.Duration(*timeout)*time.Second, func() {
		p.mu.Lock()
		p.fail("timeout")
		p.hold = false
		p.mu.Unlock()
		p.finish()
	})
	return p
}

// split takes a list of addresses apart; none gives one empty one.
func split(s string) []string { return strings.Split(s, ",") }

// commands does what standard input says.
func (p *peer) commands() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		if in.Text() == "stop" {
			close(p.stop)
		}
	}
	close(p.inputOver)
}
