// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: areas
 *
 * An area is one contiguous IOVA range backed by one contiguous slice of a page
 * set; areas never overlap, are never merged, and go as a unit; one can be split
 * where every page has an IOPTE of its own.  The header has
 * the states; this file has one function for each transition, and
 * area_assert() checks the header's table.
 *
 * The first area of a page set lies in the set's own allocation, later ones,
 * which are copies, in one of their own.
 *
 * Holding and loading follow the address space's domains: while it has at
 * least one domain, every LIVE area has a hold and is loaded in all of them.
 */
#include <linux/slab.h>

#include "base/check.h"
#include "space/area.h"
#include "space/aspace.h"
#include "space/paging.h"
#include "trace.h"

static void area_assert(struct iofd_aspace *aspace, struct iofd_area *area,
			enum iofd_area_state state)
{
	lockdep_assert_held_write(&aspace->iova_rwsem);
	lockdep_assert_held_read(&aspace->domains_rwsem);

	iofd_check(area->state == state);
	switch (state) {
	case IOFD_AREA_NEW:
		iofd_check(RB_EMPTY_NODE(&area->node.rb));
		iofd_check(!area->held);
		break;
	case IOFD_AREA_LIVE:
		iofd_check(!RB_EMPTY_NODE(&area->node.rb));
		iofd_check(area->held == !!aspace->ndomains);
		break;
	case IOFD_AREA_CLOSING:
		iofd_check(!RB_EMPTY_NODE(&area->node.rb));
		iofd_check(area->held == !!aspace->ndomains);
		iofd_check(!atomic_read(&area->locks));
		break;
	case IOFD_AREA_RESERVED:
	case IOFD_AREA_UNLOADING:
		iofd_check(!RB_EMPTY_NODE(&area->node.rb));
		iofd_check(!atomic_read(&area->locks));
		iofd_check(!atomic_read(&area->pins));
		iofd_check(!atomic_read(&area->pinning));
		break;
	}
}

static void area_init(struct iofd_area *area, struct iofd_pages *pages,
		      unsigned long byte, unsigned long length, int prot)
{
	RB_CLEAR_NODE(&area->node.rb);
	INIT_LIST_HEAD(&area->work);
	area->pages = iofd_pages_get(pages);
	area->byte = byte;
	area->node.range.last = length - 1;
	area->prot = prot;
	area->state = IOFD_AREA_NEW;
}

/**
 * iofd_area_create - an area that is in no address space yet
 * @pages: page set; the area takes a reference of its own
 * @byte: first byte of the slice
 * @length: bytes in the slice, not 0 and inside the page set
 * @prot: IOMMU_READ, IOMMU_WRITE or both
 *
 * Return: area in state NEW, or NULL without memory.
 */
struct iofd_area *iofd_area_create(struct iofd_pages *pages, unsigned long byte,
				   unsigned long length, int prot)
{
	struct iofd_area *area;

	area = kzalloc_obj(*area, GFP_KERNEL_ACCOUNT);
	if (!area)
		return NULL;
	area_init(area, pages, byte, length, prot);
	return area;
}

/**
 * iofd_area_create_first - the first area of a page set that was just made
 * @pages: page set that never had an area; the area takes a reference
 * @length: bytes from the beginning of the page set
 * @prot: IOMMU_READ, IOMMU_WRITE or both
 *
 * It lies in the page set's room if there is one.
 *
 * Return: area in state NEW, or NULL without memory.
 */
struct iofd_area *iofd_area_create_first(struct iofd_pages *pages,
					 unsigned long length, int prot)
{
	struct iofd_area *area = (void *)iofd_pages_room(pages);

	static_assert(sizeof(*area) <= sizeof(struct iofd_pages_room));

	if (!area)
		return iofd_area_create(pages, 0, length, prot);
	area_init(area, pages, 0, length, prot);
	area->in_room = true;
	return area;
}

/**
 * iofd_area_free - end an area that is in no address space
 * @area: area in state NEW
 */
void iofd_area_free(struct iofd_area *area)
{
	bool in_room = area->in_room;

	iofd_check(area->state == IOFD_AREA_NEW && !area->held);
	/* The last reference takes the room with it. */
	iofd_pages_put(area->pages);
	if (!in_room)
		kfree(area);
}

