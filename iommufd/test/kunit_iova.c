// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: KUnit of base/iova.c
 *
 * The model is three flat lists that are searched from front to back for every
 * question.  All of it happens in SPAN bytes at 0 or at the top of unsigned
 * long; the rest is reserved, so that running out of space is tested too.
 */
#include <linux/interval_tree.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>

#include "base/iova.h"
#include "test/kunit.h"

#define SPAN		(24 * PAGE_SIZE)
#define MAX_USED	40
#define MAX_RESERVED	10
#define MAX_ALLOWED	6
#define OWNERS		4
#define OPS		16000

struct model_reserved {
	struct iofd_range range;
	unsigned long owner;
};

struct model {
	struct kunit *test;
	struct rnd_state rnd;
	struct iofd_iova iova;
	unsigned long base;

	/* the first @nr_used are in the set, in no order */
	struct iofd_iova_node *used[MAX_USED];
	struct model_reserved reserved[MAX_RESERVED];
	struct iofd_range allowed[MAX_ALLOWED];
	unsigned int nr_used;
	unsigned int nr_reserved;
	unsigned int nr_allowed;
};

static const void *to_owner(unsigned long owner)
{
	return (const void *)(owner + 1);
}

static bool model_meets_used(struct model *m, struct iofd_range range)
{
	unsigned int i;

	for (i = 0; i < m->nr_used; i++)
		if (iofd_range_overlaps(m->used[i]->range, range))
			return true;
	return false;
}

static bool model_meets_reserved(struct model *m, struct iofd_range range)
{
	unsigned int i;

	for (i = 0; i < m->nr_reserved; i++)
		if (iofd_range_overlaps(m->reserved[i].range, range))
			return true;
	return false;
}

static bool model_meets_allowed(struct model *m, struct iofd_range range)
{
	unsigned int i;

	for (i = 0; i < m->nr_allowed; i++)
		if (iofd_range_overlaps(m->allowed[i], range))
			return true;
	return false;
}

static int model_check_fixed(struct model *m, struct iofd_range range)
{
	unsigned long align = m->iova.alignment;

	if (range.first % align || (range.last - range.first + 1) % align)
		return -EINVAL;
	if (model_meets_reserved(m, range))
		return -EINVAL;
	return model_meets_used(m, range) ? -EEXIST : 0;
}

/*
 * One step of the search for a gap: if @at is blocked, the first value behind
 * what blocks it goes to @next (0: none); else the last free value to @next.
 */
static bool model_blocked(struct model *m, unsigned long at,
			  unsigned long *next)
{
	unsigned long last = ULONG_MAX - PAGE_SIZE;
	struct iofd_range r;
	unsigned int i;

	for (i = 0; i < m->nr_used + m->nr_reserved; i++) {
		r = i < m->nr_used ? m->used[i]->range :
				     m->reserved[i - m->nr_used].range;
		if (r.first <= at && at <= r.last) {
			*next = r.last + 1;
			return true;
		}
		if (r.first > at)
			last = min(last, r.first - 1);
	}
	*next = last;
	return false;
}

/* The same for the allowed list; entries that touch are one. */
static bool model_forbidden(struct model *m, unsigned long at,
			    unsigned long *next)
{
	unsigned long up = 0;
	unsigned int i;

	if (!m->nr_allowed) {
		*next = ULONG_MAX;
		return false;
	}
	for (i = 0; i < m->nr_allowed; i++) {
		if (iofd_range_has(m->allowed[i], at)) {
			*next = m->allowed[i].last;
			if (*next != ULONG_MAX &&
			    !model_forbidden(m, *next + 1, &up))
				*next = up;
			return false;
		}
		if (m->allowed[i].first > at &&
		    (!up || m->allowed[i].first < up))
			up = m->allowed[i].first;
	}
	*next = up;
	return true;
}

static unsigned long model_alignment(unsigned long length, unsigned long addr)
{
	unsigned long cap = PAGE_SIZE, align;

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	cap = PMD_SIZE;
#endif
	for (align = 1; align < cap; align <<= 1)
		if (align >= length || (addr & align))
			break;
	return align;
}

