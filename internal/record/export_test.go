package record

import "io"

// NewSlow is NewWriter with another bound on what may wait.
var NewSlow = newWriter

// Rewrite passes the payload of each block of records through f, and makes the
// checksums fit again.
func Rewrite(file []byte, f func(payload []byte) []byte) []byte {
	out := append([]byte(nil), file[:len(magic)]...)
	rest := file[len(magic):]
	for len(rest) > 0 {
		bl, r, err := cutBlock(rest)
		if err != nil {
			panic(err)
		}
		p := bl.payload
		if bl.kind == blockInput {
			p = f(append([]byte(nil), p...))
		}
		out = appendBlock(out, bl.kind, bl.shard, bl.seq, p)
		rest = r
	}
	return out
}

// Framed is a file with the records in payload.
func Framed(payload []byte, data bool) []byte {
	b := appendHeader(nil, Header{Data: data})
	b = appendBlock(b, blockInput, 0, 0, payload)
	return appendBlock(b, blockEnd, 0, 0, nil)
}

// Read reads at most limit bytes of a recording.
func Read(r io.Reader, size, limit int64) ([]byte, error) { return read(r, size, limit) }