/* Bytes of the pages that are pinned when the area is held. */
static unsigned long pinnable(const struct iofd_area *area)
{
	struct iofd_range index;

	if (area->pages->source->devmem)
		return 0;
	index = iofd_pages_indices(area->pages, area->byte,
				   iofd_area_length(area));
	return iofd_range_length(index) << PAGE_SHIFT;
}

/* iofd_aspace_sums() reads them without a lock. */
static void add_sums(struct iofd_aspace *aspace, const struct iofd_area *area)
{
	WRITE_ONCE(aspace->nareas, aspace->nareas + 1);
	WRITE_ONCE(aspace->mapped, aspace->mapped + iofd_area_length(area));
	WRITE_ONCE(aspace->pinnable, aspace->pinnable + pinnable(area));
}

static void subtract_sums(struct iofd_aspace *aspace,
			  const struct iofd_area *area)
{
	WRITE_ONCE(aspace->nareas, aspace->nareas - 1);
	WRITE_ONCE(aspace->mapped, aspace->mapped - iofd_area_length(area));
	WRITE_ONCE(aspace->pinnable, aspace->pinnable - pinnable(area));
}

/* NEW to RESERVED: the IOVA is ours, nothing else yet. */
void iofd_area_reserve(struct iofd_aspace *aspace, struct iofd_area *area,
		       unsigned long first)
{
	area_assert(aspace, area, IOFD_AREA_NEW);
	area->node.range = (struct iofd_range){
		first, first + (iofd_area_length(area) - 1)
	};
	iofd_iova_use(&aspace->iova, &area->node);
	add_sums(aspace, area);
	area->state = IOFD_AREA_RESERVED;
}

/* Out of the tree, on the way back to NEW. */
static void area_leave_tree(struct iofd_aspace *aspace, struct iofd_area *area)
{
	iofd_iova_unuse(&aspace->iova, &area->node);
	subtract_sums(aspace, area);
	if (area->orphan)
		aspace->norphans--;
	area->orphan = false;
	RB_CLEAR_NODE(&area->node.rb);
	area->state = IOFD_AREA_NEW;
	area_assert(aspace, area, IOFD_AREA_NEW);
}

/* RESERVED to NEW: what was held and loaded has been undone. */
void iofd_area_cancel(struct iofd_aspace *aspace, struct iofd_area *area)
{
	area_assert(aspace, area, IOFD_AREA_RESERVED);
	area_leave_tree(aspace, area);
}

/* RESERVED to LIVE: held and loaded as the address space demands. */
void iofd_area_publish(struct iofd_aspace *aspace, struct iofd_area *area)
{
	area_assert(aspace, area, IOFD_AREA_RESERVED);
	area->state = IOFD_AREA_LIVE;
	area_assert(aspace, area, IOFD_AREA_LIVE);
}

/* LIVE to CLOSING: no new pins. */
void iofd_area_close(struct iofd_aspace *aspace, struct iofd_area *area)
{
	area_assert(aspace, area, IOFD_AREA_LIVE);
	area->state = IOFD_AREA_CLOSING;
	area_assert(aspace, area, IOFD_AREA_CLOSING);
}

/* CLOSING to LIVE: an in-kernel user does not let go. */
void iofd_area_reopen(struct iofd_aspace *aspace, struct iofd_area *area)
{
	area_assert(aspace, area, IOFD_AREA_CLOSING);
	area->state = IOFD_AREA_LIVE;
}

/*
 * CLOSING without pins to UNLOADING: its IOPTEs are its owner's alone, who may
 * go back only while all of them are there.
 */
void iofd_area_begin_unload(struct iofd_aspace *aspace, struct iofd_area *area)
{
	area_assert(aspace, area, IOFD_AREA_CLOSING);
	area->state = IOFD_AREA_UNLOADING;
	area_assert(aspace, area, IOFD_AREA_UNLOADING);
}

/* UNLOADING to LIVE: nothing of it has been unloaded. */
void iofd_area_resume(struct iofd_aspace *aspace, struct iofd_area *area)
{
	area_assert(aspace, area, IOFD_AREA_UNLOADING);
	area->state = IOFD_AREA_LIVE;
	area_assert(aspace, area, IOFD_AREA_LIVE);
}

