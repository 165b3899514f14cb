/*
 * A test peer: one association, a seeded workload in one or both directions,
 * verified to the byte, and a graceful or abortive end. It prints
 *
 *   READY                 (a server, once it can be connected to)
 *   EVENT ...             (what its stack reports meanwhile)
 *   PROGRESS n            (now and then: messages received)
 *   RESULT {...}          (what it sent, saw and verified)
 *
 * and with --hold stays until its standard input ends, so that its stack can
 * still answer what a lossy network makes the other side send again. With
 * --again it begins anew when the peer restarts, or the association is lost.
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
static int sends, receives, aborts, we_end, hold, again, until_stop, pace_us, timeout_s = 120;
static const char *end_name = "shutdown", *primary;

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct verifier in;
static int up, peer_done, ended, sender_through; /* under mu, as are the fields below */
static int stopped, input_over, finished;
static uint32_t gen, in_gen; /* generations of what we send, and of what we receive */
static int64_t last = -1;    /* how many messages the peer says that it sends, -1: not known yet */
static uint32_t restarts, losses, stale;
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

static int64_t expected(void)
{
	return !receives ? 0 : until_stop ? last : load.messages;
}

static int verified(void)
{
	return !in.error[0] && in.received == expected();
}

/* Prints the result and never returns. */
static void finish(void)
{
	struct timespec t;
	if (finished)
		_exit(1);
	finished = 1;
	clock_gettime(CLOCK_MONOTONIC, &t);
	if (in.error[0])
		fail(in.error);
	if (sends && !until_stop && sent != load.messages)
		fail("not everything was sent");
	if (!verified())
		fail("not everything was received");
	printf("RESULT {\"stack\":\"%s\",\"role\":\"%s\",\"transport\":\"%s\",\"up\":%s,"
	       "\"streams_out\":%u,\"streams_in\":%u,\"sent\":%u,\"sent_bytes\":%llu,"
	       "\"received\":%u,\"received_bytes\":%llu,\"unordered\":%u,\"digest\":\"%016llx\","
	       "\"verified\":%s,\"ending\":\"%s\",\"cause\":%u,\"restarts\":%u,\"losses\":%u,\"stale\":%u,"
	       "\"error\":\"%s\",\"ms\":%lld}\n",
	       stack_name, opt.server ? "server" : "client", opt.udp ? "udp" : "raw",
	       up ? "true" : "false", streams_out, streams_in, sent, (unsigned long long)sent_bytes,
	       in.received, (unsigned long long)in.bytes, in.unordered, (unsigned long long)in.digest,
	       verified() ? "true" : "false", ending, cause, restarts, losses, stale, failure,
	       (long long)(t.tv_sec - started.tv_sec) * 1000 + (t.tv_nsec - started.tv_nsec) / 1000000);
	fflush(stdout);
	while (hold && !input_over)
		pthread_cond_wait(&changed, &mu);
	_exit(failure[0] ? 1 : 0);
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
static void refused(const char *what, uint32_t mine)
{
	pthread_mutex_lock(&mu);
	for (int i = 0; i < 20 && !ended && gen == mine; i++)
		wait_ms(500);
	if (!ended && gen == mine) {
		fail(what);
		finish();
	}
	pthread_mutex_unlock(&mu);
}

/* Sends the workload of a generation. 1: that one is over meanwhile. */
static int send_all(uint32_t mine)
{
	uint8_t *buf = malloc(load.max_size);
	int dir = opt.server ? DIR_DOWN : DIR_UP, r = 0;
	uint32_t i;
	for (i = 0; sends && i < load.messages; i++) {
		struct message m = workload_message(&load, dir, i);
		workload_fill(&m, buf);
		pthread_mutex_lock(&mu);
		int stop = until_stop && stopped, over = gen != mine;
		pthread_mutex_unlock(&mu);
		if (stop)
			break;
		if (over)
			goto out;
		if ((r = stack_send(m.stream, PPID_OF(KIND_DATA, mine, i), m.unordered, buf, m.size))) {
			printf("EVENT send refused: %s\n", strerror(errno));
			goto out;
		}
		pthread_mutex_lock(&mu);
		if (gen == mine) {
			sent++;
			sent_bytes += m.size;
		}
		pthread_mutex_unlock(&mu);
		if (pace_us)
			usleep((useconds_t)pace_us);
	}
	if (sends && until_stop)
		r = stack_send(0, PPID_OF(KIND_LAST, mine, i), 0, (const uint8_t *)"LAST", 4);
out:
	free(buf);
	pthread_mutex_lock(&mu);
	if (gen != mine)
		r = 1;
	pthread_mutex_unlock(&mu);
	return r;
}

/*
 * What follows the workload. A graceful end starts once everything has been
 * received and handed to the stack: what is still under way is SHUTDOWN's to
 * deliver. An abortive one waits for the other side to say that it has
 * everything. The side to be aborted keeps sending, so that a lost ABORT is
 * noticed soon.
 */
static void end(uint32_t mine)
{
	pthread_mutex_lock(&mu);
	while (!ended && gen == mine && !verified())
		wait_ms(1000);
	int over = ended || gen != mine;
	pthread_mutex_unlock(&mu);
	if (over)
		return;
	if (!aborts) {
		if (we_end && stack_shutdown() < 0)
			refused("shutdown refused", mine);
		return;
	}
	if (stack_send(0, PPID_OF(KIND_DONE, mine, 0), 0, (const uint8_t *)"DONE", 4) < 0)
		return;
	pthread_mutex_lock(&mu);
	while (!ended && (!we_end || !peer_done)) {
		wait_ms(300);
		if (ended || we_end)
			continue;
		pthread_mutex_unlock(&mu);
		stack_send(0, PPID_OF(KIND_PING, mine, 0), 0, (const uint8_t *)"PING", 4);
		pthread_mutex_lock(&mu);
	}
	pthread_mutex_unlock(&mu);
	if (we_end && stack_abort("interop test") < 0)
		refused("abort refused", mine);
}

/* The sending side: a workload for each generation. */
static void *sender(void *arg)
{
	(void)arg;
	for (;;) {
		pthread_mutex_lock(&mu);
		while (!up && !ended)
			wait_ms(1000);
		uint32_t mine = gen;
		int over = ended;
		pthread_mutex_unlock(&mu);
		int r = over ? -1 : send_all(mine);
		if (!r) {
			pthread_mutex_lock(&mu);
			sender_through = 1;
			pthread_cond_broadcast(&changed);
			pthread_mutex_unlock(&mu);
			end(mine);
		}
		pthread_mutex_lock(&mu); /* if a call failed, the receiving side learns why */
		while (again && !ended && gen == mine)
			wait_ms(1000);
		over = ended || gen == mine;
		sender_through = over;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&mu);
		if (over)
			return NULL;
	}
}

