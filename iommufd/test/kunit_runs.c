// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: KUnit of base/runs.c
 *
 * The model is one array with the page frame of every index, UNKNOWN where
 * none was added.  The store may be asked about known indices only, so every
 * question the test asks lies within a known stretch.
 */
#include <linux/mm.h>
#include <linux/sizes.h>

#include "base/runs.h"
#include "test/kunit.h"

#define UNKNOWN		ULONG_MAX
#define MAX_NR		4133
#define MAX_PFNS	1300
#define OPS		800
#define BLOCK		512

struct model {
	struct iofd_runs runs;
	struct rnd_state rnd;
	unsigned long nr;
	unsigned long *pfn;
	unsigned long *batch;
};

static unsigned long random_pfn(struct model *m, unsigned long first)
{
	switch (iofd_kunit_below(&m->rnd, 5)) {
	case 0:
		/* low: the delta becomes negative */
		return iofd_kunit_below(&m->rnd, 64);
	case 1:
		/* goes on where the index before ends */
		if (first && m->pfn[first - 1] != UNKNOWN)
			return m->pfn[first - 1] + 1;
		fallthrough;
	case 2:
		/* few different deltas, so that runs meet by chance */
		return first + SZ_1M + iofd_kunit_below(&m->rnd, 3);
	case 3:
		return (ULONG_MAX >> PAGE_SHIFT >> 8) -
		       iofd_kunit_below(&m->rnd, SZ_1M);
	default:
		return prandom_u32_state(&m->rnd) >> 4;
	}
}

static unsigned long random_nr(struct model *m, unsigned long max)
{
	unsigned long nr;

	switch (iofd_kunit_below(&m->rnd, 4)) {
	case 0:
		nr = 1 + iofd_kunit_below(&m->rnd, 4);
		break;
	case 1:
		nr = BLOCK - 1 + iofd_kunit_below(&m->rnd, 3);
		break;
	default:
		nr = 1 + iofd_kunit_below(&m->rnd, max);
		break;
	}
	return min(nr, max);
}

/* Often at a border of blocks, where the mistakes are. */
static unsigned long random_first(struct model *m)
{
	unsigned long first = iofd_kunit_below(&m->rnd, m->nr);

	if (iofd_kunit_one_in(&m->rnd, 4))
		first = round_down(first + m->runs.phase, BLOCK) -
			m->runs.phase;
	return first < m->nr ? first : 0;
}

static void add_one(struct kunit *test, struct model *m)
{
	unsigned long first = random_first(m);
	unsigned long nr = random_nr(m, m->nr - first);
	unsigned long pfn = random_pfn(m, first);
	unsigned long i;

	KUNIT_ASSERT_EQ(test, iofd_runs_add(&m->runs, first, first + nr - 1,
					    pfn), 0);
	for (i = 0; i < nr; i++)
		m->pfn[first + i] = pfn + i;
}

static void add_many(struct kunit *test, struct model *m)
{
	unsigned long first = random_first(m);
	unsigned long nr = random_nr(m, min(m->nr - first,
					    (unsigned long)MAX_PFNS));
	unsigned long longest = BIT(iofd_kunit_below(&m->rnd, 11));
	unsigned long i, pfn = 0, left = 0;

	for (i = 0; i < nr; i++) {
		if (!left) {
			left = 1 + iofd_kunit_below(&m->rnd, longest);
			pfn = random_pfn(m, first + i);
		}
		m->batch[i] = pfn++;
		m->pfn[first + i] = m->batch[i];
		left--;
	}
	KUNIT_ASSERT_EQ(test, iofd_runs_add_pfns(&m->runs, first, m->batch,
						 nr), 0);
}

static struct iofd_run model_find(struct model *m, unsigned long index,
				  unsigned long last)
{
	struct iofd_run run = { index, index, m->pfn[index] };

	while (run.last < last &&
	       m->pfn[run.last + 1] == m->pfn[run.last] + 1)
		run.last++;
	return run;
}

static void expect_run(struct kunit *test, struct iofd_run got,
		       struct iofd_run want)
{
	KUNIT_ASSERT_EQ(test, got.first, want.first);
	KUNIT_ASSERT_EQ(test, got.last, want.last);
	KUNIT_ASSERT_EQ(test, got.pfn, want.pfn);
}