/* UNLOADING to NEW: nothing of it is loaded or held any more. */
void iofd_area_remove(struct iofd_aspace *aspace, struct iofd_area *area)
{
	area_assert(aspace, area, IOFD_AREA_UNLOADING);
	area_leave_tree(aspace, area);
}

/**
 * iofd_area_split - make two LIVE areas of one
 * @aspace: address space
 * @left: LIVE area without pins, whose IOPTEs end at PAGE_SIZE borders at most;
 *        keeps what is below @right
 * @right: area in state NEW onto the rest of the same page set; becomes LIVE
 *
 * Nothing is pinned, unpinned, loaded or unloaded: to devices nothing happens.
 */
void iofd_area_split(struct iofd_aspace *aspace, struct iofd_area *left,
		     struct iofd_area *right)
{
	unsigned long length = iofd_area_length(left) - iofd_area_length(right);

	area_assert(aspace, left, IOFD_AREA_LIVE);
	iofd_check(!atomic_read(&left->pins) && !atomic_read(&left->pinning));
	iofd_check(right->byte == left->byte + length);
	iofd_check(!left->orphan);

	/* The key of a node that is in the tree must not change. */
	iofd_iova_unuse(&aspace->iova, &left->node);
	subtract_sums(aspace, left);
	left->node.range.last = left->node.range.first + (length - 1);
	add_sums(aspace, left);
	iofd_iova_use(&aspace->iova, &left->node);

	iofd_area_reserve(aspace, right, left->node.range.last + 1);
	if (left->held) {
		iofd_pages_split_hold(left->pages, &left->hold, &right->hold,
				      left->byte + length);
		right->held = true;
	}
	iofd_area_publish(aspace, right);
}

/**
 * iofd_area_hold - keep the area's slice pinned
 * @area: area without a hold, owned by the caller
 *
 * Return: 0 or what iofd_pages_hold() returns.
 */
int iofd_area_hold(struct iofd_area *area)
{
	int rc;

	iofd_check(!area->held);
	rc = iofd_pages_hold(area->pages, &area->hold,
			     iofd_pages_indices(area->pages, area->byte,
						iofd_area_length(area)));
	if (!rc)
		area->held = true;
	return rc;
}

/**
 * iofd_area_release - undo iofd_area_hold()
 * @area: area that is loaded in no domain any more, and flushed
 */
void iofd_area_release(struct iofd_area *area)
{
	iofd_check(area->held);
	area->held = false;
	iofd_pages_release(area->pages, &area->hold);
}

/**
 * iofd_area_load - enter a held area into one domain
 * @aspace: its address space
 * @area: held area
 * @member: the domain, which does not have the area yet
 *
 * Return: 0 or what iofd_paging_load() returns.
 */
int iofd_area_load(struct iofd_aspace *aspace, struct iofd_area *area,
		   struct iofd_member *member)
{
	struct iofd_window window = {
		.iova = area->node.range,
		.pages = area->pages,
		.byte = area->byte,
		.prot = area->prot | area->pages->prot,
		.max_piece = aspace->huge_pages ? ULONG_MAX : PAGE_SIZE,
	};
	int rc;

	lockdep_assert_held(&aspace->domains_rwsem);
	iofd_check(area->held);
	rc = iofd_paging_load(member->domain, &window);
	trace_iommufd_load(aspace->context, aspace->id, member->id,
			   window.iova.first, window.iova.last, rc);
	return rc;
}

/**
 * iofd_area_unload - take an area out of one domain
 * @aspace: its address space
 * @area: area that the domain has
 * @member: the domain
 * @gather: collects what has to be flushed; the caller syncs it with
 *          iofd_paging_sync() before it releases the area
 */
void iofd_area_unload(struct iofd_aspace *aspace, struct iofd_area *area,
		      struct iofd_member *member,
		      struct iommu_iotlb_gather *gather)
{
	lockdep_assert_held(&aspace->domains_rwsem);
	iofd_paging_unload(member->domain, area->pages, area->node.range,
			   gather);
	trace_iommufd_unload(aspace->context, aspace->id, member->id,
			     area->node.range.first, area->node.range.last);
}
