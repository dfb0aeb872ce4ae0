// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: Store of runs
 *
 * Positions (index + phase) are cut into blocks of 512, blocks into leaves of
 * 512: a leaf is an array with one entry per block, and an xarray holds the
 * leaves in which anything is known.  An entry is one of::
 *
 *   nothing   no index of the block was ever added
 *   value     every known position of the block has pfn - position == value
 *   dense     pointer to an array with one page frame per position
 *
 *            add, delta equal            add of parts
 *              +-------+                   +------+
 *              |       v                   |      v
 *   nothing -----> value --- other delta ---> dense
 *                    ^                          |
 *                    +--- add covers all of it -+
 *
 * A position that was never added is don't-care: its block may claim anything
 * about it, since nobody asks.  That is what makes a partial add to an unknown
 * block free.  A page set of up to 512 pages has its one entry in the store
 * itself, without leaf and xarray: contiguous ones cost no memory at all.
 *
 * The phase exists for memory made of huge pages: a page set that starts in
 * the middle of one would otherwise have two deltas in each block and so
 * become dense everywhere.  See iofd_runs_align().
 *
 * Invariants:
 *
 * 1. a dense array has block_slots() slots, all initialised;
 * 2. @nr_dense counts the dense entries;
 * 3. a failed add changes nothing outside of the range it was asked to add.
 *
 * Lock: none.  The caller serialises; the xarray's own lock is taken by the
 * xarray, and is a leaf.
 */
#include <linux/bits.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "base/check.h"
#include "base/runs.h"

#define BLOCK_SHIFT	9
#define BLOCK_SLOTS	BIT(BLOCK_SHIFT)
#define BLOCK_MASK	(BLOCK_SLOTS - 1)

#define LEAF_SHIFT	9
#define LEAF_SLOTS	BIT(LEAF_SHIFT)
#define LEAF_MASK	(LEAF_SLOTS - 1)

static unsigned long block_of(unsigned long pos)
{
	return pos >> BLOCK_SHIFT;
}

static unsigned long last_pos(const struct iofd_runs *runs)
{
	return runs->phase + runs->nr - 1;
}

/* Positions at the end of the set that do not exist need no slot. */
static unsigned long block_slots(const struct iofd_runs *runs,
				 unsigned long block)
{
	return min(BLOCK_SLOTS, last_pos(runs) - (block << BLOCK_SHIFT) + 1);
}

static bool is_one_block(const struct iofd_runs *runs)
{
	return runs->nr <= BLOCK_SLOTS;
}

/* Nor do blocks at its end. */
static unsigned long leaf_slots(const struct iofd_runs *runs,
				unsigned long leaf)
{
	return min(LEAF_SLOTS, block_of(last_pos(runs)) -
			       (leaf << LEAF_SHIFT) + 1);
}

/* Where the entry of @block is; NULL if its leaf knows nothing. */
static void **find_slot(const struct iofd_runs *runs, unsigned long block)
{
	void **leaf;

	if (is_one_block(runs))
		return (void **)&runs->only;
	leaf = xa_load((struct xarray *)&runs->leaves, block >> LEAF_SHIFT);
	return leaf ? leaf + (block & LEAF_MASK) : NULL;
}

static void *find_entry(const struct iofd_runs *runs, unsigned long block)
{
	void **slot = find_slot(runs, block);

	return slot ? *slot : NULL;
}

/* As find_slot(), and make the leaf; NULL without memory. */
static void **make_slot(struct iofd_runs *runs, unsigned long block)
{
	unsigned long leaf = block >> LEAF_SHIFT;
	void **slot = find_slot(runs, block);
	void **slots;

	if (slot)
		return slot;
	if (iofd_fault())
		return NULL;
	slots = kcalloc(leaf_slots(runs, leaf), sizeof(*slots),
			GFP_KERNEL_ACCOUNT);
	if (!slots)
		return NULL;
	if (xa_err(xa_store(&runs->leaves, leaf, slots, GFP_KERNEL_ACCOUNT))) {
		kfree(slots);
		return NULL;
	}
	return slots + (block & LEAF_MASK);
}

/* Is every position of the set that lies in @block within [first, last]? */
static bool covers_block(const struct iofd_runs *runs, unsigned long block,
			 unsigned long first, unsigned long last)
{
	unsigned long start = block << BLOCK_SHIFT;

	return first <= max(start, runs->phase) &&
	       last >= min(start + BLOCK_MASK, last_pos(runs));
}

/*
 * A delta may be negative.  An xarray value has one bit less than a long, so
 * the sign is kept in bit BITS_PER_LONG - 2; page frames and indices are short
 * enough for that.
 */
