// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: in-kernel accesses
 *
 * An access attaches to an IOAS like a device does, but instead of a domain it
 * adds a user to the address space, which may demand PAGE_SIZE alignment.
 * Pins and copies go to the address space; what they pin belongs to the
 * access that did it.
 *
 * The driver's unmap callback is called without any lock of ours.  While a
 * replace or detach is in it the access is "changing": a second change answers
 * EBUSY instead of meeting the first half way.
 */
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "base/check.h"
#include "object/access.h"
#include "object/container.h"
#include "trace.h"

static void access_destroy(struct iommufd_object *obj)
{
	struct iommufd_access *access =
		container_of(obj, struct iommufd_access, obj);

	WARN_ON(access->ioas);
}

/*
 * Without the access's lock, which is held while it pins.  An IOAS that the
 * access points to has a ref, and the pointer goes first: so it does not close
 * as long as the ID table is locked.
 */
static void access_show(struct seq_file *m, struct iommufd_object *obj)
{
	struct iommufd_access *access =
		container_of(obj, struct iommufd_access, obj);
	struct iofd_ioas *ioas = READ_ONCE(access->ioas);

	seq_printf(m, "iommufd-access:\tid=%u ioas=%u\n", obj->id,
		   ioas ? ioas->obj.id : 0);
}

const struct iofd_object_type iofd_access_type = {
	.name = "access",
	.destroy = access_destroy,
	.show = access_show,
};

/**
 * iommufd_access_create - an in-kernel user of address spaces
 * @ictx: context; the access takes a reference of its own
 * @ops: the driver's operations, valid until iommufd_access_destroy()
 * @data: passed to the operations
 * @id: out: ID of the access
 *
 * Context: process context, may sleep.
 *
 * Return: access, attached to nothing; ERR_PTR(-ENOMEM).
 */
struct iommufd_access *
iommufd_access_create(struct iommufd_ctx *ictx,
		      const struct iommufd_access_ops *ops, void *data, u32 *id)
{
	struct iommufd_access *access;
	int rc;

	access = kzalloc_obj(*access, GFP_KERNEL_ACCOUNT);
	if (!access)
		return ERR_PTR(-ENOMEM);
	rc = iofd_object_new(&ictx->objects, &access->obj, IOMMUFD_OBJ_ACCESS);
	if (rc) {
		kfree(access);
		return ERR_PTR(rc);
	}
	access->ctx = ictx;
	access->ops = ops;
	access->data = data;
	init_rwsem(&access->lock);

	/* Only its driver ends it. */
	iofd_object_ref_more(&access->obj);
	iommufd_ctx_get(ictx);
	*id = access->obj.id;
	iofd_object_publish(&ictx->objects, &access->obj);
	return access;
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_create, "IOMMUFD");

static void access_unmap(struct iofd_aspace_user *user, struct iofd_range range)
{
	struct iommufd_access *access =
		container_of(user, struct iofd_access_user, user)->access;

	if (access->ops->unmap)
		access->ops->unmap(access->data, range.first,
				   iofd_range_length(range));
}

/* An access in one IOAS. */
struct place {
	struct iofd_ioas *ioas;
	struct iofd_access_user *user;
};

/* Find the IOAS and become a user of it. */
static int access_enter(struct iommufd_access *access, u32 id,
			struct place *place)
{
	struct iofd_access_user *user;
	struct iofd_ioas *ioas;
	int rc;

	user = kzalloc_obj(*user, GFP_KERNEL_ACCOUNT);
	if (!user)
		return -ENOMEM;
	user->access = access;
	user->user.alignment = access->ops->needs_pin_pages ? PAGE_SIZE : 1;
	user->user.unmap = access_unmap;

	ioas = iofd_ioas_borrow(access->ctx, id);
	if (IS_ERR(ioas)) {
		rc = PTR_ERR(ioas);
		goto err_user;
	}
	if (!iofd_object_ref(&ioas->obj)) {
		rc = -ENOENT;
		goto err_return;
	}
	rc = iofd_aspace_add_user(&ioas->aspace, &user->user);
	if (rc)
		goto err_unref;
	iofd_ioas_return(ioas);
	*place = (struct place){ ioas, user };
	return 0;

err_unref:
	iofd_object_unref(&ioas->obj);
err_return:
	iofd_ioas_return(ioas);
err_user:
	kfree(user);
	return rc;
}

/*
 * Not under the access's lock: waits for callbacks that run for an unmap, and
 * what they do may take it.
 */
