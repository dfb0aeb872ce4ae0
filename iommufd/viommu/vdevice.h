/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vDEVICEs: a device as the guest's IOMMU names it.
 *
 * IOMMU drivers may embed struct iommufd_vdevice at offset 0 of one of their
 * own; it is declared in linux/iommufd.h.
 */
#ifndef IOFD_VIOMMU_VDEVICE_H
#define IOFD_VIOMMU_VDEVICE_H

#include "object/ctx.h"
#include "object/object.h"

extern const struct iofd_object_type iofd_vdevice_type;

int vdevice_alloc_ioctl(struct iofd_ucmd *ucmd);

#endif
