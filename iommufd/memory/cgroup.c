// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the cgroup that pays
 *
 * The dmem controller charges the calling task's cgroup, and no other: there is
 * no way to name the one that is to pay.  So it is the cgroup of the task whose
 * call pins: of the mapper's own, as a rule, since the mapper maps, attaches and
 * runs the device itself, and threads, children and what follows an exec are in
 * its cgroup too.  If a task of another cgroup makes memory be pinned that a
 * mapper has only mapped, that task's cgroup pays until the memory is unpinned.
 * (To charge at the time of mapping instead would make a cgroup pay for memory
 * that may never be pinned, in any amount that fits an address space.)
 *
 * A successful charge comes with a reference on the cgroup's pool, and a return
 * takes one away, whatever the number of pages.  A charge may come back in
 * pieces, so::
 *
 *     charge   the cgroup has paid already: the references add up
 *     return   everything: with it go all references
 *              a piece: costs a reference, if there is one to spare; else a
 *              charge of nothing brings one, which works for a task of the same
 *              cgroup.  For another the piece is kept, to be used by what is
 *              pinned next in the same page set, and goes with the rest
 *
 * Thus no more is pinned than charged, a cgroup gets back all that it paid, and
 * while nothing of a page set is pinned nothing is charged for it.
 */
#include <linux/cgroup_dmem.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "base/check.h"
#include "memory/cgroup.h"

/* NULL in a kernel without CONFIG_CGROUP_DMEM: nothing is charged. */
static struct dmem_cgroup_region *region;

/**
 * iofd_cgroup_init - make the region known
 *
 * Its capacity, which is only for show, is the size of memory.
 *
 * Return: 0; -ENOMEM.
 */
int iofd_cgroup_init(void)
{
	struct dmem_cgroup_region *new;

	new = dmem_cgroup_register_region((u64)totalram_pages() << PAGE_SHIFT,
					  "iommufd/pinned");
	if (IS_ERR(new))
		return PTR_ERR(new);
	region = new;
	return 0;
}

/**
 * iofd_cgroup_exit - undo iofd_cgroup_init()
 *
 * No page set exists any more.
 */
void iofd_cgroup_exit(void)
{
	dmem_cgroup_unregister_region(region);
	region = NULL;
}

static u64 to_bytes(unsigned long npages)
{
	return (u64)npages << PAGE_SHIFT;
}

static unsigned long paid(const struct iofd_cgroup_tab *tab)
{
	const struct iofd_cgroup_share *share;
	unsigned long npages = 0;

	for (share = &tab->share; share; share = share->next)
		npages += share->pages;
	return npages;
}

/* The share of a pool, or one that is unused. */
static struct iofd_cgroup_share *
find_share(struct iofd_cgroup_tab *tab, struct dmem_cgroup_pool_state *pool)
{
	struct iofd_cgroup_share *share;

	for (share = &tab->share; share; share = share->next)
		if (share->pool == pool)
			return share;
	if (!tab->share.pool)
		return &tab->share;

	share = kzalloc_obj(*share, GFP_KERNEL_ACCOUNT);
	if (!share)
		return NULL;
	share->next = tab->share.next;
	tab->share.next = share;
	return share;
}

/**
 * iofd_cgroup_charge - charge the calling task's cgroup
 * @tab: where it is remembered
 * @npages: number of pages, not zero
 *
 * Return: 0; -EDQUOT the cgroup's limit, or that of a cgroup above it, would be
 * exceeded; -ENOMEM.
 */
int iofd_cgroup_charge(struct iofd_cgroup_tab *tab, unsigned long npages)
{
	unsigned long spare = paid(tab) - tab->used;
	unsigned long missing = npages > spare ? npages - spare : 0;
	struct dmem_cgroup_pool_state *pool;
	struct iofd_cgroup_share *share;
	int rc;

	if (!region)
		return 0;
	if (missing) {
		rc = dmem_cgroup_try_charge(region, to_bytes(missing), &pool,
					    NULL);
		if (rc)
			return rc == -EAGAIN ? -EDQUOT : -ENOMEM;
		share = find_share(tab, pool);
		if (!share) {
			dmem_cgroup_uncharge(pool, to_bytes(missing));
			return -ENOMEM;
		}
		share->pool = pool;
		share->pages += missing;
		share->refs++;
	}
	tab->used += npages;
	return 0;
}

/* Get one more reference, if the caller is in the cgroup of @share. */
static bool more_refs(struct iofd_cgroup_share *share)
{
	struct dmem_cgroup_pool_state *pool;

	if (dmem_cgroup_try_charge(region, 0, &pool, NULL))
		return false;
	if (pool != share->pool) {
		dmem_cgroup_pool_state_put(pool);
		return false;
	}
	share->refs++;
	return true;
}

/* Give @npages of a share back, or keep them: returns how many went. */
static unsigned long give_back(struct iofd_cgroup_share *share,
			       unsigned long npages)
{
	if (npages < share->pages) {
		if (share->refs == 1 && !more_refs(share))
			return 0;
	} else {
		for (; share->refs > 1; share->refs--)
			dmem_cgroup_pool_state_put(share->pool);
	}
	dmem_cgroup_uncharge(share->pool, to_bytes(npages));
	share->pages -= npages;
	share->refs--;
	if (!share->pages)
		share->pool = NULL;
	return npages;
}

/**
 * iofd_cgroup_uncharge - return a charge
 * @tab: where it was remembered
 * @npages: number of pages, not zero and not more than are charged
 *
 * May be called by any task.
 */
void iofd_cgroup_uncharge(struct iofd_cgroup_tab *tab, unsigned long npages)
{
	struct iofd_cgroup_share **link = &tab->share.next, *share;
	unsigned long spare;

	if (!region)
		return;
	iofd_check(npages <= tab->used);
	tab->used -= npages;
	spare = paid(tab) - tab->used;

	/* Those who came later, and paid for others, first. */
	while (spare && (share = *link)) {
		spare -= give_back(share, min(spare, share->pages));
		if (share->pages) {
			link = &share->next;
		} else {
			*link = share->next;
			kfree(share);
		}
	}
	if (tab->share.pool && spare)
		give_back(&tab->share, min(spare, tab->share.pages));
}

/**
 * iofd_cgroup_is_callers - has the calling task's cgroup paid for all of it?
 * @tab: tab
 *
 * Return: true if so, and if nothing has been paid; false if another cgroup has
 * paid, or if there is no memory to find out.
 */
bool iofd_cgroup_is_callers(const struct iofd_cgroup_tab *tab)
{
	struct dmem_cgroup_pool_state *pool;

	if (!region || !tab->share.pool)
		return !tab->share.next;
	if (dmem_cgroup_try_charge(region, 0, &pool, NULL))
		return false;
	dmem_cgroup_pool_state_put(pool);
	return pool == tab->share.pool && !tab->share.next;
}
