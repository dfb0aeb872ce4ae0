// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: mock devices
 *
 * The object IOMMUFD_OBJ_SELFTEST stands for the driver that a real device
 * would have, such as VFIO: it owns one mock device, bound to the context and
 * attached from the beginning to the end::
 *
 *   MOCK_DOMAIN   device into the system, bind, attach, | publish
 *   DESTROY       detach with all PASIDs, unbind, device out of the system
 *
 * Unlike a real driver it belongs to the context and so cannot hold it: the
 * end of the context is the end of its devices.
 *
 * No lock: members are constant while the object is visible.
 */
#include <linux/err.h>
#include <linux/idr.h>
#include <linux/property.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "../iommu-priv.h"
#include "device/device.h"
#include "iommufd_test.h"
#include "test/mock.h"
#include "test/test.h"

#define KNOWN_FLAGS (MOCK_FLAGS_DEVICE_NO_DIRTY |	\
		     MOCK_FLAGS_DEVICE_PASID |		\
		     MOCK_FLAGS_DEVICE_X_GROUP |	\
		     MOCK_FLAGS_DEVICE_X_SW_MSI |	\
		     MOCK_FLAGS_DEVICE_X_SW_MSI_SMALL |	\
		     MOCK_FLAGS_DEVICE_X_RESERVED |	\
		     MOCK_FLAGS_DEVICE_X_HW_MSI |	\
		     MOCK_FLAGS_DEVICE_X_COHERENT |	\
		     MOCK_FLAGS_DEVICE_X_LEFT_ATTACHED |	\
		     MOCK_FLAGS_DEVICE_X_LATE_MSI |	\
		     MOCK_FLAGS_DEVICE_X_OTHER_IOMMU)

/* Numbers in the names of devices */
static DEFINE_IDA(mock_numbers);

/**
 * struct stdev - the object IOMMUFD_OBJ_SELFTEST
 * @obj: object
 * @mdev: the device
 * @idev: the device as the context knows it
 */
struct stdev {
	struct iommufd_object obj;
	struct mock_device *mdev;
	struct iommufd_device *idev;
};

static void mock_device_release(struct device *dev)
{
	struct mock_device *mdev = mock_device_of(dev);

	ida_free(&mock_numbers, mdev->nr);
	mutex_destroy(&mdev->viommu_lock);
	kfree(mdev);
}

/**
 * mock_device_moved - a device is on another page table, without a PASID
 * @dev: device of the mock
 * @viommu: the vIOMMU if that is a nested page table made on one, else NULL
 * @vdev_id: the device's number there
 */
void mock_device_moved(struct device *dev, struct iommufd_viommu *viommu,
		       unsigned long vdev_id)
{
	struct mock_device *mdev = mock_device_of(dev);

	guard(mutex)(&mdev->viommu_lock);
	mdev->viommu = viommu;
	mdev->vdev_id = vdev_id;
}

/* What firmware says about a device. */
static int add_properties(struct mock_device *mdev)
{
	bool pasid = mdev->flags & MOCK_FLAGS_DEVICE_PASID;
	const struct property_entry properties[] = {
		PROPERTY_ENTRY_U32("pasid-num-bits",
				   pasid ? MOCK_PASID_WIDTH : 0),
		{}
	};

	return device_create_managed_software_node(&mdev->dev, properties,
						   NULL);
}

static struct mock_device *mock_device_new(struct iommufd_ctx *ictx, u32 flags)
{
	struct mock_device *mdev;
	int rc;

	mdev = kzalloc_obj(*mdev, GFP_KERNEL_ACCOUNT);
	if (!mdev)
		return ERR_PTR(-ENOMEM);
	rc = ida_alloc(&mock_numbers, GFP_KERNEL);
	if (rc < 0) {
		kfree(mdev);
		return ERR_PTR(rc);
	}
	mdev->nr = rc;
	mdev->flags = flags;
	mutex_init(&mdev->viommu_lock);
	memset32(mdev->cache, IOMMU_TEST_DEV_CACHE_DEFAULT, MOCK_DEV_CACHE_NUM);
	mdev->ctx = ictx;
	device_initialize(&mdev->dev);
	mdev->dev.release = mock_device_release;

