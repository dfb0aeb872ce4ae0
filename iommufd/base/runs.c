// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: Store of runs
 *
 * Positions (index + phase) are cut into blocks of 512.  An xarray holds one
 * entry per block that knows anything::
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
 * block free, and a page set of up to 512 contiguous pages cost no memory at
 * all (an xarray keeps index 0 in its root).
 *
 * The phase exists for memory made of huge pages: a page set that starts in
 * the middle of one would otherwise have two deltas in each block and so
 * become dense everywhere.  See iofd_runs_align().
 *
 * Invariants:
 *
 * 1. a dense array has block_slots() slots, all initialised;
 * 2. @nr_dense counts the dense entries of @blocks;
 * 3. a failed add changes nothing outside of the range it was asked to add.
 *
 * Lock: none.  The caller serialises; the xarray's own lock is taken because
 * the xarray asks for it, and is a leaf.
 */
#include <linux/bits.h>
#include <linux/kernel.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "base/check.h"
#include "base/runs.h"

#define BLOCK_SHIFT	9
#define BLOCK_SLOTS	BIT(BLOCK_SHIFT)
#define BLOCK_MASK	(BLOCK_SLOTS - 1)

/* Blocks handled before the lock is dropped and others may run. */
#define BLOCK_BATCH	1024

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

/* Give a block that is not dense an array, not yet initialised. */
static unsigned long *make_dense(struct iofd_runs *runs, unsigned long block)
{
	unsigned long slots = block_slots(runs, block);
	unsigned long *pfns;
	int ret;

	if (iofd_fault())
		return NULL;
	pfns = kmalloc_objs(*pfns, slots, GFP_KERNEL_ACCOUNT);
	if (!pfns)
		return NULL;

	ret = xa_err(xa_store(&runs->blocks, block, pfns, GFP_KERNEL_ACCOUNT));
	if (ret) {
		kfree(pfns);
		return NULL;
	}
	runs->nr_dense++;
	return pfns;
}

/* Add a run that lies within one block and leaves part of it as it was. */
static int add_part(struct iofd_runs *runs, unsigned long first,
		    unsigned long last, unsigned long delta)
{
	unsigned long block = block_of(first);
	void *entry = delta_to_entry(delta);
	unsigned long *pfns;
	void *old;

	old = xa_load(&runs->blocks, block);
	if (!old)
		return xa_err(xa_store(&runs->blocks, block, entry,
				       GFP_KERNEL_ACCOUNT));
	if (old == entry)
		return 0;

	pfns = old;
	if (!is_dense(old)) {
		pfns = make_dense(runs, block);
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
	XA_STATE(xas, &runs->blocks, block);
	void *entry = delta_to_entry(delta);
	unsigned long batch_last;
	void *old;

	do {
		batch_last = min(last, block + (BLOCK_BATCH - 1));
		xas_lock(&xas);
		while (block <= batch_last) {
			old = xas_store(&xas, entry);
			if (xas_error(&xas))
				break;
			if (is_dense(old)) {
				kfree(old);
				runs->nr_dense--;
			}
			block++;
			xas_next(&xas);
		}
		xas_unlock(&xas);

		/* Out of nodes: get one and repeat the block it was for. */
		if (xas_nomem(&xas, GFP_KERNEL_ACCOUNT))
			continue;
		if (xas_error(&xas))
			return xas_error(&xas);
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
	void *old = xa_load(&runs->blocks, block);
	unsigned long *to = old;

	if (!is_dense(old)) {
		unsigned long delta = old ? entry_to_delta(old) : pfns[0] - pos;

		to = make_dense(runs, block);
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
	xa_init_flags(&runs->blocks, XA_FLAGS_ACCOUNT);
	runs->nr = nr;
	runs->phase = 0;
	runs->nr_dense = 0;
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
	iofd_check(xa_empty(&runs->blocks));

	/* A set that fits one block would only be torn in two. */
	if (runs->nr > BLOCK_SLOTS)
		runs->phase = at & BLOCK_MASK;
}

/**
 * iofd_runs_fini - free everything the store holds
 * @runs: the store; afterwards only iofd_runs_init() may be called
 *
 * Context: may sleep.
 */
void iofd_runs_fini(struct iofd_runs *runs)
{
	XA_STATE(xas, &runs->blocks, 0);
	unsigned long seen = 0;
	void *entry;

	if (runs->nr_dense) {
		xas_lock(&xas);
		xas_for_each(&xas, entry, ULONG_MAX) {
			if (is_dense(entry)) {
				kfree(entry);
				if (!--runs->nr_dense)
					break;
			}
			if (++seen % BLOCK_BATCH)
				continue;
			xas_pause(&xas);
			xas_unlock(&xas);
			cond_resched();
			xas_lock(&xas);
		}
		xas_unlock(&xas);
	}
	iofd_check(!runs->nr_dense);
	xa_destroy(&runs->blocks);
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
	unsigned long next = pos;
	unsigned long delta, end;
	void *entry, *same;
	XA_STATE(xas, (struct xarray *)&runs->blocks, block_of(pos));

	iofd_check(index <= last && last < runs->nr);
	last += runs->phase;

	rcu_read_lock();
	entry = xas_load(&xas);
	if (WARN_ON_ONCE(!entry)) {
		rcu_read_unlock();
		return (struct iofd_run){ index, index, ULONG_MAX };
	}
	delta = entry_pfn(entry, pos) - pos;
	same = delta_to_entry(delta);

	/* @next is the first position that is not yet part of the run. */
	while (entry) {
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
		entry = xas_next(&xas);
	}
	rcu_read_unlock();

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
	entry = xa_load((struct xarray *)&runs->blocks, block_of(pos));
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
	entry = xa_load((struct xarray *)&runs->blocks, block_of(pos));
	if (WARN_ON_ONCE(!entry))
		return ULONG_MAX;
	return entry_pfn(entry, pos);
}

/**
 * iofd_runs_memory - bytes allocated by the store
 * @runs: the store
 *
 * Counts the arrays as the allocator rounds them, and the nodes of the tree;
 * not the struct itself.  Walks everything: for tests and debugging.
 *
 * Context: may sleep.
 * Return: bytes.
 */
size_t iofd_runs_memory(const struct iofd_runs *runs)
{
	struct xarray *blocks = (struct xarray *)&runs->blocks;
	unsigned long block, max_block = 0;
	unsigned int shift;
	size_t bytes = 0;
	void *entry;

	xa_for_each(blocks, block, entry) {
		max_block = block;
		if (is_dense(entry))
			bytes += kmalloc_size_roundup(block_slots(runs, block) *
						      sizeof(unsigned long));
		cond_resched();
	}

	/* One level of nodes per step, as tall as the highest block asks. */
	for (shift = XA_CHUNK_SHIFT; max_block >> (shift - XA_CHUNK_SHIFT);
	     shift += XA_CHUNK_SHIFT) {
		unsigned long node = ULONG_MAX;

		xa_for_each(blocks, block, entry) {
			if (block >> shift == node)
				continue;
			node = block >> shift;
			bytes += sizeof(struct xa_node);
			cond_resched();
		}
		if (shift + XA_CHUNK_SHIFT > BITS_PER_LONG)
			break;
	}
	return bytes;
}
