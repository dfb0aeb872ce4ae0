// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: nested page tables
 *
 * A nested HWPT is kept by a guest: it translates the guest's I/O addresses to
 * addresses of the guest's memory, and a parent, which is a paging HWPT made
 * with IOMMU_HWPT_ALLOC_NEST_PARENT, translates these::
 *
 *    device --> nested domain --> parent's domain --> memory
 *               the guest's       all areas of an IOAS
 *
 * So it holds no areas and joins no address space. What the IOMMU cached of it
 * goes by IOMMU_HWPT_INVALIDATE, see invalidate.c. It is made on its parent, or
 * on a vIOMMU that has one, and needs whichever it was made on to stay::
 *
 *   nested --ref--> parent          nested --ref--> vIOMMU --ref--> parent
 *
 * What a nested domain is, only the IOMMU driver knows, by the data that user
 * space gives; without data there is none.
 */
#include <linux/slab.h>

#include "../iommu-priv.h"
#include "object/hwpt.h"

#define NESTED_FLAGS (IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID)

static struct iofd_objects *nested_objects(struct iommufd_hwpt_nested *hwpt)
{
	return &hwpt->parent->ioas->ctx->objects;
}

/* What it was made on, and so has to stay. */
static struct iommufd_object *nested_base(struct iommufd_hwpt_nested *hwpt)
{
	return hwpt->viommu ? &hwpt->viommu->obj : &hwpt->parent->common.obj;
}

/* In state NEW, and still without domain. */
static struct iommufd_hwpt_nested *
nested_new(struct iommufd_hwpt_paging *parent, struct iommufd_viommu *viommu,
	   u32 flags)
{
	struct iommufd_hwpt_nested *hwpt;
	int rc;

	hwpt = kzalloc_obj(*hwpt, GFP_KERNEL_ACCOUNT);
	if (!hwpt)
		return ERR_PTR(-ENOMEM);
	hwpt->parent = parent;
	hwpt->viommu = viommu;
	hwpt->common.pasid_compat = flags & IOMMU_HWPT_ALLOC_PASID;
	rc = iofd_object_new(nested_objects(hwpt), &hwpt->common.obj,
			     IOMMUFD_OBJ_HWPT_NESTED);
	if (rc) {
		kfree(hwpt);
		return ERR_PTR(rc);
	}
	/* To be gone in a moment is as good as to be gone. */
	if (!iofd_object_ref(nested_base(hwpt))) {
		iofd_object_cancel(nested_objects(hwpt), &hwpt->common.obj);
		return ERR_PTR(-EINVAL);
	}
	return hwpt;
}

static void nested_undo_new(struct iommufd_hwpt_nested *hwpt)
{
	iofd_object_unref(nested_base(hwpt));
	iofd_object_cancel(nested_objects(hwpt), &hwpt->common.obj);
}

/* Take over what the IOMMU driver answered. */
static struct iommufd_hwpt_nested *
nested_finish(struct iommufd_hwpt_nested *hwpt, struct iommu_domain *domain,
	      const struct iommu_ops *ops)
{
	if (IS_ERR(domain)) {
		nested_undo_new(hwpt);
		return ERR_CAST(domain);
	}
	domain->owner = ops;
	/* A table of its own would go round the parent. */
	if (WARN_ON_ONCE(domain->type != IOMMU_DOMAIN_NESTED)) {
		iommu_domain_free(domain);
		nested_undo_new(hwpt);
		return ERR_PTR(-EOPNOTSUPP);
	}
	iofd_hwpt_set_domain(&hwpt->common, domain);
	return hwpt;
}

/**
 * iofd_hwpt_nested_new - a nested page table on a parent, in state NEW
 * @parent: page table of an IOAS, borrowed by the caller
 * @dev: device whose IOMMU driver makes the domain
 * @flags: enum iommufd_hwpt_alloc_flags
 * @data: the IOMMU driver's data, or NULL
 *
 * Return: the page table, to be published, or cancelled; ERR_PTR(-EOPNOTSUPP)
 * flags that a nested page table cannot have, no data, or an IOMMU driver that
 * makes none here; ERR_PTR(-EINVAL) the parent was not made to be one, is of
 * another IOMMU driver, or is being destroyed; ERR_PTR(-ENOMEM); or what the
 * IOMMU driver says.
 */
