/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Write protection of what is in a page table already.
 *
 * The IOMMU core can map and unmap, and unmapping loses what the IOPTEs had
 * recorded.  So for page tables of a known format there is a third verb: take
 * the right to write away from IOPTEs, or give it back.  It is what makes the
 * end of a mapping exact where dirty pages are tracked: see dirty.c.
 */
#ifndef IOFD_SPACE_SEAL_H
#define IOFD_SPACE_SEAL_H

#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/types.h>

#include "base/range.h"

/**
 * struct iofd_seal_format - a format of page tables that can be sealed
 * @link: for iofd_seal_register()
 * @driver_read: the read_and_clear_dirty of iommu_dirty_ops by which page tables
 *               of this format are known
 * @set_writable: make all IOPTEs of a range writable or not, atomically for
 *                each; returns 0, or -EOPNOTSUPP, with nothing changed, if this
 *                very table must not be sealed.  The caller owns the range and
 *                flushes the IOTLB
 * @read: used in the place of @driver_read, or NULL
 */
struct iofd_seal_format {
	struct list_head link;
	int (*driver_read)(struct iommu_domain *domain, unsigned long iova,
			   size_t size, unsigned long flags,
			   struct iommu_dirty_bitmap *dirty);
	int (*set_writable)(struct iommu_domain *domain,
			    struct iofd_range iova, bool writable);
	int (*read)(struct iommu_domain *domain, unsigned long iova,
		    size_t size, unsigned long flags,
		    struct iommu_dirty_bitmap *dirty);
};

extern struct iofd_seal_format iofd_seal_amdv1;
extern struct iofd_seal_format iofd_seal_vtdss;

void iofd_seal_register(struct iofd_seal_format *format);
void iofd_seal_unregister(struct iofd_seal_format *format);
const struct iofd_seal_format *iofd_seal_format_of(struct iommu_domain *domain);

#endif
