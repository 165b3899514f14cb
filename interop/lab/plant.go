package lab

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"

	"golang.org/x/sys/unix"
)

// SendRaw sends an SCTP packet as it is, over raw IP.
func (n *Namespace) SendRaw(dst string, packet []byte) error {
	to, err := netip.ParseAddr(dst)
	if err != nil {
		return err
	}
	return n.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_SCTP)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Sendto(fd, packet, 0, &unix.SockaddrInet4{Addr: to.As4()})
	})
}

// Sealed returns an SCTP packet with the chunks given and the right checksum.
func Sealed(src, dst uint16, tag uint32, chunks ...byte) []byte {
	p := binary.BigEndian.AppendUint16(nil, src)
	p = binary.BigEndian.AppendUint16(p, dst)
	p = binary.BigEndian.AppendUint32(p, tag)
	p = append(append(p, 0, 0, 0, 0), chunks...)
	binary.LittleEndian.PutUint32(p[8:], crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli)))
	return p
}
