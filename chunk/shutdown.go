package chunk

// SHUTDOWN, SHUTDOWN ACK and SHUTDOWN COMPLETE (RFC 9260 §3.3.8, §3.3.9,
// §3.3.13), and ECNE and CWR, which share the shape of SHUTDOWN (reserved by
// RFC 9260, format in RFC 4960 Appendix A).

// ParseShutdown returns the Cumulative TSN Ack of a SHUTDOWN chunk.
func ParseShutdown(c Chunk) (cum TSN, _ Err) { return parseTSNChunk(c, TypeShutdown) }

// AppendShutdown appends a SHUTDOWN chunk.
func AppendShutdown(b []byte, cum TSN) []byte { return appendTSNChunk(b, TypeShutdown, cum) }

// AppendShutdownAck appends a SHUTDOWN ACK chunk.
func AppendShutdownAck(b []byte) []byte { return appendEmpty(b, TypeShutdownAck, 0) }

// AppendShutdownComplete appends a SHUTDOWN COMPLETE chunk; reflected sets
// the T bit.
func AppendShutdownComplete(b []byte, reflected bool) []byte {
	return appendEmpty(b, TypeShutdownComplete, tBit(reflected))
}

// ParseECNE returns the Lowest TSN of an ECNE chunk.
func ParseECNE(c Chunk) (lowest TSN, _ Err) { return parseTSNChunk(c, TypeECNE) }

// AppendECNE appends an ECNE chunk.
func AppendECNE(b []byte, lowest TSN) []byte { return appendTSNChunk(b, TypeECNE, lowest) }

// ParseCWR returns the Lowest TSN of a CWR chunk.
func ParseCWR(c Chunk) (lowest TSN, _ Err) { return parseTSNChunk(c, TypeCWR) }

// AppendCWR appends a CWR chunk.
func AppendCWR(b []byte, lowest TSN) []byte { return appendTSNChunk(b, TypeCWR, lowest) }

func tBit(reflected bool) uint8 {
	if reflected {
		return FlagT
	}
	return 0
}
