// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: page sets and holds
 *
 * Every user of a slice of a page set - an area that is loaded in a domain, an
 * in-kernel access, a copy - adds one hold to the set's single interval tree.
 * What no hold covered before is charged, then pinned; what no hold covers any
 * more is unpinned, then uncharged::
 *
 *     holds      |----A----|      |---C---|
 *                     |----B----|
 *     pinned     ################ #########      each index once
 *
 *     hold D              |----------|           pins and charges ..
 *                                 ^              .. this index only
 *     release B                                  unpins nothing: A and D cover
 *
 * Invariants, under the set's lock:
 *
 * 1. an index is pinned iff at least one hold covers it, and it is pinned once;
 * 2. covered indices == pages charged to the payer, and to its successor while
 *    there is one;
 * 3. nothing is pinned before it is charged, a refused charge leaves nothing;
 * 4. release allocates nothing and cannot fail.
 *
 * The lock is a mutex: pinning sleeps.  It nests inside an address space's
 * locks and outside mmap_lock.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "base/check.h"
#include "memory/pages.h"
#include "trace.h"

unsigned int iofd_pin_scratch_limit = IOFD_PIN_SCRATCH_DEFAULT;

/**
 * iofd_pages_init - set up what all page sets have in common
 * @pages: page set, zeroed; the source embeds it at offset 0
 * @source: operations of the source
 * @addr: address, or offset in the file, of the first byte
 * @length: bytes in the set, not 0; @addr + @length - 1 must not overflow
 * @writable: pin for writing
 * @payer: who is to pay; the caller's reference becomes the set's.  NULL: device
 *         memory, which is never charged
 */
void iofd_pages_init(struct iofd_pages *pages,
		     const struct iofd_pages_source *source,
		     unsigned long addr, unsigned long length, bool writable,
		     struct iofd_payer *payer)
{
	kref_init(&pages->kref);
	mutex_init(&pages->lock);
	pages->holds = RB_ROOT_CACHED;
	pages->source = source;
	pages->addr = addr;
	pages->length = length;
	pages->writable = writable;
	pages->bill.payer = payer;
	iofd_runs_init(&pages->runs, iofd_pages_nr(pages));
	iofd_runs_align(&pages->runs, addr >> PAGE_SHIFT);
}

static void pages_free(struct kref *kref)
{
	struct iofd_pages *pages = container_of(kref, struct iofd_pages, kref);

	WARN_ON(!RB_EMPTY_ROOT(&pages->holds.rb_root));
	WARN_ON(pages->bill.npages);
	WARN_ON(pages->successor);
	iofd_runs_fini(&pages->runs);
	mutex_destroy(&pages->lock);
	iofd_payer_put(pages->bill.payer);
	pages->source->release(pages);
	kfree(pages);
}

/**
 * iofd_pages_put - drop a reference; the last one frees the set
 * @pages: page set; all holds taken through this reference are released
 */
void iofd_pages_put(struct iofd_pages *pages)
{
	kref_put(&pages->kref, pages_free);
}

/**
 * iofd_unpin_pages - unpin contiguous pages
 * @pages: page set; its pages are marked dirty if it is writable
 * @pfn: first page frame
 * @npages: number of page frames
 */
void iofd_unpin_pages(struct iofd_pages *pages, unsigned long pfn,
		      unsigned long npages)
{
	unpin_user_page_range_dirty_lock(pfn_to_page(pfn), npages,
					 pages->writable);
}

static int scratch_init(struct iofd_pin_scratch *scratch, unsigned long nr)
{
	unsigned long cap = READ_ONCE(iofd_pin_scratch_limit) / sizeof(long);

	nr = min(nr, cap);
	if (nr <= ARRAY_SIZE(scratch->small)) {
		scratch->pfns = scratch->small;
		scratch->nr = max(nr, 1UL);
		return 0;
	}
	if (iofd_fault())
		return -ENOMEM;
	scratch->pfns = kmalloc_array(nr, sizeof(long), GFP_KERNEL_ACCOUNT);
	if (!scratch->pfns)
		return -ENOMEM;
	scratch->nr = nr;
	return 0;
}

static void scratch_fini(struct iofd_pin_scratch *scratch)
{
	if (scratch->pfns != scratch->small)
		kfree(scratch->pfns);
}

