// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: MSI pages of a group that moves
 *
 * A group that has interrupts brings along the MSI pages it needs when it is
 * attached to another page table::
 *
 *   learn     the device's window, from its reserved regions
 *   arrive    reserve the window for good, map what is needed; from now on
 *             pages that are needed newly go to the new page table too
 *     the IOMMU core switches
 *   arrived   they go to the one page table the group is on
 *
 * Between arrive and arrived interrupts may be set up through the old page
 * table: no lock is held that the switch needs.
 *
 * An MSI page stays mapped until the page table is freed.  Devices that reserve
 * the window may leave before, so the page table itself reserves it too.
 */
#include "device/device.h"
#include "device/msi.h"

void iofd_msi_group_init(struct iommufd_group *igroup)
{
	igroup->msi.space = &igroup->ctx->msi;
}

/**
 * iofd_msi_learn - what a device of a group has reported
 * @igroup: group; locked
 * @window: its window, if there is one
 *
 * Return: 0; -EINVAL with a warning if another device of the group has another
 * window.
 */
int iofd_msi_learn(struct iommufd_group *igroup,
		   const struct iofd_msi_window *window)
{
	struct iofd_msi_group *msi = &igroup->msi;

	if (!window->exists)
		return 0;
	guard(mutex)(&msi->space->lock);
	if (!msi->window.exists)
		msi->window = *window;
	/* Where would MSIs of the group go?  Its IOMMU driver must decide. */
	if (WARN_ON(msi->window.range.first != window->range.first ||
		    msi->window.range.last != window->range.last))
		return -EINVAL;
	return 0;
}

static int install_needed(struct iofd_msi_group *msi,
			  struct iofd_msi_table *table)
{
	struct iofd_msi_page *page;
	int rc;

	list_for_each_entry(page, &msi->space->pages, link) {
		if (!test_bit(page->id, msi->needed))
			continue;
		rc = iommufd_sw_msi_install(msi->space, table, page);
		if (rc)
			return rc;
	}
	return 0;
}

/**
 * iofd_msi_arrive - bring a group's MSI pages to where the group will be
 * @igroup: group; locked
 * @hwpt: page table it will be on, whose address space has the group's regions
 *        reserved
 *
 * What a failed move has brought stays: it belongs to the page table.
 *
 * Return: 0, and iofd_msi_arrived() has to follow; -ENOMEM; what iommu_map()
 * returns.
 */
int iofd_msi_arrive(struct iommufd_group *igroup,
		    struct iommufd_hwpt_paging *hwpt)
{
	struct iofd_msi_group *msi = &igroup->msi;
	int rc;

	/* Written under the group's lock only, so it can be read without. */
	if (!msi->window.exists)
		return 0;
	/* Two groups at once may both reserve, which does no harm. */
	if (!READ_ONCE(hwpt->msi.reserved)) {
		rc = iofd_aspace_reserve(&hwpt->ioas->aspace,
					 msi->window.range,
					 &hwpt->member);
		if (rc)
			return rc;
		WRITE_ONCE(hwpt->msi.reserved, true);
	}

	guard(mutex)(&msi->space->lock);
	rc = install_needed(msi, &hwpt->msi);
	if (!rc)
		msi->next = &hwpt->msi;
	return rc;
}

/**
 * iofd_msi_arrived - the group is where it was to be, or back
 * @igroup: group; locked
 */
void iofd_msi_arrived(struct iommufd_group *igroup)
{
	guard(mutex)(&igroup->msi.space->lock);
	igroup->msi.next = NULL;
}