static void access_leave(const struct place *place)
{
	iofd_aspace_remove_user(&place->ioas->aspace, &place->user->user);
	iofd_object_unref(&place->ioas->obj);
	kfree(place->user);
}

/* Where the access is becomes @place; returns where it was. */
static struct place access_move(struct iommufd_access *access,
				struct place place)
{
	struct place old = { access->ioas, access->user };

	lockdep_assert_held(&access->lock);
	WRITE_ONCE(access->ioas, place.ioas);
	access->user = place.user;
	return old;
}

/**
 * iommufd_access_attach - use an IOAS
 * @access: access that is attached to nothing
 * @ioas_id: ID of the IOAS
 *
 * Context: process context, may sleep; not under a lock that @access's unmap
 * callback takes.
 *
 * Return: 0; -ENOENT no such IOAS; -ENOMEM; -EINVAL, with a warning, if already
 * attached; -EBUSY a detach or replace is running, or 65536 accesses use the
 * IOAS; -EADDRINUSE a mapping is not PAGE_SIZE aligned and the access needs
 * that.
 */
int iommufd_access_attach(struct iommufd_access *access, u32 ioas_id)
{
	struct place place;
	int rc;

	guard(rwsem_write)(&access->lock);
	if (access->changing)
		return -EBUSY;
	if (WARN_ON(access->ioas))
		return -EINVAL;
	rc = access_enter(access, ioas_id, &place);
	if (!rc)
		access_move(access, place);
	trace_iommufd_access_attach(access->ctx->serial, access->obj.id,
				    ioas_id, rc);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_attach, "IOMMUFD");

/* Ask the driver to let go of everything; @access is changing meanwhile. */
static void access_unmap_all(struct iommufd_access *access)
{
	lockdep_assert_not_held(&access->lock);

	if (access->ops->unmap)
		access->ops->unmap(access->data, 0, ULONG_MAX);
}

/**
 * iommufd_access_replace - use another IOAS instead
 * @access: attached access
 * @ioas_id: ID of the new IOAS
 *
 * The driver's unmap callback is called for everything before the change.
 *
 * Context: as iommufd_access_attach().
 *
 * Return: 0, without any effect if it is the same IOAS; -ENOENT no such IOAS
 * or not attached; -EBUSY, -EADDRINUSE as iommufd_access_attach().  On failure
 * the old IOAS stays.
 */
int iommufd_access_replace(struct iommufd_access *access, u32 ioas_id)
{
	struct iofd_ioas *ioas;
	struct place place;
	int rc;

	down_write(&access->lock);
	if (access->changing) {
		rc = -EBUSY;
		goto out_unlock;
	}
	if (!access->ioas) {
		rc = -ENOENT;
		goto out_unlock;
	}
	ioas = iofd_ioas_borrow(access->ctx, ioas_id);
	if (IS_ERR(ioas)) {
		rc = PTR_ERR(ioas);
		goto out_unlock;
	}
	iofd_ioas_return(ioas);
	if (ioas == access->ioas) {
		rc = 0;
		goto out_unlock;
	}
	access->changing = true;
	up_write(&access->lock);

	access_unmap_all(access);

	down_write(&access->lock);
	rc = access_enter(access, ioas_id, &place);
	if (!rc) {
		place = access_move(access, place);
		up_write(&access->lock);
		access_leave(&place);
		down_write(&access->lock);
	}
	access->changing = false;
	trace_iommufd_access_attach(access->ctx->serial, access->obj.id,
				    ioas_id, rc);
out_unlock:
	up_write(&access->lock);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_replace, "IOMMUFD");

/**
 * iommufd_access_detach - stop using the IOAS
 * @access: attached access, on which no replace is running
 *
 * The driver's unmap callback is called for everything first.
 *
 * Context: as iommufd_access_attach().
 */
void iommufd_access_detach(struct iommufd_access *access)
{
	struct place place;

	down_write(&access->lock);
	if (WARN_ON(!access->ioas || access->changing)) {
		up_write(&access->lock);
		return;
	}
	access->changing = true;
	up_write(&access->lock);

	access_unmap_all(access);

	down_write(&access->lock);
	place = access_move(access, (struct place){});
	up_write(&access->lock);
	access_leave(&place);
	down_write(&access->lock);
	access->changing = false;
	up_write(&access->lock);
	trace_iommufd_access_attach(access->ctx->serial, access->obj.id, 0, 0);
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_detach, "IOMMUFD");

