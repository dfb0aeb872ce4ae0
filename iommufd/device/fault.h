/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * I/O page faults on their way to user space.
 *
 * A page table that has a fault queue gets the IOMMU core's fault groups; each
 * comes with the attach handle of the attachment it was met through.
 */
#ifndef IOFD_DEVICE_FAULT_H
#define IOFD_DEVICE_FAULT_H

#include <linux/container_of.h>
#include <linux/iommu.h>
#include <linux/xarray.h>

#include "builtin/msi.h"
#include "object/object.h"
#include "object/queue.h"

struct iofd_ucmd;
struct iommufd_device;
struct iommufd_hw_pagetable;

/**
 * struct iofd_fault - the object IOMMUFD_OBJ_FAULT
 * @obj: object; each page table that uses it has a ref
 * @queue: groups that wait to be read; its lock guards the rest too
 * @unanswered: groups that were read, by cookie, or are being read
 * @reading: cookie of the group that is being read
 */
struct iofd_fault {
	struct iommufd_object obj;
	struct iofd_queue queue;
	struct xarray unanswered;
	u32 reading;
};

static inline struct iofd_fault *iofd_fault_of(struct iommufd_object *obj)
{
	return container_of(obj, struct iofd_fault, obj);
}

/* The iopf_handler of a domain whose page table has a fault queue */
int iofd_fault_handler(struct iopf_group *group);
void iofd_fault_answer(struct iommufd_hw_pagetable *hwpt,
		       struct iofd_attach_handle *handle);
void iofd_fault_answer_device(struct iommufd_hw_pagetable *hwpt,
			      struct iofd_attach_handle *handle,
			      struct device *dev);

extern const struct iofd_object_type iofd_fault_type;

int fault_queue_alloc_ioctl(struct iofd_ucmd *ucmd);

#endif
