// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: device memory
 *
 * Windows are added when an area is loaded in a domain and removed when it is
 * unloaded, whether the memory is present or not: an area of revoked memory is
 * a hole in its domains until the memory comes back.
 *
 * Loading happens under the set's lock, so that a revoke finds a window either
 * loaded or not.  Where the lock is taken inside of reclaim (an mmu notifier),
 * it must not wait for reclaim: then windows load without waiting for memory,
 * and if there is none, memory is made free with the lock dropped.
 */
#include <linux/gfp.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "base/check.h"
#include "memory/devmem.h"
#include "trace.h"

/* How often memory is made free for a load that may not wait for it. */
#define LOAD_TRIES 8

/**
 * iofd_devmem_init - set up a page set of device memory, not present
 * @mem: page set, zeroed, with its lock initialised; the source embeds it
 * @source: operations of the source, with the devmem flag
 * @addr: address, or offset in the buffer, of the first byte
 * @length: bytes in the set, not 0
 * @writable: devices may write
 * @gfp: how windows may allocate while @mem is locked
 */
void iofd_devmem_init(struct iofd_devmem *mem,
		      const struct iofd_pages_source *source,
		      unsigned long addr, unsigned long length, bool writable,
		      gfp_t gfp)
{
	iofd_pages_init(&mem->pages, source, addr, length, writable, NULL);
	mem->pages.prot = IOMMU_MMIO;
	mem->windows = RB_ROOT;
	mem->gfp = gfp;
}

/**
 * iofd_devmem_fini - undo iofd_devmem_init()
 * @mem: page set without windows, which nobody revokes any more
 */
void iofd_devmem_fini(struct iofd_devmem *mem)
{
	WARN_ON(!RB_EMPTY_ROOT(&mem->windows));
	kvfree(mem->runs);
	mutex_destroy(&mem->lock);
}

static struct iofd_devmem_window *window_of(struct rb_node *rb)
{
	return rb ? rb_entry(rb, struct iofd_devmem_window, rb) : NULL;
}

static int compare_keys(const void *domain_a, unsigned long first_a,
			const void *domain_b, unsigned long first_b)
{
	if (domain_a != domain_b)
		return domain_a < domain_b ? -1 : 1;
	if (first_a != first_b)
		return first_a < first_b ? -1 : 1;
	return 0;
}

static int compare_windows(struct rb_node *a, const struct rb_node *b)
{
	struct iofd_devmem_window *window = window_of(a);
	const struct iofd_devmem_window *other =
		rb_entry(b, struct iofd_devmem_window, rb);

	return compare_keys(window->domain, window->first, other->domain,
			    other->first);
}

static int load_window(struct iofd_devmem *mem,
		       struct iofd_devmem_window *window)
{
	int rc;

	rc = iofd_fault() ? -ENOMEM : window->ops->load(window, mem->gfp);
	if (!rc)
		window->loaded = true;
	return rc;
}

/* Return: was it loaded? */
static bool unload_window(struct iofd_devmem_window *window)
{
	if (!window->loaded)
		return false;
	window->loaded = false;
	window->ops->unload(window);
	return true;
}

/* With the lock dropped: make some memory free, as a waiting load would. */
static int reclaim(void)
{
	void *page = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);

	if (!page)
		return -ENOMEM;
	free_page((unsigned long)page);
	return 0;
}

/**
 * iofd_devmem_add - show device memory through a window
 * @mem: page set
 * @window: window, its key and operations set
 *
 * If the memory is revoked the window stays empty until it is back.
 *
 * Return: 0; what @window's load returns, then the window is not added.
 */
int iofd_devmem_add(struct iofd_devmem *mem, struct iofd_devmem_window *window)
{
	unsigned int tries = 0;
	int rc;

	window->loaded = false;
	do {
		mutex_lock(&mem->lock);
		rc = mem->runs ? load_window(mem, window) : 0;
		if (!rc)
			WARN_ON(rb_find_add(&window->rb, &mem->windows,
					    compare_windows));
		mutex_unlock(&mem->lock);
	} while (rc == -ENOMEM && !gfpflags_allow_blocking(mem->gfp) &&
		 ++tries < LOAD_TRIES && !reclaim());
	return rc;
}