/* A new generation: whatever was under way is gone. */
static void anew(void)
{
	gen++;
	in_gen = 0;
	sent = 0;
	sent_bytes = 0;
	last = -1;
	peer_done = 0;
	verifier_reset(&in);
}

static void take(const struct event *ev, const uint8_t *p, size_t n)
{
	uint32_t g = PPID_GEN(ev->ppid);
	if (again && g < in_gen) { /* queued before the other side knew that we are new */
		stale++;
		return;
	}
	if (again && g > in_gen) {
		in_gen = g;
		last = -1;
		verifier_reset(&in);
	}
	switch (PPID_KIND(ev->ppid)) {
	case KIND_DONE:
		peer_done = 1;
		break;
	case KIND_PING:
		break;
	case KIND_LAST:
		last = PPID_INDEX(ev->ppid);
		break;
	default:
		verifier_take(&in, ev->stream, ev->ppid, ev->unordered, p, n);
		if (until_stop && in.received % 100 == 0)
			printf("PROGRESS %u\n", in.received);
	}
}

/* Takes what is not data; under mu. */
static void happened(const struct event *ev)
{
	switch (ev->what) {
	case GOT_RESTART:
		restarts++;
		anew();
		/* fall through */
	case GOT_UP:
		up = 1;
		streams_out = ev->streams_out;
		streams_in = ev->streams_in;
		if (primary)
			stack_primary(primary, opt.server ? opt.local_port : opt.port);
		printf("EVENT %s\n", ev->what == GOT_UP ? "up" : "restart");
		break;
	case GOT_PATH:
		/* While it is not confirmed, an address cannot be the primary. */
		if (primary && !strcmp(ev->path, "confirmed") && !strcmp(ev->addr, primary))
			stack_primary(primary, opt.server ? opt.local_port : opt.port);
		printf("EVENT path %s %s\n", ev->addr, ev->path);
		break;
	case GOT_SHUTDOWN_COMP:
	case GOT_LOST:
		printf("EVENT lost %u\n", ev->cause);
		cause = ev->cause;
		/* A stack may end gracefully for a process that was killed. */
		if (!again || (ev->what == GOT_SHUTDOWN_COMP && verified())) {
			ending = ev->what == GOT_LOST ? "COMM_LOST" : "SHUTDOWN_COMP";
			ended = 1;
		} else if (up) {
			losses++;
			up = 0;
			anew();
		}
		break;
	default:
		break;
	}
}