static int model_find_free(struct model *m, unsigned long length,
			   unsigned long addr, struct iofd_range *out)
{
	unsigned long align = model_alignment(length, addr);
	unsigned long at = PAGE_SIZE, next, next2, first;

	if (align < m->iova.alignment)
		return -EINVAL;

	while (at && at <= ULONG_MAX - PAGE_SIZE) {
		if (model_forbidden(m, at, &next) ||
		    model_blocked(m, at, &next2)) {
			at = model_forbidden(m, at, &next) ? next : next2;
			continue;
		}
		next = min(next, next2);

		first = at;
		while (first % align && first < next)
			first++;
		first |= addr % PAGE_SIZE;
		if (first % align == 0 && first < next &&
		    next - first >= length - 1) {
			*out = (struct iofd_range){ first, first + length - 1 };
			return 0;
		}
		at = next + 1;
	}
	return -ENOSPC;
}

static unsigned long random_unit(struct model *m)
{
	static const unsigned long units[] = { 1, 1, 256, 2048 };
	unsigned int i = iofd_kunit_below(&m->rnd, ARRAY_SIZE(units) + 2);

	return i < ARRAY_SIZE(units) ? units[i] : PAGE_SIZE;
}

static struct iofd_range random_range(struct model *m, unsigned long most)
{
	unsigned long unit = random_unit(m);
	unsigned long first, length;

	first = round_down(iofd_kunit_below(&m->rnd, SPAN), unit);
	length = round_up(1 + iofd_kunit_below(&m->rnd, most), unit);
	if (iofd_kunit_one_in(&m->rnd, 8))
		length = unit;
	length = min(length, SPAN - first);
	if (iofd_kunit_one_in(&m->rnd, 16))
		first = SPAN - length;
	return (struct iofd_range){ m->base + first,
				    m->base + first + length - 1 };
}

static void op_use(struct model *m)
{
	struct iofd_range range = random_range(m, 2 * PAGE_SIZE);
	int want = model_check_fixed(m, range);

	KUNIT_ASSERT_EQ(m->test, iofd_iova_check_fixed(&m->iova, range), want);
	if (want || m->nr_used == MAX_USED)
		return;
	m->used[m->nr_used]->range = range;
	iofd_iova_use(&m->iova, m->used[m->nr_used++]);
}

static void op_unuse(struct model *m)
{
	unsigned int i;

	if (!m->nr_used)
		return;
	i = iofd_kunit_below(&m->rnd, m->nr_used);
	iofd_iova_unuse(&m->iova, m->used[i]);
	m->nr_used--;
	swap(m->used[i], m->used[m->nr_used]);
}

static void op_find_free(struct model *m)
{
	unsigned long length = 1 + iofd_kunit_below(&m->rnd, 2 * PAGE_SIZE);
	unsigned long addr = prandom_u32_state(&m->rnd);
	struct iofd_range got = {}, want = {};
	int ret;

	switch (iofd_kunit_below(&m->rnd, 4)) {
	case 0:
		length = 1 + iofd_kunit_below(&m->rnd, 3);
		break;
	case 1:
		length = PAGE_SIZE << iofd_kunit_below(&m->rnd, 3);
		break;
	}
	addr = round_down(addr, BIT(iofd_kunit_below(&m->rnd, 16)));
	if (iofd_kunit_one_in(&m->rnd, 16))
		addr = 0;

	ret = model_find_free(m, length, addr, &want);
	KUNIT_ASSERT_EQ_MSG(m->test,
			    iofd_iova_find_free(&m->iova, length, addr, &got),
			    ret, "length %#lx addr %#lx", length, addr);
	KUNIT_ASSERT_EQ_MSG(m->test, got.first, want.first,
			    "length %#lx addr %#lx", length, addr);
	KUNIT_ASSERT_EQ(m->test, got.last, want.last);
	if (ret || m->nr_used == MAX_USED || iofd_kunit_one_in(&m->rnd, 2))
		return;
	m->used[m->nr_used]->range = got;
	iofd_iova_use(&m->iova, m->used[m->nr_used++]);
}