static void *delta_to_entry(unsigned long delta)
{
	return xa_mk_value(delta & LONG_MAX);
}

static unsigned long entry_to_delta(const void *entry)
{
	return (unsigned long)((long)(xa_to_value(entry) << 1) >> 1);
}

static bool is_dense(const void *entry)
{
	return entry && !xa_is_value(entry);
}

static unsigned long entry_pfn(const void *entry, unsigned long pos)
{
	const unsigned long *pfns = entry;

	if (is_dense(entry))
		return pfns[pos & BLOCK_MASK];
	return pos + entry_to_delta(entry);
}

static void fill(unsigned long *pfns, unsigned long nr, unsigned long pfn)
{
	unsigned long i;

	for (i = 0; i < nr; i++)
		pfns[i] = pfn + i;
}

/* How many of the leading @pfns count up from @pfn? */
static unsigned long count_contiguous(const unsigned long *pfns,
				      unsigned long nr, unsigned long pfn)
{
	unsigned long i;

	for (i = 0; i < nr; i++)
		if (pfns[i] != pfn + i)
			break;
	return i;
}

/* An array for a block that is not dense, not yet initialised. */
static unsigned long *make_dense(struct iofd_runs *runs, unsigned long block,
				 void **slot)
{
	unsigned long *pfns;

	if (iofd_fault())
		return NULL;
	pfns = kmalloc_objs(*pfns, block_slots(runs, block),
			    GFP_KERNEL_ACCOUNT);
	if (!pfns)
		return NULL;
	*slot = pfns;
	runs->nr_dense++;
	return pfns;
}

/* Add a run that lies within one block and leaves part of it as it was. */
static int add_part(struct iofd_runs *runs, unsigned long first,
		    unsigned long last, unsigned long delta)
{
	unsigned long block = block_of(first);
	void *entry = delta_to_entry(delta);
	void **slot = make_slot(runs, block);
	unsigned long *pfns;
	void *old;

	if (!slot)
		return -ENOMEM;
	old = *slot;
	if (!old)
		*slot = entry;
	if (!old || old == entry)
		return 0;

	pfns = old;
	if (!is_dense(old)) {
		pfns = make_dense(runs, block, slot);
		if (!pfns)
			return -ENOMEM;
		fill(pfns, block_slots(runs, block),
		     (block << BLOCK_SHIFT) + entry_to_delta(old));
	}
	fill(pfns + (first & BLOCK_MASK), last - first + 1, first + delta);
	return 0;
}

/* Make value blocks of [block, last], whatever they were. */
static int add_whole(struct iofd_runs *runs, unsigned long block,
		     unsigned long last, unsigned long delta)
{
	void *entry = delta_to_entry(delta);
	unsigned long leaf_last;
	void **slot;

	do {
		slot = make_slot(runs, block);
		if (!slot)
			return -ENOMEM;
		leaf_last = min(last, block | LEAF_MASK);
		for (; block <= leaf_last; block++, slot++) {
			if (is_dense(*slot)) {
				kfree(*slot);
				runs->nr_dense--;
			}
			*slot = entry;
		}
		cond_resched();
	} while (block <= last);
	return 0;
}

static int add_run(struct iofd_runs *runs, unsigned long first,
		   unsigned long last, unsigned long delta)
{
	unsigned long head = block_of(first);
	unsigned long tail = block_of(last);
	int ret;

	if (!covers_block(runs, head, first, last)) {
		ret = add_part(runs, first, min(last, first | BLOCK_MASK),
			       delta);
		if (ret || head == tail)
			return ret;
		head++;
	}
	if (!covers_block(runs, tail, first, last)) {
		ret = add_part(runs, tail << BLOCK_SHIFT, last, delta);
		if (ret || head == tail)
			return ret;
		tail--;
	}
	return add_whole(runs, head, tail, delta);
}

/* Add page frames that are no single run, all within one block. */
static int add_scattered(struct iofd_runs *runs, unsigned long pos,
			 const unsigned long *pfns, unsigned long nr)
{
	unsigned long block = block_of(pos);
	void **slot = make_slot(runs, block);
	unsigned long *to;
	void *old;

	if (!slot)
		return -ENOMEM;
	old = *slot;
	to = old;
	if (!is_dense(old)) {
		unsigned long delta = old ? entry_to_delta(old) : pfns[0] - pos;

		to = make_dense(runs, block, slot);
		if (!to)
			return -ENOMEM;
		if (!covers_block(runs, block, pos, pos + nr - 1))
			fill(to, block_slots(runs, block),
			     (block << BLOCK_SHIFT) + delta);
	}
	memcpy(to + (pos & BLOCK_MASK), pfns, nr * sizeof(*pfns));
	return 0;
}

