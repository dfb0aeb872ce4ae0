/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hardware queues: command queues of a guest that hardware reads by itself.
 *
 * IOMMU drivers embed struct iommufd_hw_queue at offset 0 of one of their own;
 * it is declared in linux/iommufd.h.
 */
#ifndef IOFD_VIOMMU_HWQUEUE_H
#define IOFD_VIOMMU_HWQUEUE_H

#include "object/ctx.h"
#include "object/object.h"

extern const struct iofd_object_type iofd_hw_queue_type;

int hw_queue_alloc_ioctl(struct iofd_ucmd *ucmd);

#endif
