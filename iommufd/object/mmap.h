/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Regions of device memory that user space may mmap through a context's file.
 *
 * An IOMMU driver registers a region for an object of its own, and tells user
 * space the offset.  Registering is built in, see builtin/driver.c; mmap is
 * object/mmap.c.
 */
#ifndef IOFD_OBJECT_MMAP_H
#define IOFD_OBJECT_MMAP_H

#include <linux/iommufd.h>
#include <linux/types.h>

struct vm_area_struct;

/**
 * struct iofd_mmap - one region, in the context's tree by its offset
 * @owner: object it belongs to, which outlives it; each VMA that shows the
 *         region has a ref on it
 * @phys: physical address, in whole pages
 * @offset: first byte in the file, in whole pages, never 0
 * @length: number of bytes, in whole pages
 *
 * Constant from its registration to its end.
 */
struct iofd_mmap {
	struct iommufd_object *owner;
	phys_addr_t phys;
	unsigned long offset;
	size_t length;
};

int iofd_mmap(struct iommufd_ctx *ictx, struct vm_area_struct *vma);

#endif
