// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the mock of a mediated driver
 *
 * A file that stands for a driver which uses an IOAS by itself.  It owns one
 * in-kernel access, and with it holds the context: closing /dev/iommu ends
 * nothing before this file is closed too.
 *
 * Ops name it by file descriptor, so that one file serves as well from another
 * thread or a child.
 *
 * What is pinned is a list of items, each with a number that the test gives
 * back to unpin it.  @lock guards the list; the unmap callback takes it, so it
 * is never held around a call that may invoke the callback.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommufd.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "iommufd_test.h"
#include "test/mock.h"

/* Longest that one op may pin or copy. */
#define MAX_LENGTH SZ_16M

/**
 * struct staccess - what the file owns
 * @access: access
 * @pins: may pin
 * @lock: guards what follows
 * @items: struct item
 * @next_id: number of the next item
 */
struct staccess {
	struct iommufd_access *access;
	bool pins;
	struct mutex lock; /* guards the next two */
	struct list_head items;
	u32 next_id;
};

/* One successful pin. */
struct item {
	struct list_head link;
	unsigned long iova;
	unsigned long length;
	u32 id;
};

static void item_free(struct staccess *staccess, struct item *item)
{
	lockdep_assert_held(&staccess->lock);
	list_del(&item->link);
	iommufd_access_unpin_pages(staccess->access, item->iova, item->length);
	kfree(item);
}

/* Called for mappings that go away. */
static void staccess_unmap(void *data, unsigned long iova, unsigned long length)
{
	unsigned long last = iova + (length - 1);
	struct staccess *staccess = data;
	struct item *item, *next;

	guard(mutex)(&staccess->lock);
	list_for_each_entry_safe(item, next, &staccess->items, link)
		if (item->iova <= last &&
		    iova <= item->iova + (item->length - 1))
			item_free(staccess, item);
}

static const struct iommufd_access_ops staccess_ops = {
	.unmap = staccess_unmap,
};

static const struct iommufd_access_ops staccess_pin_ops = {
	.needs_pin_pages = 1,
	.unmap = staccess_unmap,
};

static struct staccess *staccess_new(struct iommufd_ctx *ictx, u32 ioas_id,
				     u32 flags)
{
	const struct iommufd_access_ops *ops = &staccess_ops;
	struct staccess *staccess;
	u32 id;
	int rc;

	if (flags & MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES)
		ops = &staccess_pin_ops;

	staccess = kzalloc_obj(*staccess, GFP_KERNEL_ACCOUNT);
	if (!staccess)
		return ERR_PTR(-ENOMEM);
	mutex_init(&staccess->lock);
	INIT_LIST_HEAD(&staccess->items);
	staccess->pins = ops->needs_pin_pages;
	staccess->access = iommufd_access_create(ictx, ops, staccess, &id);
	if (IS_ERR(staccess->access)) {
		rc = PTR_ERR(staccess->access);
		goto err_free;
	}
	rc = iommufd_access_attach(staccess->access, ioas_id);
	if (rc)
		goto err_access;
	return staccess;

err_access:
	iommufd_access_destroy(staccess->access);
err_free:
	kfree(staccess);
	return ERR_PTR(rc);
}

static void staccess_free(struct staccess *staccess)
{
	iommufd_access_destroy(staccess->access);
	kfree(staccess);
}

static int staccess_release(struct inode *inode, struct file *file)
{
	staccess_free(file->private_data);
	return 0;
}

static const struct file_operations staccess_fops = {
	.owner = THIS_MODULE,
	.release = staccess_release,
};

