/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vIOMMUs: the share of one physical IOMMU that a guest gets.
 *
 * IOMMU drivers embed struct iommufd_viommu at offset 0 of one of their own; it
 * is declared in linux/iommufd.h.
 */
#ifndef IOFD_VIOMMU_VIOMMU_H
#define IOFD_VIOMMU_VIOMMU_H

#include <linux/container_of.h>
#include <linux/iommufd.h>

#include "object/ctx.h"
#include "object/object.h"

static inline struct iommufd_viommu *
iofd_viommu_of(struct iommufd_object *obj)
{
	return container_of(obj, struct iommufd_viommu, obj);
}

static inline struct iommufd_viommu *
iofd_viommu_borrow(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj;

	obj = iofd_object_borrow(&ictx->objects, id, IOMMUFD_OBJ_VIOMMU);
	return IS_ERR(obj) ? ERR_CAST(obj) : iofd_viommu_of(obj);
}

static inline void iofd_viommu_return(struct iommufd_viommu *viommu)
{
	iofd_object_return(&viommu->ictx->objects, &viommu->obj);
}

extern const struct iofd_object_type iofd_viommu_type;

int viommu_alloc_ioctl(struct iofd_ucmd *ucmd);

#endif
