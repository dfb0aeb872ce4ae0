// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: mmap of a context's file
 *
 * What can be mapped is regions of device memory, such as the page of registers
 * with which a guest rings the doorbell of its own command queue: each as a
 * whole, shared and uncached.
 *
 * Every VMA that shows a region has a ref on the object the region belongs to,
 * and through its file keeps the context.  fork(), mremap() and a munmap() of a
 * half make VMAs of their own.  So the owner, on whose end the driver removes
 * the region, ends only when nobody sees the region any more.
 *
 * Lock: that of the context's tree.  Who looks a region up holds it until the
 * owner is referenced; who removes a region takes it out first.
 */
#include <linux/maple_tree.h>
#include <linux/mm.h>

#include "object/ctx.h"
#include "object/mmap.h"

/* Find a region and see to it that it stays. */
static struct iofd_mmap *get_region(struct iommufd_ctx *ictx,
				    unsigned long offset, unsigned long length)
{
	MA_STATE(mas, &ictx->mmaps, offset, offset);
	struct iofd_mmap *region;

	mtree_lock(&ictx->mmaps);
	region = mas_walk(&mas);
	if (region &&
	    (region->offset != offset || region->length != length ||
	     !iofd_object_ref_live(&ictx->objects, region->owner)))
		region = NULL;
	mtree_unlock(&ictx->mmaps);
	return region;
}

/* A copy of a VMA that has a ref. */
static void region_open(struct vm_area_struct *vma)
{
	struct iofd_mmap *region = vma->vm_private_data;

	iofd_object_ref_more(region->owner);
}

static void region_close(struct vm_area_struct *vma)
{
	struct iofd_mmap *region = vma->vm_private_data;

	iofd_object_unref(region->owner);
}

static const struct vm_operations_struct region_vm_ops = {
	.open = region_open,
	.close = region_close,
};

/**
 * iofd_mmap - mmap of a region that an IOMMU driver has registered
 * @ictx: context
 * @vma: where to, and which: pgoff and length are exactly those of a region
 *
 * Context: process context, may sleep; mmap_lock held for write.
 *
 * Return: 0; -EINVAL not MAP_SHARED; -EPERM executable; -ENXIO no such region,
 * or its owner is not complete or is being destroyed; -ENOMEM.
 */
int iofd_mmap(struct iommufd_ctx *ictx, struct vm_area_struct *vma)
{
	unsigned long length = vma->vm_end - vma->vm_start;
	struct iofd_mmap *region;
	int rc;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	region = get_region(ictx, vma->vm_pgoff << PAGE_SHIFT, length);
	if (!region)
		return -ENXIO;

	vm_flags_mod(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP | VM_IO,
		     VM_MAYEXEC);
	vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
	vma->vm_private_data = region;
	vma->vm_ops = &region_vm_ops;
	rc = io_remap_pfn_range(vma, vma->vm_start, PHYS_PFN(region->phys),
				length, vma->vm_page_prot);
	/* A VMA that does not come to be is not closed either. */
	if (rc)
		iofd_object_unref(region->owner);
	return rc;
}