static void receive(void)
{
	size_t cap = load.max_size + 1, have = 0;
	uint8_t *buf = malloc(cap);
	while (!ended) {
		struct event ev;
		stack_next(buf + have, cap - have, &ev);
		pthread_mutex_lock(&mu);
		if (ev.what == GOT_DATA) {
			have += ev.n;
			if (ev.end) {
				take(&ev, buf, have);
				have = 0;
			} else if (have == cap) {
				fail("a message is longer than any that was sent");
				ended = 1;
			}
		} else {
			happened(&ev);
		}
		int lost = ev.what == GOT_LOST || ev.what == GOT_SHUTDOWN_COMP;
		if (ev.what == GOT_RESTART || lost)
			have = 0;
		if (in.error[0])
			ended = 1;
		int connect = lost && !ended && !opt.server;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&mu);
		if (connect) {
			usleep(100000);
			stack_connect(&opt);
		}
	}
	free(buf);
}

/* Does what standard input says. */
static void *commands(void *arg)
{
	(void)arg;
	char line[128];
	while (fgets(line, sizeof line, stdin)) {
		pthread_mutex_lock(&mu);
		if (!strcmp(line, "stop\n"))
			stopped = 1;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&mu);
	}
	pthread_mutex_lock(&mu);
	input_over = 1;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mu);
	return NULL;
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
		"usage: %s-peer server|client --transport raw|udp --local IP[,IP] --remote IP[,IP] --primary IP\n"
		"  --port N [--local-port N] [--udp-port N --udp-peer N]\n"
		"  --messages N --seed S --streams K --unordered-every M --max-size BYTES [--pace-us N] [--until-stop]\n"
		"  --direction up|down|both --end shutdown|abort --ender client|server|both\n"
		"  [--hb-ms N] [--rto-min-ms N --rto-max-ms N] [--sack-ms N] [--path-retrans N] [--assoc-retrans N]\n"
		"  [--again] [--timeout S] [--hold]\n",
		stack_name);
	exit(64);
}

/* Takes a list of addresses apart. */
static void addresses(char *s, const char *list[MAX_ADDRS])
{
	int n = 0;
	memset(list, 0, MAX_ADDRS * sizeof *list);
	for (char *a = strtok(s, ","); a; a = strtok(NULL, ",")) {
		if (n == MAX_ADDRS - 1)
			usage();
		list[n++] = a;
	}
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
		{"hb-ms", 1, 0, 'b'}, {"timeout", 1, 0, 'T'}, {"hold", 0, 0, 'h'},
		{"primary", 1, 0, 'i'}, {"pace-us", 1, 0, 'c'}, {"until-stop", 0, 0, 'S'},
		{"rto-min-ms", 1, 0, 'o'}, {"rto-max-ms", 1, 0, 'O'}, {"sack-ms", 1, 0, 'K'},
		{"path-retrans", 1, 0, 'x'}, {"assoc-retrans", 1, 0, 'X'}, {"again", 0, 0, 'a'}, {0, 0, 0, 0},
	};
	const char *direction = "both", *ender = "client";
	if (argc < 2 || (strcmp(argv[1], "server") && strcmp(argv[1], "client")))
		usage();
	opt.server = !strcmp(argv[1], "server");
	for (int c; (c = getopt_long(argc - 1, argv + 1, "", opts, NULL)) != -1;) {
		switch (c) {
		case 't': opt.udp = !strcmp(optarg, "udp"); break;
		case 'l': addresses(optarg, opt.local); break;
		case 'r': addresses(optarg, opt.remote); break;
		case 'p': opt.port = (uint16_t)number(optarg, 65535); break;
		case 'P': opt.local_port = (uint16_t)number(optarg, 65535); break;
		case 'u': opt.udp_port = (uint16_t)number(optarg, 65535); break;
		case 'U': opt.udp_peer = (uint16_t)number(optarg, 65535); break;
		case 'n': load.messages = (uint32_t)number(optarg, MAX_INDEX); break;
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
		case 'i': primary = optarg; break;
		case 'c': pace_us = (int)number(optarg, 1u << 30); break;
		case 'S': until_stop = 1; break;
		case 'o': opt.rto_min_ms = (int)number(optarg, 1u << 30); break;
		case 'O': opt.rto_max_ms = (int)number(optarg, 1u << 30); break;
		case 'K': opt.sack_ms = (int)number(optarg, 500); break;
		case 'x': opt.path_retrans = (int)number(optarg, 1000); break;
		case 'X': opt.assoc_retrans = (int)number(optarg, 1000); break;
		case 'a': again = 1; break;
		default: usage();
		}
	}
	if (!opt.local[0] || (!opt.server && !opt.remote[0]) || !load.streams || !load.max_size)
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
	setvbuf(stdout, NULL, _IOLBF, 0);
	clock_gettime(CLOCK_MONOTONIC, &started);
	verifier_init(&in, &load, opt.server ? DIR_UP : DIR_DOWN);
	pthread_t t;
	pthread_create(&t, NULL, watchdog, NULL);
	pthread_create(&t, NULL, commands, NULL);
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
