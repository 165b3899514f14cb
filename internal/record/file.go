package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/gosctp/gosctp/stack/decision"
)

// File is a recording that was read.
type File struct {
	Header Header
	Dumps  []decision.Dump
	// Stopped says why the recorder stopped early, "" if it did not.
	Stopped string
	// Damage says where the file ends before its time, "" if it does not: what
	// is in front of that is good.
	Damage string

	shards [256]*bytes.Buffer
}

// Open reads a file.
func Open(path string) (*File, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Parse reads the contents of a file. A file that was cut off or damaged gives
// what is good of it; only one that is none of ours is an error.
func Parse(b []byte) (*File, error) {
	if len(b) < len(magic) || string(b[:len(magic)-1]) != magic[:len(magic)-1] {
		return nil, ErrFormat
	}
	if v := b[len(magic)-1]; v != magic[len(magic)-1] {
		return nil, fmt.Errorf("%w: version %d of the format, this program reads %d", ErrFormat, v, magic[len(magic)-1])
	}
	size := len(b)
	b = b[len(magic):]
	f := new(File)
	var seqs [256]uint32
	ended := false
	for first := true; len(b) > 0; first = false {
		bl, rest, err := cutBlock(b)
		if err != nil {
			f.damaged("%v, at byte %d", err, size-len(b))
			break
		}
		if first != (bl.kind == blockHeader) {
			f.damaged("no header at the beginning, or another one at byte %d", size-len(b))
			break
		}
		switch bl.kind {
		case blockHeader:
			if err := json.Unmarshal(bl.payload, &f.Header); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrFormat, err)
			}
		case blockInput:
			if bl.seq != seqs[bl.shard] {
				f.damaged("block %d of shard %d where %d should be, at byte %d", bl.seq, bl.shard, seqs[bl.shard], size-len(b))
				return f, nil
			}
			seqs[bl.shard]++
			if f.shards[bl.shard] == nil {
				f.shards[bl.shard] = new(bytes.Buffer)
			}
			f.shards[bl.shard].Write(bl.payload)
		case blockStop:
			f.Stopped = string(bl.payload)
			ended = true
		case blockEnd:
			ended = true
		case blockDump:
			d, err := parseDump(bl.payload)
			if err != nil {
				f.damaged("%v", err)
			} else {
				f.Dumps = append(f.Dumps, d)
			}
		}
		b = rest
	}
	if !ended && f.Damage == "" && len(f.Dumps) == 0 {
		f.damaged("it has no end: the program was killed, or still runs")
	}
	return f, nil
}

func (f *File) damaged(format string, args ...any) {
	if f.Damage == "" {
		f.Damage = fmt.Sprintf(format, args...)
	}
}

// dumpHeader is what a dump has beside its steps.
type dumpHeader struct {
	ID     uint32 `json:"id"`
	Config string `json:"config"`
	Panic  string `json:"panic,omitempty"`
}

// AppendDump appends a file that holds the last steps of an association.
func AppendDump(b []byte, h Header, d decision.Dump) ([]byte, error) {
	if h.Build == "" {
		h.Build = build()
	}
	dh := dumpHeader{ID: d.ID, Panic: d.Panic}
	if d.Config != nil {
		dh.Config = configText(d.Config)
	}
	j, err := json.Marshal(dh)
	if err != nil {
		return nil, err
	}
	payload := append(append(j, 0), d.Steps...)
	return appendBlock(appendHeader(b, h), blockDump, 0, 0, payload), nil
}

func parseDump(p []byte) (d decision.Dump, err error) {
	j, steps, ok := bytes.Cut(p, []byte{0})
	var h dumpHeader
	if err := json.Unmarshal(j, &h); err != nil || !ok {
		return d, fmt.Errorf("%w: a dump without its header", ErrFormat)
	}
	cfg, _, err := parseConfig(h.Config)
	return decision.Dump{ID: h.ID, Config: cfg, Panic: h.Panic, Steps: steps}, err
}
