// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: VFIO_IOMMU_GET_INFO
 *
 * A header of fixed size and a chain of capabilities behind it::
 *
 *                      /dev/iommu     /dev/vfio/vfio
 *     header           24             24
 *     migration        -              32
 *     DMA_AVAIL        16             16
 *     IOVA_RANGE       16 + 16 for each range
 *
 * If the caller has no room for all of it he learns how much is needed and
 * calls again.  On /dev/iommu whole capabilities and ranges that do fit are
 * written all the same, and the size needed is always told.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "object/container.h"
#include "object/ioas.h"
#include "vfio/vfio.h"

#define INFO_SIZE sizeof(struct vfio_iommu_type1_info)
#define INFO_MIN offsetofend(struct vfio_iommu_type1_info, iova_pgsizes)
#define AVAIL_SIZE ALIGN(sizeof(struct vfio_iommu_type1_info_dma_avail), 8)

/**
 * iofd_vfio_pgsizes - the page sizes of a container
 * @ioas: IOAS that stands for it
 *
 * Sizes below a page are what the memory cannot be had in: PAGE_SIZE then
 * stands for all of them.
 *
 * Return: bitmap, not 0, with no bit below PAGE_SIZE.
 */
unsigned long iofd_vfio_pgsizes(struct iofd_ioas *ioas)
{
	struct iofd_aspace_info info;

	iofd_aspace_look(&ioas->aspace, &info);
	if (info.pgsizes & ~PAGE_MASK)
		info.pgsizes = (info.pgsizes & PAGE_MASK) | PAGE_SIZE;
	/* Domains with nothing in common still share a page. */
	return info.pgsizes ? info.pgsizes : PAGE_SIZE;
}

/* The chain, made in kernel memory with offsets from the header on. */
struct chain {
	void *caps;
	size_t size;
	size_t ranges;			/* offset of the ranges in @caps */
	u32 slots;
	struct vfio_iommu_type1_info_cap_iova_range *iova;
};

static int count_range(struct iofd_range range, void *arg)
{
	u32 *nr = arg;

	(*nr)++;
	return 0;
}

/* Ranges that have come since they were counted are left out. */
static int put_range(struct iofd_range range, void *arg)
{
	struct chain *chain = arg;
	struct vfio_iova_range *slot;

	if (chain->iova->nr_iovas == chain->slots)
		return 0;
	slot = &chain->iova->iova_ranges[chain->iova->nr_iovas++];
	slot->start = range.first;
	slot->end = range.last;
	return 0;
}

static u32 entries_left(struct iofd_vfio_call *call)
{
	struct iofd_aspace_info info;

	if (!iofd_ctx_is_container(call->ctx))
		return U32_MAX;
	iofd_aspace_look(&call->ioas->aspace, &info);
	return info.nareas < call->entries ? call->entries - info.nareas : 0;
}

/* The caller frees chain->caps, also on failure. */
static int make_chain(struct iofd_vfio_call *call, struct chain *chain)
{
	struct iofd_aspace *aspace = &call->ioas->aspace;
	struct vfio_iommu_type1_info_cap_migration *migration = NULL;
	struct vfio_iommu_type1_info_dma_avail *avail;
	size_t at = 0;

	iofd_aspace_usable(aspace, count_range, &chain->slots);
	if (iofd_ctx_is_container(call->ctx))
		at += sizeof(*migration);
	chain->ranges = at + AVAIL_SIZE;
	chain->size = chain->ranges +
		      struct_size(chain->iova, iova_ranges, chain->slots);
	chain->caps = kvzalloc(chain->size, GFP_KERNEL_ACCOUNT);
	if (!chain->caps)
		return -ENOMEM;

	if (at) {
		migration = chain->caps;
		migration->header.id = VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION;
		migration->header.version = 1;
		migration->header.next = INFO_SIZE + at;
		migration->pgsize_bitmap = iofd_vfio_pgsize(call->ioas);
		migration->max_dirty_bitmap_size =
			IOFD_DIRTY_BITMAP_BYTES(IOFD_DIRTY_BITMAP_PAGES_MAX);
	}
	avail = chain->caps + at;
	avail->header.id = VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL;
	avail->header.version = 1;
	avail->header.next = INFO_SIZE + chain->ranges;
	avail->avail = entries_left(call);

	chain->iova = chain->caps + chain->ranges;
	chain->iova->header.id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE;
	chain->iova->header.version = 1;
	return iofd_aspace_usable(aspace, put_range, chain);
}

/* How much of the chain goes to a caller with this much room behind the header? */
static size_t chain_part(struct iommufd_ctx *ictx, const struct chain *chain,
			 size_t room)
{
	size_t head = chain->ranges + sizeof(*chain->iova);

	if (room >= chain->size)
		return chain->size;
	if (iofd_ctx_is_container(ictx) || room < AVAIL_SIZE)
		return 0;
	if (room < head)
		return AVAIL_SIZE;
	return head + rounddown(room - head, sizeof(struct vfio_iova_range));
}

static int write_info(struct iofd_vfio_call *call, const struct chain *chain,
		      struct vfio_iommu_type1_info *info, void __user *arg)
{
	size_t header = min_t(size_t, info->argsz, INFO_SIZE);
	size_t room = info->argsz - header;
	size_t part = chain_part(call->ctx, chain, room);

	if (part && copy_to_user(arg + INFO_SIZE, chain->caps, part))
		return -EFAULT;
	if (part == chain->size)
		info->cap_offset = INFO_SIZE;
	if (part != chain->size || !iofd_ctx_is_container(call->ctx))
		info->argsz = INFO_SIZE + chain->size;
	return copy_to_user(arg, info, header) ? -EFAULT : 0;
}

/* VFIO_IOMMU_GET_INFO */
int container_get_info_ioctl(struct iommufd_ctx *ictx, void __user *arg)
{
	struct vfio_iommu_type1_info info = {};
	struct iofd_vfio_call call;
	struct chain chain = {};
	int rc;

	if (copy_from_user(&info, arg, INFO_MIN))
		return -EFAULT;
	if (info.argsz < INFO_MIN)
		return -EINVAL;

	rc = iofd_container_begin(ictx, &call);
	if (rc)
		return rc;
	info.flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS;
	info.iova_pgsizes = iofd_vfio_pgsizes(call.ioas);
	rc = make_chain(&call, &chain);
	if (!rc)
		rc = write_info(&call, &chain, &info, arg);
	kvfree(chain.caps);
	iofd_container_end(&call);
	return rc;
}
