// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: hardware queues
 *
 * A hardware queue lies in the guest's memory, and hardware reads it by itself,
 * by physical addresses, whenever the guest has put something in.  So from
 * alloc to destroy its memory is pinned and its mapping locked: user space that
 * unmaps it is refused, since nobody could ask the hardware to let go::
 *
 *   alloc     lock the range, see that it is contiguous, answer, driver's init
 *   destroy   driver's destroy, unlock the range
 *
 * The driver's init comes last, behind everything else that can fail.  Another
 * queue may depend on this one as soon as the driver knows it, and what others
 * depend on cannot be given up any more.
 */
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "base/range.h"
#include "object/access.h"
#include "object/hwpt.h"
#include "viommu/hwqueue.h"
#include "viommu/viommu.h"

/* All of the pages that a range of bytes touches */
static struct iofd_range whole_pages(unsigned long first, unsigned long length)
{
	return (struct iofd_range){
		first & PAGE_MASK, (first + (length - 1)) | ~PAGE_MASK
	};
}

static void queue_unlock_memory(struct iommufd_hw_queue *queue)
{
	iofd_access_unlock(queue->access,
			   whole_pages(queue->base_addr, queue->length));
}

static void hw_queue_destroy(struct iommufd_object *obj)
{
	struct iommufd_hw_queue *queue =
		container_of(obj, struct iommufd_hw_queue, obj);

	if (queue->destroy)
		queue->destroy(queue);
	queue_unlock_memory(queue);
	iofd_object_unref(&queue->viommu->obj);
}

const struct iofd_object_type iofd_hw_queue_type = {
	.name = "hw queue",
	.destroy = hw_queue_destroy,
};

/* Size of the driver's struct; 0 if it has no queue of this type. */
static size_t queue_size(struct iommufd_viommu *viommu, u32 type)
{
	const struct iommufd_viommu_ops *ops = viommu->ops;
	size_t size;

	if (!ops->get_hw_queue_size || !ops->hw_queue_init_phys)
		return 0;
	size = ops->get_hw_queue_size(viommu, type);
	if (WARN_ON_ONCE(size && size < sizeof(struct iommufd_hw_queue)))
		return 0;
	return size;
}

static bool is_contiguous(struct page **pages, unsigned long npages)
{
	unsigned long i;

	for (i = 1; i < npages; i++)
		if (page_to_pfn(pages[i]) != page_to_pfn(pages[0]) + i)
			return false;
	return true;
}

/* Pin and lock the queue's memory, and say where it is. */
static int queue_lock_memory(struct iommufd_hw_queue *queue, phys_addr_t *phys)
{
	struct iofd_range range = whole_pages(queue->base_addr, queue->length);
	unsigned int offset = offset_in_page(queue->base_addr);
	struct page **pages __free(kvfree) = NULL;
	unsigned long npages, rounded;

	if (check_add_overflow(queue->length, offset + PAGE_SIZE - 1, &rounded))
		return -ERANGE;
	npages = rounded >> PAGE_SHIFT;
	pages = kvmalloc_objs(*pages, npages,
			      GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!pages)
		return -ENOMEM;

	queue->access = iofd_access_lock(queue->viommu->hwpt->ioas, range,
					 pages);
	if (IS_ERR(queue->access))
		return PTR_ERR(queue->access);
	if (!is_contiguous(pages, npages)) {
		queue_unlock_memory(queue);
		return -EFAULT;
	}
	*phys = page_to_phys(pages[0]) + offset;
	return 0;
}

static int queue_create(struct iofd_ucmd *ucmd, struct iommufd_viommu *viommu)
{
	struct iofd_objects *objects = &ucmd->ctx->objects;
	struct iommu_hw_queue_alloc *cmd = ucmd->cmd;
	struct iommufd_hw_queue *queue;
	phys_addr_t phys;
	size_t size;
	int rc;

	size = queue_size(viommu, cmd->type);
	if (!size)
		return -EOPNOTSUPP;
	queue = kzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!queue)
		return -ENOMEM;
	rc = iofd_object_new(objects, &queue->obj, IOMMUFD_OBJ_HW_QUEUE);
	if (rc) {
		kfree(queue);
		return rc;
	}
	queue->viommu = viommu;
	queue->type = cmd->type;
	queue->base_addr = cmd->nesting_parent_iova;
	queue->length = cmd->length;
	if (!iofd_object_ref(&viommu->obj)) {
		rc = -ENOENT;
		goto err_object;
	}
	rc = queue_lock_memory(queue, &phys);
	if (rc)
		goto err_viommu;
	cmd->out_hw_queue_id = queue->obj.id;
	rc = iofd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		goto err_unlock;
	rc = viommu->ops->hw_queue_init_phys(queue, cmd->index, phys);
	if (rc)
		goto err_unlock;

	/* Point of no return. */
	iofd_object_publish(objects, &queue->obj);
	return 0;

err_unlock:
	queue_unlock_memory(queue);
err_viommu:
	iofd_object_unref(&viommu->obj);
err_object:
	iofd_object_cancel(objects, &queue->obj);
	return rc;
}

/* IOMMU_HW_QUEUE_ALLOC */
int hw_queue_alloc_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_hw_queue_alloc *cmd = ucmd->cmd;
	struct iommufd_viommu *viommu;
	struct iofd_range range;
	int rc;

	if (cmd->flags || cmd->type == IOMMU_HW_QUEUE_TYPE_DEFAULT)
		return -EOPNOTSUPP;
	rc = iofd_range_from_length(&range, cmd->nesting_parent_iova,
				    cmd->length);
	if (rc)
		return rc;

	viommu = iofd_viommu_borrow(ucmd->ctx, cmd->viommu_id);
	if (IS_ERR(viommu))
		return PTR_ERR(viommu);
	rc = queue_create(ucmd, viommu);
	iofd_viommu_return(viommu);
	return rc;
}
