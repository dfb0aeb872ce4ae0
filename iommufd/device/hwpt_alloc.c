// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: IOMMU_HWPT_ALLOC
 *
 * The page table is an object of the floor below; this ioctl lives here since
 * it names a device, whose IOMMU driver makes the domain, and a fault queue.
 * What pt_id names decides what is made::
 *
 *   IOAS          a paging HWPT, filled with the IOAS's areas
 *   paging HWPT   a nested one, of which that is the parent
 *   vIOMMU        a nested one, of which the vIOMMU has the parent
 *
 * From here on they are treated alike: fault queue, answer, | publish, where
 * the bar is the point of no return.
 */
#include "base/check.h"
#include "device/device.h"
#include "device/fault.h"

static bool has_data(const struct iommu_hwpt_alloc *cmd)
{
	return cmd->data_type != IOMMU_HWPT_DATA_NONE;
}

/* A paging page table for an IOAS, still empty. */
static struct iommufd_hw_pagetable *
alloc_paging(struct iommufd_device *idev, struct iofd_ioas *ioas, u32 flags,
	     const struct iommu_user_data *data)
{
	struct iommufd_hwpt_paging *hwpt;

	hwpt = iofd_hwpt_paging_new(ioas, idev->dev, idev->enforce_coherency,
				    flags, data);
	/* An IOAS that is going is as good as gone, which here is EINVAL. */
	if (hwpt == ERR_PTR(-ENOENT))
		return ERR_PTR(-EINVAL);
	return IS_ERR(hwpt) ? ERR_CAST(hwpt) : &hwpt->common;
}

static struct iommufd_hw_pagetable *
alloc_nested(struct iommufd_device *idev, struct iommufd_hwpt_paging *parent,
	     u32 flags, const struct iommu_user_data *data)
{
	struct iommufd_hwpt_nested *hwpt;

	hwpt = iofd_hwpt_nested_new(parent, idev->dev, flags, data);
	return IS_ERR(hwpt) ? ERR_CAST(hwpt) : &hwpt->common;
}

static struct iommufd_hw_pagetable *
alloc_nested_viommu(struct iommufd_device *idev, struct iommufd_viommu *viommu,
		    u32 flags, const struct iommu_user_data *data)
{
	struct iommufd_hwpt_nested *hwpt;

	hwpt = iofd_hwpt_nested_new_viommu(viommu, idev->dev, flags, data);
	return IS_ERR(hwpt) ? ERR_CAST(hwpt) : &hwpt->common;
}

/* What @pt asks for, in state NEW. */
static struct iommufd_hw_pagetable *
alloc_hwpt(struct iommufd_device *idev, struct iommufd_object *pt,
	   const struct iommu_hwpt_alloc *cmd)
{
	const struct iommu_user_data user_data = {
		.type = cmd->data_type,
		.uptr = u64_to_user_ptr(cmd->data_uptr),
		.len = cmd->data_len,
	};
	const struct iommu_user_data *data = has_data(cmd) ? &user_data : NULL;
	struct iommufd_viommu *viommu;

	switch (pt->type) {
	case IOMMUFD_OBJ_IOAS:
		return alloc_paging(idev, iofd_ioas_of(pt), cmd->flags, data);
	case IOMMUFD_OBJ_HWPT_PAGING:
		return alloc_nested(idev, iofd_hwpt_paging_of(pt), cmd->flags,
				    data);
	case IOMMUFD_OBJ_VIOMMU:
		viommu = container_of(pt, struct iommufd_viommu, obj);
		return alloc_nested_viommu(idev, viommu, cmd->flags, data);
	default:
		return ERR_PTR(-EINVAL);
	}
}

static void cancel_hwpt(struct iommufd_hw_pagetable *hwpt)
{
	if (hwpt->obj.type == IOMMUFD_OBJ_HWPT_NESTED)
		iofd_hwpt_nested_cancel(iofd_hwpt_nested_of(&hwpt->obj));
	else
		iofd_hwpt_paging_cancel(iofd_hwpt_paging_of(&hwpt->obj));
}

/* Page faults go to the queue that the caller names. */
static int set_fault(struct iofd_objects *objects, u32 fault_id,
		     struct iommufd_hw_pagetable *hwpt)
{
	struct iommufd_object *obj;
	struct iofd_fault *fault;
	bool set;

	obj = iofd_object_borrow(objects, fault_id, IOMMUFD_OBJ_FAULT);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	fault = container_of(obj, struct iofd_fault, obj);
	set = iofd_hwpt_set_fault(hwpt, fault, obj, iofd_fault_handler);
	iofd_object_return(objects, obj);
	return set ? 0 : -ENOENT;
}

/* Fill it, find the fault queue, answer, and make it visible. */
static int finish_hwpt(struct iofd_ucmd *ucmd,
		       struct iommufd_hw_pagetable *hwpt)
{
	struct iommu_hwpt_alloc *cmd = ucmd->cmd;
	int rc;

	if (hwpt->obj.type == IOMMUFD_OBJ_HWPT_PAGING) {
		rc = iofd_hwpt_paging_join(iofd_hwpt_paging_of(&hwpt->obj));
		if (rc)
			goto err_cancel;
	}
	if (cmd->flags & IOMMU_HWPT_FAULT_ID_VALID) {
		rc = set_fault(&ucmd->ctx->objects, cmd->fault_id, hwpt);
		if (rc)
			goto err_cancel;
	}
	cmd->out_hwpt_id = hwpt->obj.id;
	rc = iofd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		goto err_cancel;

	/* Point of no return. */
	iofd_hwpt_publish(hwpt);
	return 0;

err_cancel:
	cancel_hwpt(hwpt);
	return rc;
}

/* IOMMU_HWPT_ALLOC */
int hwpt_alloc_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_hwpt_alloc *cmd = ucmd->cmd;
	struct iommufd_ctx *ictx = ucmd->ctx;
	struct iommufd_hw_pagetable *hwpt;
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

	hwpt = alloc_hwpt(idev, pt, cmd);
	/* Filling takes long; its driver may want to unbind the device. */
	iofd_device_return(idev);
	if (IS_ERR(hwpt))
		rc = PTR_ERR(hwpt);
	else
		rc = finish_hwpt(ucmd, hwpt);
	iofd_object_return(&ictx->objects, pt);
	return rc;
}
