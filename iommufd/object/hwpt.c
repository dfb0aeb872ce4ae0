// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: hardware page tables
 *
 * A paging HWPT is a domain that holds all areas of one IOAS from the moment
 * it has joined to the moment it leaves::
 *
 *   new ------> join ------> publish ......> destroy
 *    |           |                           leave, free the domain
 *    +-- cancel -+
 *
 * Manual ones are made by IOMMU_HWPT_ALLOC and ended by IOMMU_DESTROY.
 * Automatic ones are made when a device attaches to an IOAS and none of those
 * that exist fits; they go with their last user.
 *
 * Nested ones, which hold no areas, are hwpt_nested.c's.
 */
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "../iommu-priv.h"
#include "base/check.h"
#include "object/hwpt.h"

#define PAGING_FLAGS (IOMMU_HWPT_ALLOC_NEST_PARENT |	\
		      IOMMU_HWPT_ALLOC_DIRTY_TRACKING |	\
		      IOMMU_HWPT_FAULT_ID_VALID |	\
		      IOMMU_HWPT_ALLOC_PASID)

static struct iommufd_ctx *hwpt_ctx(struct iommufd_hwpt_paging *hwpt)
{
	return hwpt->ioas->ctx;
}

/**
 * iofd_hwpt_set_domain - a new page table gets its domain
 * @hwpt: page table in state NEW
 * @domain: as the IOMMU driver made it; the page table's from now on
 */
void iofd_hwpt_set_domain(struct iommufd_hw_pagetable *hwpt,
			  struct iommu_domain *domain)
{
	hwpt->domain = domain;
	domain->iommufd_hwpt = hwpt;
	domain->cookie_type = IOMMU_COOKIE_IOMMUFD;
}

/**
 * iofd_hwpt_set_fault - page faults met on a page table go to a queue
 * @hwpt: page table in state NEW
 * @fault: the queue
 * @fault_obj: the queue as an object, borrowed by the caller
 * @handler: takes the faults; told apart by the attach handle
 *
 * Return: true; false if the queue is being destroyed.
 */
bool iofd_hwpt_set_fault(struct iommufd_hw_pagetable *hwpt,
			 struct iofd_fault *fault,
			 struct iommufd_object *fault_obj,
			 int (*handler)(struct iopf_group *group))
{
	if (!iofd_object_ref(fault_obj))
		return false;
	hwpt->fault = fault;
	hwpt->fault_obj = fault_obj;
	hwpt->domain->iopf_handler = handler;
	return true;
}

/**
 * iofd_hwpt_free_domain - the end of a page table's domain
 * @hwpt: page table that nothing is attached to
 */
void iofd_hwpt_free_domain(struct iommufd_hw_pagetable *hwpt)
{
	iommu_domain_free(hwpt->domain);
	if (hwpt->fault_obj)
		iofd_object_unref(hwpt->fault_obj);
}

/* May this device have a page table with these flags and data? */
static int check_flags(struct device *dev, u32 flags, bool data)
{
	const struct iommu_ops *ops = dev_iommu_ops(dev);

	if ((flags || data) && !ops->domain_alloc_paging_flags)
		return -EOPNOTSUPP;
	if (flags & ~PAGING_FLAGS)
		return -EOPNOTSUPP;
	if ((flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING) &&
	    !device_iommu_capable(dev, IOMMU_CAP_DIRTY_TRACKING))
		return -EOPNOTSUPP;
	if ((flags & IOMMU_HWPT_FAULT_ID_VALID) &&
	    (flags & IOMMU_HWPT_ALLOC_NEST_PARENT))
		return -EOPNOTSUPP;
	return 0;
}

static struct iommu_domain *alloc_domain(struct device *dev, u32 flags,
					 const struct iommu_user_data *data)
{
	const struct iommu_ops *ops = dev_iommu_ops(dev);
	struct iommu_domain *domain;

	if (!ops->domain_alloc_paging_flags)
		return iommu_paging_domain_alloc(dev);

	flags &= ~IOMMU_HWPT_FAULT_ID_VALID;
	domain = ops->domain_alloc_paging_flags(dev, flags, data);
	if (!IS_ERR(domain))
		domain->owner = ops;
	return domain;
}

/**
 * iofd_hwpt_paging_new - a page table for an IOAS, in state NEW and empty
 * @ioas: IOAS, borrowed by the caller
 * @dev: device whose IOMMU driver makes the domain
 * @enforce_coherency: the device's IOMMU can ignore no-snoop: make it so
 * @flags: enum iommufd_hwpt_alloc_flags
 * @data: the IOMMU driver's data, or NULL
 *
 * Return: the page table, to be joined and published, or cancelled;
 * ERR_PTR(-EOPNOTSUPP) flags or data that this device's IOMMU cannot do;
 * ERR_PTR(-ENOENT) the IOAS is being destroyed; ERR_PTR(-ENOMEM); or what the
 * IOMMU driver says.
 */
