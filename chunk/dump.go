package chunk

// Packets as text, one line for the header and one for each chunk: for
// traces, scripts and tools.

// Format returns packet as text; see AppendText.
func Format(packet []byte) string { return string(AppendText(nil, packet)) }

// AppendText appends packet as text: a line with ports, tag and what is wrong
// with the checksum, then one indented line for each chunk, and for bytes
// that are no chunk. The text depends on the packet only.
func AppendText(b, packet []byte) []byte {
	h, e := ParseHeader(packet)
	if e != ErrNone {
		return append(appendNum(append(b, "packet of "...), len(packet)), " bytes: too short\n"...)
	}
	b = appendNum(b, h.SrcPort)
	b = appendNum(append(b, " > "...), h.DstPort)
	b = appendHex32(append(b, " tag "...), uint32(h.VTag))
	if h.Checksum != Checksum(packet) {
		b = append(b, " bad checksum"...)
	}
	b = append(b, '\n')
	w := Walk(packet[HeaderLen:])
	for c, ok := w.Next(); ok; c, ok = w.Next() {
		b = append(AppendChunkText(append(b, "  "...), c), '\n')
	}
	if e := w.Err(); e != ErrNone {
		b = append(appendNum(append(b, "  ("...), len(w.rest)), " bytes: "...)
		b = append(append(b, errText[e]...), ")\n"...)
	}
	return b
}

// AppendChunkText appends one chunk as text, without a line break.
func AppendChunkText(b []byte, c Chunk) []byte {
	if len(c) < ChunkHeaderLen {
		return append(b, "(too short)"...)
	}
	b = append(b, c.Type().String()...)
	if e := c.Check(); e != ErrNone && (listOffset(c.Type()) != InitLen || len(c) < InitLen) {
		return appendListErr(appendNum(append(b, " len="...), len(c)), e)
	}
	switch c.Type() {
	case TypeData:
		d, _ := ParseData(c)
		return appendDataText(b, &d)
	case TypeInit, TypeInitAck:
		in, _ := ParseInit(c)
		return appendInitText(b, &in)
	case TypeSack:
		s, _ := ParseSack(c)
		return appendSackText(b, &s)
	case TypeHeartbeat, TypeHeartbeatAck:
		p, _ := ParseHeartbeat(c)
		return appendNum(append(b, " info="...), len(p.Body()))
	case TypeAbort, TypeError:
		return appendCausesText(appendT(b, c), Causes(c.Body()))
	case TypeShutdown, TypeECNE, TypeCWR:
		tsn, _ := parseTSNChunk(c, c.Type())
		return appendNum(append(b, " tsn="...), tsn)
	case TypeCookieEcho:
		return appendNum(append(b, " cookie="...), len(c.Body()))
	case TypeShutdownAck, TypeCookieAck, TypeShutdownComplete:
		return appendT(b, c)
	case TypePad:
		return appendNum(append(b, " len="...), len(c))
	}
	b = appendHex8(append(b, " flags="...), c.Flags())
	return appendNum(append(b, " len="...), len(c))
}

func appendT(b []byte, c Chunk) []byte {
	if (c.Type() == TypeAbort || c.Type() == TypeShutdownComplete) && c.Flags()&FlagT != 0 {
		b = append(b, " T"...)
	}
	return b
}

func appendDataText(b []byte, d *Data) []byte {
	b = appendNum(append(b, " tsn="...), d.TSN)
	b = appendNum(append(b, " sid="...), d.Stream)
	if d.Unordered() {
		b = append(b, " unordered"...)
	} else {
		b = appendNum(append(b, " ssn="...), d.SSN)
	}
	b = appendNum(append(b, " ppid="...), d.PPID)
	b = appendNum(append(b, " len="...), len(d.Payload))
	b = append(b, ' ')
	for i, f := range [...]uint8{FlagI, FlagB, FlagE} {
		if d.Flags&f != 0 {
			b = append(b, "IBE"[i])
		} else {
			b = append(b, '-')
		}
	}
	return b
}

