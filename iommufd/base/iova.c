// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: Placing IOVA ranges
 *
 * Two questions are answered here: may a range be mapped where the user wants
 * it (iofd_iova_check_fixed()), and where may it go if he does not care
 * (iofd_iova_find_free())::
 *
 *   0                                                          ULONG_MAX
 *   |-- gap --[ used ]---- gap ----[ used ][ used ]---- trailing ----|
 *                        ^^^^ reserved
 *
 * A used node carries the gap in front of it, and the largest such gap in the
 * subtree below it, so that a search skips every subtree without a gap that is
 * large enough.  The space behind the last node belongs to no node and is
 * looked at last.  Reservations are few; they are stepped over one by one
 * inside the gaps that remain.
 *
 * Invariants:
 *
 * 1. used nodes are disjoint; @gap is exact, @max_gap is the largest @gap of
 *    the subtree;
 * 2. no reservation meets a used node or the allowed list;
 * 3. entries of the allowed list are disjoint.
 *
 * Number 2 holds because reserving, replacing the allowed list and using a
 * range each refuse (the last one through the caller, who asks for a place
 * first) what would break it.
 *
 * Lock: none.  Writers are serialised by the caller; readers may share.
 */
#include <linux/interval_tree.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/rbtree_augmented.h>
#include <linux/slab.h>

#include "base/check.h"
#include "base/iova.h"

/*
 * Automatic placement leaves out the first and the last page: address 0 is too
 * often taken for "none", and an end that wraps is what others get wrong.
 */
#define PLACE_FIRST	PAGE_SIZE
#define PLACE_LAST	(ULONG_MAX - PAGE_SIZE)

/**
 * struct reservation - a range nobody may map
 * @node: link in the reserved tree, with the range
 * @owner: who gives it back; only compared
 * @dev: for which device, for people; NULL: not for a device
 */
struct reservation {
	struct interval_tree_node node;
	const void *owner;
	const struct device *dev;
};

/**
 * struct placement - what is being placed
 * @length: bytes, at least 1
 * @alignment: power of two the first byte has to keep
 * @offset: low bits that are merged into the first byte, below PAGE_SIZE
 */
struct placement {
	unsigned long length;
	unsigned long alignment;
	unsigned long offset;
};

static unsigned long node_gap(struct iofd_iova_node *node)
{
	return node->gap;
}

RB_DECLARE_CALLBACKS_MAX(static, gap_augment, struct iofd_iova_node, rb,
			 unsigned long, max_gap, node_gap)

static struct iofd_iova_node *to_used(struct rb_node *rb)
{
	return rb_entry_safe(rb, struct iofd_iova_node, rb);
}

/* The interval tree takes no const root; looking changes nothing. */
static struct rb_root_cached *reserved_of(const struct iofd_iova *iova)
{
	return (struct rb_root_cached *)&iova->reserved;
}

static struct rb_root_cached *allowed_of(const struct iofd_iova *iova)
{
	return (struct rb_root_cached *)&iova->allowed;
}

static struct interval_tree_node *first_in(struct rb_root_cached *root,
					   struct iofd_range range)
{
	return interval_tree_iter_first(root, range.first, range.last);
}

/**
 * iofd_iova_init - everything is free, alignment 1
 * @iova: the sets
 */
void iofd_iova_init(struct iofd_iova *iova)
{
	iova->used = RB_ROOT;
	iova->reserved = RB_ROOT_CACHED;
	iova->allowed = RB_ROOT_CACHED;
	iova->alignment = 1;
}

/**
 * iofd_iova_fini - free reservations and the allowed list
 * @iova: the sets; the used set must be empty
 */
void iofd_iova_fini(struct iofd_iova *iova)
{
	struct reservation *res, *tmp;

	iofd_check(iofd_iova_used_empty(iova));

	rbtree_postorder_for_each_entry_safe(res, tmp,
					     &iova->reserved.rb_root, node.rb)
		kfree(res);
	iova->reserved = RB_ROOT_CACHED;
	iofd_iova_allowed_free(&iova->allowed);
}

