package record

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// magic begins each file; its last byte is the version of the format.
const magic = "\x89SCTPLOG\r\n\x1a\x01"

// Kinds of block.
const (
	blockHeader = 1 + iota // JSON of Header
	blockInput             // records of a shard
	blockStop              // why recording stopped before its time
	blockEnd               // the recorder was closed
	blockDump              // JSON of dumpHeader, a zero byte, the steps
)

// A block is its header and its payload:
//
//	length (4), kind (1), shard (1), zero (2), number of the shard's blocks
//	before it (4), CRC32c of all that and of the payload (4)
const (
	blockHeaderLen = 16
	maxBlock       = 1 << 26
)

var (
	le         = binary.LittleEndian
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// Header says what was recorded.
type Header struct {
	Program string    `json:"program,omitempty"`
	Build   string    `json:"build,omitempty"` // of the program that recorded
	Host    string    `json:"host,omitempty"`  // the stack's name, where there are several
	Wall    time.Time `json:"wall,omitzero"`   // when Now was on the stack's clock
	Now     int64     `json:"now"`
	Data    bool      `json:"data"` // user data is in the log; else zeros are in its place
}

// ErrFormat says that a file is none of ours, or damaged.
var ErrFormat = errors.New("sctp: not a recording")

func appendBlock(b []byte, kind, shard byte, seq uint32, payload []byte) []byte {
	start := len(b)
	b = le.AppendUint32(b, uint32(len(payload)))
	b = append(b, kind, shard, 0, 0)
	b = le.AppendUint32(b, seq)
	sum := crc32.Update(crc32.Checksum(b[start:], castagnoli), castagnoli, payload)
	b = le.AppendUint32(b, sum)
	return append(b, payload...)
}

type block struct {
	kind, shard byte
	seq         uint32
	payload     []byte
}

// errCut says that the file ends within a block.
var errCut = errors.New("cut off")

// cutBlock takes a block off the front of b. The error wraps errCut if there is
// less of it than it says.
func cutBlock(b []byte) (bl block, rest []byte, err error) {
	if len(b) < blockHeaderLen {
		return bl, nil, fmt.Errorf("%w in a block's header", errCut)
	}
	n := le.Uint32(b)
	if n > maxBlock {
		return bl, nil, fmt.Errorf("a block of %d bytes", n)
	}
	end := blockHeaderLen + int(n)
	if len(b) < end {
		return bl, nil, fmt.Errorf("%w in a block, %d of %d bytes are there", errCut, len(b)-blockHeaderLen, n)
	}
	sum := crc32.Update(crc32.Checksum(b[:12], castagnoli), castagnoli, b[blockHeaderLen:end])
	if sum != le.Uint32(b[12:]) {
		return bl, nil, errors.New("a block with a bad checksum")
	}
	return block{b[4], b[5], le.Uint32(b[8:]), b[blockHeaderLen:end]}, b[end:], nil
}

func appendHeader(b []byte, h Header) []byte {
	j, err := json.Marshal(h)
	if err != nil {
		panic(err) // numbers and strings
	}
	return appendBlock(append(b, magic...), blockHeader, 0, 0, j)
}