static void op_reserve(struct model *m)
{
	struct iofd_range range = random_range(m, 2 * PAGE_SIZE);
	unsigned long owner = iofd_kunit_below(&m->rnd, OWNERS);
	int want = 0;

	if (m->nr_reserved == MAX_RESERVED)
		return;
	if (model_meets_used(m, range) || model_meets_allowed(m, range))
		want = -EADDRINUSE;
	KUNIT_ASSERT_EQ(m->test, iofd_iova_reserve(&m->iova, range,
						   to_owner(owner)), want);
	if (!want)
		m->reserved[m->nr_reserved++] =
			(struct model_reserved){ range, owner };
}

static void op_unreserve(struct model *m)
{
	unsigned long owner = iofd_kunit_below(&m->rnd, OWNERS);
	unsigned int i;

	iofd_iova_unreserve(&m->iova, to_owner(owner));
	for (i = m->nr_reserved; i--;)
		if (m->reserved[i].owner == owner)
			m->reserved[i] = m->reserved[--m->nr_reserved];
}

static void op_allow(struct model *m)
{
	unsigned int nr = iofd_kunit_below(&m->rnd, MAX_ALLOWED);
	struct rb_root_cached list = RB_ROOT_CACHED;
	struct iofd_range ranges[MAX_ALLOWED];
	unsigned int nr_added = 0, i;
	int want, ret;

	if (iofd_kunit_one_in(&m->rnd, 2))
		nr = 0;
	while (nr--) {
		struct iofd_range range = random_range(m, 6 * PAGE_SIZE);

		want = 0;
		for (i = 0; i < nr_added; i++)
			if (iofd_range_overlaps(ranges[i], range))
				want = -EINVAL;
		KUNIT_ASSERT_EQ(m->test, iofd_iova_allowed_add(&list, range),
				want);
		if (!want)
			ranges[nr_added++] = range;
	}

	want = 0;
	for (i = 0; i < nr_added; i++)
		if (model_meets_reserved(m, ranges[i]))
			want = -EADDRINUSE;
	ret = iofd_iova_allowed_replace(&m->iova, &list);
	KUNIT_ASSERT_EQ(m->test, ret, want);
	if (ret) {
		KUNIT_ASSERT_FALSE(m->test, RB_EMPTY_ROOT(&list.rb_root));
		iofd_iova_allowed_free(&list);
	} else {
		memcpy(m->allowed, ranges, nr_added * sizeof(*ranges));
		m->nr_allowed = nr_added;
	}
	KUNIT_ASSERT_TRUE(m->test, RB_EMPTY_ROOT(&list.rb_root));
}

/* All used ranges that meet a range, ascending, each once. */
static void op_walk_used(struct model *m)
{
	struct iofd_range range = random_range(m, SPAN);
	struct iofd_iova_node *node, *prev = NULL;
	unsigned int left = 0, i;

	for (i = 0; i < m->nr_used; i++)
		left += iofd_range_overlaps(m->used[i]->range, range);
	for (node = iofd_iova_used_first(&m->iova, range); node;
	     node = iofd_iova_used_next(node, range)) {
		KUNIT_ASSERT_TRUE(m->test,
				  iofd_range_overlaps(node->range, range));
		if (prev)
			KUNIT_ASSERT_LT(m->test, prev->range.last,
					node->range.first);
		KUNIT_ASSERT_NE(m->test, left--, 0);
		prev = node;
	}
	KUNIT_ASSERT_EQ(m->test, left, 0);
}

static void op_ask_reserved(struct model *m)
{
	struct iofd_range range = random_range(m, 4 * PAGE_SIZE);
	struct iofd_range found, lowest = { ULONG_MAX, ULONG_MAX };
	bool want = model_meets_reserved(m, range);
	unsigned int i;

	KUNIT_ASSERT_EQ(m->test, iofd_iova_is_reserved(&m->iova, range), want);
	KUNIT_ASSERT_EQ(m->test,
			iofd_iova_reserved_first(&m->iova, range, &found),
			want);
	if (!want)
		return;
	for (i = 0; i < m->nr_reserved; i++)
		if (iofd_range_overlaps(m->reserved[i].range, range))
			lowest.first = min(lowest.first,
					   m->reserved[i].range.first);
	KUNIT_ASSERT_EQ(m->test, found.first, lowest.first);
	KUNIT_ASSERT_TRUE(m->test, model_meets_reserved(m, found));
}

