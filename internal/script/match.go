package script

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gosctp/gosctp/chunk"
)

// What came, against what was expected.

// match compares one chunk. What the script does not mention may be anything,
// but for lists and bits that would hide a fault: Gap Ack Blocks and
// duplicates of a SACK, the T bit, causes beside those that are named, and the
// flags of chunks that have none.
func (c *chunkSpec) match(e env, got chunk.Chunk) error {
	if c.name == "CHUNK" {
		if chunkName(got.Type()) != "CHUNK" {
			return fmt.Errorf("expected an unknown chunk, came %s", chunkName(got.Type()))
		}
	} else if got.Type() != c.typ {
		return fmt.Errorf("expected %s, came %s", c.name, describe(e, got))
	}
	have := facets(got)
	used := make([]bool, len(have))
	take := func(name string) *field {
		for i := range have {
			if have[i].name == name && !used[i] {
				used[i] = true
				return &have[i]
			}
		}
		return nil
	}
	for _, f := range c.fields {
		g := take(f.name)
		switch {
		case f.absent && g != nil:
			return fmt.Errorf("%s: expected no %s, came %v", c.name, f.name, g)
		case f.absent:
		case g == nil:
			return fmt.Errorf("%s: expected %v, which is not in %s", c.name, f, describe(e, got))
		case f.has:
			if f.name == "param" || f.name == "address" || f.name == "unrecognized" {
				if err := anyOf(e, f, g, have, used); err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
				continue
			}
			if err := e.match(f.val, g.val); err != nil {
				return fmt.Errorf("%s: %s: %w", c.name, f.name, err)
			}
		}
	}
	return c.strict(got, have, used)
}

// anyOf looks for a parameter of which there may be several, in any order. g is
// the first, which is taken already.
func anyOf(e env, f field, g *field, have []field, used []bool) error {
	first := e.match(f.val, g.val)
	if first == nil {
		return nil
	}
	for i := range have {
		if &have[i] == g {
			used[i] = false
		}
	}
	for i := range have {
		if have[i].name == f.name && !used[i] && e.match(f.val, have[i].val) == nil {
			used[i] = true
			return nil
		}
	}
	return fmt.Errorf("%s: %w", f.name, first)
}

func (c *chunkSpec) strict(got chunk.Chunk, have []field, used []bool) error {
	causes := false
	for _, f := range c.fields {
		_, known := causeNames[f.name]
		causes = causes || known || f.name == "cause"
	}
	for i, g := range have {
		if used[i] {
			continue
		}
		_, cause := causeNames[g.name]
		switch {
		case g.name == "gap", g.name == "dup", g.name == "T", (cause || g.name == "cause") && causes:
			return fmt.Errorf("%s: unexpected %v", c.name, g)
		}
	}
	switch c.typ {
	case chunk.TypeData, chunk.TypeAbort, chunk.TypeShutdownComplete:
	default:
		if got.Flags() != 0 && c.name != "CHUNK" && c.find("flags") == nil {
			return fmt.Errorf("%s: flags %#x, and it has none", c.name, got.Flags())
		}
	}
	return nil
}

// describe returns a chunk as a script would have it, TSNs relative to the
// Initial TSNs.
func describe(e env, c chunk.Chunk) string {
	var l []string
	for _, f := range facets(c) {
		switch f.name {
		case "tsn", "cum", "dup":
			if c.Type() != chunk.TypeInit && c.Type() != chunk.TypeInitAck {
				f.val = e.relative(f.val)
			}
		case "len", "size":
			continue
		case "body":
			if chunkName(c.Type()) != "CHUNK" {
				continue
			}
		case "flags":
			switch {
			case c.Type() == chunk.TypeData:
				s := ""
				for i, n := range "EBUI" {
					if c.Flags()&(1<<i) != 0 {
						s += string(n)
					}
				}
				f.val = value{kind: wordValue, name: s}
				if s == "" {
					f.val = num(0)
				}
			case c.Flags() == 0, c.Type() == chunk.TypeAbort, c.Type() == chunk.TypeShutdownComplete:
				continue
			}
		case "tag":
			l = append(l, fmt.Sprintf("tag=%#x", f.val.num))
			continue
		}
		l = append(l, f.String())
	}
	if len(l) == 0 {
		return chunkName(c.Type())
	}
	return chunkName(c.Type()) + "[" + strings.Join(l, ", ") + "]"
}

// relative returns a TSN as $stsn or $ptsn with an offset if it is near.
func (e env) relative(v value) value {
	for _, name := range []string{varStackTSN, varPeerTSN} {
		first, ok := e[name]
		if d := int32(uint32(v.num - first.num)); ok && first.kind == numValue && d >= -1000 && d <= 100000 {
			return value{kind: varValue, name: name, offset: int64(d)}
		}
	}
	return v
}

// split takes a packet apart and checks what must hold of every packet that the
// stack sends.
func split(packet []byte) ([]chunk.Chunk, error) {
	if _, e := chunk.ParseHeader(packet); e != chunk.ErrNone {
		return nil, errors.New("no common header")
	}
	if !chunk.VerifyChecksum(packet) {
		return nil, errors.New("a wrong checksum")
	}
	body := packet[chunk.HeaderLen:]
	if len(body)%4 != 0 {
		return nil, fmt.Errorf("a packet of %d bytes: no multiple of 4", len(packet))
	}
	var l []chunk.Chunk
	w := chunk.Walk(body)
	for {
		c, ok := w.Next()
		if !ok {
			break
		}
		l = append(l, c)
		for _, b := range body[w.Offset()+len(c) : w.Offset()+chunk.Padded(len(c))] {
			if b != 0 {
				return nil, fmt.Errorf("padding behind %s that is not zero", chunkName(c.Type()))
			}
		}
	}
	if w.Err() != chunk.ErrNone || len(l) == 0 {
		return nil, fmt.Errorf("a malformed packet: %v", w.Err())
	}
	return l, nil
}

// describePacket returns a packet's chunks as a script would have them.
func describePacket(e env, packet []byte) string {
	l, err := split(packet)
	if err != nil {
		return err.Error()
	}
	var s []string
	for _, c := range l {
		s = append(s, describe(e, c))
	}
	h, _ := chunk.ParseHeader(packet)
	return strings.Join(s, "; ") + fmt.Sprintf(" tag=%#x", uint32(h.VTag))
}
