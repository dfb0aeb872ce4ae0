// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: IOAS ioctls
 *
 * This file decodes: it checks flags and numbers in the order the ABI
 * documents, turns first-and-length into closed ranges, and hands a request to
 * the address space.  What the errnos mean is in the uapi header.
 */
#include <linux/dma-buf.h>
#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "base/check.h"
#include "memory/dmabuf.h"
#include "object/ioas.h"

#define MAP_FLAGS (IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE | \
		   IOMMU_IOAS_MAP_READABLE)

/**
 * iofd_ioas_new - an IOAS in state NEW
 * @ictx: context
 *
 * Return: the IOAS, to be published or cancelled with iofd_object_*();
 * ERR_PTR(-ENOMEM).
 */
struct iofd_ioas *iofd_ioas_new(struct iommufd_ctx *ictx)
{
	struct iofd_ioas *ioas;
	int rc;

	ioas = kzalloc_obj(*ioas, GFP_KERNEL_ACCOUNT);
	if (!ioas)
		return ERR_PTR(-ENOMEM);
	rc = iofd_object_new(&ictx->objects, &ioas->obj, IOMMUFD_OBJ_IOAS);
	if (rc) {
		kfree(ioas);
		return ERR_PTR(rc);
	}
	ioas->ctx = ictx;
	iofd_aspace_init(&ioas->aspace, ictx->serial, ioas->obj.id);
	mutex_init(&ioas->auto_lock);
	mutex_init(&ioas->auto_list_lock);
	INIT_LIST_HEAD(&ioas->auto_hwpts);
	return ioas;
}

static void ioas_destroy(struct iommufd_object *obj)
{
	struct iofd_ioas *ioas = iofd_ioas_of(obj);
	struct iommufd_ctx *ictx = ioas->ctx;

	spin_lock(&ictx->vfio_lock);
	if (ictx->vfio_ioas == ioas)
		ictx->vfio_ioas = NULL;
	spin_unlock(&ictx->vfio_lock);

	WARN_ON(!list_empty(&ioas->auto_hwpts));
	iofd_aspace_fini(&ioas->aspace);
	mutex_destroy(&ioas->auto_lock);
	mutex_destroy(&ioas->auto_list_lock);
}

static void ioas_show(struct seq_file *m, struct iommufd_object *obj)
{
	struct iofd_aspace_sums sums;

	iofd_aspace_sums(&iofd_ioas_of(obj)->aspace, &sums);
	seq_printf(m, "iommufd-ioas:\tid=%u areas=%lu mapped=%lu pinned=%lu hwpts=%u accesses=%u\n",
		   obj->id, sums.areas, sums.mapped, sums.pinned, sums.domains,
		   sums.users);
}

const struct iofd_object_type iofd_ioas_type = {
	.name = "ioas",
	.destroy = ioas_destroy,
	.show = ioas_show,
};

/* IOMMU_IOAS_ALLOC */
int ioas_alloc_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_ioas_alloc *cmd = ucmd->cmd;
	struct iommufd_ctx *ictx = ucmd->ctx;
	struct iofd_ioas *ioas;
	int rc;

	if (cmd->flags)
		return -EOPNOTSUPP;

	ioas = iofd_ioas_new(ictx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	cmd->out_ioas_id = ioas->obj.id;
	rc = iofd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc) {
		iofd_aspace_fini(&ioas->aspace);
		iofd_object_cancel(&ictx->objects, &ioas->obj);
		return rc;
	}
	iofd_object_publish(&ictx->objects, &ioas->obj);
	return 0;
}

/* Where IOVA_RANGES writes to. */
struct ranges_out {
	struct iommu_iova_range __user *ranges;
	u32 slots;
	u32 nr;
};

static int put_range(struct iofd_range range, void *arg)
{
	struct ranges_out *out = arg;
	struct iommu_iova_range elm = {
		.start = range.first,
		.last = range.last,
	};

	if (out->nr < out->slots &&
	    copy_to_user(&out->ranges[out->nr], &elm, sizeof(elm)))
		return -EFAULT;
	out->nr++;
	return 0;
}

