/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Putting the page frames of a slice into an iommu_domain and taking them out.
 * The only room that calls iommu_map() and iommu_unmap(), but for MSI pages
 * (builtin/msi.c), which are not of the address space.
 */
#ifndef IOFD_SPACE_PAGING_H
#define IOFD_SPACE_PAGING_H

#include <linux/iommu.h>
#include <linux/types.h>

#include "base/range.h"

struct iofd_pages;

/**
 * struct iofd_window - an IOVA range onto a slice of a page set
 * @iova: where devices see it
 * @pages: page set
 * @byte: first byte of the slice in the page set
 * @prot: IOMMU_* bits for iommu_map()
 * @max_piece: map in pieces of at most this many bytes, ULONG_MAX: no limit
 */
struct iofd_window {
	struct iofd_range iova;
	struct iofd_pages *pages;
	unsigned long byte;
	int prot;
	unsigned long max_piece;
};

int iofd_paging_load(struct iommu_domain *domain,
		     const struct iofd_window *window);
void iofd_paging_unload(struct iommu_domain *domain, struct iofd_pages *pages,
			struct iofd_range iova,
			struct iommu_iotlb_gather *gather);

/* Flush what was gathered; nothing was if all of it was device memory. */
static inline void iofd_paging_sync(struct iommu_domain *domain,
				    struct iommu_iotlb_gather *gather)
{
	if (gather->start <= gather->end)
		iommu_iotlb_sync(domain, gather);
}

#endif
