/* The peer on libusrsctp (Debian: libusrsctp-dev): raw IP or UDP encapsulation. */
#include "../common/stack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <usrsctp.h>

const char *stack_name = "usrsctp";

static struct socket *sock;
static sctp_assoc_t assoc;

static void quiet(const char *format, ...)
{
	(void)format;
}

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

static void set(int level, int name, const void *v, socklen_t n, const char *what)
{
	if (usrsctp_setsockopt(sock, level, name, v, n) < 0)
		die(what);
}

/* Sets the timers and counters for associations to come. */
static void timers(const struct options *o)
{
	if (o->rto_min_ms) {
		struct sctp_rtoinfo r;
		memset(&r, 0, sizeof r);
		r.srto_initial = r.srto_min = (uint32_t)o->rto_min_ms;
		r.srto_max = (uint32_t)o->rto_max_ms;
		set(IPPROTO_SCTP, SCTP_RTOINFO, &r, sizeof r, "SCTP_RTOINFO");
	}
	if (o->assoc_retrans) {
		struct sctp_assocparams a;
		memset(&a, 0, sizeof a);
		a.sasoc_asocmaxrxt = (uint16_t)o->assoc_retrans;
		set(IPPROTO_SCTP, SCTP_ASSOCINFO, &a, sizeof a, "SCTP_ASSOCINFO");
	}
	if (o->sack_ms) {
		struct sctp_sack_info k;
		memset(&k, 0, sizeof k);
		k.sack_delay = (uint32_t)o->sack_ms;
		k.sack_freq = 2;
		set(IPPROTO_SCTP, SCTP_DELAYED_SACK, &k, sizeof k, "SCTP_DELAYED_SACK");
	}
	struct sctp_paddrparams p;
	memset(&p, 0, sizeof p);
	p.spp_assoc_id = SCTP_FUTURE_ASSOC;
	p.spp_address.ss_family = AF_INET;
	if (o->hb_ms) {
		p.spp_hbinterval = (uint32_t)o->hb_ms;
		p.spp_flags = SPP_HB_ENABLE;
	}
	p.spp_pathmaxrxt = (uint16_t)o->path_retrans;
	if (o->hb_ms || o->path_retrans)
		set(IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, &p, sizeof p, "SCTP_PEER_ADDR_PARAMS");
}

void stack_open(const struct options *o)
{
	usrsctp_init(o->udp ? o->udp_port : 0, NULL, quiet);
	usrsctp_sysctl_set_sctp_blackhole(0);
	sock = usrsctp_socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP, NULL, NULL, 0, NULL);
	if (!sock)
		die("socket");

	struct sctp_initmsg im;
	memset(&im, 0, sizeof im);
	im.sinit_num_ostreams = o->streams;
	im.sinit_max_instreams = 2048;
	set(IPPROTO_SCTP, SCTP_INITMSG, &im, sizeof im, "SCTP_INITMSG");

	struct sctp_event ev;
	memset(&ev, 0, sizeof ev);
	ev.se_assoc_id = SCTP_FUTURE_ASSOC;
	ev.se_type = SCTP_ASSOC_CHANGE;
	ev.se_on = 1;
	set(IPPROTO_SCTP, SCTP_EVENT, &ev, sizeof ev, "SCTP_EVENT");
	ev.se_type = SCTP_PEER_ADDR_CHANGE;
	set(IPPROTO_SCTP, SCTP_EVENT, &ev, sizeof ev, "SCTP_EVENT");
	int on = 1;
	set(IPPROTO_SCTP, SCTP_RECVRCVINFO, &on, sizeof on, "SCTP_RECVRCVINFO");

	if (o->udp) {
		struct sctp_udpencaps e;
		memset(&e, 0, sizeof e);
		e.sue_address.ss_family = AF_INET;
		e.sue_port = htons(o->udp_peer);
		set(IPPROTO_SCTP, SCTP_REMOTE_UDP_ENCAPS_PORT, &e, sizeof e, "SCTP_REMOTE_UDP_ENCAPS_PORT");
	}
	timers(o);
	struct sockaddr_in me = address(o->local[0], o->server ? o->port : o->local_port);
	if (usrsctp_bind(sock, (struct sockaddr *)&me, sizeof me) < 0)
		die("bind");
	for (int i = 1; o->local[i]; i++) {
		me = address(o->local[i], 0); /* the port is that of the first */
		if (usrsctp_bindx(sock, (struct sockaddr *)&me, 1, SCTP_BINDX_ADD_ADDR) < 0)
			die("bindx");
	}
	if (o->server && usrsctp_listen(sock, 1) < 0)
		die("listen");
}

