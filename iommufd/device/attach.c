// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: attaching devices to page tables
 *
 * What attaches is a group, for its DMA without PASID or for one PASID; its
 * devices join in::
 *
 *   attach    device's reserved regions into the address space
 *             first device: group onto the domain  | device into the list
 *   replace   all devices' reserved regions into the new address space
 *             group onto the new domain            | old regions out
 *   detach                                         | device out of the list
 *             last device: group blocked             regions out
 *
 * The bar is the point of no return.  The group's lock is held throughout, so
 * at any instant the group, or the PASID, is blocked or on exactly one page
 * table.
 *
 * Reserved regions and MSIs are about DMA without PASID, the rest is the same
 * for both.  A nested page table is attached like any other; what is said about
 * an address space is then about that of its parent.
 *
 * An IOAS stands for "a page table of this IOAS that fits": the automatic page
 * tables that exist are tried in the order they were made, -EINVAL meaning
 * "does not fit, try the next"; then one is made.  They are not made for
 * PASIDs, so an IOAS never stands for the page table of a PASID.
 *
 * The IOMMU core knows an attachment by its handle, and so do page faults.  It
 * names the device that made the attachment; when that one leaves before the
 * others, it names another.  Faults of a device that leaves, or that came with
 * the old handle, are answered before either goes.
 */
#include <linux/pci.h>
#include <linux/pci-ats.h>
#include <linux/slab.h>

#include "../iommu-priv.h"
#include "base/check.h"
#include "device/device.h"
#include "device/fault.h"
#include "device/msi.h"
#include "trace.h"

/**
 * struct attached - a device that asked for an attachment
 * @link: in the attachment's list
 * @idev: device
 */
struct attached {
	struct list_head link;
	struct iommufd_device *idev;
};

static struct attached *find_attached(struct iofd_attachment *attachment,
				      struct iommufd_device *idev)
{
	struct attached *user;

	lockdep_assert_held(&idev->igroup->lock);
	if (!attachment)
		return NULL;
	list_for_each_entry(user, &attachment->users, link)
		if (user->idev == idev)
			return user;
	return NULL;
}

static struct iofd_attachment *find_attachment(struct iommufd_group *igroup,
					       ioasid_t pasid)
{
	lockdep_assert_held(&igroup->lock);
	return xa_load(&igroup->attachments, pasid);
}

static bool has_pasids(struct iommufd_group *igroup)
{
	unsigned long pasid = IOMMU_NO_PASID;

	lockdep_assert_held(&igroup->lock);
	return xa_find_after(&igroup->attachments, &pasid, ULONG_MAX,
			     XA_PRESENT);
}

static void hwpt_unref(struct iommufd_hw_pagetable *hwpt)
{
	if (hwpt->obj.type == IOMMUFD_OBJ_HWPT_PAGING)
		iofd_hwpt_unref(iofd_hwpt_paging_of(&hwpt->obj));
	else
		iofd_object_unref(&hwpt->obj);
}

/* What those see who look without the lock */
static void note_hwpt(struct iommufd_device *idev, ioasid_t pasid, u32 id)
{
	if (pasid == IOMMU_NO_PASID)
		WRITE_ONCE(idev->hwpt_id, id);
}

static void note_pasid(struct iommufd_device *idev, ioasid_t pasid, int change)
{
	if (pasid != IOMMU_NO_PASID)
		WRITE_ONCE(idev->npasids, idev->npasids + change);
}

static struct iofd_aspace *aspace_behind(struct iommufd_hw_pagetable *hwpt)
{
	return &iofd_hwpt_paging_behind(hwpt)->ioas->aspace;
}

/*
 * On hardware that has to be told, a page table for a device with PASIDs is of
 * another kind than one for a device without.
 */
static int check_pasid_compat(struct iommufd_group *igroup, ioasid_t pasid,
			      struct iommufd_hw_pagetable *hwpt)
{
	struct iofd_attachment *plain;

	if (hwpt->pasid_compat) {
		if (pasid == IOMMU_NO_PASID)
			return 0;
		plain = find_attachment(igroup, IOMMU_NO_PASID);
		return plain && !plain->hwpt->pasid_compat ? -EINVAL : 0;
	}
	return pasid != IOMMU_NO_PASID || has_pasids(igroup) ? -EINVAL : 0;
}

