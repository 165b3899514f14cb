package script

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/gosctp/gosctp/chunk"
)

// What chunks are called here, and which fields they have.

// field is a field of a chunk or packet as the script has it.
type field struct {
	name   string
	val    value
	has    bool // a value; else the name alone
	absent bool // !name
}

// String returns the field as a script has it.
func (f field) String() string {
	switch {
	case f.absent:
		return "!" + f.name
	case f.has:
		return f.name + "=" + f.val.String()
	}
	return f.name
}

// chunkSpec is a chunk as the script has it.
type chunkSpec struct {
	typ    chunk.Type
	name   string
	fields []field
}

func (c *chunkSpec) find(name string) *field {
	for i := range c.fields {
		if c.fields[i].name == name {
			return &c.fields[i]
		}
	}
	return nil
}

// The fields of each chunk, beside flags, len and body, which all have.
var chunkFields = []struct {
	name   string
	typ    chunk.Type
	fields string
}{
	{"DATA", chunk.TypeData, "tsn stream ssn ppid data size"},
	{"INIT", chunk.TypeInit, "tag a_rwnd os mis tsn " + paramFields},
	{"INIT_ACK", chunk.TypeInitAck, "tag a_rwnd os mis tsn " + paramFields},
	{"SACK", chunk.TypeSack, "cum a_rwnd gap dup"},
	{"HEARTBEAT", chunk.TypeHeartbeat, "info"},
	{"HEARTBEAT_ACK", chunk.TypeHeartbeatAck, "info"},
	{"ABORT", chunk.TypeAbort, "T " + causeFields},
	{"SHUTDOWN", chunk.TypeShutdown, "cum"},
	{"SHUTDOWN_ACK", chunk.TypeShutdownAck, ""},
	{"ERROR", chunk.TypeError, causeFields},
	{"COOKIE_ECHO", chunk.TypeCookieEcho, "cookie"},
	{"COOKIE_ACK", chunk.TypeCookieAck, ""},
	{"SHUTDOWN_COMPLETE", chunk.TypeShutdownComplete, "T"},
	{"CHUNK", 0xFE, "type"},
}

const (
	paramFields = "address cookie preservative types hostname ecn unrecognized param"
	causeFields = "invalid_stream missing_params stale_cookie out_of_resource unresolvable_address " +
		"unrecognized_chunk invalid_mandatory unrecognized_params no_user_data cookie_in_shutdown " +
		"restart_new_addresses user_abort protocol_violation cause"
)

func fieldsOf(name string) ([]string, chunk.Type, bool) {
	for _, c := range chunkFields {
		if c.name == name {
			return append(strings.Fields(c.fields), "flags", "len", "body"), c.typ, true
		}
	}
	return nil, 0, false
}

func chunkName(t chunk.Type) string {
	for _, c := range chunkFields {
		if c.typ == t && c.name != "CHUNK" {
			return c.name
		}
	}
	return "CHUNK"
}

var causeNames = map[string]chunk.CauseCode{
	"invalid_stream": chunk.CauseInvalidStream, "missing_params": chunk.CauseMissingParam,
	"stale_cookie": chunk.CauseStaleCookie, "out_of_resource": chunk.CauseOutOfResource,
	"unresolvable_address": chunk.CauseUnresolvableAddr, "unrecognized_chunk": chunk.CauseUnrecognizedChunk,
	"invalid_mandatory": chunk.CauseInvalidMandatory, "unrecognized_params": chunk.CauseUnrecognizedParams,
	"no_user_data": chunk.CauseNoUserData, "cookie_in_shutdown": chunk.CauseCookieInShutdown,
	"restart_new_addresses": chunk.CauseRestartNewAddrs, "user_abort": chunk.CauseUserAbort,
	"protocol_violation": chunk.CauseProtocolViolation,
}

func causeName(c chunk.CauseCode) string {
	for n, code := range causeNames {
		if code == c {
			return n
		}
	}
	return "cause"
}

// chunks reads a list of chunks, and then what belongs to the packet.
func (p *parser) packet(known []string) (cs []chunkSpec, opts []field, err error) {
	for {
		c, err := p.chunk()
		if err != nil {
			return nil, nil, err
		}
		cs = append(cs, c)
		if !p.is(";") {
			break
		}
	}
	opts, err = p.options(known)
	return cs, opts, err
}

