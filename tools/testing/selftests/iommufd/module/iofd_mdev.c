// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mediated device that does what it is told: the in-kernel user behind
 * vfio_pin_pages(), vfio_unpin_pages() and vfio_dma_rw(), as real drivers of
 * virtual displays and crypto queues are. For tests; it lets whoever has the
 * device's file pin at will.
 *
 * What is pinned is a list of pins. @lock guards it and is taken by
 * dma_unmap(). As a rule it is also held while pinning and unpinning, like a
 * driver would that wants the list to be true at any time; IOFD_MDEV_UNLOCKED
 * is for the other kind, which pins first and remembers then, so that an unmap
 * may come when the pin is in no list. Only that kind gets along with VFIO's
 * type1, which calls dma_unmap() under a lock that pinning needs as well.
 */
#include <linux/device/faux.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/mdev.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>
#include <linux/workqueue.h>

#include "iofd_mdev.h"

struct state {
	struct vfio_device vdev;
	struct mutex lock; /* guards all that follows */
	struct list_head pins;
	struct iofd_mdev_stat stat;
	bool keep;
};

/* One successful pin. */
struct pin {
	struct list_head link;
	u64 iova;
	u32 npages;
};

static struct state *state_of(struct vfio_device *vdev)
{
	return container_of(vdev, struct state, vdev);
}

static void forget_pin(struct state *state, struct pin *pin)
{
	lockdep_assert_held(&state->lock);
	list_del(&pin->link);
	state->stat.pins--;
}

static void release_pin(struct state *state, struct pin *pin)
{
	vfio_unpin_pages(&state->vdev, pin->iova, pin->npages);
	kfree(pin);
}

/* Let go of all that meets a range. */
static void release_range(struct state *state, u64 iova, u64 last)
{
	struct pin *pin, *next;

	lockdep_assert_held(&state->lock);
	list_for_each_entry_safe(pin, next, &state->pins, link) {
		u64 end = pin->iova + (u64)pin->npages * PAGE_SIZE - 1;

		if (pin->iova > last || iova > end)
			continue;
		forget_pin(state, pin);
		release_pin(state, pin);
	}
}

static void mdev_dma_unmap(struct vfio_device *vdev, u64 iova, u64 length)
{
	struct state *state = state_of(vdev);

	guard(mutex)(&state->lock);
	state->stat.unmaps++;
	state->stat.iova = iova;
	state->stat.length = length;
	release_range(state, iova, iova + (length - 1));
}

/* Are these the caller's pages at @uptr? */
static int check_pages(struct page **pages, u32 npages, unsigned long uptr)
{
	struct page *page;
	u32 i;
	int rc;

	for (i = 0; i < npages; i++) {
		rc = get_user_pages_fast(uptr + i * PAGE_SIZE, 1, 0, &page);
		if (rc != 1)
			return rc < 0 ? rc : -EFAULT;
		put_page(page);
		if (page != pages[i])
			return -EBADE;
	}
	return 0;
}

/* Pin, and see whether it is the right memory. */
static int pin_pages(struct state *state, const struct iofd_mdev_pin *arg,
		     struct page **pages)
{
	int prot = IOMMU_READ;
	int rc;

	if (arg->flags & IOFD_MDEV_WRITE)
		prot |= IOMMU_WRITE;
	rc = vfio_pin_pages(&state->vdev, arg->iova, arg->npages, prot, pages);
	if (rc < 0)
		return rc;
	if (WARN_ON(rc != arg->npages))
		return -EIO;
	rc = arg->uptr ? check_pages(pages, arg->npages, arg->uptr) : 0;
	if (rc)
		vfio_unpin_pages(&state->vdev, arg->iova, arg->npages);
	return rc;
}

