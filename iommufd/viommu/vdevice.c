// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: vDEVICEs
 *
 * A vDEVICE says under which number the guest knows a device.  A device has one
 * at most, a vIOMMU one for each number::
 *
 *   alloc     number reserved, driver's init; answer  | number leads to device
 *   destroy   number leads nowhere, driver's destroy    number free
 *
 * The bar is the point of no return.  Two can end a vDEVICE: IOMMU_DESTROY, and
 * the unbind of its device, which leaves a tomb, an ID that stays taken.  The
 * ID table decides who was first; the other finds it gone, and an unbind then
 * waits for the DESTROY, since the vDEVICE borrows the device all its life.
 *
 * Lock: the lock of the device's group, held over destroy and over both parts
 * of alloc, but not while the answer is copied: that takes as long as the
 * caller's page faults do, and nobody who attaches a device of the group shall
 * wait for them.  It guards the device's pointer to its vDEVICE.  An unbind
 * that begins meanwhile finds nothing to end, and makes the alloc give up.
 */
#include <linux/limits.h>
#include <linux/slab.h>

#include "base/check.h"
#include "device/device.h"
#include "viommu/vdevice.h"
#include "viommu/viommu.h"

/* Driver's part, number, device; in the reverse order of vdevice_init() */
static void vdevice_release(struct iommufd_vdevice *vdev)
{
	struct iommufd_viommu *viommu = vdev->viommu;

	lockdep_assert_held(&vdev->idev->igroup->lock);

	/* Who looks the number up now finds no device, but it is not free. */
	xa_store(&viommu->vdevs, vdev->virt_id, XA_ZERO_ENTRY, 0);
	if (vdev->destroy)
		vdev->destroy(vdev);
	xa_erase(&viommu->vdevs, vdev->virt_id);
	vdev->idev->vdev = NULL;
	iofd_object_unref(&viommu->obj);
}

static void vdevice_destroy(struct iommufd_object *obj)
{
	struct iommufd_vdevice *vdev =
		container_of(obj, struct iommufd_vdevice, obj);
	struct iommufd_device *idev = vdev->idev;

	mutex_lock(&idev->igroup->lock);
	vdevice_release(vdev);
	mutex_unlock(&idev->igroup->lock);
	/* The device may be gone right after this. */
	iofd_device_return(idev);
}

const struct iofd_object_type iofd_vdevice_type = {
	.name = "vdevice",
	.destroy = vdevice_destroy,
};

/* Size of the driver's struct; 0 if the driver has a bug. */
static size_t vdevice_size(struct iommufd_viommu *viommu)
{
	size_t size = viommu->ops->vdevice_size;

	if (!size)
		return sizeof(struct iommufd_vdevice);
	if (WARN_ON_ONCE(size < sizeof(struct iommufd_vdevice) ||
			 !viommu->ops->vdevice_init))
		return 0;
	return size;
}

/* Take the number and let the driver fill its part, or nothing. */
static int vdevice_init(struct iommufd_vdevice *vdev,
			struct iommufd_viommu *viommu,
			struct iommufd_device *idev, u64 virt_id)
{
	int rc;

	vdev->viommu = viommu;
	vdev->idev = idev;
	vdev->virt_id = virt_id;
	if (!iofd_object_ref(&viommu->obj))
		return -ENOENT;
	/* An entry without a vDEVICE, which answers nobody. */
	rc = xa_insert(&viommu->vdevs, virt_id, NULL, GFP_KERNEL_ACCOUNT);
	if (rc) {
		rc = rc == -EBUSY ? -EEXIST : rc;
		goto err_unref;
	}
	if (viommu->ops->vdevice_init) {
		rc = viommu->ops->vdevice_init(vdev);
		if (rc)
			goto err_erase;
	}
	idev->vdev = vdev;
	return 0;

err_erase:
	xa_erase(&viommu->vdevs, virt_id);
err_unref:
	iofd_object_unref(&viommu->obj);
	return rc;
}

