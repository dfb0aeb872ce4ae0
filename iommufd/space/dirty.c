// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: dirty tracking
 *
 * An IOMMU that can do so records in the IOPTE that a device has written.  Here
 * the record is switched on and off, and turned into bits of a bitmap of the
 * user's.  Reading it forgets it, and an IOTLB flush makes the next write be
 * recorded anew::
 *
 *   set     every area of the domain:  clear  -> flush -> switch on
 *   read    a window of the bitmap pinned
 *             -> each area in it:      read, clear, set bits -> flush
 *           the next window
 *   unmap   all windows can be written?
 *             -> areas CLOSING -> UNLOADING
 *             -> seal -> flush -> read, set bits | unload -> flush -> ...
 *
 * The bar is the point of no return; what comes behind it is map.c's.
 *
 * The unmap must lose nothing between reading and unmapping.  Unmapping as the
 * IOMMU core offers it stores zero over the IOPTE, with the record of a write
 * that came a moment before.  Reading behind the unmap finds nothing, reading
 * before it misses what comes in between.  So between the two stands a seal:
 *
 * 1. The right to write is taken out of each IOPTE in one atomic step, which
 *    keeps the record that hardware may be making at the same moment.
 * 2. The IOTLB is flushed.  Until then a device that has the IOPTE cached may
 *    write on: either the record was made when it was cached for writing, or
 *    it is made now, in an IOPTE that is still there.  From then on writes are
 *    blocked.
 * 3. Only now the record is read: it is final.
 *
 * So a write is in the bitmap or it was blocked.  The memory can be read by
 * devices until it is unmapped.  If the bitmap turns out not to be writable any
 * more the seal is broken and everything is as it was, but for writes that were
 * refused meanwhile; that takes a user who unmaps his bitmap under the call.
 *
 * Sealing needs to know the format of the table: see seal.h.  Of page tables of
 * other formats an unmap reports all that devices may have written: every
 * page that is mapped for writing.  That is more than was written, never less.
 * So it is with device memory, whose IOPTEs come and go with its owner's
 * consent and not with a lock of an address space; reading it reports the same.
 *
 * Tracking of a whole address space, as VFIO's container has it, is exact only
 * if every way to write is recorded from the beginning to the end: all domains
 * can, none has left, and there was no in-kernel user.  Otherwise @untracked
 * says that nothing is known, and what is mapped may have been written.
 *
 * Locks: reading holds the domains and the iova lock for read while it is in a
 * window, so no area is half way where it looks; switching holds the domains
 * lock for write.  Areas in state UNLOADING are their owner's alone, which is
 * what keeps the reader's clearing, no atomic step, away from the seal.
 */
#include <linux/iova_bitmap.h>
#include <linux/sched/signal.h>

#include "base/check.h"
#include "space/area.h"
#include "space/aspace.h"
#include "space/dirty.h"
#include "space/paging.h"
#include "space/seal.h"

static int read_iopte(struct iommu_domain *domain, struct iofd_range range,
		      unsigned long flags, struct iommu_dirty_bitmap *dirty)
{
	const struct iofd_seal_format *format = iofd_seal_format_of(domain);

	if (format && format->read)
		return format->read(domain, range.first,
				    iofd_range_length(range), flags, dirty);
	return domain->dirty_ops->read_and_clear_dirty(domain, range.first,
						       iofd_range_length(range),
						       flags, dirty);
}

/* Can the IOPTEs of this area have a record worth reading? */
static bool is_recorded(const struct iofd_area *area)
{
	return (area->prot & IOMMU_WRITE) && !area->pages->source->devmem;
}

static bool is_tracked(struct iofd_aspace *aspace)
{
	lockdep_assert_held(&aspace->domains_rwsem);
	return aspace->tracked && aspace->ndomains &&
	       !READ_ONCE(aspace->untracked);
}

/* Do the domains that are meant know all that was written? */
static bool is_known(struct iofd_aspace *aspace, const struct iofd_bitmap *to)
{
	return to->member || is_tracked(aspace);
}

static bool is_meant(const struct iofd_bitmap *to,
		     const struct iofd_member *member)
{
	return !to->member || to->member == member;
}

/* All that a device may have written in a part of an area. */
static void report_all(struct iofd_area *area, struct iofd_range part,
		       struct iova_bitmap *bitmap)
{
	if (area->prot & IOMMU_WRITE)
		iova_bitmap_set(bitmap, part.first, iofd_range_length(part));
}