/* The lowest used node that ends at or above @value. */
static struct iofd_iova_node *used_from(const struct iofd_iova *iova,
					unsigned long value)
{
	struct iofd_iova_node *node, *best = NULL;
	struct rb_node *rb = iova->used.rb_node;

	while (rb) {
		node = to_used(rb);
		if (node->range.last < value) {
			rb = rb->rb_right;
		} else {
			best = node;
			rb = rb->rb_left;
		}
	}
	return best;
}

/**
 * iofd_iova_used_first - the lowest used range that meets a range
 * @iova: the sets
 * @range: where to look
 *
 * Return: the node or NULL.
 */
struct iofd_iova_node *iofd_iova_used_first(const struct iofd_iova *iova,
					    struct iofd_range range)
{
	struct iofd_iova_node *node = used_from(iova, range.first);

	return node && node->range.first <= range.last ? node : NULL;
}

/**
 * iofd_iova_used_next - the next used range that meets a range
 * @node: the one found before
 * @range: where to look
 *
 * Return: the node or NULL.
 */
struct iofd_iova_node *iofd_iova_used_next(const struct iofd_iova_node *node,
					   struct iofd_range range)
{
	struct iofd_iova_node *next = to_used(rb_next(&node->rb));

	return next && next->range.first <= range.last ? next : NULL;
}

/**
 * iofd_iova_use - enter a range into the used set
 * @iova: the sets
 * @node: with @node->range set; meets no used and no reserved range
 */
void iofd_iova_use(struct iofd_iova *iova, struct iofd_iova_node *node)
{
	struct rb_node **link = &iova->used.rb_node;
	struct iofd_iova_node *prev = NULL, *next = NULL, *here;
	struct rb_node *parent = NULL;

	iofd_check(node->range.first <= node->range.last);
	iofd_check(!iofd_iova_used_first(iova, node->range));
	iofd_check(!iofd_iova_is_reserved(iova, node->range));

	while (*link) {
		parent = *link;
		here = to_used(parent);
		if (node->range.first < here->range.first) {
			next = here;
			link = &parent->rb_left;
		} else {
			prev = here;
			link = &parent->rb_right;
		}
	}

	node->gap = node->range.first - (prev ? prev->range.last + 1 : 0);
	node->max_gap = node->gap;

	/*
	 * Two gaps change, and propagation stops where a maximum is right
	 * already: one change has to be complete before the next begins.
	 */
	if (next) {
		next->gap = next->range.first - node->range.last - 1;
		gap_augment_propagate(&next->rb, NULL);
	}
	rb_link_node(&node->rb, parent, link);
	gap_augment_propagate(parent, NULL);
	rb_insert_augmented(&node->rb, &iova->used, &gap_augment);
}

/**
 * iofd_iova_unuse - take a range out of the used set
 * @iova: the sets
 * @node: is in the used set
 */
void iofd_iova_unuse(struct iofd_iova *iova, struct iofd_iova_node *node)
{
	struct iofd_iova_node *next = to_used(rb_next(&node->rb));

	rb_erase_augmented(&node->rb, &iova->used, &gap_augment);
	RB_CLEAR_NODE(&node->rb);

	if (next) {
		next->gap += node->gap + iofd_range_length(node->range);
		gap_augment_propagate(&next->rb, NULL);
	}
}

/**
 * iofd_iova_reserve_for - forbid a range on behalf of a device
 * @iova: the sets
 * @range: what nobody may map; may overlap other reservations
 * @owner: names the reservation for iofd_iova_unreserve()
 * @dev: device, which outlives the reservation, or NULL
 *
 * Return: 0; -EADDRINUSE if the range meets a used one or the allowed list;
 * -ENOMEM.
 */
