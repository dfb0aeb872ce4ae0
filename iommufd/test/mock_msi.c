// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: MSIs of the mock
 *
 * Devices with MOCK_FLAGS_DEVICE_X_SW_MSI have a window in which software
 * chooses where their MSIs go, like those of an Arm machine.  A test asks for the
 * IOVA of an MSI page in the place of the interrupt code, which does so only on
 * platforms that need it.
 *
 * Other flags give a device other regions: for MSIs that nobody translates, and
 * for what is no MSI.  Not all make sense together, which is for tests of devices
 * that contradict themselves.
 */
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/minmax.h>

#include "builtin/msi.h"
#include "device/device.h"
#include "iommufd_test.h"
#include "test/mock.h"

static void add_region(struct list_head *head, phys_addr_t start, size_t length,
		       enum iommu_resv_type type)
{
	struct iommu_resv_region *region;

	region = iommu_alloc_resv_region(start, length,
					 IOMMU_WRITE | IOMMU_NOEXEC |
						 IOMMU_MMIO,
					 type, GFP_KERNEL);
	if (region)
		list_add_tail(&region->list, head);
}

/**
 * mock_regions - the reserved regions of a mock device
 * @dev: mock device
 * @head: list to add to
 */
void mock_regions(struct device *dev, struct list_head *head)
{
	u32 flags = mock_device_of(dev)->flags;

	if (flags & MOCK_FLAGS_DEVICE_X_SW_MSI)
		add_region(head, MOCK_MSI_START, MOCK_MSI_LENGTH,
			   IOMMU_RESV_SW_MSI);
	if (flags & MOCK_FLAGS_DEVICE_X_SW_MSI_SMALL)
		add_region(head, MOCK_MSI_SMALL_START, MOCK_MSI_SMALL_LENGTH,
			   IOMMU_RESV_SW_MSI);
	if (flags & MOCK_FLAGS_DEVICE_X_HW_MSI)
		add_region(head, MOCK_HW_MSI_START, MOCK_HW_MSI_LENGTH,
			   IOMMU_RESV_MSI);
	if (flags & MOCK_FLAGS_DEVICE_X_RESERVED) {
		add_region(head, MOCK_RESERVED_START, MOCK_RESERVED_LENGTH,
			   IOMMU_RESV_RESERVED);
		add_region(head, MOCK_RELAXABLE_START, MOCK_RELAXABLE_LENGTH,
			   IOMMU_RESV_DIRECT_RELAXABLE);
	}
}

/**
 * mock_msi_moving - set up an MSI at the worst moment
 * @dev: mock device that is about to be on another page table; the mutex of its
 *       IOMMU group is held
 *
 * What drivers of devices do at any time the tests could hit by chance only.
 *
 * Return: 0, also for a device without the flag; what iommufd_sw_msi_place()
 * returns.
 */
int mock_msi_moving(struct device *dev)
{
	unsigned long iova;

	if (!(mock_device_of(dev)->flags & MOCK_FLAGS_DEVICE_X_LATE_MSI))
		return 0;
	return min(iommufd_sw_msi_place(dev, MOCK_LATE_MSI, &iova), 0);
}

/**
 * struct question - for place(), which the IOMMU core calls with its mutex
 * @dev: device
 * @addr: physical address of its MSIs
 * @iova: out: where the page is seen
 * @rc: out: what iommufd_sw_msi_place() returned
 */
struct question {
	struct device *dev;
	phys_addr_t addr;
	unsigned long iova;
	int rc;
};

static int place(struct device *dev, void *data)
{
	struct question *q = data;

	if (dev == q->dev)
		q->rc = iommufd_sw_msi_place(dev, q->addr, &q->iova);
	return 0;
}

/* IOMMU_TEST_OP_X_DEVICE_MSI */
int mock_msi_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct question q = { .addr = cmd->device_msi.addr };
	struct iommufd_device *idev;

	idev = iofd_device_borrow(ucmd->ctx, cmd->id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);
	q.dev = idev->dev;
	iommu_group_for_each_dev(idev->igroup->group, &q, place);
	iofd_device_return(idev);
	if (q.rc < 0)
		return q.rc;
	cmd->device_msi.translated = q.rc;
	cmd->device_msi.iova = q.iova;
	return iofd_ucmd_respond(ucmd, sizeof(*cmd));
}
