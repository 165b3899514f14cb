package script

import (
	"fmt"
	"net/netip"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Statements about what the stack says of an association.

// state expects an association to be in a state; CLOSED is also none.
type state struct{ name string }

func (x *state) run(r *runner) error {
	if err := r.user.poll(r); err != nil {
		return err
	}
	got := tcb.Closed
	if a := r.user.a; a != nil && !a.End().Ended {
		got = a.Status().State
	}
	if got.String() != x.name {
		return fmt.Errorf("expected state %s, came %v", x.name, got)
	}
	return nil
}

// status compares numbers of an association, or of one of its paths.
type status struct {
	path netip.Addr
	opts []field
}

func (x *status) run(r *runner) error {
	if err := r.user.poll(r); err != nil {
		return err
	}
	if r.user.a == nil {
		return errNoAssoc
	}
	s := r.user.a.Status()
	if len(s.Paths) == 0 {
		return fmt.Errorf("the association has ended")
	}
	got := map[string]value{
		"out_streams": num(s.OutStreams), "in_streams": num(s.InStreams), "errors": num(s.Errors),
		"in_flight": num(s.InFlight), "queued": num(s.Queued), "peer_rwnd": num(s.PeerRwnd),
	}
	if int(s.Primary) < len(s.Paths) {
		got["primary"] = value{kind: addrValue, addr: s.Paths[s.Primary].Addr}
	}
	if x.path.IsValid() {
		got = nil
		for _, p := range s.Paths {
			if p.Addr != x.path {
				continue
			}
			ms := func(d mono.Duration) value { return num(int(d / mono.Millisecond)) }
			got = map[string]value{
				"state": {kind: wordValue, name: p.State.String()}, "errors": num(p.Errors), "rto": ms(p.RTO), "srtt": ms(p.SRTT),
				"cwnd": num(p.Cwnd), "ssthresh": num(p.Ssthresh), "in_flight": num(p.InFlight), "pmtu": num(p.PMTU),
			}
		}
		if got == nil {
			return fmt.Errorf("the association has no path to %v", x.path)
		}
	}
	for _, f := range x.opts {
		if !f.has {
			return fmt.Errorf("expected %s=value", f.name)
		}
		if err := r.env.match(f.val, got[f.name]); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

// ended expects an association to be over.
type ended struct {
	name string
	opts []field
}

func (x *ended) run(r *runner) error {
	u := &r.user
	if err := u.poll(r); err != nil {
		return err
	}
	if u.a == nil {
		return errNoAssoc
	}
	e := u.a.End()
	if !e.Ended {
		return fmt.Errorf("expected an end by %s, and the association is in %v", x.name, u.a.Status().State)
	}
	if e.Change.String() != x.name {
		return fmt.Errorf("expected an end by %s, came %v", x.name, e.Change)
	}
	if err := matchCause(r.env, x.opts, e.Cause); err != nil {
		return err
	}
	if f := option(x.opts, "by"); f != nil {
		by := "us"
		if e.ByPeer {
			by = "peer"
		}
		if f.val.name != by {
			return fmt.Errorf("expected an end by %v, came by %s", f.val, by)
		}
	}
	if f := option(x.opts, "info"); f != nil {
		return r.env.match(f.val, raw(e.Info))
	}
	return nil
}

// associations expects the stack to hold so many.
type associations struct{ n int }

func (x *associations) run(r *runner) error {
	if n := r.stack.Stack.Stats().Associations; n != x.n {
		return fmt.Errorf("expected %d associations, came %d", x.n, n)
	}
	return nil
}
