// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: page fault queues
 *
 * A device that can cope with a missing translation asks for it: a group of
 * page requests, which it wants answered as one.  The IOMMU core hands the
 * group to the page table's handler, and this queue hands it to user space::
 *
 *            handler             read                 write
 *   device ----------> queued ---------> unanswered --------> answered
 *                        |      <-----       |
 *                        |    copy failed    |
 *                        +-------------------+----------------> answered
 *                          detach, replace: INVALID
 *
 * Invariants:
 *
 * 1. A group is in the list of the queue, or in the table of unanswered ones,
 *    or nowhere.  Who takes it out under the queue's lock answers it under the
 *    same lock, so each is answered once, and whoever has had the lock after an
 *    attachment ended knows its groups to be answered, not about to be.
 * 2. The attach handle, and the devices that made the attachment and the fault,
 *    are valid as long as the group is not answered: they go only after
 *    iofd_fault_answer() or iofd_fault_answer_device().
 * 3. Cookies are given by readers only, one at a time: the cookie of the group
 *    that is being read is not given again before the read is done, even if the
 *    group has been answered meanwhile.
 *
 * Closing the file answers nothing: as long as a page table refers to the
 * queue, groups pile up.
 */
#include <linux/build_bug.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "builtin/queue_trace.h"
#include "device/device.h"
#include "device/fault.h"
#include "object/ctx.h"

/* The program's words and the core's are the same. */
static_assert((int)IOMMUFD_PAGE_RESP_SUCCESS == (int)IOMMU_PAGE_RESP_SUCCESS);
static_assert((int)IOMMUFD_PAGE_RESP_INVALID == (int)IOMMU_PAGE_RESP_INVALID);
static_assert((int)IOMMU_PGFAULT_FLAGS_PASID_VALID ==
	      IOMMU_FAULT_PAGE_REQUEST_PASID_VALID);
static_assert((int)IOMMU_PGFAULT_FLAGS_LAST_PAGE ==
	      IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE);
static_assert((int)IOMMU_PGFAULT_PERM_READ == IOMMU_FAULT_PERM_READ);
static_assert((int)IOMMU_PGFAULT_PERM_WRITE == IOMMU_FAULT_PERM_WRITE);
static_assert((int)IOMMU_PGFAULT_PERM_EXEC == IOMMU_FAULT_PERM_EXEC);
static_assert((int)IOMMU_PGFAULT_PERM_PRIV == IOMMU_FAULT_PERM_PRIV);

static struct iofd_fault *fault_of(struct iofd_queue *queue)
{
	return container_of(queue, struct iofd_fault, queue);
}

static struct iopf_group *group_of(struct list_head *event)
{
	return list_entry(event, struct iopf_group, node);
}

/* A group that was taken out of list or table; freed. */
static void answer(struct iofd_fault *fault, struct iopf_group *group,
		   enum iommu_page_response_code code)
{
	lockdep_assert_held(&fault->queue.lock);
	iopf_group_response(group, code);
	iopf_free_group(group);
}

/* Did a group come through an attachment, and of a device? NULL: any */
static bool matches(const struct iopf_group *group,
		    const struct iofd_attach_handle *handle,
		    const struct device *dev)
{
	if (handle && group->attach_handle != &handle->handle)
		return false;
	return !dev || group->fault_param->dev == dev;
}

/* Answer INVALID to the groups that match. */
static void answer_all(struct iofd_fault *fault,
		       const struct iofd_attach_handle *handle,
		       const struct device *dev)
{
	struct iopf_group *group, *next;
	unsigned long cookie;

	guard(mutex)(&fault->queue.lock);
	list_for_each_entry_safe(group, next, &fault->queue.events, node) {
		if (!matches(group, handle, dev))
			continue;
		list_del(&group->node);
		answer(fault, group, IOMMU_PAGE_RESP_INVALID);
	}
	xa_for_each(&fault->unanswered, cookie, group) {
		if (!matches(group, handle, dev))
			continue;
		xa_erase(&fault->unanswered, cookie);
		answer(fault, group, IOMMU_PAGE_RESP_INVALID);
	}
}

