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
 *
 * Most page sets are pinned by one charge and unpinned at once, so a tab has room
 * for no more than that: one pool, one reference.  A second charge makes it a
 * list of shares, which is there until everything has been returned.
 */
#include <linux/cgroup_dmem.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "base/check.h"
#include "memory/cgroup.h"

/**
 * struct iofd_cgroup_share - what one cgroup has paid
 * @next: share of another cgroup
 * @pool: the cgroup's pool of our region; NULL: unused
 * @pages: pages that are charged to @pool
 * @refs: references on @pool, at least one; each charge brings one, each return
 *        takes one away
 *
 * The first in a list was the first to pay; it may be unused.
 */
struct iofd_cgroup_share {
	struct iofd_cgroup_share *next;
	struct dmem_cgroup_pool_state *pool;
	unsigned long pages;
	unsigned long refs;
};

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

/* The shares, if there is a list of them. */
static struct iofd_cgroup_share *shares_of(const struct iofd_cgroup_tab *tab)
{
	return xa_pointer_tag(tab->who) ? xa_untag_pointer(tab->who) : NULL;
}

static void set_shares(struct iofd_cgroup_tab *tab,
		       struct iofd_cgroup_share *first)
{
	tab->who = xa_tag_pointer(first, 1);
}

/* From one charge to a list of one. */
static struct iofd_cgroup_share *make_list(struct iofd_cgroup_tab *tab)
{
	struct iofd_cgroup_share *first;

	first = kzalloc_obj(*first, GFP_KERNEL_ACCOUNT);
	if (!first)
		return NULL;
	first->pool = tab->who;
	first->pages = tab->paid;
	first->refs = 1;
	set_shares(tab, first);
	return first;
}

/* The share of a pool, or one that is unused. */
static struct iofd_cgroup_share *
find_share(struct iofd_cgroup_tab *tab, struct dmem_cgroup_pool_state *pool)
{
	struct iofd_cgroup_share *first = shares_of(tab), *share;

	if (!first)
		first = make_list(tab);
	for (share = first; share; share = share->next)
		if (share->pool == pool)
			return share;
	if (!first || !first->pool)
		return first;

	share = kzalloc_obj(*share, GFP_KERNEL_ACCOUNT);
	if (!share)
		return NULL;
	share->next = first->next;
	first->next = share;
	return share;
}

static int add_charge(struct iofd_cgroup_tab *tab,
		      struct dmem_cgroup_pool_state *pool, unsigned long npages)
{
	struct iofd_cgroup_share *share;

	if (!tab->who) {
		tab->who = pool;
	} else {
		share = find_share(tab, pool);
		if (!share)
			return -ENOMEM;
		share->pool = pool;
		share->pages += npages;
		share->refs++;
	}
	tab->paid += npages;
	return 0;
}

/**
 * iofd_cgroup_charge - charge the calling task's cgroup
 * @tab: where it is remembered
 * @used: number of pages that are to be in use, not zero; what the tab has no
 *        charge for is charged
 *
 * Return: 0; -EDQUOT the cgroup's limit, or that of a cgroup above it, would be
 * exceeded; -ENOMEM.
 */
int iofd_cgroup_charge(struct iofd_cgroup_tab *tab, unsigned long used)
{
	struct dmem_cgroup_pool_state *pool;
	unsigned long missing;
	int rc;

	if (!region || used <= tab->paid)
		return 0;
	missing = used - tab->paid;
	rc = dmem_cgroup_try_charge(region, to_bytes(missing), &pool, NULL);
	if (rc)
		return rc == -EAGAIN ? -EDQUOT : -ENOMEM;
	rc = add_charge(tab, pool, missing);
	if (rc)
		dmem_cgroup_uncharge(pool, to_bytes(missing));
	return rc;
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

/* Those who came later, and paid for others, first. */
static unsigned long give_back_shares(struct iofd_cgroup_share *first,
				      unsigned long npages)
{
	struct iofd_cgroup_share **link = &first->next, *share;
	unsigned long spare = npages;

	while (spare && (share = *link)) {
		spare -= give_back(share, min(spare, share->pages));
		if (share->pages) {
			link = &share->next;
		} else {
			*link = share->next;
			kfree(share);
		}
	}
	if (spare && first->pool)
		spare -= give_back(first, min(spare, first->pages));
	return npages - spare;
}

/**
 * iofd_cgroup_uncharge - return a charge
 * @tab: where it was remembered
 * @used: number of pages that still are in use; the rest is returned
 *
 * May be called by any task.
 */
void iofd_cgroup_uncharge(struct iofd_cgroup_tab *tab, unsigned long used)
{
	struct iofd_cgroup_share *first = shares_of(tab);
	unsigned long spare = tab->paid - used;

	if (!region || !spare)
		return;
	iofd_check(used < tab->paid);
	if (first) {
		tab->paid -= give_back_shares(first, spare);
	} else {
		struct iofd_cgroup_share only = {
			.pool = tab->who,
			.pages = tab->paid,
			.refs = 1,
		};

		tab->paid -= give_back(&only, spare);
	}
	if (!tab->paid) {
		tab->who = NULL;
		kfree(first);
	}
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
	const struct iofd_cgroup_share *first = shares_of(tab);
	struct dmem_cgroup_pool_state *pool;

	if (!tab->who)
		return true;
	if (first && first->next)
		return false;
	if (dmem_cgroup_try_charge(region, 0, &pool, NULL))
		return false;
	dmem_cgroup_pool_state_put(pool);
	return pool == (first ? first->pool : tab->who);
}
