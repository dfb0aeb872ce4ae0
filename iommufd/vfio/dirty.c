// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: VFIO_IOMMU_DIRTY_PAGES
 *
 * Which pages may devices have written?  Where every IOMMU in use records it,
 * and has done so from the beginning, those that were: see space/dirty.c.  Page
 * tables of the container can record if the device's IOMMU can.  Otherwise the
 * answer is type1's: all that are mapped, at any time, since they are pinned
 * and the device may write them whenever it likes.
 *
 * The layout is that of type1: bits count from the first IOVA of the range, and
 * words in which no mapping begins or goes on are left alone.
 *
 * Exists on /dev/vfio/vfio, version 2.
 */
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "object/container.h"
#include "object/ioas.h"
#include "vfio/vfio.h"

#define DIRTY_SIZE offsetofend(struct vfio_iommu_type1_dirty_bitmap, flags)
#define DIRTY_FLAGS (VFIO_IOMMU_DIRTY_PAGES_FLAG_START |	\
		     VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP |		\
		     VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP)

/**
 * iofd_vfio_check_bitmap - can this bitmap take the pages of a range?
 * @bitmap: from user space
 * @length: bytes in the range
 *
 * Return: 0; -EINVAL too small, too large, or of no page size or no memory.
 */
int iofd_vfio_check_bitmap(const struct vfio_bitmap *bitmap, u64 length)
{
	u64 npages;

	if (!access_ok(bitmap->data, bitmap->size) || !bitmap->pgsize)
		return -EINVAL;
	npages = length >> __ffs64(bitmap->pgsize);
	if (!npages || !bitmap->size ||
	    bitmap->size > IOFD_DIRTY_BITMAP_BYTES(IOFD_DIRTY_BITMAP_PAGES_MAX))
		return -EINVAL;
	/* Compared as words: rounding npages up could overflow. */
	if (bitmap->size / 8 < (npages - 1) / 64 + 1)
		return -EINVAL;
	return 0;
}

/* The bits of one bitmap, as areas fill it with ones or zeroes. */
struct fill {
	u64 __user *data;
	struct iofd_range range;
	unsigned int shift;
	bool clean;
};

/* Word @i of the bitmap gets the bits of [first, last] that lie in it. */
static int put_word(struct fill *fill, u64 i, u64 first, u64 last)
{
	unsigned int low = max(first, i * 64) - i * 64;
	unsigned int high = min(last, i * 64 + 63) - i * 64;
	u64 word = fill->clean ? 0 : GENMASK_ULL(high, low), before;

	/* Bits below may be those of the mapping before; type1 keeps all. */
	if (low) {
		if (get_user(before, &fill->data[i]))
			return -EFAULT;
		word |= before;
	}
	return put_user(word, &fill->data[i]);
}