/**
 * iofd_fault_handler - take a group of page requests
 * @group: group, from now on the queue's
 *
 * Context: process context, may sleep; the attachment cannot end meanwhile: the
 * IOMMU driver stops requests and waits for those on their way before it
 * returns from a detach or replace.
 *
 * Return: 0.
 */
int iofd_fault_handler(struct iopf_group *group)
{
	struct iommufd_hw_pagetable *hwpt =
		group->attach_handle->domain->iommufd_hwpt;
	struct iofd_fault *fault = hwpt->fault;

	/* The core no longer answers it if the device goes. */
	iopf_group_dequeue(group);
	guard(mutex)(&fault->queue.lock);
	iofd_queue_push(&fault->queue, &group->node);
	trace_iommufd_queue_push(fault->queue.ctx->serial, fault->obj.id,
				 fault->obj.type, 0);
	return 0;
}

/**
 * iofd_fault_answer - answer all faults of an attachment that has ended
 * @hwpt: page table it was attached to
 * @handle: the attachment; the core makes no new faults for it
 *
 * All of them, read by user space or not, are answered INVALID.  When it
 * returns nothing refers to @handle any more.
 *
 * Context: process context, may sleep.
 */
void iofd_fault_answer(struct iommufd_hw_pagetable *hwpt,
		       struct iofd_attach_handle *handle)
{
	if (hwpt->fault)
		answer_all(hwpt->fault, handle, NULL);
}

/**
 * iofd_fault_answer_device - answer the faults of a device that leaves others
 * @hwpt: page table
 * @handle: the attachment, which stays
 * @dev: device whose faults are answered INVALID
 *
 * When it returns no fault of @dev is known, and a reader that had begun with
 * the device that @handle named before is done with the name.
 *
 * Context: process context, may sleep.
 */
void iofd_fault_answer_device(struct iommufd_hw_pagetable *hwpt,
			      struct iofd_attach_handle *handle,
			      struct device *dev)
{
	if (hwpt->fault)
		answer_all(hwpt->fault, handle, dev);
}

static size_t fault_size(struct iofd_queue *queue, struct list_head *event)
{
	return group_of(event)->fault_count * sizeof(struct iommu_hwpt_pgfault);
}

static void fill(struct iommu_hwpt_pgfault *message,
		 const struct iopf_group *group,
		 const struct iommu_fault_page_request *prm)
{
	const struct iofd_attach_handle *handle =
		container_of(group->attach_handle, struct iofd_attach_handle,
			     handle);

	*message = (struct iommu_hwpt_pgfault) {
		.flags = prm->flags,
		.dev_id = handle->idev->obj.id,
		.pasid = prm->pasid,
		.grpid = prm->grpid,
		.perm = prm->perm,
		.addr = prm->addr,
		.cookie = group->cookie,
	};
}

static int fault_take(struct iofd_queue *queue, struct list_head *event,
		      void *bytes)
{
	struct iommu_hwpt_pgfault *message = bytes;
	struct iopf_group *group = group_of(event);
	struct iofd_fault *fault = fault_of(queue);
	struct iopf_fault *page;
	int rc;

	rc = xa_alloc(&fault->unanswered, &group->cookie, group, xa_limit_32b,
		      GFP_KERNEL_ACCOUNT);
	if (rc)
		return rc;
	list_del(&group->node);
	fault->reading = group->cookie;
	list_for_each_entry(page, &group->faults, list)
		fill(message++, group, &page->fault.prm);
	return 0;
}

static void fault_done(struct iofd_queue *queue, struct list_head *event,
		       bool read)
{
	struct iofd_fault *fault = fault_of(queue);
	struct iopf_group *group;

	if (read)
		return;
	/* None if the attachment has ended, or somebody guessed the cookie. */
	group = xa_erase(&fault->unanswered, fault->reading);
	if (group)
		iofd_queue_push_back(queue, &group->node);
}

