// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: IOMMU_HWPT_ALLOC
 *
 * The page table is an object of the floor below; this ioctl lives here since
 * it names a device, whose IOMMU driver makes the domain.
 */
#include "base/check.h"
#include "device/device.h"

static bool has_data(const struct iommu_hwpt_alloc *cmd)
{
	return cmd->data_type != IOMMU_HWPT_DATA_NONE;
}

/* A paging page table for an IOAS, still empty. */
static struct iommufd_hwpt_paging *
alloc_paging(struct iommufd_device *idev, struct iofd_ioas *ioas,
	     const struct iommu_hwpt_alloc *cmd)
{
	const struct iommu_user_data data = {
		.type = cmd->data_type,
		.uptr = u64_to_user_ptr(cmd->data_uptr),
		.len = cmd->data_len,
	};

	return iofd_hwpt_paging_new(ioas, idev->dev, idev->enforce_coherency,
				    cmd->flags, has_data(cmd) ? &data : NULL);
}

/* Fill it, find the fault queue, answer, and make it visible. */
static int finish_paging(struct iofd_ucmd *ucmd,
			 struct iommufd_hwpt_paging *hwpt)
{
	struct iommu_hwpt_alloc *cmd = ucmd->cmd;
	int rc;

	rc = iofd_hwpt_paging_join(hwpt);
	if (rc)
		goto err_cancel;
	if (cmd->flags & IOMMU_HWPT_FAULT_ID_VALID) {
		/* Fault queues cannot be made yet, so there is none. */
		rc = -ENOENT;
		goto err_cancel;
	}
	cmd->out_hwpt_id = hwpt->common.obj.id;
	rc = iofd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		goto err_cancel;
	iofd_hwpt_publish(hwpt);
	return 0;

err_cancel:
	iofd_hwpt_paging_cancel(hwpt);
	return rc;
}

/* IOMMU_HWPT_ALLOC */
int hwpt_alloc_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_hwpt_alloc *cmd = ucmd->cmd;
	struct iommufd_ctx *ictx = ucmd->ctx;
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_device *idev;
	struct iommufd_object *pt;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	if (has_data(cmd) != !!cmd->data_len)
		return -EINVAL;

	idev = iofd_device_borrow(ictx, cmd->dev_id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);
	pt = iofd_object_borrow(&ictx->objects, cmd->pt_id, IOMMUFD_OBJ_ANY);
	if (IS_ERR(pt)) {
		iofd_device_return(idev);
		return -EINVAL;
	}

	switch (pt->type) {
	case IOMMUFD_OBJ_IOAS:
		hwpt = alloc_paging(idev, iofd_ioas_of(pt), cmd);
		break;
	case IOMMUFD_OBJ_HWPT_PAGING:
		/* A nested page table: not part of this driver yet. */
		hwpt = ERR_PTR(-EOPNOTSUPP);
		break;
	default:
		hwpt = ERR_PTR(-EINVAL);
		break;
	}

	/* Filling takes long; its driver may want to unbind the device. */
	iofd_device_return(idev);
	if (IS_ERR(hwpt))
		rc = PTR_ERR(hwpt);
	else
		rc = finish_paging(ucmd, hwpt);
	iofd_object_return(&ictx->objects, pt);
	return rc;
}
