// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: domains of an address space
 *
 * join: check the page size, raise the alignment, reserve what lies outside of
 * the domain's aperture, then hold and load every area.  leave: the same list
 * backwards.  Both take the domains lock for write, so they see every area that
 * was mapped before, none that was unmapped, and no area half way.
 *
 * The first domain to join pins all memory of the address space, the last one
 * to leave unpins it; a further domain only loads what is pinned already.
 */
#include "base/check.h"
#include "space/area.h"
#include "space/aspace.h"
#include "space/dirty.h"
#include "space/paging.h"

static struct iofd_iova_node *first_area(struct iofd_aspace *aspace)
{
	return iofd_iova_used_first(&aspace->iova, IOFD_RANGE_ALL);
}

static struct iofd_iova_node *next_area(struct iofd_iova_node *node)
{
	return iofd_iova_used_next(node, IOFD_RANGE_ALL);
}

/*
 * Take all areas below @end (NULL: all) out of a domain, flush, and release
 * them if no domain is left to need them.
 */
static void unload_all(struct iofd_aspace *aspace, struct iofd_member *member,
		       struct iofd_iova_node *end)
{
	struct iommu_iotlb_gather gather;
	struct iofd_iova_node *node;
	bool any = false;

	lockdep_assert_held_write(&aspace->domains_rwsem);

	iommu_iotlb_gather_init(&gather);
	for (node = first_area(aspace); node != end; node = next_area(node)) {
		iofd_area_unload(aspace, iofd_area_of(node), member, &gather);
		any = true;
	}
	if (!any)
		return;
	iofd_paging_sync(member->domain, &gather);

	if (aspace->ndomains)
		return;
	for (node = first_area(aspace); node != end; node = next_area(node))
		iofd_area_release(iofd_area_of(node));
}

static int load_all(struct iofd_aspace *aspace, struct iofd_member *member)
{
	struct iofd_iova_node *node;
	struct iofd_area *area;
	int rc;

	for (node = first_area(aspace); node; node = next_area(node)) {
		area = iofd_area_of(node);
		iofd_check(area->state == IOFD_AREA_LIVE ||
			   area->state == IOFD_AREA_CLOSING);
		if (!aspace->ndomains) {
			rc = iofd_area_hold(area);
			if (rc)
				goto err_unload;
		}
		rc = iofd_area_load(aspace, area, member);
		if (rc) {
			if (!aspace->ndomains)
				iofd_area_release(area);
			goto err_unload;
		}
	}
	return 0;

err_unload:
	unload_all(aspace, member, node);
	return rc;
}

/* Reserve what the domain cannot translate. */
static int reserve_outside(struct iofd_iova *iova,
			   const struct iommu_domain_geometry *geometry,
			   const void *owner)
{
	int rc;

	if (geometry->aperture_start) {
		rc = iofd_iova_reserve(iova, (struct iofd_range){
			0, geometry->aperture_start - 1 }, owner);
		if (rc)
			return rc;
	}
	if (geometry->aperture_end < ULONG_MAX)
		return iofd_iova_reserve(iova, (struct iofd_range){
			geometry->aperture_end + 1, ULONG_MAX }, owner);
	return 0;
}

/* Make the table fit the domain; undone by restrict_undo(). */
static int restrict_table(struct iofd_aspace *aspace,
			  struct iofd_member *member)
{
	unsigned long alignment = 1UL << __ffs(member->domain->pgsize_bitmap);
	int rc;

	if (alignment > PAGE_SIZE) {
		pr_info_ratelimited("iommufd: the smallest page of the IOMMU is %lu bytes, above the CPU's %lu; its page tables cannot be used\n",
				    alignment, PAGE_SIZE);
		return -EINVAL;
	}