/* Forget what a domain has recorded so far. */
static int clear_record(struct iofd_aspace *aspace, struct iommu_domain *domain)
{
	struct iommu_iotlb_gather gather;
	struct iommu_dirty_bitmap dirty;
	struct iofd_iova_node *node;
	struct iofd_area *area;
	int rc = 0;

	lockdep_assert_held_write(&aspace->domains_rwsem);

	iommu_dirty_bitmap_init(&dirty, NULL, &gather);
	for (node = iofd_iova_used_first(&aspace->iova, IOFD_RANGE_ALL);
	     node && !rc; node = iofd_iova_used_next(node, IOFD_RANGE_ALL)) {
		area = iofd_area_of(node);
		if (is_recorded(area))
			rc = read_iopte(domain, node->range, 0, &dirty);
		cond_resched();
	}
	iofd_paging_sync(domain, &gather);
	return rc;
}

static int switch_tracking(struct iofd_aspace *aspace,
			   struct iommu_domain *domain, bool enable)
{
	int rc;

	if (iofd_fault())
		return -ENOMEM;
	if (enable) {
		rc = clear_record(aspace, domain);
		if (rc)
			return rc;
	}
	return domain->dirty_ops->set_dirty_tracking(domain, enable);
}

/**
 * iofd_aspace_set_dirty - switch the record of one domain on or off
 * @aspace: address space
 * @member: its domain has dirty_ops
 * @enable: on, with what was recorded before forgotten
 *
 * Return: 0; -ENOMEM; what the IOMMU driver says.
 */
int iofd_aspace_set_dirty(struct iofd_aspace *aspace,
			  struct iofd_member *member, bool enable)
{
	int rc;

	down_write(&aspace->domains_rwsem);
	iofd_dirty_lose(aspace);
	rc = switch_tracking(aspace, member->domain, enable);
	up_write(&aspace->domains_rwsem);
	return rc;
}

/**
 * iofd_aspace_track - switch tracking of a whole address space on or off
 * @aspace: address space
 * @enable: on, with what was recorded before forgotten
 *
 * Where a domain cannot record, or does not want to, nothing is known about
 * writes; that is no error.
 */
void iofd_aspace_track(struct iofd_aspace *aspace, bool enable)
{
	struct iofd_member *member;

	down_write(&aspace->domains_rwsem);
	aspace->tracked = enable;
	down_read(&aspace->iova_rwsem);
	WRITE_ONCE(aspace->untracked, aspace->nusers);
	up_read(&aspace->iova_rwsem);
	list_for_each_entry(member, &aspace->domains, link)
		if (!member->domain->dirty_ops ||
		    switch_tracking(aspace, member->domain, enable))
			WRITE_ONCE(aspace->untracked, true);
	up_write(&aspace->domains_rwsem);
}

/**
 * iofd_dirty_join - a domain joins an address space that may be tracked
 * @aspace: address space; domains lock held for write
 * @member: is about to be a member
 */
void iofd_dirty_join(struct iofd_aspace *aspace, struct iofd_member *member)
{
	lockdep_assert_held_write(&aspace->domains_rwsem);

	if (aspace->tracked &&
	    (!member->domain->dirty_ops ||
	     switch_tracking(aspace, member->domain, true)))
		WRITE_ONCE(aspace->untracked, true);
}

/**
 * iofd_dirty_lose - there are writes that no record will tell of
 * @aspace: address space; domains or iova lock held
 */
void iofd_dirty_lose(struct iofd_aspace *aspace)
{
	WRITE_ONCE(aspace->untracked, true);
}

/**
 * iofd_aspace_is_tracked - is it known what devices have written?
 * @aspace: address space
 *
 * Return: true if so; false if anything that is mapped may have been written.
 */
bool iofd_aspace_is_tracked(struct iofd_aspace *aspace)
{
	bool tracked;

	down_read(&aspace->domains_rwsem);
	tracked = is_tracked(aspace);
	up_read(&aspace->domains_rwsem);
	return tracked;
}

/* One read of the record, window by window. */
struct reading {
	struct iofd_aspace *aspace;
	const struct iofd_bitmap *to;
	struct list_head *areas;
	bool hole;
	bool sealed;
};

