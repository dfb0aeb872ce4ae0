// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: areas without address
 *
 * A program that is replaced by another while devices go on working, as in a
 * live update of a virtual machine, says beforehand that the addresses of its
 * memory will not be valid any more (disown), and its successor says where the
 * same memory is now (adopt)::
 *
 *     LIVE ---- disown ----> LIVE, orphan ---- adopt ----> LIVE
 *                                 |
 *                                 +---- unmap, as ever
 *
 * Devices notice nothing: what they reach is pinned.  In-kernel users would
 * need the address, so an address space has either them or orphans, and each
 * is refused while the other is there: nobody waits for a successor that may
 * never come.
 *
 * The successor pays for what is pinned from then on.  That the memory is the
 * same is its promise; if it breaks it, it is its own devices that see other
 * memory than it does.
 */
#include "base/check.h"
#include "space/area.h"
#include "space/aspace.h"

/* The areas of a range that can be disowned, one by one from @prev on. */
static struct iofd_area *next_starting(struct iofd_aspace *aspace,
				       struct iofd_range range,
				       struct iofd_area *prev)
{
	struct iofd_iova_node *node;

	node = prev ? iofd_iova_used_next(&prev->node, range) :
		      iofd_iova_used_first(&aspace->iova, range);
	/* Only the first can begin before the range. */
	if (!node || node->range.first < range.first)
		return NULL;
	return iofd_area_of(node);
}

static int check_disown(struct iofd_aspace *aspace, struct iofd_range range,
			enum iofd_unmap_rule rule)
{
	struct iofd_area *area;

	if (rule == IOFD_UNMAP_WHOLE && iofd_aspace_cuts_locked(aspace, range))
		return -EINVAL;
	for (area = next_starting(aspace, range, NULL); area;
	     area = next_starting(aspace, range, area)) {
		if (area->state != IOFD_AREA_LIVE)
			return -EBUSY;
		if (area->orphan)
			return -EINVAL;
	}
	return 0;
}

/**
 * iofd_aspace_disown - the addresses of areas are no longer valid
 * @aspace: address space
 * @range: range
 * @rule: which areas it means, %IOFD_UNMAP_WHOLE or %IOFD_UNMAP_STARTS
 * @disowned: out: bytes in areas that have become orphans
 *
 * Return: 0; -EBUSY there are in-kernel users, or an area is being mapped or
 * unmapped; -EINVAL the range cuts an area, or one is an orphan already.  On
 * failure nothing has changed.
 */
int iofd_aspace_disown(struct iofd_aspace *aspace, struct iofd_range range,
		       enum iofd_unmap_rule rule, unsigned long *disowned)
{
	struct iofd_area *area;
	int rc;

	*disowned = 0;
	down_write(&aspace->iova_rwsem);
	rc = aspace->nusers ? -EBUSY : check_disown(aspace, range, rule);
	if (rc)
		goto out;
	for (area = next_starting(aspace, range, NULL); area;
	     area = next_starting(aspace, range, area)) {
		area->orphan = true;
		aspace->norphans++;
		*disowned += iofd_area_length(area);
	}
out:
	up_write(&aspace->iova_rwsem);
	return rc;
}

/**
 * iofd_aspace_adopt - give an orphan an address of the calling process
 * @aspace: address space
 * @range: exactly the range of the orphan
 * @uptr: where its first byte is
 *
 * Return: 0; -ENOENT nothing is mapped in the range; -EINVAL no orphan, or of
 * another range or kind of memory; -EBUSY the memory was copied to another
 * place with IOMMU_IOAS_COPY; -ENOMEM over the limit of the caller.
 */
int iofd_aspace_adopt(struct iofd_aspace *aspace, struct iofd_range range,
		      unsigned long uptr)
{
	struct iofd_iova_node *node;
	struct iofd_area *area;
	int rc;

	down_write(&aspace->iova_rwsem);
	node = iofd_iova_used_first(&aspace->iova, range);
	area = iofd_area_of(node);
	if (!area) {
		rc = -ENOENT;
	} else if (!area->orphan || node->range.first != range.first ||
		   node->range.last != range.last || uptr < area->byte) {
		rc = -EINVAL;
	} else {
		rc = iofd_user_pages_move(area->pages, uptr - area->byte);
		if (!rc) {
			area->orphan = false;
			aspace->norphans--;
		}
	}
	up_write(&aspace->iova_rwsem);
	return rc;
}