	rc = dev_set_name(&mdev->dev, "iommufd_mock%u", mdev->nr);
	if (rc)
		goto err_put;
	rc = add_properties(mdev);
	if (rc)
		goto err_put;
	rc = mock_iommu_add_device(&mdev->dev);
	if (rc)
		goto err_properties;
	return mdev;

err_properties:
	/* A device that got far enough has taken them with it. */
	device_remove_software_node(&mdev->dev);
err_put:
	put_device(&mdev->dev);
	return ERR_PTR(rc);
}

static void mock_device_remove(struct mock_device *mdev)
{
	device_unregister(&mdev->dev);
}

/* IOMMU_TEST_OP_MOCK_DOMAIN and _MOCK_DOMAIN_FLAGS */
int mock_device_create_ioctl(struct iofd_ucmd *ucmd, u32 flags)
{
	struct iofd_objects *objects = &ucmd->ctx->objects;
	struct iommu_test_cmd *cmd = ucmd->cmd;
	u32 pt_id = cmd->id;
	struct stdev *stdev;
	u32 idev_id;
	int rc;

	if (flags & ~KNOWN_FLAGS)
		return -EINVAL;

	stdev = kzalloc_obj(*stdev, GFP_KERNEL_ACCOUNT);
	if (!stdev)
		return -ENOMEM;
	rc = iofd_object_new(objects, &stdev->obj, IOMMUFD_OBJ_SELFTEST);
	if (rc) {
		kfree(stdev);
		return rc;
	}
	stdev->mdev = mock_device_new(ucmd->ctx, flags);
	if (IS_ERR(stdev->mdev)) {
		rc = PTR_ERR(stdev->mdev);
		goto err_object;
	}
	stdev->idev = iofd_device_bind(ucmd->ctx, &stdev->mdev->dev, &idev_id);
	if (IS_ERR(stdev->idev)) {
		rc = PTR_ERR(stdev->idev);
		goto err_device;
	}
	rc = iommufd_device_attach(stdev->idev, IOMMU_NO_PASID, &pt_id);
	if (rc)
		goto err_unbind;

	cmd->mock_domain_flags.out_stdev_id = stdev->obj.id;
	cmd->mock_domain_flags.out_hwpt_id = pt_id;
	cmd->mock_domain_flags.out_idev_id = idev_id;
	rc = iofd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		goto err_detach;

	/* Point of no return. */
	iofd_object_publish(objects, &stdev->obj);
	return 0;

err_detach:
	iommufd_device_detach(stdev->idev, IOMMU_NO_PASID);
err_unbind:
	iofd_device_unbind(stdev->idev);
err_device:
	mock_device_remove(stdev->mdev);
err_object:
	iofd_object_cancel(objects, &stdev->obj);
	return rc;
}

static void stdev_destroy(struct iommufd_object *obj)
{
	struct stdev *stdev = container_of(obj, struct stdev, obj);

	/* A driver with a bug; ours has to cope. */
	if (!(stdev->mdev->flags & MOCK_FLAGS_DEVICE_X_LEFT_ATTACHED))
		iofd_device_detach_all(stdev->idev);
	iofd_device_unbind(stdev->idev);
	mock_device_remove(stdev->mdev);
}

const struct iofd_object_type iofd_test_object_type = {
	.name = "mock device",
	.destroy = stdev_destroy,
};

static struct stdev *stdev_borrow(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct iommufd_object *obj;

	obj = iofd_object_borrow(&ucmd->ctx->objects, cmd->id,
				 IOMMUFD_OBJ_SELFTEST);
	return IS_ERR(obj) ? ERR_CAST(obj) :
			     container_of(obj, struct stdev, obj);
}

static void stdev_return(struct iofd_ucmd *ucmd, struct stdev *stdev)
{
	iofd_object_return(&ucmd->ctx->objects, &stdev->obj);
}

/* IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE */
int mock_device_replace_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct stdev *stdev = stdev_borrow(ucmd);
	int rc;

	if (IS_ERR(stdev))
		return PTR_ERR(stdev);
	rc = iommufd_device_replace(stdev->idev, IOMMU_NO_PASID,
				    &cmd->mock_domain_replace.pt_id);
	if (!rc)
		rc = iofd_ucmd_respond(ucmd, sizeof(*cmd));
	stdev_return(ucmd, stdev);
	return rc;
}

