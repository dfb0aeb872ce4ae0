// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: in-kernel users of an address space
 *
 * An in-kernel user pins memory behind IOVAs or copies to and from it.  Both
 * walk areas without a gap.  A pin is counted in every area it touches, from
 * before it is made until it is undone, and an area with pins cannot be
 * removed.  A copy keeps the table as it is, by the iova lock, while it runs.
 *
 * Who unmaps an area with pins closes it, so that no new pin succeeds, waits
 * for pins that are being made, and tells every user to let go.  The users are
 * called without any lock, since they take locks of their own which they also
 * hold while they pin or unpin.
 *
 * A lock is a pin on behalf of hardware that reads the memory by itself, for as
 * long as it likes: nobody can be asked to let go, so an area with locks is not
 * closed, and who wants to unmap it is refused.
 */
#include "base/check.h"
#include "memory/copy.h"
#include "space/area.h"
#include "space/aspace.h"
#include "space/dirty.h"

/* Most in-kernel users of one address space. */
#define IOFD_ASPACE_MAX_USERS 65536

/**
 * iofd_aspace_add_user - an in-kernel user comes
 * @aspace: address space
 * @user: user, with its alignment set
 *
 * Return: 0; -EADDRINUSE if an area does not keep its alignment; -EBUSY with
 * 65536 users, or while an area has no address.
 */
int iofd_aspace_add_user(struct iofd_aspace *aspace,
			 struct iofd_aspace_user *user)
{
	int rc;

	down_write(&aspace->iova_rwsem);
	if (aspace->nusers >= IOFD_ASPACE_MAX_USERS || aspace->norphans)
		rc = -EBUSY;
	else
		rc = iofd_aspace_raise_alignment_locked(aspace,
							user->alignment);
	if (!rc) {
		list_add_tail(&user->link, &aspace->users);
		WRITE_ONCE(aspace->nusers, aspace->nusers + 1);
		/* What it writes no IOMMU sees. */
		iofd_dirty_lose(aspace);
	}
	up_write(&aspace->iova_rwsem);
	return rc;
}

/**
 * iofd_aspace_remove_user - an in-kernel user goes
 * @aspace: address space
 * @user: user that has let go of everything
 *
 * When this returns its unmap does not run and will not be called any more.
 */
void iofd_aspace_remove_user(struct iofd_aspace *aspace,
			     struct iofd_aspace_user *user)
{
	down_read(&aspace->domains_rwsem);
	down_write(&aspace->iova_rwsem);
	while (user->running) {
		up_write(&aspace->iova_rwsem);
		up_read(&aspace->domains_rwsem);
		wait_event(aspace->idle, !READ_ONCE(user->running));
		down_read(&aspace->domains_rwsem);
		down_write(&aspace->iova_rwsem);
	}
	list_del(&user->link);
	WRITE_ONCE(aspace->nusers, aspace->nusers - 1);
	iofd_aspace_update_alignment_locked(aspace);
	up_write(&aspace->iova_rwsem);
	up_read(&aspace->domains_rwsem);
}

/**
 * iofd_aspace_notify - tell all in-kernel users to let go of a range
 * @aspace: address space; no lock held
 * @range: what is about to be unmapped
 *
 * Users that come while this runs are not told: they find the areas closed.
 */
void iofd_aspace_notify(struct iofd_aspace *aspace, struct iofd_range range)
{
	struct iofd_aspace_user *user;

	lockdep_assert_not_held(&aspace->domains_rwsem);

	down_write(&aspace->iova_rwsem);
	list_for_each_entry(user, &aspace->users, link) {
		/* Keeps it in the list while the lock is dropped. */
		WRITE_ONCE(user->running, user->running + 1);
		up_write(&aspace->iova_rwsem);

		user->unmap(user, range);

		down_write(&aspace->iova_rwsem);
		WRITE_ONCE(user->running, user->running - 1);
		if (!user->running)
			wake_up_all(&aspace->idle);
	}
	up_write(&aspace->iova_rwsem);
}

