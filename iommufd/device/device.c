// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: binding devices
 *
 * From bind to unbind the device's IOMMU group belongs to the context: its DMA
 * is blocked unless it is attached to a page table, and no kernel driver can
 * use it.  The driver that binds keeps a ref on the object, so user space can
 * name the device but not destroy it.
 */
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pci-ats.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "../iommu-priv.h"
#include "base/check.h"
#include "device/device.h"

static bool allow_unsafe_interrupts;
module_param(allow_unsafe_interrupts, bool, 0644);
MODULE_PARM_DESC(allow_unsafe_interrupts,
		 "Bind devices on platforms without interrupt isolation; a user who drives such a device can then attack the host by writing to MSI addresses");

static void device_object_destroy(struct iommufd_object *obj)
{
	struct iommufd_device *idev = iofd_device_of(obj);

	/*
	 * Left attached, the device would keep using page tables that are
	 * going to be freed.
	 */
	WARN_ON(iofd_device_detach_all(idev));
	iommu_device_release_dma_owner(idev->dev);
	iofd_group_put(idev->igroup);
}

/* Without the group's lock, which is held while memory is pinned. */
static void device_show(struct seq_file *m, struct iommufd_object *obj)
{
	struct iommufd_device *idev = iofd_device_of(obj);

	seq_printf(m, "iommufd-device:\tid=%u name=", obj->id);
	seq_escape(m, dev_name(idev->dev), " \t\n\\");
	seq_printf(m, " group=%d hwpt=%u pasids=%u\n",
		   iommu_group_id(idev->igroup->group),
		   READ_ONCE(idev->hwpt_id), READ_ONCE(idev->npasids));
}

const struct iofd_object_type iofd_device_type = {
	.name = "device",
	.destroy = device_object_destroy,
	.show = device_show,
};

/* Can the device's MSIs be told from those of others? */
static int check_msi_isolation(struct device *dev, struct iommu_group *group)
{
	if (iommu_group_has_isolated_msi(group))
		return 0;
	if (!READ_ONCE(allow_unsafe_interrupts)) {
		dev_info_ratelimited(dev, "iommufd: interrupts of this device are not isolated, so it cannot be given to user space; turn on interrupt remapping, or accept the risk with iommufd.allow_unsafe_interrupts=1\n");
		return -EPERM;
	}
	dev_warn(dev, "iommufd: interrupts are not isolated; allowed by allow_unsafe_interrupts\n");
	return 0;
}

/* A device of the group that a driver uses through the kernel's DMA API. */
static int find_kernel_user(struct device *dev, void *arg)
{
	const struct device_driver *driver = READ_ONCE(dev->driver);
	struct device **user = arg;

	if (!driver || !dev_is_pci(dev) ||
	    to_pci_driver(driver)->driver_managed_dma)
		return 0;
	*user = get_device(dev);
	return 1;
}

/* Whoever is refused a device wants to know which other one is in the way. */
static void explain_owner(struct device *dev, struct iommu_group *group)
{
	int id = iommu_group_id(group);
	struct device *user = NULL;

	iommu_group_for_each_dev(group, &user, find_kernel_user);
	if (user)
		dev_info_ratelimited(dev, "iommufd: cannot be given to user space: %s of the same IOMMU group %d is used by its driver %s\n",
				     dev_name(user), id,
				     dev_driver_string(user));
	else
		dev_info_ratelimited(dev, "iommufd: cannot be given to user space: another process or driver owns its IOMMU group %d\n",
				     id);
	put_device(user);
}

/**
 * iofd_device_bind - iommufd_device_bind() without a context reference
 * @ictx: context, which outlives the device
 * @dev: device
 * @id: out: ID of the device
 *
 * Return: as iommufd_device_bind().
 */
struct iommufd_device *iofd_device_bind(struct iommufd_ctx *ictx,
					struct device *dev, u32 *id)
{
	struct iommufd_group *igroup;
	struct iommufd_device *idev;
	int rc;

	/* User space sees memory as coherent and has no way to flush caches. */
	if (!device_iommu_capable(dev, IOMMU_CAP_CACHE_COHERENCY))
		return ERR_PTR(-EINVAL);

