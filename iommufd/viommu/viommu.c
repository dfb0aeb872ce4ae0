// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: vIOMMUs
 *
 * A vIOMMU stands for the share of one physical IOMMU that a guest gets.  It
 * belongs to a page table made with IOMMU_HWPT_ALLOC_NEST_PARENT, which is the
 * guest's physical memory, and everything else of the guest's IOMMU belongs to
 * it::
 *
 *   IOAS <--- nest parent <--- vIOMMU <---+--- nested page tables
 *                                         +--- vDEVICEs
 *                                         +--- event queues
 *                                         +--- hardware queues
 *                                         +--- VMAs that show its registers
 *
 * An arrow is a ref: what it points at goes later.  What a vIOMMU can do is its
 * IOMMU driver's: the driver says how large its own structure is, and fills it.
 */
#include <linux/slab.h>

#include "../iommu-priv.h"
#include "base/check.h"
#include "device/device.h"
#include "viommu/viommu.h"

static void viommu_release(struct iommufd_viommu *viommu)
{
	if (viommu->ops && viommu->ops->destroy)
		viommu->ops->destroy(viommu);
	iofd_check(xa_empty(&viommu->vdevs));
	xa_destroy(&viommu->vdevs);
	iofd_hwpt_unref(viommu->hwpt);
}

static void viommu_destroy(struct iommufd_object *obj)
{
	viommu_release(iofd_viommu_of(obj));
}

const struct iofd_object_type iofd_viommu_type = {
	.name = "viommu",
	.destroy = viommu_destroy,
};

/* Size of the driver's struct; 0 if it has no vIOMMU of this type. */
static size_t viommu_size(struct device *dev, u32 type)
{
	const struct iommu_ops *ops = dev_iommu_ops(dev);
	size_t size;

	if (!ops->get_viommu_size || !ops->viommu_init)
		return 0;
	size = ops->get_viommu_size(dev, type);
	if (WARN_ON_ONCE(size && size < sizeof(struct iommufd_viommu)))
		return 0;
	return size;
}

/* A vIOMMU in state NEW, all but what the driver has to fill. */
static struct iommufd_viommu *viommu_new(struct iofd_ucmd *ucmd,
					 struct device *dev,
					 struct iommufd_hwpt_paging *parent,
					 size_t size)
{
	struct iommu_viommu_alloc *cmd = ucmd->cmd;
	struct iommufd_ctx *ictx = ucmd->ctx;
	struct iommufd_viommu *viommu;
	int rc;

	viommu = kzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!viommu)
		return ERR_PTR(-ENOMEM);
	rc = iofd_object_new(&ictx->objects, &viommu->obj, IOMMUFD_OBJ_VIOMMU);
	if (rc) {
		kfree(viommu);
		return ERR_PTR(rc);
	}
	if (!iofd_object_ref(&parent->common.obj)) {
		iofd_object_cancel(&ictx->objects, &viommu->obj);
		return ERR_PTR(-ENOENT);
	}
	viommu->ictx = ictx;
	viommu->type = cmd->type;
	viommu->iommu_dev = __iommu_get_iommu_dev(dev);
	viommu->hwpt = parent;
	xa_init(&viommu->vdevs);
	INIT_LIST_HEAD(&viommu->veventqs);
	init_rwsem(&viommu->veventqs_rwsem);
	return viommu;
}

/* The driver's part; on failure there is nothing of it to undo. */
static int viommu_init(struct iommufd_viommu *viommu, struct device *dev,
		       const struct iommu_viommu_alloc *cmd)
{
	const struct iommu_user_data data = {
		.type = cmd->type,
		.uptr = u64_to_user_ptr(cmd->data_uptr),
		.len = cmd->data_len,
	};
	int rc;

	rc = dev_iommu_ops(dev)->viommu_init(viommu,
					     viommu->hwpt->common.domain,
					     cmd->data_len ? &data : NULL);
	if (rc)
		return rc;
	return WARN_ON_ONCE(!viommu->ops) ? -EOPNOTSUPP : 0;
}

static int viommu_create(struct iofd_ucmd *ucmd, struct device *dev,
			 struct iommufd_hwpt_paging *parent, size_t size)
{
	struct iommu_viommu_alloc *cmd = ucmd->cmd;
	struct iofd_objects *objects = &ucmd->ctx->objects;
	struct iommufd_viommu *viommu;
	int rc;

	if (!parent->nest_parent)
		return -EINVAL;
	/* The driver will take the parent for one of its own. */
	if (parent->common.domain->owner != dev_iommu_ops(dev))
		return -EINVAL;

	viommu = viommu_new(ucmd, dev, parent, size);
	if (IS_ERR(viommu))
		return PTR_ERR(viommu);
	rc = viommu_init(viommu, dev, cmd);
	if (rc)
		goto err_release;
	cmd->out_viommu_id = viommu->obj.id;
	rc = iofd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		goto err_release;
	iofd_object_publish(objects, &viommu->obj);
	return 0;

err_release:
	viommu_release(viommu);
	iofd_object_cancel(objects, &viommu->obj);
	return rc;
}

/* IOMMU_VIOMMU_ALLOC */
int viommu_alloc_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_viommu_alloc *cmd = ucmd->cmd;
	struct iommufd_ctx *ictx = ucmd->ctx;
	struct iommufd_device *idev;
	struct iommufd_object *obj;
	size_t size;
	int rc;

	if (cmd->flags || cmd->type == IOMMU_VIOMMU_TYPE_DEFAULT)
		return -EOPNOTSUPP;

	idev = iofd_device_borrow(ictx, cmd->dev_id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);
	size = viommu_size(idev->dev, cmd->type);
	if (!size) {
		rc = -EOPNOTSUPP;
		goto out_device;
	}
	obj = iofd_object_borrow(&ictx->objects, cmd->hwpt_id,
				 IOMMUFD_OBJ_HWPT_PAGING);
	if (IS_ERR(obj)) {
		rc = PTR_ERR(obj);
		goto out_device;
	}
	rc = viommu_create(ucmd, idev->dev, iofd_hwpt_paging_of(obj), size);
	iofd_object_return(&ictx->objects, obj);
out_device:
	iofd_device_return(idev);
	return rc;
}
