/*
 * The workload: which messages a side sends, derived from a seed, so that the
 * receiver knows every byte it has to see. The Go package workload is the same
 * in Go and says what each rule is for; each run with a peer of either kind
 * holds the two together.
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <stddef.h>
#include <stdint.h>

enum { DIR_UP = 0, DIR_DOWN = 1 }; /* client to server, server to client */

/* The top four bits of a payload protocol identifier say what a message is, the
 * next four to which generation it belongs: each restart of the peer, and each
 * association in place of a lost one, begins the workload anew. The rest of a
 * KIND_DATA one is the index of the message, of a KIND_LAST one their number. */
enum { KIND_DATA = 1, KIND_DONE = 2, KIND_PING = 3, KIND_LAST = 4 };
#define PPID_OF(kind, gen, index) ((uint32_t)(kind) << 28 | (uint32_t)(gen) << 24 | (uint32_t)(index))
#define PPID_KIND(ppid) ((ppid) >> 28)
#define PPID_GEN(ppid) ((ppid) >> 24 & 0xf)
#define PPID_INDEX(ppid) ((ppid) & MAX_INDEX)
#define MAX_INDEX 0xffffffu

struct workload {
	uint64_t seed;
	uint32_t messages;
	uint32_t streams;
	uint32_t unordered_every; /* every Mth message is unordered; 0: none is */
	uint32_t max_size;
};

struct message {
	uint32_t size;
	uint16_t stream;
	int unordered;
	uint64_t content; /* state of the generator that makes the bytes */
};

struct message workload_message(const struct workload *w, int dir, uint32_t index);
void workload_fill(const struct message *m, uint8_t *p);

/* What the receiving side knows so far. */
struct verifier {
	const struct workload *w;
	int dir;
	uint8_t *seen;         /* one byte a message */
	uint32_t *next;        /* by stream: the lowest index an ordered message may have */
	uint8_t *expect;       /* scratch for the expected bytes */
	uint32_t received, unordered;
	uint64_t bytes, digest;
	char error[200];       /* the first violation, or empty */
};

void verifier_init(struct verifier *v, const struct workload *w, int dir);
void verifier_reset(struct verifier *v); /* for a workload that begins anew */
/* Takes one whole message; returns 0, or -1 with v->error set. */
int verifier_take(struct verifier *v, uint16_t stream, uint32_t ppid, int unordered,
		  const uint8_t *p, size_t n);

#endif