// chunk reads NAME or NAME[field, ...].
func (p *parser) chunk() (chunkSpec, error) {
	name, err := p.atom("a chunk's name")
	if err != nil {
		return chunkSpec{}, err
	}
	known, typ, ok := fieldsOf(name)
	if !ok {
		var all []string
		for _, c := range chunkFields {
			all = append(all, c.name)
		}
		return chunkSpec{}, fmt.Errorf("expected a chunk's name (%s), found '%s'", strings.Join(all, ", "), name)
	}
	c := chunkSpec{typ: typ, name: name}
	if !p.is("[") || p.is("]") {
		return c, nil
	}
	for {
		f, err := p.field(known, name == "DATA")
		if err != nil {
			return c, fmt.Errorf("%s: %w", name, err)
		}
		c.fields = append(c.fields, f)
		if !p.is(",") {
			return c, p.want("]")
		}
	}
}

// field reads name, name=value, !name, or for DATA a string alone.
func (p *parser) field(known []string, data bool) (field, error) {
	if data && p.peek().kind == tokString {
		return field{name: "data", val: value{kind: bytesValue, bytes: []byte(p.next().text)}, has: true}, nil
	}
	f := field{absent: p.is("!")}
	var err error
	if f.name, err = p.atom("a field"); err != nil {
		return f, err
	}
	if !slices.Contains(known, f.name) {
		return f, fmt.Errorf("expected one of %s, found '%s'", strings.Join(known, ", "), f.name)
	}
	if f.absent || !p.is("=") {
		return f, nil
	}
	f.has = true
	if f.val, err = p.value(0); err != nil {
		return f, err
	}
	f.val, err = named(f.name, f.val)
	return f, err
}

// options reads name=value ... up to the end of the line.
func (p *parser) options(known []string) ([]field, error) {
	var l []field
	for p.peek().kind != tokEnd {
		f, err := p.field(known, false)
		if err != nil {
			return nil, err
		}
		l = append(l, f)
	}
	return l, nil
}

// named replaces words by the numbers that they stand for.
func named(name string, v value) (value, error) {
	if v.kind == listValue || v.kind == notValue {
		v.list = slices.Clone(v.list)
		for i, e := range v.list {
			var err error
			if v.list[i], err = named(name, e); err != nil {
				return v, err
			}
		}
		return v, nil
	}
	if v.kind != wordValue {
		return v, nil
	}
	switch name {
	case "flags":
		var n uint8
		for _, c := range v.name {
			i := strings.IndexRune("EBUI", c)
			if i < 0 {
				return v, fmt.Errorf("expected flags out of B, E, U and I, found '%s'", v.name)
			}
			n |= 1 << i
		}
		return num(n), nil
	case "types":
		for _, t := range []chunk.ParamType{chunk.ParamIPv4, chunk.ParamIPv6, chunk.ParamHostName} {
			if v.name == typeWords[t] {
				return num(int(t)), nil
			}
		}
		return v, fmt.Errorf("expected ipv4, ipv6, hostname or a number, found '%s'", v.name)
	case "cause":
		if c, ok := causeNames[v.name]; ok {
			return num(int(c)), nil
		}
		return v, fmt.Errorf("expected a cause's name or number, found '%s'", v.name)
	}
	return v, nil
}

var typeWords = map[chunk.ParamType]string{chunk.ParamIPv4: "ipv4", chunk.ParamIPv6: "ipv6", chunk.ParamHostName: "hostname"}

// facets takes a chunk apart into the fields that a script would give it.
func facets(c chunk.Chunk) []field {
	var l []field
	add := func(name string, v value) { l = append(l, field{name: name, val: v, has: true}) }
	bare := func(name string) { l = append(l, field{name: name}) }
	switch c.Type() {
	case chunk.TypeData:
		if d, e := chunk.ParseData(c); e == chunk.ErrNone {
			add("tsn", num(uint32(d.TSN)))
			add("stream", num(uint16(d.Stream)))
			add("ssn", num(uint16(d.SSN)))
			add("ppid", num(uint32(d.PPID)))
			add("size", num(len(d.Payload)))
			add("data", raw(d.Payload))
		}
	case chunk.TypeInit, chunk.TypeInitAck:
		if in, e := chunk.ParseInit(c); e == chunk.ErrNone {
			add("tag", num(uint32(in.Tag)))
			add("a_rwnd", num(in.ARwnd))
			add("os", num(in.OS))
			add("mis", num(in.MIS))
			add("tsn", num(uint32(in.TSN)))
			l = append(l, paramFacets(in.Params)...)
		}
	case chunk.TypeSack:
		if s, e := chunk.ParseSack(c); e == chunk.ErrNone {
			add("cum", num(uint32(s.CumTSN)))
			add("a_rwnd", num(s.ARwnd))
			for i := range s.NumGaps() {
				lo, hi := s.Gap(i)
				add("gap", value{kind: rangeValue, num: uint64(lo), hi: uint64(hi)})
			}
			for i := range s.NumDups() {
				add("dup", num(uint32(s.Dup(i))))
			}
		}
	case chunk.TypeHeartbeat, chunk.TypeHeartbeatAck:
		if p, e := chunk.ParseHeartbeat(c); e == chunk.ErrNone {
			add("info", raw(p.Body()))
		}
	case chunk.TypeAbort, chunk.TypeShutdownComplete:
		if c.Flags()&chunk.FlagT != 0 {
			bare("T")
		}
		if c.Type() == chunk.TypeAbort {
			l = append(l, causeFacets(chunk.Causes(c.Body()))...)
		}
	case chunk.TypeError:
		l = append(l, causeFacets(chunk.Causes(c.Body()))...)
	case chunk.TypeShutdown:
		if cum, e := chunk.ParseShutdown(c); e == chunk.ErrNone {
			add("cum", num(uint32(cum)))
		}
	case chunk.TypeCookieEcho:
		add("cookie", raw(c.Body()))
	default:
		if chunkName(c.Type()) == "CHUNK" {
			add("type", num(uint8(c.Type())))
		}
	}
	add("flags", num(c.Flags()))
	add("len", num(c.Len()))
	add("body", raw(c.Body()))
	return l
}

