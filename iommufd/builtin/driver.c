// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: helpers for IOMMU drivers
 *
 * IOMMU drivers are built in, also where the rest of iommufd is a module, so
 * what they call is built in too.  Nothing here may refer to the module.
 *
 * vIOMMU objects cannot be made yet: no driver can hold a vIOMMU, a vDEVICE or
 * a hardware queue, and what needs one answers as for "there is none".
 */
#include <linux/export.h>
#include <linux/iommufd.h>
#include <linux/module.h>

#include "../iommu-priv.h"

/**
 * _iommufd_object_depend - make one object depend on another of its type
 * @obj_dependent: the object that needs the other
 * @obj_depended: the object that must not go before it
 *
 * IOMMU_DESTROY of @obj_depended answers EBUSY until
 * _iommufd_object_undepend().  Drivers call the typed macros in
 * linux/iommufd.h.
 *
 * Return: 0; -EINVAL for the same object or two types.
 */
int _iommufd_object_depend(struct iommufd_object *obj_dependent,
			   struct iommufd_object *obj_depended)
{
	if (obj_dependent == obj_depended ||
	    obj_dependent->type != obj_depended->type)
		return -EINVAL;
	refcount_inc(&obj_depended->users);
	return 0;
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
 * @owner: object the region belongs to
 * @mmio_addr: physical address
 * @length: number of bytes
 * @offset: out: offset for mmap
 *
 * Return: -EOPNOTSUPP: not part of this driver yet.
 */
int _iommufd_alloc_mmap(struct iommufd_ctx *ictx, struct iommufd_object *owner,
			phys_addr_t mmio_addr, size_t length,
			unsigned long *offset)
{
	return -EOPNOTSUPP;
}
EXPORT_SYMBOL_NS_GPL(_iommufd_alloc_mmap, "IOMMUFD");

/**
 * _iommufd_destroy_mmap - undo _iommufd_alloc_mmap()
 * @ictx: context
 * @owner: object the region belongs to
 * @offset: offset of the region
 *
 * No region can be registered yet, so any call is a bug of its caller.
 */
void _iommufd_destroy_mmap(struct iommufd_ctx *ictx,
			   struct iommufd_object *owner, unsigned long offset)
{
	WARN_ON_ONCE(1);
}
EXPORT_SYMBOL_NS_GPL(_iommufd_destroy_mmap, "IOMMUFD");

/**
 * iommufd_vdevice_to_device - the physical device of a vDEVICE
 * @vdev: vDEVICE
 *
 * Return: NULL: vDEVICEs are not part of this driver yet.
 */
struct device *iommufd_vdevice_to_device(struct iommufd_vdevice *vdev)
{
	return NULL;
}
EXPORT_SYMBOL_NS_GPL(iommufd_vdevice_to_device, "IOMMUFD");

/**
 * iommufd_viommu_find_dev - find a device by its ID in the guest
 * @viommu: vIOMMU; the caller holds the xa_lock of viommu->vdevs and uses the
 *          result under it only
 * @vdev_id: ID of the device in the guest
 *
 * Return: NULL: vDEVICEs are not part of this driver yet.
 */
struct device *iommufd_viommu_find_dev(struct iommufd_viommu *viommu,
				       unsigned long vdev_id)
{
	lockdep_assert_held(&viommu->vdevs.xa_lock);
	return NULL;
}
EXPORT_SYMBOL_NS_GPL(iommufd_viommu_find_dev, "IOMMUFD");

/**
 * iommufd_viommu_get_vdev_id - the ID of a device in the guest
 * @viommu: vIOMMU
 * @dev: device
 * @vdev_id: out: ID of the device in the guest
 *
 * Return: -ENOENT: vDEVICEs are not part of this driver yet.
 */
int iommufd_viommu_get_vdev_id(struct iommufd_viommu *viommu,
			       struct device *dev, unsigned long *vdev_id)
{
	return -ENOENT;
}
EXPORT_SYMBOL_NS_GPL(iommufd_viommu_get_vdev_id, "IOMMUFD");

/**
 * iommufd_viommu_report_event - hand an event to user space
 * @viommu: vIOMMU
 * @type: type of event queue
 * @event_data: the event
 * @data_len: number of bytes
 *
 * Return: -EOPNOTSUPP: no queue of this type, since event queues are not part
 * of this driver yet.
 */
int iommufd_viommu_report_event(struct iommufd_viommu *viommu,
				enum iommu_veventq_type type, void *event_data,
				size_t data_len)
{
	return -EOPNOTSUPP;
}
EXPORT_SYMBOL_NS_GPL(iommufd_viommu_report_event, "IOMMUFD");

MODULE_DESCRIPTION("iommufd helpers for IOMMU drivers");
MODULE_LICENSE("GPL");
