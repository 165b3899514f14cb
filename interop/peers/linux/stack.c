/* The peer on the Linux kernel's SCTP, by the plain sockets API (RFC 6458). It
 * is run inside the VM; kernel headers are all it is built with. */
#include "../common/stack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sctp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const char *stack_name = "linux";

static int sock;
static sctp_assoc_t assoc;

static struct sockaddr_in address(const char *ip, uint16_t port)
{
	struct sockaddr_in a;
	memset(&a, 0, sizeof a);
	a.sin_family = AF_INET;
	a.sin_port = htons(port);
	if (inet_pton(AF_INET, ip, &a.sin_addr) != 1) {
		errno = EINVAL;
		die(ip);
	}
	return a;
}

static void set(int name, const void *v, socklen_t n, const char *what)
{
	if (setsockopt(sock, IPPROTO_SCTP, name, v, n) < 0)
		die(what);
}

static void sysctl(const char *name, unsigned v)
{
	char path[128], text[16];
	snprintf(path, sizeof path, "/proc/sys/net/sctp/%s", name);
	int n = snprintf(text, sizeof text, "%u\n", v);
	int fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		die(path);
	close(fd);
}

/* Sets the timers and counters for associations to come. */
static void timers(const struct options *o)
{
	if (o->rto_min_ms) {
		struct sctp_rtoinfo r;
		memset(&r, 0, sizeof r);
		r.srto_initial = r.srto_min = (uint32_t)o->rto_min_ms;
		r.srto_max = (uint32_t)o->rto_max_ms;
		set(SCTP_RTOINFO, &r, sizeof r, "SCTP_RTOINFO");
	}
	if (o->assoc_retrans) {
		struct sctp_assocparams a;
		memset(&a, 0, sizeof a);
		a.sasoc_asocmaxrxt = (uint16_t)o->assoc_retrans;
		set(SCTP_ASSOCINFO, &a, sizeof a, "SCTP_ASSOCINFO");
	}
	if (o->sack_ms) {
		struct sctp_sack_info k;
		memset(&k, 0, sizeof k);
		k.sack_delay = (uint32_t)o->sack_ms;
		k.sack_freq = 2;
		set(SCTP_DELAYED_SACK, &k, sizeof k, "SCTP_DELAYED_SACK");
	}
	struct sctp_paddrparams p;
	memset(&p, 0, sizeof p);
	if (o->hb_ms) {
		p.spp_hbinterval = (uint32_t)o->hb_ms;
		p.spp_flags = SPP_HB_ENABLE;
	}
	p.spp_pathmaxrxt = (uint16_t)o->path_retrans;
	if (o->hb_ms || o->path_retrans)
		set(SCTP_PEER_ADDR_PARAMS, &p, sizeof p, "SCTP_PEER_ADDR_PARAMS");
}

void stack_open(const struct options *o)
{
	/* RFC 6951 is a matter of the whole network namespace here, and of sockets
	 * made after this. */
	sysctl("encap_port", o->udp ? o->udp_peer : 0);
	sysctl("udp_port", o->udp ? o->udp_port : 0);
	/* A path is to be given up by Path.Max.Retrans, and not to be "potentially
	 * failed" (RFC 7829) before. */
	sysctl("pf_enable", !o->path_retrans);

	sock = socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP);
	if (sock < 0)
		die("socket");

	struct sctp_initmsg im;
	memset(&im, 0, sizeof im);
	im.sinit_num_ostreams = o->streams;
	im.sinit_max_instreams = 2048;
	set(SCTP_INITMSG, &im, sizeof im, "SCTP_INITMSG");

	struct sctp_event ev;
	memset(&ev, 0, sizeof ev);
	ev.se_assoc_id = SCTP_FUTURE_ASSOC;
	ev.se_type = SCTP_ASSOC_CHANGE;
	ev.se_on = 1;
	set(SCTP_EVENT, &ev, sizeof ev, "SCTP_EVENT");
	ev.se_type = SCTP_PEER_ADDR_CHANGE;
	set(SCTP_EVENT, &ev, sizeof ev, "SCTP_EVENT");
	int on = 1;
	set(SCTP_RECVRCVINFO, &on, sizeof on, "SCTP_RECVRCVINFO");

	timers(o);
	struct sockaddr_in me = address(o->local[0], o->server ? o->port : o->local_port);
	if (bind(sock, (struct sockaddr *)&me, sizeof me) < 0)
		die("bind");
	for (int i = 1; o->local[i]; i++) {
		me = address(o->local[i], 0); /* the port is that of the first */
		set(SCTP_SOCKOPT_BINDX_ADD, &me, sizeof me, "SCTP_SOCKOPT_BINDX_ADD");
	}
	if (o->server && listen(sock, 1) < 0)
		die("listen");
}

void stack_connect(const struct options *o)
{
	struct sockaddr_in to[MAX_ADDRS];
	int n = 0;
	for (; o->remote[n]; n++)
		to[n] = address(o->remote[n], o->port);
	if (setsockopt(sock, IPPROTO_SCTP, SCTP_SOCKOPT_CONNECTX, to, (socklen_t)n * sizeof *to) < 0)
		perror("connectx");
}

