/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOAS: an I/O address space with an ID.
 */
#ifndef IOFD_OBJECT_IOAS_H
#define IOFD_OBJECT_IOAS_H

#include <linux/list.h>
#include <linux/mutex.h>

#include "object/ctx.h"
#include "object/object.h"
#include "space/aspace.h"

/**
 * struct iofd_ioas - the object IOMMUFD_OBJ_IOAS
 * @obj: object
 * @ctx: context
 * @aspace: the address space
 * @auto_lock: serialises finding and making automatic page tables; outermost
 *             lock of an attach
 * @auto_list_lock: guards @auto_hwpts; a leaf
 * @auto_hwpts: automatic page tables in creation order
 * @owner_link: link in the list of a change of process that is under way;
 *              guarded by the context's owner_rwsem
 */
struct iofd_ioas {
	struct iommufd_object obj;
	struct iommufd_ctx *ctx;
	struct iofd_aspace aspace;
	struct mutex auto_lock; /* one search or making at a time */
	struct mutex auto_list_lock; /* guards auto_hwpts */
	struct list_head auto_hwpts;
	struct list_head owner_link;
};

static inline struct iofd_ioas *iofd_ioas_of(struct iommufd_object *obj)
{
	return container_of(obj, struct iofd_ioas, obj);
}

static inline struct iofd_ioas *iofd_ioas_borrow(struct iommufd_ctx *ictx,
						 u32 id)
{
	struct iommufd_object *obj;

	obj = iofd_object_borrow(&ictx->objects, id, IOMMUFD_OBJ_IOAS);
	return IS_ERR(obj) ? ERR_CAST(obj) : iofd_ioas_of(obj);
}

static inline void iofd_ioas_return(struct iofd_ioas *ioas)
{
	iofd_object_return(&ioas->ctx->objects, &ioas->obj);
}

struct iofd_ioas *iofd_ioas_new(struct iommufd_ctx *ictx);
int iofd_ioas_option_huge_pages(struct iofd_ucmd *ucmd,
				struct iommu_option *cmd);

int ioas_alloc_ioctl(struct iofd_ucmd *ucmd);
int ioas_iova_ranges_ioctl(struct iofd_ucmd *ucmd);
int ioas_allow_iovas_ioctl(struct iofd_ucmd *ucmd);
int ioas_map_ioctl(struct iofd_ucmd *ucmd);
int ioas_map_file_ioctl(struct iofd_ucmd *ucmd);
int ioas_copy_ioctl(struct iofd_ucmd *ucmd);
int ioas_unmap_ioctl(struct iofd_ucmd *ucmd);
int ioas_change_process_ioctl(struct iofd_ucmd *ucmd);

extern const struct iofd_object_type iofd_ioas_type;

#endif
