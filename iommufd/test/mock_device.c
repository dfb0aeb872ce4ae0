// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: mock devices
 *
 * The object IOMMUFD_OBJ_SELFTEST stands for the driver that a real device
 * would have, such as VFIO: it owns one mock device, bound to the context and
 * attached from the beginning to the end::
 *
 *   MOCK_DOMAIN   device into the system, bind, attach, | publish
 *   DESTROY       detach, unbind, device out of the system
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

#include "device/device.h"
#include "iommufd_test.h"
#include "test/mock.h"
#include "test/test.h"

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
	kfree(mdev);
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

static struct mock_device *mock_device_new(u32 flags)
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
	memset32(mdev->cache, IOMMU_TEST_DEV_CACHE_DEFAULT, MOCK_DEV_CACHE_NUM);
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

	if (flags & ~(MOCK_FLAGS_DEVICE_NO_DIRTY | MOCK_FLAGS_DEVICE_PASID))
		return -EINVAL;

	stdev = kzalloc_obj(*stdev, GFP_KERNEL_ACCOUNT);
	if (!stdev)
		return -ENOMEM;
	rc = iofd_object_new(objects, &stdev->obj, IOMMUFD_OBJ_SELFTEST);
	if (rc) {
		kfree(stdev);
		return rc;
	}
	stdev->mdev = mock_device_new(flags);
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

	iommufd_device_detach(stdev->idev, IOMMU_NO_PASID);
	iofd_device_unbind(stdev->idev);
	mock_device_remove(stdev->mdev);
}

const struct iofd_object_type iofd_test_object_type = {
	.name = "mock device",
	.destroy = stdev_destroy,
};

/* IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE */
int mock_device_replace_ioctl(struct iofd_ucmd *ucmd)
{
	struct iofd_objects *objects = &ucmd->ctx->objects;
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct iommufd_object *obj;
	struct stdev *stdev;
	int rc;

	obj = iofd_object_borrow(objects, cmd->id, IOMMUFD_OBJ_SELFTEST);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	stdev = container_of(obj, struct stdev, obj);
	rc = iommufd_device_replace(stdev->idev, IOMMU_NO_PASID,
				    &cmd->mock_domain_replace.pt_id);
	if (!rc)
		rc = iofd_ucmd_respond(ucmd, sizeof(*cmd));
	iofd_object_return(objects, obj);
	return rc;
}