static void find_one(struct kunit *test, struct model *m)
{
	unsigned long index = random_first(m);
	unsigned long last = index;
	unsigned long want;

	if (m->pfn[index] == UNKNOWN)
		return;
	KUNIT_ASSERT_EQ(test, iofd_runs_pfn(&m->runs, index), m->pfn[index]);

	want = random_nr(m, m->nr - index);
	while (--want > 0 && m->pfn[last + 1] != UNKNOWN)
		last++;
	expect_run(test, iofd_runs_find(&m->runs, index, last),
		   model_find(m, index, last));
}

static void walk_all(struct kunit *test, struct model *m)
{
	unsigned long first, last, at;
	struct iofd_run run;

	for (first = 0; first < m->nr; first = last + 1) {
		last = first;
		if (m->pfn[first] == UNKNOWN)
			continue;
		while (last + 1 < m->nr && m->pfn[last + 1] != UNKNOWN)
			last++;

		at = first;
		iofd_for_each_run(run, &m->runs, first, last) {
			expect_run(test, run, model_find(m, at, last));
			at = run.last + 1;
		}
		KUNIT_ASSERT_EQ(test, at, last + 1);
	}
}

static void random_set(struct kunit *test, struct model *m, unsigned long nr,
		       unsigned long at)
{
	unsigned long i;

	m->nr = nr;
	for (i = 0; i < nr; i++)
		m->pfn[i] = UNKNOWN;
	iofd_runs_init(&m->runs, nr);
	iofd_runs_align(&m->runs, at);

	for (i = 1; i <= OPS; i++) {
		switch (iofd_kunit_below(&m->rnd, 3)) {
		case 0:
			add_one(test, m);
			break;
		case 1:
			add_many(test, m);
			break;
		default:
			find_one(test, m);
			break;
		}
		if (i % 32 == 0)
			walk_all(test, m);
	}
	iofd_runs_fini(&m->runs);
}

static void random_against_array(struct kunit *test)
{
	static const unsigned long sizes[] = {
		1, 3, 511, 512, 513, 1500, MAX_NR
	};
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->pfn = kunit_kcalloc(test, MAX_NR, sizeof(*m->pfn), GFP_KERNEL);
	m->batch = kunit_kcalloc(test, MAX_PFNS, sizeof(*m->batch),
				 GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m->pfn);
	KUNIT_ASSERT_NOT_NULL(test, m->batch);

	iofd_kunit_random(test, &m->rnd);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		random_set(test, m, sizes[i], 0);
		random_set(test, m, sizes[i], 511);
		random_set(test, m, sizes[i], prandom_u32_state(&m->rnd));
	}
}

/* The least and the greatest delta there can be. */
static void extreme_deltas(struct kunit *test)
{
	const unsigned long nr = (ULONG_MAX >> PAGE_SHIFT) + 1;
	const unsigned long top_pfn = ULONG_MAX >> PAGE_SHIFT;
	struct iofd_runs runs;

	iofd_runs_init(&runs, nr);
	iofd_runs_align(&runs, ULONG_MAX);

	KUNIT_EXPECT_EQ(test, iofd_runs_add(&runs, nr - 1, nr - 1, 0), 0);
	expect_run(test, iofd_runs_find(&runs, nr - 1, nr - 1),
		   (struct iofd_run){ nr - 1, nr - 1, 0 });

	KUNIT_EXPECT_EQ(test, iofd_runs_add(&runs, 0, 0, top_pfn), 0);
	expect_run(test, iofd_runs_find(&runs, 0, 0),
		   (struct iofd_run){ 0, 0, top_pfn });

	KUNIT_EXPECT_EQ(test, iofd_runs_add(&runs, 1, 3, 0), 0);
	expect_run(test, iofd_runs_find(&runs, 0, 3),
		   (struct iofd_run){ 0, 0, top_pfn });
	expect_run(test, iofd_runs_find(&runs, 1, 3),
		   (struct iofd_run){ 1, 3, 0 });
	KUNIT_EXPECT_EQ(test, iofd_runs_pfn(&runs, nr - 1), 0);
	iofd_runs_fini(&runs);
}