/* IOMMU_TEST_OP_CREATE_ACCESS */
int mock_access_create_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	u32 flags = cmd->create_access.flags;
	struct staccess *staccess;
	struct file *file;
	int fd, rc;

	if (flags & ~MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES)
		return -EOPNOTSUPP;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return -ENOMEM;
	staccess = staccess_new(ucmd->ctx, cmd->id, flags);
	if (IS_ERR(staccess)) {
		rc = PTR_ERR(staccess);
		goto err_fd;
	}
	file = anon_inode_getfile("[iommufd_test_staccess]", &staccess_fops,
				  staccess, O_RDWR);
	if (IS_ERR(file)) {
		rc = PTR_ERR(file);
		staccess_free(staccess);
		goto err_fd;
	}

	/* From here on the file owns it. */
	cmd->create_access.out_access_fd = fd;
	rc = iofd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc) {
		fput(file);
		goto err_fd;
	}
	fd_install(fd, file);
	return 0;

err_fd:
	put_unused_fd(fd);
	return rc;
}

/* The file behind a descriptor, to be given to fput(). */
static struct file *staccess_file(u32 fd)
{
	struct file *file;

	file = fget(fd);
	if (!file)
		return ERR_PTR(-EBADFD);
	if (file->f_op != &staccess_fops) {
		fput(file);
		return ERR_PTR(-EBADFD);
	}
	return file;
}

/* IOMMU_TEST_OP_ACCESS_REPLACE_IOAS */
int mock_access_replace_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct staccess *staccess;
	struct file *file;
	int rc;

	file = staccess_file(cmd->id);
	if (IS_ERR(file))
		return PTR_ERR(file);
	staccess = file->private_data;
	rc = iommufd_access_replace(staccess->access,
				    cmd->access_replace_ioas.ioas_id);
	fput(file);
	return rc;
}

/* IOMMU_TEST_OP_DESTROY_ACCESS_PAGES */
int mock_access_unpin_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	u32 id = cmd->destroy_access_pages.access_pages_id;
	struct staccess *staccess;
	struct item *item;
	struct file *file;
	int rc = -ENOENT;

	file = staccess_file(cmd->id);
	if (IS_ERR(file))
		return PTR_ERR(file);
	staccess = file->private_data;
	mutex_lock(&staccess->lock);
	list_for_each_entry(item, &staccess->items, link) {
		if (item->id != id)
			continue;
		item_free(staccess, item);
		rc = 0;
		break;
	}
	mutex_unlock(&staccess->lock);
	fput(file);
	return rc;
}

/* Are these the caller's pages at @uptr? */
static int check_pages(struct page **pages, unsigned long nr,
		       unsigned long uptr)
{
	unsigned long i;

	for (i = 0; i < nr; i++) {
		struct page *page;
		int rc;

		rc = get_user_pages_fast(uptr + i * PAGE_SIZE, 1, 0, &page);
		if (rc != 1)
			return rc < 0 ? rc : -EFAULT;
		put_page(page);
		if (page != pages[i])
			return -EBADE;
	}
	return 0;
}

/* Add an item for what has just been pinned. */
static void add_item(struct staccess *staccess, struct item *item,
		     unsigned long iova, unsigned long length)
{
	item->iova = iova;
	item->length = length;
	item->id = staccess->next_id++;
	list_add_tail(&item->link, &staccess->items);
}

/* Under the lock: an unmap that comes meanwhile waits and finds the item. */
static int pin_locked(struct staccess *staccess, struct iommu_test_cmd *cmd,
		      struct page **pages, unsigned long nr, struct item *item)
{
	unsigned long iova = cmd->access_pages.iova;
	unsigned long length = cmd->access_pages.length;
	unsigned long uptr = cmd->access_pages.uptr;
	unsigned int flags = 0;
	int rc;

	lockdep_assert_held(&staccess->lock);

	if (cmd->access_pages.flags & MOCK_FLAGS_ACCESS_WRITE)
		flags = IOMMUFD_ACCESS_RW_WRITE;
	rc = iommufd_access_pin_pages(staccess->access, iova, length, pages,
				      flags);
	if (rc)
		return rc;
	if (uptr) {
		rc = check_pages(pages, nr,
				 ALIGN_DOWN(uptr, PAGE_SIZE));
		if (rc) {
			iommufd_access_unpin_pages(staccess->access, iova,
						   length);
			return rc;
		}
	}
	add_item(staccess, item, iova, length);
	return 0;
}