/*
 * What one domain knows of the areas in a window; NULL: nothing is known of
 * them.
 */
static int read_domain(struct reading *reading, struct iommu_domain *domain,
		       struct iova_bitmap *bitmap, struct iofd_range window)
{
	unsigned long flags = reading->to->keep ? IOMMU_DIRTY_NO_CLEAR : 0;
	struct iofd_iova *iova = &reading->aspace->iova;
	struct iommu_iotlb_gather gather;
	struct iommu_dirty_bitmap dirty;
	struct iofd_iova_node *node;
	unsigned long next = window.first;
	struct iofd_area *area;
	struct iofd_range part;
	bool complete = false;
	int rc = 0;

	iommu_dirty_bitmap_init(&dirty, bitmap, &gather);
	for (node = iofd_iova_used_first(iova, window); node && !rc;
	     node = iofd_iova_used_next(node, window)) {
		area = iofd_area_of(node);
		/* Others are half way, in or out. */
		if (area->state != IOFD_AREA_LIVE &&
		    area->state != IOFD_AREA_CLOSING)
			continue;
		part = iofd_range_intersect(node->range, window);
		if (domain && is_recorded(area))
			rc = read_iopte(domain, part, flags, &dirty);
		else
			report_all(area, part, bitmap);
		if (part.first != next)
			reading->hole = true;
		next = part.last + 1;
		complete = part.last == window.last;
		if (!rc && fatal_signal_pending(current))
			rc = -EINTR;
		cond_resched();
	}
	if (!complete)
		reading->hole = true;
	if (domain)
		iofd_paging_sync(domain, &gather);
	return rc;
}

static int read_window(struct iova_bitmap *bitmap, unsigned long iova,
		       size_t length, void *opaque)
{
	struct reading *reading = opaque;
	struct iofd_aspace *aspace = reading->aspace;
	struct iofd_range window = { iova, iova + length - 1 };
	struct iofd_member *member;
	int rc = 0;

	down_read(&aspace->domains_rwsem);
	down_read(&aspace->iova_rwsem);
	if (!is_known(aspace, reading->to)) {
		rc = read_domain(reading, NULL, bitmap, window);
		goto out;
	}
	/* What one reads here is not there for the container any more. */
	if (reading->to->member && !reading->to->keep)
		iofd_dirty_lose(aspace);
	list_for_each_entry(member, &aspace->domains, link) {
		if (!is_meant(reading->to, member))
			continue;
		rc = read_domain(reading, member->domain, bitmap, window);
		if (rc)
			break;
	}
out:
	up_read(&aspace->iova_rwsem);
	up_read(&aspace->domains_rwsem);
	return rc;
}

static struct iova_bitmap *alloc_bitmap(const struct iofd_bitmap *to)
{
	return iova_bitmap_alloc(to->range.first, iofd_range_length(to->range),
				 to->page_size, to->data);
}

/**
 * iofd_aspace_read_dirty - report what devices have written
 * @aspace: address space
 * @to: what to read and where to; domains that are meant have dirty_ops
 *
 * Context: of the process that owns the bitmap; may sleep and fault.
 *
 * Return: 0; -ENOENT part of the range is not mapped, and what is has been
 * reported; -EFAULT the bitmap cannot be written, and what is recorded of the
 * part that was not reached stays so; -ENOMEM; -EINTR a fatal signal; what
 * the IOMMU driver says.
 */
int iofd_aspace_read_dirty(struct iofd_aspace *aspace,
			   const struct iofd_bitmap *to)
{
	struct reading reading = { .aspace = aspace, .to = to };
	struct iova_bitmap *bitmap;
	int rc;

	bitmap = alloc_bitmap(to);
	if (IS_ERR(bitmap))
		return PTR_ERR(bitmap);
	rc = iova_bitmap_for_each(bitmap, &reading, read_window);
	iova_bitmap_free(bitmap);
	return rc ?: reading.hole ? -ENOENT : 0;
}

static int set_writable(struct iommu_domain *domain, struct list_head *areas,
			bool writable)
{
	const struct iofd_seal_format *format = iofd_seal_format_of(domain);
	struct iommu_iotlb_gather gather;
	struct iofd_area *area;
	int rc;

	if (!format)
		return -EOPNOTSUPP;
	iommu_iotlb_gather_init(&gather);
	list_for_each_entry(area, areas, work) {
		struct iofd_range iova = area->node.range;

		if (!is_recorded(area))
			continue;
		rc = format->set_writable(domain, iova, writable);
		if (rc)
			return rc;
		iommu_iotlb_gather_add_range(&gather, iova.first,
					     iofd_range_length(iova));
		cond_resched();
	}
	iofd_paging_sync(domain, &gather);
	return 0;
}