/**
 * iofd_runs_init - make an empty store
 * @runs: the store
 * @nr: number of indices, at least 1; indices are 0..@nr - 1
 */
void iofd_runs_init(struct iofd_runs *runs, unsigned long nr)
{
	runs->nr = nr;
	runs->phase = 0;
	runs->nr_dense = 0;
	if (is_one_block(runs))
		runs->only = NULL;
	else
		xa_init_flags(&runs->leaves, XA_FLAGS_ACCOUNT);
}

/**
 * iofd_runs_align - say how the memory behind index 0 is aligned
 * @runs: the store, still empty
 * @at: page number (of the virtual address, or of the file offset) that
 *	belongs to index 0
 *
 * Huge pages are aligned in that numbering.  Knowing it, the store needs one
 * word for each, wherever in one of them the page set begins; not knowing it
 * costs memory, never correctness.
 */
void iofd_runs_align(struct iofd_runs *runs, unsigned long at)
{
	/* A set that fits one block would only be torn in two. */
	if (is_one_block(runs))
		return;
	iofd_check(xa_empty(&runs->leaves));
	runs->phase = at & BLOCK_MASK;
}

static void free_dense(struct iofd_runs *runs, void **slots, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i++) {
		if (is_dense(slots[i])) {
			kfree(slots[i]);
			runs->nr_dense--;
		}
	}
}

/**
 * iofd_runs_fini - free everything the store holds
 * @runs: the store; afterwards only iofd_runs_init() may be called
 *
 * Context: may sleep.
 */
void iofd_runs_fini(struct iofd_runs *runs)
{
	unsigned long leaf;
	void **slots;

	if (is_one_block(runs)) {
		free_dense(runs, &runs->only, 1);
	} else {
		xa_for_each(&runs->leaves, leaf, slots) {
			if (runs->nr_dense)
				free_dense(runs, slots, leaf_slots(runs, leaf));
			kfree(slots);
			cond_resched();
		}
		xa_destroy(&runs->leaves);
	}
	iofd_check(!runs->nr_dense);
}

/**
 * iofd_runs_add - remember one contiguous run
 * @runs: the store
 * @first: first index
 * @last: last index, below the number of indices
 * @pfn: page frame behind @first
 *
 * What was known about [@first, @last] is overwritten.
 *
 * Context: may sleep.
 * Return: 0; -ENOMEM, and then nothing outside of the range has changed and
 * nothing inside of it is known.
 */
int iofd_runs_add(struct iofd_runs *runs, unsigned long first,
		  unsigned long last, unsigned long pfn)
{
	iofd_check(first <= last && last < runs->nr);

	first += runs->phase;
	last += runs->phase;
	return add_run(runs, first, last, pfn - first);
}

/**
 * iofd_runs_add_pfns - remember an array of page frames
 * @runs: the store
 * @first: first index
 * @pfns: page frame behind @first, @first + 1, ...
 * @nr: number of page frames, at least 1
 *
 * The same as @nr calls of iofd_runs_add(), at one look into the store for
 * each block that is touched.
 *
 * Context: may sleep.
 * Return: as iofd_runs_add().
 */
int iofd_runs_add_pfns(struct iofd_runs *runs, unsigned long first,
		       const unsigned long *pfns, unsigned long nr)
{
	unsigned long pos = first + runs->phase;

	iofd_check(nr && first < runs->nr && nr <= runs->nr - first);

	while (nr) {
		unsigned long in_block = min(nr, BLOCK_SLOTS -
						 (pos & BLOCK_MASK));
		unsigned long run = count_contiguous(pfns, nr, pfns[0]);
		int ret;

		if (run < in_block) {
			run = in_block;
			ret = add_scattered(runs, pos, pfns, run);
		} else {
			/* End with a block unless it is the end of all. */
			if (run < nr)
				run -= (pos + run) & BLOCK_MASK;
			ret = add_run(runs, pos, pos + run - 1, pfns[0] - pos);
		}
		if (ret)
			return ret;
		pos += run;
		pfns += run;
		nr -= run;
	}
	return 0;
}

/**
 * iofd_runs_find - the longest contiguous run from an index on
 * @runs: the store
 * @index: where the run starts; was added
 * @last: where the run ends at the latest; everything up to it was added
 *
 * Context: any.
 * Return: the run, with first == @index and @index <= last <= @last.  The page
 * frame is ULONG_MAX, which no memory has, if nothing is known about @index.
 */
