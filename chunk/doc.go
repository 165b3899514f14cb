// Package chunk is the wire format of SCTP (RFC 9260 §3): typed numbers,
// zero-copy views over received bytes and append-style encoders for every
// chunk, parameter and error cause. It holds no state and imports nothing of
// the project.
//
// Decoding never panics and never allocates, whatever the bytes are: a view
// either fits its bytes or the decoder returns an [Err], a one-byte code.
// Views alias the packet they were cut from and live as long as it does.
//
// Encoding appends to a slice that the caller owns. An encoder never writes a
// length that is wrong: what cannot be said in a 16-bit length field is not
// appended at all, so that the slice comes back as it went in. Causes, whose
// information is diagnostic, are clipped instead.
package chunk
