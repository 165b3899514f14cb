package record_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/gosctp/gosctp/internal/record"
	"github.com/gosctp/gosctp/sim"
	"github.com/gosctp/gosctp/stack"
)

// stuck is a file that cannot be written until it is let go.
type stuck struct {
	memory
	first bool
	free  chan struct{}
}

func (s *stuck) Write(p []byte) (int, error) {
	if s.first {
		<-s.free
	}
	s.first = true
	return s.memory.Write(p)
}

// TestBehind: a file that is too slow ends the recording, and never holds the
// stack up; what it has is good, and it says that it is not all.
func TestBehind(t *testing.T) {
	f := &stuck{free: make(chan struct{})}
	w, err := record.NewSlow(f, record.Header{Data: true}, 100<<10)
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan error, 1)
	w.OnStop(func(err error) { told <- err })
	s := lossy()
	s.Assocs[0].A.Messages = 3000
	r := sim.Run(1, s, sim.Options{Record: func(host string, _ int) stack.Recorder {
		if host == "A" {
			return w.Shard
		}
		return nil
	}})
	if r.Err != nil {
		t.Fatal(r.Err) // it ran to its end, and nothing was written
	}
	close(f.free)
	if err := <-told; !errors.Is(err, record.ErrBehind) {
		t.Error(err)
	}
	if err := w.Close(); !errors.Is(err, record.ErrBehind) || !errors.Is(w.Err(), record.ErrBehind) {
		t.Error(err)
	}
	file, err := record.Parse(f.Bytes())
	if err != nil || file.Damage != "" || !strings.Contains(file.Stopped, "too slow") {
		t.Fatalf("%v, %+v", err, file)
	}
	p, err := play(f.Bytes(), nil, nil)
	if err != nil || p.Calls < 50 {
		t.Errorf("%d calls, %v", p.Calls, err)
	}
}

// full is a file on a disk that has that much room.
type full struct {
	memory
	room int
}

func (f *full) Write(p []byte) (int, error) {
	if f.room < len(p) {
		return 0, io.ErrShortWrite
	}
	f.room -= len(p)
	return f.memory.Write(p)
}

// TestFullDisk: the error comes out of Close, and what was written is good.
func TestFullDisk(t *testing.T) {
	f := &full{room: 100 << 10}
	w, err := record.NewWriter(f, record.Header{})
	if err != nil {
		t.Fatal(err)
	}
	s := lossy()
	s.Assocs[0].A.Messages = 3000
	r := sim.Run(1, s, sim.Options{Record: func(host string, _ int) stack.Recorder {
		if host == "A" {
			return w.Shard
		}
		return nil
	}})
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	if err := w.Close(); !errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
	file, err := record.Parse(f.Bytes())
	if err != nil || !strings.Contains(file.Damage, "no end") {
		t.Fatalf("%v, %+v", err, file)
	}
	if p, err := play(f.Bytes(), nil, nil); err != nil || p.Calls < 100 {
		t.Errorf("%d calls, %v", p.Calls, err)
	}
	if _, err := record.NewWriter(&full{}, record.Header{}); err == nil {
		t.Error("a file that takes nothing")
	}
}
