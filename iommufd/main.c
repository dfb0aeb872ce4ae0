// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the roof
 *
 * Two tables, of object types and of ioctls; the file operations of
 * /dev/iommu and /dev/vfio/vfio; and the module's life.  Nothing includes this
 * file.  Ioctls with numbers of VFIO go to the room vfio/.
 *
 * An ioctl goes through the envelope: the command number selects a slot, the
 * first member of the caller's struct gives its size, the struct is copied in
 * and padded with zeroes, so that programs and kernels of different age agree
 * as long as what one of them does not know is zero.
 */
#include <linux/fs.h>
#include <linux/iommufd.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/uaccess.h>

#include "base/check.h"
#include "device/device.h"
#include "device/fault.h"
#include "iommufd_test.h"
#include "memory/cgroup.h"
#include "memory/pages.h"
#include "memory/pfnmap.h"
#include "object/access.h"
#include "object/ctx.h"
#include "object/debugfs.h"
#include "object/hwpt.h"
#include "object/ioas.h"
#include "object/mmap.h"
#include "test/test.h"
#include "trace.h"
#include "vfio/vfio.h"
#include "viommu/veventq.h"
#include "viommu/hwqueue.h"
#include "viommu/vdevice.h"
#include "viommu/viommu.h"

const struct iofd_object_type *const iofd_object_types[IOMMUFD_OBJ_MAX] = {
	[IOMMUFD_OBJ_DEVICE] = &iofd_device_type,
	[IOMMUFD_OBJ_HWPT_PAGING] = &iofd_hwpt_paging_type,
	[IOMMUFD_OBJ_HWPT_NESTED] = &iofd_hwpt_nested_type,
	[IOMMUFD_OBJ_IOAS] = &iofd_ioas_type,
	[IOMMUFD_OBJ_ACCESS] = &iofd_access_type,
	[IOMMUFD_OBJ_FAULT] = &iofd_fault_type,
	[IOMMUFD_OBJ_VEVENTQ] = &iofd_veventq_type,
	[IOMMUFD_OBJ_VIOMMU] = &iofd_viommu_type,
	[IOMMUFD_OBJ_VDEVICE] = &iofd_vdevice_type,
	[IOMMUFD_OBJ_HW_QUEUE] = &iofd_hw_queue_type,
#ifdef CONFIG_IOMMUFD_TEST
	[IOMMUFD_OBJ_SELFTEST] = &iofd_test_object_type,
#endif
};

/**
 * struct ioctl_slot - one ioctl
 * @cmd: full command value
 * @size: size of the kernel's struct
 * @min_size: least that a caller may give
 * @handler: called with the struct in ucmd->cmd
 */
struct ioctl_slot {
	unsigned int cmd;
	unsigned int size;
	unsigned int min_size;
	int (*handler)(struct iofd_ucmd *ucmd);
};

#define SLOT_AT(base_, name_, handler_, struct_, last_)			\
	[IOMMUFD_CMD_##name_ - (base_)] = {				\
		.cmd = IOMMU_##name_,					\
		.size = sizeof(struct_),				\
		.min_size = offsetofend(struct_, last_),		\
		.handler = handler_,					\
	}
#define SLOT(name_, handler_, struct_, last_)				\
	SLOT_AT(IOMMUFD_CMD_BASE, name_, handler_, struct_, last_)