int iofd_iova_reserve_for(struct iofd_iova *iova, struct iofd_range range,
			  const void *owner, const struct device *dev)
{
	struct reservation *res;

	if (iofd_iova_used_first(iova, range) || first_in(&iova->allowed, range))
		return -EADDRINUSE;

	if (iofd_fault())
		return -ENOMEM;
	res = kzalloc_obj(*res, GFP_KERNEL_ACCOUNT);
	if (!res)
		return -ENOMEM;
	res->node.start = range.first;
	res->node.last = range.last;
	res->owner = owner;
	res->dev = dev;
	interval_tree_insert(&res->node, &iova->reserved);
	return 0;
}

/**
 * iofd_iova_reserve - forbid a range on behalf of an owner
 * @iova: the sets
 * @range: what nobody may map; may overlap other reservations
 * @owner: names the reservation for iofd_iova_unreserve()
 *
 * Return: as iofd_iova_reserve_for().
 */
int iofd_iova_reserve(struct iofd_iova *iova, struct iofd_range range,
		      const void *owner)
{
	return iofd_iova_reserve_for(iova, range, owner, NULL);
}

/**
 * iofd_iova_unreserve - give back all reservations of an owner
 * @iova: the sets
 * @owner: as in iofd_iova_reserve(); it is fine if there are none
 */
void iofd_iova_unreserve(struct iofd_iova *iova, const void *owner)
{
	struct interval_tree_node *node, *next;
	struct reservation *res;

	for (node = first_in(&iova->reserved, IOFD_RANGE_ALL); node;
	     node = next) {
		next = interval_tree_iter_next(node, 0, ULONG_MAX);
		res = container_of(node, struct reservation, node);
		if (res->owner != owner)
			continue;
		interval_tree_remove(node, &iova->reserved);
		kfree(res);
	}
}

/**
 * iofd_iova_is_reserved - does a range meet a reserved one?
 * @iova: the sets
 * @range: the range
 *
 * Return: true if it does.
 */
bool iofd_iova_is_reserved(const struct iofd_iova *iova,
			   struct iofd_range range)
{
	return first_in(reserved_of(iova), range);
}

/**
 * iofd_iova_reserved_first - the lowest reserved range that meets a range
 * @iova: the sets
 * @range: where to look
 * @found: the reservation as it was made, written on success only
 *
 * Return: true if there is one.
 */
bool iofd_iova_reserved_first(const struct iofd_iova *iova,
			      struct iofd_range range, struct iofd_range *found)
{
	struct interval_tree_node *node = first_in(reserved_of(iova), range);

	if (!node)
		return false;
	*found = (struct iofd_range){ node->start, node->last };
	return true;
}

/**
 * iofd_iova_reserved_for - the device of the range iofd_iova_reserved_first() finds
 * @iova: the sets
 * @range: where to look
 *
 * Return: device, good as long as its reservation; NULL if it was not made for
 * one, or there is none.
 */
const struct device *iofd_iova_reserved_for(const struct iofd_iova *iova,
					    struct iofd_range range)
{
	struct interval_tree_node *node = first_in(reserved_of(iova), range);

	return node ? container_of(node, struct reservation, node)->dev : NULL;
}

/**
 * iofd_iova_next_usable - the first gap between reserved ranges from a value on
 * @iova: the sets
 * @from: where to begin
 * @gap: the gap, from @from on; written on success only
 *
 * Return: true if there is one.
 */
bool iofd_iova_next_usable(const struct iofd_iova *iova, unsigned long from,
			   struct iofd_range *gap)
{
	struct interval_tree_span_iter span;

	interval_tree_for_each_span(&span, reserved_of(iova), from, ULONG_MAX) {
		if (!span.is_hole)
			continue;
		*gap = (struct iofd_range){ span.start_hole, span.last_hole };
		return true;
	}
	return false;
}

/**
 * iofd_iova_allowed_add - add a range to a list that is being built
 * @list: the list, made with RB_ROOT_CACHED
 * @range: the range
 *
 * Return: 0; -EINVAL if the range overlaps one already there; -ENOMEM.
 */
int iofd_iova_allowed_add(struct rb_root_cached *list, struct iofd_range range)
{
	struct interval_tree_node *node;

	if (first_in(list, range))
		return -EINVAL;

	if (iofd_fault())
		return -ENOMEM;
	node = kzalloc_obj(*node, GFP_KERNEL_ACCOUNT);
	if (!node)
		return -ENOMEM;
	node->start = range.first;
	node->last = range.last;
	interval_tree_insert(node, list);
	return 0;
}

