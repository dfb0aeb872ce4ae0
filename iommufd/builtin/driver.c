// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: helpers for IOMMU drivers
 *
 * IOMMU drivers are built in, also where the rest of iommufd is a module, so
 * what they call is built in too.  Nothing here may refer to the module: from
 * its headers come structures, not functions.
 */
#include <linux/export.h>
#include <linux/iommufd.h>
#include <linux/maple_tree.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "../iommu-priv.h"
#include "device/device.h"
#include "object/ctx.h"
#include "object/mmap.h"

/**
 * _iommufd_object_depend - make one object depend on another of its type
 * @obj_dependent: the object that needs the other
 * @obj_depended: the object that must not go before it
 *
 * IOMMU_DESTROY of @obj_depended answers EBUSY until
 * _iommufd_object_undepend().  Drivers call the typed macros in
 * linux/iommufd.h, under a lock that their destroy of @obj_depended takes too.
 *
 * Return: 0; -EINVAL for the same object or two types; -ENOENT @obj_depended
 * is being destroyed.
 */
int _iommufd_object_depend(struct iommufd_object *obj_dependent,
			   struct iommufd_object *obj_depended)
{
	if (obj_dependent == obj_depended ||
	    obj_dependent->type != obj_depended->type)
		return -EINVAL;
	return refcount_inc_not_zero(&obj_depended->users) ? 0 : -ENOENT;
}
EXPORT_SYMBOL_NS_GPL(_iommufd_object_depend, "IOMMUFD");

/**
 * _iommufd_object_undepend - undo _iommufd_object_depend()
 * @obj_dependent: the object that needed the other
 * @obj_depended: the other
 */
void _iommufd_object_undepend(struct iommufd_object *obj_dependent,
			      struct iommufd_object *obj_depended)
{
	if (WARN_ON_ONCE(obj_dependent == obj_depended ||
			 obj_dependent->type != obj_depended->type))
		return;
	refcount_dec(&obj_depended->users);
}
EXPORT_SYMBOL_NS_GPL(_iommufd_object_undepend, "IOMMUFD");

/**
 * _iommufd_alloc_mmap - register a region that user space may mmap
 * @ictx: context
 * @owner: object the region belongs to; a region can be mapped only once it is
 *         published, and keeps it from being destroyed while it is mapped
 * @mmio_addr: physical address, in whole pages
 * @length: number of bytes, in whole pages
 * @offset: out: offset for mmap, in whole pages, never 0
 *
 * Context: process context, may sleep.
 *
 * Return: 0; -EINVAL not in whole pages, or beyond the end of memory; -ENOMEM;
 * -EBUSY no room for the offset.
 */
int _iommufd_alloc_mmap(struct iommufd_ctx *ictx, struct iommufd_object *owner,
			phys_addr_t mmio_addr, size_t length,
			unsigned long *offset)
{
	struct iofd_mmap *region;
	phys_addr_t end;
	int rc;

	if (!length || !PAGE_ALIGNED(mmio_addr) || !PAGE_ALIGNED(length) ||
	    check_add_overflow(mmio_addr, length, &end))
		return -EINVAL;

	region = kzalloc_obj(*region, GFP_KERNEL_ACCOUNT);
	if (!region)
		return -ENOMEM;
	region->owner = owner;
	region->phys = mmio_addr;
	region->length = length;

	/*
	 * Offset 0 stays free: drivers take it for "no region".  Nobody can
	 * map the region before @owner is published.
	 */
	rc = mtree_alloc_range(&ictx->mmaps, &region->offset, region, length,
			       PAGE_SIZE, LONG_MAX, GFP_KERNEL_ACCOUNT);
	if (rc) {
		kfree(region);
		return rc;
	}
	*offset = region->offset;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(_iommufd_alloc_mmap, "IOMMUFD");

/**
 * _iommufd_destroy_mmap - undo _iommufd_alloc_mmap()
 * @ictx: context
 * @owner: object the region belongs to, never published or being destroyed
 * @offset: offset of the region
 *
 * Context: process context, may sleep.
 */
void _iommufd_destroy_mmap(struct iommufd_ctx *ictx,
			   struct iommufd_object *owner, unsigned long offset)
{
	struct iofd_mmap *region = mtree_erase(&ictx->mmaps, offset);

	WARN_ON_ONCE(!region || region->owner != owner);
	kfree(region);
}
EXPORT_SYMBOL_NS_GPL(_iommufd_destroy_mmap, "IOMMUFD");

/**
 * iommufd_vdevice_to_device - the physical device of a vDEVICE
 * @vdev: vDEVICE
 *
 * Return: device, which stays bound as long as @vdev exists.
 */
struct device *iommufd_vdevice_to_device(struct iommufd_vdevice *vdev)
{
	return vdev->idev->dev;
}
EXPORT_SYMBOL_NS_GPL(iommufd_vdevice_to_device, "IOMMUFD");

/**
 * iommufd_viommu_find_dev - find a device by its ID in the guest
 * @viommu: vIOMMU; the caller holds the xa_lock of viommu->vdevs and uses the
 *          result under it only
 * @vdev_id: ID of the device in the guest
 *
 * Return: device, or NULL if @viommu has no complete vDEVICE of this ID.
 */
struct device *iommufd_viommu_find_dev(struct iommufd_viommu *viommu,
				       unsigned long vdev_id)
{
	struct iommufd_vdevice *vdev;

	lockdep_assert_held(&viommu->vdevs.xa_lock);

	vdev = xa_load(&viommu->vdevs, vdev_id);
	return vdev ? vdev->idev->dev : NULL;
}
EXPORT_SYMBOL_NS_GPL(iommufd_viommu_find_dev, "IOMMUFD");

/**
 * iommufd_viommu_get_vdev_id - the ID of a device in the guest
 * @viommu: vIOMMU; not under the xa_lock of viommu->vdevs
 * @dev: device
 * @vdev_id: out: ID of the device in the guest
 *
 * Return: 0; -ENOENT @dev has no vDEVICE on @viommu that is complete.
 */
int iommufd_viommu_get_vdev_id(struct iommufd_viommu *viommu,
			       struct device *dev, unsigned long *vdev_id)
{
	struct iommufd_vdevice *vdev;
	unsigned long id;
	int rc = -ENOENT;

	xa_lock(&viommu->vdevs);
	xa_for_each(&viommu->vdevs, id, vdev) {
		if (vdev->idev->dev == dev) {
			*vdev_id = id;
			rc = 0;
			break;
		}
	}
	xa_unlock(&viommu->vdevs);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_viommu_get_vdev_id, "IOMMUFD");

MODULE_DESCRIPTION("iommufd helpers for IOMMU drivers");
MODULE_LICENSE("GPL");
