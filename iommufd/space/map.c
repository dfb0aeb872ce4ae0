// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: map, copy, unmap
 *
 * All three work on a list of areas that the operation owns::
 *
 *   map     make one area                 \
 *   copy    make areas that share the      > place -> hold -> load | publish
 *           source's page sets            /
 *   unmap   gather areas, in-kernel users let go, report what was written
 *                        | unload -> flush -> release -> remove -> free
 *
 * The bar is the point of no return.  Before it everything can be undone and
 * may fail; behind it nothing allocates and nothing fails.
 *
 * The domains lock is held for read from the first look at the table to the
 * last, so an operation sees one set of domains; the iova lock only while the
 * table is looked at or changed, so that pinning a large range keeps nobody
 * from mapping another one.
 */
#include "base/check.h"
#include "space/area.h"
#include "space/aspace.h"
#include "space/dirty.h"
#include "space/paging.h"
#include "trace.h"

/**
 * iofd_areas_free - free a list of areas in state NEW
 * @areas: list, by &iofd_area.work; empty afterwards
 */
void iofd_areas_free(struct list_head *areas)
{
	struct iofd_area *area, *next;

	list_for_each_entry_safe(area, next, areas, work) {
		list_del(&area->work);
		iofd_area_free(area);
	}
}

/* Take areas that every domain has out of all of them, and flush. */
static void unload_areas(struct iofd_aspace *aspace, struct list_head *areas)
{
	struct iommu_iotlb_gather gather;
	struct iofd_member *member;
	struct iofd_area *area;

	if (list_empty(areas))
		return;
	list_for_each_entry(member, &aspace->domains, link) {
		iommu_iotlb_gather_init(&gather);
		list_for_each_entry(area, areas, work)
			iofd_area_unload(aspace, area, member, &gather);
		iofd_paging_sync(member->domain, &gather);
	}
}

/* Hold an area and enter it in all domains, or nothing. */
static int load_area(struct iofd_aspace *aspace, struct iofd_area *area)
{
	struct iommu_iotlb_gather gather;
	struct iofd_member *member;
	int rc;

	rc = iofd_area_hold(area);
	if (rc)
		return rc;
	list_for_each_entry(member, &aspace->domains, link) {
		rc = iofd_area_load(aspace, area, member);
		if (rc)
			goto err_unload;
	}
	return 0;

err_unload:
	list_for_each_entry_continue_reverse(member, &aspace->domains, link) {
		iommu_iotlb_gather_init(&gather);
		iofd_area_unload(aspace, area, member, &gather);
		iofd_paging_sync(member->domain, &gather);
	}
	iofd_area_release(area);
	return rc;
}

static int load_areas(struct iofd_aspace *aspace, struct list_head *areas)
{
	struct iofd_area *area;
	LIST_HEAD(loaded);
	int rc = 0;

	lockdep_assert_held_read(&aspace->domains_rwsem);

	if (!aspace->ndomains)
		return 0;
	while (!list_empty(areas)) {
		area = list_first_entry(areas, struct iofd_area, work);
		rc = load_area(aspace, area);
		if (rc) {
			unload_areas(aspace, &loaded);
			list_for_each_entry(area, &loaded, work)
				iofd_area_release(area);
			break;
		}
		list_move_tail(&area->work, &loaded);
	}
	list_splice(&loaded, areas);
	return rc;
}

/* May this slice of this page set be mapped like this? */
static int check_area(struct iofd_aspace *aspace, struct iofd_area *area)
{
	if ((area->prot & IOMMU_WRITE) && !area->pages->writable)
		return -EPERM;
	/* Pieces of a copy end where areas of the source do. */
	if (!IS_ALIGNED(iofd_area_page_offset(area) | iofd_area_length(area),
			aspace->iova.alignment))
		return -EINVAL;
	return 0;
}

static void explain_reserved(struct iofd_aspace *aspace,
			     struct iofd_range range)
{
	struct iofd_range reserved;
	const struct device *dev;

