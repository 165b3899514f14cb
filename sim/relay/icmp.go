package relay

import "encoding/binary"

// mayFragment reports whether routers may fragment an IP packet.
func mayFragment(p []byte) bool {
	return len(p) >= 20 && p[0]>>4 == 4 && p[6]&0x40 == 0
}

// tooBig returns the ICMP or ICMPv6 error with which a router answers packet
// p, nil if it answers nothing. Its source is p's destination, which every
// receiver takes for possible.
func tooBig(p []byte, mtu int) []byte {
	switch {
	case len(p) >= 20 && p[0]>>4 == 4:
		return tooBig4(p, mtu)
	case len(p) >= 40 && p[0]>>4 == 6:
		return tooBig6(p, mtu)
	}
	return nil
}

// tooBig4 is Fragmentation Needed (RFC 792, RFC 1191 section 4), with as much
// of the packet as RFC 1812 section 4.3.2.3 allows.
func tooBig4(p []byte, mtu int) []byte {
	quote := p[:min(len(p), 576-28)]
	b := make([]byte, 28+len(quote))
	b[0], b[8], b[9] = 0x45, 64, 1
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	copy(b[12:16], p[16:20])
	copy(b[16:20], p[12:16])
	binary.BigEndian.PutUint16(b[10:], fold(sum(0, b[:20])))
	icmp := b[20:]
	icmp[0], icmp[1] = 3, 4
	binary.BigEndian.PutUint16(icmp[6:], uint16(mtu))
	copy(icmp[8:], quote)
	binary.BigEndian.PutUint16(icmp[2:], fold(sum(0, icmp)))
	return b
}

// tooBig6 is Packet Too Big (RFC 4443 section 3.2).
func tooBig6(p []byte, mtu int) []byte {
	quote := p[:min(len(p), 1280-48)]
	b := make([]byte, 48+len(quote))
	b[0], b[6], b[7] = 0x60, 58, 64
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
	copy(b[8:24], p[24:40])
	copy(b[24:40], p[8:24])
	icmp := b[40:]
	icmp[0] = 2
	binary.BigEndian.PutUint32(icmp[4:], uint32(mtu))
	copy(icmp[8:], quote)
	pseudo := sum(uint32(len(icmp))+58, b[8:40])
	binary.BigEndian.PutUint16(icmp[2:], fold(sum(pseudo, icmp)))
	return b
}

// sum adds b to a one's complement sum.
func sum(s uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
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
	return ^uint16(s)
}
