/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Closed ranges of unsigned long: [first, last], both inclusive.
 *
 * A length exists only where user space or another subsystem hands one in;
 * iofd_range_from_length() is the single door.  Everything behind it is
 * closed, so that the range that ends at ULONG_MAX needs no special case.
 * Pure values: no locks, no allocation, any context.
 */
#ifndef IOFD_BASE_RANGE_H
#define IOFD_BASE_RANGE_H

#include <linux/align.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/types.h>

/**
 * struct iofd_range - a closed, never empty range
 * @first: lowest value in the range
 * @last: highest value in the range, >= @first
 */
struct iofd_range {
	unsigned long first;
	unsigned long last;
};

#define IOFD_RANGE_ALL ((struct iofd_range){ 0, ULONG_MAX })

/**
 * iofd_range_from_length - the range of @length units that starts at @first
 * @range: result, written on success only
 * @first: lowest value
 * @length: number of units
 *
 * Return: 0; -EINVAL if @length is zero; -EOVERFLOW if the last unit is not
 * representable in an unsigned long.
 */
static inline int iofd_range_from_length(struct iofd_range *range, u64 first,
					 u64 length)
{
	u64 last;

	if (!length)
		return -EINVAL;
	if (check_add_overflow(first, length - 1, &last) || last > ULONG_MAX)
		return -EOVERFLOW;
	range->first = first;
	range->last = last;
	return 0;
}

/*
 * Number of units in the range.  Wraps to 0 for IOFD_RANGE_ALL alone; callers
 * that can meet it must say how they cope.
 */
static inline unsigned long iofd_range_length(struct iofd_range range)
{
	return range.last - range.first + 1;
}

static inline bool iofd_range_has(struct iofd_range range, unsigned long value)
{
	return range.first <= value && value <= range.last;
}

static inline bool iofd_range_contains(struct iofd_range outer,
				       struct iofd_range inner)
{
	return outer.first <= inner.first && inner.last <= outer.last;
}

static inline bool iofd_range_overlaps(struct iofd_range a, struct iofd_range b)
{
	return a.first <= b.last && b.first <= a.last;
}

/* The common part; only for ranges that do overlap. */
static inline struct iofd_range iofd_range_intersect(struct iofd_range a,
						     struct iofd_range b)
{
	return (struct iofd_range){ max(a.first, b.first),
				    min(a.last, b.last) };
}

/* Are first and last + 1 multiples of @align, a power of two? */
static inline bool iofd_range_aligned(struct iofd_range range,
				      unsigned long align)
{
	return IS_ALIGNED(range.first, align) &&
	       IS_ALIGNED(range.last + 1, align);
}

/**
 * iofd_align_up - round @value up to a multiple of @align
 * @value: what to round
 * @align: power of two
 * @out: result, written on success only
 *
 * Return: true; false if the result would not fit.
 */
static inline bool iofd_align_up(unsigned long value, unsigned long align,
				 unsigned long *out)
{
	unsigned long bumped;

	if (check_add_overflow(value, align - 1, &bumped))
		return false;
	*out = bumped & ~(align - 1);
	return true;
}

#endif
