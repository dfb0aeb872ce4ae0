// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: VFIO_IOMMU_MAP_DMA
 *
 * IOMMU_IOAS_MAP at a given IOVA, with the order of checks that the caller of
 * each node expects::
 *
 *     /dev/iommu                       /dev/vfio/vfio
 *     flags            EINVAL          flags             EINVAL
 *     no READ, WRITE   EINVAL          size 0            EINVAL
 *     no IOAS          ENODEV          IOVA, address     EOVERFLOW
 *     address          EOVERFLOW       no READ, WRITE    EINVAL
 *     size 0           EINVAL          page alignment    EINVAL
 *     alignment        EINVAL          mapped            EEXIST
 *     IOVA             EOVERFLOW       dma_entry_limit   ENOSPC
 *     reserved         EINVAL          reserved          EINVAL
 *     mapped           EEXIST
 *     alignment        EINVAL
 *
 * and after that, on both, what pinning and the IOMMU driver say once a device
 * is attached.
 *
 * With VADDR, on /dev/vfio/vfio, a mapping whose address was taken away by
 * VFIO_IOMMU_UNMAP_DMA gets a new one: see space/orphan.c.
 */
#include <linux/iommu.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "memory/pages.h"
#include "object/container.h"
#include "object/ioas.h"
#include "vfio/vfio.h"

#define RIGHTS (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

static int decode_rights(u32 flags)
{
	return (flags & VFIO_DMA_MAP_FLAG_READ ? IOMMU_READ : 0) |
	       (flags & VFIO_DMA_MAP_FLAG_WRITE ? IOMMU_WRITE : 0);
}

static int enter(struct iofd_vfio_call *call,
		 const struct vfio_iommu_type1_dma_map *map)
{
	int prot = decode_rights(map->flags);
	struct iofd_place place = {
		.fixed = true,
		.iova = map->iova,
		.length = map->size,
		.addr = map->vaddr,
		.limit = call->entries,
	};
	struct iofd_pages *pages;
	int rc;

	pages = iofd_user_pages_create(map->vaddr, map->size,
				       prot & IOMMU_WRITE, &call->ctx->account);
	if (IS_ERR(pages))
		return PTR_ERR(pages);
	rc = iofd_aspace_map(&call->ioas->aspace, pages, prot, &place);
	iofd_pages_put(pages);
	return rc;
}

/* The checks of type1 that need no look at the container. */
static int check_type1(const struct vfio_iommu_type1_dma_map *map,
		       struct iofd_range *range)
{
	bool vaddr = map->flags & VFIO_DMA_MAP_FLAG_VADDR;
	bool rights = map->flags & RIGHTS;
	struct iofd_range memory;
	int rc;

	rc = iofd_range_from_length(range, map->iova, map->size);
	if (!rc)
		rc = iofd_range_from_length(&memory, map->vaddr, map->size);
	if (rc)
		return rc;
	/* Rights are for a new mapping, VADDR is for one that exists. */
	return rights != vaddr ? 0 : -EINVAL;
}

/* Enter it, and take it back if there is no container for it any more. */
static int enter_type1(struct iofd_vfio_call *call,
		       const struct vfio_iommu_type1_dma_map *map,
		       struct iofd_range range)
{
	struct iofd_aspace *aspace = &call->ioas->aspace;
	unsigned long unmapped;
	int rc;

	if ((map->size | map->iova | map->vaddr) &
	    (iofd_vfio_pgsize(call->ioas) - 1))
		return -EINVAL;
	if (map->flags & VFIO_DMA_MAP_FLAG_VADDR)
		return iofd_aspace_adopt(aspace, range, map->vaddr);
	rc = iofd_aspace_check_new(aspace, range, call->entries);
	if (rc)
		return rc;
	rc = enter(call, map);
	/* Up to the last address there is: that is the kernel's. */
	if (rc == -EOVERFLOW)
		rc = -EFAULT;
	if (rc || !iofd_container_stale(call))
		return rc;
	iofd_aspace_unmap_rule(aspace, range, IOFD_UNMAP_IDLE, &unmapped);
	return -EINVAL;
}

static int map_type1(struct iommufd_ctx *ictx,
		     const struct vfio_iommu_type1_dma_map *map)
{
	struct iofd_vfio_call call;
	struct iofd_range range;
	int rc;

	rc = check_type1(map, &range);
	if (rc)
		return rc;
	if (down_read_killable(&ictx->container->ops))
		return -EINTR;
	rc = iofd_container_begin(ictx, &call);
	if (!rc) {
		rc = enter_type1(&call, map, range);
		iofd_container_end(&call);
	}
	up_read(&ictx->container->ops);
	return rc;
}

static int map_shim(struct iommufd_ctx *ictx,
		    const struct vfio_iommu_type1_dma_map *map)
{
	struct iofd_vfio_call call;
	int rc;

	if (!(map->flags & RIGHTS) || (map->flags & ~RIGHTS))
		return -EINVAL;
	rc = iofd_container_begin(ictx, &call);
	if (rc)
		return rc;
	rc = enter(&call, map);
	iofd_container_end(&call);
	return rc;
}

/* VFIO_IOMMU_MAP_DMA */
int container_map_dma_ioctl(struct iommufd_ctx *ictx, void __user *arg)
{
	struct vfio_iommu_type1_dma_map map;

	if (copy_from_user(&map, arg, sizeof(map)))
		return -EFAULT;
	if (map.argsz < sizeof(map) ||
	    (map.flags & ~(RIGHTS | VFIO_DMA_MAP_FLAG_VADDR)))
		return -EINVAL;
	return iofd_ctx_is_container(ictx) ? map_type1(ictx, &map) :
					     map_shim(ictx, &map);
}