/* Every value from a random one on: usable by the walk iff not reserved. */
static void op_walk_usable(struct model *m)
{
	unsigned long from = random_range(m, 1).first;
	struct iofd_range gap, behind = { from, from };

	while (iofd_iova_next_usable(&m->iova, from, &gap)) {
		KUNIT_ASSERT_LE(m->test, from, gap.first);
		KUNIT_ASSERT_FALSE(m->test, model_meets_reserved(m, gap));

		/* what was stepped over is reserved, up to the last value */
		if (gap.first != from) {
			behind = (struct iofd_range){ gap.first - 1,
						      gap.first - 1 };
			KUNIT_ASSERT_TRUE(m->test,
					  model_meets_reserved(m, behind));
			behind.last = from;
			behind.first = from;
			KUNIT_ASSERT_TRUE(m->test,
					  model_meets_reserved(m, behind));
		}
		if (gap.last == ULONG_MAX)
			return;
		from = gap.last + 1;
		behind = (struct iofd_range){ from, from };
		KUNIT_ASSERT_TRUE(m->test, model_meets_reserved(m, behind));
	}
	behind = (struct iofd_range){ ULONG_MAX, ULONG_MAX };
	KUNIT_ASSERT_TRUE(m->test, model_meets_reserved(m, behind));
}

static void check_tree(struct model *m)
{
	struct iofd_iova_node *node, *left, *right;
	unsigned long free_from = 0, most;
	unsigned int nr = 0;
	struct rb_node *rb;

	for (rb = rb_first(&m->iova.used); rb; rb = rb_next(rb)) {
		node = rb_entry(rb, struct iofd_iova_node, rb);
		left = rb_entry_safe(rb->rb_left, struct iofd_iova_node, rb);
		right = rb_entry_safe(rb->rb_right, struct iofd_iova_node, rb);

		KUNIT_ASSERT_EQ(m->test, node->gap,
				node->range.first - free_from);
		most = node->gap;
		if (left)
			most = max(most, left->max_gap);
		if (right)
			most = max(most, right->max_gap);
		KUNIT_ASSERT_EQ(m->test, node->max_gap, most);
		free_from = node->range.last + 1;
		nr++;
	}
	KUNIT_ASSERT_EQ(m->test, nr, m->nr_used);
}

static void random_ops(struct model *m, unsigned long base)
{
	static void (* const ops[])(struct model *m) = {
		op_use, op_use, op_use, op_unuse, op_unuse,
		op_find_free, op_find_free, op_find_free, op_find_free,
		op_reserve, op_unreserve, op_allow, op_walk_used,
		op_ask_reserved, op_walk_usable,
	};
	struct iofd_range rest = { SPAN, ULONG_MAX };
	unsigned int i;

	iofd_iova_init(&m->iova);
	m->base = base;
	if (base)
		rest = (struct iofd_range){ 0, base - 1 };
	KUNIT_ASSERT_EQ(m->test, iofd_iova_reserve(&m->iova, rest,
						   to_owner(OWNERS)), 0);
	m->reserved[0] = (struct model_reserved){ rest, OWNERS };
	m->nr_reserved = 1;

	for (i = 1; i <= OPS; i++) {
		if (i % 64 == 0)
			m->iova.alignment =
				BIT(iofd_kunit_below(&m->rnd, PAGE_SHIFT + 1));
		if (i % 128 == 0)
			m->iova.alignment = 1;
		ops[iofd_kunit_below(&m->rnd, ARRAY_SIZE(ops))](m);
		if (i % 8 == 0)
			check_tree(m);
	}

	while (m->nr_used)
		op_unuse(m);
	KUNIT_ASSERT_TRUE(m->test, iofd_iova_used_empty(&m->iova));
	iofd_iova_fini(&m->iova);
	m->nr_allowed = 0;
}

static void random_against_lists(struct kunit *test)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->test = test;
	for (i = 0; i < MAX_USED; i++) {
		m->used[i] = kunit_kzalloc(test, sizeof(*m->used[i]),
					   GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, m->used[i]);
	}
	iofd_kunit_random(test, &m->rnd);
	random_ops(m, 0);
	random_ops(m, ULONG_MAX - SPAN + 1);
}

