/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * struct iommufd_ctx: one open of /dev/iommu or /dev/vfio/vfio.
 *
 * A reference on a context is a reference on its file; the context dies in
 * the file's release, when no ioctl can be running any more.
 */
#ifndef IOFD_OBJECT_CTX_H
#define IOFD_OBJECT_CTX_H

#include <linux/list.h>
#include <linux/maple_tree.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include "builtin/msi.h"
#include "memory/charge.h"
#include "object/object.h"

struct file;
struct iofd_container;
struct iofd_ioas;
struct miscdevice;

/**
 * struct iommufd_ctx - one open of the device node
 * @serial: its number, that of no other context since the module was loaded:
 *          what fdinfo, debugfs and traces call it
 * @opener: process that opened it, by its ID in the initial PID namespace; may
 *          be gone
 * @opener_comm: and its name then
 * @link: in the list of all contexts, see debugfs.c
 * @file: the file whose life is the context's; no reference
 * @objects: ID table
 * @groups: iommu_group ID to struct iommufd_group, for as long as a device of
 *          the group is bound here; its xa_lock guards the groups' refcounts
 * @mmaps: offset to struct iofd_mmap; its lock guards the regions' way out
 * @msi: MSI pages of devices whose MSIs are translated
 * @account: what is charged, and how; the mode is written only while no object
 *           exists
 * @owner_rwsem: outermost.  Read: mappings come and go.  Write: all of them
 *               change who pays
 * @vfio_lock: guards @vfio_ioas and @no_iommu
 * @vfio_ioas: the IOAS that stands for the VFIO container; no reference, its
 *             destruction clears it
 * @no_iommu: a no-iommu group is connected
 * @container: what a context opened as /dev/vfio/vfio has besides, else NULL
 */
struct iommufd_ctx {
	u64 serial;
	pid_t opener;
	char opener_comm[TASK_COMM_LEN];
	struct list_head link;
	struct file *file;
	struct iofd_objects objects;
	struct xarray groups;
	struct maple_tree mmaps;
	struct iofd_msi_space msi;
	struct iofd_account account;
	struct rw_semaphore owner_rwsem;

	spinlock_t vfio_lock; /* guards the next two */
	struct iofd_ioas *vfio_ioas;
	bool no_iommu;
	struct iofd_container *container;
};

/**
 * struct iofd_ucmd - one ioctl on its way through the envelope
 * @ctx: context it was called on
 * @ubuffer: the caller's struct
 * @user_size: size the caller gave it
 * @cmd: kernel copy, zero beyond @user_size
 */
struct iofd_ucmd {
	struct iommufd_ctx *ctx;
	void __user *ubuffer;
	u32 user_size;
	void *cmd;
};

static inline bool iofd_ctx_is_container(const struct iommufd_ctx *ictx)
{
	return ictx->container;
}

int iofd_ucmd_respond(struct iofd_ucmd *ucmd, size_t cmd_size);

struct iommufd_ctx *iofd_ctx_create(struct file *file,
				    enum iofd_charge_mode charge_mode,
				    struct iofd_container *container);
void iofd_ctx_destroy(struct iommufd_ctx *ictx);
u64 iofd_ctx_pinned_bytes(struct iommufd_ctx *ictx);

/* The roof says which files are contexts. */
extern const struct file_operations iofd_fops;

/* And which device is /dev/iommu: dma-bufs are attached in its name. */
extern struct miscdevice iofd_misc;

struct seq_file;
void iofd_ctx_show(struct seq_file *m, struct iommufd_ctx *ictx);

int ctx_destroy_ioctl(struct iofd_ucmd *ucmd);
int ctx_option_ioctl(struct iofd_ucmd *ucmd);

#endif