/* IOMMU_TEST_OP_PASID_ATTACH */
int mock_device_pasid_attach_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	ioasid_t pasid = cmd->pasid_attach.pasid;
	struct stdev *stdev = stdev_borrow(ucmd);
	int rc;

	if (IS_ERR(stdev))
		return PTR_ERR(stdev);
	rc = iommufd_device_attach(stdev->idev, pasid,
				   &cmd->pasid_attach.pt_id);
	if (!rc) {
		rc = iofd_ucmd_respond(ucmd, sizeof(*cmd));
		if (rc)
			iommufd_device_detach(stdev->idev, pasid);
	}
	stdev_return(ucmd, stdev);
	return rc;
}

/* IOMMU_TEST_OP_PASID_REPLACE */
int mock_device_pasid_replace_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct stdev *stdev = stdev_borrow(ucmd);
	int rc;

	if (IS_ERR(stdev))
		return PTR_ERR(stdev);
	rc = iommufd_device_replace(stdev->idev, cmd->pasid_replace.pasid,
				    &cmd->pasid_replace.pt_id);
	if (!rc)
		rc = iofd_ucmd_respond(ucmd, sizeof(*cmd));
	stdev_return(ucmd, stdev);
	return rc;
}

/* IOMMU_TEST_OP_PASID_DETACH */
int mock_device_pasid_detach_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct stdev *stdev = stdev_borrow(ucmd);

	if (IS_ERR(stdev))
		return PTR_ERR(stdev);
	iommufd_device_detach(stdev->idev, cmd->pasid_detach.pasid);
	stdev_return(ucmd, stdev);
	return 0;
}

/* Has the IOMMU core this domain for a PASID?  NULL: does it block it? */
static int check_attached(struct iommufd_group *igroup, ioasid_t pasid,
			  struct iommu_domain *domain)
{
	struct iommu_attach_handle *handle;

	/* As long as it is held the handle stays. */
	guard(mutex)(&igroup->lock);
	handle = iommu_attach_handle_get(igroup->group, pasid, 0);
	return (IS_ERR(handle) ? NULL : handle->domain) == domain ? 0 : -EINVAL;
}

static int check_hwpt(struct iofd_ucmd *ucmd, struct iommufd_group *igroup,
		      ioasid_t pasid, u32 hwpt_id)
{
	struct iofd_objects *objects = &ucmd->ctx->objects;
	struct iommufd_object *obj;
	int rc;

	obj = iofd_object_borrow(objects, hwpt_id, IOMMUFD_OBJ_ANY);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	if (obj->type == IOMMUFD_OBJ_HWPT_PAGING ||
	    obj->type == IOMMUFD_OBJ_HWPT_NESTED)
		rc = check_attached(igroup, pasid, iofd_hwpt_of(obj)->domain);
	else
		rc = -EINVAL;
	iofd_object_return(objects, obj);
	return rc;
}

/* Has a word of the device's cache this value? */
static int check_cache(struct device *dev, u32 id, u32 value)
{
	if (!mock_iommu_has_device(dev))
		return -EINVAL;
	if (id > MOCK_DEV_CACHE_ID_MAX ||
	    READ_ONCE(mock_device_of(dev)->cache[id]) != value)
		return -EINVAL;
	return 0;
}

/* IOMMU_TEST_OP_DEV_CHECK_CACHE */
int mock_device_check_cache_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct iommufd_device *idev;
	int rc;

	idev = iofd_device_borrow(ucmd->ctx, cmd->id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);
	rc = check_cache(idev->dev, cmd->check_dev_cache.id,
			 cmd->check_dev_cache.cache);
	iofd_device_return(idev);
	return rc;
}

/* IOMMU_TEST_OP_PASID_CHECK_HWPT */
int mock_device_pasid_check_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	ioasid_t pasid = cmd->pasid_check.pasid;
	u32 hwpt_id = cmd->pasid_check.hwpt_id;
	struct stdev *stdev = stdev_borrow(ucmd);
	struct iommufd_group *igroup;
	int rc;

	if (IS_ERR(stdev))
		return PTR_ERR(stdev);
	igroup = stdev->idev->igroup;
	rc = hwpt_id ? check_hwpt(ucmd, igroup, pasid, hwpt_id) :
		       check_attached(igroup, pasid, NULL);
	stdev_return(ucmd, stdev);
	return rc;
}
