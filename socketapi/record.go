package socketapi

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gosctp/gosctp/internal/mono"
	"github.com/gosctp/gosctp/internal/record"
	"github.com/gosctp/gosctp/stack/decision"
)

// record starts the Host's recording.
func (h *Host) record(cfg *HostConfig, now mono.Time) (*record.Writer, error) {
	w, err := record.Create(cfg.Record, header(now, cfg.RecordData))
	if err != nil {
		return nil, fmt.Errorf("sctp: record: %w", err)
	}
	file := cfg.Record
	w.OnStop(func(err error) { h.log.Error("recording stopped", "file", file, "error", err) })
	return w, nil
}

func header(now mono.Time, data bool) record.Header {
	return record.Header{Program: filepath.Base(os.Args[0]), Wall: time.Now().Round(0), Now: int64(now), Data: data}
}

// DumpSteps writes the last steps of the association's state machine to w, as a
// file for `sctp replay`: what it was told and what it decided, no user data. It
// works after the end, too. Associations that did nothing while more than a
// hundred others did have no steps to show.
func (c *Conn) DumpSteps(w io.Writer) error {
	b, err := record.AppendDump(nil, header(c.host.stack.Now(), false), c.a.Decisions())
	if err == nil {
		_, err = w.Write(b)
	}
	return err
}

// contained deals with a panic that cost an association.
func (h *Host) contained(d decision.Dump, dir string) {
	what, _, _ := strings.Cut(d.Panic, "\n")
	if dir == "" {
		h.log.Error("a bug cost an association", "association", d.ID, "panic", what)
		return
	}
	name, err := h.dump(d, dir)
	h.log.Error("a bug cost an association", "association", d.ID, "panic", what, "steps", name, "error", err)
}

// dump writes d to a new file in dir.
func (h *Host) dump(d decision.Dump, dir string) (string, error) {
	b, err := record.AppendDump(nil, header(h.stack.Now(), false), d)
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(dir, "sctp-bug-*.sctplog")
	if err != nil {
		return "", err
	}
	_, err = f.Write(b)
	if e := f.Close(); err == nil {
		err = e
	}
	return f.Name(), err
}