static const struct ioctl_slot ioctl_slots[] = {
	SLOT(DESTROY, ctx_destroy_ioctl, struct iommu_destroy, id),
	SLOT(IOAS_ALLOC, ioas_alloc_ioctl, struct iommu_ioas_alloc,
	     out_ioas_id),
	SLOT(IOAS_ALLOW_IOVAS, ioas_allow_iovas_ioctl,
	     struct iommu_ioas_allow_iovas, allowed_iovas),
	/* ioas_copy_ioctl(), around which tests have a flag more */
	SLOT(IOAS_COPY, iofd_test_copy_ioctl, struct iommu_ioas_copy,
	     src_iova),
	SLOT(IOAS_IOVA_RANGES, ioas_iova_ranges_ioctl,
	     struct iommu_ioas_iova_ranges, out_iova_alignment),
	SLOT(IOAS_MAP, ioas_map_ioctl, struct iommu_ioas_map, iova),
	SLOT(IOAS_UNMAP, ioas_unmap_ioctl, struct iommu_ioas_unmap,
	     length),
	SLOT(OPTION, ctx_option_ioctl, struct iommu_option, val64),
	SLOT(VFIO_IOAS, vfio_ioas_ioctl, struct iommu_vfio_ioas,
	     __reserved),
	SLOT(HWPT_ALLOC, hwpt_alloc_ioctl, struct iommu_hwpt_alloc,
	     __reserved),
	SLOT(GET_HW_INFO, device_get_hw_info_ioctl,
	     struct iommu_hw_info, __reserved),
	SLOT(HWPT_SET_DIRTY_TRACKING, hwpt_set_dirty_tracking_ioctl,
	     struct iommu_hwpt_set_dirty_tracking, __reserved),
	SLOT(HWPT_GET_DIRTY_BITMAP, hwpt_get_dirty_bitmap_ioctl,
	     struct iommu_hwpt_get_dirty_bitmap, data),
	SLOT(HWPT_INVALIDATE, hwpt_invalidate_ioctl,
	     struct iommu_hwpt_invalidate, __reserved),
	SLOT(FAULT_QUEUE_ALLOC, fault_queue_alloc_ioctl,
	     struct iommu_fault_alloc, out_fault_fd),
	SLOT(IOAS_MAP_FILE, ioas_map_file_ioctl,
	     struct iommu_ioas_map_file, iova),
	SLOT(VIOMMU_ALLOC, viommu_alloc_ioctl, struct iommu_viommu_alloc,
	     out_viommu_id),
	SLOT(VDEVICE_ALLOC, vdevice_alloc_ioctl,
	     struct iommu_vdevice_alloc, virt_id),
	SLOT(IOAS_CHANGE_PROCESS, ioas_change_process_ioctl,
	     struct iommu_ioas_change_process, __reserved),
	SLOT(VEVENTQ_ALLOC, veventq_alloc_ioctl,
	     struct iommu_veventq_alloc, out_veventq_fd),
	SLOT(HW_QUEUE_ALLOC, hw_queue_alloc_ioctl,
	     struct iommu_hw_queue_alloc, length),
#ifdef CONFIG_IOMMUFD_TEST
	[_IOC_NR(IOMMU_TEST_CMD) - IOMMUFD_CMD_BASE] = {
		.cmd = IOMMU_TEST_CMD,
		.size = sizeof(struct iommu_test_cmd),
		.min_size = offsetofend(struct iommu_test_cmd, last),
		.handler = iofd_test_ioctl,
	},
#endif
};

/* Additions to the ABI begin here, far from where Linux may go on. */
#define X_BASE IOMMUFD_CMD_X_IOAS_UNMAP_DIRTY

static const struct ioctl_slot x_ioctl_slots[] = {
	SLOT_AT(X_BASE, X_IOAS_UNMAP_DIRTY, ioas_unmap_dirty_ioctl,
		struct iommu_x_ioas_unmap_dirty, data),
};

/* Room for the largest struct, on the stack. */
union ioctl_buffer {
	struct iommu_destroy destroy;
	struct iommu_fault_alloc fault;
	struct iommu_hw_info info;
	struct iommu_hw_queue_alloc hw_queue;
	struct iommu_hwpt_alloc hwpt;
	struct iommu_hwpt_get_dirty_bitmap get_dirty_bitmap;
	struct iommu_hwpt_invalidate cache;
	struct iommu_hwpt_set_dirty_tracking set_dirty_tracking;
	struct iommu_ioas_alloc alloc;
	struct iommu_ioas_allow_iovas allow_iovas;
	struct iommu_ioas_change_process change_process;
	struct iommu_ioas_copy ioas_copy;
	struct iommu_ioas_iova_ranges iova_ranges;
	struct iommu_ioas_map map;
	struct iommu_ioas_map_file map_file;
	struct iommu_ioas_unmap unmap;
	struct iommu_option option;
	struct iommu_vdevice_alloc vdev;
	struct iommu_veventq_alloc veventq;
	struct iommu_vfio_ioas vfio_ioas;
	struct iommu_viommu_alloc viommu;
	struct iommu_x_ioas_unmap_dirty unmap_dirty;
#ifdef CONFIG_IOMMUFD_TEST
	struct iommu_test_cmd test;
#endif
};