struct iommufd_hwpt_paging *
iofd_hwpt_paging_new(struct iofd_ioas *ioas, struct device *dev,
		     bool enforce_coherency, u32 flags,
		     const struct iommu_user_data *data)
{
	struct iofd_objects *objects = &ioas->ctx->objects;
	struct iommufd_hwpt_paging *hwpt;
	struct iommu_domain *domain;
	int rc;

	rc = check_flags(dev, flags, data);
	if (rc)
		return ERR_PTR(rc);

	hwpt = kzalloc_obj(*hwpt, GFP_KERNEL_ACCOUNT);
	if (!hwpt)
		return ERR_PTR(-ENOMEM);
	rc = iofd_object_new(objects, &hwpt->common.obj,
			     IOMMUFD_OBJ_HWPT_PAGING);
	if (rc) {
		kfree(hwpt);
		return ERR_PTR(rc);
	}
	INIT_LIST_HEAD(&hwpt->auto_link);
	hwpt->common.pasid_compat = flags & IOMMU_HWPT_ALLOC_PASID;
	hwpt->nest_parent = flags & IOMMU_HWPT_ALLOC_NEST_PARENT;
	hwpt->ioas = ioas;
	if (!iofd_object_ref(&ioas->obj)) {
		rc = -ENOENT;
		goto err_object;
	}

	domain = alloc_domain(dev, flags, data);
	if (IS_ERR(domain)) {
		rc = PTR_ERR(domain);
		goto err_ioas;
	}
	iofd_hwpt_set_domain(&hwpt->common, domain);
	hwpt->member.domain = domain;
	hwpt->msi.domain = domain;
	hwpt->member.id = hwpt->common.obj.id;

	/* Only an empty domain may change, and it never changes back. */
	if (enforce_coherency) {
		if (!domain->ops->enforce_cache_coherency ||
		    !domain->ops->enforce_cache_coherency(domain)) {
			rc = -EINVAL;
			goto err_domain;
		}
		hwpt->enforce_coherency = true;
		hwpt->member.coherent = true;
	}
	return hwpt;

err_domain:
	iommu_domain_free(domain);
err_ioas:
	iofd_object_unref(&ioas->obj);
err_object:
	iofd_object_cancel(objects, &hwpt->common.obj);
	return ERR_PTR(rc);
}

/**
 * iofd_hwpt_paging_new_automatic - a page table that nobody asked for by name
 * @ioas: IOAS, borrowed by the caller
 * @dev: device whose IOMMU driver makes the domain
 * @enforce_coherency: as for iofd_hwpt_paging_new()
 *
 * It has no flags.  Only for VFIO's container it can record writes if the
 * device's IOMMU can, since there nobody could ask for it.
 *
 * Return: as iofd_hwpt_paging_new().
 */
struct iommufd_hwpt_paging *
iofd_hwpt_paging_new_automatic(struct iofd_ioas *ioas, struct device *dev,
			       bool enforce_coherency)
{
	struct iommufd_hwpt_paging *hwpt;

	if (iofd_ctx_is_container(ioas->ctx) &&
	    device_iommu_capable(dev, IOMMU_CAP_DIRTY_TRACKING)) {
		hwpt = iofd_hwpt_paging_new(ioas, dev, enforce_coherency,
					    IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
					    NULL);
		if (hwpt != ERR_PTR(-EOPNOTSUPP))
			return hwpt;
	}
	return iofd_hwpt_paging_new(ioas, dev, enforce_coherency, 0, NULL);
}

/**
 * iofd_hwpt_paging_join - fill the page table with the IOAS's areas
 * @hwpt: page table in state NEW
 *
 * Return: 0 or what iofd_aspace_join() returns.
 */
int iofd_hwpt_paging_join(struct iommufd_hwpt_paging *hwpt)
{
	int rc = iofd_aspace_join(&hwpt->ioas->aspace, &hwpt->member);

	if (!rc)
		hwpt->joined = true;
	return rc;
}

static void hwpt_paging_teardown(struct iommufd_hwpt_paging *hwpt)
{
	if (hwpt->joined)
		iofd_aspace_leave(&hwpt->ioas->aspace, &hwpt->member);
	iofd_hwpt_free_domain(&hwpt->common);
	iofd_object_unref(&hwpt->ioas->obj);
}

/**
 * iofd_hwpt_paging_cancel - give up a page table in state NEW
 * @hwpt: page table, joined or not; freed
 */
