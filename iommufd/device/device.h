/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices: a struct device whose DMA belongs to a context.
 *
 * Bind claims the DMA ownership of the device's IOMMU group; attach puts the
 * group, or one of its PASIDs, onto a page table.  All bound devices of one
 * IOMMU group share a struct iommufd_group, which remembers what the group is
 * attached to.
 */
#ifndef IOFD_DEVICE_DEVICE_H
#define IOFD_DEVICE_DEVICE_H

#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/xarray.h>

#include "builtin/msi.h"
#include "object/hwpt.h"

/**
 * struct iofd_attachment - what DMA of a group without PASID, or with one of
 *                          its PASIDs, goes through
 * @hwpt: page table
 * @handle: what the IOMMU core, and page faults, know the attachment by
 * @users: devices that asked for it, each with one ref on @hwpt; at least one.
 *         Without PASID they also have their reserved regions in the IOAS
 *         behind @hwpt.  Private to attach.c
 */
struct iofd_attachment {
	struct iommufd_hw_pagetable *hwpt;
	struct iofd_attach_handle *handle;
	struct list_head users;
};

/**
 * struct iommufd_group - an IOMMU group as one context sees it
 * @refcount: bound devices; to zero under ctx->groups' xa_lock
 * @ctx: context
 * @group: IOMMU group, referenced
 * @lock: guards @attachments; inside the IOAS's auto_lock
 * @attachments: PASID to struct iofd_attachment, IOMMU_NO_PASID for DMA without
 *               one.  What is not in it is blocked
 * @msi: MSI pages the group needs; has its own lock
 */
struct iommufd_group {
	refcount_t refcount;
	struct iommufd_ctx *ctx;
	struct iommu_group *group;
	struct mutex lock; /* guards attachments */
	struct xarray attachments;
	struct iofd_msi_group msi;
};

/**
 * struct iommufd_device - the object IOMMUFD_OBJ_DEVICE
 * @obj: object; one ref belongs to the driver that bound the device
 * @ctx: context; the reference is the binding driver's
 * @dev: device, valid until unbind
 * @igroup: its group
 * @hwpt_id: what it is attached to without PASID, 0: nothing; for who looks
 *           without the lock
 * @npasids: how many of its PASIDs are attached; likewise
 * @enforce_coherency: the IOMMU can ignore no-snoop for this device
 * @vdev: its vDEVICE, which keeps a borrow of @obj, or NULL; group lock
 * @unbinding: no vDEVICE can be made any more; group lock
 */
struct iommufd_device {
	struct iommufd_object obj;
	struct iommufd_ctx *ctx;
	struct device *dev;
	struct iommufd_group *igroup;
	u32 hwpt_id;
	unsigned int npasids;
	bool enforce_coherency;
	struct iommufd_vdevice *vdev;
	bool unbinding;
};

static inline struct iommufd_device *
iofd_device_of(struct iommufd_object *obj)
{
	return container_of(obj, struct iommufd_device, obj);
}

static inline struct iommufd_device *
iofd_device_borrow(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj;

	obj = iofd_object_borrow(&ictx->objects, id, IOMMUFD_OBJ_DEVICE);
	return IS_ERR(obj) ? ERR_CAST(obj) : iofd_device_of(obj);
}

static inline void iofd_device_return(struct iommufd_device *idev)
{
	iofd_object_return(&idev->ctx->objects, &idev->obj);
}

/*
 * As iommufd_device_bind() and iommufd_device_unbind(), for a device that
 * belongs to the context itself and so holds no reference on it.
 */
struct iommufd_device *iofd_device_bind(struct iommufd_ctx *ictx,
					struct device *dev, u32 *id);
void iofd_device_unbind(struct iommufd_device *idev);

struct iommufd_group *iofd_group_get(struct iommufd_ctx *ictx,
				     struct device *dev);
void iofd_group_put(struct iommufd_group *igroup);

bool iofd_device_detach_all(struct iommufd_device *idev);

extern const struct iofd_object_type iofd_device_type;

int device_get_hw_info_ioctl(struct iofd_ucmd *ucmd);
int hwpt_alloc_ioctl(struct iofd_ucmd *ucmd);

#endif
