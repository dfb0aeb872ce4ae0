// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: nested page tables of the mock
 *
 * They translate nothing. All that a nested domain has is four words, which
 * stand for what an IOMMU would have cached of the guest's page table: the
 * caller of IOMMU_HWPT_ALLOC says what they begin with, a request for
 * invalidation sets one of them or all to zero, and
 * IOMMU_TEST_OP_MD_CHECK_IOTLB compares one.
 *
 * One that was made on a vIOMMU takes only devices that have a vDEVICE there,
 * and each remembers that number while it is attached.
 *
 * Lock: none for the words, each of which is read or written at once.
 */
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "iommufd_test.h"
#include "object/hwpt.h"
#include "test/mock.h"

/**
 * struct mock_nested - a nested page table of the mock IOMMU
 * @domain: what the IOMMU core sees
 * @viommu: the vIOMMU it was made on, or NULL
 * @iotlb: the words
 */
struct mock_nested {
	struct iommu_domain domain;
	struct iommufd_viommu *viommu;
	u32 iotlb[MOCK_NESTED_DOMAIN_IOTLB_NUM];
};

static struct mock_nested *nested_of(struct iommu_domain *domain)
{
	return container_of(domain, struct mock_nested, domain);
}

/* The device's number on the vIOMMU, if the page table was made on one */
static int find_vdevice(struct mock_nested *nested, struct device *dev,
			unsigned long *vdev_id)
{
	*vdev_id = 0;
	if (!nested->viommu)
		return 0;
	return iommufd_viommu_get_vdev_id(nested->viommu, dev, vdev_id);
}

static int nested_attach_dev(struct iommu_domain *domain, struct device *dev,
			     struct iommu_domain *old)
{
	struct mock_nested *nested = nested_of(domain);
	unsigned long vdev_id;
	int rc;

	rc = find_vdevice(nested, dev, &vdev_id);
	if (rc)
		return rc;
	rc = mock_iopf_attach(dev, domain, old);
	if (!rc)
		mock_device_moved(dev, nested->viommu, vdev_id);
	return rc;
}

static int nested_set_dev_pasid(struct iommu_domain *domain, struct device *dev,
				ioasid_t pasid, struct iommu_domain *old)
{
	unsigned long vdev_id;
	int rc;

	rc = find_vdevice(nested_of(domain), dev, &vdev_id);
	return rc ?: mock_pasid_set(dev, pasid, domain, old);
}

static void nested_free(struct iommu_domain *domain)
{
	kfree(nested_of(domain));
}

static int invalidate_one(struct mock_nested *nested,
			  const struct iommu_hwpt_invalidate_selftest *request)
{
	unsigned int i;

	if (request->flags & ~IOMMU_TEST_INVALIDATE_FLAG_ALL)
		return -EOPNOTSUPP;
	if (request->iotlb_id > MOCK_NESTED_DOMAIN_IOTLB_ID_MAX)
		return -EINVAL;

	for (i = 0; i < MOCK_NESTED_DOMAIN_IOTLB_NUM; i++)
		if (request->flags || i == request->iotlb_id)
			WRITE_ONCE(nested->iotlb[i], 0);
	return 0;
}

static int nested_cache_invalidate_user(struct iommu_domain *domain,
					struct iommu_user_data_array *array)
{
	const u32 type = IOMMU_HWPT_INVALIDATE_DATA_SELFTEST;
	struct iommu_hwpt_invalidate_selftest request;
	int rc = array->type == type ? 0 : -EINVAL;
	u32 done = 0;

	while (!rc && done < array->entry_num) {
		rc = iommu_copy_struct_from_user_array(&request, array, type,
						       done, iotlb_id);
		if (!rc)
			rc = invalidate_one(nested_of(domain), &request);
		if (!rc)
			done++;
		cond_resched();
	}
	array->entry_num = done;
	return rc;
}

static const struct iommu_domain_ops mock_nested_ops = {
	.attach_dev = nested_attach_dev,
	.set_dev_pasid = nested_set_dev_pasid,
	.cache_invalidate_user = nested_cache_invalidate_user,
	.free = nested_free,
};

/**
 * mock_nested_alloc - a nested page table
 * @flags: enum iommufd_hwpt_alloc_flags, without IOMMU_HWPT_FAULT_ID_VALID
 * @data: struct iommu_hwpt_selftest, of which the first word is needed
 * @viommu: the vIOMMU it is made on, or NULL for one on a parent itself
 *
 * Return: the domain; ERR_PTR(-EOPNOTSUPP) flags other than
 * IOMMU_HWPT_ALLOC_PASID, or data of another type; ERR_PTR(-EINVAL) data too
 * short or too long; ERR_PTR(-EFAULT) that cannot be read; ERR_PTR(-ENOMEM).
 */
struct iommu_domain *mock_nested_alloc(u32 flags,
				       const struct iommu_user_data *data,
				       struct iommufd_viommu *viommu)
{
	struct iommu_hwpt_selftest cfg = {};
	struct mock_nested *nested;
	unsigned int i;
	int rc;

	if (flags & ~IOMMU_HWPT_ALLOC_PASID)
		return ERR_PTR(-EOPNOTSUPP);
	if (data->type != IOMMU_HWPT_DATA_SELFTEST)
		return ERR_PTR(-EOPNOTSUPP);
	rc = iommu_copy_struct_from_user(&cfg, data, IOMMU_HWPT_DATA_SELFTEST,
					 iotlb);
	if (rc)
		return ERR_PTR(rc);

	nested = kzalloc_obj(*nested, GFP_KERNEL_ACCOUNT);
	if (!nested)
		return ERR_PTR(-ENOMEM);
	nested->domain.type = IOMMU_DOMAIN_NESTED;
	nested->domain.ops = &mock_nested_ops;
	nested->viommu = viommu;
	for (i = 0; i < MOCK_NESTED_DOMAIN_IOTLB_NUM; i++)
		nested->iotlb[i] = cfg.iotlb;
	return &nested->domain;
}

/* Has a word of the domain this value? */
static int check_iotlb(struct iommu_domain *domain, u32 id, u32 value)
{
	if (domain->ops != &mock_nested_ops)
		return -EINVAL;
	if (id > MOCK_NESTED_DOMAIN_IOTLB_ID_MAX ||
	    READ_ONCE(nested_of(domain)->iotlb[id]) != value)
		return -EINVAL;
	return 0;
}

/* IOMMU_TEST_OP_MD_CHECK_IOTLB */
int mock_nested_check_ioctl(struct iofd_ucmd *ucmd)
{
	struct iofd_objects *objects = &ucmd->ctx->objects;
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct iommufd_object *obj;
	int rc;

	obj = iofd_object_borrow(objects, cmd->id, IOMMUFD_OBJ_HWPT_NESTED);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	rc = check_iotlb(iofd_hwpt_of(obj)->domain, cmd->check_iotlb.id,
			 cmd->check_iotlb.iotlb);
	iofd_object_return(objects, obj);
	return rc;
}
