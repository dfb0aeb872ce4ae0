// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: attaching devices to page tables
 *
 * The group is what attaches; its devices join in::
 *
 *   attach    device's reserved regions into the address space
 *             first device: group onto the domain  | device into the list
 *   replace   all devices' reserved regions into the new address space
 *             group onto the new domain            | old regions out
 *   detach                                         | device out of the list
 *             last device: group blocked             regions out
 *
 * The bar is the point of no return.  The group's lock is held throughout, so
 * at any instant the group is blocked or on exactly one page table.
 *
 * An IOAS stands for "a page table of this IOAS that fits": the automatic page
 * tables that exist are tried in the order they were made, -EINVAL meaning
 * "does not fit, try the next"; then one is made.
 */
#include <linux/slab.h>

#include "../iommu-priv.h"
#include "base/check.h"
#include "device/device.h"
#include "trace.h"

static bool is_attached(struct iommufd_device *idev)
{
	lockdep_assert_held(&idev->igroup->lock);
	return !list_empty(&idev->attached);
}

/* Put the group, whose DMA is blocked, onto a page table. */
static int group_attach(struct iommufd_group *igroup,
			struct iommufd_hwpt_paging *hwpt)
{
	struct iommu_attach_handle *handle;
	int rc;

	handle = kzalloc_obj(*handle);
	if (!handle)
		return -ENOMEM;
	rc = iommu_attach_group_handle(hwpt->common.domain, igroup->group,
				       handle);
	if (rc) {
		kfree(handle);
		return rc;
	}
	igroup->handle = handle;
	igroup->hwpt = hwpt;
	return 0;
}

static void group_detach(struct iommufd_group *igroup)
{
	iommu_detach_group_handle(igroup->hwpt->common.domain, igroup->group);
	kfree(igroup->handle);
	igroup->handle = NULL;
	igroup->hwpt = NULL;
}

/*
 * One way to bring a device onto a page table: attach_hwpt() or
 * replace_hwpt().  Takes refs on @hwpt of its own.
 */
typedef int (*change_fn)(struct iommufd_device *idev,
			 struct iommufd_hwpt_paging *hwpt);

static int attach_hwpt(struct iommufd_device *idev,
		       struct iommufd_hwpt_paging *hwpt)
{
	struct iommufd_group *igroup = idev->igroup;
	struct iofd_aspace *aspace = &hwpt->ioas->aspace;
	int rc;

	guard(mutex)(&igroup->lock);
	if (is_attached(idev))
		return -EBUSY;
	if (igroup->hwpt && igroup->hwpt != hwpt)
		return -EINVAL;

	rc = iofd_aspace_reserve_device(aspace, idev->dev, idev);
	if (rc)
		return rc;
	if (!igroup->hwpt) {
		rc = group_attach(igroup, hwpt);
		if (rc) {
			iofd_aspace_unreserve(aspace, idev);
			return rc;
		}
	}

	/* Point of no return. */
	list_add_tail(&idev->attached, &igroup->attached);
	WRITE_ONCE(idev->hwpt_id, hwpt->common.obj.id);
	iofd_object_ref_more(&hwpt->common.obj);
	return 0;
}

static void unreserve_devices(struct iommufd_group *igroup,
			      struct iofd_aspace *aspace)
{
	struct iommufd_device *idev;

	list_for_each_entry(idev, &igroup->attached, attached)
		iofd_aspace_unreserve(aspace, idev);
}

static int reserve_devices(struct iommufd_group *igroup,
			   struct iofd_aspace *aspace)
{
	struct iommufd_device *idev;
	int rc;

	list_for_each_entry(idev, &igroup->attached, attached) {
		rc = iofd_aspace_reserve_device(aspace, idev->dev, idev);
		if (rc) {
			unreserve_devices(igroup, aspace);
			return rc;
		}
	}
	return 0;
}

static int replace_hwpt(struct iommufd_device *idev,
			struct iommufd_hwpt_paging *hwpt)
{
	struct iommufd_group *igroup = idev->igroup;
	struct iofd_aspace *old_aspace, *aspace = &hwpt->ioas->aspace;
	struct iommu_attach_handle *handle;
	struct iommufd_hwpt_paging *old;
	struct iommufd_device *pos;
	unsigned int i, ndevices = 0;
	int rc;