/**
 * iofd_iova_allowed_free - free a list; it is empty afterwards
 * @list: the list
 */
void iofd_iova_allowed_free(struct rb_root_cached *list)
{
	struct interval_tree_node *node, *tmp;

	rbtree_postorder_for_each_entry_safe(node, tmp, &list->rb_root, rb)
		kfree(node);
	*list = RB_ROOT_CACHED;
}

/**
 * iofd_iova_allowed_replace - confine automatic placement to a list
 * @iova: the sets
 * @list: the new list, empty to end the confinement; handed over, and empty
 *	afterwards, on success only
 *
 * Return: 0; -EADDRINUSE if an entry meets a reserved range, and then nothing
 * has changed.
 */
int iofd_iova_allowed_replace(struct iofd_iova *iova,
			      struct rb_root_cached *list)
{
	struct interval_tree_node *node;

	for (node = first_in(list, IOFD_RANGE_ALL); node;
	     node = interval_tree_iter_next(node, 0, ULONG_MAX))
		if (interval_tree_iter_first(&iova->reserved, node->start,
					     node->last))
			return -EADDRINUSE;

	/* Point of no return. */
	swap(iova->allowed, *list);
	iofd_iova_allowed_free(list);
	return 0;
}

/**
 * iofd_iova_check_fixed - may this range be mapped right there?
 * @iova: the sets
 * @range: the range the user chose
 *
 * The allowed list confines automatic placement only and is not asked.
 *
 * Return: 0; -EINVAL if first byte or length do not keep the alignment, or if
 * the range meets a reserved one; -EEXIST if it meets a used one.
 */
int iofd_iova_check_fixed(const struct iofd_iova *iova,
			  struct iofd_range range)
{
	if (!iofd_range_aligned(range, iova->alignment))
		return -EINVAL;
	if (iofd_iova_is_reserved(iova, range))
		return -EINVAL;
	if (iofd_iova_used_first(iova, range))
		return -EEXIST;
	return 0;
}

/* Does what is being placed fit into @gap, and where? */
static bool fits(struct iofd_range gap, const struct placement *what,
		 struct iofd_range *out)
{
	unsigned long first;

	if (!iofd_align_up(gap.first, what->alignment, &first))
		return false;
	first |= what->offset;

	/* "first < gap.last": a gap of one byte is never used. */
	if (first >= gap.last || gap.last - first < what->length - 1)
		return false;
	*out = (struct iofd_range){ first, first + (what->length - 1) };
	return true;
}

/* The leftmost node under @node with a gap of @need; its max_gap says so. */
static struct iofd_iova_node *leftmost_gap(struct iofd_iova_node *node,
					   unsigned long need)
{
	struct iofd_iova_node *left = to_used(node->rb.rb_left);

	for (;;) {
		if (left && left->max_gap >= need) {
			node = left;
		} else {
			if (node->gap >= need)
				return node;
			node = to_used(node->rb.rb_right);
		}
		left = to_used(node->rb.rb_left);
	}
}

/* The first node behind @node, in order, with a gap of @need in front of it. */
static struct iofd_iova_node *next_gap(struct iofd_iova_node *node,
				       unsigned long need)
{
	struct iofd_iova_node *right = to_used(node->rb.rb_right);
	struct rb_node *from, *parent;

	if (right && right->max_gap >= need)
		return leftmost_gap(right, need);

	for (from = &node->rb; (parent = rb_parent(from)); from = parent) {
		if (from == parent->rb_right)
			continue;
		node = to_used(parent);
		if (node->gap >= need)
			return node;
		right = to_used(parent->rb_right);
		if (right && right->max_gap >= need)
			return leftmost_gap(right, need);
	}
	return NULL;
}

/*
 * The lowest stretch without used ranges that begins at or above @from (or is
 * cut there) and has @need bytes.
 */
