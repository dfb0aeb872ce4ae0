/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * I/O page faults on their way to user space.
 *
 * A page table that has a fault queue gets the IOMMU core's fault groups; each
 * comes with the attach handle of the attachment it was met through.
 */
#ifndef IOFD_DEVICE_FAULT_H
#define IOFD_DEVICE_FAULT_H

#include <linux/errno.h>
#include <linux/iommu.h>
#include <linux/iommufd.h>

struct iommufd_device;
struct iommufd_hw_pagetable;

/**
 * struct iofd_attach_handle - one attachment, as the IOMMU core knows it
 * @handle: the core's; handle.domain->iommufd_hwpt is the page table
 * @idev: the device that made the attachment: what faults are reported for
 *
 * A fresh one for each attach and replace.  Faults point to it, so it is freed
 * only after iofd_fault_answer().
 */
struct iofd_attach_handle {
	struct iommu_attach_handle handle;
	struct iommufd_device *idev;
};

/**
 * struct iofd_fault - the object IOMMUFD_OBJ_FAULT
 * @obj: object
 */
struct iofd_fault {
	struct iommufd_object obj;
};

/* What the IOMMU core calls; without queues nobody sets it. */
static inline int iofd_fault_handler(struct iopf_group *group)
{
	return -EOPNOTSUPP;
}

/**
 * iofd_fault_answer - answer all faults of an attachment that has ended
 * @hwpt: page table it was attached to
 * @handle: the attachment; the core makes no new faults for it
 *
 * All of them, read by user space or not, are answered INVALID.
 */
static inline void iofd_fault_answer(struct iommufd_hw_pagetable *hwpt,
				     struct iofd_attach_handle *handle)
{
}

#endif