/* Can this device ever be brought onto the page table? */
static int check_device(struct iommufd_device *idev,
			struct iommufd_hw_pagetable *hwpt)
{
	/* The core checks this too, but for a replace without PASID. */
	if (hwpt->domain->owner != dev_iommu_ops(idev->dev))
		return -EINVAL;
	/*
	 * Page requests of a virtual function go through the physical one's
	 * PRI, which nobody could switch on or off for it alone.
	 */
	if (hwpt->fault && dev_is_pci(idev->dev)) {
		struct pci_dev *pdev = to_pci_dev(idev->dev);

		if (pdev->is_virtfn && pci_pri_supported(pdev))
			return -EINVAL;
	}
	return 0;
}

/* The device's reserved regions into the address space behind. */
static int reserve(struct iommufd_device *idev,
		   struct iommufd_hw_pagetable *hwpt)
{
	struct iofd_aspace *aspace = aspace_behind(hwpt);
	struct iofd_msi_window window;
	int rc;

	rc = iofd_aspace_reserve_device(aspace, idev->dev, idev, &window);
	if (rc)
		return rc;
	rc = iofd_msi_learn(idev->igroup, &window);
	if (rc)
		iofd_aspace_unreserve(aspace, idev);
	return rc;
}

static void unreserve(struct iommufd_device *idev, ioasid_t pasid,
		      struct iommufd_hw_pagetable *hwpt)
{
	if (pasid == IOMMU_NO_PASID)
		iofd_aspace_unreserve(aspace_behind(hwpt), idev);
}

static void unreserve_users(struct iofd_attachment *attachment,
			    struct iommufd_hw_pagetable *hwpt)
{
	struct attached *user;

	list_for_each_entry(user, &attachment->users, link)
		unreserve(user->idev, IOMMU_NO_PASID, hwpt);
}

static int reserve_users(struct iofd_attachment *attachment,
			 struct iommufd_hw_pagetable *hwpt)
{
	struct attached *user;
	int rc;

	list_for_each_entry(user, &attachment->users, link) {
		rc = reserve(user->idev, hwpt);
		if (rc) {
			/* Where nothing is reserved there is nothing to undo */
			unreserve_users(attachment, hwpt);
			return rc;
		}
	}
	return 0;
}

/* In the same address space the devices' regions are needed as before. */
static bool moves_regions(ioasid_t pasid, struct iommufd_hw_pagetable *from,
			  struct iommufd_hw_pagetable *to)
{
	return pasid == IOMMU_NO_PASID &&
	       aspace_behind(from) != aspace_behind(to);
}

/* What was reserved in one address space when it is the other that counts. */
static void unreserve_moved(struct iofd_attachment *attachment, ioasid_t pasid,
			    struct iommufd_hw_pagetable *from,
			    struct iommufd_hw_pagetable *to)
{
	if (moves_regions(pasid, from, to))
		unreserve_users(attachment, from);
}

/*
 * Make room for a device in the address space behind, and bring the MSI pages
 * of its group.  settle() has to follow when the group is there, or is not.
 */
static int prepare(struct iommufd_device *idev, ioasid_t pasid,
		   struct iommufd_hw_pagetable *hwpt)
{
	int rc;

	if (pasid != IOMMU_NO_PASID)
		return 0;
	rc = reserve(idev, hwpt);
	if (rc)
		return rc;
	rc = iofd_msi_arrive(idev->igroup, iofd_hwpt_paging_behind(hwpt));
	if (rc)
		unreserve(idev, pasid, hwpt);
	return rc;
}

/* As prepare(), for all devices of an attachment that moves. */
static int prepare_move(struct iofd_attachment *attachment, ioasid_t pasid,
			struct iommufd_group *igroup,
			struct iommufd_hw_pagetable *hwpt)
{
	int rc;