	if (!iofd_iova_reserved_first(&aspace->iova, range, &reserved))
		return;
	dev = iofd_iova_reserved_for(&aspace->iova, range);
	pr_info_ratelimited("%s[%d]: cannot map IOVA 0x%lx-0x%lx: 0x%lx-0x%lx %s%s, see IOMMU_IOAS_IOVA_RANGES\n",
			    current->comm, task_pid_nr(current), range.first,
			    range.last, reserved.first, reserved.last,
			    dev ? "is reserved for device " :
				  "is beyond what the IOMMU translates",
			    dev ? dev_name(dev) : "");
}

/* Find the IOVA range for a mapping as a whole. */
static int choose_range(struct iofd_aspace *aspace, struct iofd_place *place,
			struct iofd_range *range)
{
	int rc;

	if (!IS_ALIGNED(place->length, aspace->iova.alignment))
		return -EINVAL;

	if (!place->fixed)
		return iofd_iova_find_free(&aspace->iova, place->length,
					   place->addr, range);

	if (!IS_ALIGNED(place->iova, aspace->iova.alignment))
		return -EINVAL;
	rc = iofd_range_from_length(range, place->iova, place->length);
	if (rc)
		return rc;
	rc = iofd_iova_check_fixed(&aspace->iova, *range);
	if (rc == -EINVAL)
		explain_reserved(aspace, *range);
	return rc;
}

static int place_areas(struct iofd_aspace *aspace, struct list_head *areas,
		       struct iofd_place *place)
{
	struct iofd_range range;
	struct iofd_area *area;
	unsigned long first;
	int rc;

	lockdep_assert_held_write(&aspace->iova_rwsem);

	rc = choose_range(aspace, place, &range);
	if (rc)
		return rc;
	if (place->limit && aspace->nareas >= place->limit)
		return -ENOSPC;
	list_for_each_entry(area, areas, work) {
		rc = check_area(aspace, area);
		if (rc)
			return rc;
	}

	first = range.first;
	list_for_each_entry(area, areas, work) {
		iofd_area_reserve(aspace, area, first);
		first = area->node.range.last + 1;
	}
	place->iova = range.first;
	return 0;
}

/**
 * iofd_aspace_map_areas - bring areas into an address space, one after another
 * @aspace: address space
 * @areas: areas in state NEW, together place->length bytes; empty on success,
 *         still the caller's in state NEW otherwise
 * @place: where to
 *
 * On success every domain maps the areas.  On failure nothing is mapped,
 * pinned or charged that was not before.
 *
 * Return: 0; -EINVAL misaligned or reserved; -EOVERFLOW beyond the end of the
 * address space; -EEXIST mapped already; -ENOSPC no room for an automatic
 * IOVA; -EPERM write access to memory that was mapped for reading; what
 * iofd_pages_hold() and iommu_map() return.
 */
int iofd_aspace_map_areas(struct iofd_aspace *aspace, struct list_head *areas,
			  struct iofd_place *place)
{
	struct iofd_area *area, *next;
	const char *backing;
	int prot, rc;

	/* Once they are published they may be gone before this returns. */
	area = list_first_entry(areas, struct iofd_area, work);
	backing = area->pages->source->name;
	prot = area->prot;

	down_read(&aspace->domains_rwsem);
	down_write(&aspace->iova_rwsem);
	rc = place_areas(aspace, areas, place);
	up_write(&aspace->iova_rwsem);
	if (rc)
		goto out;

	rc = load_areas(aspace, areas);

	/* Point of no return, in either direction. */
	down_write(&aspace->iova_rwsem);
	list_for_each_entry_safe(area, next, areas, work) {
		if (rc) {
			iofd_area_cancel(aspace, area);
		} else {
			list_del_init(&area->work);
			iofd_area_publish(aspace, area);
		}
	}
	up_write(&aspace->iova_rwsem);
out:
	up_read(&aspace->domains_rwsem);
	trace_iommufd_map(aspace->context, aspace->id, place->iova,
			  place->length, prot, backing, place->addr, rc);
	return rc;
}