void iofd_hwpt_paging_cancel(struct iommufd_hwpt_paging *hwpt)
{
	struct iofd_objects *objects = &hwpt_ctx(hwpt)->objects;

	hwpt_paging_teardown(hwpt);
	iofd_object_cancel(objects, &hwpt->common.obj);
}

static void hwpt_paging_destroy(struct iommufd_object *obj)
{
	struct iommufd_hwpt_paging *hwpt = iofd_hwpt_paging_of(obj);

	if (hwpt->automatic) {
		mutex_lock(&hwpt->ioas->auto_list_lock);
		list_del(&hwpt->auto_link);
		mutex_unlock(&hwpt->ioas->auto_list_lock);
	}
	hwpt_paging_teardown(hwpt);
}

/**
 * iofd_hwpt_show - the line of a page table in fdinfo
 * @m: where to
 * @obj: page table of either type, LIVE, with the ID table locked
 */
void iofd_hwpt_show(struct seq_file *m, struct iommufd_object *obj)
{
	struct iommufd_hwpt_nested *nested;
	struct iommufd_hwpt_paging *paging;
	/* One is the ID table's own. */
	unsigned int users = refcount_read(&obj->users) - 1;

	if (obj->type == IOMMUFD_OBJ_HWPT_NESTED) {
		nested = iofd_hwpt_nested_of(obj);
		seq_printf(m, "iommufd-hwpt:\tid=%u type=nested ioas=%u parent=%u users=%u\n",
			   obj->id, nested->parent->ioas->obj.id,
			   nested->parent->common.obj.id, users);
		return;
	}
	paging = iofd_hwpt_paging_of(obj);
	seq_printf(m, "iommufd-hwpt:\tid=%u type=paging ioas=%u automatic=%u users=%u\n",
		   obj->id, paging->ioas->obj.id, paging->automatic, users);
}

const struct iofd_object_type iofd_hwpt_paging_type = {
	.name = "hwpt",
	.destroy = hwpt_paging_destroy,
	.show = iofd_hwpt_show,
};

/**
 * iofd_hwpt_publish - a manual or nested page table becomes visible
 * @hwpt: page table in state NEW; one of an IOAS has joined it
 */
void iofd_hwpt_publish(struct iommufd_hw_pagetable *hwpt)
{
	struct iommufd_hwpt_paging *paging = iofd_hwpt_paging_behind(hwpt);

	iofd_object_publish(&hwpt_ctx(paging)->objects, &hwpt->obj);
}

/**
 * iofd_hwpt_publish_automatic - an automatic page table becomes visible
 * @hwpt: joined page table in state NEW; the caller has a ref of its own on it
 *        and holds the IOAS's auto_lock
 */
void iofd_hwpt_publish_automatic(struct iommufd_hwpt_paging *hwpt)
{
	struct iofd_ioas *ioas = hwpt->ioas;

	lockdep_assert_held(&ioas->auto_lock);

	hwpt->automatic = true;
	mutex_lock(&ioas->auto_list_lock);
	list_add_tail(&hwpt->auto_link, &ioas->auto_hwpts);
	mutex_unlock(&ioas->auto_list_lock);
	iofd_object_publish(&ioas->ctx->objects, &hwpt->common.obj);
}

/**
 * iofd_hwpt_next_automatic - walk the automatic page tables of an IOAS
 * @ioas: IOAS; auto_lock held
 * @prev: the one before, whose ref is consumed, or NULL for the first
 *
 * Return: the next in creation order with a ref, or NULL.
 */
struct iommufd_hwpt_paging *
iofd_hwpt_next_automatic(struct iofd_ioas *ioas,
			 struct iommufd_hwpt_paging *prev)
{
	struct iommufd_hwpt_paging *next;

	lockdep_assert_held(&ioas->auto_lock);

	mutex_lock(&ioas->auto_list_lock);
	/* Referenced, so still in the list. */
	next = list_prepare_entry(prev, &ioas->auto_hwpts, auto_link);
	list_for_each_entry_continue(next, &ioas->auto_hwpts, auto_link)
		if (iofd_object_ref(&next->common.obj))
			break;
	if (list_entry_is_head(next, &ioas->auto_hwpts, auto_link))
		next = NULL;
	mutex_unlock(&ioas->auto_list_lock);

	if (prev)
		iofd_hwpt_unref(prev);
	return next;
}

/**
 * iofd_hwpt_unref - drop a ref on a page table
 * @hwpt: page table; an automatic one goes with the last ref
 */
void iofd_hwpt_unref(struct iommufd_hwpt_paging *hwpt)
{
	if (hwpt->automatic)
		iofd_object_unref_last(&hwpt_ctx(hwpt)->objects,
				       &hwpt->common.obj);
	else
		iofd_object_unref(&hwpt->common.obj);
}