/* IOMMU_IOAS_IOVA_RANGES */
int ioas_iova_ranges_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_ioas_iova_ranges *cmd = ucmd->cmd;
	struct ranges_out out = {
		.ranges = u64_to_user_ptr(cmd->allowed_iovas),
		.slots = cmd->num_iovas,
	};
	struct iofd_ioas *ioas;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;

	ioas = iofd_ioas_borrow(ucmd->ctx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);

	rc = iofd_aspace_usable(&ioas->aspace, put_range, &out);
	if (rc)
		goto out;
	cmd->num_iovas = out.nr;
	cmd->out_iova_alignment = iofd_aspace_alignment(&ioas->aspace);
	rc = iofd_ucmd_respond(ucmd, sizeof(*cmd));
	if (!rc && out.nr > out.slots)
		rc = -EMSGSIZE;
out:
	iofd_ioas_return(ioas);
	return rc;
}

static int read_allowed(struct rb_root_cached *list,
			struct iommu_iova_range __user *ranges, u32 nr)
{
	struct iommu_iova_range elm;
	int rc;
	u32 i;

	for (i = 0; i < nr; i++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (copy_from_user(&elm, &ranges[i], sizeof(elm)))
			return -EFAULT;
		if (elm.start >= elm.last || elm.last > ULONG_MAX)
			return -EINVAL;
		rc = iofd_iova_allowed_add(list, (struct iofd_range){
			elm.start, elm.last });
		if (rc)
			return rc;
		cond_resched();
	}
	return 0;
}

/* IOMMU_IOAS_ALLOW_IOVAS */
int ioas_allow_iovas_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_ioas_allow_iovas *cmd = ucmd->cmd;
	struct rb_root_cached list = RB_ROOT_CACHED;
	struct iofd_ioas *ioas;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;

	ioas = iofd_ioas_borrow(ucmd->ctx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);

	rc = read_allowed(&list, u64_to_user_ptr(cmd->allowed_iovas),
			  cmd->num_iovas);
	if (!rc)
		rc = iofd_aspace_allow(&ioas->aspace, &list);
	iofd_iova_allowed_free(&list);
	iofd_ioas_return(ioas);
	return rc;
}

/* The checks that MAP and COPY make of flags; *prot is written on success. */
static int decode_prot(u32 flags, int *prot)
{
	if (!(flags & (IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE)))
		return -EINVAL;
	*prot = 0;
	if (flags & IOMMU_IOAS_MAP_WRITEABLE)
		*prot |= IOMMU_WRITE;
	if (flags & IOMMU_IOAS_MAP_READABLE)
		*prot |= IOMMU_READ;
	return 0;
}

/* The checks that MAP and MAP_FILE make before they look anything up. */
static int decode_map(u32 flags, u64 iova, u64 length, int *prot,
		      struct iofd_place *place)
{
	if (flags & ~MAP_FLAGS)
		return -EOPNOTSUPP;
	if (iova >= ULONG_MAX || length >= ULONG_MAX)
		return -EOVERFLOW;
	*place = (struct iofd_place){
		.fixed = flags & IOMMU_IOAS_MAP_FIXED_IOVA,
		.iova = iova,
		.length = length,
	};
	return decode_prot(flags, prot);
}

/* Enter a page set, or an error, whose reference is consumed. */
static int map_pages(struct iofd_ioas *ioas, struct iofd_pages *pages, int prot,
		     struct iofd_place *place)
{
	int rc;

	if (IS_ERR(pages))
		return PTR_ERR(pages);
	place->addr = pages->addr;
	rc = down_read_killable(&ioas->ctx->owner_rwsem);
	if (!rc) {
		rc = iofd_aspace_map(&ioas->aspace, pages, prot, place);
		up_read(&ioas->ctx->owner_rwsem);
	}
	iofd_pages_put(pages);
	return rc;
}

