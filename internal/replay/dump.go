package replay

import (
	"fmt"
	"strings"

	"github.com/gosctp/gosctp/internal/trace"
	"github.com/gosctp/gosctp/stack/decision"
	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/sideeffects"
)

// TellDump makes Steps of a dump. Each is run again from the control state
// that was kept with it; it returns how many decide otherwise today.
func TellDump(d decision.Dump, tell func(*Step)) (differ int, err error) {
	steps, err := decision.Decode(d.Steps)
	for i := range steps {
		s := &steps[i]
		e := &Step{N: int(s.Number), Assoc: d.ID}
		line := sideeffects.Step{
			ID: d.ID, Before: s.Before(), After: s.After(), Event: &s.Event, Disposition: s.Disposition, Commands: &s.Commands,
		}
		describe(e, &line)
		e.Call = "not known: a dump has the steps only"
		var again fsm.Commands
		if got := s.Again(d.Config, &again); got != s.Disposition || !again.Equal(&s.Commands) {
			differ++
			now := make([]string, 0, again.Len())
			for k := range again.Len() {
				now = append(now, trace.Command(again.At(k)))
			}
			e.Differs = fmt.Sprintf("%v: %s", got, strings.Join(now, "; "))
		}
		// What it changed is in the checkpoint of the next one.
		if i+1 < len(steps) && s.TCB != nil && steps[i+1].TCB != nil {
			e.Changed = changes(s.TCB, steps[i+1].TCB)
		}
		if s.Event.ID <= fsm.EvBadChunk {
			e.In = &Seen{Text: e.Event, Chunks: []string{e.Event}, Path: s.Event.Path}
		}
		for k := range s.Commands.Len() {
			if c := s.Commands.At(k); sends(c.Verb) {
				e.Sent = append(e.Sent, Sent{Text: chunkOf(c), Path: c.Path, Chunks: []Reason{{
					Chunk: chunkOf(c), Why: fmt.Sprintf("%s in %v, %s commands %q", e.Event, e.Before, e.Func, trace.Command(c)),
				}}})
			}
		}
		tell(e)
	}
	return differ, err
}

func sends(v fsm.Verb) bool {
	switch v {
	case fsm.CmdSend, fsm.CmdSendError, fsm.CmdSendAbort, fsm.CmdSendInitAck, fsm.CmdRespond, fsm.CmdHeartbeat:
		return true
	}
	return false
}

// chunkOf names the chunk that a command sends.
func chunkOf(c *fsm.Command) string {
	switch c.Verb {
	case fsm.CmdSend, fsm.CmdRespond:
		return c.Kind.String()
	}
	return strings.TrimPrefix(trace.VerbName(c.Verb), "send ")
}
