// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: cutting areas
 *
 * The first version of the VFIO container let a program unmap any part of what
 * it had mapped.  For that an area is cut in two; the parts are then unmapped
 * like any others::
 *
 *     |------------- area -------------|
 *     |--- left ---|------ right ------|        one page set, two slices
 *                  ^ iova
 *
 * Page tables are left as they are, so each page of the area must have an
 * IOPTE of its own, which it has while large IOPTEs are off.
 */
#include "base/check.h"
#include "space/area.h"
#include "space/aspace.h"

/* May the area be cut at this IOVA?  The locks are held, domains and iova. */
static int check_cut(struct iofd_aspace *aspace, struct iofd_area *area,
		     unsigned long iova)
{
	unsigned long alignment = aspace->iova.alignment;
	unsigned long byte = area->byte + (iova - area->node.range.first);

	if (area->state != IOFD_AREA_LIVE || area->orphan)
		return -EBUSY;
	if (area->pages->source->devmem)
		return -EOPNOTSUPP;
	if (!IS_ALIGNED(iova, alignment) ||
	    !IS_ALIGNED(iofd_pages_page_offset(area->pages, byte), alignment))
		return -EINVAL;
	if (atomic_read(&area->pins) || atomic_read(&area->pinning))
		return -EINVAL;
	if (aspace->ndomains && aspace->huge_pages)
		return -EINVAL;
	return 0;
}

/* The area that has @iova, not as its first byte; NULL if none does. */
static struct iofd_area *area_across(struct iofd_aspace *aspace,
				     unsigned long iova)
{
	struct iofd_iova_node *node;

	node = iofd_iova_used_first(&aspace->iova,
				    (struct iofd_range){ iova, iova });
	if (!node || node->range.first == iova)
		return NULL;
	return iofd_area_of(node);
}

/**
 * iofd_aspace_cut - see to it that no area reaches across an IOVA
 * @aspace: address space
 * @iova: becomes the first byte of an area if it lies in one
 *
 * Return: 0; -EBUSY another thread is mapping or unmapping the area;
 * -EOPNOTSUPP it is device memory; -EINVAL the cut would not keep the
 * alignment, an in-kernel user has pins in the area, or it is in a page table
 * and large IOPTEs are on; -ENOMEM.
 */
int iofd_aspace_cut(struct iofd_aspace *aspace, unsigned long iova)
{
	struct iofd_area *left, *right;
	unsigned long offset;
	int rc = 0;

	down_read(&aspace->domains_rwsem);
	down_write(&aspace->iova_rwsem);
	left = area_across(aspace, iova);
	if (!left)
		goto out;
	rc = check_cut(aspace, left, iova);
	if (rc)
		goto out;
	offset = iova - left->node.range.first;
	right = iofd_area_create(left->pages, left->byte + offset,
				 iofd_area_length(left) - offset, left->prot);
	if (right)
		iofd_area_split(aspace, left, right);
	else
		rc = -ENOMEM;
out:
	up_write(&aspace->iova_rwsem);
	up_read(&aspace->domains_rwsem);
	return rc;
}