/* The slot for a number, which may be an empty one, or NULL. */
static const struct ioctl_slot *find_slot(unsigned int nr)
{
	unsigned int n = ARRAY_SIZE(ioctl_slots);

	if (nr - IOMMUFD_CMD_BASE < n)
		return &ioctl_slots[array_index_nospec(nr - IOMMUFD_CMD_BASE,
						       n)];
	n = ARRAY_SIZE(x_ioctl_slots);
	if (nr - X_BASE < n)
		return &x_ioctl_slots[array_index_nospec(nr - X_BASE, n)];
	return NULL;
}

static long dispatch(struct iommufd_ctx *ictx, unsigned int cmd,
		     unsigned long arg)
{
	union ioctl_buffer buffer;
	struct iofd_ucmd ucmd = {
		.ctx = ictx,
		.ubuffer = (void __user *)arg,
		.cmd = &buffer,
	};
	const struct ioctl_slot *slot;
	unsigned int nr = _IOC_NR(cmd);
	int rc;

	/* Below are the numbers of VFIO. */
	if (nr < IOMMUFD_CMD_BASE)
		return iofd_container_ioctl(ictx, cmd, arg);
	slot = find_slot(nr);
	if (!slot)
		return -ENOTTY;

	if (get_user(ucmd.user_size, (u32 __user *)ucmd.ubuffer))
		return -EFAULT;

	/* An empty slot has the value 0, which is no command of this number. */
	if (slot->cmd != cmd)
		return -ENOTTY;
	if (ucmd.user_size < slot->min_size)
		return -EINVAL;
	rc = copy_struct_from_user(ucmd.cmd, slot->size, ucmd.ubuffer,
				   ucmd.user_size);
	if (rc)
		return rc;
	return slot->handler(&ucmd);
}

static long iofd_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct iommufd_ctx *ictx = file->private_data;
	long rc = dispatch(ictx, cmd, arg);

	trace_iommufd_ioctl(ictx->serial, cmd, rc);
	return rc;
}

/* Accounting mode of new contexts, by name. */
static int set_account_mode(const char *text, const struct kernel_param *param)
{
	/* "none" is no mode of a context. */
	int mode = __sysfs_match_string(iofd_charge_mode_names,
					IOFD_CHARGE_NONE, text);

	if (mode < 0)
		return mode;
	WRITE_ONCE(*(int *)param->arg, mode);
	return 0;
}

static int get_account_mode(char *buffer, const struct kernel_param *param)
{
	int mode = READ_ONCE(*(int *)param->arg);

	return sysfs_emit(buffer, "%s\n", iofd_charge_mode_names[mode]);
}

static const struct kernel_param_ops account_mode_ops = {
	.set = set_account_mode,
	.get = get_account_mode,
};

static int account_mode_iommu = IOFD_CHARGE_USER;
module_param_cb(account_mode_iommu, &account_mode_ops, &account_mode_iommu,
		0644);
MODULE_PARM_DESC(account_mode_iommu,
		 "What pinned memory of a newly opened /dev/iommu is held against RLIMIT_MEMLOCK: user (default), process or fd");

#ifdef CONFIG_IOMMUFD_PFNMAP
module_param_named(allow_pfnmap, iofd_pfnmap_allow, bool, 0644);
MODULE_PARM_DESC(allow_pfnmap,
		 "Device memory in the address space of a process (PCI BARs) can be mapped by its address (default: on)");
#endif

#ifdef CONFIG_IOMMUFD_VFIO_CONTAINER
static int account_mode_vfio = IOFD_CHARGE_PROCESS;
module_param_cb(account_mode_vfio, &account_mode_ops, &account_mode_vfio, 0644);
MODULE_PARM_DESC(account_mode_vfio,
		 "What pinned memory of a newly opened /dev/vfio/vfio is held against RLIMIT_MEMLOCK: user, process (default) or fd");

static unsigned int dma_entry_limit = U16_MAX;
module_param(dma_entry_limit, uint, 0644);
MODULE_PARM_DESC(dma_entry_limit,
		 "Maximum number of mappings of a newly opened /dev/vfio/vfio (65535)");