func typed(p chunk.Param) value {
	return value{kind: listValue, list: []value{num(int(p.Type())), raw(p.Body())}}
}

func paramFacets(ps chunk.Params) []field {
	var l []field
	w := ps.Walk()
	for {
		p, ok := w.Next()
		if !ok {
			return l
		}
		f := field{name: "param", val: typed(p), has: true}
		switch p.Type() {
		case chunk.ParamIPv4, chunk.ParamIPv6:
			if a, ok := netip.AddrFromSlice(p.Body()); ok {
				f.name, f.val = "address", value{kind: addrValue, addr: a}
			}
		case chunk.ParamStateCookie:
			f.name, f.val = "cookie", raw(p.Body())
		case chunk.ParamHostName:
			f.name, f.val = "hostname", raw(p.Body())
		case chunk.ParamECN:
			f = field{name: "ecn"}
		case chunk.ParamUnrecognized:
			if len(p.Body()) >= chunk.ParamHeaderLen {
				f.name, f.val = "unrecognized", typed(chunk.Param(p.Body()))
			}
		case chunk.ParamCookiePreservative:
			if b := p.Body(); len(b) == 4 {
				f.name, f.val = "preservative", num(be32(b))
			}
		case chunk.ParamSupportedAddrTypes:
			f.name, f.val = "types", value{kind: listValue}
			for b := p.Body(); len(b) >= 2; b = b[2:] {
				f.val.list = append(f.val.list, num(uint16(b[0])<<8|uint16(b[1])))
			}
		}
		l = append(l, f)
	}
}

func be32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

func causeFacets(cs chunk.Causes) []field {
	var l []field
	w := cs.Walk()
	for {
		c, ok := w.Next()
		if !ok {
			return l
		}
		f := field{name: causeName(c.Code()), val: raw(c.Body()), has: true}
		switch c.Code() {
		case chunk.CauseInvalidStream:
			if s, e := c.InvalidStream(); e == chunk.ErrNone {
				f.val = num(uint16(s))
			}
		case chunk.CauseMissingParam:
			if n, e := c.MissingParams(); e == chunk.ErrNone {
				f.val = value{kind: listValue}
				for i := range n {
					f.val.list = append(f.val.list, num(uint16(c.MissingParam(i))))
				}
			}
		case chunk.CauseStaleCookie, chunk.CauseNoUserData:
			if len(c.Body()) == 4 {
				f.val = num(be32(c.Body()))
			}
		case chunk.CauseOutOfResource, chunk.CauseInvalidMandatory, chunk.CauseCookieInShutdown:
			if len(c.Body()) == 0 {
				f = field{name: f.name}
			}
		case chunk.CauseUnrecognizedParams:
			f.val = value{kind: listValue}
			for _, q := range paramList(c.Body()) {
				f.val.list = append(f.val.list, typed(q))
			}
		case chunk.CauseRestartNewAddrs:
			f.val = value{kind: listValue}
			for _, q := range paramFacets(c.Body()) {
				f.val.list = append(f.val.list, q.val)
			}
		default:
			if f.name == "cause" {
				f.val = value{kind: listValue, list: []value{num(uint16(c.Code())), f.val}}
			}
		}
		l = append(l, f)
	}
}

func paramList(ps chunk.Params) (l []chunk.Param) {
	for w := ps.Walk(); ; {
		p, ok := w.Next()
		if !ok {
			return l
		}
		l = append(l, p)
	}
}