/**
 * iofd_aspace_map - map a whole page set
 * @aspace: address space
 * @pages: page set that was just made; the mapping takes a reference
 * @prot: IOMMU_READ, IOMMU_WRITE or both
 * @place: where to; its length is that of the page set
 *
 * Return: as iofd_aspace_map_areas().
 */
int iofd_aspace_map(struct iofd_aspace *aspace, struct iofd_pages *pages,
		    int prot, struct iofd_place *place)
{
	struct iofd_area *area;
	LIST_HEAD(areas);
	int rc;

	area = iofd_area_create_first(pages, place->length, prot);
	if (!area)
		return -ENOMEM;
	list_add(&area->work, &areas);
	rc = iofd_aspace_map_areas(aspace, &areas, place);
	iofd_areas_free(&areas);
	return rc;
}

/**
 * iofd_aspace_copy - make areas for the memory behind a range of IOVAs
 * @src: address space to look in
 * @range: IOVA range, covered by LIVE areas without a gap
 * @areas: areas in state NEW are added here
 * @prot: IOMMU_READ, IOMMU_WRITE or both
 * @addr: out: address or file offset of the first byte
 *
 * Return: 0; -ENOENT if part of the range is not mapped; -ENOMEM.  On failure
 * nothing was added.
 */
int iofd_aspace_copy(struct iofd_aspace *src, struct iofd_range range,
		     struct list_head *areas, int prot, unsigned long *addr)
{
	struct iofd_area *area, *copy;
	struct iofd_iova_node *node;
	unsigned long next = range.first;
	struct iofd_range piece;
	bool done = false;
	LIST_HEAD(copies);
	int rc = 0;

	down_read(&src->iova_rwsem);
	for (node = iofd_iova_used_first(&src->iova, range); node && !done;
	     node = iofd_iova_used_next(node, range)) {
		area = iofd_area_of(node);
		if (!iofd_range_has(node->range, next) ||
		    area->state != IOFD_AREA_LIVE)
			break;
		piece = iofd_range_intersect(node->range, range);
		copy = iofd_area_create(area->pages,
					area->byte + (piece.first -
						      node->range.first),
					iofd_range_length(piece), prot);
		if (!copy) {
			rc = -ENOMEM;
			break;
		}
		list_add_tail(&copy->work, &copies);
		done = piece.last == range.last;
		next = piece.last + 1;
	}
	up_read(&src->iova_rwsem);

	if (!rc && !done)
		rc = -ENOENT;
	if (rc) {
		iofd_areas_free(&copies);
		return rc;
	}
	copy = list_first_entry(&copies, struct iofd_area, work);
	*addr = copy->pages->addr + copy->byte;
	list_splice_tail(&copies, areas);
	return 0;
}

/* How often in-kernel users are told to let go of an area. */
#define NOTIFY_RETRIES 100

/*
 * Have the in-kernel users let go of a CLOSING area that is the caller's.  All
 * locks are dropped and taken again.
 */
static int drain_pins(struct iofd_aspace *aspace, struct iofd_area *area)
{
	unsigned int retries;
	int rc;

	/* A pin that failed is still looking at the area until it says so. */
	for (retries = 0;
	     atomic_read(&area->pins) || atomic_read(&area->pinning);
	     retries++) {
		if (retries == NOTIFY_RETRIES) {
			WARN_ONCE(1, "iommufd: an in-kernel user does not unpin IOVA 0x%lx-0x%lx\n",
				  area->node.range.first,
				  area->node.range.last);
			return -EDEADLK;
		}
		up_write(&aspace->iova_rwsem);
		up_read(&aspace->domains_rwsem);
		/* Who has no pin yet cannot let go of it. */
		rc = wait_event_killable(aspace->idle,
					 !atomic_read(&area->pinning));
		if (!rc) {
			/* From the pin to the user's record of it is a step. */
			if (retries)
				schedule_timeout_uninterruptible(1);
			iofd_aspace_notify(aspace, area->node.range);
		}
		down_read(&aspace->domains_rwsem);
		down_write(&aspace->iova_rwsem);
		if (rc)
			return -EINTR;
	}
	return 0;
}

