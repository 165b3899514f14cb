/*
 * A test peer: one association, a seeded workload in one or both directions,
 * verified to the byte, and a graceful or abortive end. It prints
 *
 *   READY                 (a server, once it can be connected to)
 *   RESULT {...}          (what it sent, saw and verified)
 *
 * and with --hold stays until its standard input ends, so that its stack can
 * still answer what a lossy network makes the other side send again.
 * interop/README.md has the protocol.
 */
#include "stack.h"
#include "workload.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct options opt = {.port = 5000, .udp_port = 9899, .udp_peer = 9899, .streams = 16};
static struct workload load = {.seed = 1, .messages = 100, .streams = 16, .unordered_every = 4, .max_size = 102400};
static int sends, receives, aborts, we_end, hold, timeout_s = 120;
static const char *end_name = "shutdown";

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct verifier in;
static int up, peer_done, ended, sender_through; /* under mu, as are the fields below */
static uint32_t sent;
static uint64_t sent_bytes;
static uint16_t streams_out, streams_in, cause;
static const char *ending = "";
static char failure[256];
static struct timespec started;

void die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", stack_name, what, strerror(errno));
	exit(1);
}

static void fail(const char *what)
{
	if (!failure[0])
		snprintf(failure, sizeof failure, "%s", what);
}

static int verified(void)
{
	return !in.error[0] && in.received == (receives ? load.messages : 0);
}

/* Prints the result and never returns. */
static void finish(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	if (in.error[0])
		fail(in.error);
	if (sends && sent != load.messages)
		fail("not everything was sent");
	if (!verified())
		fail("not everything was received");
	printf("RESULT {\"stack\":\"%s\",\"role\":\"%s\",\"transport\":\"%s\",\"up\":%s,"
	       "\"streams_out\":%u,\"streams_in\":%u,\"sent\":%u,\"sent_bytes\":%llu,"
	       "\"received\":%u,\"received_bytes\":%llu,\"unordered\":%u,\"digest\":\"%016llx\","
	       "\"verified\":%s,\"ending\":\"%s\",\"cause\":%u,\"error\":\"%s\",\"ms\":%lld}\n",
	       stack_name, opt.server ? "server" : "client", opt.udp ? "udp" : "raw",
	       up ? "true" : "false", streams_out, streams_in, sent, (unsigned long long)sent_bytes,
	       in.received, (unsigned long long)in.bytes, in.unordered, (unsigned long long)in.digest,
	       verified() ? "true" : "false", ending, cause, failure,
	       (long long)(t.tv_sec - started.tv_sec) * 1000 + (t.tv_nsec - started.tv_nsec) / 1000000);
	fflush(stdout);
	int ok = !failure[0];
	char b[64];
	while (hold && read(0, b, sizeof b) > 0)
		;
	_exit(ok ? 0 : 1);
}

/* Waits under mu for a change, at most ms. */
static void wait_ms(int ms)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&changed, &mu, &t);
}

/* A call was refused. That is no fault if the other side was first with the
 * end, which is about to be reported then. */
static void refused(const char *what)
{
	pthread_mutex_lock(&mu);
	for (int i = 0; i < 20 && !ended; i++)
		wait_ms(500);
	if (!ended) {
		fail(what);
		finish();
	}
	pthread_mutex_unlock(&mu);
}

static int send_all(void)
{
	uint8_t *buf = malloc(load.max_size);
	int dir = opt.server ? DIR_DOWN : DIR_UP;
	for (uint32_t i = 0; sends && i < load.messages; i++) {
		struct message m = workload_message(&load, dir, i);
		workload_fill(&m, buf);
		if (stack_send(m.stream, PPID_OF(KIND_DATA, i), m.unordered, buf, m.size) < 0)
			return -1;
		pthread_mutex_lock(&mu);
		sent++;
		sent_bytes += m.size;
		pthread_mutex_unlock(&mu);
	}
	free(buf);
	return 0;
}

/*
 * The sending side. A graceful end starts once everything has been received
 * and handed to the stack: what is still under way is SHUTDOWN's to deliver.
 * An abortive one waits for the other side to say that it has everything. The
 * side to be aborted keeps sending, so that a lost ABORT is noticed soon.
 */
static void *sender(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&mu);
	while (!up && !ended)
		wait_ms(1000);
	pthread_mutex_unlock(&mu);
	int bad = send_all();
	pthread_mutex_lock(&mu);
	sender_through = 1;
	pthread_cond_broadcast(&changed);
	while (!bad && !ended && !verified())
		wait_ms(1000);
	pthread_mutex_unlock(&mu);
	if (bad)
		return NULL; /* the receiving side learns why */
	if (!aborts) {
		if (we_end && stack_shutdown() < 0)
			refused("shutdown refused");
		return NULL;
	}
	if (stack_send(0, PPID_OF(KIND_DONE, 0), 0, (const uint8_t *)"DONE", 4) < 0)
		return NULL;
	pthread_mutex_lock(&mu);
	while (!ended && (!we_end || !peer_done)) {
		wait_ms(300);
		if (ended || we_end)
			continue;
		pthread_mutex_unlock(&mu);
		stack_send(0, PPID_OF(KIND_PING, 0), 0, (const uint8_t *)"PING", 4);
		pthread_mutex_lock(&mu);
	}
	pthread_mutex_unlock(&mu);
	if (we_end && stack_abort("interop test") < 0)
		refused("abort refused");
	return NULL;
}

static void take(const struct event *ev, const uint8_t *p, size_t n)
{
	if (PPID_KIND(ev->ppid) == KIND_DONE)
		peer_done = 1;
	else if (PPID_KIND(ev->ppid) != KIND_PING)
		verifier_take(&in, ev->stream, ev->ppid, ev->unordered, p, n);
}

