// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: contexts
 *
 * Every open of the device node is a context of its own; dup, fork and
 * SCM_RIGHTS share one.  A bound device or an in-kernel access holds the file,
 * so the context with all mappings outlives close() as long as one of them
 * exists.  When the file is released no ioctl runs and no device is attached,
 * and everything that is left goes, leaves first.
 */
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "base/check.h"
#include "object/container.h"
#include "object/ctx.h"
#include "object/debugfs.h"
#include "object/ioas.h"

/* Number of the newest context. */
static atomic64_t last_serial;

/* Most objects that fdinfo has a line for: who reads it pays for the buffer. */
#define SHOW_LIMIT 4096

/**
 * iofd_ctx_create - the context of a newly opened file
 * @file: the file
 * @charge_mode: accounting mode to begin with
 * @container: for an open of /dev/vfio/vfio, else NULL; the context's from now
 *             on, freed with it
 *
 * Return: context, or NULL without memory.
 */
struct iommufd_ctx *iofd_ctx_create(struct file *file,
				    enum iofd_charge_mode charge_mode,
				    struct iofd_container *container)
{
	struct iommufd_ctx *ictx;

	ictx = kzalloc_obj(*ictx, GFP_KERNEL_ACCOUNT);
	if (!ictx)
		return NULL;
	ictx->serial = atomic64_inc_return(&last_serial);
	ictx->opener = task_tgid_nr(current);
	get_task_comm(ictx->opener_comm, current->group_leader);
	init_rwsem(&ictx->owner_rwsem);
	ictx->file = file;
	iofd_objects_init(&ictx->objects, ictx->serial);
	xa_init_flags(&ictx->groups, XA_FLAGS_ACCOUNT);
	mt_init_flags(&ictx->mmaps, MT_FLAGS_ALLOC_RANGE);
	iofd_msi_space_init(&ictx->msi);
	iofd_account_init(&ictx->account, ictx->serial, charge_mode);
	spin_lock_init(&ictx->vfio_lock);
	ictx->container = container;
	iofd_debugfs_add(ictx);
	return ictx;
}

/**
 * iofd_ctx_destroy - end a context with everything in it
 * @ictx: context whose file is being released
 */
void iofd_ctx_destroy(struct iommufd_ctx *ictx)
{
	iofd_debugfs_remove(ictx);
	iofd_objects_fini(&ictx->objects);
	WARN_ON(!xa_empty(&ictx->groups));
	xa_destroy(&ictx->groups);
	WARN_ON(!mtree_empty(&ictx->mmaps));
	mtree_destroy(&ictx->mmaps);
	iofd_msi_space_fini(&ictx->msi);
	kfree(ictx->container);
	iofd_account_fini(&ictx->account);
	kfree(ictx);
}

/**
 * iofd_ucmd_respond - write the struct back to the caller
 * @ucmd: the ioctl
 * @cmd_size: bytes of the kernel's struct
 *
 * As much as the caller has room for is written.
 *
 * Return: 0; -EFAULT.
 */
int iofd_ucmd_respond(struct iofd_ucmd *ucmd, size_t cmd_size)
{
	if (copy_to_user(ucmd->ubuffer, ucmd->cmd,
			 min_t(size_t, ucmd->user_size, cmd_size)))
		return -EFAULT;
	return 0;
}

/* IOMMU_DESTROY */
int ctx_destroy_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_destroy *cmd = ucmd->cmd;

	return iofd_object_destroy_id(&ucmd->ctx->objects, cmd->id);
}

/* Accounting mode, of which @max is the highest the option can set. */
static int option_mode(struct iofd_ucmd *ucmd, struct iommu_option *cmd,
		       enum iofd_charge_mode max)
{
	struct iommufd_ctx *ictx = ucmd->ctx;
	int rc = 0;

	if (cmd->object_id)
		return -EOPNOTSUPP;

	switch (cmd->op) {
	case IOMMU_OPTION_OP_GET:
		cmd->val64 = READ_ONCE(ictx->account.mode);
		return 0;
	case IOMMU_OPTION_OP_SET:
		if (!capable(CAP_SYS_RESOURCE))
			return -EPERM;
		/* With the table locked nobody can add an object meanwhile. */
		xa_lock(&ictx->objects.xa);
		if (!iofd_objects_empty(&ictx->objects))
			rc = -EBUSY;
		else if (cmd->val64 > max)
			rc = -EINVAL;
		else
			WRITE_ONCE(ictx->account.mode, cmd->val64);
		xa_unlock(&ictx->objects.xa);
		return rc;
	default:
		return -EOPNOTSUPP;
	}
}

/* A number that can only be read. */
static int option_get(struct iommu_option *cmd, u64 value)
{
	if (cmd->object_id || cmd->op != IOMMU_OPTION_OP_GET)
		return -EOPNOTSUPP;
	cmd->val64 = value;
	return 0;
}

