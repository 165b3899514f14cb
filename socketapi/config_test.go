package socketapi

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/tcb"
)

func TestConfigDefaults(t *testing.T) {
	want := tcb.DefaultConfig()
	for _, c := range []*Config{nil, {}} {
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
		if got := *c.tcb(); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		if c.backlog() != 128 {
			t.Error(c.backlog())
		}
	}
}

func TestConfig(t *testing.T) {
	c := &Config{
		OutStreams: 1, MaxInStreams: 2,
		RTOInitial: 3 * time.Second, RTOMin: 2 * time.Second, RTOMax: 4 * time.Second,
		MaxRetransmits: 5, MaxPathRetransmits: 6, MaxInitRetransmits: 7,
		HeartbeatInterval: 8 * time.Second, SackDelay: 9 * time.Millisecond, SackFreq: 10, SackBatch: 12,
		MaxBurst: 11, CookieLife: 12 * time.Second, ShutdownGuard: 13 * time.Second,
		SendBuffer: 14000, RecvBuffer: 15000, PartialDeliveryPoint: 16, NoDelay: true,
		PathMTU: 1700, MaxSegment: 18,
		NoPathMTUDiscovery: true, PathMTUProbeTimeout: 19 * time.Second, PathMTURaise: 20 * time.Second,
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	d := tcb.DefaultConfig()
	want := tcb.Config{
		OutStreams: 1, MaxInStreams: 2,
		RTOInitial: 3 * mono.Second, RTOMin: 2 * mono.Second, RTOMax: 4 * mono.Second,
		AssocMaxRetrans: 5, PathMaxRetrans: 6, MaxInitRetransmits: 7,
		HBInterval: 8 * mono.Second, HBMaxBurst: d.HBMaxBurst, SackDelay: 9 * mono.Millisecond, SackFreq: 10, SackBatch: 12,
		MaxBurst: 11, ValidCookieLife: 12 * mono.Second, ShutdownGuard: 13 * mono.Second,
		SendBuffer: 14000, RecvBuffer: 15000, PartialPoint: 16, NoDelay: true,
		PathMTU: 1700, MaxSegment: 18,
		ProbeTimeout: 19 * mono.Second, PMTURaise: 20 * mono.Second,
		MaxMessage: d.MaxMessage, MinPathMTU: d.MinPathMTU, InitialBurst: d.InitialBurst,
	}
	if got := *c.tcb(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}

	off := (&Config{PathMTURaise: -1, HeartbeatInterval: -1, SackDelay: -1, MaxBurst: -1, MaxRetransmits: -1}).tcb()
	if !off.PMTUDiscovery || off.PMTURaise != 0 || off.HBInterval != 0 || off.SackDelay != 0 || off.SackFreq != 1 || off.MaxBurst != 0 || off.AssocMaxRetrans != 0 {
		t.Errorf("%+v", off)
	}
	// The limits alone drag the other values along.
	for _, c := range []*Config{{RTOMax: 500 * time.Millisecond}, {RTOMin: 5 * time.Second}} {
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
		if x := c.tcb(); x.RTOMin > x.RTOInitial || x.RTOInitial > x.RTOMax {
			t.Errorf("%+v", x)
		}
	}
}

// Validate names each problem, and all of them at once.
func TestConfigValidate(t *testing.T) {
	all := &Config{}
	for _, c := range []struct {
		name string
		set  func(*Config)
	}{
		{"RTOMin", func(c *Config) { c.RTOMin = 61 * time.Second }},
		{"RTOInitial", func(c *Config) { c.RTOInitial = 2 * time.Minute }},
		// R-6.2-14
		{"SackDelay", func(c *Config) { c.SackDelay = 501 * time.Millisecond }},
		{"CookieLife", func(c *Config) { c.CookieLife = 24*time.Hour + 1 }},
		{"SackFreq", func(c *Config) { c.SackFreq = -1 }},
		{"SackBatch", func(c *Config) { c.SackBatch = -1 }},
		{"CookieLife", func(c *Config) { c.CookieLife = -1 }},
		{"ShutdownGuard", func(c *Config) { c.ShutdownGuard = -1 }},
		{"SendBuffer", func(c *Config) { c.SendBuffer = 100 }},
		{"RecvBuffer", func(c *Config) { c.RecvBuffer = math.MaxInt32 }},
		{"PathMTU", func(c *Config) { c.PathMTU = 500 }},
		{"PathMTUProbeTimeout", func(c *Config) { c.PathMTUProbeTimeout = 999 * time.Millisecond }}, // RFC 8899 section 5.1.1
		{"MaxSegment", func(c *Config) { c.MaxSegment = 1 }},
		{"PartialDeliveryPoint", func(c *Config) { c.PartialDeliveryPoint = math.MaxInt32 }},
		{"Backlog", func(c *Config) { c.Backlog = -1 }},
		{"MaxAssociations", func(c *Config) { c.MaxAssociations = -1 }},
		{"MaxRetransmits", func(c *Config) { c.MaxRetransmits = 1001 }},
		{"MaxPathRetransmits", func(c *Config) { c.MaxPathRetransmits = math.MaxInt }},
		{"MaxInitRetransmits", func(c *Config) { c.MaxInitRetransmits = math.MaxInt }},
		{"MaxBurst", func(c *Config) { c.MaxBurst = 1001 }},
		{"HeartbeatInterval", func(c *Config) { c.HeartbeatInterval = math.MaxInt64 }},
	} {
		one := &Config{}
		c.set(one)
		c.set(all)
		err := one.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), "sctp: config: "+c.name+" ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", c.name, err)
		}
		if err := all.Validate(); err == nil || !strings.Contains(err.Error(), "config: "+c.name+" ") {
			t.Errorf("%s with others: %v", c.name, err)
		}
	}
	err := all.Validate()
	if n := strings.Count(err.Error(), "\n"); n != 19 {
		t.Errorf("%d problems:\n%v", n+1, err)
	}
}