static void use_at(struct iofd_iova *iova, struct iofd_iova_node *node,
		   unsigned long first, unsigned long last)
{
	node->range = (struct iofd_range){ first, last };
	iofd_iova_use(iova, node);
}

static int fixed_at(struct iofd_iova *iova, unsigned long first,
		    unsigned long last)
{
	return iofd_iova_check_fixed(iova, (struct iofd_range){ first, last });
}

static void used_at_both_ends(struct kunit *test)
{
	struct iofd_range all = IOFD_RANGE_ALL, place;
	struct iofd_iova_node low, high, middle;
	struct iofd_iova iova;

	iofd_iova_init(&iova);
	use_at(&iova, &low, 0, 0);
	use_at(&iova, &high, ULONG_MAX, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, low.gap, 0);
	KUNIT_EXPECT_EQ(test, high.gap, ULONG_MAX - 1);

	KUNIT_EXPECT_EQ(test, fixed_at(&iova, 0, 0), -EEXIST);
	KUNIT_EXPECT_EQ(test, fixed_at(&iova, ULONG_MAX, ULONG_MAX), -EEXIST);
	KUNIT_EXPECT_EQ(test, fixed_at(&iova, 1, ULONG_MAX - 1), 0);
	KUNIT_EXPECT_PTR_EQ(test, iofd_iova_used_first(&iova, all), &low);
	KUNIT_EXPECT_PTR_EQ(test, iofd_iova_used_next(&low, all), &high);
	KUNIT_EXPECT_NULL(test, iofd_iova_used_next(&high, all));

	/* everything between them used: no space, and no wrap */
	use_at(&iova, &middle, 1, ULONG_MAX - 1);
	KUNIT_EXPECT_EQ(test, iofd_iova_find_free(&iova, PAGE_SIZE, 0, &place),
			-ENOSPC);
	iofd_iova_unuse(&iova, &middle);
	KUNIT_EXPECT_EQ(test, high.gap, ULONG_MAX - 1);
	iofd_iova_unuse(&iova, &low);
	KUNIT_EXPECT_EQ(test, high.gap, ULONG_MAX);
	iofd_iova_unuse(&iova, &high);

	use_at(&iova, &middle, 0, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, fixed_at(&iova, 5, 5), -EEXIST);
	KUNIT_EXPECT_EQ(test, iofd_iova_find_free(&iova, 1, 0, &place),
			-ENOSPC);
	iofd_iova_unuse(&iova, &middle);
	iofd_iova_fini(&iova);
}

/* The order of the checks is ABI. */
static void fixed_errnos_in_order(struct kunit *test)
{
	struct iofd_iova_node node;
	struct iofd_iova iova;

	iofd_iova_init(&iova);
	iova.alignment = 4096;
	use_at(&iova, &node, 0x2000, 0x2fff);
	KUNIT_ASSERT_EQ(test, iofd_iova_reserve(&iova,
						(struct iofd_range){ 0x4000,
								     0x4fff },
						&iova), 0);

	KUNIT_EXPECT_EQ(test, fixed_at(&iova, 0x2001, 0x3000), -EINVAL);
	KUNIT_EXPECT_EQ(test, fixed_at(&iova, 0x2000, 0x2ffe), -EINVAL);
	KUNIT_EXPECT_EQ(test, fixed_at(&iova, 0x2000, 0x4fff), -EINVAL);
	KUNIT_EXPECT_EQ(test, fixed_at(&iova, 0x2000, 0x3fff), -EEXIST);
	KUNIT_EXPECT_EQ(test, fixed_at(&iova, 0x3000, 0x3fff), 0);
	KUNIT_EXPECT_EQ(test, fixed_at(&iova, 0x5000, ULONG_MAX), 0);
	KUNIT_EXPECT_EQ(test, fixed_at(&iova, 0, 0x1fff), 0);

	iofd_iova_unuse(&iova, &node);
	iofd_iova_fini(&iova);
}

static void expect_place(struct kunit *test, struct iofd_iova *iova,
			 unsigned long length, unsigned long addr,
			 unsigned long first)
{
	struct iofd_range place = {};

	KUNIT_EXPECT_EQ(test, iofd_iova_find_free(iova, length, addr, &place),
			0);
	KUNIT_EXPECT_EQ(test, place.first, first);
	KUNIT_EXPECT_EQ(test, place.last, first + length - 1);
}