	igroup = iofd_group_get(ictx, dev);
	if (IS_ERR(igroup))
		return ERR_CAST(igroup);
	rc = check_msi_isolation(dev, igroup->group);
	if (rc)
		goto err_group;
	rc = iommu_device_claim_dma_owner(dev, ictx);
	if (rc) {
		if (rc == -EPERM)
			explain_owner(dev, igroup->group);
		goto err_group;
	}

	idev = kzalloc_obj(*idev, GFP_KERNEL_ACCOUNT);
	if (!idev) {
		rc = -ENOMEM;
		goto err_owner;
	}
	rc = iofd_object_new(&ictx->objects, &idev->obj, IOMMUFD_OBJ_DEVICE);
	if (rc) {
		kfree(idev);
		goto err_owner;
	}
	idev->ctx = ictx;
	idev->dev = dev;
	idev->igroup = igroup;
	idev->enforce_coherency =
		device_iommu_capable(dev, IOMMU_CAP_ENFORCE_CACHE_COHERENCY);

	/* Only the driver that binds it ends it. */
	iofd_object_ref_more(&idev->obj);
	*id = idev->obj.id;
	iofd_object_publish(&ictx->objects, &idev->obj);
	return idev;

err_owner:
	iommu_device_release_dma_owner(dev);
err_group:
	iofd_group_put(igroup);
	return ERR_PTR(rc);
}

/*
 * The device's vDEVICE goes before it.  If a DESTROY is faster, the end of the
 * device waits for it, since the vDEVICE has a borrow of the device.
 */
static void end_vdevice(struct iommufd_device *idev)
{
	struct iofd_objects *objects = &idev->ctx->objects;
	struct iommufd_object *obj = NULL;

	mutex_lock(&idev->igroup->lock);
	idev->unbinding = true;
	if (idev->vdev && iofd_object_close(objects, &idev->vdev->obj))
		obj = &idev->vdev->obj;
	mutex_unlock(&idev->igroup->lock);
	if (obj)
		iofd_object_entomb(objects, obj);
}

/**
 * iofd_device_unbind - undo iofd_device_bind()
 * @idev: device that is attached to nothing
 */
void iofd_device_unbind(struct iommufd_device *idev)
{
	end_vdevice(idev);
	iofd_object_destroy(&idev->ctx->objects, &idev->obj);
}

/**
 * iommufd_device_bind - give a device to a context
 * @ictx: context; the device takes a reference of its own
 * @dev: device; the caller is its driver, with driver-managed DMA
 * @id: out: ID of the device in the context
 *
 * From success to iommufd_device_unbind() the DMA of the device's IOMMU group
 * is blocked unless it is attached.  Several devices of a group may be bound to
 * one context, not to two.
 *
 * Context: process context, may sleep.
 *
 * Return: device; ERR_PTR(-EINVAL) DMA is not cache coherent, or the group
 * cannot be blocked; ERR_PTR(-ENODEV) no IOMMU group; ERR_PTR(-EPERM)
 * interrupts are not isolated, or somebody else, another context or a kernel
 * driver, uses the group; ERR_PTR(-EBUSY) a foreign domain is attached;
 * ERR_PTR(-ENOMEM).
 */
struct iommufd_device *iommufd_device_bind(struct iommufd_ctx *ictx,
					   struct device *dev, u32 *id)
{
	struct iommufd_device *idev = iofd_device_bind(ictx, dev, id);

	if (!IS_ERR(idev))
		iommufd_ctx_get(ictx);
	return idev;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_bind, "IOMMUFD");

/**
 * iommufd_device_unbind - take a device back from its context
 * @idev: device that is attached to nothing, with no PASID; ended
 *
 * What is attached nevertheless is detached, with a warning.
 *
 * Ends its vDEVICE, if it has one, and waits for ioctls that use the device, up
 * to a minute.  With the last device the group returns to its default domain.
 *
 * Context: process context, may sleep; no other call on @idev runs.
 */
void iommufd_device_unbind(struct iommufd_device *idev)
{
	struct iommufd_ctx *ictx = idev->ctx;

	iofd_device_unbind(idev);
	iommufd_ctx_put(ictx);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_unbind, "IOMMUFD");