static void assoc_change(const struct sctp_assoc_change *c, struct event *ev)
{
	switch (c->sac_state) {
	case SCTP_COMM_UP:
	case SCTP_RESTART:
		assoc = c->sac_assoc_id;
		ev->what = c->sac_state == SCTP_COMM_UP ? GOT_UP : GOT_RESTART;
		ev->streams_out = c->sac_outbound_streams;
		ev->streams_in = c->sac_inbound_streams;
		break;
	case SCTP_SHUTDOWN_COMP:
		ev->what = GOT_SHUTDOWN_COMP;
		break;
	case SCTP_COMM_LOST:
	case SCTP_CANT_STR_ASSOC:
		ev->what = GOT_LOST;
		ev->cause = ntohs(c->sac_error); /* as it came from the wire */
		break;
	}
}

static void path_change(const struct sctp_paddr_change *c, struct event *ev)
{
	struct sockaddr_in a;
	memcpy(&a, &c->spc_aaddr, sizeof a);
	inet_ntop(AF_INET, &a.sin_addr, ev->addr, sizeof ev->addr);
	switch (c->spc_state) {
	case SCTP_ADDR_AVAILABLE: ev->path = "available"; break;
	case SCTP_ADDR_UNREACHABLE: ev->path = "unreachable"; break;
	case SCTP_ADDR_CONFIRMED: ev->path = "confirmed"; break;
	default: return;
	}
	ev->what = GOT_PATH;
}

static const struct sctp_rcvinfo *rcvinfo(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == IPPROTO_SCTP && c->cmsg_type == SCTP_RCVINFO)
			return (const void *)CMSG_DATA(c);
	return NULL;
}

void stack_next(uint8_t *buf, size_t cap, struct event *ev)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(struct sctp_rcvinfo))];
	} control;
	struct iovec iov = {.iov_base = buf, .iov_len = cap};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
			   .msg_controllen = sizeof control.buf};
	memset(ev, 0, sizeof *ev);
	ev->what = GOT_OTHER;
	ssize_t n = recvmsg(sock, &m, 0);
	if (n < 0) {
		if (errno == EINTR || errno == ECONNRESET)
			return;
		die("recvmsg");
	}
	if (m.msg_flags & MSG_NOTIFICATION) {
		const union sctp_notification *note = (const void *)buf;
		if (note->sn_header.sn_type == SCTP_ASSOC_CHANGE)
			assoc_change(&note->sn_assoc_change, ev);
		if (note->sn_header.sn_type == SCTP_PEER_ADDR_CHANGE)
			path_change(&note->sn_paddr_change, ev);
		return;
	}
	if (n == 0)
		return;
	const struct sctp_rcvinfo *info = rcvinfo(&m);
	if (!info) {
		errno = EPROTO;
		die("message without rcvinfo");
	}
	ev->what = GOT_DATA;
	ev->n = (size_t)n;
	ev->end = (m.msg_flags & MSG_EOR) != 0;
	ev->stream = info->rcv_sid;
	ev->ppid = ntohl(info->rcv_ppid);
	ev->unordered = (info->rcv_flags & SCTP_UNORDERED) != 0;
}

static int send_info(uint16_t stream, uint32_t ppid, uint16_t flags, const uint8_t *p, size_t n)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(struct sctp_sndinfo))];
	} control;
	memset(&control, 0, sizeof control);
	struct iovec iov = {.iov_base = (void *)p, .iov_len = n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = n ? 1 : 0, .msg_control = control.buf,
			   .msg_controllen = sizeof control.buf};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = IPPROTO_SCTP;
	c->cmsg_type = SCTP_SNDINFO;
	c->cmsg_len = CMSG_LEN(sizeof(struct sctp_sndinfo));
	struct sctp_sndinfo *si = (void *)CMSG_DATA(c);
	si->snd_sid = stream;
	si->snd_ppid = htonl(ppid);
	si->snd_flags = flags;
	si->snd_assoc_id = assoc;
	return sendmsg(sock, &m, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int stack_send(uint16_t stream, uint32_t ppid, int unordered, const uint8_t *p, size_t n)
{
	return send_info(stream, ppid, unordered ? SCTP_UNORDERED : 0, p, n);
}

int stack_shutdown(void)
{
	return send_info(0, 0, SCTP_EOF, NULL, 0);
}

int stack_abort(const char *reason)
{
	return send_info(0, 0, SCTP_ABORT, (const uint8_t *)reason, strlen(reason));
}

int stack_primary(const char *addr, uint16_t port)
{
	struct sctp_setprim p;
	memset(&p, 0, sizeof p);
	p.ssp_assoc_id = assoc;
	struct sockaddr_in a = address(addr, port);
	memcpy(&p.ssp_addr, &a, sizeof a);
	return setsockopt(sock, IPPROTO_SCTP, SCTP_PRIMARY_ADDR, &p, sizeof p);
}
