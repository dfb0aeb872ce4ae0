// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: who pays for an address space
 *
 * A page set may be behind several areas, also of several address spaces, and
 * is visited once for each: what is done to it must do nothing the second time.
 */
#include "base/check.h"
#include "space/area.h"
#include "space/aspace.h"

/**
 * iofd_aspace_each_pages - call a function for the page set of each area
 * @aspace: address space; the caller keeps its areas from coming and going
 * @fn: may sleep and take the page set's lock; an error ends the walk
 *
 * Return: 0 or what @fn returned.
 */
int iofd_aspace_each_pages(struct iofd_aspace *aspace,
			   int (*fn)(struct iofd_pages *pages))
{
	struct iofd_iova_node *node;
	int rc = 0;

	down_read(&aspace->iova_rwsem);
	for (node = iofd_iova_used_first(&aspace->iova, IOFD_RANGE_ALL);
	     node && !rc; node = iofd_iova_used_next(node, IOFD_RANGE_ALL)) {
		struct iofd_area *area = iofd_area_of(node);

		iofd_check(area->state == IOFD_AREA_LIVE);
		rc = fn(area->pages);
		cond_resched();
	}
	up_read(&aspace->iova_rwsem);
	return rc;
}