static void uncharge(struct iofd_pages *pages, unsigned long npages)
{
	lockdep_assert_held(&pages->lock);

	if (pages->successor)
		iofd_successor_uncharge(pages->successor, npages);
	iofd_uncharge(&pages->bill, npages);
}

static int charge(struct iofd_pages *pages, unsigned long npages)
{
	int rc;

	lockdep_assert_held(&pages->lock);

	rc = iofd_charge(&pages->bill, npages);
	if (rc || !pages->successor)
		return rc;
	rc = iofd_successor_charge(pages->successor, npages);
	if (rc)
		iofd_uncharge(&pages->bill, npages);
	return rc;
}

/* What a trace says of an index of a set that has a payer. */
static unsigned long index_addr(const struct iofd_pages *pages,
				unsigned long index)
{
	return (pages->addr & PAGE_MASK) + (index << PAGE_SHIFT);
}

static u64 context_of(const struct iofd_pages *pages)
{
	return pages->bill.payer->account->context;
}

/* Unpin [first, last], all of it pinned and covered by no hold, and uncharge. */
static void unpin_range(struct iofd_pages *pages, unsigned long first,
			unsigned long last)
{
	struct iofd_run run;

	lockdep_assert_held(&pages->lock);

	trace_iommufd_unpin(context_of(pages), pages->source->name,
			    index_addr(pages, first), last - first + 1);
	iofd_for_each_run(run, &pages->runs, first, last) {
		pages->source->unpin(pages, run.pfn,
				     run.last - run.first + 1);
		cond_resched();
	}
	uncharge(pages, last - first + 1);
}

static int try_pin_range(struct iofd_pages *pages, unsigned long first,
			 unsigned long last)
{
	struct iofd_pin_scratch scratch __uninitialized;
	unsigned long index = first;
	unsigned long nr = last - first + 1;
	long got;
	int rc;

	lockdep_assert_held(&pages->lock);

	rc = scratch_init(&scratch, nr);
	if (rc)
		return rc;
	rc = charge(pages, nr);
	if (rc)
		goto out_scratch;

	do {
		/* Sources look for signals only where they have to wait. */
		if (fatal_signal_pending(current))
			got = -EINTR;
		else if (iofd_fault())
			got = -EFAULT;
		else
			got = pages->source->pin(pages, &scratch, index, last);
		if (got < 0) {
			rc = got;
			goto out_unpin;
		}
		iofd_check(got > 0 && got <= last - index + 1);
		index += got;
		cond_resched();
	} while (index <= last);
	scratch_fini(&scratch);
	return 0;

out_unpin:
	/* unpin_range() uncharges what was pinned, the rest is done here. */
	if (index > first)
		unpin_range(pages, first, index - 1);
	uncharge(pages, last - index + 1);
out_scratch:
	scratch_fini(&scratch);
	return rc;
}

/* Charge and pin [first, last], none of it pinned: all of it or nothing. */
static int pin_range(struct iofd_pages *pages, unsigned long first,
		     unsigned long last)
{
	int rc = try_pin_range(pages, first, last);

	trace_iommufd_pin(context_of(pages), pages->source->name,
			  index_addr(pages, first), last - first + 1, rc);
	return rc;
}

/*
 * Find the first part of [*first, last] that no hold covers.  Indices are
 * page counts, so last + 1 cannot overflow.
 */
static bool next_hole(struct iofd_pages *pages, unsigned long *first,
		      unsigned long last, unsigned long *hole_last)
{
	struct interval_tree_node *node;

	while (*first <= last) {
		node = interval_tree_iter_first(&pages->holds, *first, last);
		if (!node) {
			*hole_last = last;
			return true;
		}
		if (node->start > *first) {
			*hole_last = node->start - 1;
			return true;
		}
		*first = node->last + 1;
	}
	return false;
}

/**
 * iofd_pages_hold - keep a slice pinned
 * @pages: page set
 * @hold: unused hold, zeroed when it was made, the caller's until released
 * @index: the slice, inside the set
 *
 * Device memory cannot be pinned: its page set is only made ready to show it.
 *
 * Return: 0; -ENOMEM (memory or limit), -EINVAL (payer has gone, process mode)
 * or what the source says: -EFAULT, -EOPNOTSUPP, -ENOMEM, -EINTR.  On failure
 * nothing is pinned or charged that was not before.
 */
int iofd_pages_hold(struct iofd_pages *pages, struct iofd_hold *hold,
		    struct iofd_range index)
{
	unsigned long first = index.first, hole_last;
	int rc;