static void receive(void)
{
	size_t cap = load.max_size + 1, have = 0;
	uint8_t *buf = malloc(cap);
	while (!ended) {
		struct event ev;
		stack_next(buf + have, cap - have, &ev);
		pthread_mutex_lock(&mu);
		switch (ev.what) {
		case GOT_DATA:
			have += ev.n;
			if (ev.end) {
				take(&ev, buf, have);
				have = 0;
			} else if (have == cap) {
				fail("a message is longer than any that was sent");
				ended = 1;
			}
			break;
		case GOT_UP:
			up = 1;
			streams_out = ev.streams_out;
			streams_in = ev.streams_in;
			break;
		case GOT_SHUTDOWN_COMP:
			ending = "SHUTDOWN_COMP";
			ended = 1;
			break;
		case GOT_LOST:
			ending = "COMM_LOST";
			cause = ev.cause;
			ended = 1;
			break;
		case GOT_OTHER:
			break;
		}
		if (in.error[0])
			ended = 1;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&mu);
	}
	free(buf);
}

static void *watchdog(void *arg)
{
	(void)arg;
	sleep((unsigned)timeout_s);
	pthread_mutex_lock(&mu);
	fail("timeout");
	hold = 0;
	finish();
	return NULL;
}

static void usage(void)
{
	fprintf(stderr,
		"usage: %s-peer server|client --transport raw|udp --local IP --remote IP --port N [--local-port N]\n"
		"  [--udp-port N --udp-peer N] --messages N --seed S --streams K --unordered-every M --max-size BYTES\n"
		"  --direction up|down|both --end shutdown|abort --ender client|server|both [--hb-ms N] [--timeout S] [--hold]\n",
		stack_name);
	exit(64);
}

static unsigned long number(const char *s, unsigned long max)
{
	char *e;
	errno = 0;
	unsigned long v = strtoul(s, &e, 10);
	if (errno || *e || !*s || v > max)
		usage();
	return v;
}

static void parse(int argc, char **argv)
{
	static const struct option opts[] = {
		{"transport", 1, 0, 't'}, {"local", 1, 0, 'l'}, {"remote", 1, 0, 'r'},
		{"port", 1, 0, 'p'}, {"local-port", 1, 0, 'P'}, {"udp-port", 1, 0, 'u'},
		{"udp-peer", 1, 0, 'U'}, {"messages", 1, 0, 'n'}, {"seed", 1, 0, 's'},
		{"streams", 1, 0, 'k'}, {"unordered-every", 1, 0, 'm'}, {"max-size", 1, 0, 'M'},
		{"direction", 1, 0, 'd'}, {"end", 1, 0, 'e'}, {"ender", 1, 0, 'E'},
		{"hb-ms", 1, 0, 'b'}, {"timeout", 1, 0, 'T'}, {"hold", 0, 0, 'h'}, {0, 0, 0, 0},
	};
	const char *direction = "both", *ender = "client";
	if (argc < 2 || (strcmp(argv[1], "server") && strcmp(argv[1], "client")))
		usage();
	opt.server = !strcmp(argv[1], "server");
	for (int c; (c = getopt_long(argc - 1, argv + 1, "", opts, NULL)) != -1;) {
		switch (c) {
		case 't': opt.udp = !strcmp(optarg, "udp"); break;
		case 'l': opt.local = optarg; break;
		case 'r': opt.remote = optarg; break;
		case 'p': opt.port = (uint16_t)number(optarg, 65535); break;
		case 'P': opt.local_port = (uint16_t)number(optarg, 65535); break;
		case 'u': opt.udp_port = (uint16_t)number(optarg, 65535); break;
		case 'U': opt.udp_peer = (uint16_t)number(optarg, 65535); break;
		case 'n': load.messages = (uint32_t)number(optarg, 0x0fffffff); break;
		case 's': load.seed = number(optarg, ~0ul); break;
		case 'k': load.streams = (uint32_t)number(optarg, 65535); break;
		case 'm': load.unordered_every = (uint32_t)number(optarg, 1u << 30); break;
		case 'M': load.max_size = (uint32_t)number(optarg, 1u << 28); break;
		case 'd': direction = optarg; break;
		case 'e': end_name = optarg; break;
		case 'E': ender = optarg; break;
		case 'b': opt.hb_ms = (int)number(optarg, 1u << 30); break;
		case 'T': timeout_s = (int)number(optarg, 1u << 20); break;
		case 'h': hold = 1; break;
		default: usage();
		}
	}
	if (!opt.local || (!opt.server && !opt.remote) || !load.streams || !load.max_size)
		usage();
	opt.streams = (uint16_t)load.streams;
	int both = !strcmp(direction, "both");
	sends = both || !strcmp(direction, opt.server ? "down" : "up");
	receives = both || !strcmp(direction, opt.server ? "up" : "down");
	aborts = !strcmp(end_name, "abort");
	we_end = !strcmp(ender, "both") || !strcmp(ender, argv[1]);
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	clock_gettime(CLOCK_MONOTONIC, &started);
	verifier_init(&in, &load, opt.server ? DIR_UP : DIR_DOWN);
	pthread_t t;
	pthread_create(&t, NULL, watchdog, NULL);
	stack_open(&opt);
	pthread_create(&t, NULL, sender, NULL);
	if (opt.server) {
		printf("READY\n");
		fflush(stdout);
	} else {
		stack_connect(&opt);
	}
	receive();
	/* The end may be known before the last call to send has returned. */
	pthread_mutex_lock(&mu);
	for (int i = 0; i < 20 && !sender_through; i++)
		wait_ms(500);
	finish();
}