func appendInitText(b []byte, in *Init) []byte {
	b = appendHex32(append(b, " tag="...), uint32(in.Tag))
	b = appendNum(append(b, " rwnd="...), in.ARwnd)
	b = appendNum(append(b, " os="...), in.OS)
	b = appendNum(append(b, " mis="...), in.MIS)
	b = appendNum(append(b, " tsn="...), in.TSN)
	return appendParamsText(b, in.Params)
}

func appendParamsText(b []byte, ps Params) []byte {
	w := ps.Walk()
	for p, ok := w.Next(); ok; p, ok = w.Next() {
		b = append(b, " ["...)
		if a, e := ParamAddr(p); e == ErrNone {
			b = a.AppendTo(b)
		} else {
			b = append(b, p.Type().String()...)
			if n := len(p.Body()); n > 0 {
				b = appendNum(append(b, ' '), n)
			}
		}
		b = append(b, ']')
	}
	return appendListErr(b, w.Err())
}

func appendListErr(b []byte, e Err) []byte {
	if e == ErrNone {
		return b
	}
	return append(append(append(b, " ("...), errText[e]...), ')')
}

func appendSackText(b []byte, s *Sack) []byte {
	b = appendNum(append(b, " cum="...), s.CumTSN)
	b = appendNum(append(b, " rwnd="...), s.ARwnd)
	for i := range s.NumGaps() {
		start, end := s.Gap(i)
		b = appendNum(append(b, sep(i, " gaps=")...), start)
		b = appendNum(append(b, '-'), end)
	}
	for i := range s.NumDups() {
		b = appendNum(append(b, sep(i, " dups=")...), s.Dup(i))
	}
	return b
}

func sep(i int, first string) string {
	if i == 0 {
		return first
	}
	return ","
}

func appendCausesText(b []byte, cs Causes) []byte {
	w := cs.Walk()
	for c, ok := w.Next(); ok; c, ok = w.Next() {
		b = append(append(b, " ["...), c.Code().String()...)
		b = append(appendCauseText(b, c), ']')
	}
	return appendListErr(b, w.Err())
}

func appendCauseText(b []byte, c Cause) []byte {
	if sid, e := c.InvalidStream(); e == ErrNone {
		return appendNum(append(b, " sid="...), sid)
	}
	if usec, e := c.StaleCookie(); e == ErrNone {
		return appendNum(append(b, " usec="...), usec)
	}
	if tsn, e := c.NoUserData(); e == ErrNone {
		return appendNum(append(b, " tsn="...), tsn)
	}
	if n, e := c.MissingParams(); e == ErrNone {
		for i := range n {
			b = append(append(b, sep(i, ":")...), ' ')
			b = append(b, c.MissingParam(i).String()...)
		}
		return b
	}
	switch c.Code() {
	case CauseRestartNewAddrs, CauseUnrecognizedParams, CauseUnresolvableAddr:
		return appendParamsText(b, Params(c.Body()))
	case CauseUnrecognizedChunk:
		if len(c.Body()) > 0 {
			return append(append(b, ": "...), Type(c.Body()[0]).String()...)
		}
	}
	if n := len(c.Body()); n > 0 {
		b = appendNum(append(b, " info="...), n)
	}
	return b
}

const hexDigits = "0123456789abcdef"

func appendNum[T ~int | ~uint16 | ~uint32](b []byte, v T) []byte {
	var buf [20]byte
	i := len(buf)
	for {
		i--
		buf[i] = byte('0' + v%10)
		if v /= 10; v == 0 {
			return append(b, buf[i:]...)
		}
	}
}

func decimal(v uint32) string { return string(appendNum(nil, v)) }

func appendHex8(b []byte, v uint8) []byte {
	return append(b, '0', 'x', hexDigits[v>>4], hexDigits[v&15])
}

func appendHex32(b []byte, v uint32) []byte {
	b = append(b, '0', 'x')
	for s := 28; s >= 0; s -= 4 {
		b = append(b, hexDigits[v>>s&15])
	}
	return b
}

func hex16(v uint16) string {
	return string([]byte{'0', 'x', hexDigits[v>>12], hexDigits[v>>8&15], hexDigits[v>>4&15], hexDigits[v&15]})
}