static int mdev_pin(struct state *state, const struct iofd_mdev_pin *arg)
{
	bool locked = !(arg->flags & IOFD_MDEV_UNLOCKED);
	struct page **pages;
	struct pin *pin;
	int rc = -ENOMEM;

	if (arg->flags & ~(IOFD_MDEV_WRITE | IOFD_MDEV_UNLOCKED))
		return -EOPNOTSUPP;
	if (arg->npages > IOFD_MDEV_MAX_PAGES)
		return -E2BIG;
	pages = kvcalloc(max(arg->npages, 1U), sizeof(*pages), GFP_KERNEL);
	pin = kzalloc_obj(*pin);
	if (!pages || !pin)
		goto out_free;
	pin->iova = arg->iova;
	pin->npages = arg->npages;

	if (locked)
		mutex_lock(&state->lock);
	rc = pin_pages(state, arg, pages);
	if (!locked)
		mutex_lock(&state->lock);
	if (!rc) {
		list_add(&pin->link, &state->pins);
		state->stat.pins++;
		pin = NULL;
	}
	mutex_unlock(&state->lock);
out_free:
	kfree(pin);
	kvfree(pages);
	return rc;
}

static int mdev_unpin(struct state *state, const struct iofd_mdev_pin *arg)
{
	bool locked = !(arg->flags & IOFD_MDEV_UNLOCKED);
	struct pin *pin, *found = NULL;

	if (arg->flags & ~IOFD_MDEV_UNLOCKED)
		return -EOPNOTSUPP;
	mutex_lock(&state->lock);
	list_for_each_entry(pin, &state->pins, link) {
		if (pin->iova == arg->iova && pin->npages == arg->npages) {
			found = pin;
			break;
		}
	}
	if (found)
		forget_pin(state, found);
	if (!locked)
		mutex_unlock(&state->lock);
	if (found)
		release_pin(state, found);
	if (locked)
		mutex_unlock(&state->lock);
	return found ? 0 : -ENOENT;
}

/* A copy, which a worker can do as well. */
struct copy {
	struct work_struct work;
	struct vfio_device *vdev;
	const struct iofd_mdev_rw *arg;
	void *data;
	int rc;
};

static void do_copy(struct work_struct *work)
{
	struct copy *copy = container_of(work, struct copy, work);

	copy->rc = vfio_dma_rw(copy->vdev, copy->arg->iova, copy->data,
			       copy->arg->length,
			       copy->arg->flags & IOFD_MDEV_WRITE);
}

static int mdev_rw(struct state *state, const struct iofd_mdev_rw *arg)
{
	void __user *uptr = u64_to_user_ptr(arg->uptr);
	struct copy copy = { .vdev = &state->vdev, .arg = arg };

	if (arg->flags & ~(IOFD_MDEV_WRITE | IOFD_MDEV_KTHREAD))
		return -EOPNOTSUPP;
	if (arg->length > IOFD_MDEV_MAX_BYTES)
		return -E2BIG;
	copy.data = kvzalloc(max(arg->length, 1U), GFP_KERNEL);
	if (!copy.data)
		return -ENOMEM;
	if ((arg->flags & IOFD_MDEV_WRITE) &&
	    copy_from_user(copy.data, uptr, arg->length)) {
		copy.rc = -EFAULT;
		goto out_free;
	}
	INIT_WORK_ONSTACK(&copy.work, do_copy);
	if (arg->flags & IOFD_MDEV_KTHREAD) {
		schedule_work(&copy.work);
		flush_work(&copy.work);
	} else {
		do_copy(&copy.work);
	}
	destroy_work_on_stack(&copy.work);
	if (!copy.rc && !(arg->flags & IOFD_MDEV_WRITE) &&
	    copy_to_user(uptr, copy.data, arg->length))
		copy.rc = -EFAULT;
out_free:
	kvfree(copy.data);
	return copy.rc;
}

static int mdev_stat(struct state *state, void __user *arg)
{
	struct iofd_mdev_stat stat;

	scoped_guard(mutex, &state->lock)
		stat = state->stat;
	return copy_to_user(arg, &stat, sizeof(stat)) ? -EFAULT : 0;
}

static long mdev_ioctl(struct vfio_device *vdev, unsigned int cmd,
		       unsigned long arg)
{
	struct state *state = state_of(vdev);
	void __user *uptr = (void __user *)arg;
	struct iofd_mdev_pin pin;
	struct iofd_mdev_rw rw;

	switch (cmd) {
	case IOFD_MDEV_PIN:
	case IOFD_MDEV_UNPIN:
		if (copy_from_user(&pin, uptr, sizeof(pin)))
			return -EFAULT;
		return cmd == IOFD_MDEV_PIN ? mdev_pin(state, &pin) :
					      mdev_unpin(state, &pin);
	case IOFD_MDEV_RW:
		if (copy_from_user(&rw, uptr, sizeof(rw)))
			return -EFAULT;
		return mdev_rw(state, &rw);
	case IOFD_MDEV_STAT:
		return mdev_stat(state, uptr);
	case IOFD_MDEV_KEEP:
		scoped_guard(mutex, &state->lock)
			state->keep = true;
		return 0;
	}
	return -ENOTTY;
}