	down_write(&aspace->iova_rwsem);
	rc = iofd_aspace_raise_alignment_locked(aspace, alignment);
	if (!rc)
		rc = reserve_outside(&aspace->iova, &member->domain->geometry,
				     member);
	if (rc) {
		iofd_iova_unreserve(&aspace->iova, member);
		iofd_aspace_update_alignment_locked(aspace);
	}
	up_write(&aspace->iova_rwsem);
	return rc;
}

static void restrict_undo(struct iofd_aspace *aspace,
			  struct iofd_member *member)
{
	down_write(&aspace->iova_rwsem);
	iofd_iova_unreserve(&aspace->iova, member);
	iofd_aspace_update_alignment_locked(aspace);
	up_write(&aspace->iova_rwsem);
}

/**
 * iofd_aspace_join - make a domain hold all areas, now and from now on
 * @aspace: address space
 * @member: with an empty domain set
 *
 * Return: 0; -EINVAL if the domain's smallest page is larger than PAGE_SIZE;
 * -EADDRINUSE if areas or allowed ranges do not fit the domain's page size or
 * aperture; what iofd_pages_hold() and iommu_map() return.  On failure the
 * domain is empty and nothing has changed.
 */
int iofd_aspace_join(struct iofd_aspace *aspace, struct iofd_member *member)
{
	int rc;

	down_write(&aspace->domains_rwsem);
	rc = restrict_table(aspace, member);
	if (rc)
		goto out;
	rc = load_all(aspace, member);
	if (rc) {
		restrict_undo(aspace, member);
		goto out;
	}
	iofd_dirty_join(aspace, member);
	list_add_tail(&member->link, &aspace->domains);
	WRITE_ONCE(aspace->ndomains, aspace->ndomains + 1);
out:
	up_write(&aspace->domains_rwsem);
	return rc;
}

/**
 * iofd_aspace_leave - undo iofd_aspace_join()
 * @aspace: address space
 * @member: its domain is empty afterwards
 */
void iofd_aspace_leave(struct iofd_aspace *aspace, struct iofd_member *member)
{
	down_write(&aspace->domains_rwsem);
	/* What devices wrote through it, nobody knows any more. */
	iofd_dirty_lose(aspace);
	list_del(&member->link);
	WRITE_ONCE(aspace->ndomains, aspace->ndomains - 1);
	unload_all(aspace, member, NULL);
	restrict_undo(aspace, member);
	up_write(&aspace->domains_rwsem);
}

/**
 * iofd_aspace_huge_pages - may large IOPTEs be used?
 * @aspace: address space
 *
 * Return: true if so.
 */
bool iofd_aspace_huge_pages(struct iofd_aspace *aspace)
{
	bool huge_pages;

	down_read(&aspace->domains_rwsem);
	huge_pages = aspace->huge_pages;
	up_read(&aspace->domains_rwsem);
	return huge_pages;
}

/**
 * iofd_aspace_set_huge_pages - allow or forbid large IOPTEs
 * @aspace: address space
 * @enable: allow; forbidding makes every page its own IOPTE
 *
 * Return: 0; -EINVAL to forbid while domains already hold areas; -EADDRINUSE to
 * forbid while an area is not PAGE_SIZE aligned.
 */
int iofd_aspace_set_huge_pages(struct iofd_aspace *aspace, bool enable)
{
	int rc = 0;

	down_write(&aspace->domains_rwsem);
	down_write(&aspace->iova_rwsem);
	if (enable == aspace->huge_pages)
		goto out;
	if (!enable) {
		if (aspace->ndomains &&
		    !iofd_iova_used_empty(&aspace->iova)) {
			rc = -EINVAL;
			goto out;
		}
		rc = iofd_aspace_raise_alignment_locked(aspace, PAGE_SIZE);
		if (rc)
			goto out;
	}
	aspace->huge_pages = enable;
	iofd_aspace_update_alignment_locked(aspace);
out:
	up_write(&aspace->iova_rwsem);
	up_write(&aspace->domains_rwsem);
	return rc;
}