	iofd_check(index.first <= index.last && index.last < iofd_pages_nr(pages));

	if (pages->source->devmem)
		return pages->source->prepare ? pages->source->prepare(pages) :
						0;

	mutex_lock(&pages->lock);
	while (next_hole(pages, &first, index.last, &hole_last)) {
		rc = pin_range(pages, first, hole_last);
		if (rc)
			goto err_undo;
		first = hole_last + 1;
	}
	hold->node.start = index.first;
	hold->node.last = index.last;
	interval_tree_insert(&hold->node, &pages->holds);
	mutex_unlock(&pages->lock);
	return 0;

err_undo:
	/* The holes before @first are pinned, and still are the holes. */
	if (first > index.first) {
		unsigned long end = first - 1;

		first = index.first;
		while (next_hole(pages, &first, end, &hole_last)) {
			unpin_range(pages, first, hole_last);
			first = hole_last + 1;
		}
	}
	mutex_unlock(&pages->lock);
	return rc;
}

static void release_locked(struct iofd_pages *pages, struct iofd_hold *hold)
{
	unsigned long first = hold->node.start, last = hold->node.last;
	unsigned long hole_last;

	lockdep_assert_held(&pages->lock);

	interval_tree_remove(&hold->node, &pages->holds);
	while (next_hole(pages, &first, last, &hole_last)) {
		unpin_range(pages, first, hole_last);
		first = hole_last + 1;
	}
}

/**
 * iofd_pages_release - undo iofd_pages_hold()
 * @pages: page set
 * @hold: hold on it
 *
 * No domain may still map what this hold alone covers.
 */
void iofd_pages_release(struct iofd_pages *pages, struct iofd_hold *hold)
{
	if (pages->source->devmem)
		return;
	mutex_lock(&pages->lock);
	release_locked(pages, hold);
	mutex_unlock(&pages->lock);
}

/**
 * iofd_pages_split_hold - make two holds of one
 * @pages: page set
 * @left: hold that ends before @byte afterwards
 * @right: unused hold, zeroed when it was made; holds from @byte on afterwards
 * @byte: a byte of the set inside the slice of @left, not its first
 *
 * The same indices are covered before and after.
 */
void iofd_pages_split_hold(struct iofd_pages *pages, struct iofd_hold *left,
			   struct iofd_hold *right, unsigned long byte)
{
	mutex_lock(&pages->lock);
	interval_tree_remove(&left->node, &pages->holds);
	right->node.start = iofd_pages_index(pages, byte);
	right->node.last = left->node.last;
	left->node.last = iofd_pages_index(pages, byte - 1);
	interval_tree_insert(&left->node, &pages->holds);
	interval_tree_insert(&right->node, &pages->holds);
	mutex_unlock(&pages->lock);
}

/**
 * iofd_pages_walk - call a function for each contiguous run of a slice
 * @pages: page set
 * @index: the slice, covered by holds of the caller
 * @fn: called in ascending order; a non-zero value ends the walk
 * @arg: passed to @fn
 *
 * @fn runs under the set's lock and may sleep, but must not call back into
 * this page set.
 *
 * Return: 0 or what @fn returned.
 */
int iofd_pages_walk(struct iofd_pages *pages, struct iofd_range index,
		    iofd_run_fn fn, void *arg)
{
	struct iofd_run run;
	int rc = 0;

	mutex_lock(&pages->lock);
	iofd_for_each_run(run, &pages->runs, index.first, index.last) {
		rc = fn(&run, arg);
		if (rc)
			break;
	}
	mutex_unlock(&pages->lock);
	return rc;
}

struct fill {
	struct page **out;
};

static int fill_pages(const struct iofd_run *run, void *arg)
{
	struct fill *fill = arg;
	unsigned long i;

	for (i = 0; i <= run->last - run->first; i++)
		*fill->out++ = pfn_to_page(run->pfn + i);
	return 0;
}

/**
 * iofd_pages_pin - hold a slice and get its pages
 * @pages: page set
 * @byte: first byte in the set
 * @length: number of bytes, not 0
 * @out: out: a page for each index that is touched
 *
 * Pins of the same bytes nest.
 *
 * Return: 0; -EINVAL a source whose memory has no pages; what
 * iofd_pages_hold() returns.
 */