/**
 * iofd_aspace_cuts_locked - does an area reach beyond an end of a range?
 * @aspace: address space; iova lock held
 * @range: range
 *
 * Return: true if so.
 */
bool iofd_aspace_cuts_locked(struct iofd_aspace *aspace,
			     struct iofd_range range)
{
	const unsigned long ends[] = { range.first, range.last };
	struct iofd_iova_node *node;
	int i;

	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		node = iofd_iova_used_first(&aspace->iova, (struct iofd_range){
			ends[i], ends[i] });
		if (node && !iofd_range_contains(range, node->range))
			return true;
	}
	return false;
}

/* Must an unmap end, without or with an error, in front of this area? */
static bool rule_stops(enum iofd_unmap_rule rule, struct iofd_range range,
		       struct iofd_area *area, int *rc)
{
	bool inside = iofd_range_contains(range, area->node.range);

	*rc = 0;
	switch (rule) {
	case IOFD_UNMAP_STARTS:
		if (area->node.range.first < range.first)
			return true;
		inside = true;
		break;
	case IOFD_UNMAP_UPTO:
	case IOFD_UNMAP_WHOLE:
	case IOFD_UNMAP_IDLE:
		break;
	}
	if (area->state != IOFD_AREA_LIVE || atomic_read(&area->locks))
		*rc = -EBUSY;
	else if (!inside)
		*rc = rule == IOFD_UNMAP_WHOLE ? -EINVAL : -ENOENT;
	return *rc;
}

/*
 * Take ownership of the areas that a range meets, in ascending order, as the
 * rule has it.  Those that can go are CLOSING and without pins.
 */
static int gather_areas(struct iofd_aspace *aspace, struct iofd_range range,
			enum iofd_unmap_rule rule, struct list_head *areas)
{
	struct iofd_iova_node *node;
	int rc;

	lockdep_assert_held_write(&aspace->iova_rwsem);

	if (rule == IOFD_UNMAP_WHOLE && iofd_aspace_cuts_locked(aspace, range))
		return -EINVAL;
	for (node = iofd_iova_used_first(&aspace->iova, range); node;
	     node = iofd_iova_used_next(node, range)) {
		struct iofd_area *area = iofd_area_of(node);

		if (rule_stops(rule, range, area, &rc)) {
			if (rule == IOFD_UNMAP_IDLE)
				continue;
			return rc;
		}
		iofd_area_close(aspace, area);
		/* Its node stays in the tree while the locks are dropped. */
		rc = drain_pins(aspace, area);
		if (rc) {
			iofd_area_reopen(aspace, area);
			if (rule == IOFD_UNMAP_IDLE)
				continue;
			return rc;
		}
		list_add_tail(&area->work, areas);
	}
	return 0;
}

/* Give the areas back: they stay. */
static void reopen_areas(struct iofd_aspace *aspace, struct list_head *areas)
{
	struct iofd_area *area, *next;

	list_for_each_entry_safe(area, next, areas, work) {
		list_del_init(&area->work);
		iofd_area_reopen(aspace, area);
	}
}

/* The areas stay after all; none of them has been unloaded. */
static void resume_areas(struct iofd_aspace *aspace, struct list_head *areas)
{
	struct iofd_area *area, *next;

	down_write(&aspace->iova_rwsem);
	list_for_each_entry_safe(area, next, areas, work) {
		list_del_init(&area->work);
		iofd_area_resume(aspace, area);
	}
	up_write(&aspace->iova_rwsem);
}