	if (pasid != IOMMU_NO_PASID)
		return 0;
	if (moves_regions(pasid, attachment->hwpt, hwpt)) {
		rc = reserve_users(attachment, hwpt);
		if (rc)
			return rc;
	}
	rc = iofd_msi_arrive(igroup, iofd_hwpt_paging_behind(hwpt));
	if (rc)
		unreserve_moved(attachment, pasid, hwpt, attachment->hwpt);
	return rc;
}

static void settle(struct iommufd_group *igroup, ioasid_t pasid)
{
	if (pasid == IOMMU_NO_PASID)
		iofd_msi_arrived(igroup);
}

static struct iofd_attach_handle *
handle_new(struct iommufd_device *idev, struct iommufd_hw_pagetable *hwpt)
{
	struct iofd_attach_handle *handle;

	handle = kzalloc_obj(*handle, GFP_KERNEL_ACCOUNT);
	if (!handle)
		return NULL;
	handle->idev = idev;
	handle->msi_group = &idev->igroup->msi;
	handle->msi_table = &iofd_hwpt_paging_behind(hwpt)->msi;
	return handle;
}

/* From blocked onto a page table. */
static int core_attach(ioasid_t pasid, struct iommufd_hw_pagetable *hwpt,
		       struct iofd_attach_handle *handle)
{
	struct iommufd_device *idev = handle->idev;

	if (pasid != IOMMU_NO_PASID)
		return iommu_attach_device_pasid(hwpt->domain, idev->dev, pasid,
						 &handle->handle);
	return iommu_attach_group_handle(hwpt->domain, idev->igroup->group,
					 &handle->handle);
}

/* From one page table onto another. */
static int core_replace(ioasid_t pasid, struct iommufd_hw_pagetable *hwpt,
			struct iofd_attach_handle *handle)
{
	struct iommufd_device *idev = handle->idev;

	if (pasid != IOMMU_NO_PASID)
		return iommu_replace_device_pasid(hwpt->domain, idev->dev,
						  pasid, &handle->handle);
	return iommu_replace_group_handle(idev->igroup->group, hwpt->domain,
					  &handle->handle);
}

static void core_detach(ioasid_t pasid, struct iommufd_hw_pagetable *hwpt,
			struct iommufd_device *idev)
{
	if (pasid != IOMMU_NO_PASID)
		iommu_detach_device_pasid(hwpt->domain, idev->dev, pasid);
	else
		iommu_detach_group_handle(hwpt->domain, idev->igroup->group);
}

/*
 * Put the group, or one of its PASIDs, whose DMA is blocked, onto a page table
 * for @user, the first to ask.
 */
static int attachment_create(ioasid_t pasid, struct iommufd_hw_pagetable *hwpt,
			     struct attached *user)
{
	struct iommufd_group *igroup = user->idev->igroup;
	struct iofd_attachment *attachment;
	int rc;

	attachment = kzalloc_obj(*attachment, GFP_KERNEL_ACCOUNT);
	if (!attachment)
		return -ENOMEM;
	attachment->hwpt = hwpt;
	INIT_LIST_HEAD(&attachment->users);
	attachment->handle = handle_new(user->idev, hwpt);
	if (!attachment->handle) {
		rc = -ENOMEM;
		goto err_free;
	}

	/* Found by nobody who does not have the group's lock. */
	rc = xa_insert(&igroup->attachments, pasid, attachment,
		       GFP_KERNEL_ACCOUNT);
	if (rc)
		goto err_handle;
	rc = core_attach(pasid, hwpt, attachment->handle);
	if (rc)
		goto err_erase;
	list_add(&user->link, &attachment->users);
	return 0;

err_erase:
	xa_erase(&igroup->attachments, pasid);
err_handle:
	kfree(attachment->handle);
err_free:
	kfree(attachment);
	return rc;
}

/* The last device, @idev, has left; the DMA is blocked again. */
static void attachment_destroy(struct iofd_attachment *attachment,
			       ioasid_t pasid, struct iommufd_device *idev)
{
	core_detach(pasid, attachment->hwpt, idev);
	iofd_fault_answer(attachment->hwpt, attachment->handle);
	xa_erase(&idev->igroup->attachments, pasid);
	kfree(attachment->handle);
	kfree(attachment);
}