struct iommufd_hwpt_nested *
iofd_hwpt_nested_new(struct iommufd_hwpt_paging *parent, struct device *dev,
		     u32 flags, const struct iommu_user_data *data)
{
	const struct iommu_ops *ops = dev_iommu_ops(dev);
	struct iommufd_hwpt_nested *hwpt;
	struct iommu_domain *domain;

	if ((flags & ~NESTED_FLAGS) || !data || !ops->domain_alloc_nested)
		return ERR_PTR(-EOPNOTSUPP);
	/* Automatic ones never are nest parents. */
	if (!parent->nest_parent || parent->common.domain->owner != ops)
		return ERR_PTR(-EINVAL);

	hwpt = nested_new(parent, NULL, flags);
	if (IS_ERR(hwpt))
		return hwpt;
	flags &= ~IOMMU_HWPT_FAULT_ID_VALID;
	domain = ops->domain_alloc_nested(dev, parent->common.domain, flags,
					  data);
	return nested_finish(hwpt, domain, ops);
}

/**
 * iofd_hwpt_nested_new_viommu - a nested page table on a vIOMMU, in state NEW
 * @viommu: vIOMMU, borrowed by the caller
 * @dev: a device of the vIOMMU's IOMMU
 * @flags: enum iommufd_hwpt_alloc_flags
 * @data: the IOMMU driver's data, or NULL
 *
 * Return: the page table, to be published, or cancelled; ERR_PTR(-EINVAL) @dev
 * is behind another IOMMU, or the vIOMMU is being destroyed;
 * ERR_PTR(-EOPNOTSUPP) flags that a nested page table cannot have, no data, or
 * a vIOMMU that makes none; ERR_PTR(-ENOMEM); or what the IOMMU driver says.
 */
struct iommufd_hwpt_nested *
iofd_hwpt_nested_new_viommu(struct iommufd_viommu *viommu, struct device *dev,
			    u32 flags, const struct iommu_user_data *data)
{
	struct iommufd_hwpt_nested *hwpt;
	struct iommu_domain *domain;

	if (viommu->iommu_dev != __iommu_get_iommu_dev(dev))
		return ERR_PTR(-EINVAL);
	if ((flags & ~NESTED_FLAGS) || !data ||
	    !viommu->ops->alloc_domain_nested)
		return ERR_PTR(-EOPNOTSUPP);

	hwpt = nested_new(viommu->hwpt, viommu, flags);
	if (IS_ERR(hwpt))
		return hwpt;
	flags &= ~IOMMU_HWPT_FAULT_ID_VALID;
	domain = viommu->ops->alloc_domain_nested(viommu, flags, data);
	return nested_finish(hwpt, domain, dev_iommu_ops(dev));
}

static void nested_teardown(struct iommufd_hwpt_nested *hwpt)
{
	iofd_hwpt_free_domain(&hwpt->common);
	iofd_object_unref(nested_base(hwpt));
}

/**
 * iofd_hwpt_nested_cancel - give up a nested page table in state NEW
 * @hwpt: page table; freed
 */
void iofd_hwpt_nested_cancel(struct iommufd_hwpt_nested *hwpt)
{
	struct iofd_objects *objects = nested_objects(hwpt);

	nested_teardown(hwpt);
	iofd_object_cancel(objects, &hwpt->common.obj);
}

static void nested_destroy(struct iommufd_object *obj)
{
	nested_teardown(iofd_hwpt_nested_of(obj));
}

const struct iofd_object_type iofd_hwpt_nested_type = {
	.name = "nested hwpt",
	.destroy = nested_destroy,
	.show = iofd_hwpt_show,
};