struct iofd_run iofd_runs_find(const struct iofd_runs *runs,
			       unsigned long index, unsigned long last)
{
	unsigned long pos = index + runs->phase;
	unsigned long block = block_of(pos);
	void **slot = find_slot(runs, block);
	void *entry = slot ? *slot : NULL;
	unsigned long next = pos;
	unsigned long delta, end;
	void *same;

	iofd_check(index <= last && last < runs->nr);
	last += runs->phase;

	if (WARN_ON_ONCE(!entry))
		return (struct iofd_run){ index, index, ULONG_MAX };
	delta = entry_pfn(entry, pos) - pos;
	same = delta_to_entry(delta);

	/* @next is the first position that is not yet part of the run. */
	for (;;) {
		end = min(last, next | BLOCK_MASK);
		if (entry == same) {
			next = end + 1;
		} else if (is_dense(entry)) {
			const unsigned long *pfns = entry;

			next += count_contiguous(pfns + (next & BLOCK_MASK),
						 end - next + 1, next + delta);
		}
		if (next <= end || next > last)
			break;
		block++;
		if (block & LEAF_MASK)
			slot++;
		else
			slot = find_slot(runs, block);
		if (!slot)
			break;
		entry = *slot;
	}

	return (struct iofd_run){
		.first = index,
		.last = next - 1 - runs->phase,
		.pfn = pos + delta,
	};
}

/**
 * iofd_run_walk_look - find a walk's next run in the store
 * @walk: the walk
 * @index: where its next run starts
 *
 * If what follows the run is an array, it is put at hand: as long as runs end
 * within it, the walk needs no further look.
 *
 * Context: any.
 */
void iofd_run_walk_look(struct iofd_run_walk *walk, unsigned long index)
{
	const struct iofd_runs *runs = walk->runs;
	unsigned long pos;
	void *entry;

	*walk->run = iofd_runs_find(runs, index, walk->last);
	walk->nr = 0;
	if (!runs->nr_dense || walk->run->last == walk->last)
		return;

	pos = walk->run->last + 1 + runs->phase;
	entry = find_entry(runs, block_of(pos));
	if (!is_dense(entry))
		return;
	walk->pfns = (const unsigned long *)entry + (pos & BLOCK_MASK);
	walk->nr = min(BLOCK_SLOTS - (pos & BLOCK_MASK),
		       walk->last - walk->run->last);
}

/**
 * iofd_runs_pfn - the page frame behind one index
 * @runs: the store
 * @index: was added
 *
 * Context: any.
 * Return: the page frame; ULONG_MAX if nothing is known about @index.
 */
unsigned long iofd_runs_pfn(const struct iofd_runs *runs, unsigned long index)
{
	unsigned long pos = index + runs->phase;
	void *entry;

	iofd_check(index < runs->nr);
	entry = find_entry(runs, block_of(pos));
	if (WARN_ON_ONCE(!entry))
		return ULONG_MAX;
	return entry_pfn(entry, pos);
}

static size_t dense_memory(const struct iofd_runs *runs, unsigned long block,
			   void *const *slots, unsigned long nr)
{
	size_t bytes = 0;
	unsigned long i;

	for (i = 0; i < nr; i++)
		if (is_dense(slots[i]))
			bytes += kmalloc_size_roundup(block_slots(runs,
								  block + i) *
						      sizeof(unsigned long));
	return bytes;
}

/**
 * iofd_runs_memory - bytes allocated by the store
 * @runs: the store
 *
 * Counts arrays as the allocator rounds them, and the nodes of the xarray;
 * not the struct itself.  Walks everything: for tests and debugging.
 *
 * Context: may sleep.
 * Return: bytes.
 */
size_t iofd_runs_memory(const struct iofd_runs *runs)
{
	struct xarray *leaves = (struct xarray *)&runs->leaves;
	unsigned long leaf, max_leaf = 0;
	unsigned int shift;
	size_t bytes;
	void **slots;

	if (is_one_block(runs))
		return dense_memory(runs, 0, &runs->only, 1);

	bytes = 0;
	xa_for_each(leaves, leaf, slots) {
		unsigned long nr = leaf_slots(runs, leaf);

		max_leaf = leaf;
		bytes += kmalloc_size_roundup(nr * sizeof(*slots)) +
			 dense_memory(runs, leaf << LEAF_SHIFT, slots, nr);
		cond_resched();
	}

	/* One level of nodes per step, as tall as the highest leaf asks. */
	for (shift = XA_CHUNK_SHIFT; max_leaf >> (shift - XA_CHUNK_SHIFT);
	     shift += XA_CHUNK_SHIFT) {
		unsigned long node = ULONG_MAX;

		xa_for_each(leaves, leaf, slots) {
			if (leaf >> shift == node)
				continue;
			node = leaf >> shift;
			bytes += sizeof(struct xa_node);
			cond_resched();
		}
		if (shift + XA_CHUNK_SHIFT > BITS_PER_LONG)
			break;
	}
	return bytes;
}