	mutex_lock(&igroup->lock);
	if (!is_attached(idev)) {
		rc = -EINVAL;
		goto out_unlock;
	}
	old = igroup->hwpt;
	if (hwpt == old) {
		rc = 0;
		goto out_unlock;
	}
	/* Unlike attach, the core's replace leaves this check to its caller. */
	if (hwpt->common.domain->owner != dev_iommu_ops(idev->dev)) {
		rc = -EINVAL;
		goto out_unlock;
	}

	handle = kzalloc_obj(*handle);
	if (!handle) {
		rc = -ENOMEM;
		goto out_unlock;
	}
	/* In the same address space the devices' regions are in place. */
	old_aspace = &old->ioas->aspace;
	if (aspace != old_aspace) {
		rc = reserve_devices(igroup, aspace);
		if (rc)
			goto out_handle;
	}
	rc = iommu_replace_group_handle(igroup->group, hwpt->common.domain,
					handle);
	if (rc)
		goto out_unreserve;

	/* Point of no return. */
	swap(igroup->handle, handle);
	igroup->hwpt = hwpt;
	if (aspace != old_aspace)
		unreserve_devices(igroup, old_aspace);
	list_for_each_entry(pos, &igroup->attached, attached) {
		iofd_object_ref_more(&hwpt->common.obj);
		WRITE_ONCE(pos->hwpt_id, hwpt->common.obj.id);
		ndevices++;
	}
	mutex_unlock(&igroup->lock);

	kfree(handle);
	for (i = 0; i < ndevices; i++)
		iofd_hwpt_unref(old);
	return 0;

out_unreserve:
	if (aspace != old_aspace)
		unreserve_devices(igroup, aspace);
out_handle:
	kfree(handle);
out_unlock:
	mutex_unlock(&igroup->lock);
	return rc;
}

/* Try the automatic page tables that exist; -EINVAL: none fits. */
static int change_to_existing(struct iommufd_device *idev,
			      struct iofd_ioas *ioas, change_fn change, u32 *id)
{
	struct iommufd_hwpt_paging *hwpt = NULL;
	int rc;

	while ((hwpt = iofd_hwpt_next_automatic(ioas, hwpt))) {
		rc = change(idev, hwpt);
		if (rc == -EINVAL)
			continue;
		*id = hwpt->common.obj.id;
		iofd_hwpt_unref(hwpt);
		return rc;
	}
	return -EINVAL;
}

static int change_to_new(struct iommufd_device *idev, struct iofd_ioas *ioas,
			 change_fn change, u32 *id)
{
	struct iommufd_hwpt_paging *hwpt;
	int rc;

	hwpt = iofd_hwpt_paging_new(ioas, idev->dev, idev->enforce_coherency, 0,
				    NULL);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	rc = iofd_hwpt_paging_join(hwpt);
	if (!rc)
		rc = change(idev, hwpt);
	if (rc) {
		iofd_hwpt_paging_cancel(hwpt);
		return rc;
	}
	*id = hwpt->common.obj.id;
	iofd_hwpt_publish_automatic(hwpt);
	return 0;
}

/*
 * Is there any page table the device could be brought onto?  -EINVAL from
 * trying one reads as "does not fit", so what no page table can cure is found
 * out before one is populated in vain.
 */
static int check_change(struct iommufd_device *idev, change_fn change)
{
	guard(mutex)(&idev->igroup->lock);
	if (change == attach_hwpt)
		return is_attached(idev) ? -EBUSY : 0;
	return is_attached(idev) ? 0 : -EINVAL;
}

/* May a page table be used that no other device of the group uses yet? */
static int check_new(struct iommufd_device *idev, change_fn change)
{
	guard(mutex)(&idev->igroup->lock);
	return change == attach_hwpt && idev->igroup->hwpt ? -EINVAL : 0;
}

static int change_to_ioas(struct iommufd_device *idev, struct iofd_ioas *ioas,
			  change_fn change, u32 *id)
{
	int rc;

	rc = check_change(idev, change);
	if (rc)
		return rc;

	mutex_lock(&ioas->auto_lock);
	rc = change_to_existing(idev, ioas, change, id);
	if (rc == -EINVAL) {
		rc = check_new(idev, change);
		if (!rc)
			rc = change_to_new(idev, ioas, change, id);
	}
	mutex_unlock(&ioas->auto_lock);
	return rc;
}

