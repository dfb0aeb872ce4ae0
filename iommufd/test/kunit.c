// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: KUnit suites of the driver
 *
 * The suites live in the driver's own module, so that they reach what is not
 * exported; one module registers its suites in one place, which is here.
 *
 * No lock, no state but the seed.
 */
#include <linux/moduleparam.h>
#include <linux/random.h>

#include "test/kunit.h"

static uint kunit_seed;
module_param(kunit_seed, uint, 0444);
MODULE_PARM_DESC(kunit_seed,
		 "Seed of randomised KUnit tests, 0: a new one each time");

/* Seed @rnd from the module parameter, or newly; say with what. */
void iofd_kunit_random(struct kunit *test, struct rnd_state *rnd)
{
	u32 seed = kunit_seed ?: get_random_u32();

	kunit_info(test, "seed %u", seed);
	prandom_seed_state(rnd, seed);
}

kunit_test_suites(&iofd_range_suite,
		  &iofd_runs_suite,
		  &iofd_iova_suite,
		  &iofd_iova_bitmap_suite,
		  &iofd_queue_suite);
