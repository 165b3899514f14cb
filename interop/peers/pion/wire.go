package main

import (
	"encoding/binary"
	"hash/crc32"
	"net"
	"sync/atomic"
	"time"
)

// A wire is the net.Conn that pion runs on: a UDP socket. A server's peer is
// whoever sends the first INIT. Being the endpoint that pion lacks, it also
// watches for the end, and then answers out-of-the-blue packets.
type wire struct {
	*net.UDPConn
	peer     atomic.Pointer[net.UDPAddr]
	complete atomic.Bool // a SHUTDOWN COMPLETE has passed
}

const (
	chunkInit             = 1
	chunkAbort            = 6
	chunkShutdownAck      = 8
	chunkShutdownComplete = 14

	headerSize = 12
	flagT      = 1
)

// firstChunk returns the type of a packet's first chunk, or -1.
func firstChunk(p []byte) int {
	if len(p) < headerSize+4 {
		return -1
	}
	return int(p[headerSize])
}

func (w *wire) Read(b []byte) (int, error) {
	for {
		n, from, err := w.ReadFromUDP(b)
		if err != nil {
			return n, err
		}
		if w.peer.Load() == nil {
			if firstChunk(b[:n]) != chunkInit {
				continue
			}
			w.peer.Store(from)
		}
		w.watch(b[:n])
		return n, nil
	}
}

func (w *wire) Write(p []byte) (int, error) {
	w.watch(p)
	return w.WriteToUDP(p, w.peer.Load())
}

func (w *wire) watch(p []byte) {
	if firstChunk(p) == chunkShutdownComplete {
		w.complete.Store(true)
	}
}

// RemoteAddr is for pion's logs.
func (w *wire) RemoteAddr() net.Addr { return w.peer.Load() }

// Close keeps the socket open, for outOfTheBlue.
func (w *wire) Close() error { return w.SetReadDeadline(past) }

// outOfTheBlue answers packets of an association that is no more, by RFC 9260
// section 8.4: without it the other side would wait for minutes when the last
// packet is lost.
func (w *wire) outOfTheBlue() {
	w.SetReadDeadline(never)
	b := make([]byte, 65536)
	for {
		n, from, err := w.ReadFromUDP(b)
		if err != nil {
			return
		}
		reply := byte(chunkAbort)
		switch firstChunk(b[:n]) {
		case -1, chunkInit, chunkAbort, chunkShutdownComplete:
			continue
		case chunkShutdownAck:
			reply = chunkShutdownComplete
		}
		w.WriteToUDP(reflected(b[:n], reply), from)
	}
}

// reflected returns a packet with one bare chunk that answers p, with its tag
// and the T bit.
func reflected(p []byte, chunk byte) []byte {
	r := make([]byte, headerSize+4)
	copy(r[0:2], p[2:4])
	copy(r[2:4], p[0:2])
	copy(r[4:8], p[4:8])
	copy(r[headerSize:], []byte{chunk, flagT, 0, 4})
	binary.LittleEndian.PutUint32(r[8:], crc32.Checksum(r, crc32.MakeTable(crc32.Castagnoli)))
	return r
}

var past, never = time.Unix(1, 0), time.Time{}