void stack_connect(const struct options *o)
{
	struct sockaddr_in to[MAX_ADDRS];
	int n = 0;
	for (; o->remote[n]; n++)
		to[n] = address(o->remote[n], o->port);
	if (usrsctp_connectx(sock, (struct sockaddr *)to, n, NULL) < 0 && errno != EINPROGRESS)
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
		ev->cause = c->sac_error;
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

void stack_next(uint8_t *buf, size_t cap, struct event *ev)
{
	struct sockaddr_storage from;
	socklen_t from_len = sizeof from, info_len;
	struct sctp_rcvinfo info;
	unsigned int kind = SCTP_RECVV_NOINFO;
	int flags = 0;
	memset(ev, 0, sizeof *ev);
	ev->what = GOT_OTHER;
	info_len = sizeof info;
	ssize_t n = usrsctp_recvv(sock, buf, cap, (struct sockaddr *)&from, &from_len, &info, &info_len,
				  &kind, &flags);
	if (n < 0) {
		if (errno == EINTR || errno == ECONNRESET)
			return;
		die("recvv");
	}
	if (flags & MSG_NOTIFICATION) {
		/* A notification never comes into the middle of a message, and the
		 * buffer's rest is larger than it when none is pending. */
		const union sctp_notification *note = (const void *)buf;
		if (note->sn_header.sn_type == SCTP_ASSOC_CHANGE)
			assoc_change(&note->sn_assoc_change, ev);
		if (note->sn_header.sn_type == SCTP_PEER_ADDR_CHANGE)
			path_change(&note->sn_paddr_change, ev);
		return;
	}
	if (n == 0)
		return;
	if (kind != SCTP_RECVV_RCVINFO) {
		errno = EPROTO;
		die("message without rcvinfo");
	}
	ev->what = GOT_DATA;
	ev->n = (size_t)n;
	ev->end = (flags & MSG_EOR) != 0;
	ev->stream = info.rcv_sid;
	ev->ppid = ntohl(info.rcv_ppid);
	ev->unordered = (info.rcv_flags & SCTP_UNORDERED) != 0;
}

static int send_info(uint16_t stream, uint32_t ppid, uint16_t flags, const uint8_t *p, size_t n)
{
	struct sctp_sndinfo si;
	memset(&si, 0, sizeof si);
	si.snd_sid = stream;
	si.snd_ppid = htonl(ppid);
	si.snd_flags = flags;
	si.snd_assoc_id = assoc;
	return usrsctp_sendv(sock, p, n, NULL, 0, &si, sizeof si, SCTP_SENDV_SNDINFO, 0) < 0 ? -1 : 0;
}

int stack_send(uint16_t stream, uint32_t ppid, int unordered, const uint8_t *p, size_t n)
{
	return send_info(stream, ppid, unordered ? SCTP_UNORDERED : 0, p, n);
}

int stack_shutdown(void)
{
	return send_info(0, 0, SCTP_EOF, (const uint8_t *)"", 0); /* NULL is an error here */
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
	return usrsctp_setsockopt(sock, IPPROTO_SCTP, SCTP_PRIMARY_ADDR, &p, sizeof p);
}
