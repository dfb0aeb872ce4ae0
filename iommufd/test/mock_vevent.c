// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: events of mock devices
 *
 * A device that is on a nested page table of a vIOMMU has something to tell the
 * guest: the number it has there.
 *
 * Lock: viommu_lock of the device keeps the vIOMMU while the event is reported.
 */
#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/iommufd.h>

#include "device/device.h"
#include "iommufd_test.h"
#include "test/mock.h"

static int report(struct mock_device *mdev)
{
	struct iommu_viommu_event_selftest event;

	guard(mutex)(&mdev->viommu_lock);
	if (!mdev->viommu || !mdev->vdev_id)
		return -ENOENT;
	event.virt_id = mdev->vdev_id;
	return iommufd_viommu_report_event(mdev->viommu,
					   IOMMU_VEVENTQ_TYPE_SELFTEST, &event,
					   sizeof(event));
}

/* IOMMU_TEST_OP_TRIGGER_VEVENT */
int mock_vevent_trigger_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct iommufd_device *idev;
	int rc = -ENOENT;

	idev = iofd_device_borrow(ucmd->ctx, cmd->trigger_vevent.dev_id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);
	if (mock_iommu_has_device(idev->dev))
		rc = report(mock_device_of(idev->dev));
	iofd_device_return(idev);
	return rc;
}