int iofd_pages_pin(struct iofd_pages *pages, unsigned long byte,
		   unsigned long length, struct page **out)
{
	struct iofd_range index = iofd_pages_indices(pages, byte, length);
	struct fill fill = { .out = out };
	struct iofd_hold *hold;
	int rc;

	if (pages->source->devmem || iofd_fault())
		return -EINVAL;
	hold = kzalloc_obj(*hold, GFP_KERNEL_ACCOUNT);
	if (!hold)
		return -ENOMEM;
	hold->pin = true;
	rc = iofd_pages_hold(pages, hold, index);
	if (rc) {
		kfree(hold);
		return rc;
	}
	return iofd_pages_walk(pages, index, fill_pages, &fill);
}

/**
 * iofd_pages_unpin - undo iofd_pages_pin()
 * @pages: page set
 * @byte: as it was pinned
 * @length: as it was pinned
 */
void iofd_pages_unpin(struct iofd_pages *pages, unsigned long byte,
		      unsigned long length)
{
	struct iofd_range index = iofd_pages_indices(pages, byte, length);
	struct interval_tree_node *node;
	struct iofd_hold *hold = NULL;

	mutex_lock(&pages->lock);
	for (node = interval_tree_iter_first(&pages->holds, index.first,
					     index.last);
	     node; node = interval_tree_iter_next(node, index.first,
						  index.last)) {
		hold = container_of(node, struct iofd_hold, node);
		if (hold->pin && node->start == index.first &&
		    node->last == index.last)
			break;
	}
	if (!WARN_ON(!node)) {
		release_locked(pages, hold);
		kfree(hold);
	}
	mutex_unlock(&pages->lock);
}

/**
 * iofd_pages_can_change_payer - may another process pay for the set?
 * @pages: page set
 *
 * Return: true if its memory is not that of a process.
 */
bool iofd_pages_can_change_payer(struct iofd_pages *pages)
{
	return pages->source->ownerless;
}

/**
 * iofd_pages_prepare_payer - make the calling task the successor of the payer
 * @pages: page set that can change its payer; if it has a successor already,
 *         that is the calling task
 *
 * From now on both are charged, until iofd_pages_commit_payer() or
 * iofd_pages_cancel_payer().
 *
 * Return: 0; -ENOMEM no memory, or over a limit of the calling task.
 */
int iofd_pages_prepare_payer(struct iofd_pages *pages)
{
	struct iofd_successor *next;
	int rc = 0;

	mutex_lock(&pages->lock);
	if (!pages->successor) {
		next = iofd_successor_prepare(&pages->bill);
		if (IS_ERR(next))
			rc = PTR_ERR(next);
		else
			pages->successor = next;
	}
	mutex_unlock(&pages->lock);
	return rc;
}

/**
 * iofd_pages_commit_payer - the successor pays, the payer does not any more
 * @pages: page set; nothing is done if it has no successor
 */
void iofd_pages_commit_payer(struct iofd_pages *pages)
{
	mutex_lock(&pages->lock);
	if (pages->successor)
		iofd_successor_commit(pages->successor, &pages->bill);
	pages->successor = NULL;
	mutex_unlock(&pages->lock);
}

/**
 * iofd_pages_cancel_payer - undo iofd_pages_prepare_payer()
 * @pages: page set; nothing is done if it has no successor
 */
void iofd_pages_cancel_payer(struct iofd_pages *pages)
{
	mutex_lock(&pages->lock);
	if (pages->successor)
		iofd_successor_cancel(pages->successor);
	pages->successor = NULL;
	mutex_unlock(&pages->lock);
}

/**
 * iofd_pages_peek_locked - the page frame behind an index, for a moment
 * @pages: page set; its lock is held
 * @index: index
 * @pfn: out: page frame, good while the lock is held
 *
 * Return: 0 if a hold covers @index; 1 if it was pinned for the caller, who
 * gives it back with the source's unpin; what the source's pin returns.
 */
int iofd_pages_peek_locked(struct iofd_pages *pages, unsigned long index,
			   unsigned long *pfn)
{
	struct iofd_pin_scratch scratch __uninitialized;
	long got = 0;

	lockdep_assert_held(&pages->lock);

	if (!interval_tree_iter_first(&pages->holds, index, index)) {
		scratch.pfns = scratch.small;
		scratch.nr = 1;
		got = pages->source->pin(pages, &scratch, index, index);
		if (got < 0)
			return got;
	}
	*pfn = iofd_runs_pfn(&pages->runs, index);
	return got;
}
