// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: I/O address spaces
 *
 * An address space is a table of areas, what restricts where they may lie, and
 * the list of domains that all hold every area.  map.c brings areas in and out,
 * domains.c brings domains in and out; here is what both stand on: life,
 * reserved and allowed ranges, and the alignment.
 *
 * The alignment is the largest of: the smallest page of each domain, what each
 * in-kernel user demands, PAGE_SIZE if large IOPTEs are off, and 1.  It may
 * rise only if every area that exists keeps the higher one.
 */
#include "base/check.h"
#include "space/area.h"
#include "space/aspace.h"

/**
 * iofd_aspace_init - set up an address space without anything in it
 * @aspace: address space, zeroed
 * @context: number of its context, for traces
 * @id: of its IOAS, for traces
 */
void iofd_aspace_init(struct iofd_aspace *aspace, u64 context, u32 id)
{
	aspace->context = context;
	aspace->id = id;
	init_rwsem(&aspace->domains_rwsem);
	INIT_LIST_HEAD(&aspace->domains);
	init_rwsem(&aspace->iova_rwsem);
	iofd_iova_init(&aspace->iova);
	INIT_LIST_HEAD(&aspace->users);
	init_waitqueue_head(&aspace->idle);
	aspace->huge_pages = true;
}

/**
 * iofd_aspace_fini - remove all mappings and everything else
 * @aspace: address space without domains and users, used by nobody else
 */
void iofd_aspace_fini(struct iofd_aspace *aspace)
{
	unsigned long unmapped;

	WARN_ON(aspace->ndomains || aspace->nusers);
	WARN_ON(iofd_aspace_unmap(aspace, IOFD_RANGE_ALL, &unmapped));
	iofd_iova_fini(&aspace->iova);
}

/**
 * iofd_aspace_look - a look at an address space as a whole
 * @aspace: address space
 * @info: out: what it is like at this moment
 */
void iofd_aspace_look(struct iofd_aspace *aspace, struct iofd_aspace_info *info)
{
	struct iofd_member *member;

	down_read(&aspace->domains_rwsem);
	down_read(&aspace->iova_rwsem);
	*info = (struct iofd_aspace_info){
		.pgsizes = ULONG_MAX,
		.alignment = aspace->iova.alignment,
		.coherent = true,
		.huge_pages = aspace->huge_pages,
		.nareas = aspace->nareas,
		.norphans = aspace->norphans,
		.nusers = aspace->nusers,
	};
	list_for_each_entry(member, &aspace->domains, link) {
		info->pgsizes &= member->domain->pgsize_bitmap;
		info->coherent &= member->coherent;
	}
	up_read(&aspace->iova_rwsem);
	up_read(&aspace->domains_rwsem);
}

/**
 * iofd_aspace_sums - how large an address space is
 * @aspace: address space
 * @sums: out: each right at some moment, not all at the same
 *
 * Context: any; takes no lock, so who holds one does not keep anybody from
 * looking.
 */
void iofd_aspace_sums(const struct iofd_aspace *aspace,
		      struct iofd_aspace_sums *sums)
{
	unsigned int domains = READ_ONCE(aspace->ndomains);

	*sums = (struct iofd_aspace_sums){
		.areas = READ_ONCE(aspace->nareas),
		.mapped = READ_ONCE(aspace->mapped),
		/* All areas are held if there is a domain, none if not. */
		.pinned = domains ? READ_ONCE(aspace->pinnable) : 0,
		.domains = domains,
		.users = READ_ONCE(aspace->nusers),
	};
}

static const char *const state_names[] = {
	[IOFD_AREA_NEW] = "new",
	[IOFD_AREA_RESERVED] = "reserved",
	[IOFD_AREA_LIVE] = "live",
	[IOFD_AREA_CLOSING] = "closing",
	[IOFD_AREA_UNLOADING] = "unloading",
};

/**
 * iofd_aspace_look_area - the first area that ends at or above an IOVA
 * @aspace: address space
 * @from: IOVA
 * @look: out: what it is like at this moment, if there is one
 *
 * Return: 1; 0 if there is none; -EINTR a fatal signal came while somebody
 * held the table.
 */
int iofd_aspace_look_area(struct iofd_aspace *aspace, unsigned long from,
			  struct iofd_area_look *look)
{
	struct iofd_iova_node *node;
	struct iofd_area *area;

	if (down_read_killable(&aspace->iova_rwsem))
		return -EINTR;
	node = iofd_iova_used_first(&aspace->iova,
				    (struct iofd_range){ from, ULONG_MAX });
	area = iofd_area_of(node);
	if (area)
		*look = (struct iofd_area_look){
			.range = area->node.range,
			.state = state_names[area->state],
			.backing = area->pages->source->name,
			.addr = area->pages->addr + area->byte,
			.prot = area->prot,
			.pins = atomic_read(&area->pins),
			.orphan = area->orphan,
		};
	up_read(&aspace->iova_rwsem);
	return area ? 1 : 0;
}