static void contiguous_memory_is_one_run(struct kunit *test)
{
	const unsigned long nr = SZ_1G / SZ_4K;
	struct iofd_runs runs;
	unsigned long i;

	iofd_runs_init(&runs, nr);
	iofd_runs_align(&runs, 77);

	/* However it was added: in pieces, backwards. */
	for (i = nr; i; i -= 256)
		KUNIT_ASSERT_EQ(test, iofd_runs_add(&runs, i - 256, i - 1,
						    SZ_1M + i - 256), 0);
	expect_run(test, iofd_runs_find(&runs, 0, nr - 1),
		   (struct iofd_run){ 0, nr - 1, SZ_1M });
	expect_run(test, iofd_runs_find(&runs, 5, nr - 2),
		   (struct iofd_run){ 5, nr - 2, SZ_1M + 5 });
	iofd_runs_fini(&runs);
}

static void small_contiguous_set_is_free(struct kunit *test)
{
	unsigned long nr;

	for (nr = 1; nr <= BLOCK; nr++) {
		struct iofd_runs runs;

		iofd_runs_init(&runs, nr);
		iofd_runs_align(&runs, 3 * nr);
		KUNIT_ASSERT_EQ(test, iofd_runs_add(&runs, 0, nr - 1, 1234),
				0);
		KUNIT_ASSERT_EQ(test, iofd_runs_memory(&runs), 0);
		iofd_runs_fini(&runs);
	}
}

static void covering_a_block_frees_its_array(struct kunit *test)
{
	struct iofd_runs runs;
	size_t before;

	iofd_runs_init(&runs, 3 * BLOCK + 10);
	KUNIT_EXPECT_EQ(test, iofd_runs_add(&runs, 0, 3 * BLOCK + 9, 1000), 0);
	before = iofd_runs_memory(&runs);

	/* middle and last block become dense, the last is short */
	KUNIT_EXPECT_EQ(test, iofd_runs_add(&runs, BLOCK + 7, BLOCK + 7, 5),
			0);
	KUNIT_EXPECT_EQ(test, iofd_runs_add(&runs, 3 * BLOCK + 9,
					    3 * BLOCK + 9, 6), 0);
	KUNIT_EXPECT_EQ(test, iofd_runs_memory(&runs) - before,
			BLOCK * sizeof(long) +
			kmalloc_size_roundup(10 * sizeof(long)));

	KUNIT_EXPECT_EQ(test, iofd_runs_add(&runs, BLOCK, 2 * BLOCK - 1, 9),
			0);
	KUNIT_EXPECT_EQ(test, iofd_runs_add(&runs, 3 * BLOCK, 3 * BLOCK + 9,
					    8), 0);
	KUNIT_EXPECT_EQ(test, iofd_runs_memory(&runs), before);
	KUNIT_EXPECT_EQ(test, iofd_runs_pfn(&runs, BLOCK + 7), 16);
	KUNIT_EXPECT_EQ(test, iofd_runs_pfn(&runs, 3 * BLOCK + 9), 17);
	iofd_runs_fini(&runs);
}

/* Bytes of a store for @nr pages in pieces of @piece, each of its own delta. */
static size_t memory_of(struct kunit *test, unsigned long nr,
			unsigned long piece, unsigned long at)
{
	struct iofd_runs runs;
	unsigned long first = 0, last, pfn;
	size_t bytes;

	iofd_runs_init(&runs, nr);
	iofd_runs_align(&runs, at);
	while (first < nr) {
		/* pieces are aligned in the numbering of @at */
		last = min(round_down(first + at, piece) + piece - 1 - at,
			   nr - 1);
		pfn = 2 * round_down(first + at, piece) +
		      (first + at) % piece;
		KUNIT_ASSERT_EQ(test, iofd_runs_add(&runs, first, last, pfn),
				0);
		first = last + 1;
	}
	bytes = iofd_runs_memory(&runs);
	KUNIT_ASSERT_EQ(test, iofd_runs_find(&runs, nr - 1, nr - 1).pfn,
			2 * round_down(nr - 1 + at, piece) +
			(nr - 1 + at) % piece);
	iofd_runs_fini(&runs);
	return bytes;
}

