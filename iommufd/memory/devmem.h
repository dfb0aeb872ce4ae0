/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device memory as a source: what dma-bufs and PFN-mapped VMAs have in common.
 *
 * Device memory has no struct pages to pin: it may be used until its owner
 * takes it away.  So a page set of device memory knows every window that shows
 * it in a domain, and revoking takes it out of all of them, from below, without
 * a lock of an address space.  It is never charged.
 *
 *            prepare                 revoke                  restore
 *   (none) ----------> PRESENT -----------------> REVOKED -----------> PRESENT
 *
 *                      PRESENT                    REVOKED
 *   runs               valid                      none
 *   windows            loaded                     known, not loaded
 */
#ifndef IOFD_MEMORY_DEVMEM_H
#define IOFD_MEMORY_DEVMEM_H

#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/types.h>

#include "memory/pages.h"

struct iofd_devmem_window;

/**
 * struct iofd_devmem_ops - what the owner of a window does for its page set
 * @load: enter the window into its domain, all of it or nothing; called under
 *        the set's lock with the set present.  May sleep only as far as @gfp
 *        allows
 * @unload: take it out and flush; called under the set's lock, must not
 *          allocate and cannot fail
 */
struct iofd_devmem_ops {
	int (*load)(struct iofd_devmem_window *window, gfp_t gfp);
	void (*unload)(struct iofd_devmem_window *window);
};

/**
 * struct iofd_devmem_window - one window onto device memory, in one domain
 * @rb: link in the set's tree
 * @ops: what can be done with it
 * @domain: with @first the key: no window is twice in a domain
 * @first: first IOVA
 * @loaded: it is in its domain
 */
struct iofd_devmem_window {
	struct rb_node rb;
	const struct iofd_devmem_ops *ops;
	const void *domain;
	unsigned long first;
	bool loaded;
};

/**
 * struct iofd_devmem - a page set of device memory
 * @pages: the page set; its source has the devmem flag
 * @lock: guards what follows; initialised by the source, so that each source
 *        has a lock class of its own, since what their owners hold when they
 *        revoke differs.  Inside the locks of address spaces; nothing of this
 *        driver is inside it
 * @gfp: how windows may allocate under @lock when they load
 * @windows: all windows, loaded or not
 * @runs: where the memory is, ascending and without gaps over all indices;
 *        from kvmalloc; NULL if it is not present
 * @nr_runs: length of @runs
 */
struct iofd_devmem {
	struct iofd_pages pages;
	struct mutex lock; /* guards the next members */
	gfp_t gfp;
	struct rb_root windows;
	struct iofd_run *runs;
	unsigned long nr_runs;
};

static inline struct iofd_devmem *iofd_devmem_of(struct iofd_pages *pages)
{
	return container_of(pages, struct iofd_devmem, pages);
}

void iofd_devmem_init(struct iofd_devmem *mem,
		      const struct iofd_pages_source *source,
		      unsigned long addr, unsigned long length, bool writable,
		      gfp_t gfp);
void iofd_devmem_fini(struct iofd_devmem *mem);

/* For the sources. */
int iofd_devmem_restore_locked(struct iofd_devmem *mem, struct iofd_run *runs,
			       unsigned long nr_runs);
void iofd_devmem_revoke_locked(struct iofd_devmem *mem);

/* For who owns windows. */
int iofd_devmem_add(struct iofd_devmem *mem, struct iofd_devmem_window *window);
struct iofd_devmem_window *iofd_devmem_remove(struct iofd_devmem *mem,
					      const void *domain,
					      unsigned long first);
int iofd_devmem_walk_locked(struct iofd_devmem *mem, struct iofd_range index,
			    iofd_run_fn fn, void *arg);

#endif