/**
 * iofd_aspace_check_new - is there room for one more area?
 * @aspace: address space
 * @range: where it is to be
 * @limit: most areas there may be
 *
 * Return: 0; -EEXIST an area is in the way; -ENOSPC there are @limit already.
 */
int iofd_aspace_check_new(struct iofd_aspace *aspace, struct iofd_range range,
			  unsigned int limit)
{
	int rc = 0;

	down_read(&aspace->iova_rwsem);
	if (iofd_iova_used_first(&aspace->iova, range))
		rc = -EEXIST;
	else if (aspace->nareas >= limit)
		rc = -ENOSPC;
	up_read(&aspace->iova_rwsem);
	return rc;
}

/* The first area that meets a range, as a value. */
static bool next_area(struct iofd_aspace *aspace, struct iofd_range range,
		      struct iofd_range *found)
{
	struct iofd_iova_node *node;

	down_read(&aspace->iova_rwsem);
	node = iofd_iova_used_first(&aspace->iova, range);
	if (node)
		*found = node->range;
	up_read(&aspace->iova_rwsem);
	return node;
}

/**
 * iofd_aspace_areas - call a function for each area that meets a range
 * @aspace: address space
 * @range: range
 * @fn: called in ascending order, with the whole area; may sleep and fault; an
 *      error ends the walk
 * @arg: passed to @fn
 *
 * No lock is held while @fn runs, so areas may come and go meanwhile, unless
 * the caller keeps them from it.
 *
 * Return: 0 or what @fn returned.
 */
int iofd_aspace_areas(struct iofd_aspace *aspace, struct iofd_range range,
		      int (*fn)(struct iofd_range area, void *arg), void *arg)
{
	struct iofd_range area;
	int rc;

	while (next_area(aspace, range, &area)) {
		rc = fn(area, arg);
		if (rc)
			return rc;
		if (area.last >= range.last)
			break;
		range.first = area.last + 1;
	}
	return 0;
}

/**
 * iofd_aspace_reserve - keep a range free of mappings
 * @aspace: address space
 * @range: range; may overlap other reserved ranges
 * @owner: handle for iofd_aspace_unreserve()
 *
 * Return: 0; -EADDRINUSE if a mapping or the allowed list is there; -ENOMEM.
 */
int iofd_aspace_reserve(struct iofd_aspace *aspace, struct iofd_range range,
			const void *owner)
{
	int rc;

	down_write(&aspace->iova_rwsem);
	rc = iofd_iova_reserve(&aspace->iova, range, owner);
	up_write(&aspace->iova_rwsem);
	return rc;
}

/**
 * iofd_aspace_unreserve - give back all ranges of an owner
 * @aspace: address space
 * @owner: handle that was given to reserve
 */
void iofd_aspace_unreserve(struct iofd_aspace *aspace, const void *owner)
{
	down_write(&aspace->iova_rwsem);
	iofd_iova_unreserve(&aspace->iova, owner);
	up_write(&aspace->iova_rwsem);
}

static int reserve_regions_locked(struct iofd_aspace *aspace,
				  struct device *dev, struct list_head *regions,
				  const void *owner,
				  struct iofd_msi_window *window)
{
	unsigned int hw_msi = 0, sw_msi = 0;
	struct iommu_resv_region *region;
	struct iofd_range range;
	int rc;

	list_for_each_entry(region, regions, list) {
		if (region->type == IOMMU_RESV_DIRECT_RELAXABLE)
			continue;
		if (region->type == IOMMU_RESV_MSI)
			hw_msi++;
		rc = iofd_range_from_length(&range, region->start,
					    region->length);
		if (rc == -EINVAL)	/* empty: nothing to keep free */
			continue;
		if (!rc && region->type == IOMMU_RESV_SW_MSI) {
			sw_msi++;
			window->range = range;
		}
		if (!rc)
			rc = iofd_iova_reserve_for(&aspace->iova, range, owner,
						   dev);
		if (rc) {
			if (rc == -EADDRINUSE)
				dev_info_ratelimited(dev, "iommufd: the device reserves IOVA 0x%llx-0x%llx, where the address space has a mapping or an allowed range\n",
						     (u64)region->start,
						     (u64)region->start +
							     region->length - 1);
			return rc;
		}
	}

	/* Which window would MSIs go through?  The IOMMU driver must decide. */
	if (WARN_ON((hw_msi && sw_msi) || sw_msi > 1))
		return -EINVAL;
	window->exists = sw_msi;
	return 0;
}

