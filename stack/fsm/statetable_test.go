package fsm_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/stack/fsm"
	"github.com/gosctp/gosctp/stack/tcb"
)

var update = flag.Bool("update", false, "rewrite docs/statetable.md")

const tableFile = "../../docs/statetable.md"

// TestStateTableDocument holds docs/statetable.md to the code.
func TestStateTableDocument(t *testing.T) {
	want := document()
	if *update {
		if err := os.WriteFile(tableFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Fatal("docs/statetable.md is not what the code says: run go test ./stack/fsm -run StateTable -update, and read the diff")
	}
}

func document() string {
	var b strings.Builder
	b.WriteString(`# The state table

Generated from stack/fsm by ` + "`go test ./stack/fsm -run StateTable -update`" + `; a test
holds it to the code. Rows are events, columns the states of RFC 9260 section 4.
Each cell names the state function that runs. A chunk whose Verification Tag
does not fit the row's rule, that is shorter than the least length, or that must
be alone in its packet and is not, is silently discarded with its packet before
any function runs; in CLOSED the functions judge tags themselves. † marks cells
that are exempt from the row's tag rule.

`)
	group := func(title string, from, to fsm.EventID, chunk bool) {
		fmt.Fprintf(&b, "## %s\n\n| event |", title)
		if chunk {
			b.WriteString(" tag | least length | alone |")
		}
		for s := tcb.Closed; s < tcb.NumStates; s++ {
			fmt.Fprintf(&b, " %v |", s)
		}
		b.WriteString("\n|---|")
		if chunk {
			b.WriteString("---|---|---|")
		}
		b.WriteString(strings.Repeat("---|", int(tcb.NumStates)) + "\n")
		for _, r := range fsm.Rows() {
			if r.Event < from || r.Event > to {
				continue
			}
			fmt.Fprintf(&b, "| %s |", r.Name)
			if chunk {
				alone := ""
				if r.Alone {
					alone = "yes"
				}
				fmt.Fprintf(&b, " %v | %d | %s |", r.Tag, r.MinLen, alone)
			}
			for s, name := range r.Cells {
				if r.AnyTag[s] {
					name += "†"
				}
				fmt.Fprintf(&b, " %s |", name)
			}
			b.WriteString("\n")
		}
		b.WriteString("\n")
	}
	group("Chunks", fsm.EvData, fsm.EvBadChunk, true)
	group("Timeouts", fsm.EvTimeoutT1Init, fsm.EvTimeoutProbe, false)
	group("Primitives", fsm.EvPrimAssociate, fsm.EvPrimSetSource, false)
	group("Other events", fsm.EvNoPendingTSN, fsm.EvInternalError, false)
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// TestTableIsComplete: no hole, and a name for everything.
func TestTableIsComplete(t *testing.T) {
	rows := fsm.Rows()
	if len(rows) != int(fsm.NumEvents) {
		t.Fatalf("%d rows for %d events", len(rows), fsm.NumEvents)
	}
	for _, r := range rows {
		if r.Name == "" {
			t.Errorf("event %d has no name", r.Event)
		}
		for s, name := range r.Cells {
			if !strings.HasPrefix(name, "sf") {
				t.Errorf("%s in %v: no state function", r.Name, tcb.State(s))
			}
		}
	}
}