static void mdev_close(struct vfio_device *vdev)
{
	struct state *state = state_of(vdev);

	guard(mutex)(&state->lock);
	if (!state->keep)
		release_range(state, 0, U64_MAX);
	state->keep = false;
}

static int mdev_init(struct vfio_device *vdev)
{
	struct state *state = state_of(vdev);

	mutex_init(&state->lock);
	INIT_LIST_HEAD(&state->pins);
	return 0;
}

static void mdev_release(struct vfio_device *vdev)
{
	struct state *state = state_of(vdev);

	WARN_ON(!list_empty(&state->pins));
	mutex_destroy(&state->lock);
}

static const struct vfio_device_ops mdev_ops = {
	.name = "iofd-mdev",
	.init = mdev_init,
	.release = mdev_release,
	.ioctl = mdev_ioctl,
	.dma_unmap = mdev_dma_unmap,
	.close_device = mdev_close,
	.bind_iommufd = vfio_iommufd_emulated_bind,
	.unbind_iommufd = vfio_iommufd_emulated_unbind,
	.attach_ioas = vfio_iommufd_emulated_attach_ioas,
	.detach_ioas = vfio_iommufd_emulated_detach_ioas,
};

static int mdev_probe(struct mdev_device *mdev)
{
	struct state *state;
	int rc;

	state = vfio_alloc_device(state, vdev, &mdev->dev, &mdev_ops);
	if (IS_ERR(state))
		return PTR_ERR(state);
	rc = vfio_register_emulated_iommu_dev(&state->vdev);
	if (rc) {
		vfio_put_device(&state->vdev);
		return rc;
	}
	dev_set_drvdata(&mdev->dev, state);
	return 0;
}

static void mdev_remove(struct mdev_device *mdev)
{
	struct state *state = dev_get_drvdata(&mdev->dev);

	vfio_unregister_group_dev(&state->vdev);
	vfio_put_device(&state->vdev);
}

static struct mdev_driver mdev_driver = {
	.device_api = "iofd-mdev",
	.max_instances = 4,
	.probe = mdev_probe,
	.remove = mdev_remove,
	.driver = {
		.name = "iofd_mdev",
		.owner = THIS_MODULE,
		.mod_name = KBUILD_MODNAME,
	},
};

static struct mdev_type mdev_type = {
	.sysfs_name = "pins",
	.pretty_name = "pins what it is told to",
};

static struct mdev_type *mdev_types[] = { &mdev_type };
static struct mdev_parent mdev_parent;
static struct faux_device *mdev_faux;

static int __init iofd_mdev_init(void)
{
	int rc;

	rc = mdev_register_driver(&mdev_driver);
	if (rc)
		return rc;
	mdev_faux = faux_device_create(IOFD_MDEV_PARENT, NULL, NULL);
	if (!mdev_faux) {
		rc = -ENODEV;
		goto err_driver;
	}
	rc = mdev_register_parent(&mdev_parent, &mdev_faux->dev, &mdev_driver,
				  mdev_types, ARRAY_SIZE(mdev_types));
	if (rc)
		goto err_faux;
	return 0;

err_faux:
	faux_device_destroy(mdev_faux);
err_driver:
	mdev_unregister_driver(&mdev_driver);
	return rc;
}
module_init(iofd_mdev_init);

static void __exit iofd_mdev_exit(void)
{
	mdev_unregister_parent(&mdev_parent);
	faux_device_destroy(mdev_faux);
	mdev_unregister_driver(&mdev_driver);
}
module_exit(iofd_mdev_exit);

MODULE_DESCRIPTION("Mediated device for the tests of in-kernel users of IOMMUFD");
MODULE_LICENSE("GPL");