/**
 * iommufd_access_destroy - end an access
 * @access: access; detached if it is attached, then freed
 *
 * No callback runs any more when this returns.
 *
 * Context: as iommufd_access_attach().
 */
void iommufd_access_destroy(struct iommufd_access *access)
{
	struct iommufd_ctx *ictx = access->ctx;

	if (access->ioas)
		iommufd_access_detach(access);
	iofd_object_destroy(&ictx->objects, &access->obj);
	iommufd_ctx_put(ictx);
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_destroy, "IOMMUFD");

/* What VFIO's type1 pins at once: a page full of page pointers. */
#define CONTAINER_PIN_MAX (PAGE_SIZE / sizeof(struct page *))

/*
 * Drivers of mediated devices know a container by its errnos: where nothing is
 * mapped is EINVAL, and version 1 has no pins.
 */
static int check_container_pin(struct iommufd_ctx *ictx, unsigned long length)
{
	bool v1;

	if (!iofd_ctx_is_container(ictx))
		return 0;
	if (length > CONTAINER_PIN_MAX << PAGE_SHIFT)
		return -E2BIG;
	spin_lock(&ictx->vfio_lock);
	v1 = ictx->container->v1;
	spin_unlock(&ictx->vfio_lock);
	return v1 ? -EACCES : 0;
}

static int container_errno(struct iommufd_ctx *ictx, int rc)
{
	return rc == -ENOENT && iofd_ctx_is_container(ictx) ? -EINVAL : rc;
}

/**
 * iommufd_access_pin_pages - pin the memory behind IOVAs for the CPU
 * @access: attached access that was created with needs_pin_pages
 * @iova: first IOVA
 * @length: number of bytes
 * @out_pages: out: one page for each PAGE_SIZE touched, in order
 * @flags: IOMMUFD_ACCESS_RW_WRITE if the CPU will write, else 0
 *
 * The pages are pinned for long and charged to who mapped them, unless a page
 * table or another access does so already.  Pins of the same range nest.
 *
 * Context: process context, may sleep; not under mmap_lock.
 *
 * Return: 0; -EINVAL @length is 0, a part is being unmapped or does not lie in
 * its page as in its IOVA page, or no pinning access; -EOVERFLOW; -ENOENT not
 * attached, or a part is not mapped; -EPERM the mapping does not allow it;
 * -EFAULT, -ENOMEM, -EOPNOTSUPP the memory cannot be pinned.  On failure
 * nothing is pinned.  On a context opened as /dev/vfio/vfio: -EINVAL instead of
 * -ENOENT; -E2BIG more pages than a page has pointers; -EACCES the container is
 * of version 1.
 */
int iommufd_access_pin_pages(struct iommufd_access *access, unsigned long iova,
			     unsigned long length, struct page **out_pages,
			     unsigned int flags)
{
	struct iofd_range range;
	int rc;

	if (WARN_ON_ONCE(!access->ops->needs_pin_pages ||
			 flags & ~IOMMUFD_ACCESS_RW_WRITE))
		return -EINVAL;
	rc = check_container_pin(access->ctx, length);
	if (!rc)
		rc = iofd_range_from_length(&range, iova, length);
	if (rc)
		return rc;

	guard(rwsem_read)(&access->lock);
	if (!access->ioas)
		return -ENOENT;
	if (access->changing)
		return -EINVAL;
	rc = iofd_aspace_pin(&access->ioas->aspace, range, out_pages,
			     flags & IOMMUFD_ACCESS_RW_WRITE);
	trace_iommufd_access_pin(access->ctx->serial, access->obj.id, iova,
				 length, flags, rc);
	return container_errno(access->ctx, rc);
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_pin_pages, "IOMMUFD");

/**
 * iommufd_access_unpin_pages - undo iommufd_access_pin_pages()
 * @access: access
 * @iova: as it was pinned
 * @length: as it was pinned
 *
 * May be called from the unmap callback.  A range that was not pinned like this
 * is a bug of the caller, which is warned about.
 */
void iommufd_access_unpin_pages(struct iommufd_access *access,
				unsigned long iova, unsigned long length)
{
	struct iofd_range range;

	guard(rwsem_read)(&access->lock);
	if (WARN_ON(!access->ioas ||
		    iofd_range_from_length(&range, iova, length)))
		return;
	iofd_aspace_unpin(&access->ioas->aspace, range);
	trace_iommufd_access_unpin(access->ctx->serial, access->obj.id, iova,
				   length, 0, 0);
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_unpin_pages, "IOMMUFD");

