package script

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/gosctp/gosctp/chunk"
)

// From a chunk in a script to bytes. What is not said has a good value, so that
// a script shows only what matters.

// Names of variables that are there from the start, or set by what matched.
const (
	varPeerTag   = "ptag"   // the Initiate Tag of the peer, the script
	varPeerTSN   = "ptsn"   // its Initial TSN
	varStackTag  = "stag"   // the stack's, from its INIT or INIT ACK
	varStackTSN  = "stsn"   //
	varCookie    = "cookie" // from its INIT ACK
	varHeartbeat = "hbinfo" // from its last HEARTBEAT
)

// ref is a variable as a default.
func ref(name string) value { return value{kind: varValue, name: name} }

// maxFill bounds the sizes that a script may ask for.
const maxFill = 1 << 20

// pattern is user data of n bytes.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + i%26)
	}
	return b
}

// build encodes a chunk, padding included.
func (c *chunkSpec) build(e env) ([]byte, error) {
	b, err := c.encode(e)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	if f := c.find("body"); f != nil {
		body, err := e.bytes(f.val)
		if err != nil {
			return nil, err
		}
		var mark int
		b, mark = chunk.Begin(nil, chunk.Type(b[0]), b[1])
		b = chunk.End(append(b, body...), mark)
	}
	if len(b) == 0 {
		return nil, fmt.Errorf("%s: too long for a chunk", c.name)
	}
	if f := c.find("flags"); f != nil {
		n, err := e.num(f.val, 255)
		if err != nil {
			return nil, err
		}
		b[1] = byte(n)
	}
	if f := c.find("len"); f != nil {
		n, err := e.num(f.val, 65535)
		if err != nil {
			return nil, err
		}
		binary.BigEndian.PutUint16(b[2:], uint16(n))
	}
	return b, nil
}

// get returns a number, or its default.
func (c *chunkSpec) get(e env, name string, def value, max uint64) (uint64, error) {
	if f := c.find(name); f != nil {
		def = f.val
	}
	n, err := e.num(def, max)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return n, nil
}

func (c *chunkSpec) getBytes(e env, name string, def value) ([]byte, error) {
	if f := c.find(name); f != nil {
		def = f.val
	}
	b, err := e.bytes(def)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}

const (
	u8  = 1<<8 - 1
	u16 = 1<<16 - 1
	u32 = 1<<32 - 1
)

func (c *chunkSpec) encode(e env) ([]byte, error) {
	flagT := c.find("T") != nil
	switch c.typ {
	case chunk.TypeData:
		return c.data(e)
	case chunk.TypeInit, chunk.TypeInitAck:
		return c.init(e)
	case chunk.TypeSack:
		return c.sack(e)
	case chunk.TypeHeartbeat:
		info, err := c.getBytes(e, "info", raw([]byte("beat")))
		return chunk.AppendHeartbeat(nil, info), err
	case chunk.TypeHeartbeatAck:
		info, err := c.getBytes(e, "info", ref(varHeartbeat))
		return chunk.AppendHeartbeatAck(nil, chunk.Chunk(chunk.AppendHeartbeat(nil, info))), err
	case chunk.TypeAbort, chunk.TypeError:
		causes, err := c.causes(e)
		if err != nil {
			return nil, err
		}
		var flags uint8
		if flagT {
			flags = chunk.FlagT
		}
		b, mark := chunk.Begin(nil, c.typ, flags)
		return chunk.End(append(b, causes...), mark), nil
	case chunk.TypeShutdown:
		cum, err := c.get(e, "cum", value{kind: varValue, name: varStackTSN, offset: -1}, u32)
		return chunk.AppendShutdown(nil, chunk.TSN(cum)), err
	case chunk.TypeShutdownAck:
		return chunk.AppendShutdownAck(nil), nil
	case chunk.TypeCookieEcho:
		cookie, err := c.getBytes(e, "cookie", ref(varCookie))
		return chunk.AppendCookieEcho(nil, cookie), err
	case chunk.TypeCookieAck:
		return chunk.AppendCookieAck(nil), nil
	case chunk.TypeShutdownComplete:
		return chunk.AppendShutdownComplete(nil, flagT), nil
	}
	typ, err := c.get(e, "type", num(uint8(c.typ)), u8)
	if err != nil {
		return nil, err
	}
	b, mark := chunk.Begin(nil, chunk.Type(typ), 0)
	return chunk.End(b, mark), nil
}