static int free_errno(struct iofd_iova *iova, unsigned long length,
		      unsigned long addr)
{
	struct iofd_range place;

	return iofd_iova_find_free(iova, length, addr, &place);
}

static void free_lengths_and_alignment(struct kunit *test)
{
	struct iofd_iova iova;

	iofd_iova_init(&iova);
	KUNIT_EXPECT_EQ(test, free_errno(&iova, 0, 0), -EOVERFLOW);
	KUNIT_EXPECT_EQ(test, free_errno(&iova, ULONG_MAX / 2, 0), -EOVERFLOW);
	KUNIT_EXPECT_EQ(test, free_errno(&iova, ULONG_MAX, 0), -EOVERFLOW);
	expect_place(test, &iova, ULONG_MAX / 2 - 1, PAGE_SIZE, PAGE_SIZE);

	/* the first page is left out, the offset in the page is kept */
	expect_place(test, &iova, PAGE_SIZE, PAGE_SIZE, PAGE_SIZE);
	expect_place(test, &iova, 1, 0, PAGE_SIZE);
	expect_place(test, &iova, 64, 0x40, PAGE_SIZE + 0x40);

	iova.alignment = PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, free_errno(&iova, PAGE_SIZE, PAGE_SIZE / 2),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, free_errno(&iova, PAGE_SIZE / 2, PAGE_SIZE),
			-EINVAL);
	expect_place(test, &iova, PAGE_SIZE, PAGE_SIZE, PAGE_SIZE);

	iofd_iova_fini(&iova);
}

/* More than page alignment is kept only where huge pages can gain from it. */
static void free_huge_alignment(struct kunit *test)
{
	const bool huge = IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE);
	struct iofd_iova iova;

	iofd_iova_init(&iova);
	expect_place(test, &iova, 4 * PAGE_SIZE, 0,
		     huge ? 4 * PAGE_SIZE : PAGE_SIZE);
	expect_place(test, &iova, 3 * PAGE_SIZE, 0,
		     huge ? 4 * PAGE_SIZE : PAGE_SIZE);
	expect_place(test, &iova, 4 * PAGE_SIZE, 2 * PAGE_SIZE,
		     huge ? 2 * PAGE_SIZE : PAGE_SIZE);
	expect_place(test, &iova, 4 * PMD_SIZE, 8 * PMD_SIZE,
		     huge ? PMD_SIZE : PAGE_SIZE);
	iofd_iova_fini(&iova);
}

static void free_at_the_top(struct kunit *test)
{
	const unsigned long last = ULONG_MAX - PAGE_SIZE;
	struct iofd_iova_node low;
	struct iofd_iova iova;

	iofd_iova_init(&iova);

	/* two bytes are left below the last page, then one */
	use_at(&iova, &low, 0, last - 2);
	expect_place(test, &iova, 2, PAGE_SIZE - 2, last - 1);
	expect_place(test, &iova, 1, PAGE_SIZE - 2, last - 1);
	KUNIT_EXPECT_EQ(test, free_errno(&iova, 3, PAGE_SIZE - 2), -ENOSPC);
	iofd_iova_unuse(&iova, &low);
	use_at(&iova, &low, 0, last - 1);
	KUNIT_EXPECT_EQ(test, free_errno(&iova, 1, PAGE_SIZE - 1), -ENOSPC);
	iofd_iova_unuse(&iova, &low);

	/* rounding up would wrap */
	use_at(&iova, &low, 0, last - PAGE_SIZE / 2);
	KUNIT_EXPECT_EQ(test, free_errno(&iova, PMD_SIZE, 0), -ENOSPC);
	iofd_iova_unuse(&iova, &low);
	iofd_iova_fini(&iova);
}