static struct iofd_pages *user_pages(struct iommufd_ctx *ictx,
				     const struct iommu_ioas_map *cmd,
				     bool writable)
{
	if (cmd->user_va > ULONG_MAX)
		return ERR_PTR(-EOVERFLOW);
	return iofd_user_pages_create(cmd->user_va, cmd->length, writable,
				      &ictx->account);
}

/* IOMMU_IOAS_MAP */
int ioas_map_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_ioas_map *cmd = ucmd->cmd;
	struct iofd_place place;
	struct iofd_pages *pages;
	struct iofd_ioas *ioas;
	int prot, rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	rc = decode_map(cmd->flags, cmd->iova, cmd->length, &prot, &place);
	if (rc)
		return rc;

	ioas = iofd_ioas_borrow(ucmd->ctx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	pages = user_pages(ucmd->ctx, cmd, prot & IOMMU_WRITE);
	rc = map_pages(ioas, pages, prot, &place);
	iofd_ioas_return(ioas);
	if (rc)
		return rc;
	cmd->iova = place.iova;
	return iofd_ucmd_respond(ucmd, sizeof(*cmd));
}

static struct iofd_pages *file_pages(struct iommufd_ctx *ictx,
				     const struct iommu_ioas_map_file *cmd,
				     bool writable)
{
	struct iofd_pages *pages;
	struct dma_buf *dmabuf;
	struct iofd_range range;
	struct file *file;
	int rc;

	rc = iofd_range_from_length(&range, cmd->start, cmd->length);
	if (rc)
		return ERR_PTR(rc);

	/* Without dma-buf in the kernel no file is one. */
	if (IS_ENABLED(CONFIG_DMA_SHARED_BUFFER)) {
		dmabuf = dma_buf_get(cmd->fd);
		if (!IS_ERR(dmabuf)) {
			pages = iofd_dmabuf_pages_create(dmabuf,
							 iofd_misc.this_device,
							 range, writable);
			dma_buf_put(dmabuf);
			return pages;
		}
	}
	file = fget(cmd->fd);
	if (!file)
		return ERR_PTR(-EBADF);
	pages = iofd_file_pages_create(file, cmd->start, cmd->length, writable,
				       &ictx->account);
	fput(file);
	return pages;
}

/* IOMMU_IOAS_MAP_FILE */
int ioas_map_file_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_ioas_map_file *cmd = ucmd->cmd;
	struct iofd_place place;
	struct iofd_pages *pages;
	struct iofd_ioas *ioas;
	int prot, rc;

	rc = decode_map(cmd->flags, cmd->iova, cmd->length, &prot, &place);
	if (rc)
		return rc;

	ioas = iofd_ioas_borrow(ucmd->ctx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	pages = file_pages(ucmd->ctx, cmd, prot & IOMMU_WRITE);
	rc = map_pages(ioas, pages, prot, &place);
	iofd_ioas_return(ioas);
	if (rc)
		return rc;
	cmd->iova = place.iova;
	return iofd_ucmd_respond(ucmd, sizeof(*cmd));
}