/*
 * One of several devices, @idev, has left.  If it is the one that faults are
 * reported for, this is another's part now.
 */
static void attachment_hand_over(struct iofd_attachment *attachment,
				 struct iommufd_device *idev)
{
	struct attached *heir = list_first_entry(&attachment->users,
						 struct attached, link);

	if (attachment->handle->idev == idev)
		WRITE_ONCE(attachment->handle->idev, heir->idev);
	/* Also waits for who is reading a fault, and @idev's name in it. */
	iofd_fault_answer_device(attachment->hwpt, attachment->handle,
				 idev->dev);
}

/*
 * One way to bring a device onto a page table: attach_hwpt() or
 * replace_hwpt().  Takes refs on @hwpt of its own.
 */
typedef int (*change_fn)(struct iommufd_device *idev, ioasid_t pasid,
			 struct iommufd_hw_pagetable *hwpt);

static int attach_locked(struct iommufd_device *idev, ioasid_t pasid,
			 struct iommufd_hw_pagetable *hwpt)
{
	struct iommufd_group *igroup = idev->igroup;
	struct iofd_attachment *attachment;
	struct attached *user;
	int rc;

	attachment = find_attachment(igroup, pasid);
	if (find_attached(attachment, idev))
		return -EBUSY;
	if (attachment && attachment->hwpt != hwpt)
		return -EINVAL;
	rc = check_pasid_compat(igroup, pasid, hwpt);
	if (!rc)
		rc = check_device(idev, hwpt);
	if (rc)
		return rc;

	user = kzalloc_obj(*user, GFP_KERNEL_ACCOUNT);
	if (!user)
		return -ENOMEM;
	user->idev = idev;
	rc = prepare(idev, pasid, hwpt);
	if (rc)
		goto err_free;
	if (!attachment)
		rc = attachment_create(pasid, hwpt, user);
	else
		list_add_tail(&user->link, &attachment->users);
	settle(igroup, pasid);
	if (rc)
		goto err_unreserve;

	/* Point of no return. */
	iofd_object_ref_more(&hwpt->obj);
	note_hwpt(idev, pasid, hwpt->obj.id);
	note_pasid(idev, pasid, 1);
	return 0;

err_unreserve:
	unreserve(idev, pasid, hwpt);
err_free:
	kfree(user);
	return rc;
}

static int attach_hwpt(struct iommufd_device *idev, ioasid_t pasid,
		       struct iommufd_hw_pagetable *hwpt)
{
	guard(mutex)(&idev->igroup->lock);
	return attach_locked(idev, pasid, hwpt);
}

static int check_users(struct iofd_attachment *attachment,
		       struct iommufd_hw_pagetable *hwpt)
{
	struct attached *user;
	int rc;

	list_for_each_entry(user, &attachment->users, link) {
		rc = check_device(user->idev, hwpt);
		if (rc)
			return rc;
	}
	return 0;
}

/*
 * Move an attachment to another page table; its refs on the old one are the
 * caller's then: @nrefs of them.
 */
static int attachment_move(struct iofd_attachment *attachment, ioasid_t pasid,
			   struct iommufd_device *idev,
			   struct iommufd_hw_pagetable *hwpt,
			   unsigned int *nrefs)
{
	struct iommufd_hw_pagetable *old = attachment->hwpt;
	struct iofd_attach_handle *handle;
	struct attached *user;
	int rc;

	rc = check_pasid_compat(idev->igroup, pasid, hwpt);
	if (!rc)
		rc = check_users(attachment, hwpt);
	if (rc)
		return rc;

	handle = handle_new(idev, hwpt);
	if (!handle)
		return -ENOMEM;
	rc = prepare_move(attachment, pasid, idev->igroup, hwpt);
	if (rc)
		goto err_free;
	rc = core_replace(pasid, hwpt, handle);
	settle(idev->igroup, pasid);
	if (rc)
		goto err_unreserve;

	/* Point of no return. */
	iofd_fault_answer(old, attachment->handle);
	kfree(attachment->handle);
	attachment->handle = handle;
	attachment->hwpt = hwpt;
	unreserve_moved(attachment, pasid, old, hwpt);
	*nrefs = 0;
	list_for_each_entry(user, &attachment->users, link) {
		iofd_object_ref_more(&hwpt->obj);
		note_hwpt(user->idev, pasid, hwpt->obj.id);
		++*nrefs;
	}
	return 0;

err_unreserve:
	unreserve_moved(attachment, pasid, hwpt, old);
err_free:
	kfree(handle);
	return rc;
}

