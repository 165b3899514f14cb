package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"

	"github.com/gosctp/gosctp/stack/decision"
)

// File is a recording that was read.
type File struct {
	Header Header
	Dumps  []decision.Dump
	// Stopped says why the recorder stopped early, "" if it did not.
	Stopped string
	// Damage says where the file is damaged, or ends before its time, "" if
	// neither: what is in front of that is good.
	Damage string
	// Cut tells that Damage is a missing end only: the recorder was killed, or
	// still runs, or the file was cut off.
	Cut bool

	shards [256]*bytes.Buffer
}

// A recording is read as a whole: this bounds it, in bytes.
const (
	maxFile int64 = min(8<<30, math.MaxInt/2)
	maxPipe int64 = 1 << 30 // of one that does not tell its size
)

// ErrSize says that a file is larger than a recording may be.
var ErrSize = errors.New("sctp: too large for a recording")

// Open reads a regular file or a pipe.
func Open(path string) (*File, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	st, err := r.Stat()
	if err != nil {
		return nil, err
	}
	var b []byte
	switch mode := st.Mode(); {
	case mode.IsRegular() && st.Size() > maxFile:
		err = fmt.Errorf("%w: more than %d bytes", ErrSize, maxFile)
	case mode.IsRegular():
		b, err = read(io.LimitReader(r, st.Size()), st.Size(), maxFile) // it may still grow
	case mode&fs.ModeNamedPipe != 0:
		b, err = read(r, 0, maxPipe)
	default:
		err = fmt.Errorf("%w: neither a file nor a pipe", ErrFormat)
	}
	var f *File
	if err == nil {
		f, err = Parse(b)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// read reads at most limit bytes, of which size are expected, but no more than
// the magic of what is not a recording.
func read(r io.Reader, size, limit int64) ([]byte, error) {
	head := make([]byte, len(magic))
	if n, err := io.ReadFull(r, head); err == io.EOF || err == io.ErrUnexpectedEOF {
		head = head[:n]
	} else if err != nil {
		return nil, err
	}
	if err := checkMagic(head); err != nil {
		return nil, err
	}
	b := bytes.NewBuffer(head)
	b.Grow(int(size) + bytes.MinRead)
	if _, err := b.ReadFrom(io.LimitReader(r, limit+1-int64(len(head)))); err != nil {
		return nil, err
	}
	if int64(b.Len()) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrSize, limit)
	}
	return b.Bytes(), nil
}

func checkMagic(b []byte) error {
	if len(b) < len(magic) || string(b[:len(magic)-1]) != magic[:len(magic)-1] {
		return ErrFormat
	}
	if v := b[len(magic)-1]; v != magic[len(magic)-1] {
		return fmt.Errorf("%w: version %d of the format, this program reads %d", ErrFormat, v, magic[len(magic)-1])
	}
	return nil
}

// Parse reads the contents of a file. A file that was cut off or damaged gives
// what is good of it; only one that is none of ours is an error.
func Parse(b []byte) (*File, error) {
	if err := checkMagic(b); err != nil {
		return nil, err
	}
	size := len(b)
	whole := bytes.HasSuffix(b, appendBlock(nil, blockEnd, 0, 0, nil))
	b = b[len(magic):]
	f := new(File)
	var seqs [256]uint32
	ended := false
	for first := true; len(b) > 0; first = false {
		bl, rest, err := cutBlock(b)
		if err != nil {
			// With its end there nothing was cut off: the length is damaged.
			f.Cut = errors.Is(err, errCut) && !whole
			f.damaged("at byte %d: %v", size-len(b), err)
			break
		}
		if first != (bl.kind == blockHeader) {
			f.damaged("at byte %d: no header at the beginning, or another one", size-len(b))
			break
		}
		switch bl.kind {
		case blockHeader:
			if err := json.Unmarshal(bl.payload, &f.Header); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrFormat, err)
			}
		case blockInput:
			if bl.seq != seqs[bl.shard] {
				f.damaged("at byte %d: block %d of shard %d where %d should be", size-len(b), bl.seq, bl.shard, seqs[bl.shard])
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
				f.damaged("at byte %d: %v", size-len(b), err)
			} else {
				f.Dumps = append(f.Dumps, d)
			}
		}
		b = rest
	}
	if !ended && f.Damage == "" && len(f.Dumps) == 0 {
		f.Cut = true
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