static void allowed_confines_only_free(struct kunit *test)
{
	struct rb_root_cached list = RB_ROOT_CACHED;
	struct iofd_range range = { 16 * PAGE_SIZE, 17 * PAGE_SIZE - 1 };
	struct iofd_range top = { ULONG_MAX - PAGE_SIZE, ULONG_MAX };
	struct iofd_range low = { 0, PAGE_SIZE };
	struct iofd_range touching = { 17 * PAGE_SIZE, 18 * PAGE_SIZE - 1 };
	struct iofd_iova iova;

	iofd_iova_init(&iova);
	KUNIT_EXPECT_EQ(test, iofd_iova_allowed_add(&list, range), 0);
	KUNIT_EXPECT_EQ(test, iofd_iova_allowed_add(&list, range), -EINVAL);
	KUNIT_EXPECT_EQ(test, iofd_iova_allowed_add(&list, low), 0);
	KUNIT_EXPECT_EQ(test, iofd_iova_allowed_add(&list, top), 0);
	KUNIT_EXPECT_EQ(test, iofd_iova_allowed_replace(&iova, &list), 0);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&list.rb_root));

	expect_place(test, &iova, 1, 1, 16 * PAGE_SIZE + 1);
	expect_place(test, &iova, PAGE_SIZE, PAGE_SIZE, 16 * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, free_errno(&iova, 2 * PAGE_SIZE, PAGE_SIZE),
			-ENOSPC);
	KUNIT_EXPECT_EQ(test, fixed_at(&iova, 0x100000, 0x1fffff), 0);
	KUNIT_EXPECT_EQ(test, iofd_iova_reserve(&iova, top, &iova),
			-EADDRINUSE);

	/* entries that touch hold one mapping */
	KUNIT_EXPECT_EQ(test, iofd_iova_allowed_add(&list, touching), 0);
	KUNIT_EXPECT_EQ(test, iofd_iova_allowed_add(&list, range), 0);
	KUNIT_EXPECT_EQ(test, iofd_iova_allowed_replace(&iova, &list), 0);
	expect_place(test, &iova, 2 * PAGE_SIZE, PAGE_SIZE, 16 * PAGE_SIZE);

	/* refused as a whole, the old list stays */
	KUNIT_EXPECT_EQ(test, iofd_iova_reserve(&iova, top, &iova), 0);
	KUNIT_EXPECT_EQ(test, iofd_iova_allowed_add(&list, low), 0);
	KUNIT_EXPECT_EQ(test, iofd_iova_allowed_add(&list, top), 0);
	KUNIT_EXPECT_EQ(test, iofd_iova_allowed_replace(&iova, &list),
			-EADDRINUSE);
	expect_place(test, &iova, PAGE_SIZE, PAGE_SIZE, 16 * PAGE_SIZE);
	iofd_iova_allowed_free(&list);

	/* an empty list ends the confinement */
	KUNIT_EXPECT_EQ(test, iofd_iova_allowed_replace(&iova, &list), 0);
	expect_place(test, &iova, PAGE_SIZE, PAGE_SIZE, PAGE_SIZE);
	iofd_iova_fini(&iova);
}

static void usable_at_both_ends(struct kunit *test)
{
	struct iofd_range zero = { 0, 0 }, top = { ULONG_MAX, ULONG_MAX };
	struct iofd_range gap = {};
	struct iofd_iova iova;

	iofd_iova_init(&iova);
	KUNIT_EXPECT_TRUE(test, iofd_iova_next_usable(&iova, 0, &gap));
	KUNIT_EXPECT_EQ(test, gap.first, 0);
	KUNIT_EXPECT_EQ(test, gap.last, ULONG_MAX);

	KUNIT_EXPECT_EQ(test, iofd_iova_reserve(&iova, zero, &zero), 0);
	KUNIT_EXPECT_EQ(test, iofd_iova_reserve(&iova, top, &top), 0);
	KUNIT_EXPECT_TRUE(test, iofd_iova_next_usable(&iova, 0, &gap));
	KUNIT_EXPECT_EQ(test, gap.first, 1);
	KUNIT_EXPECT_EQ(test, gap.last, ULONG_MAX - 1);
	KUNIT_EXPECT_FALSE(test, iofd_iova_next_usable(&iova, ULONG_MAX, &gap));

	/* the owner's reservations go, the other's stays */
	iofd_iova_unreserve(&iova, &top);
	KUNIT_EXPECT_TRUE(test, iofd_iova_next_usable(&iova, ULONG_MAX, &gap));
	KUNIT_EXPECT_EQ(test, gap.first, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, gap.last, ULONG_MAX);
	KUNIT_EXPECT_TRUE(test, iofd_iova_is_reserved(&iova, zero));

	KUNIT_EXPECT_EQ(test, iofd_iova_reserve(&iova, IOFD_RANGE_ALL, &iova),
			0);
	KUNIT_EXPECT_FALSE(test, iofd_iova_next_usable(&iova, 0, &gap));
	iofd_iova_fini(&iova);
}

