/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pinned pages in the dmem controller: region "iommufd/pinned".
 *
 * On top of whatever RLIMIT_MEMLOCK says, each page is charged to the cgroup of
 * the task whose call pins it, before it is pinned.  A tab remembers which
 * cgroups were charged for one page set, so that each gets back what it paid.
 *
 * Locking: a tab has none; its page set's lock does.  All of it may sleep.
 */
#ifndef IOFD_MEMORY_CGROUP_H
#define IOFD_MEMORY_CGROUP_H

#include <linux/types.h>

struct dmem_cgroup_pool_state;

/**
 * struct iofd_cgroup_share - what one cgroup has paid
 * @next: share of another cgroup
 * @pool: the cgroup's pool of our region; NULL: unused
 * @pages: pages that are charged to @pool
 * @refs: references on @pool, at least one; each charge brings one, each return
 *        takes one away
 */
struct iofd_cgroup_share {
	struct iofd_cgroup_share *next;
	struct dmem_cgroup_pool_state *pool;
	unsigned long pages;
	unsigned long refs;
};

/**
 * struct iofd_cgroup_tab - what cgroups have paid for one page set
 * @share: the first to pay; others follow if tasks of several cgroups pin
 * @used: pages that are in use; never more than the shares have paid together
 *
 * Zeroed memory is an empty tab.
 */
struct iofd_cgroup_tab {
	struct iofd_cgroup_share share;
	unsigned long used;
};

int iofd_cgroup_init(void);
void iofd_cgroup_exit(void);
int iofd_cgroup_charge(struct iofd_cgroup_tab *tab, unsigned long npages);
void iofd_cgroup_uncharge(struct iofd_cgroup_tab *tab, unsigned long npages);
bool iofd_cgroup_is_callers(const struct iofd_cgroup_tab *tab);

#endif
