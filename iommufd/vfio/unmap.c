// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: VFIO_IOMMU_UNMAP_DMA
 *
 * On /dev/vfio/vfio version 2 removes all mappings in the range, or none if an
 * end of it lies inside a mapping.  Version 1 removes all that begin in the
 * range, and none if the range begins inside of one, which is success with a
 * size of 0.  Page tables keep their large pages either way.  With VADDR the same
 * mappings lose their address and stay: see space/orphan.c.
 *
 * On /dev/iommu the range is cut out of what is mapped while large IOPTEs are
 * off, and is unmapped like by IOMMU_IOAS_UNMAP while they are on.
 */
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "object/container.h"
#include "object/ioas.h"
#include "vfio/vfio.h"

#define UNMAP_SIZE offsetofend(struct vfio_iommu_type1_dma_unmap, size)

/* One unmap of type1. */
struct type1_unmap {
	struct vfio_iommu_type1_dma_unmap *unmap;
	struct vfio_bitmap bitmap;
	struct iofd_range range;
	bool all;
	bool dirty;
	bool vaddr;
};

static int read_bitmap(struct type1_unmap *req, void __user *arg)
{
	if (req->unmap->argsz < UNMAP_SIZE + sizeof(req->bitmap))
		return -EINVAL;
	if (copy_from_user(&req->bitmap, arg + UNMAP_SIZE, sizeof(req->bitmap)))
		return -EFAULT;
	return iofd_vfio_check_bitmap(&req->bitmap, req->unmap->size);
}

/* The range, for a container with this smallest page. */
static int check_range(struct type1_unmap *req, unsigned long pgsize)
{
	const struct vfio_iommu_type1_dma_unmap *unmap = req->unmap;

	if (unmap->iova & (pgsize - 1))
		return -EINVAL;
	if (req->all) {
		if (unmap->iova || unmap->size)
			return -EINVAL;
		req->range = IOFD_RANGE_ALL;
		return 0;
	}
	if (unmap->size & (pgsize - 1))
		return -EINVAL;
	return iofd_range_from_length(&req->range, unmap->iova, unmap->size);
}

static int remove_type1(struct iofd_vfio_call *call, struct type1_unmap *req)
{
	enum iofd_unmap_rule rule = IOFD_UNMAP_WHOLE;
	unsigned long pgsize = iofd_vfio_pgsize(call->ioas);
	unsigned long unmapped;
	struct iofd_aspace_info info;
	int rc;

	iofd_aspace_look(&call->ioas->aspace, &info);
	if (req->vaddr && info.nusers)
		return -EBUSY;
	rc = check_range(req, pgsize);
	if (rc)
		return rc;
	if (req->dirty && (!call->tracking || req->bitmap.pgsize != pgsize))
		return -EINVAL;
	if (call->v1 && !req->all)
		rule = IOFD_UNMAP_STARTS;
	if (req->dirty)
		rc = iofd_vfio_unmap_dirty(call->ioas, req->range,
					   &req->bitmap, &unmapped);
	else if (req->vaddr)
		rc = iofd_aspace_disown(&call->ioas->aspace, req->range, rule,
					&unmapped);
	else
		rc = iofd_aspace_unmap_rule(&call->ioas->aspace, req->range,
					    rule, &unmapped);
	if (!rc)
		req->unmap->size = unmapped;
	return rc;
}

static int unmap_type1(struct iommufd_ctx *ictx, void __user *arg,
		       struct vfio_iommu_type1_dma_unmap *unmap)
{
	struct type1_unmap req = {
		.unmap = unmap,
		.all = unmap->flags & VFIO_DMA_UNMAP_FLAG_ALL,
		.dirty = unmap->flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP,
		.vaddr = unmap->flags & VFIO_DMA_UNMAP_FLAG_VADDR,
	};
	struct iofd_vfio_call call;
	int rc;

	if (unmap->flags & ~(VFIO_DMA_UNMAP_FLAG_ALL |
			     VFIO_DMA_UNMAP_FLAG_VADDR |
			     VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP) ||
	    (req.dirty && (req.all || req.vaddr)))
		return -EINVAL;
	if (req.dirty) {
		rc = read_bitmap(&req, arg);
		if (rc)
			return rc;
	}

	if (down_write_killable(&ictx->container->ops))
		return -EINTR;
	rc = iofd_container_begin(ictx, &call);
	if (!rc) {
		rc = remove_type1(&call, &req);
		iofd_container_end(&call);
	}
	up_write(&ictx->container->ops);
	if (rc)
		return rc;
	return copy_to_user(arg, unmap, UNMAP_SIZE) ? -EFAULT : 0;
}

/* Make the ends of the range ends of areas.  A first cut stays. */
static int cut_range(struct iofd_ioas *ioas, struct iofd_range range)
{
	int rc = 0;

	if (range.last != ULONG_MAX)
		rc = iofd_aspace_cut(&ioas->aspace, range.last + 1);
	if (!rc && range.first)
		rc = iofd_aspace_cut(&ioas->aspace, range.first);
	return rc;
}

/* On success, or once the unmap as such was tried, *tried is set. */
static int remove_shim(struct iofd_ioas *ioas,
		       const struct vfio_iommu_type1_dma_unmap *unmap,
		       unsigned long *unmapped, bool *tried)
{
	struct iofd_range range = IOFD_RANGE_ALL;
	struct iofd_aspace_info info;
	int rc;

	if (unmap->flags & VFIO_DMA_UNMAP_FLAG_ALL) {
		if (unmap->iova || unmap->size)
			return -EINVAL;
	} else {
		rc = iofd_range_from_length(&range, unmap->iova, unmap->size);
		if (rc) {
			*tried = true;
			return rc;
		}
		iofd_aspace_look(&ioas->aspace, &info);
		if (!info.huge_pages) {
			rc = cut_range(ioas, range);
			if (rc)
				return rc;
		}
	}
	*tried = true;
	return iofd_aspace_unmap(&ioas->aspace, range, unmapped);
}

static int unmap_shim(struct iommufd_ctx *ictx, void __user *arg,
		      struct vfio_iommu_type1_dma_unmap *unmap)
{
	struct iofd_vfio_call call;
	unsigned long unmapped = 0;
	bool tried = false;
	int rc;

	if (unmap->flags & ~VFIO_DMA_UNMAP_FLAG_ALL)
		return -EINVAL;
	rc = iofd_container_begin(ictx, &call);
	if (rc)
		return rc;
	rc = remove_shim(call.ioas, unmap, &unmapped, &tried);
	iofd_container_end(&call);
	if (!tried)
		return rc;
	unmap->size = unmapped;
	if (copy_to_user(arg, unmap, UNMAP_SIZE))
		return -EFAULT;
	return rc;
}

/* VFIO_IOMMU_UNMAP_DMA */
int container_unmap_dma_ioctl(struct iommufd_ctx *ictx, void __user *arg)
{
	struct vfio_iommu_type1_dma_unmap unmap;

	if (copy_from_user(&unmap, arg, UNMAP_SIZE))
		return -EFAULT;
	if (unmap.argsz < UNMAP_SIZE)
		return -EINVAL;
	return iofd_ctx_is_container(ictx) ? unmap_type1(ictx, arg, &unmap) :
					     unmap_shim(ictx, arg, &unmap);
}