/**
 * iommufd_device_to_ictx - the context a device is bound to
 * @idev: device
 *
 * Return: context, without a reference.
 */
struct iommufd_ctx *iommufd_device_to_ictx(struct iommufd_device *idev)
{
	return idev->ctx;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_to_ictx, "IOMMUFD");

/**
 * iommufd_device_to_id - the ID of a device in its context
 * @idev: device
 *
 * Return: ID.
 */
u32 iommufd_device_to_id(struct iommufd_device *idev)
{
	return idev->obj.id;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_to_id, "IOMMUFD");

/* Store @len bytes of driver info and zero the rest of the caller's buffer. */
static int put_hw_info(void __user *uptr, u32 user_len, const void *data,
		       u32 len)
{
	u32 copied = min(user_len, len);

	if (copied && copy_to_user(uptr, data, copied))
		return -EFAULT;
	if (copied < user_len && clear_user(uptr + copied, user_len - copied))
		return -EFAULT;
	return 0;
}

static void report_pasid(struct device *dev, struct iommu_hw_info *cmd)
{
	int pasid;

	if (dev->iommu->max_pasids)
		cmd->out_max_pasid_log2 = ilog2(dev->iommu->max_pasids);
	if (!cmd->out_max_pasid_log2 || !dev_is_pci(dev))
		return;
	pasid = pci_pasid_status(to_pci_dev(dev));
	if (pasid < 0)
		return;
	if (pasid & PCI_PASID_CTRL_EXEC)
		cmd->out_capabilities |= IOMMU_HW_CAP_PCI_PASID_EXEC;
	if (pasid & PCI_PASID_CTRL_PRIV)
		cmd->out_capabilities |= IOMMU_HW_CAP_PCI_PASID_PRIV;
}

static int report_hw_info(struct device *dev, struct iommu_hw_info *cmd)
{
	const struct iommu_ops *ops = dev_iommu_ops(dev);
	enum iommu_hw_info_type type = IOMMU_HW_INFO_TYPE_DEFAULT;
	void *data = NULL;
	u32 len = 0;
	int rc;

	if (cmd->flags & IOMMU_HW_INFO_FLAG_INPUT_TYPE)
		type = cmd->in_data_type;
	if (ops->hw_info) {
		data = ops->hw_info(dev, &len, &type);
		if (IS_ERR(data))
			return PTR_ERR(data);
		/* A driver that tells something has to say what. */
		if (WARN_ON_ONCE(type == IOMMU_HW_INFO_TYPE_NONE)) {
			kfree(data);
			return -ENODEV;
		}
	} else {
		type = IOMMU_HW_INFO_TYPE_NONE;
	}

	rc = put_hw_info(u64_to_user_ptr(cmd->data_uptr), cmd->data_len, data,
			 len);
	kfree(data);
	if (rc)
		return rc;
	cmd->data_len = len;
	cmd->out_data_type = type;
	cmd->out_capabilities = 0;
	if (device_iommu_capable(dev, IOMMU_CAP_DIRTY_TRACKING))
		cmd->out_capabilities |= IOMMU_HW_CAP_DIRTY_TRACKING;
	if (!device_iommu_capable(dev, IOMMU_CAP_PCI_ATS_SUPPORTED))
		cmd->out_capabilities |= IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED;
	cmd->out_max_pasid_log2 = 0;
	report_pasid(dev, cmd);
	return 0;
}

/* IOMMU_GET_HW_INFO */
int device_get_hw_info_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_hw_info *cmd = ucmd->cmd;
	struct iommufd_device *idev;
	int rc;

	if (cmd->flags & ~IOMMU_HW_INFO_FLAG_INPUT_TYPE ||
	    memchr_inv(cmd->__reserved, 0, sizeof(cmd->__reserved)))
		return -EOPNOTSUPP;

	idev = iofd_device_borrow(ucmd->ctx, cmd->dev_id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);
	rc = report_hw_info(idev->dev, cmd);
	iofd_device_return(idev);
	if (rc)
		return rc;
	return iofd_ucmd_respond(ucmd, sizeof(*cmd));
}
