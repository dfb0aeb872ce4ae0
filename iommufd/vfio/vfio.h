/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VFIO container on top of an IOAS.
 *
 * The same commands come in two ways.  A context opened as /dev/iommu answers
 * them as Linux 7.2 does, on the IOAS that is set (shim.c).  One opened as
 * /dev/vfio/vfio answers them as VFIO's container with its type1 backend does,
 * to a program that has never heard of an IOAS (container.c).  What the two
 * have in common is one file for each command.
 */
#ifndef IOFD_VFIO_VFIO_H
#define IOFD_VFIO_VFIO_H

#include <linux/types.h>

struct iofd_container;
struct iofd_ioas;
struct iofd_ucmd;
struct iommufd_ctx;

/**
 * struct iofd_vfio_call - a container command on its way
 * @ctx: context it was called on
 * @ioas: what stands for the container, borrowed
 * @v1: as the container was when the command came, like what follows; all of
 *      them only for contexts opened as /dev/vfio/vfio
 * @tracking: dirty tracking is started
 * @entries: most mappings there may be
 * @generation: to see whether the container has been unset meanwhile
 */
struct iofd_vfio_call {
	struct iommufd_ctx *ctx;
	struct iofd_ioas *ioas;
	bool v1;
	bool tracking;
	unsigned int entries;
	unsigned int generation;
};

/* ioas.c */
struct iofd_ioas *iofd_vfio_borrow_ioas(struct iommufd_ctx *ictx);
int vfio_ioas_ioctl(struct iofd_ucmd *ucmd);

/* container.c */
struct iofd_container *iofd_container_create(unsigned int entries);
int iofd_container_begin(struct iommufd_ctx *ictx, struct iofd_vfio_call *call);
void iofd_container_end(struct iofd_vfio_call *call);
bool iofd_container_stale(const struct iofd_vfio_call *call);
long iofd_container_ioctl(struct iommufd_ctx *ictx, unsigned int cmd,
			  unsigned long arg);

/* shim.c */
long iofd_shim_ioctl(struct iommufd_ctx *ictx, unsigned int cmd,
		     unsigned long arg);

/* The commands, one file each; see there for errnos. */
int container_get_info_ioctl(struct iommufd_ctx *ictx, void __user *arg);
int container_map_dma_ioctl(struct iommufd_ctx *ictx, void __user *arg);
int container_unmap_dma_ioctl(struct iommufd_ctx *ictx, void __user *arg);
int container_dirty_pages_ioctl(struct iommufd_ctx *ictx, void __user *arg);

/* info.c */
unsigned long iofd_vfio_pgsizes(struct iofd_ioas *ioas);
static inline unsigned long iofd_vfio_pgsize(struct iofd_ioas *ioas)
{
	unsigned long pgsizes = iofd_vfio_pgsizes(ioas);

	return pgsizes & -pgsizes;
}

/* dirty.c */
struct iofd_range;
struct vfio_bitmap;
int iofd_vfio_check_bitmap(const struct vfio_bitmap *bitmap, u64 length);
int iofd_vfio_fill_bitmap(struct iofd_ioas *ioas, struct iofd_range range,
			  const struct vfio_bitmap *bitmap);
int iofd_vfio_unmap_dirty(struct iofd_ioas *ioas, struct iofd_range range,
			  const struct vfio_bitmap *bitmap,
			  unsigned long *unmapped);

#define IOFD_DIRTY_BITMAP_PAGES_MAX ((u64)INT_MAX)
#define IOFD_DIRTY_BITMAP_BYTES(n_) (ALIGN((n_), 64) / 8)

#endif
