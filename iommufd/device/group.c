// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: IOMMU groups of a context
 *
 * A struct iommufd_group exists while at least one device of the IOMMU group is
 * bound to the context.  It is found by the IOMMU group's ID in ctx->groups,
 * whose xa_lock guards the way from the last reference to the removal.
 */
#include <linux/slab.h>

#include "device/device.h"
#include "device/msi.h"

/**
 * iofd_group_get - the group of a device in a context
 * @ictx: context
 * @dev: device in an IOMMU group
 *
 * Return: group with one more reference; ERR_PTR(-ENODEV) for a device without
 * an IOMMU group; ERR_PTR(-ENOMEM).
 */
struct iommufd_group *iofd_group_get(struct iommufd_ctx *ictx,
				     struct device *dev)
{
	struct iommufd_group *igroup, *new;
	struct iommu_group *group;
	void *old;
	int rc;

	group = iommu_group_get(dev);
	if (!group)
		return ERR_PTR(-ENODEV);

	xa_lock(&ictx->groups);
	igroup = xa_load(&ictx->groups, iommu_group_id(group));
	if (igroup)
		refcount_inc(&igroup->refcount);
	xa_unlock(&ictx->groups);
	if (igroup) {
		iommu_group_put(group);
		return igroup;
	}

	new = kzalloc_obj(*new, GFP_KERNEL_ACCOUNT);
	if (!new) {
		rc = -ENOMEM;
		goto err_group;
	}
	refcount_set(&new->refcount, 1);
	new->ctx = ictx;
	new->group = group;
	mutex_init(&new->lock);
	xa_init_flags(&new->attachments, XA_FLAGS_ACCOUNT);
	iofd_msi_group_init(new);

	/* Somebody may have been faster; then theirs is used. */
	xa_lock(&ictx->groups);
	old = __xa_cmpxchg(&ictx->groups, iommu_group_id(group), NULL, new,
			   GFP_KERNEL_ACCOUNT);
	if (old && !xa_is_err(old)) {
		igroup = old;
		refcount_inc(&igroup->refcount);
	}
	xa_unlock(&ictx->groups);
	if (!old)
		return new;

	mutex_destroy(&new->lock);
	kfree(new);
	if (!xa_is_err(old)) {
		iommu_group_put(group);
		return igroup;
	}
	rc = xa_err(old);
err_group:
	iommu_group_put(group);
	return ERR_PTR(rc);
}

/**
 * iofd_group_put - drop a reference
 * @igroup: group; freed with the last reference
 */
void iofd_group_put(struct iommufd_group *igroup)
{
	struct iommufd_ctx *ictx = igroup->ctx;

	xa_lock(&ictx->groups);
	if (!refcount_dec_and_test(&igroup->refcount)) {
		xa_unlock(&ictx->groups);
		return;
	}
	__xa_erase(&ictx->groups, iommu_group_id(igroup->group));
	xa_unlock(&ictx->groups);

	WARN_ON(!xa_empty(&igroup->attachments));
	xa_destroy(&igroup->attachments);
	iommu_group_put(igroup->group);
	mutex_destroy(&igroup->lock);
	kfree(igroup);
}

/**
 * iommufd_ctx_has_group - is a device of an IOMMU group bound to a context?
 * @ictx: context, or NULL
 * @group: IOMMU group, or NULL
 *
 * Context: any that may take a spinlock.
 *
 * Return: true if so; false for NULL.
 */
bool iommufd_ctx_has_group(struct iommufd_ctx *ictx, struct iommu_group *group)
{
	if (!ictx || !group)
		return false;
	/* A group is in the table for exactly as long as a device is bound. */
	return xa_load(&ictx->groups, iommu_group_id(group));
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_has_group, "IOMMUFD");