static int change_attachment(struct iommufd_device *idev, ioasid_t pasid,
			     u32 *pt_id, change_fn change)
{
	struct iofd_objects *objects = &idev->ctx->objects;
	struct iommufd_object *obj;
	u32 id = *pt_id;
	int rc;

	if (pasid != IOMMU_NO_PASID)
		return -EOPNOTSUPP;

	obj = iofd_object_borrow(objects, id, IOMMUFD_OBJ_ANY);
	if (IS_ERR(obj))
		return PTR_ERR(obj);

	switch (obj->type) {
	case IOMMUFD_OBJ_HWPT_PAGING:
		/* Not LIVE any more is as good as gone. */
		if (!iofd_object_ref(obj)) {
			rc = -ENOENT;
			break;
		}
		rc = change(idev, iofd_hwpt_paging_of(obj));
		iofd_object_unref(obj);
		break;
	case IOMMUFD_OBJ_IOAS:
		rc = change_to_ioas(idev, iofd_ioas_of(obj), change, &id);
		break;
	default:
		rc = -EINVAL;
		break;
	}
	iofd_object_return(objects, obj);
	if (!rc)
		*pt_id = id;
	return rc;
}

/**
 * iommufd_device_attach - put a device onto a page table
 * @idev: device
 * @pasid: IOMMU_NO_PASID
 * @pt_id: in: ID of an IOAS or a page table; out: ID of the page table in use
 *
 * All devices of an IOMMU group share one attachment: the first attaches the
 * group, the others have to name the same page table, or an IOAS that leads to
 * it.
 *
 * Context: process context, may sleep; not under mmap_lock.  Attach, replace
 * and detach of one device are serialised by the caller.
 *
 * Return: 0; -ENOENT unknown ID; -EINVAL not a page table, one that does not
 * fit the device, or another than that of the group; -EBUSY already attached,
 * or the group is recovering from a reset; -EADDRINUSE a mapping or allowed
 * range lies where the device reserves IOVAs; -EOPNOTSUPP a PASID: not part of
 * this driver yet; for a new automatic page table what
 * iofd_hwpt_paging_new() and iofd_aspace_join() return; driver errors.
 */
int iommufd_device_attach(struct iommufd_device *idev, ioasid_t pasid,
			  u32 *pt_id)
{
	u32 pt = *pt_id;
	int rc = change_attachment(idev, pasid, pt_id, attach_hwpt);

	trace_iommufd_attach(idev->ctx->serial, idev->obj.id,
			     dev_name(idev->dev), pasid, pt, rc ? 0 : *pt_id,
			     rc);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_attach, "IOMMUFD");

/**
 * iommufd_device_replace - move a device, with its group, to another page table
 * @idev: attached device
 * @pasid: IOMMU_NO_PASID
 * @pt_id: in: ID of an IOAS or a page table; out: ID of the page table in use
 *
 * The switch is atomic: DMA goes through the old page table or the new one.
 *
 * Context: as iommufd_device_attach().
 *
 * Return: 0; -EINVAL if nothing is attached; else as iommufd_device_attach().
 * On failure the old attachment stays.
 */
int iommufd_device_replace(struct iommufd_device *idev, ioasid_t pasid,
			   u32 *pt_id)
{
	u32 pt = *pt_id;
	int rc = change_attachment(idev, pasid, pt_id, replace_hwpt);

	trace_iommufd_replace(idev->ctx->serial, idev->obj.id,
			      dev_name(idev->dev), pasid, pt, rc ? 0 : *pt_id,
			      rc);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_replace, "IOMMUFD");

/**
 * iommufd_device_detach - take a device off its page table
 * @idev: device
 * @pasid: IOMMU_NO_PASID
 *
 * With the last device of the group its DMA is blocked.  Nothing happens if
 * the device is not attached.
 *
 * Context: as iommufd_device_attach().
 */
void iommufd_device_detach(struct iommufd_device *idev, ioasid_t pasid)
{
	struct iommufd_group *igroup = idev->igroup;
	struct iommufd_hwpt_paging *hwpt;

	/* No PASID was ever attached. */
	if (pasid != IOMMU_NO_PASID)
		return;

	mutex_lock(&igroup->lock);
	if (!is_attached(idev)) {
		mutex_unlock(&igroup->lock);
		return;
	}
	hwpt = igroup->hwpt;
	list_del_init(&idev->attached);
	WRITE_ONCE(idev->hwpt_id, 0);
	if (list_empty(&igroup->attached))
		group_detach(igroup);
	iofd_aspace_unreserve(&hwpt->ioas->aspace, idev);
	mutex_unlock(&igroup->lock);
	iofd_hwpt_unref(hwpt);
	trace_iommufd_detach(idev->ctx->serial, idev->obj.id,
			     dev_name(idev->dev), pasid);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_detach, "IOMMUFD");
