// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: invalidation
 *
 * A guest that changed its page table says so, and its requests arrive here in
 * an array. They are for the IOMMU driver alone, which reads them one by one or
 * all at once, and tells how far it got::
 *
 *   nested page table   what the IOMMU cached of this one
 *   vIOMMU              any cache that the vIOMMU has a part in
 *
 * However the ioctl ends, the caller is told how many requests were carried
 * out: none, unless the IOMMU driver says more.
 */
#include <linux/bits.h>
#include <linux/iommufd.h>
#include <linux/uaccess.h>

#include "object/hwpt.h"

/* Most requests in one call */
#define ENTRIES_MAX BIT(19)

/* Without requests the ioctl asks a question, and nothing is read. */
static int check_array(const struct iommu_hwpt_invalidate *cmd)
{
	if (!cmd->entry_num)
		return 0;
	if (!cmd->data_uptr || !cmd->entry_len || cmd->entry_len > PAGE_SIZE ||
	    cmd->entry_num > ENTRIES_MAX)
		return -EINVAL;
	return 0;
}

/* @done: out: what the IOMMU driver says; untouched if it is not asked */
static int invalidate_object(struct iommufd_object *obj,
			     struct iommu_user_data_array *array, u32 *done)
{
	struct iommufd_viommu *viommu;
	struct iommu_domain *domain;
	int rc;

	switch (obj->type) {
	case IOMMUFD_OBJ_HWPT_NESTED:
		domain = iofd_hwpt_of(obj)->domain;
		if (!domain->ops->cache_invalidate_user)
			return -EOPNOTSUPP;
		rc = domain->ops->cache_invalidate_user(domain, array);
		break;
	case IOMMUFD_OBJ_VIOMMU:
		viommu = container_of(obj, struct iommufd_viommu, obj);
		if (!viommu->ops->cache_invalidate)
			return -EOPNOTSUPP;
		rc = viommu->ops->cache_invalidate(viommu, array);
		break;
	default:
		return -EINVAL;
	}
	*done = array->entry_num;
	return rc;
}

static int invalidate(struct iofd_ucmd *ucmd, u32 *done)
{
	struct iofd_objects *objects = &ucmd->ctx->objects;
	struct iommu_hwpt_invalidate *cmd = ucmd->cmd;
	struct iommu_user_data_array array = {
		.type = cmd->data_type,
		.uptr = u64_to_user_ptr(cmd->data_uptr),
		.entry_len = cmd->entry_len,
		.entry_num = cmd->entry_num,
	};
	struct iommufd_object *obj;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	rc = check_array(cmd);
	if (rc)
		return rc;
	obj = iofd_object_borrow(objects, cmd->hwpt_id, IOMMUFD_OBJ_ANY);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	rc = invalidate_object(obj, &array, done);
	iofd_object_return(objects, obj);
	return rc;
}

/* IOMMU_HWPT_INVALIDATE */
int hwpt_invalidate_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_hwpt_invalidate __user *ucmd_invalidate = ucmd->ubuffer;
	u32 done = 0;
	int rc;

	rc = invalidate(ucmd, &done);
	if (put_user(done, &ucmd_invalidate->entry_num))
		return -EFAULT;
	return rc;
}
