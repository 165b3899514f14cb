#include "workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t next_u64(uint64_t *s) /* splitmix64 */
{
	uint64_t z = (*s += 0x9e3779b97f4a7c15ull);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

struct message workload_message(const struct workload *w, int dir, uint32_t index)
{
	static const struct { uint32_t percent, max; } classes[] = {
		{50, 100}, {80, 1500}, {95, 10000}, {100, UINT32_MAX},
	};
	uint64_t s = w->seed ^ (uint64_t)(dir + 1) << 56;
	s = next_u64(&s) + index;
	struct message m;
	uint64_t pick = next_u64(&s) % 100;
	uint32_t max = w->max_size;
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		if (pick < classes[i].percent) {
			if (max > classes[i].max)
				max = classes[i].max;
			break;
		}
	m.size = 1 + (uint32_t)(next_u64(&s) % max);
	m.stream = (uint16_t)(next_u64(&s) % w->streams);
	m.unordered = w->unordered_every && index % w->unordered_every == w->unordered_every - 1;
	m.content = next_u64(&s);
	if (index == 0)
		m.size = 1;
	else if (index == 1)
		m.size = w->max_size;
	return m;
}

void workload_fill(const struct message *m, uint8_t *p)
{
	uint64_t s = m->content;
	for (size_t i = 0; i < m->size; i += 8) {
		uint64_t x = next_u64(&s);
		for (size_t j = i; j < i + 8 && j < m->size; j++, x >>= 8)
			p[j] = (uint8_t)x;
	}
}

void verifier_init(struct verifier *v, const struct workload *w, int dir)
{
	memset(v, 0, sizeof *v);
	v->w = w;
	v->dir = dir;
	v->seen = calloc(w->messages ? w->messages : 1, 1);
	v->next = calloc(w->streams, sizeof *v->next);
	v->expect = malloc(w->max_size);
	verifier_reset(v);
}

void verifier_reset(struct verifier *v)
{
	memset(v->seen, 0, v->w->messages ? v->w->messages : 1);
	memset(v->next, 0, v->w->streams * sizeof *v->next);
	v->received = v->unordered = 0;
	v->bytes = 0;
	v->digest = 0xcbf29ce484222325ull; /* FNV-1a over (index, size) in order of delivery */
}

static void digest(struct verifier *v, uint64_t x)
{
	for (int i = 0; i < 8; i++, x >>= 8)
		v->digest = (v->digest ^ (x & 0xff)) * 0x100000001b3ull;
}

int verifier_take(struct verifier *v, uint16_t stream, uint32_t ppid, int unordered,
		  const uint8_t *p, size_t n)
{
#define FAIL(...) do { if (!v->error[0]) snprintf(v->error, sizeof v->error, __VA_ARGS__); return -1; } while (0)
	uint32_t i = PPID_INDEX(ppid);
	if (PPID_KIND(ppid) != KIND_DATA || i >= v->w->messages)
		FAIL("message with unexpected PPID %#x", ppid);
	struct message m = workload_message(v->w, v->dir, i);
	if (v->seen[i])
		FAIL("message %u delivered twice", i);
	v->seen[i] = 1;
	if (stream != m.stream)
		FAIL("message %u on stream %u, sent on %u", i, stream, m.stream);
	if (!unordered != !m.unordered)
		FAIL("message %u unordered=%d, sent with %d", i, !!unordered, m.unordered);
	if (n != m.size)
		FAIL("message %u has %zu bytes, sent with %u", i, n, m.size);
	workload_fill(&m, v->expect);
	if (memcmp(p, v->expect, n))
		FAIL("message %u differs in content", i);
	if (!unordered) {
		if (i < v->next[stream])
			FAIL("message %u out of order on stream %u: %u came first", i, stream,
			     v->next[stream] - 1);
		v->next[stream] = i + 1;
	} else {
		v->unordered++;
	}
	v->received++;
	v->bytes += n;
	digest(v, i);
	digest(v, n);
	return 0;
#undef FAIL
}