static int fill_area(struct iofd_range area, void *arg)
{
	struct fill *fill = arg;
	u64 first, last, i;
	int rc;

	area = iofd_range_intersect(area, fill->range);
	first = (area.first - fill->range.first) >> fill->shift;
	last = (area.last - fill->range.first) >> fill->shift;
	for (i = first / 64; i <= last / 64; i++) {
		rc = put_word(fill, i, first, last);
		if (rc)
			return rc;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* Does an area reach out of the range? */
static int check_inside(struct iofd_range area, void *arg)
{
	struct fill *fill = arg;

	return iofd_range_contains(fill->range, area) ? 0 : -EINVAL;
}

/* Where the address space reports to what it knows of all domains. */
static struct iofd_bitmap to_bitmap(struct iofd_range range,
				    const struct vfio_bitmap *bitmap)
{
	return (struct iofd_bitmap){
		.range = range,
		.page_size = bitmap->pgsize,
		.data = bitmap->data,
	};
}

/* @clean: what is mapped gets zeroes */
static int fill_areas(struct iofd_ioas *ioas, struct iofd_range range,
		      const struct vfio_bitmap *bitmap, bool clean)
{
	struct fill fill = {
		.data = bitmap->data,
		.range = range,
		.shift = __ffs64(bitmap->pgsize),
		.clean = clean,
	};
	int rc;

	rc = iofd_aspace_areas(&ioas->aspace, range, check_inside, &fill);
	if (rc)
		return rc;
	return iofd_aspace_areas(&ioas->aspace, range, fill_area, &fill);
}

/**
 * iofd_vfio_fill_bitmap - tell the dirty pages of a range
 * @ioas: IOAS; the caller keeps its areas as they are
 * @range: range, page aligned
 * @bitmap: as iofd_vfio_check_bitmap() accepted it
 *
 * Return: 0; -EINVAL the range cuts a mapping, with nothing written; -EFAULT;
 * -EINTR a fatal signal is pending.
 */
int iofd_vfio_fill_bitmap(struct iofd_ioas *ioas, struct iofd_range range,
			  const struct vfio_bitmap *bitmap)
{
	bool tracked = iofd_aspace_is_tracked(&ioas->aspace);
	struct iofd_bitmap to = to_bitmap(range, bitmap);
	int rc;

	rc = fill_areas(ioas, range, bitmap, tracked);
	if (rc || !tracked)
		return rc;
	rc = iofd_aspace_read_dirty(&ioas->aspace, &to);
	/* Holes are nothing special here. */
	return rc == -ENOENT ? 0 : rc;
}

/**
 * iofd_vfio_unmap_dirty - unmap a range and tell its dirty pages
 * @ioas: IOAS; the caller keeps its areas as they are
 * @range: range, page aligned
 * @bitmap: as iofd_vfio_check_bitmap() accepted it
 * @unmapped: out: number of bytes removed
 *
 * Return: as iofd_vfio_fill_bitmap() and iofd_aspace_unmap_dirty(); on failure
 * nothing was unmapped.
 */
int iofd_vfio_unmap_dirty(struct iofd_ioas *ioas, struct iofd_range range,
			  const struct vfio_bitmap *bitmap,
			  unsigned long *unmapped)
{
	bool tracked = iofd_aspace_is_tracked(&ioas->aspace);
	struct iofd_bitmap to = to_bitmap(range, bitmap);
	int rc;

	/* Before it goes, for then nobody knows any more what was there. */
	rc = fill_areas(ioas, range, bitmap, tracked);
	if (rc)
		return rc;
	if (tracked)
		return iofd_aspace_unmap_dirty(&ioas->aspace, &to, unmapped);
	return iofd_aspace_unmap_rule(&ioas->aspace, range, IOFD_UNMAP_WHOLE,
				      unmapped);
}

/* Starting what is started changes nothing, and so with stopping. */
static int switch_tracking(struct iommufd_ctx *ictx, bool on)
{
	struct iofd_container *container = ictx->container;
	struct iofd_vfio_call call;
	bool change = false;
	int rc;

	if (down_write_killable(&container->ops))
		return -EINTR;
	rc = iofd_container_begin(ictx, &call);
	if (rc)
		goto out;
	spin_lock(&ictx->vfio_lock);
	if (container->state == IOFD_CONTAINER_SET) {
		change = container->tracking != on;
		container->tracking = on;
	} else {
		rc = -EINVAL;
	}
	spin_unlock(&ictx->vfio_lock);
	if (change)
		iofd_aspace_track(&call.ioas->aspace, on);
	iofd_container_end(&call);
out:
	up_write(&container->ops);
	return rc;
}

static int read_dirty(struct iofd_vfio_call *call,
		      const struct vfio_iommu_type1_dirty_bitmap_get *get,
		      struct iofd_range range)
{
	unsigned long pgsize = iofd_vfio_pgsize(call->ioas);

	if (get->bitmap.pgsize != pgsize ||
	    ((get->iova | get->size) & (pgsize - 1)) || !call->tracking)
		return -EINVAL;
	return iofd_vfio_fill_bitmap(call->ioas, range, &get->bitmap);
}

static int get_bitmap(struct iommufd_ctx *ictx, void __user *arg, size_t room)
{
	struct vfio_iommu_type1_dirty_bitmap_get get;
	struct iofd_vfio_call call;
	struct iofd_range range;
	int rc;

	if (room < sizeof(get))
		return -EINVAL;
	if (copy_from_user(&get, arg, sizeof(get)))
		return -EFAULT;
	rc = iofd_range_from_length(&range, get.iova, get.size);
	if (!rc)
		rc = iofd_vfio_check_bitmap(&get.bitmap, get.size);
	if (rc)
		return rc;

	if (down_write_killable(&ictx->container->ops))
		return -EINTR;
	rc = iofd_container_begin(ictx, &call);
	if (!rc) {
		rc = read_dirty(&call, &get, range);
		iofd_container_end(&call);
	}
	up_write(&ictx->container->ops);
	return rc;
}

/* VFIO_IOMMU_DIRTY_PAGES */
int container_dirty_pages_ioctl(struct iommufd_ctx *ictx, void __user *arg)
{
	struct vfio_iommu_type1_dirty_bitmap dirty;
	struct iofd_vfio_call call;
	bool v1;
	int rc;

	rc = iofd_container_begin(ictx, &call);
	if (rc)
		return rc;
	v1 = call.v1;
	iofd_container_end(&call);
	if (v1)
		return -EACCES;

	if (copy_from_user(&dirty, arg, DIRTY_SIZE))
		return -EFAULT;
	if (dirty.argsz < DIRTY_SIZE || (dirty.flags & ~DIRTY_FLAGS))
		return -EINVAL;

	switch (dirty.flags) {
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_START:
		return switch_tracking(ictx, true);
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP:
		return switch_tracking(ictx, false);
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP:
		return get_bitmap(ictx, arg + DIRTY_SIZE,
				  dirty.argsz - DIRTY_SIZE);
	default:
		return -EINVAL;
	}
}
