// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: PASIDs of the mock
 *
 * All page tables suit all PASIDs, but for IOMMU_TEST_PASID_RESERVED, which has
 * a trap, so that a test sees a replace fail late::
 *
 *                page table              page table: ENOMEM
 *     blocked ---------------> trap set ------------------> trap not set
 *        ^                        |                           |   |
 *        +------ block -----------+---------------------------+   | page table
 *                                 ^                               |
 *                                 +-------------------------------+
 *
 * The group's mutex, which the IOMMU core holds around all of this, is lock
 * enough.
 */
#include "../iommu-priv.h"
#include "iommufd_test.h"
#include "test/mock.h"

/**
 * mock_pasid_set - a PASID of a device gets a page table
 * @dev: mock device; its group's mutex is held
 * @pasid: PASID
 * @domain: page table
 * @old: the one before, or NULL
 *
 * For the set_dev_pasid op of everything but the blocked domain.
 *
 * Return: 0; -ENOMEM in the trap, or from mock_iopf_attach().
 */
int mock_pasid_set(struct device *dev, ioasid_t pasid,
		   struct iommu_domain *domain, struct iommu_domain *old)
{
	struct mock_device *mdev = mock_device_of(dev);
	bool trap = pasid == IOMMU_TEST_PASID_RESERVED;
	int rc;

	iommu_group_mutex_assert(dev);
	if (trap && mdev->pasid_trap) {
		mdev->pasid_trap = false;
		return -ENOMEM;
	}
	rc = mock_iopf_attach(dev, domain, old);
	if (!rc && trap)
		mdev->pasid_trap = true;
	return rc;
}

/**
 * mock_pasid_block - a PASID of a device is blocked
 * @dev: mock device; its group's mutex is held
 * @pasid: PASID
 */
void mock_pasid_block(struct device *dev, ioasid_t pasid)
{
	iommu_group_mutex_assert(dev);
	if (pasid == IOMMU_TEST_PASID_RESERVED)
		mock_device_of(dev)->pasid_trap = false;
}
