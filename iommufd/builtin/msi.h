/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Software MSI: interrupts of devices whose IOMMU translates MSI writes too.
 *
 * Such a device (on Arm) has to be told an IOVA that leads to the page of the
 * interrupt controller.  Its IOMMU driver reports a window in which software
 * chooses these IOVAs.  The choice is made once for each context, so that a
 * device keeps its interrupts when it moves from one page table to another.
 *
 * What builtin/msi.c must see lies in structs of this header, which the
 * module embeds in its own.
 */
#ifndef IOFD_BUILTIN_MSI_H
#define IOFD_BUILTIN_MSI_H

#include <linux/bitmap.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/types.h>

#include "base/range.h"

struct iommufd_device;

/* As many different MSI pages as a context can have */
#define IOFD_MSI_PAGES 64

/**
 * struct iofd_msi_window - where software may place MSIs of a device
 * @exists: the IOMMU driver has reported one: MSIs are translated
 * @range: the window
 */
struct iofd_msi_window {
	bool exists;
	struct iofd_range range;
};

/**
 * struct iofd_msi_page - a page of an interrupt controller and its IOVA
 * @link: in the context's list
 * @id: 0..IOFD_MSI_PAGES - 1, unique in the context
 * @window: first IOVA of the window it was placed in
 * @iova: where devices see it
 * @phys: the page
 */
struct iofd_msi_page {
	struct list_head link;
	unsigned int id;
	unsigned long window;
	unsigned long iova;
	phys_addr_t phys;
};

/**
 * struct iofd_msi_space - the MSI pages of a context
 * @lock: guards this and, of all groups and page tables of the context, the
 *        structs below; a leaf, taken with the IOMMU core's group mutex held
 * @pages: pages in the order they were needed first; they stay
 * @npages: length of the list
 */
struct iofd_msi_space {
	struct mutex lock; /* guards all MSI state of the context */
	struct list_head pages;
	unsigned int npages;
};

/**
 * struct iofd_msi_table - the MSI pages in a page table
 * @domain: paging domain
 * @mapped: IDs of pages that are mapped; they stay
 * @reserved: the address space keeps the window free for it; a hint, see
 *            iofd_msi_arrive()
 */
struct iofd_msi_table {
	struct iommu_domain *domain;
	DECLARE_BITMAP(mapped, IOFD_MSI_PAGES);
	bool reserved;
};

/**
 * struct iofd_msi_group - the MSI pages that a group of devices uses
 * @space: those of its context
 * @window: what a device of the group has reported
 * @needed: IDs of pages that its devices write to; they stay
 * @next: page table the group is being moved to, or NULL: gets new pages too
 */
struct iofd_msi_group {
	struct iofd_msi_space *space;
	struct iofd_msi_window window;
	DECLARE_BITMAP(needed, IOFD_MSI_PAGES);
	struct iofd_msi_table *next;
};

/**
 * struct iofd_attach_handle - one attachment, as the IOMMU core knows it
 * @handle: the core's; handle.domain->iommufd_hwpt is the page table
 * @idev: the device that made the attachment, or if it has left, another of
 *        its group: what faults are reported for.  As long as faults with the
 *        handle are not answered it is bound
 * @msi_group: its group
 * @msi_table: the page table behind the domain
 *
 * A fresh one for each attach and replace.  Faults point to it, so it is freed
 * only after iofd_fault_answer().
 */
struct iofd_attach_handle {
	struct iommu_attach_handle handle;
	struct iommufd_device *idev;
	struct iofd_msi_group *msi_group;
	struct iofd_msi_table *msi_table;
};

static inline void iofd_msi_space_init(struct iofd_msi_space *space)
{
	mutex_init(&space->lock);
	INIT_LIST_HEAD(&space->pages);
}

static inline void iofd_msi_space_fini(struct iofd_msi_space *space)
{
	struct iofd_msi_page *page, *next;

	list_for_each_entry_safe(page, next, &space->pages, link)
		kfree(page);
	mutex_destroy(&space->lock);
}

/* Both for the two halves of this driver, and tests of it, alone */
int iommufd_sw_msi_place(struct device *dev, phys_addr_t msi_addr,
			 unsigned long *iova);
int iommufd_sw_msi_install(struct iofd_msi_space *space,
			   struct iofd_msi_table *table,
			   const struct iofd_msi_page *page);

#endif