static bool next_hole(const struct iofd_iova *iova, unsigned long from,
		      unsigned long need, struct iofd_range *hole)
{
	struct iofd_iova_node *node = used_from(iova, from);
	struct iofd_iova_node *end;

	/* @from in the middle of a used range: go on behind it. */
	if (node && node->range.first <= from) {
		if (node->range.last == ULONG_MAX)
			return false;
		from = node->range.last + 1;
		node = to_used(rb_next(&node->rb));
	}

	/* Of the gap in front of @node only what is left from @from counts. */
	if (node && node->range.first - from < need) {
		node = next_gap(node, need);
		if (node)
			from = node->range.first - node->gap;
	}
	if (node) {
		*hole = (struct iofd_range){ from, node->range.first - 1 };
		return true;
	}

	end = to_used(rb_last(&iova->used));
	if (end && end->range.last == ULONG_MAX)
		return false;
	if (end)
		from = max(from, end->range.last + 1);
	*hole = (struct iofd_range){ from, ULONG_MAX };
	return ULONG_MAX - from >= need - 1;
}

/* First fit in @window. */
static bool place(const struct iofd_iova *iova, struct iofd_range window,
		  const struct placement *what, struct iofd_range *out)
{
	/* A gap of one byte never counts, so do not stop at any. */
	unsigned long need = max(what->length, 2UL);
	struct interval_tree_span_iter span;
	struct iofd_range hole;

	while (next_hole(iova, window.first, need, &hole) &&
	       hole.first <= window.last) {
		hole.last = min(hole.last, window.last);
		interval_tree_for_each_span(&span, reserved_of(iova),
					    hole.first, hole.last) {
			struct iofd_range gap = {
				span.start_hole, span.last_hole
			};

			if (span.is_hole && fits(gap, what, out))
				return true;
		}
		if (hole.last == window.last)
			return false;
		window.first = hole.last + 1;
	}
	return false;
}

/* The largest page the CPU would map by itself: more alignment gains nothing. */
static unsigned long alignment_cap(void)
{
	if (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		return HPAGE_PMD_SIZE;
	return PAGE_SIZE;
}

/**
 * iofd_iova_find_free - choose a place
 * @iova: the sets
 * @length: bytes
 * @addr: address, or offset in a file, of the memory that will be mapped; the
 *	place is aligned like it as far as that lets huge pages be used
 * @out: the place, written on success only
 *
 * The lowest place that fits is chosen, in the allowed list if there is one
 * (entries that touch count as one), never in the first or last page.
 *
 * The offset of @addr in its page is merged into the aligned start of a gap by
 * OR.  That is the ABI's rule.  Where a gap starts in the middle of a page the
 * result can have other low bits set than @addr has.
 *
 * That @length keeps the alignment is the caller's check.
 *
 * Return: 0; -EOVERFLOW if @length is 0 or at least ULONG_MAX / 2; -EINVAL if
 * the alignment that suits @length and @addr is less than @iova->alignment;
 * -ENOSPC.
 */
int iofd_iova_find_free(const struct iofd_iova *iova, unsigned long length,
			unsigned long addr, struct iofd_range *out)
{
	const struct iofd_range window = { PLACE_FIRST, PLACE_LAST };
	struct interval_tree_span_iter span;
	struct placement what = { .length = length };

	if (!length || length >= ULONG_MAX / 2)
		return -EOVERFLOW;

	what.offset = offset_in_page(addr);
	what.alignment = min(roundup_pow_of_two(length), alignment_cap());
	if (addr)
		what.alignment = min(what.alignment, addr & -addr);
	if (what.alignment < iova->alignment)
		return -EINVAL;

	if (RB_EMPTY_ROOT(&iova->allowed.rb_root))
		return place(iova, window, &what, out) ? 0 : -ENOSPC;

	interval_tree_for_each_span(&span, allowed_of(iova), window.first,
				    window.last) {
		struct iofd_range part = { span.start_used, span.last_used };

		if (!span.is_hole && place(iova, part, &what, out))
			return 0;
	}
	return -ENOSPC;
}