/* One area's part of a range that an in-kernel user wants. */
struct slice {
	struct iofd_area *area;
	unsigned long byte;		/* in the page set */
	unsigned long length;
};

/* Find the area at range.first, LIVE and with the rights that are needed. */
static int find_slice(struct iofd_aspace *aspace, struct iofd_range range,
		      int prot, bool whole_pages, struct slice *slice)
{
	struct iofd_iova_node *node;
	struct iofd_range piece;
	struct iofd_area *area;

	lockdep_assert_held(&aspace->iova_rwsem);

	node = iofd_iova_used_first(&aspace->iova, range);
	if (!node || !iofd_range_has(node->range, range.first))
		return -ENOENT;
	area = iofd_area_of(node);
	if (area->state == IOFD_AREA_RESERVED)
		return -ENOENT;
	if (area->state != IOFD_AREA_LIVE)
		return -EINVAL;
	if (whole_pages &&
	    !IS_ALIGNED(node->range.first ^ iofd_area_page_offset(area),
			PAGE_SIZE))
		return -EINVAL;
	if ((area->prot & prot) != prot)
		return -EPERM;
	if ((prot & IOMMU_WRITE) && !area->pages->writable)
		return -EPERM;

	piece = iofd_range_intersect(node->range, range);
	*slice = (struct slice){
		.area = area,
		.byte = area->byte + (piece.first - node->range.first),
		.length = iofd_range_length(piece),
	};
	return 0;
}

/* The slice at range.first of a range that is pinned. */
static struct slice pinned_slice(struct iofd_aspace *aspace,
				 struct iofd_range range)
{
	struct iofd_area *area =
		iofd_area_of(iofd_iova_used_first(&aspace->iova, range));
	struct iofd_range piece = iofd_range_intersect(area->node.range, range);

	return (struct slice){
		.area = area,
		.byte = area->byte + (piece.first - area->node.range.first),
		.length = iofd_range_length(piece),
	};
}

/* Is the range mapped without a gap, by areas that have pins? */
static bool is_pinned(struct iofd_aspace *aspace, struct iofd_range range)
{
	struct iofd_iova_node *node;
	unsigned long next = range.first;

	for (node = iofd_iova_used_first(&aspace->iova, range); node;
	     node = iofd_iova_used_next(node, range)) {
		if (!iofd_range_has(node->range, next) ||
		    !atomic_read(&iofd_area_of(node)->pins))
			return false;
		if (node->range.last >= range.last)
			return true;
		next = node->range.last + 1;
	}
	return false;
}

static void unpin(struct iofd_aspace *aspace, struct iofd_range range,
		  bool lock)
{
	struct slice slice;
	bool more = true;

	down_read(&aspace->iova_rwsem);
	if (WARN_ON(!is_pinned(aspace, range))) {
		up_read(&aspace->iova_rwsem);
		return;
	}
	while (more) {
		slice = pinned_slice(aspace, range);
		iofd_pages_unpin(slice.area->pages, slice.byte, slice.length);
		if (lock)
			atomic_dec(&slice.area->locks);
		atomic_dec(&slice.area->pins);
		more = slice.length - 1 < range.last - range.first;
		range.first += slice.length;
	}
	up_read(&aspace->iova_rwsem);
}

/**
 * iofd_aspace_unpin - undo iofd_aspace_pin()
 * @aspace: address space
 * @range: exactly the range of a pin; anything else is a bug of the caller,
 *         which is warned about and leaves everything as it is
 */
void iofd_aspace_unpin(struct iofd_aspace *aspace, struct iofd_range range)
{
	unpin(aspace, range, false);
}

/**
 * iofd_aspace_unlock - undo iofd_aspace_lock()
 * @aspace: address space
 * @range: exactly the range that was locked
 */
void iofd_aspace_unlock(struct iofd_aspace *aspace, struct iofd_range range)
{
	unpin(aspace, range, true);
}

/* How many pages a slice touches. */
static unsigned long slice_pages(const struct slice *slice)
{
	return iofd_range_length(iofd_pages_indices(slice->area->pages,
						    slice->byte,
						    slice->length));
}

