package chunk

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"testing"
)

// crcAppendixA computes the checksum field bit by bit as RFC 9260 Appendix A
// describes it: bits of a byte least significant first, register of ones,
// complement, and mapped back so that byte 0 holds the coefficients x^31..x^24
// with bit 7 the highest.
func crcAppendixA(packet []byte) [4]byte {
	const poly = 0x1EDC6F41
	r := ^uint32(0)
	for i, v := range packet {
		if i >= 8 && i < 12 {
			v = 0
		}
		for bit := range 8 {
			top := r>>31 ^ uint32(v>>bit&1)
			r <<= 1
			if top != 0 {
				r ^= poly
			}
		}
	}
	r = ^r
	var out [4]byte
	for i := range 32 {
		// x^31 is the first coefficient sent: the least significant bit of
		// its byte, as for the data.
		if r>>(31-i)&1 != 0 {
			out[i/8] |= 1 << (i % 8)
		}
	}
	return out
}

// R-6.8-01 R-6.8-02 R-6.8-03: CRC32c over the whole packet with a zero field.
func TestChecksumVectors(t *testing.T) {
	// RFC 3720 B.4: 32 bytes of zeroes give aa 36 91 8a on the wire.
	zero := make([]byte, 32)
	SetChecksum(zero)
	if got := hex.EncodeToString(zero[8:12]); got != "aa36918a" {
		t.Errorf("32 zero bytes: checksum field %s", got)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for n := HeaderLen; n < 300; n++ {
		p := make([]byte, n)
		for i := range p {
			p[i] = byte(rng.Uint32())
		}
		was := bytes.Clone(p)
		want := crcAppendixA(p)
		sum := Checksum(p)
		if !bytes.Equal(p, was) {
			t.Fatal("Checksum wrote into the packet")
		}
		SetChecksum(p)
		if [4]byte(p[8:12]) != want {
			t.Fatalf("%d bytes: field %x, Appendix A gives %x", n, p[8:12], want)
		}
		if !bytes.Equal(p[:8], was[:8]) || !bytes.Equal(p[12:], was[12:]) {
			t.Fatal("SetChecksum wrote beside the field")
		}
		h, e := ParseHeader(p)
		if e != ErrNone || h.Checksum != sum || !VerifyChecksum(p) {
			t.Fatalf("%d bytes: %+v %v, sum %#x", n, h, e, sum)
		}
	}
}

// R-6.8-04: any single flipped bit, and any burst within 32 bits, is noticed.
func TestChecksumDetects(t *testing.T) {
	p := AppendShutdown(AppendHeader(nil, 1, 2, 3), 4)
	SetChecksum(p)
	if !VerifyChecksum(p) {
		t.Fatal("good packet refused")
	}
	for i := range p {
		for bit := range 8 {
			p[i] ^= 1 << bit
			if VerifyChecksum(p) {
				t.Errorf("flipped bit %d of byte %d goes unnoticed", bit, i)
			}
			p[i] ^= 1 << bit
		}
	}
	for n := range HeaderLen {
		if VerifyChecksum(p[:n]) || Checksum(p[:n]) != 0 {
			t.Errorf("%d bytes have a checksum", n)
		}
	}
}

func TestHeader(t *testing.T) {
	b := AppendHeader([]byte("x"), 0x1234, 0xabcd, 0xdeadbeef)
	if got := hex.EncodeToString(b); got != "781234abcddeadbeef00000000" {
		t.Error(got)
	}
	h, e := ParseHeader(b[1:])
	if e != ErrNone || h != (Header{SrcPort: 0x1234, DstPort: 0xabcd, VTag: 0xdeadbeef}) {
		t.Errorf("%+v %v", h, e)
	}
	for n := range HeaderLen {
		if _, e := ParseHeader(b[1 : 1+n]); e != ErrShort {
			t.Errorf("header of %d bytes: %v", n, e)
		}
	}
}