static struct miscdevice vfio_misc = {
	.minor = VFIO_MINOR,
	.name = "vfio",
	.fops = &iofd_fops,
	.nodename = "vfio/vfio",
	.mode = 0666,
};

MODULE_ALIAS_MISCDEV(VFIO_MINOR);
MODULE_ALIAS("devname:vfio/vfio");

static int vfio_register(void)
{
	return misc_register(&vfio_misc);
}

static void vfio_deregister(void)
{
	misc_deregister(&vfio_misc);
}

static struct iommufd_ctx *open_vfio(struct file *file)
{
	struct iofd_container *container;
	struct iommufd_ctx *ictx;

	container = iofd_container_create(READ_ONCE(dma_entry_limit));
	if (!container)
		return NULL;
	ictx = iofd_ctx_create(file, READ_ONCE(account_mode_vfio), container);
	if (!ictx)
		kfree(container);
	return ictx;
}

/* The misc device that is being opened; its own open is not finished yet. */
static bool is_vfio(struct file *file)
{
	return file->private_data == &vfio_misc;
}
#else
static int vfio_register(void)
{
	return 0;
}

static void vfio_deregister(void)
{
}

static struct iommufd_ctx *open_vfio(struct file *file)
{
	return NULL;
}

static bool is_vfio(struct file *file)
{
	return false;
}
#endif

static int iofd_open(struct inode *inode, struct file *file)
{
	struct iommufd_ctx *ictx;

	if (is_vfio(file))
		ictx = open_vfio(file);
	else
		ictx = iofd_ctx_create(file, READ_ONCE(account_mode_iommu),
				       NULL);
	if (!ictx)
		return -ENOMEM;
	file->private_data = ictx;
	return 0;
}

static int iofd_release(struct inode *inode, struct file *file)
{
	iofd_ctx_destroy(file->private_data);
	return 0;
}

static void iofd_show_fdinfo(struct seq_file *m, struct file *file)
{
	iofd_ctx_show(m, file->private_data);
}

static int iofd_file_mmap(struct file *file, struct vm_area_struct *vma)
{
	return iofd_mmap(file->private_data, vma);
}

const struct file_operations iofd_fops = {
	.owner = THIS_MODULE,
	.open = iofd_open,
	.release = iofd_release,
	.unlocked_ioctl = iofd_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = iofd_file_mmap,
	.show_fdinfo = iofd_show_fdinfo,
};

struct miscdevice iofd_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "iommu",
	.fops = &iofd_fops,
	.nodename = "iommu",
	.mode = 0660,
};

static int __init iofd_init(void)
{
	int rc;

	iofd_fault_init();
	iofd_debugfs_init();
	rc = iofd_cgroup_init();
	if (rc)
		goto err_fault;
	rc = iofd_user_pages_init();
	if (rc)
		goto err_cgroup;
	rc = iofd_file_pages_init();
	if (rc)
		goto err_user;
	rc = misc_register(&iofd_misc);
	if (rc)
		goto err_file;
	rc = vfio_register();
	if (rc)
		goto err_misc;
	rc = iofd_test_init();
	if (rc)
		goto err_vfio;
	return 0;

err_vfio:
	vfio_deregister();
err_misc:
	misc_deregister(&iofd_misc);
err_file:
	iofd_file_pages_exit();
err_user:
	iofd_user_pages_exit();
err_cgroup:
	iofd_cgroup_exit();
err_fault:
	iofd_debugfs_exit();
	iofd_fault_exit();
	return rc;
}

static void __exit iofd_exit(void)
{
	iofd_test_exit();
	vfio_deregister();
	misc_deregister(&iofd_misc);
	iofd_pfnmap_exit();
	iofd_file_pages_exit();
	iofd_user_pages_exit();
	iofd_cgroup_exit();
	iofd_debugfs_exit();
	iofd_fault_exit();
}

module_init(iofd_init);
module_exit(iofd_exit);

MODULE_IMPORT_NS("IOMMUFD_INTERNAL");
MODULE_IMPORT_NS("IOMMUFD");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("GENERIC_PT_IOMMU");
MODULE_DESCRIPTION("I/O address spaces and device attachment for user space");
MODULE_LICENSE("GPL");
