// Package pcapng writes SCTP packets to a capture file that Wireshark and
// tshark open: pcapng with one raw IP interface. What the link left out of a
// packet, the IP header and with encapsulation the UDP header (RFC 6951), is
// put in front of it.
package pcapng

import (
	"bufio"
	"encoding/binary"
	"io"
	"net/netip"
	"sync"
	"time"
)

// Block types and the link type of packets that start with an IP header.
const (
	sectionHeader   = 0x0A0D0D0A
	byteOrderMagic  = 0x1A2B3C4D
	interfaceDesc   = 1
	enhancedPacket  = 6
	linkTypeRaw     = 101
	optEnd          = 0
	optIfTSResol    = 9
	optUserAppl     = 4
	optEPBFlags     = 2
	nanosecondUnits = 9
)

// Packet is an SCTP packet as a link saw it.
type Packet struct {
	Time     time.Time
	Src, Dst netip.Addr
	// SrcUDP and DstUDP are the UDP ports of an encapsulated packet, else 0.
	SrcUDP, DstUDP uint16
	Outbound       bool
	Data           []byte // common header first
}

// Writer writes a capture. Its methods may be called from several goroutines.
type Writer struct {
	mu    sync.Mutex
	w     *bufio.Writer
	buf   []byte
	id    uint16
	err   error
	count int
}

// New writes the head of a capture to w.
func New(w io.Writer, application string) (*Writer, error) {
	p := &Writer{w: bufio.NewWriterSize(w, 1<<18)}
	b := block(nil, sectionHeader)
	b = binary.LittleEndian.AppendUint32(b, byteOrderMagic)
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint64(b, ^uint64(0)) // length of the section: not known
	b = option(b, optUserAppl, []byte(application))
	b = option(b, optEnd, nil)
	b = finish(b, 0)
	start := len(b)
	b = block(b, interfaceDesc)
	b = binary.LittleEndian.AppendUint16(b, linkTypeRaw)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint32(b, 0) // no snap length
	b = option(b, optIfTSResol, []byte{nanosecondUnits})
	b = option(b, optEnd, nil)
	b = finish(b, start)
	_, err := p.w.Write(b)
	return p, err
}

// Write adds a packet. The first error stays, and Close returns it.
func (p *Writer) Write(pkt Packet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return
	}
	p.id++
	b := block(p.buf[:0], enhancedPacket)
	ns := uint64(pkt.Time.UnixNano())
	b = binary.LittleEndian.AppendUint32(b, 0) // the interface
	b = binary.LittleEndian.AppendUint32(b, uint32(ns>>32))
	b = binary.LittleEndian.AppendUint32(b, uint32(ns))
	lengths := len(b)
	b = append(b, make([]byte, 8)...)
	start := len(b)
	b = appendIP(b, &pkt, p.id)
	n := uint32(len(b) - start)
	binary.LittleEndian.PutUint32(b[lengths:], n)
	binary.LittleEndian.PutUint32(b[lengths+4:], n)
	b = pad(b, start)
	dir := uint32(1)
	if pkt.Outbound {
		dir = 2
	}
	b = option(b, optEPBFlags, binary.LittleEndian.AppendUint32(nil, dir))
	b = option(b, optEnd, nil)
	b = finish(b, 0)
	p.buf = b
	p.count++
	_, p.err = p.w.Write(b)
}

// Count returns how many packets were written.
func (p *Writer) Count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// Close writes what is buffered, and returns the first error there was. It
// does not close the file.
func (p *Writer) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.w.Flush(); p.err == nil {
		p.err = err
	}
	return p.err
}

func block(b []byte, typ uint32) []byte {
	b = binary.LittleEndian.AppendUint32(b, typ)
	return binary.LittleEndian.AppendUint32(b, 0) // its length, once known
}

func finish(b []byte, start int) []byte {
	n := uint32(len(b) - start + 4)
	binary.LittleEndian.PutUint32(b[start+4:], n)
	return binary.LittleEndian.AppendUint32(b, n)
}

func option(b []byte, code uint16, v []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(v)))
	start := len(b)
	return pad(append(b, v...), start)
}

func pad(b []byte, start int) []byte {
	for (len(b)-start)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

const (
	protoUDP  = 17
	protoSCTP = 132
)

func appendIP(b []byte, p *Packet, id uint16) []byte {
	proto, size := byte(protoSCTP), len(p.Data)
	udp := p.SrcUDP != 0 || p.DstUDP != 0
	if udp {
		proto, size = protoUDP, size+8
	}
	if p.Dst.Is4() {
		h := [20]byte{0: 0x45, 6: 0x40, 8: 64, 9: proto}
		binary.BigEndian.PutUint16(h[2:], uint16(20+size))
		binary.BigEndian.PutUint16(h[4:], id)
		src, dst := p.Src.As4(), p.Dst.As4()
		copy(h[12:], src[:])
		copy(h[16:], dst[:])
		binary.BigEndian.PutUint16(h[10:], ^fold(sum(0, h[:])))
		b = append(b, h[:]...)
	} else {
		h := [40]byte{0: 0x60, 6: proto, 7: 64}
		binary.BigEndian.PutUint16(h[4:], uint16(size))
		src, dst := p.Src.As16(), p.Dst.As16()
		copy(h[8:], src[:])
		copy(h[24:], dst[:])
		b = append(b, h[:]...)
	}
	if udp {
		start := len(b)
		b = binary.BigEndian.AppendUint16(b, p.SrcUDP)
		b = binary.BigEndian.AppendUint16(b, p.DstUDP)
		b = binary.BigEndian.AppendUint16(b, uint16(size))
		b = append(b, 0, 0)
		b = append(b, p.Data...)
		s := sum(uint32(protoUDP)+uint32(size), b[start:])
		src, dst := p.Src.As16(), p.Dst.As16() // 4-in-6 prefixes would count
		if p.Dst.Is4() {
			s = sum(sum(s, src[12:]), dst[12:])
		} else {
			s = sum(sum(s, src[:]), dst[:])
		}
		c := ^fold(s)
		if c == 0 {
			c = 0xffff
		}
		binary.BigEndian.PutUint16(b[start+6:], c)
		return b
	}
	return append(b, p.Data...)
}

// sum adds b to an Internet checksum (RFC 1071).
func sum(s uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
		if s > 1<<30 {
			s = uint32(fold(s))
		}
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