static const struct iofd_queue_ops fault_queue_ops = {
	.size = fault_size,
	.take = fault_take,
	.done = fault_done,
};

static ssize_t fault_read(struct file *file, char __user *buf, size_t count,
			  loff_t *pos)
{
	if (count % sizeof(struct iommu_hwpt_pgfault))
		return -ESPIPE;
	return iofd_queue_read(file->private_data, buf, count);
}

static int respond(struct iofd_fault *fault,
		   const struct iommu_hwpt_page_response *response)
{
	struct iopf_group *group;

	if (response->code != IOMMUFD_PAGE_RESP_SUCCESS &&
	    response->code != IOMMUFD_PAGE_RESP_INVALID)
		return -EINVAL;

	guard(mutex)(&fault->queue.lock);
	group = xa_erase(&fault->unanswered, response->cookie);
	if (!group)
		return -EINVAL;
	answer(fault, group, response->code);
	return 0;
}

static ssize_t fault_write(struct file *file, const char __user *buf,
			   size_t count, loff_t *pos)
{
	struct iofd_fault *fault = fault_of(file->private_data);
	struct iommu_hwpt_page_response response;
	size_t done = 0;
	int rc = 0;

	if (count % sizeof(response))
		return -ESPIPE;
	while (!rc && done < count) {
		if (copy_from_user(&response, buf + done, sizeof(response)))
			rc = -EFAULT;
		else
			rc = respond(fault, &response);
		if (!rc)
			done += sizeof(response);
	}
	return done ?: rc;
}

static __poll_t fault_poll(struct file *file, struct poll_table_struct *wait)
{
	return EPOLLOUT | iofd_queue_poll(file, wait);
}

static const struct file_operations fault_fops = {
	.owner = THIS_MODULE,
	.read = fault_read,
	.write = fault_write,
	.poll = fault_poll,
	.release = iofd_queue_release,
};

static void fault_destroy(struct iommufd_object *obj)
{
	struct iofd_fault *fault = iofd_fault_of(obj);

	answer_all(fault, NULL, NULL);
	xa_destroy(&fault->unanswered);
	iofd_queue_fini(&fault->queue);
}

const struct iofd_object_type iofd_fault_type = {
	.name = "fault queue",
	.destroy = fault_destroy,
};

static struct iofd_fault *fault_new(struct iommufd_ctx *ictx)
{
	struct iofd_fault *fault;
	int rc;

	fault = kzalloc_obj(*fault, GFP_KERNEL_ACCOUNT);
	if (!fault)
		return ERR_PTR(-ENOMEM);
	rc = iofd_object_new(&ictx->objects, &fault->obj, IOMMUFD_OBJ_FAULT);
	if (rc) {
		kfree(fault);
		return ERR_PTR(rc);
	}
	iofd_queue_init(&fault->queue, &fault_queue_ops, ictx, &fault->obj);
	xa_init_flags(&fault->unanswered, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	return fault;
}

/* IOMMU_FAULT_QUEUE_ALLOC */
int fault_queue_alloc_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_fault_alloc *cmd = ucmd->cmd;
	struct iommufd_ctx *ictx = ucmd->ctx;
	struct iofd_fault *fault;
	struct file *file;
	int fd, rc;

	if (cmd->flags)
		return -EOPNOTSUPP;

	fault = fault_new(ictx);
	if (IS_ERR(fault))
		return PTR_ERR(fault);
	fd = iofd_queue_open(&fault->queue, "[iommufd-pgfault]", &fault_fops,
			     &file);
	if (fd < 0) {
		rc = fd;
		goto err_fault;
	}
	cmd->out_fault_id = fault->obj.id;
	cmd->out_fault_fd = fd;
	rc = iofd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		goto err_file;

	/* Point of no return. */
	iofd_object_publish(&ictx->objects, &fault->obj);
	fd_install(fd, file);
	return 0;

err_file:
	iofd_queue_cancel(fd, file);
err_fault:
	iofd_queue_fini(&fault->queue);
	iofd_object_cancel(&ictx->objects, &fault->obj);
	return rc;
}
