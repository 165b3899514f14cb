// Package mmsg moves batches of packets through Linux sockets with recvmmsg
// and sendmmsg, and reads their control messages and error queues. All message
// headers, I/O vectors and control buffers are prepared once, so that neither
// direction allocates. The raw and the UDP link share it.
package mmsg