static int replace_hwpt(struct iommufd_device *idev, ioasid_t pasid,
			struct iommufd_hw_pagetable *hwpt)
{
	struct iommufd_hw_pagetable *old = NULL;
	struct iofd_attachment *attachment;
	unsigned int i, nrefs = 0;
	int rc;

	mutex_lock(&idev->igroup->lock);
	attachment = find_attachment(idev->igroup, pasid);
	if (!find_attached(attachment, idev)) {
		rc = -EINVAL;
	} else if (attachment->hwpt == hwpt) {
		rc = 0;
	} else {
		old = attachment->hwpt;
		rc = attachment_move(attachment, pasid, idev, hwpt, &nrefs);
	}
	mutex_unlock(&idev->igroup->lock);

	/* An automatic page table goes with the last one. */
	for (i = 0; i < nrefs; i++)
		hwpt_unref(old);
	return rc;
}

/* Try the automatic page tables that exist; -EINVAL: none fits. */
static int change_to_existing(struct iommufd_device *idev,
			      struct iofd_ioas *ioas, change_fn change, u32 *id)
{
	struct iommufd_hwpt_paging *hwpt = NULL;
	int rc;

	while ((hwpt = iofd_hwpt_next_automatic(ioas, hwpt))) {
		rc = change(idev, IOMMU_NO_PASID, &hwpt->common);
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

	hwpt = iofd_hwpt_paging_new_automatic(ioas, idev->dev,
					      idev->enforce_coherency);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	rc = iofd_hwpt_paging_join(hwpt);
	if (!rc)
		rc = change(idev, IOMMU_NO_PASID, &hwpt->common);
	if (rc) {
		iofd_hwpt_paging_cancel(hwpt);
		return rc;
	}
	*id = hwpt->common.obj.id;
	iofd_hwpt_publish_automatic(hwpt);
	return 0;
}

/*
 * Is there any automatic page table the device could be brought onto?  -EINVAL
 * from trying one reads as "does not fit", so what none can cure is found out
 * before one is populated in vain.
 */
static int check_change(struct iommufd_device *idev, change_fn change)
{
	struct iofd_attachment *attachment;
	bool attached;

	guard(mutex)(&idev->igroup->lock);
	attachment = find_attachment(idev->igroup, IOMMU_NO_PASID);
	attached = find_attached(attachment, idev);
	if (change == attach_hwpt && attached)
		return -EBUSY;
	if (change == replace_hwpt && !attached)
		return -EINVAL;
	return has_pasids(idev->igroup) ? -EINVAL : 0;
}

/* May a page table be used that no other device of the group uses yet? */
static int check_new(struct iommufd_device *idev, change_fn change)
{
	guard(mutex)(&idev->igroup->lock);
	return change == attach_hwpt &&
	       find_attachment(idev->igroup, IOMMU_NO_PASID) ? -EINVAL : 0;
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

	obj = iofd_object_borrow(objects, id, IOMMUFD_OBJ_ANY);
	if (IS_ERR(obj))
		return PTR_ERR(obj);

	switch (obj->type) {
	case IOMMUFD_OBJ_HWPT_PAGING:
	case IOMMUFD_OBJ_HWPT_NESTED:
		/* Not LIVE any more is as good as gone. */
		if (!iofd_object_ref(obj)) {
			rc = -ENOENT;
			break;
		}
		rc = change(idev, pasid, iofd_hwpt_of(obj));
		iofd_object_unref(obj);
		break;
	case IOMMUFD_OBJ_IOAS:
		/* None of its automatic page tables is made for PASIDs. */
		rc = pasid != IOMMU_NO_PASID ? -EINVAL :
		     change_to_ioas(idev, iofd_ioas_of(obj), change, &id);
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
 * iommufd_device_attach - put a device, or one of its PASIDs, onto a page table
 * @idev: device
 * @pasid: PASID, or IOMMU_NO_PASID for DMA without one
 * @pt_id: in: ID of a page table, or without PASID of an IOAS; out: ID of the
 *         page table in use
 *
 * All devices of an IOMMU group share one attachment for each PASID and one
 * without: the first attaches the group, the others have to name the same page
 * table, or an IOAS that leads to it.
 *
 * With a PASID attached, that page table and the one attached without PASID, if
 * any, have to be made with IOMMU_HWPT_ALLOC_PASID.  Where the IOMMU has no
 * PASIDs enabled for a device, attaching one does nothing.
 *
 * Context: process context, may sleep; not under mmap_lock.  Attach, replace
 * and detach of one device are serialised by the caller.
 *
 * Return: 0; -ENOENT unknown ID; -EINVAL not a page table, one that does not
 * fit the device or its PASIDs, another than that of the group, or a PASID
 * beyond what the device can have; -EBUSY already attached, or the group is
 * recovering from a reset; -EADDRINUSE a mapping or allowed range lies where
 * the device reserves IOVAs; -EOPNOTSUPP a PASID, and the IOMMU driver knows
 * none; for a new automatic page table what iofd_hwpt_paging_new() and
 * iofd_aspace_join() return; driver errors.
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
 * @pasid: PASID, or IOMMU_NO_PASID for DMA without one
 * @pt_id: as in iommufd_device_attach()
 *
 * The switch is atomic: DMA goes through the old page table or the new one.
 * Page faults that came through the old one are answered, as invalid.
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

/* Returns the page table, with a ref that is the caller's, or NULL. */
static struct iommufd_hw_pagetable *detach_hwpt(struct iommufd_device *idev,
						ioasid_t pasid)
{
	struct iofd_attachment *attachment;
	struct iommufd_hw_pagetable *hwpt;
	struct attached *user;

	guard(mutex)(&idev->igroup->lock);
	attachment = find_attachment(idev->igroup, pasid);
	user = find_attached(attachment, idev);
	if (!user)
		return NULL;

	hwpt = attachment->hwpt;
	note_hwpt(idev, pasid, 0);
	note_pasid(idev, pasid, -1);
	list_del(&user->link);
	kfree(user);
	if (list_empty(&attachment->users))
		attachment_destroy(attachment, pasid, idev);
	else
		attachment_hand_over(attachment, idev);
	unreserve(idev, pasid, hwpt);
	trace_iommufd_detach(idev->ctx->serial, idev->obj.id,
			     dev_name(idev->dev), pasid);
	return hwpt;
}

/**
 * iommufd_device_detach - take a device, or one of its PASIDs, off its page
 *                         table
 * @idev: device
 * @pasid: PASID, or IOMMU_NO_PASID for DMA without one
 *
 * With the last device of the group its DMA is blocked, and page faults that
 * are still to be answered are, as invalid.  Nothing happens if nothing is
 * attached.
 *
 * Context: as iommufd_device_attach().
 */
void iommufd_device_detach(struct iommufd_device *idev, ioasid_t pasid)
{
	struct iommufd_hw_pagetable *hwpt = detach_hwpt(idev, pasid);

	if (hwpt)
		hwpt_unref(hwpt);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_detach, "IOMMUFD");

/**
 * iofd_device_detach_all - take a device and all its PASIDs off page tables
 * @idev: device; the caller serialises as for iommufd_device_detach()
 *
 * Return: true if anything was attached.
 */
bool iofd_device_detach_all(struct iommufd_device *idev)
{
	struct iommufd_hw_pagetable *hwpt;
	struct iofd_attachment *unused;
	unsigned long pasid;
	bool any = false;

	/* What it finds may go at once: another device may detach as well. */
	xa_for_each(&idev->igroup->attachments, pasid, unused) {
		hwpt = detach_hwpt(idev, pasid);
		if (!hwpt)
			continue;
		hwpt_unref(hwpt);
		any = true;
	}
	return any;
}
