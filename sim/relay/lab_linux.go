package relay

import (
	"errors"
	"net/netip"

	"github.com/gosctp/gosctp/sim/impair"
)

// LabConfig describes a Lab.
type LabConfig struct {
	AtoB, BtoA impair.Config
	Seed       uint64
	MTU        int // of the devices; 0 means 1500
	// AddrsA and AddrsB are the devices' addresses; none means 10.79.0.1/24
	// and fd79::1/64 for A, 10.79.0.2/24 and fd79::2/64 for B.
	AddrsA, AddrsB []netip.Prefix
}

// Lab is two namespaces, joined by a relay.
type Lab struct {
	A, B  *Namespace
	Relay *Relay
}

// NewLab sets a lab up. It takes root.
func NewLab(cfg LabConfig) (lab *Lab, err error) {
	if cfg.AddrsA == nil {
		cfg.AddrsA = []netip.Prefix{netip.MustParsePrefix("10.79.0.1/24"), netip.MustParsePrefix("fd79::1/64")}
	}
	if cfg.AddrsB == nil {
		cfg.AddrsB = []netip.Prefix{netip.MustParsePrefix("10.79.0.2/24"), netip.MustParsePrefix("fd79::2/64")}
	}
	lab = new(Lab)
	defer func() {
		if err != nil {
			lab.Close()
			lab = nil
		}
	}()
	if lab.A, err = NewNamespace(); err != nil {
		return lab, err
	}
	if lab.B, err = NewNamespace(); err != nil {
		return lab, err
	}
	a, err := lab.A.OpenTUN(Device{Addrs: cfg.AddrsA, MTU: cfg.MTU})
	if err != nil {
		return lab, err
	}
	b, err := lab.B.OpenTUN(Device{Addrs: cfg.AddrsB, MTU: cfg.MTU})
	if err != nil {
		a.Close()
		return lab, err
	}
	lab.Relay, err = New(Config{A: a, B: b, AtoB: cfg.AtoB, BtoA: cfg.BtoA, Seed: cfg.Seed})
	if err != nil {
		a.Close()
		b.Close()
	}
	return lab, err
}

// Close ends the relay and lets go of the namespaces.
func (l *Lab) Close() error {
	var errs []error
	if l.Relay != nil {
		errs = append(errs, l.Relay.Close())
	}
	for _, n := range []*Namespace{l.A, l.B} {
		if n != nil {
			errs = append(errs, n.Close())
		}
	}
	return errors.Join(errs...)
}