/**
 * iofd_devmem_remove - undo iofd_devmem_add()
 * @mem: page set
 * @domain: key of the window
 * @first: key of the window
 *
 * Return: the window, out of its domain and flushed, the caller's again; NULL,
 * with a warning, if there is none.
 */
struct iofd_devmem_window *iofd_devmem_remove(struct iofd_devmem *mem,
					      const void *domain,
					      unsigned long first)
{
	struct iofd_devmem_window *window;
	int order;

	mutex_lock(&mem->lock);
	window = window_of(mem->windows.rb_node);
	while (window) {
		order = compare_keys(domain, first, window->domain,
				     window->first);
		if (!order)
			break;
		window = window_of(order < 0 ? window->rb.rb_left :
					       window->rb.rb_right);
	}
	if (!WARN_ON(!window)) {
		unload_window(window);
		rb_erase(&window->rb, &mem->windows);
	}
	mutex_unlock(&mem->lock);
	return window;
}

/**
 * iofd_devmem_revoke_locked - take the memory out of every domain
 * @mem: page set; its lock is held
 *
 * When this returns no device reaches the memory through this set any more.
 */
void iofd_devmem_revoke_locked(struct iofd_devmem *mem)
{
	bool present = mem->runs;
	unsigned int windows = 0;
	struct rb_node *rb;

	lockdep_assert_held(&mem->lock);

	for (rb = rb_first(&mem->windows); rb; rb = rb_next(rb))
		windows += unload_window(window_of(rb));
	kvfree(mem->runs);
	mem->runs = NULL;
	mem->nr_runs = 0;
	if (present)
		trace_iommufd_revoke(mem->pages.source->name, mem->pages.addr,
				     mem->pages.length, windows);
}

/**
 * iofd_devmem_restore_locked - the memory is there, or is there again
 * @mem: page set that is not present; its lock is held
 * @runs: where it is; from kvmalloc, the set's on success
 * @nr_runs: length of @runs
 *
 * Return: 0 with every window loaded; what a window's load returned, with none
 * loaded and the set not present.
 */
int iofd_devmem_restore_locked(struct iofd_devmem *mem, struct iofd_run *runs,
			       unsigned long nr_runs)
{
	unsigned int windows = 0;
	struct rb_node *rb;
	int rc = 0;

	lockdep_assert_held(&mem->lock);
	iofd_check(!mem->runs && nr_runs && !runs[0].first &&
		   runs[nr_runs - 1].last == iofd_pages_nr(&mem->pages) - 1);

	mem->runs = runs;
	mem->nr_runs = nr_runs;
	for (rb = rb_first(&mem->windows); rb; rb = rb_next(rb)) {
		rc = load_window(mem, window_of(rb));
		if (rc) {
			mem->runs = NULL;
			iofd_devmem_revoke_locked(mem);
			break;
		}
		windows++;
	}
	trace_iommufd_restore(mem->pages.source->name, mem->pages.addr,
			      mem->pages.length, windows, rc);
	return rc;
}

/* The first run that reaches @index. */
static unsigned long first_run(const struct iofd_devmem *mem,
			       unsigned long index)
{
	unsigned long low = 0, high = mem->nr_runs - 1, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (mem->runs[middle].last < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/**
 * iofd_devmem_walk_locked - call a function for each run of a slice
 * @mem: page set that is present; its lock is held
 * @index: the slice
 * @fn: called in ascending order; a non-zero value ends the walk
 * @arg: passed to @fn
 *
 * Return: 0 or what @fn returned.
 */
int iofd_devmem_walk_locked(struct iofd_devmem *mem, struct iofd_range index,
			    iofd_run_fn fn, void *arg)
{
	unsigned long i;
	int rc = 0;

	lockdep_assert_held(&mem->lock);

	for (i = first_run(mem, index.first);
	     !rc && i < mem->nr_runs && mem->runs[i].first <= index.last; i++) {
		struct iofd_run run = mem->runs[i];

		if (run.first < index.first) {
			run.pfn += index.first - run.first;
			run.first = index.first;
		}
		run.last = min(run.last, index.last);
		rc = fn(&run, arg);
	}
	return rc;
}