static int copy_areas(struct iofd_ucmd *ucmd, const struct iommu_ioas_copy *cmd,
		      int prot, struct iofd_place *place)
{
	struct iofd_range range;
	struct iofd_ioas *ioas;
	LIST_HEAD(areas);
	int rc;

	ioas = iofd_ioas_borrow(ucmd->ctx, cmd->src_ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = iofd_range_from_length(&range, cmd->src_iova, cmd->length);
	if (!rc)
		rc = iofd_aspace_copy(&ioas->aspace, range, &areas, prot,
				      &place->addr);
	iofd_ioas_return(ioas);
	if (rc)
		return rc;

	ioas = iofd_ioas_borrow(ucmd->ctx, cmd->dst_ioas_id);
	if (IS_ERR(ioas)) {
		rc = PTR_ERR(ioas);
	} else {
		rc = iofd_aspace_map_areas(&ioas->aspace, &areas, place);
		iofd_ioas_return(ioas);
	}
	iofd_areas_free(&areas);
	return rc;
}

/* IOMMU_IOAS_COPY */
int ioas_copy_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_ioas_copy *cmd = ucmd->cmd;
	struct iofd_place place;
	int prot, rc;

	if (cmd->flags & ~MAP_FLAGS)
		return -EOPNOTSUPP;
	if (cmd->length >= ULONG_MAX || cmd->src_iova >= ULONG_MAX ||
	    cmd->dst_iova >= ULONG_MAX)
		return -EOVERFLOW;
	rc = decode_prot(cmd->flags, &prot);
	if (rc)
		return rc;

	place = (struct iofd_place){
		.fixed = cmd->flags & IOMMU_IOAS_MAP_FIXED_IOVA,
		.iova = cmd->dst_iova,
		.length = cmd->length,
	};

	/* Until they are mapped the copies are nowhere to be found. */
	rc = down_read_killable(&ucmd->ctx->owner_rwsem);
	if (rc)
		return rc;
	rc = copy_areas(ucmd, cmd, prot, &place);
	up_read(&ucmd->ctx->owner_rwsem);
	if (rc)
		return rc;
	cmd->dst_iova = place.iova;
	return iofd_ucmd_respond(ucmd, sizeof(*cmd));
}

/* IOMMU_IOAS_UNMAP */
int ioas_unmap_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_ioas_unmap *cmd = ucmd->cmd;
	struct iofd_range range = IOFD_RANGE_ALL;
	bool all = cmd->iova == 0 && cmd->length == U64_MAX;
	unsigned long unmapped;
	struct iofd_ioas *ioas;
	int rc;

	ioas = iofd_ioas_borrow(ucmd->ctx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);

	if (!all) {
		if (cmd->iova >= ULONG_MAX || cmd->length >= ULONG_MAX)
			rc = -EOVERFLOW;
		else
			rc = iofd_range_from_length(&range, cmd->iova,
						    cmd->length);
		if (rc)
			goto out;
	}

	rc = down_read_killable(&ucmd->ctx->owner_rwsem);
	if (rc)
		goto out;
	rc = iofd_aspace_unmap(&ioas->aspace, range, &unmapped);
	up_read(&ucmd->ctx->owner_rwsem);
	if (!rc && !unmapped && !all)
		rc = -ENOENT;
	if (rc)
		goto out;
	cmd->length = unmapped;
	rc = iofd_ucmd_respond(ucmd, sizeof(*cmd));
out:
	iofd_ioas_return(ioas);
	return rc;
}

/**
 * iofd_ioas_option_huge_pages - IOMMU_OPTION_HUGE_PAGES
 * @ucmd: the ioctl
 * @cmd: its struct; val64 is written for GET
 *
 * Return: 0; -ENOENT no such IOAS; -EOPNOTSUPP unknown op; -EINVAL unknown
 * value, or forbidding while mappings are in a page table; -EADDRINUSE
 * forbidding while a mapping is not PAGE_SIZE aligned.
 */
int iofd_ioas_option_huge_pages(struct iofd_ucmd *ucmd,
				struct iommu_option *cmd)
{
	struct iofd_ioas *ioas;
	int rc = 0;

	ioas = iofd_ioas_borrow(ucmd->ctx, cmd->object_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);

	switch (cmd->op) {
	case IOMMU_OPTION_OP_GET:
		cmd->val64 = iofd_aspace_huge_pages(&ioas->aspace);
		break;
	case IOMMU_OPTION_OP_SET:
		if (cmd->val64 > 1)
			rc = -EINVAL;
		else
			rc = iofd_aspace_set_huge_pages(&ioas->aspace,
							cmd->val64);
		break;
	default:
		rc = -EOPNOTSUPP;
		break;
	}
	iofd_ioas_return(ioas);
	return rc;
}