/**
 * iofd_aspace_reserve_device - keep free what a device must not use for DMA
 * @aspace: address space
 * @dev: device that is about to use the address space
 * @owner: handle for iofd_aspace_unreserve(), with nothing reserved here yet
 * @window: out: where software may place MSIs of the device
 *
 * Return: 0; -EADDRINUSE if a mapping or the allowed list is there; -EINVAL
 * with a warning for a device with contradictory MSI windows; -ENOMEM.
 */
int iofd_aspace_reserve_device(struct iofd_aspace *aspace, struct device *dev,
			       const void *owner,
			       struct iofd_msi_window *window)
{
	LIST_HEAD(regions);
	int rc;

	if (iofd_fault())
		return -ENOMEM;

	iommu_get_resv_regions(dev, &regions);
	down_write(&aspace->iova_rwsem);
	rc = reserve_regions_locked(aspace, dev, &regions, owner, window);
	if (rc)
		iofd_iova_unreserve(&aspace->iova, owner);
	up_write(&aspace->iova_rwsem);
	iommu_put_resv_regions(dev, &regions);
	return rc;
}

/**
 * iofd_aspace_allow - replace the list of ranges for automatic placement
 * @aspace: address space
 * @list: list built with iofd_iova_allowed_add(); empty afterwards
 *
 * Return: 0; -EADDRINUSE, with the old list in place, if an allowed range
 * meets a reserved one.
 */
int iofd_aspace_allow(struct iofd_aspace *aspace, struct rb_root_cached *list)
{
	int rc;

	down_write(&aspace->iova_rwsem);
	rc = iofd_iova_allowed_replace(&aspace->iova, list);
	up_write(&aspace->iova_rwsem);
	return rc;
}

/**
 * iofd_aspace_alignment - the alignment that mappings have to keep now
 * @aspace: address space
 *
 * Return: power of two, 1..PAGE_SIZE.
 */
unsigned long iofd_aspace_alignment(struct iofd_aspace *aspace)
{
	unsigned long alignment;

	down_read(&aspace->iova_rwsem);
	alignment = aspace->iova.alignment;
	up_read(&aspace->iova_rwsem);
	return alignment;
}

/**
 * iofd_aspace_usable - call a function for each range that is not reserved
 * @aspace: address space
 * @fn: called in ascending order, may sleep and fault; an error ends the walk
 * @arg: passed to @fn
 *
 * No lock is held while @fn runs, so the ranges are each right, but as a list
 * only as right as their user would find it a moment later.
 *
 * Return: 0 or what @fn returned.
 */
int iofd_aspace_usable(struct iofd_aspace *aspace,
		       int (*fn)(struct iofd_range range, void *arg), void *arg)
{
	struct iofd_range range;
	unsigned long from = 0;
	bool found;
	int rc;

	do {
		down_read(&aspace->iova_rwsem);
		found = iofd_iova_next_usable(&aspace->iova, from, &range);
		up_read(&aspace->iova_rwsem);
		if (!found)
			break;
		rc = fn(range, arg);
		if (rc)
			return rc;
		from = range.last + 1;
	} while (range.last != ULONG_MAX);
	return 0;
}

/**
 * iofd_aspace_update_alignment_locked - what the alignment has to be now
 * @aspace: address space; domains lock held, iova lock held for write
 */
void iofd_aspace_update_alignment_locked(struct iofd_aspace *aspace)
{
	unsigned long alignment = 1;
	struct iofd_aspace_user *user;
	struct iofd_member *member;

	lockdep_assert_held(&aspace->domains_rwsem);
	lockdep_assert_held_write(&aspace->iova_rwsem);

	list_for_each_entry(member, &aspace->domains, link)
		alignment = max(alignment,
				1UL << __ffs(member->domain->pgsize_bitmap));
	list_for_each_entry(user, &aspace->users, link)
		alignment = max(alignment, user->alignment);
	if (!aspace->huge_pages)
		alignment = max(alignment, PAGE_SIZE);
	aspace->iova.alignment = alignment;
}

/**
 * iofd_aspace_raise_alignment_locked - demand at least an alignment
 * @aspace: address space; iova lock held for write
 * @alignment: power of two up to PAGE_SIZE
 *
 * Return: 0; -EADDRINUSE, with nothing changed, if an area does not keep it.
 */
int iofd_aspace_raise_alignment_locked(struct iofd_aspace *aspace,
				       unsigned long alignment)
{
	struct iofd_iova_node *node;

	lockdep_assert_held_write(&aspace->iova_rwsem);

	if (alignment <= aspace->iova.alignment)
		return 0;
	for (node = iofd_iova_used_first(&aspace->iova, IOFD_RANGE_ALL); node;
	     node = iofd_iova_used_next(node, IOFD_RANGE_ALL)) {
		struct iofd_area *area = iofd_area_of(node);

		if (!iofd_range_aligned(node->range, alignment) ||
		    !IS_ALIGNED(iofd_area_page_offset(area), alignment))
			return -EADDRINUSE;
	}
	aspace->iova.alignment = alignment;
	return 0;
}
