// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: dirty tracking ioctls
 *
 * IOMMU_HWPT_SET_DIRTY_TRACKING, IOMMU_HWPT_GET_DIRTY_BITMAP and
 * IOMMU_X_IOAS_UNMAP_DIRTY: checks and numbers.  What they do is told in
 * space/dirty.c, what the errnos mean in the uapi header.
 *
 * UNMAP_DIRTY removes all mappings in its range or none: who gets an error has
 * to know that the bitmap tells of nothing that is gone.
 */
#include "base/check.h"
#include "object/hwpt.h"

static struct iommufd_hwpt_paging *borrow_hwpt(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj;

	obj = iofd_object_borrow(&ictx->objects, id, IOMMUFD_OBJ_HWPT_PAGING);
	return IS_ERR(obj) ? ERR_CAST(obj) : iofd_hwpt_paging_of(obj);
}

static void return_hwpt(struct iommufd_ctx *ictx,
			struct iommufd_hwpt_paging *hwpt)
{
	iofd_object_return(&ictx->objects, &hwpt->common.obj);
}

static bool has_dirty_tracking(struct iommufd_hwpt_paging *hwpt)
{
	return hwpt->common.domain->dirty_ops;
}

/* IOMMU_HWPT_SET_DIRTY_TRACKING */
int hwpt_set_dirty_tracking_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_hwpt_set_dirty_tracking *cmd = ucmd->cmd;
	struct iommufd_hwpt_paging *hwpt;
	int rc = -EOPNOTSUPP;

	if (cmd->flags & ~IOMMU_HWPT_DIRTY_TRACKING_ENABLE)
		return -EOPNOTSUPP;

	hwpt = borrow_hwpt(ucmd->ctx, cmd->hwpt_id);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	if (has_dirty_tracking(hwpt))
		rc = iofd_aspace_set_dirty(&hwpt->ioas->aspace, &hwpt->member,
					   cmd->flags &
					   IOMMU_HWPT_DIRTY_TRACKING_ENABLE);
	return_hwpt(ucmd->ctx, hwpt);
	return rc;
}

/*
 * Where to report: the checks that GET_DIRTY_BITMAP and UNMAP_DIRTY make of
 * their numbers.  A page size that is no power of two is held against the
 * range like a mask, and its lowest set bit is what counts.
 */
static int decode_bitmap(struct iommufd_hwpt_paging *hwpt, u64 iova, u64 length,
			 u64 page_size, u64 data, struct iofd_bitmap *to)
{
	unsigned long alignment;
	int rc;

	*to = (struct iofd_bitmap){
		.member = &hwpt->member,
		.data = u64_to_user_ptr(data),
	};
	rc = iofd_range_from_length(&to->range, iova, length);
	if (rc)
		return rc;
	alignment = iofd_aspace_alignment(&hwpt->ioas->aspace);
	if (!iofd_range_aligned(to->range, alignment))
		return -EINVAL;
	if (!page_size || ((iova | (iova + length)) & (page_size - 1)))
		return -EINVAL;
	/* On 32 bit a larger one has passed only for its low bits. */
	to->page_size = page_size & -page_size;
	return has_dirty_tracking(hwpt) ? 0 : -EOPNOTSUPP;
}

/* IOMMU_HWPT_GET_DIRTY_BITMAP */
int hwpt_get_dirty_bitmap_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_hwpt_get_dirty_bitmap *cmd = ucmd->cmd;
	struct iommufd_hwpt_paging *hwpt;
	struct iofd_bitmap to;
	int rc;

	if ((cmd->flags & ~IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR) ||
	    cmd->__reserved)
		return -EOPNOTSUPP;

	hwpt = borrow_hwpt(ucmd->ctx, cmd->hwpt_id);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	rc = decode_bitmap(hwpt, cmd->iova, cmd->length, cmd->page_size,
			   cmd->data, &to);
	to.keep = cmd->flags & IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR;
	if (!rc)
		rc = iofd_aspace_read_dirty(&hwpt->ioas->aspace, &to);
	return_hwpt(ucmd->ctx, hwpt);
	return rc;
}

static int unmap_dirty(struct iofd_ioas *ioas, const struct iofd_bitmap *to,
		       unsigned long *unmapped)
{
	int rc;

	rc = down_read_killable(&ioas->ctx->owner_rwsem);
	if (rc)
		return rc;
	rc = iofd_aspace_unmap_dirty(&ioas->aspace, to, unmapped);
	up_read(&ioas->ctx->owner_rwsem);
	/* An area that the range cuts, which IOAS_UNMAP calls so too. */
	if (rc == -EINVAL || (!rc && !*unmapped))
		rc = -ENOENT;
	return rc;
}

/* IOMMU_X_IOAS_UNMAP_DIRTY */
int ioas_unmap_dirty_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_x_ioas_unmap_dirty *cmd = ucmd->cmd;
	struct iommufd_hwpt_paging *hwpt;
	struct iofd_ioas *ioas;
	struct iofd_bitmap to;
	unsigned long unmapped;
	int rc;

	if (cmd->flags)
		return -EOPNOTSUPP;

	ioas = iofd_ioas_borrow(ucmd->ctx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	hwpt = borrow_hwpt(ucmd->ctx, cmd->hwpt_id);
	if (IS_ERR(hwpt)) {
		rc = PTR_ERR(hwpt);
		goto out_ioas;
	}
	if (hwpt->ioas != ioas)
		rc = -EINVAL;
	else
		rc = decode_bitmap(hwpt, cmd->iova, cmd->length, cmd->page_size,
				   cmd->data, &to);
	if (!rc)
		rc = unmap_dirty(ioas, &to, &unmapped);
	return_hwpt(ucmd->ctx, hwpt);
	if (!rc) {
		cmd->length = unmapped;
		rc = iofd_ucmd_respond(ucmd, sizeof(*cmd));
	}
out_ioas:
	iofd_ioas_return(ioas);
	return rc;
}
