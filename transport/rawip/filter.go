package rawip

import (
	"slices"

	"golang.org/x/net/bpf"
)

// A filter is the set of destination ports that a socket wants: single ones,
// and blocks of 256 (named by their upper byte).
type filter struct {
	ports  []uint16
	blocks []uint8
	invert bool // all but these
}

const (
	maxSingles = 3000 // more would come near the kernel's 4,096 instructions
	group      = 200  // tests that share a return: jumps reach 255 instructions
	acceptAll  = 1 << 18
)

// fold returns a coarser filter, which accepts more, in far fewer
// instructions: each port's whole block. Who reads the socket knows its ports.
// An inverted filter may not lose packets either: it accepts all.
func (f filter) fold() filter {
	if f.invert {
		return filter{invert: true}
	}
	blocks := slices.Clone(f.blocks)
	for _, p := range f.ports {
		blocks = append(blocks, uint8(p>>8))
	}
	slices.Sort(blocks)
	return filter{blocks: slices.Compact(blocks)}
}

// program returns the filter for raw sockets of a family. The kernel shows it
// IPv4 packets with their IP header, and IPv6 packets without. Packets that
// were sent to a link-layer broadcast or multicast address are dropped: they
// must not be answered.
func (f filter) program(v6 bool) []bpf.Instruction {
	const broadcast, multicast = 1, 2
	head := []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: broadcast, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: multicast, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
	}
	return append(head, f.body(v6)...)
}

func (f filter) body(v6 bool) []bpf.Instruction {
	match, miss := bpf.RetConstant{Val: acceptAll}, bpf.RetConstant{Val: 0}
	if f.invert {
		match, miss = miss, match
	}
	var prog []bpf.Instruction
	if v6 {
		prog = append(prog, bpf.LoadAbsolute{Off: 2, Size: 2})
	} else {
		prog = append(prog, bpf.LoadMemShift{Off: 0}, bpf.LoadIndirect{Off: 2, Size: 2})
	}
	values := make([]uint32, len(f.ports))
	for i, p := range f.ports {
		values[i] = uint32(p)
	}
	prog = anyOf(prog, values, match)
	if len(f.blocks) > 0 {
		values = values[:0]
		for _, b := range f.blocks {
			values = append(values, uint32(b)<<8)
		}
		prog = append(prog, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xff00})
		prog = anyOf(prog, values, match)
	}
	return append(prog, miss)
}

// anyOf appends tests of the accumulator that return match for one of values.
func anyOf(prog []bpf.Instruction, values []uint32, match bpf.Instruction) []bpf.Instruction {
	for g := range slices.Chunk(values, group) {
		for i, v := range g {
			prog = append(prog, bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipTrue: uint8(len(g) - i)})
		}
		prog = append(prog, bpf.Jump{Skip: 1}, match)
	}
	return prog
}