/* Measured on 4 GiB, the budget is per TiB. */
static void memory_budget(struct kunit *test)
{
	const unsigned long nr = SZ_1M;
	size_t bytes;

	if (!IS_ENABLED(CONFIG_64BIT) || PAGE_SHIFT != 12)
		kunit_skip(test, "the budget is for 4 KiB pages on 64 bit");

	bytes = memory_of(test, nr, 512, 0);
	kunit_info(test, "2 MiB pages: %zu KiB per TiB", bytes / 4);
	KUNIT_EXPECT_LE(test, bytes * 256, SZ_16M);

	bytes = memory_of(test, nr, 512, 200);
	kunit_info(test, "2 MiB pages, not from the start of one: %zu KiB per TiB",
		   bytes / 4);
	KUNIT_EXPECT_LE(test, bytes * 256, SZ_16M);

	bytes = memory_of(test, nr, 1, 0);
	kunit_info(test, "4 KiB pages, all scattered: %zu MiB per TiB",
		   bytes / SZ_4K);
	KUNIT_EXPECT_LE(test, bytes * 256, 5ULL * SZ_512M);
}

/*
 * Two blocks become dense, with the @nth fault point failing: whatever comes
 * of it, what is known outside of the range must stay.
 */
static int add_failing(struct kunit *test, unsigned int nth, bool *met)
{
	static const unsigned long scattered[] = { 70, 90, 80 };
	const unsigned long nr = 4 * BLOCK;
	struct iofd_runs runs;
	int ret;

	iofd_runs_init(&runs, nr);
	KUNIT_ASSERT_EQ(test, iofd_runs_add(&runs, 0, nr - 1, 1000), 0);

	iofd_kunit_fail_nth(nth);
	ret = iofd_runs_add_pfns(&runs, BLOCK - 1, scattered,
				 ARRAY_SIZE(scattered));
	*met = iofd_kunit_fail_end();

	expect_run(test, iofd_runs_find(&runs, 0, BLOCK - 2),
		   (struct iofd_run){ 0, BLOCK - 2, 1000 });
	expect_run(test, iofd_runs_find(&runs, BLOCK + 2, nr - 1),
		   (struct iofd_run){ BLOCK + 2, nr - 1, 1000 + BLOCK + 2 });

	/* and the store is as good as before */
	KUNIT_EXPECT_EQ(test, iofd_runs_add_pfns(&runs, BLOCK - 1, scattered,
						 ARRAY_SIZE(scattered)), 0);
	expect_run(test, iofd_runs_find(&runs, BLOCK - 1, nr - 1),
		   (struct iofd_run){ BLOCK - 1, BLOCK - 1, 70 });
	expect_run(test, iofd_runs_find(&runs, BLOCK, nr - 1),
		   (struct iofd_run){ BLOCK, BLOCK, 90 });
	iofd_runs_fini(&runs);
	return ret;
}

/*
 * A fault point inside the page allocator may be met and recovered from, and
 * be gone the next time: an order is tried again until it fails the call.
 */
#define MAX_TRIES	16

static void failed_add_keeps_the_rest(struct kunit *test)
{
	unsigned int nth = 1, tries = 0, failed = 0;
	bool met = true;
	int ret;

	if (!IS_ENABLED(CONFIG_FAULT_INJECTION))
		kunit_skip(test, "needs CONFIG_FAULT_INJECTION");

	while (met) {
		ret = add_failing(test, nth, &met);
		if (!ret && met && ++tries < MAX_TRIES)
			continue;
		tries = 0;
		nth++;
		if (!ret)
			continue;
		KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
		KUNIT_EXPECT_TRUE(test, met);
		failed++;
	}
	/* once for either array */
	KUNIT_EXPECT_GE(test, failed, 2);
	KUNIT_EXPECT_EQ(test, ret, 0);
}

static struct kunit_case runs_cases[] = {
	KUNIT_CASE(random_against_array),
	KUNIT_CASE(extreme_deltas),
	KUNIT_CASE(contiguous_memory_is_one_run),
	KUNIT_CASE(small_contiguous_set_is_free),
	KUNIT_CASE(covering_a_block_frees_its_array),
	KUNIT_CASE_SLOW(memory_budget),
	KUNIT_CASE(failed_add_keeps_the_rest),
	{}
};

struct kunit_suite iofd_runs_suite = {
	.name = "iofd_runs",
	.test_cases = runs_cases,
};