/**
 * iofd_ctx_pinned_bytes - what is charged through a context now
 * @ictx: context
 *
 * Return: bytes.
 */
u64 iofd_ctx_pinned_bytes(struct iommufd_ctx *ictx)
{
	return (u64)atomic_long_read(&ictx->account.pinned) << PAGE_SHIFT;
}

/* IOMMU_OPTION */
int ctx_option_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_option *cmd = ucmd->cmd;
	struct iommu_option __user *ucmd_option = ucmd->ubuffer;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;

	switch (cmd->option_id) {
	case IOMMU_OPTION_RLIMIT_MODE:
		rc = option_mode(ucmd, cmd, IOFD_CHARGE_PROCESS);
		break;
	case IOMMU_X_OPTION_ACCOUNT_MODE:
		rc = option_mode(ucmd, cmd, IOFD_CHARGE_FD);
		break;
	case IOMMU_X_OPTION_PINNED:
		rc = option_get(cmd, iofd_ctx_pinned_bytes(ucmd->ctx));
		break;
	case IOMMU_X_OPTION_BUDGET:
		rc = option_get(cmd, iofd_charge_budget(&ucmd->ctx->account));
		break;
	case IOMMU_OPTION_HUGE_PAGES:
		rc = iofd_ioas_option_huge_pages(ucmd, cmd);
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (rc)
		return rc;
	if (put_user(cmd->val64, &ucmd_option->val64))
		return -EFAULT;
	return 0;
}

/**
 * iofd_ctx_show - what fdinfo says of a context
 * @m: where to
 * @ictx: context
 *
 * The keys, what follows them, and the order of lines are ABI, see
 * Documentation/observability.rst; new keys may come.  Waits for nobody who
 * maps, attaches or pins.
 */
void iofd_ctx_show(struct seq_file *m, struct iommufd_ctx *ictx)
{
	seq_printf(m, "iommufd-context:\t%llu\n", ictx->serial);
	seq_printf(m, "iommufd-account-mode:\t%s\n",
		   iofd_charge_mode_names[READ_ONCE(ictx->account.mode)]);
	seq_printf(m, "iommufd-pinned-bytes:\t%llu\n",
		   iofd_ctx_pinned_bytes(ictx));
	seq_printf(m, "iommufd-objects:\t%lu\n",
		   iofd_objects_count(&ictx->objects));
	iofd_objects_show(&ictx->objects, m, SHOW_LIMIT);
}

/* Groups, devices and accesses of a container are counted: see its header. */
static void count_user(struct iommufd_ctx *ictx)
{
	if (ictx->container)
		atomic_inc(&ictx->container->users);
}

static void uncount_user(struct iommufd_ctx *ictx)
{
	if (ictx->container && atomic_dec_and_test(&ictx->container->users))
		ictx->container->idle(ictx);
}

/**
 * iommufd_ctx_from_file - the context of a file
 * @file: a file; the caller keeps its own reference
 *
 * Return: the context with one more reference; ERR_PTR(-EBADFD) if the file is
 * neither /dev/iommu nor the /dev/vfio/vfio of this driver.
 */
struct iommufd_ctx *iommufd_ctx_from_file(struct file *file)
{
	struct iommufd_ctx *ictx;

	if (file->f_op != &iofd_fops)
		return ERR_PTR(-EBADFD);
	ictx = file->private_data;
	iommufd_ctx_get(ictx);
	return ictx;
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_from_file, "IOMMUFD");

/**
 * iommufd_ctx_from_fd - the context of a file descriptor
 * @fd: file descriptor of the calling process
 *
 * Return: the context with a reference; ERR_PTR(-EBADF) if @fd is not open;
 * ERR_PTR(-EBADFD) if it is neither /dev/iommu nor the /dev/vfio/vfio of this
 * driver.
 */
struct iommufd_ctx *iommufd_ctx_from_fd(int fd)
{
	struct file *file;

	file = fget(fd);
	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op != &iofd_fops) {
		fput(file);
		return ERR_PTR(-EBADFD);
	}
	/* fget()'s reference becomes the context's. */
	count_user(file->private_data);
	return file->private_data;
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_from_fd, "IOMMUFD");

/**
 * iommufd_ctx_get - one more reference
 * @ictx: context on which the caller has a reference
 *
 * Any context.
 */
void iommufd_ctx_get(struct iommufd_ctx *ictx)
{
	count_user(ictx);
	get_file(ictx->file);
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_get, "IOMMUFD");

/**
 * iommufd_ctx_put - drop a reference
 * @ictx: context; ends, later and elsewhere, with its last reference
 *
 * With the last reference that is not a descriptor's a VFIO container drops
 * its mappings.
 *
 * Context: process context, may sleep.
 */
void iommufd_ctx_put(struct iommufd_ctx *ictx)
{
	uncount_user(ictx);
	fput(ictx->file);
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_put, "IOMMUFD");