/* Of no domain's areas the record changes any more, or not all can be sealed. */
static bool seal(struct iofd_aspace *aspace, struct list_head *areas,
		 const struct iofd_bitmap *to)
{
	struct iofd_member *member;

	list_for_each_entry(member, &aspace->domains, link)
		if (is_meant(to, member) &&
		    set_writable(member->domain, areas, false))
			return false;
	return true;
}

static void break_seal(struct iofd_aspace *aspace, struct list_head *areas,
		       const struct iofd_bitmap *to)
{
	struct iofd_member *member;

	list_for_each_entry(member, &aspace->domains, link)
		if (is_meant(to, member))
			set_writable(member->domain, areas, true);
}

static int collect_area(struct reading *reading, struct iofd_area *area,
			struct iofd_range part, struct iova_bitmap *bitmap)
{
	struct iommu_dirty_bitmap dirty;
	struct iofd_member *member;
	int rc;

	if (!reading->sealed || !is_recorded(area)) {
		report_all(area, part, bitmap);
		return 0;
	}
	iommu_dirty_bitmap_init(&dirty, bitmap, NULL);
	list_for_each_entry(member, &reading->aspace->domains, link) {
		if (!is_meant(reading->to, member))
			continue;
		rc = read_iopte(member->domain, part, IOMMU_DIRTY_NO_CLEAR,
				&dirty);
		if (rc)
			return rc;
	}
	return 0;
}

static int collect_window(struct iova_bitmap *bitmap, unsigned long iova,
			  size_t length, void *opaque)
{
	struct reading *reading = opaque;
	struct iofd_range window = { iova, iova + length - 1 };
	struct iofd_area *area;
	int rc;

	list_for_each_entry(area, reading->areas, work) {
		if (!iofd_range_overlaps(area->node.range, window))
			continue;
		rc = collect_area(reading, area,
				  iofd_range_intersect(area->node.range,
						       window), bitmap);
		if (rc)
			return rc;
		cond_resched();
	}
	return 0;
}

/**
 * iofd_dirty_collect - report what has been written to areas that go
 * @aspace: address space; domains lock held for read
 * @areas: areas in state UNLOADING, the caller's
 * @to: where to
 *
 * On success no device can write to the areas any more, if the format of the
 * page tables is known.  On failure all is as it was.
 *
 * Return: 0; -EFAULT the bitmap cannot be written; -ENOMEM; what the IOMMU
 * driver says.
 */
int iofd_dirty_collect(struct iofd_aspace *aspace, struct list_head *areas,
		       const struct iofd_bitmap *to)
{
	struct reading reading = {
		.aspace = aspace, .to = to, .areas = areas,
	};
	bool known = is_known(aspace, to);
	struct iova_bitmap *bitmap;
	int rc;

	lockdep_assert_held_read(&aspace->domains_rwsem);

	bitmap = alloc_bitmap(to);
	if (IS_ERR(bitmap))
		return PTR_ERR(bitmap);
	reading.sealed = known && seal(aspace, areas, to);
	rc = iova_bitmap_for_each(bitmap, &reading, collect_window);
	if (rc && known)
		break_seal(aspace, areas, to);
	iova_bitmap_free(bitmap);
	return rc;
}

static int look_at_window(struct iova_bitmap *bitmap, unsigned long iova,
			  size_t length, void *opaque)
{
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/**
 * iofd_aspace_check_bitmap - can a bitmap be written?
 * @to: bitmap
 *
 * Context: of the process that owns the bitmap; may sleep and fault.
 *
 * Return: 0, which is true for this moment; -EFAULT; -ENOMEM; -EINTR.
 */
int iofd_aspace_check_bitmap(const struct iofd_bitmap *to)
{
	struct iova_bitmap *bitmap = alloc_bitmap(to);
	int rc;

	if (IS_ERR(bitmap))
		return PTR_ERR(bitmap);
	rc = iova_bitmap_for_each(bitmap, NULL, look_at_window);
	iova_bitmap_free(bitmap);
	return rc;
}