/* @dirty: where to report what devices have written, or NULL */
static int unmap(struct iofd_aspace *aspace, struct iofd_range range,
		 enum iofd_unmap_rule rule, const struct iofd_bitmap *dirty,
		 unsigned long *unmapped)
{
	struct iofd_area *area;
	LIST_HEAD(areas);
	int rc;

	*unmapped = 0;
	down_read(&aspace->domains_rwsem);
	down_write(&aspace->iova_rwsem);
	rc = gather_areas(aspace, range, rule, &areas);
	if (rc && rule == IOFD_UNMAP_WHOLE)
		reopen_areas(aspace, &areas);
	list_for_each_entry(area, &areas, work)
		iofd_area_begin_unload(aspace, area);
	up_write(&aspace->iova_rwsem);
	if (dirty && !list_empty(&areas)) {
		rc = iofd_dirty_collect(aspace, &areas, dirty);
		if (rc)
			resume_areas(aspace, &areas);
	}

	/* Point of no return. */
	if (!list_empty(&areas)) {
		unload_areas(aspace, &areas);
		list_for_each_entry(area, &areas, work) {
			*unmapped += iofd_area_length(area);
			if (area->held)
				iofd_area_release(area);
		}
		down_write(&aspace->iova_rwsem);
		list_for_each_entry(area, &areas, work)
			iofd_area_remove(aspace, area);
		up_write(&aspace->iova_rwsem);
	}
	up_read(&aspace->domains_rwsem);
	trace_iommufd_unmap(aspace->context, aspace->id, range.first,
			    range.last, *unmapped, rc);

	iofd_areas_free(&areas);
	return rc;
}

/**
 * iofd_aspace_unmap_rule - remove areas that a range meets
 * @aspace: address space
 * @range: range
 * @rule: which of them
 * @unmapped: out: number of bytes removed, also on failure
 *
 * When this returns no device reaches the memory of the removed areas through
 * this address space any more, and they are unpinned as far as nobody else
 * holds them.
 *
 * Return: 0, also if there was nothing; -EBUSY if another thread is mapping or
 * unmapping in the range, or hardware uses it by itself, see
 * iofd_aspace_lock(); -ENOENT, or -EINVAL if all are to go or none, if an
 * area reaches beyond the range; -EDEADLK if an in-kernel user does not unpin
 * an area; -EINTR a fatal signal came while one was pinning.
 */
int iofd_aspace_unmap_rule(struct iofd_aspace *aspace, struct iofd_range range,
			   enum iofd_unmap_rule rule, unsigned long *unmapped)
{
	return unmap(aspace, range, rule, NULL, unmapped);
}

/**
 * iofd_aspace_unmap_dirty - remove areas and report what was written to them
 * @aspace: address space
 * @to: range, none of whose ends may lie inside an area, and where to report
 * @unmapped: out: number of bytes removed, 0 on failure
 *
 * A write of a device is either reported or was blocked: see dirty.c for how,
 * and for when more is reported than was written.
 *
 * Context: of the process that owns the bitmap; may sleep and fault.
 *
 * Return: as iofd_aspace_unmap_rule() with IOFD_UNMAP_WHOLE; besides -EFAULT the
 * bitmap cannot be written; -ENOMEM; what the IOMMU driver says.  On failure
 * nothing was removed.
 */
int iofd_aspace_unmap_dirty(struct iofd_aspace *aspace,
			    const struct iofd_bitmap *to,
			    unsigned long *unmapped)
{
	int rc;

	/* Before in-kernel users are told to let go, and devices stopped. */
	*unmapped = 0;
	rc = iofd_aspace_check_bitmap(to);
	return rc ?: unmap(aspace, to->range, IOFD_UNMAP_WHOLE, to, unmapped);
}

/**
 * iofd_aspace_unmap - remove all areas inside a range
 * @aspace: address space
 * @range: range; must not cut an area
 * @unmapped: out: number of bytes removed, also on failure
 *
 * Return: as iofd_aspace_unmap_rule().  Areas below the one that caused a
 * failure are removed all the same.
 */
int iofd_aspace_unmap(struct iofd_aspace *aspace, struct iofd_range range,
		      unsigned long *unmapped)
{
	return iofd_aspace_unmap_rule(aspace, range, IOFD_UNMAP_UPTO, unmapped);
}
