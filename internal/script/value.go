package script

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Values: what stands behind a field's =.

type valueKind uint8

const (
	numValue   valueKind = iota
	rangeValue           // lo-hi: a range of numbers, or a Gap Ack Block
	bytesValue
	addrValue
	listValue // {a, b}
	varValue  // $name, with an offset
	bindValue // ?name: any, and kept
	anyValue  // *
	notValue  // !value: another one
	wordValue // a name that the field knows
)

type value struct {
	kind   valueKind
	num    uint64 // also lo of a range
	hi     uint64
	offset int64 // of a variable
	name   string
	bytes  []byte
	addr   netip.Addr
	list   []value
}

// String returns the value as a script has it.
func (v value) String() string {
	switch v.kind {
	case rangeValue:
		return fmt.Sprintf("%d-%d", v.num, v.hi)
	case bytesValue:
		return bytesText(v.bytes)
	case addrValue:
		return v.addr.String()
	case listValue:
		var l []string
		for _, e := range v.list {
			l = append(l, e.String())
		}
		return "{" + strings.Join(l, ", ") + "}"
	case varValue:
		if v.offset != 0 {
			return fmt.Sprintf("$%s%+d", v.name, v.offset)
		}
		return "$" + v.name
	case bindValue:
		return "?" + v.name
	case anyValue:
		return "*"
	case notValue:
		return "!" + v.list[0].String()
	case wordValue:
		return v.name
	}
	return strconv.FormatUint(v.num, 10)
}

// bytesText is text as a string, and all else in hexadecimal; what is long is
// cut short.
func bytesText(b []byte) string {
	rest := ""
	if len(b) > 40 {
		rest = fmt.Sprintf("... (%d bytes)", len(b))
		b = b[:16]
	}
	for _, c := range b {
		if c < ' ' || c > '~' {
			return fmt.Sprintf("hex:%x%s", b, rest)
		}
	}
	return fmt.Sprintf("%q%s", b, rest)
}

func num[T ~uint8 | ~uint16 | ~uint32 | ~int | ~uint64](n T) value {
	return value{kind: numValue, num: uint64(n)}
}
func raw(b []byte) value { return value{kind: bytesValue, bytes: bytes.Clone(b)} }

const maxNesting = 4

// value reads a value.
func (p *parser) value(depth int) (value, error) {
	t := p.next()
	switch {
	case t.kind == tokString:
		return value{kind: bytesValue, bytes: []byte(t.text)}, nil
	case t.kind == tokPunct && t.text == "$":
		name, err := p.name()
		if err != nil {
			return value{}, err
		}
		v := value{kind: varValue, name: name}
		for sign := int64(1); ; {
			switch {
			case p.is("+"):
				sign = 1
			case p.is("-"):
				sign = -1
			default:
				return v, nil
			}
			n, err := p.number("a number")
			if err != nil {
				return v, err
			}
			v.offset += sign * int64(n)
		}
	case t.kind == tokPunct && t.text == "?":
		name, err := p.name()
		return value{kind: bindValue, name: name}, err
	case t.kind == tokPunct && t.text == "*":
		return value{kind: anyValue}, nil
	case t.kind == tokPunct && t.text == "!":
		if depth >= maxNesting {
			return value{}, fmt.Errorf("expected fewer nested values")
		}
		v, err := p.value(depth + 1)
		return value{kind: notValue, list: []value{v}}, err
	case t.kind == tokPunct && t.text == "{":
		if depth >= maxNesting {
			return value{}, fmt.Errorf("expected fewer nested lists")
		}
		v := value{kind: listValue}
		if p.is("}") {
			return v, nil
		}
		for {
			e, err := p.value(depth + 1)
			if err != nil {
				return v, err
			}
			v.list = append(v.list, e)
			if !p.is(",") {
				return v, p.want("}")
			}
		}
	case t.kind == tokAtom:
		return p.atomValue(t.text)
	}
	return value{}, fmt.Errorf("expected a value, found %v", t)
}

