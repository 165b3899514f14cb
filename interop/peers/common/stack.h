/* What a peer needs of an SCTP stack: one association, seen through a
 * one-to-many socket, because that one reports everything by notification. */
#ifndef STACK_H
#define STACK_H

#include <stddef.h>
#include <stdint.h>

enum { MAX_ADDRS = 4 };

struct options {
	int server, udp;
	const char *local[MAX_ADDRS], *remote[MAX_ADDRS]; /* NULL behind the last */
	uint16_t port, local_port; /* SCTP ports: the server's, the client's (0: any) */
	uint16_t udp_port, udp_peer; /* our UDP port, and the one we send to */
	uint16_t streams;
	/* 0: the stack's default. The initial RTO is the smallest. */
	int hb_ms, rto_min_ms, rto_max_ms, sack_ms, path_retrans, assoc_retrans;
};

enum what { GOT_DATA, GOT_UP, GOT_RESTART, GOT_SHUTDOWN_COMP, GOT_LOST, GOT_PATH, GOT_OTHER };

struct event {
	enum what what;
	/* GOT_DATA: a piece of a message of at most the caller's buffer */
	size_t n;
	int end; /* it is the last piece */
	uint16_t stream;
	uint32_t ppid; /* host byte order */
	int unordered;
	/* GOT_UP, GOT_RESTART */
	uint16_t streams_out, streams_in;
	/* GOT_LOST: the first cause code of the peer's ABORT or of ours, 0 if there is none */
	uint16_t cause;
	/* GOT_PATH */
	char addr[46];
	const char *path; /* available, unreachable or confirmed */
};

extern const char *stack_name;

void stack_open(const struct options *o);    /* socket, options, bind; a server listens */
/* A client only; may return before the association is up. That it fails is an event. */
void stack_connect(const struct options *o);
void stack_next(uint8_t *buf, size_t cap, struct event *ev); /* blocks */
/* Blocks while the send buffer is full. -1 with errno set: no association any more. */
int stack_send(uint16_t stream, uint32_t ppid, int unordered, const uint8_t *p, size_t n);
int stack_shutdown(void);
int stack_abort(const char *reason);
int stack_primary(const char *addr, uint16_t port); /* -1 with errno set: not now */

void die(const char *what); /* prints errno and ends the process */

#endif