/**
 * iommufd_access_rw - copy to or from the memory behind IOVAs
 * @access: attached access
 * @iova: first IOVA
 * @data: kernel buffer
 * @len: number of bytes
 * @flags: IOMMUFD_ACCESS_RW_WRITE to write to the IOVAs;
 *         IOMMUFD_ACCESS_RW_KTHREAD if the caller is a kernel thread that may
 *         take on the mapper's mm
 *
 * Nothing is charged.
 *
 * Context: process context, may sleep; not under mmap_lock.
 *
 * Return: 0; as iommufd_access_pin_pages(), with no alignment demanded.  On
 * failure a part may have been copied.  On a context opened as /dev/vfio/vfio:
 * -EINVAL instead of -ENOENT, and -EPERM also to write to what may not be read.
 */
int iommufd_access_rw(struct iommufd_access *access, unsigned long iova,
		      void *data, size_t len, unsigned int flags)
{
	enum iofd_copy_flags copy = 0;
	struct iofd_range range;
	int rc;

	if (flags & IOMMUFD_ACCESS_RW_WRITE)
		copy |= IOFD_COPY_WRITE;
	if (flags & IOMMUFD_ACCESS_RW_KTHREAD)
		copy |= IOFD_COPY_KTHREAD;
	if (flags & __IOMMUFD_ACCESS_RW_SLOW_PATH)
		copy |= IOFD_COPY_PINNED;
	if (iofd_ctx_is_container(access->ctx))
		copy |= IOFD_COPY_READABLE;
	rc = iofd_range_from_length(&range, iova, len);
	if (rc)
		return rc;

	guard(rwsem_read)(&access->lock);
	if (!access->ioas)
		return -ENOENT;
	if (access->changing)
		return -EINVAL;
	rc = iofd_aspace_rw(&access->ioas->aspace, range, data, copy);
	trace_iommufd_access_rw(access->ctx->serial, access->obj.id, iova, len,
				flags, rc);
	return container_errno(access->ctx, rc);
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_rw, "IOMMUFD");

/* What a lock holds is refused before anybody is asked to let go. */
static void locked_unmap(struct iofd_aspace_user *user, struct iofd_range range)
{
}

/**
 * iofd_access_lock - an access without ID that keeps one range for hardware
 * @ioas: IOAS, referenced by the caller until iofd_access_unlock()
 * @range: IOVAs, in whole pages
 * @out: out: one page for each PAGE_SIZE, in order
 *
 * While it exists the range cannot be unmapped, and the IOAS demands PAGE_SIZE
 * alignment.
 *
 * Return: access; ERR_PTR(-ENOMEM); what iofd_aspace_add_user() and
 * iofd_aspace_lock() return.
 */
struct iommufd_access *iofd_access_lock(struct iofd_ioas *ioas,
					struct iofd_range range,
					struct page **out)
{
	struct iommufd_access *access;
	struct iofd_access_user *user;
	int rc;

	access = kzalloc_obj(*access, GFP_KERNEL_ACCOUNT);
	if (!access)
		return ERR_PTR(-ENOMEM);
	user = kzalloc_obj(*user, GFP_KERNEL_ACCOUNT);
	if (!user) {
		rc = -ENOMEM;
		goto err_access;
	}
	access->ioas = ioas;
	access->user = user;
	user->access = access;
	user->user.alignment = PAGE_SIZE;
	user->user.unmap = locked_unmap;

	rc = iofd_aspace_add_user(&ioas->aspace, &user->user);
	if (rc)
		goto err_user;
	rc = iofd_aspace_lock(&ioas->aspace, range, out);
	if (rc)
		goto err_remove;
	return access;

err_remove:
	iofd_aspace_remove_user(&ioas->aspace, &user->user);
err_user:
	kfree(user);
err_access:
	kfree(access);
	return ERR_PTR(rc);
}

/**
 * iofd_access_unlock - undo iofd_access_lock()
 * @access: access; freed
 * @range: as it was locked
 */
void iofd_access_unlock(struct iommufd_access *access, struct iofd_range range)
{
	struct iofd_aspace *aspace = &access->ioas->aspace;

	iofd_aspace_unlock(aspace, range);
	iofd_aspace_remove_user(aspace, &access->user->user);
	kfree(access->user);
	kfree(access);
}
