/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Physically contiguous runs of page frames, by index.
 *
 * An index counts PAGE_SIZE units inside one page set, from 0.  The store
 * remembers for every index that was ever added the page frame behind it, as
 * the difference pfn - index: it is constant along a physically contiguous
 * run, so neighbours that are contiguous come out of a walk as one run however
 * they were added.
 *
 * The store is a cache.  It answers for an index only while the caller knows,
 * by its own holds, that the index was added and is still pinned; asking for
 * an index that was never added is a caller's bug.  There is no removal:
 * adding again overwrites, iofd_runs_fini() frees.  So releasing pages touches
 * nothing here and cannot fail.
 *
 * Locking: none of its own; all calls on one store are serialised by the
 * caller, except that lookups may run side by side.  Add sleeps
 * (GFP_KERNEL_ACCOUNT allocations), and so does fini; lookups never do.
 */
#ifndef IOFD_BASE_RUNS_H
#define IOFD_BASE_RUNS_H

#include <linux/types.h>
#include <linux/xarray.h>

/**
 * struct iofd_runs - the store; members are private to runs.c
 * @only: what is known, if the indices are one block
 * @leaves: else what is known, in arrays by block
 * @nr: number of indices the store may be asked about
 * @phase: where in its block index 0 lies
 * @nr_dense: blocks that hold an array of page frames
 */
struct iofd_runs {
	union {
		void *only;
		struct xarray leaves;
	};
	unsigned long nr;
	unsigned int phase;
	unsigned int nr_dense;
};

/**
 * struct iofd_run - one physically contiguous piece
 * @first: first index
 * @last: last index, inclusive
 * @pfn: page frame behind @first; @first + n has @pfn + n
 */
struct iofd_run {
	unsigned long first;
	unsigned long last;
	unsigned long pfn;
};

void iofd_runs_init(struct iofd_runs *runs, unsigned long nr);
/* Optional, before the first add: index 0 is aligned like page number @at. */
void iofd_runs_align(struct iofd_runs *runs, unsigned long at);
void iofd_runs_fini(struct iofd_runs *runs);

int iofd_runs_add(struct iofd_runs *runs, unsigned long first,
		  unsigned long last, unsigned long pfn);
int iofd_runs_add_pfns(struct iofd_runs *runs, unsigned long first,
		       const unsigned long *pfns, unsigned long nr);

struct iofd_run iofd_runs_find(const struct iofd_runs *runs,
			       unsigned long index, unsigned long last);
unsigned long iofd_runs_pfn(const struct iofd_runs *runs, unsigned long index);
size_t iofd_runs_memory(const struct iofd_runs *runs);

/**
 * struct iofd_run_walk - a walk in progress; private to iofd_for_each_run()
 * @runs: the store
 * @run: where each run is written to
 * @last: where the walk ends
 * @pfns: if @nr is not 0: the page frames from @run->last + 1 on
 * @nr: number of @pfns that are at hand
 */
struct iofd_run_walk {
	const struct iofd_runs *runs;
	struct iofd_run *run;
	unsigned long last;
	const unsigned long *pfns;
	unsigned long nr;
};

void iofd_run_walk_look(struct iofd_run_walk *walk, unsigned long index);

static inline struct iofd_run_walk
iofd_run_walk_first(struct iofd_run *run, const struct iofd_runs *runs,
		    unsigned long first, unsigned long last)
{
	struct iofd_run_walk walk = { .runs = runs, .run = run, .last = last };

	iofd_run_walk_look(&walk, first);
	return walk;
}

/* Scattered pages come one after another from the array at hand. */
static inline void iofd_run_walk_next(struct iofd_run_walk *walk)
{
	struct iofd_run *run = walk->run;
	unsigned long n;

	for (n = 1; n < walk->nr; n++) {
		if (walk->pfns[n] == walk->pfns[0] + n)
			continue;
		run->first = run->last + 1;
		run->last += n;
		run->pfn = walk->pfns[0];
		walk->pfns += n;
		walk->nr -= n;
		return;
	}
	/* What reaches the end of the array may go on behind it. */
	if (run->last < walk->last)
		iofd_run_walk_look(walk, run->last + 1);
	else
		walk->run = NULL;
}

/*
 * Walk [first_, last_] in maximal contiguous pieces; run_ is the current.  The
 * store must not be added to meanwhile.
 */
#define iofd_for_each_run(run_, runs_, first_, last_)			\
	for (struct iofd_run_walk walk_ =				\
		     iofd_run_walk_first(&(run_), runs_, first_, last_);	\
	     walk_.run; iofd_run_walk_next(&walk_))

#endif