static int pin(struct iofd_aspace *aspace, struct iofd_range range,
	       struct page **out, int prot, bool lock)
{
	struct iofd_range rest = range;
	struct slice slice;
	bool more = true;
	int rc;

	while (more) {
		down_read(&aspace->iova_rwsem);
		rc = find_slice(aspace, rest, prot, true, &slice);
		if (!rc) {
			if (lock)
				atomic_inc(&slice.area->locks);
			atomic_inc(&slice.area->pins);
			atomic_inc(&slice.area->pinning);
		}
		up_read(&aspace->iova_rwsem);
		if (rc)
			goto err_unpin;

		rc = iofd_pages_pin(slice.area->pages, slice.byte,
				    slice.length, out);
		if (rc) {
			if (lock)
				atomic_dec(&slice.area->locks);
			atomic_dec(&slice.area->pins);
		} else {
			out += slice_pages(&slice);
		}
		/* Without a pin the area may be gone right after this. */
		if (atomic_dec_and_test(&slice.area->pinning))
			wake_up_all(&aspace->idle);
		if (rc)
			goto err_unpin;
		more = slice.length - 1 < rest.last - rest.first;
		rest.first += slice.length;
	}
	return 0;

err_unpin:
	if (rest.first != range.first) {
		rest = (struct iofd_range){ range.first, rest.first - 1 };
		unpin(aspace, rest, lock);
	}
	return rc;
}

/**
 * iofd_aspace_pin - pin the memory behind a range for the CPU
 * @aspace: address space
 * @range: IOVAs, covered by areas without a gap
 * @out: out: one page for each PAGE_SIZE that is touched, in order
 * @write: the CPU will write
 *
 * Return: 0; -ENOENT a part is not mapped; -EINVAL a part is being unmapped,
 * or lies in its page at another offset than its IOVA; -EPERM the mapping does
 * not allow it; what iofd_pages_hold() returns.  On failure nothing is pinned.
 */
int iofd_aspace_pin(struct iofd_aspace *aspace, struct iofd_range range,
		    struct page **out, bool write)
{
	return pin(aspace, range, out, write ? IOMMU_WRITE : IOMMU_READ, false);
}

/**
 * iofd_aspace_lock - pin the memory behind a range for hardware to read
 * @aspace: address space
 * @range: IOVAs, covered by areas without a gap
 * @out: out: one page for each PAGE_SIZE that is touched, in order
 *
 * Until iofd_aspace_unlock() no area that the range meets can be unmapped.
 *
 * Return: as iofd_aspace_pin().
 */
int iofd_aspace_lock(struct iofd_aspace *aspace, struct iofd_range range,
		     struct page **out)
{
	return pin(aspace, range, out, IOMMU_READ, true);
}

/**
 * iofd_aspace_rw - copy to or from the memory behind a range
 * @aspace: address space
 * @range: IOVAs, covered by areas without a gap
 * @data: kernel buffer of as many bytes
 * @flags: direction and how
 *
 * Return: 0; -ENOENT a part is not mapped; -EINVAL a part is being unmapped;
 * -EPERM the mapping does not allow it; what iofd_pages_rw() returns.  On
 * failure a part may have been copied.
 */
int iofd_aspace_rw(struct iofd_aspace *aspace, struct iofd_range range,
		   void *data, enum iofd_copy_flags flags)
{
	int prot = flags & IOFD_COPY_WRITE ? IOMMU_WRITE : IOMMU_READ;
	struct slice slice;
	bool more = true;
	int rc = 0;

	if (flags & IOFD_COPY_READABLE)
		prot |= IOMMU_READ;
	down_read(&aspace->iova_rwsem);
	while (more) {
		rc = find_slice(aspace, range, prot, false, &slice);
		if (rc)
			break;
		rc = iofd_pages_rw(slice.area->pages, slice.byte, data,
				   slice.length, flags);
		if (rc)
			break;
		more = slice.length - 1 < range.last - range.first;
		data += slice.length;
		range.first += slice.length;
	}
	up_read(&aspace->iova_rwsem);
	return rc;
}
