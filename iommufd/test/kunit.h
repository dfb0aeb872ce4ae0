/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the KUnit suites share: the list of them, and random numbers.
 *
 * A randomised test draws everything from one generator, made by
 * iofd_kunit_random(), which prints its seed.  A failure is repeated by giving
 * that seed back as the module parameter kunit_seed.
 */
#ifndef IOFD_TEST_KUNIT_H
#define IOFD_TEST_KUNIT_H

#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/types.h>

extern struct kunit_suite iofd_range_suite;
extern struct kunit_suite iofd_runs_suite;
extern struct kunit_suite iofd_iova_suite;
extern struct kunit_suite iofd_iova_bitmap_suite;
extern struct kunit_suite iofd_queue_suite;

void iofd_kunit_random(struct kunit *test, struct rnd_state *rnd);

/* 0..@nr - 1 */
static inline u32 iofd_kunit_below(struct rnd_state *rnd, u32 nr)
{
	return prandom_u32_state(rnd) % nr;
}

/* True once in @nr times. */
static inline bool iofd_kunit_one_in(struct rnd_state *rnd, u32 nr)
{
	return !iofd_kunit_below(rnd, nr);
}

/*
 * Make the @nth fault point that this task comes to fail, of any kind, until
 * iofd_kunit_fail_end(), which returns true if it was come to.
 */
#ifdef CONFIG_FAULT_INJECTION
static inline void iofd_kunit_fail_nth(unsigned int nth)
{
	WRITE_ONCE(current->fail_nth, nth);
}

static inline bool iofd_kunit_fail_end(void)
{
	unsigned int left = READ_ONCE(current->fail_nth);

	WRITE_ONCE(current->fail_nth, 0);
	return !left;
}
#else
static inline void iofd_kunit_fail_nth(unsigned int nth)
{
}

static inline bool iofd_kunit_fail_end(void)
{
	return false;
}
#endif

#endif