/* IOMMU_TEST_OP_ACCESS_PAGES */
int mock_access_pin_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	unsigned long length = cmd->access_pages.length;
	struct staccess *staccess;
	unsigned long iova;
	struct page **pages;
	struct item *item;
	struct file *file;
	unsigned long nr;
	int rc;

	if (length > MAX_LENGTH)
		return -ENOMEM;
	if (cmd->access_pages.flags &
	    ~(MOCK_FLAGS_ACCESS_WRITE | MOCK_FLAGS_ACCESS_SYZ))
		return -EOPNOTSUPP;
	file = staccess_file(cmd->id);
	if (IS_ERR(file))
		return PTR_ERR(file);
	staccess = file->private_data;
	if (!staccess->pins) {
		rc = -EOPNOTSUPP;
		goto out_file;
	}
	if (cmd->access_pages.flags & MOCK_FLAGS_ACCESS_SYZ)
		cmd->access_pages.iova =
			mock_access_by_number(staccess->access,
					      cmd->access_pages.iova);

	iova = cmd->access_pages.iova;
	nr = length ? PFN_UP(offset_in_page(iova) + length) : 0;
	pages = kvzalloc_objs(*pages, max(nr, 1UL), GFP_KERNEL_ACCOUNT);
	item = kzalloc_obj(*item, GFP_KERNEL_ACCOUNT);
	if (!pages || !item) {
		rc = -ENOMEM;
		goto out_free;
	}
	mutex_lock(&staccess->lock);
	rc = pin_locked(staccess, cmd, pages, nr, item);
	if (!rc) {
		cmd->access_pages.out_access_pages_id = item->id;
		rc = iofd_ucmd_respond(ucmd, sizeof(*cmd));
		if (rc)
			item_free(staccess, item);
		item = NULL;
	}
	mutex_unlock(&staccess->lock);
out_free:
	kfree(item);
	kvfree(pages);
out_file:
	fput(file);
	return rc;
}

/* IOMMU_TEST_OP_ACCESS_RW */
int mock_access_rw_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	void __user *uptr = u64_to_user_ptr(cmd->access_rw.uptr);
	unsigned long length = cmd->access_rw.length;
	u32 flags = cmd->access_rw.flags;
	struct staccess *staccess;
	unsigned int rw_flags = 0;
	struct file *file;
	void *data;
	int rc;

	if (length > MAX_LENGTH)
		return -ENOMEM;
	if (flags & ~(MOCK_ACCESS_RW_WRITE | MOCK_ACCESS_RW_SLOW_PATH |
		      MOCK_FLAGS_ACCESS_SYZ))
		return -EOPNOTSUPP;
	file = staccess_file(cmd->id);
	if (IS_ERR(file))
		return PTR_ERR(file);
	staccess = file->private_data;
	if (flags & MOCK_FLAGS_ACCESS_SYZ)
		cmd->access_rw.iova =
			mock_access_by_number(staccess->access,
					      cmd->access_rw.iova);

	data = kvzalloc(max(length, 1UL), GFP_KERNEL_ACCOUNT);
	if (!data) {
		rc = -ENOMEM;
		goto out_file;
	}
	if (flags & MOCK_ACCESS_RW_WRITE) {
		rw_flags |= IOMMUFD_ACCESS_RW_WRITE;
		if (copy_from_user(data, uptr, length)) {
			rc = -EFAULT;
			goto out_data;
		}
	}
	if (flags & MOCK_ACCESS_RW_SLOW_PATH)
		rw_flags |= __IOMMUFD_ACCESS_RW_SLOW_PATH;
	rc = iommufd_access_rw(staccess->access, cmd->access_rw.iova, data,
			       length, rw_flags);
	if (!rc && !(flags & MOCK_ACCESS_RW_WRITE) &&
	    copy_to_user(uptr, data, length))
		rc = -EFAULT;
out_data:
	kvfree(data);
out_file:
	fput(file);
	return rc;
}