static void out_of_memory(struct kunit *test)
{
	struct rb_root_cached list = RB_ROOT_CACHED;
	struct iofd_range range = { 1, 2 };
	struct iofd_iova iova;
	int ret;

	if (!IS_ENABLED(CONFIG_FAULT_INJECTION))
		kunit_skip(test, "needs CONFIG_FAULT_INJECTION");

	iofd_iova_init(&iova);
	iofd_kunit_fail_nth(1);
	ret = iofd_iova_reserve(&iova, range, &iova);
	KUNIT_EXPECT_TRUE(test, iofd_kunit_fail_end());
	KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
	KUNIT_EXPECT_FALSE(test, iofd_iova_is_reserved(&iova, range));

	iofd_kunit_fail_nth(1);
	ret = iofd_iova_allowed_add(&list, range);
	KUNIT_EXPECT_TRUE(test, iofd_kunit_fail_end());
	KUNIT_EXPECT_EQ(test, ret, -ENOMEM);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&list.rb_root));
	iofd_iova_fini(&iova);
}

/* The best of several times of many searches behind @nr small gaps. */
static u64 search_time(struct kunit *test, struct iofd_iova_node *nodes,
		       unsigned int nr)
{
	const unsigned int searches = 500;
	u64 best = U64_MAX, start;
	struct iofd_iova iova;
	unsigned int i, round;

	iofd_iova_init(&iova);
	for (i = 0; i < nr; i++)
		use_at(&iova, &nodes[i], 2 * i * PAGE_SIZE,
		       (2 * i + 1) * PAGE_SIZE - 1);

	for (round = 0; round < 8; round++) {
		start = ktime_get_ns();
		for (i = 0; i < searches; i++)
			if (free_errno(&iova, 2 * PAGE_SIZE, PAGE_SIZE))
				break;
		KUNIT_ASSERT_EQ(test, i, searches);
		best = min(best, ktime_get_ns() - start);
	}
	expect_place(test, &iova, 2 * PAGE_SIZE, PAGE_SIZE,
		     (2 * nr - 1) * PAGE_SIZE);

	for (i = 0; i < nr; i++)
		iofd_iova_unuse(&iova, &nodes[i]);
	iofd_iova_fini(&iova);
	return max(div_u64(best, searches), 1);
}

/*
 * 400 times as many mappings: logarithmic is about twice the time, cache
 * misses included perhaps ten times, linear 400 times.
 */
static void search_is_not_linear(struct kunit *test)
{
	const unsigned int few = 100, many = 40000;
	struct iofd_iova_node *nodes;
	u64 t_few, t_many;

	nodes = kvcalloc(many, sizeof(*nodes), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, nodes);
	t_few = search_time(test, nodes, few);
	t_many = search_time(test, nodes, many);
	kvfree(nodes);

	kunit_info(test, "%u mappings: %llu ns, %u mappings: %llu ns", few,
		   t_few, many, t_many);
	KUNIT_EXPECT_LT(test, t_many, 50 * t_few);
}

static struct kunit_case iova_cases[] = {
	KUNIT_CASE_SLOW(random_against_lists),
	KUNIT_CASE(used_at_both_ends),
	KUNIT_CASE(fixed_errnos_in_order),
	KUNIT_CASE(free_lengths_and_alignment),
	KUNIT_CASE(free_huge_alignment),
	KUNIT_CASE(free_at_the_top),
	KUNIT_CASE(allowed_confines_only_free),
	KUNIT_CASE(usable_at_both_ends),
	KUNIT_CASE(out_of_memory),
	KUNIT_CASE(search_is_not_linear),
	{}
};

struct kunit_suite iofd_iova_suite = {
	.name = "iofd_iova",
	.test_cases = iova_cases,
};
