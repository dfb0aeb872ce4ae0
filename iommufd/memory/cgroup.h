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

/**
 * struct iofd_cgroup_tab - what cgroups have paid for one page set
 * @who: the one pool that was charged, at once, most often; else, tagged, a list
 *       of shares; private to cgroup.c
 * @paid: pages that are charged, to all together
 *
 * Zeroed memory is an empty tab; one that nothing is charged to is empty.
 */
struct iofd_cgroup_tab {
	void *who;
	unsigned long paid;
};

int iofd_cgroup_init(void);
void iofd_cgroup_exit(void);
int iofd_cgroup_charge(struct iofd_cgroup_tab *tab, unsigned long used);
void iofd_cgroup_uncharge(struct iofd_cgroup_tab *tab, unsigned long used);
bool iofd_cgroup_is_callers(const struct iofd_cgroup_tab *tab);

#endif