/*
 * In state NEW: the device and the number are taken, and the number leads
 * nowhere.
 */
static struct iommufd_vdevice *vdevice_new(struct iommufd_viommu *viommu,
					   struct iommufd_device *idev,
					   u64 virt_id)
{
	struct iofd_objects *objects = &viommu->ictx->objects;
	struct iommufd_vdevice *vdev;
	size_t size;
	int rc;

	guard(mutex)(&idev->igroup->lock);
	if (idev->unbinding)
		return ERR_PTR(-ENOENT);
	if (idev->vdev)
		return ERR_PTR(-EEXIST);
	size = vdevice_size(viommu);
	if (!size)
		return ERR_PTR(-EOPNOTSUPP);
	vdev = kzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!vdev)
		return ERR_PTR(-ENOMEM);
	rc = iofd_object_new(objects, &vdev->obj, IOMMUFD_OBJ_VDEVICE);
	if (rc) {
		kfree(vdev);
		return ERR_PTR(rc);
	}
	rc = vdevice_init(vdev, viommu, idev, virt_id);
	if (rc) {
		iofd_object_cancel(objects, &vdev->obj);
		return ERR_PTR(rc);
	}
	return vdev;
}

static void vdevice_cancel(struct iommufd_vdevice *vdev)
{
	struct iofd_objects *objects = &vdev->viommu->ictx->objects;

	scoped_guard(mutex, &vdev->idev->igroup->lock)
		vdevice_release(vdev);
	iofd_object_cancel(objects, &vdev->obj);
}

/* NEW to LIVE, unless its device is leaving. */
static int vdevice_publish(struct iommufd_vdevice *vdev)
{
	struct iommufd_viommu *viommu = vdev->viommu;
	void *old;

	guard(mutex)(&vdev->idev->igroup->lock);
	if (vdev->idev->unbinding)
		return -ENOENT;

	/* Point of no return: the entry exists, so this allocates nothing. */
	old = xa_store(&viommu->vdevs, vdev->virt_id, vdev, 0);
	iofd_check(!xa_is_err(old));
	iofd_object_publish(&viommu->ictx->objects, &vdev->obj);
	return 0;
}

/* On success the vDEVICE has taken over the caller's borrow of the device. */
static int vdevice_create(struct iofd_ucmd *ucmd, struct iommufd_viommu *viommu,
			  struct iommufd_device *idev)
{
	struct iommu_vdevice_alloc *cmd = ucmd->cmd;
	struct iommufd_vdevice *vdev;
	int rc;

	/* The driver takes both for its own. */
	if (viommu->iommu_dev != __iommu_get_iommu_dev(idev->dev))
		return -EINVAL;
	vdev = vdevice_new(viommu, idev, cmd->virt_id);
	if (IS_ERR(vdev))
		return PTR_ERR(vdev);
	cmd->out_vdevice_id = vdev->obj.id;
	rc = iofd_ucmd_respond(ucmd, sizeof(*cmd));
	if (!rc)
		rc = vdevice_publish(vdev);
	if (rc)
		vdevice_cancel(vdev);
	return rc;
}

/* IOMMU_VDEVICE_ALLOC */
int vdevice_alloc_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_vdevice_alloc *cmd = ucmd->cmd;
	struct iommufd_viommu *viommu;
	struct iommufd_device *idev;
	int rc;

	if (cmd->virt_id > ULONG_MAX)
		return -EINVAL;

	viommu = iofd_viommu_borrow(ucmd->ctx, cmd->viommu_id);
	if (IS_ERR(viommu))
		return PTR_ERR(viommu);
	idev = iofd_device_borrow(ucmd->ctx, cmd->dev_id);
	if (IS_ERR(idev)) {
		rc = PTR_ERR(idev);
		goto out_viommu;
	}
	rc = vdevice_create(ucmd, viommu, idev);
	if (rc)
		iofd_device_return(idev);
out_viommu:
	iofd_viommu_return(viommu);
	return rc;
}