func (c *chunkSpec) data(e env) ([]byte, error) {
	d := chunk.Data{Flags: chunk.FlagB | chunk.FlagE}
	for _, f := range []struct {
		name string
		def  value
		max  uint64
		set  func(uint64)
	}{
		{"tsn", ref(varPeerTSN), u32, func(n uint64) { d.TSN = chunk.TSN(n) }},
		{"stream", num(0), u16, func(n uint64) { d.Stream = chunk.StreamID(n) }},
		{"ssn", num(0), u16, func(n uint64) { d.SSN = chunk.SSN(n) }},
		{"ppid", num(0), u32, func(n uint64) { d.PPID = chunk.PPID(n) }},
	} {
		n, err := c.get(e, f.name, f.def, f.max)
		if err != nil {
			return nil, err
		}
		f.set(n)
	}
	var err error
	if c.find("size") != nil {
		n, err := c.get(e, "size", num(0), chunk.MaxDataLen)
		if err != nil {
			return nil, err
		}
		d.Payload = pattern(int(n))
	} else {
		d.Payload, err = c.getBytes(e, "data", raw([]byte("data")))
	}
	return chunk.AppendData(nil, d), err
}

func (c *chunkSpec) init(e env) ([]byte, error) {
	var in chunk.Init
	for _, f := range []struct {
		name string
		def  value
		max  uint64
		set  func(uint64)
	}{
		{"tag", ref(varPeerTag), u32, func(n uint64) { in.Tag = chunk.VTag(n) }},
		{"tsn", ref(varPeerTSN), u32, func(n uint64) { in.TSN = chunk.TSN(n) }},
		{"a_rwnd", num(65536), u32, func(n uint64) { in.ARwnd = uint32(n) }},
		{"os", num(10), u16, func(n uint64) { in.OS = uint16(n) }},
		{"mis", num(10), u16, func(n uint64) { in.MIS = uint16(n) }},
	} {
		n, err := c.get(e, f.name, f.def, f.max)
		if err != nil {
			return nil, err
		}
		f.set(n)
	}
	for _, f := range c.fields {
		b, err := f.param(e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		in.Params = append(in.Params, b...)
	}
	return chunk.AppendInit(nil, c.typ, in), nil
}

// param encodes a parameter of INIT or INIT ACK; other fields give nothing.
func (f *field) param(e env) ([]byte, error) {
	switch f.name {
	case "address":
		a, err := e.addr(f.val)
		return chunk.AppendAddrParam(nil, a), err
	case "cookie":
		b, err := e.bytes(f.val)
		return chunk.AppendCookieParam(nil, b), err
	case "preservative":
		n, err := e.num(f.val, u32)
		return chunk.AppendCookiePreservative(nil, uint32(n)), err
	case "hostname":
		b, err := e.bytes(f.val)
		return chunk.AppendParam(nil, chunk.ParamHostName, b), err
	case "ecn":
		return chunk.AppendParam(nil, chunk.ParamECN, nil), nil
	case "types":
		var body []byte
		for _, t := range list(f.val) {
			n, err := e.num(t, u16)
			if err != nil {
				return nil, err
			}
			body = binary.BigEndian.AppendUint16(body, uint16(n))
		}
		return chunk.AppendParam(nil, chunk.ParamSupportedAddrTypes, body), nil
	case "param":
		return e.typed(f.val)
	case "unrecognized":
		b, err := e.typed(f.val)
		if err != nil {
			return nil, err
		}
		return chunk.AppendUnrecognizedParam(nil, chunk.Param(b)), nil
	}
	return nil, nil
}

func list(v value) []value {
	if v.kind == listValue {
		return v.list
	}
	return []value{v}
}

// typed encodes {type, bytes} as a parameter.
func (e env) typed(v value) ([]byte, error) {
	if v.kind != listValue || len(v.list) != 2 {
		return nil, fmt.Errorf("expected {type, bytes}, found %v", v)
	}
	t, err := e.num(v.list[0], u16)
	if err != nil {
		return nil, err
	}
	b, err := e.bytes(v.list[1])
	if err != nil {
		return nil, err
	}
	if len(b) > chunk.MaxParamBody {
		return nil, fmt.Errorf("a parameter holds at most %d bytes", chunk.MaxParamBody)
	}
	return chunk.AppendParam(nil, chunk.ParamType(t), b), nil
}

func (c *chunkSpec) sack(e env) ([]byte, error) {
	cum, err := c.get(e, "cum", value{kind: varValue, name: varStackTSN, offset: -1}, u32)
	if err != nil {
		return nil, err
	}
	rwnd, err := c.get(e, "a_rwnd", num(65536), u32)
	if err != nil {
		return nil, err
	}
	var gaps []chunk.GapBlock
	var dups []chunk.TSN
	for _, f := range c.fields {
		switch f.name {
		case "gap":
			if f.val.kind != rangeValue || f.val.num > u16 || f.val.hi > u16 {
				return nil, fmt.Errorf("gap: expected a range such as 2-3, found %v", f.val)
			}
			gaps = append(gaps, chunk.GapBlock{Start: uint16(f.val.num), End: uint16(f.val.hi)})
		case "dup":
			n, err := e.num(f.val, u32)
			if err != nil {
				return nil, err
			}
			dups = append(dups, chunk.TSN(n))
		}
	}
	return chunk.AppendSack(nil, chunk.TSN(cum), uint32(rwnd), gaps, dups), nil
}

func (c *chunkSpec) causes(e env) (b []byte, err error) {
	for _, f := range c.fields {
		if b, err = f.cause(e, b); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return b, nil
}

func (f *field) cause(e env, b []byte) ([]byte, error) {
	code, known := causeNames[f.name]
	switch f.name {
	case "invalid_stream":
		n, err := e.num(f.val, u16)
		return chunk.AppendInvalidStream(b, chunk.StreamID(n)), err
	case "stale_cookie":
		n, err := e.num(f.val, u32)
		return chunk.AppendStaleCookie(b, uint32(n)), err
	case "no_user_data":
		n, err := e.num(f.val, u32)
		return chunk.AppendNoUserData(b, chunk.TSN(n)), err
	case "missing_params":
		var types []chunk.ParamType
		for _, t := range list(f.val) {
			n, err := e.num(t, u16)
			if err != nil {
				return nil, err
			}
			types = append(types, chunk.ParamType(n))
		}
		return chunk.AppendMissingParams(b, types...), nil
	case "unrecognized_params":
		b, mark := chunk.BeginCause(b, code)
		for _, q := range list(f.val) {
			p, err := e.typed(q)
			if err != nil {
				return nil, err
			}
			b = append(b, p...)
		}
		return chunk.EndCause(b, mark), nil
	case "restart_new_addresses":
		var addrs []netip.Addr
		for _, v := range list(f.val) {
			a, err := e.addr(v)
			if err != nil {
				return nil, err
			}
			addrs = append(addrs, a)
		}
		return chunk.AppendRestartNewAddrs(b, addrs...), nil
	case "cause":
		v := list(f.val)
		if len(v) != 1 && len(v) != 2 {
			return nil, fmt.Errorf("expected {code, bytes}, found %v", f.val)
		}
		n, err := e.num(v[0], u16)
		if err != nil {
			return nil, err
		}
		var info []byte
		if len(v) > 1 {
			if info, err = e.bytes(v[1]); err != nil {
				return nil, err
			}
		}
		return chunk.AppendCause(b, chunk.CauseCode(n), info), nil
	}
	if !known {
		return b, nil
	}
	var info []byte
	if f.has {
		var err error
		if info, err = e.bytes(f.val); err != nil {
			return nil, err
		}
	}
	return chunk.AppendCause(b, code, info), nil
}
