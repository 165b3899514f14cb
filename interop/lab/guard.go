package lab

import "golang.org/x/sys/unix"

// Guard keeps the namespace's kernel from answering SCTP packets with ICMP
// protocol unreachable, until the returned function is called.
//
// It does so when no raw socket takes a packet: because there is none, and, with
// newer kernels, also when its receive buffer is full. usrsctp's is
// small, and its peer has to take that ICMP for the end of the association. A
// raw socket whose filter rejects everything counts as a taker, and never
// fills up.
func (n *Namespace) Guard() (release func(), err error) {
	fd := -1
	err = n.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_SCTP)
		return err
	})
	if err != nil {
		return nil, err
	}
	reject := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0}
	err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &reject})
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return func() { unix.Close(fd) }, nil
}
