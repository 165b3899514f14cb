package explore

import (
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/sideeffects"
	"github.com/gosctp/gosctp/stack/tcb"
)

// Property is one of the ten of "A Formal Analysis of SCTP: Attack Synthesis
// and Patch Verification" (USENIX Security 2024), and where RFC 9260 does not
// promise it.
type Property struct {
	Name   string
	Text   string
	Unless string // in words, what excused says
	// excused reports whether what has happened so far takes the promise back.
	excused func(w *world) bool
}

// Properties are looked at in every exploration, after every move.
var Properties = []Property{
	{Name: "P1", Text: "CLOSED is left only for COOKIE-WAIT, by ASSOCIATE, and for ESTABLISHED, by a valid COOKIE ECHO"},
	{Name: "P2", Text: "in COOKIE-ECHOED T1-cookie runs"},
	{Name: "P3", Text: "A is not left half-open while Z keeps moving"},
	{Name: "P4", Text: "Z is not left half-open while A keeps moving"},
	{Name: "P5", Text: "nothing can happen any more only if both are CLOSED or both ESTABLISHED",
		Unless:  "an end may give up and its ABORT be lost, a host may crash, a COOKIE ECHO may come after its sender has gone, the attacker may know the tags: then one end stays ESTABLISHED until its heartbeats fail",
		excused: func(w *world) bool { return w.mayHang() }},
	{Name: "P6", Text: "the ends are not both in SHUTDOWN-RECEIVED",
		Unless:  "the attacker knows the tags",
		excused: func(w *world) bool { return w.forged() }},
	{Name: "P7", Text: "never is one end in COOKIE-ECHOED and the other in SHUTDOWN-RECEIVED",
		Unless:  "an end gave an association up and sets another up, or the attacker knows the tags",
		excused: func(w *world) bool { return w.forged() || w.crashes > 0 || w.ends > 0 }},
	{Name: "P8", Text: "SHUTDOWN-ACK-SENT is left only for CLOSED"},
	{Name: "P9", Text: "SHUTDOWN-RECEIVED is left only for SHUTDOWN-ACK-SENT and CLOSED",
		Unless:  "an end gave the association up, or was made to by an attacker who knows the tags, and sets another up: a restart (RFC 9260 section 5.2.4 A)",
		excused: func(w *world) bool { return w.forged() || w.crashes > 0 || w.ends > 0 }},
	{Name: "P10", Text: "an association that its user shut down ends CLOSED"},
}

func propertyNamed(name string) *Property {
	for i := range Properties {
		if Properties[i].Name == name {
			return &Properties[i]
		}
	}
	return nil
}

// breaks reports that a property does not hold, unless that is excused.
func (w *world) breaks(name, how string) {
	p := propertyNamed(name)
	if p.excused == nil || w.strict == name || !p.excused(w) {
		w.fail("%s (%s): %s", p.Name, p.Text, how)
	}
}

// forged reports whether the attacker has written packets that pass.
func (w *world) forged() bool { return w.injects > 0 && w.set.Attacker.knows() }

// mayHang reports whether one end may know nothing of the other's end.
func (w *world) mayHang() bool { return w.forged() || w.leaves > 0 || w.crashes > 0 || w.late }

// created notes an association that a COOKIE ECHO made: its sender may have
// gone on, or be gone, while that was under way.
func (w *world) created(h *host, c *conn) {
	peer := w.hosts[1-h.side]
	if peer.state() != tcb.CookieEchoed {
		w.late = true
		return
	}
	own, theirs := c.a.Tags()
	own2, theirs2 := peer.conns[0].a.Tags()
	w.late = w.late || own != theirs2 || theirs != own2
}

// checkStep looks at a step of the machine.
func (w *world) checkStep(h *host, s *sideeffects.Step) {
	from, to := s.Before, s.After
	if from == to {
		return
	}
	how := sideNames[h.side:h.side+1] + " goes from " + from.String() + " to " + to.String() + " by " + s.Event.ID.String()
	switch from {
	case tcb.Closed:
		ok := to == tcb.CookieWait && s.Event.ID == fsm.EvPrimAssociate ||
			to == tcb.Established && s.Event.ID == fsm.EvCookieEcho && s.Event.Cookie.Valid
		if !ok {
			w.breaks("P1", how)
		}
	case tcb.ShutdownAckSent:
		if to != tcb.Closed {
			w.breaks("P8", how)
		}
	case tcb.ShutdownReceived:
		if to != tcb.ShutdownAckSent && to != tcb.Closed {
			w.breaks("P9", how)
		}
	}
}

// checkStates looks at both states together.
func (w *world) checkStates() {
	a, z := w.hosts[0].state(), w.hosts[1].state()
	if a == tcb.ShutdownReceived && z == tcb.ShutdownReceived {
		w.breaks("P6", "both are")
	}
	if a == tcb.CookieEchoed && z == tcb.ShutdownReceived || a == tcb.ShutdownReceived && z == tcb.CookieEchoed {
		w.breaks("P7", w.states())
	}
}