func (p *parser) name() (string, error) {
	s, err := p.atom("a variable's name")
	if err == nil && !isName(s) {
		err = fmt.Errorf("expected a variable's name, found '%s'", s)
	}
	return s, err
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

func (p *parser) atomValue(s string) (value, error) {
	if n, err := strconv.ParseUint(s, 0, 32); err == nil {
		if p.is("-") {
			hi, err := p.number("the end of a range")
			return value{kind: rangeValue, num: n, hi: hi}, err
		}
		return value{kind: numValue, num: n}, nil
	}
	if b, ok := parseHex(s); ok {
		return value{kind: bytesValue, bytes: b}, nil
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return value{kind: addrValue, addr: a}, nil
	}
	if isName(s) {
		return value{kind: wordValue, name: s}, nil
	}
	if d, err := parseDuration(s); err == nil {
		return value{kind: numValue, num: uint64(d.Milliseconds())}, nil
	}
	return value{}, fmt.Errorf("expected a value, found '%s'", s)
}

// env holds the variables.
type env map[string]value

// eval resolves variables.
func (e env) eval(v value) (value, error) {
	switch v.kind {
	case varValue:
		x, ok := e[v.name]
		if !ok {
			return v, fmt.Errorf("nothing has set $%s yet", v.name)
		}
		if v.offset != 0 {
			if x.kind != numValue {
				return v, fmt.Errorf("$%s is %v, not a number", v.name, x)
			}
			// Tags and TSNs have 32 bits and wrap.
			x.num = uint64(uint32(x.num + uint64(v.offset)))
		}
		return x, nil
	case listValue:
		out := value{kind: listValue}
		for _, x := range v.list {
			y, err := e.eval(x)
			if err != nil {
				return v, err
			}
			out.list = append(out.list, y)
		}
		return out, nil
	}
	return v, nil
}

// num returns a number for sending.
func (e env) num(v value, max uint64) (uint64, error) {
	x, err := e.eval(v)
	if err != nil {
		return 0, err
	}
	if x.kind != numValue || x.num > max {
		return 0, fmt.Errorf("%v is not a number up to %d", x, max)
	}
	return x.num, nil
}

// bytes returns bytes for sending.
func (e env) bytes(v value) ([]byte, error) {
	x, err := e.eval(v)
	if err != nil {
		return nil, err
	}
	if x.kind != bytesValue {
		return nil, fmt.Errorf("%v is not a string of bytes", x)
	}
	return x.bytes, nil
}

// addr returns an address.
func (e env) addr(v value) (netip.Addr, error) {
	x, err := e.eval(v)
	if err != nil {
		return netip.Addr{}, err
	}
	if x.kind != addrValue {
		return netip.Addr{}, fmt.Errorf("%v is not an address", x)
	}
	return x.addr, nil
}

// match compares what was expected with what came, and binds ?name.
func (e env) match(want, got value) error {
	x, err := e.eval(want)
	if err != nil {
		return err
	}
	same := false
	switch x.kind {
	case anyValue:
		same = true
	case notValue:
		// An error of another kind, such as a variable that is not there, is
		// one here too.
		if _, err := e.eval(x.list[0]); err != nil {
			return err
		}
		same = e.match(x.list[0], got) != nil
	case bindValue:
		e[x.name] = got
		same = true
	case rangeValue:
		same = got.kind == numValue && x.num <= got.num && got.num <= x.hi ||
			got.kind == rangeValue && x.num == got.num && x.hi == got.hi
	case numValue:
		same = got.kind == numValue && x.num == got.num
	case bytesValue:
		same = got.kind == bytesValue && bytes.Equal(x.bytes, got.bytes)
	case addrValue:
		same = got.kind == addrValue && x.addr == got.addr
	case wordValue:
		same = got.kind == wordValue && x.name == got.name
	case listValue:
		same = got.kind == listValue && len(x.list) == len(got.list)
		for i := 0; same && i < len(x.list); i++ {
			same = e.match(x.list[i], got.list[i]) == nil
		}
	}
	if !same {
		if want.kind == varValue {
			return fmt.Errorf("expected %v (%v), came %v", want, x, got)
		}
		return fmt.Errorf("expected %v, came %v", x, got)
	}
	return nil
}
