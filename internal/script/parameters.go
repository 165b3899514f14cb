package script

import (
	"fmt"
	"strings"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/tcb"
)

// parameters are what `set` knows, by the names of RFC 9260 section 16 where it
// has one, in small letters.
var parameters = map[string]func(*tcb.Config) any{
	"rto.initial":             func(c *tcb.Config) any { return &c.RTOInitial },
	"rto.min":                 func(c *tcb.Config) any { return &c.RTOMin },
	"rto.max":                 func(c *tcb.Config) any { return &c.RTOMax },
	"max.burst":               func(c *tcb.Config) any { return &c.MaxBurst },
	"valid.cookie.life":       func(c *tcb.Config) any { return &c.ValidCookieLife },
	"association.max.retrans": func(c *tcb.Config) any { return &c.AssocMaxRetrans },
	"path.max.retrans":        func(c *tcb.Config) any { return &c.PathMaxRetrans },
	"max.init.retransmits":    func(c *tcb.Config) any { return &c.MaxInitRetransmits },
	"hb.interval":             func(c *tcb.Config) any { return &c.HBInterval },
	"hb.max.burst":            func(c *tcb.Config) any { return &c.HBMaxBurst },
	"sack.delay":              func(c *tcb.Config) any { return &c.SackDelay },
	"sack.frequency":          func(c *tcb.Config) any { return &c.SackFreq },
	"streams.out":             func(c *tcb.Config) any { return &c.OutStreams },
	"streams.in":              func(c *tcb.Config) any { return &c.MaxInStreams },
	"send.buffer":             func(c *tcb.Config) any { return &c.SendBuffer },
	"receive.buffer":          func(c *tcb.Config) any { return &c.RecvBuffer },
	"partial.delivery.point":  func(c *tcb.Config) any { return &c.PartialPoint },
	"no.delay":                func(c *tcb.Config) any { return &c.NoDelay },
	"max.message":             func(c *tcb.Config) any { return &c.MaxMessage },
	"max.segment":             func(c *tcb.Config) any { return &c.MaxSegment },
	"pmtu.discovery":          func(c *tcb.Config) any { return &c.PMTUDiscovery },
	"probe.timer":             func(c *tcb.Config) any { return &c.ProbeTimeout },
	"pmtu.raise.timer":        func(c *tcb.Config) any { return &c.PMTURaise },
	"path.mtu":                func(c *tcb.Config) any { return &c.PathMTU },
	"initial.burst":           func(c *tcb.Config) any { return &c.InitialBurst },
	"shutdown.guard":          func(c *tcb.Config) any { return &c.ShutdownGuard },
}

// setParameter reads a parameter's value.
func setParameter(c *tcb.Config, name string, p *parser) error {
	get := parameters[strings.ToLower(name)]
	if get == nil {
		return fmt.Errorf("expected a protocol parameter such as RTO.Initial, found '%s'", name)
	}
	switch to := get(c).(type) {
	case *mono.Duration:
		d, err := p.duration()
		*to = mono.FromStd(d)
		return err
	case *int:
		n, err := p.number("a number")
		if err == nil && n > 1<<30 {
			return fmt.Errorf("expected a smaller number than %d", n)
		}
		*to = int(n)
		return err
	case *uint16:
		n, err := p.number("a number")
		if err == nil && n > u16 {
			return fmt.Errorf("expected a number up to 65535, found %d", n)
		}
		*to = uint16(n)
		return err
	case *bool:
		n, err := p.number("0 or 1")
		*to = n != 0
		return err
	}
	panic("script: a parameter of a kind that set does not know: " + name)
}
