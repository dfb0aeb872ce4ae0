/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Event queues of vIOMMUs: made, read and ended here; see builtin/veventq.h for
 * the struct, and builtin/veventq.c for how events come in.
 */
#ifndef IOFD_VIOMMU_VEVENTQ_H
#define IOFD_VIOMMU_VEVENTQ_H

#include "builtin/veventq.h"

struct iofd_object_type;
struct iofd_ucmd;

void iofd_veventq_init(struct iofd_veventq *veventq, struct iommufd_ctx *ictx,
		       enum iommu_veventq_type type, u32 depth);
void iofd_veventq_fini(struct iofd_veventq *veventq);
int iofd_veventq_link(struct iofd_veventq *veventq,
		      struct iommufd_viommu *viommu);
void iofd_veventq_unlink(struct iofd_veventq *veventq);

extern const struct iofd_object_type iofd_veventq_type;

int veventq_alloc_ioctl(struct iofd_ucmd *ucmd);

#endif
