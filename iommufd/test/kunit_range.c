// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: KUnit of base/range.h
 *
 * The model of a range is the set of its members, as bits of a u64: the test
 * lives in 64 consecutive values, at 0 or at the top of unsigned long.
 */
#include <linux/bitops.h>

#include "base/range.h"
#include "test/kunit.h"

#define UNIVERSE	64
#define OPS		20000

/* Counts up one by one: no arithmetic that could go wrong the same way. */
static u64 members(unsigned long base, struct iofd_range range)
{
	unsigned long value = range.first;
	u64 set = 0;

	for (;;) {
		set |= BIT_ULL(value - base);
		if (value == range.last)
			return set;
		value++;
	}
}

static struct iofd_range random_range(struct rnd_state *rnd, unsigned long base)
{
	unsigned long a = iofd_kunit_below(rnd, UNIVERSE);
	unsigned long b = iofd_kunit_below(rnd, UNIVERSE);

	return (struct iofd_range){ base + min(a, b), base + max(a, b) };
}

static void check_pair(struct kunit *test, unsigned long base,
		       struct iofd_range a, struct iofd_range b)
{
	u64 in_a = members(base, a), in_b = members(base, b);

	KUNIT_ASSERT_EQ(test, iofd_range_overlaps(a, b), !!(in_a & in_b));
	KUNIT_ASSERT_EQ(test, iofd_range_contains(a, b), !(in_b & ~in_a));
	if (in_a & in_b)
		KUNIT_ASSERT_EQ(test,
				members(base, iofd_range_intersect(a, b)),
				in_a & in_b);
}

static void check_one(struct kunit *test, struct rnd_state *rnd,
		      unsigned long base, struct iofd_range range)
{
	unsigned long value = base + iofd_kunit_below(rnd, UNIVERSE);
	unsigned long align = BIT(iofd_kunit_below(rnd, 6));
	u64 set = members(base, range);
	struct iofd_range built = {};

	KUNIT_ASSERT_EQ(test, iofd_range_has(range, value),
			!!(set & BIT_ULL(value - base)));
	KUNIT_ASSERT_EQ(test, iofd_range_length(range), hweight64(set));
	KUNIT_ASSERT_EQ(test, iofd_range_aligned(range, align),
			range.first % align == 0 &&
			range.last % align == align - 1);
	KUNIT_ASSERT_EQ(test,
			iofd_range_from_length(&built, range.first,
					       hweight64(set)), 0);
	KUNIT_ASSERT_EQ(test, built.first, range.first);
	KUNIT_ASSERT_EQ(test, built.last, range.last);
}

/* Step to the next multiple, and see whether the top comes before it. */
static void check_align_up(struct kunit *test, unsigned long value,
			   unsigned long align)
{
	unsigned long want = value, got = 0;
	bool fits = true;

	while (want % align) {
		if (want == ULONG_MAX) {
			fits = false;
			break;
		}
		want++;
	}
	KUNIT_ASSERT_EQ(test, iofd_align_up(value, align, &got), fits);
	if (fits)
		KUNIT_ASSERT_EQ(test, got, want);
}

static void check_from_length(struct kunit *test, unsigned long first,
			      unsigned int length)
{
	struct iofd_range range = { 1, 2 };
	unsigned long last = first;
	int want = length ? 0 : -EINVAL;
	unsigned int i;

	for (i = 1; i < length; i++) {
		if (last == ULONG_MAX) {
			want = -EOVERFLOW;
			break;
		}
		last++;
	}
	KUNIT_ASSERT_EQ(test, iofd_range_from_length(&range, first, length),
			want);
	KUNIT_ASSERT_EQ(test, range.first, want ? 1 : first);
	KUNIT_ASSERT_EQ(test, range.last, want ? 2 : last);
}

static void random_against_sets(struct kunit *test)
{
	struct rnd_state rnd;
	unsigned int i;

	iofd_kunit_random(test, &rnd);
	for (i = 0; i < OPS; i++) {
		unsigned long base = iofd_kunit_one_in(&rnd, 2) ?
				     0 : ULONG_MAX - (UNIVERSE - 1);
		struct iofd_range a = random_range(&rnd, base);
		struct iofd_range b = random_range(&rnd, base);

		check_pair(test, base, a, b);
		check_one(test, &rnd, base, a);
		check_align_up(test, base + iofd_kunit_below(&rnd, UNIVERSE),
			       BIT(iofd_kunit_below(&rnd, 8)));
		check_from_length(test,
				  base + iofd_kunit_below(&rnd, UNIVERSE),
				  iofd_kunit_below(&rnd, 2 * UNIVERSE));
	}
}

static void from_length_at_the_ends(struct kunit *test)
{
	struct iofd_range range;

	KUNIT_EXPECT_EQ(test, iofd_range_from_length(&range, 0, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, iofd_range_from_length(&range, ULONG_MAX, 0),
			-EINVAL);

	KUNIT_EXPECT_EQ(test, iofd_range_from_length(&range, ULONG_MAX, 1), 0);
	KUNIT_EXPECT_EQ(test, range.first, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, range.last, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, iofd_range_from_length(&range, ULONG_MAX, 2),
			-EOVERFLOW);

	KUNIT_EXPECT_EQ(test, iofd_range_from_length(&range, 0, ULONG_MAX), 0);
	KUNIT_EXPECT_EQ(test, range.last, ULONG_MAX - 1);
	KUNIT_EXPECT_EQ(test, iofd_range_from_length(&range, 1, ULONG_MAX), 0);
	KUNIT_EXPECT_EQ(test, range.last, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, iofd_range_from_length(&range, 2, ULONG_MAX),
			-EOVERFLOW);
	KUNIT_EXPECT_EQ(test,
			iofd_range_from_length(&range, U64_MAX, U64_MAX),
			-EOVERFLOW);
}

static void the_range_of_all(struct kunit *test)
{
	struct iofd_range top = { ULONG_MAX, ULONG_MAX };
	struct iofd_range zero = { 0, 0 };

	KUNIT_EXPECT_EQ(test, iofd_range_length(IOFD_RANGE_ALL), 0);
	KUNIT_EXPECT_TRUE(test, iofd_range_aligned(IOFD_RANGE_ALL, SZ_1G));
	KUNIT_EXPECT_TRUE(test, iofd_range_contains(IOFD_RANGE_ALL, top));
	KUNIT_EXPECT_TRUE(test, iofd_range_contains(IOFD_RANGE_ALL, zero));
	KUNIT_EXPECT_TRUE(test, iofd_range_overlaps(IOFD_RANGE_ALL, top));
	KUNIT_EXPECT_FALSE(test, iofd_range_overlaps(zero, top));
	KUNIT_EXPECT_FALSE(test, iofd_range_contains(zero, IOFD_RANGE_ALL));
	KUNIT_EXPECT_TRUE(test, iofd_range_has(IOFD_RANGE_ALL, ULONG_MAX));
	KUNIT_EXPECT_FALSE(test, iofd_range_has(zero, ULONG_MAX));
}

static struct kunit_case range_cases[] = {
	KUNIT_CASE(random_against_sets),
	KUNIT_CASE(from_length_at_the_ends),
	KUNIT_CASE(the_range_of_all),
	{}
};

struct kunit_suite iofd_range_suite = {
	.name = "iofd_range",
	.test_cases = range_cases,
};
