// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: event queues of vIOMMUs
 *
 * What the hardware has to tell a guest, user space reads from the queue of the
 * event's type, of which a vIOMMU has at most one::
 *
 *   VEVENTQ_ALLOC   object, into the vIOMMU's list, file, | publish
 *   DESTROY         out of the list, drop what was not read
 *
 * Events come as soon as the queue is in the list.  The file refers to the
 * queue, the queue to the vIOMMU, and the vIOMMU knows its queues only by the
 * list.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "base/check.h"
#include "object/ctx.h"
#include "object/object.h"
#include "object/queue.h"
#include "viommu/veventq.h"

/* Bounds the memory: events are charged to nobody. */
#define DEPTH_MAX SZ_512K

static struct iofd_veventq *veventq_of(struct iofd_queue *queue)
{
	return container_of(queue, struct iofd_veventq, queue);
}

static struct iofd_vevent *vevent_of(struct list_head *event)
{
	return list_entry(event, struct iofd_vevent, node);
}

static size_t veventq_size(struct iofd_queue *queue, struct list_head *event)
{
	if (event == &veventq_of(queue)->lost)
		return sizeof(struct iommufd_vevent_header);
	return sizeof(struct iommufd_vevent_header) + vevent_of(event)->length;
}

static int veventq_take(struct iofd_queue *queue, struct list_head *event,
			void *bytes)
{
	struct iofd_veventq *veventq = veventq_of(queue);
	struct iommufd_vevent_header *header = bytes;
	struct iofd_vevent *vevent;

	list_del_init(event);
	if (event == &veventq->lost) {
		*header = (struct iommufd_vevent_header) {
			.flags = IOMMU_VEVENTQ_FLAG_LOST_EVENTS,
			.sequence = veventq->lost_sequence,
		};
	} else {
		vevent = vevent_of(event);
		*header = vevent->header;
		memcpy(header + 1, vevent->data, vevent->length);
	}
	return 0;
}

static void veventq_done(struct iofd_queue *queue, struct list_head *event,
			 bool read)
{
	struct iofd_veventq *veventq = veventq_of(queue);

	if (event == &veventq->lost) {
		/* It was the last; what came since tells of the loss too. */
		if (!read && list_empty(&queue->events))
			iofd_queue_push_back(queue, event);
	} else if (read) {
		veventq->nr_events--;
		kfree(vevent_of(event));
	} else {
		iofd_queue_push_back(queue, event);
	}
}

static const struct iofd_queue_ops veventq_queue_ops = {
	.size = veventq_size,
	.take = veventq_take,
	.done = veventq_done,
};

static ssize_t veventq_read(struct file *file, char __user *buf, size_t count,
			    loff_t *pos)
{
	if (count < sizeof(struct iommufd_vevent_header))
		return -EINVAL;
	return iofd_queue_read(file->private_data, buf, count);
}

static const struct file_operations veventq_fops = {
	.owner = THIS_MODULE,
	.read = veventq_read,
	.poll = iofd_queue_poll,
	.release = iofd_queue_release,
};

/**
 * iofd_veventq_init - an empty queue that belongs to no vIOMMU yet
 * @veventq: queue, cleared
 * @ictx: context
 * @type: type of events
 * @depth: most events it keeps
 */
void iofd_veventq_init(struct iofd_veventq *veventq, struct iommufd_ctx *ictx,
		       enum iommu_veventq_type type, u32 depth)
{
	iofd_queue_init(&veventq->queue, &veventq_queue_ops, ictx,
			&veventq->obj);
	INIT_LIST_HEAD(&veventq->link);
	INIT_LIST_HEAD(&veventq->lost);
	veventq->type = type;
	veventq->depth = depth;
}

/**
 * iofd_veventq_fini - drop what nobody has read
 * @veventq: queue that belongs to no vIOMMU any more, and that no file reads
 */
void iofd_veventq_fini(struct iofd_veventq *veventq)
{
	struct iofd_vevent *vevent, *next;

	list_del_init(&veventq->lost);
	list_for_each_entry_safe(vevent, next, &veventq->queue.events, node) {
		list_del(&vevent->node);
		kfree(vevent);
		veventq->nr_events--;
	}
	iofd_check(!veventq->nr_events);
	iofd_queue_fini(&veventq->queue);
}

/**
 * iofd_veventq_link - from now on events of a vIOMMU come into a queue
 * @veventq: queue
 * @viommu: vIOMMU, on which the queue has a ref
 *
 * Return: 0; -EEXIST if it has a queue of the type.
 */
int iofd_veventq_link(struct iofd_veventq *veventq,
		      struct iommufd_viommu *viommu)
{
	guard(rwsem_write)(&viommu->veventqs_rwsem);
	if (iofd_veventq_find(viommu, veventq->type))
		return -EEXIST;
	veventq->viommu = viommu;
	list_add_tail(&veventq->link, &viommu->veventqs);
	return 0;
}

/**
 * iofd_veventq_unlink - undo iofd_veventq_link()
 * @veventq: queue; when it returns no event is on its way in
 */
void iofd_veventq_unlink(struct iofd_veventq *veventq)
{
	guard(rwsem_write)(&veventq->viommu->veventqs_rwsem);
	list_del_init(&veventq->link);
}

static void veventq_destroy(struct iommufd_object *obj)
{
	struct iofd_veventq *veventq =
		container_of(obj, struct iofd_veventq, obj);

	iofd_veventq_unlink(veventq);
	iofd_object_unref(&veventq->viommu->obj);
	iofd_veventq_fini(veventq);
}

const struct iofd_object_type iofd_veventq_type = {
	.name = "vEVENTQ",
	.destroy = veventq_destroy,
};

/* A queue in the list of a vIOMMU that the caller has borrowed, state NEW. */
static struct iofd_veventq *veventq_new(struct iommufd_ctx *ictx,
					struct iommufd_viommu *viommu,
					const struct iommu_veventq_alloc *cmd)
{
	struct iofd_veventq *veventq;
	int rc;

	veventq = kzalloc_obj(*veventq, GFP_KERNEL_ACCOUNT);
	if (!veventq)
		return ERR_PTR(-ENOMEM);
	rc = iofd_object_new(&ictx->objects, &veventq->obj,
			     IOMMUFD_OBJ_VEVENTQ);
	if (rc) {
		kfree(veventq);
		return ERR_PTR(rc);
	}
	iofd_veventq_init(veventq, ictx, cmd->type, cmd->veventq_depth);
	/* Not LIVE any more is as good as gone. */
	if (!iofd_object_ref(&viommu->obj)) {
		rc = -ENOENT;
		goto err_object;
	}
	rc = iofd_veventq_link(veventq, viommu);
	if (rc)
		goto err_viommu;
	return veventq;

err_viommu:
	iofd_object_unref(&viommu->obj);
err_object:
	iofd_veventq_fini(veventq);
	iofd_object_cancel(&ictx->objects, &veventq->obj);
	return ERR_PTR(rc);
}

/* The file, the answer, and then everybody may know. */
static int veventq_finish(struct iofd_ucmd *ucmd, struct iofd_veventq *veventq)
{
	struct iommu_veventq_alloc *cmd = ucmd->cmd;
	struct file *file;
	int fd, rc;

	fd = iofd_queue_open(&veventq->queue, "[iommufd-viommu-event]",
			     &veventq_fops, &file);
	if (fd < 0)
		return fd;
	cmd->out_veventq_id = veventq->obj.id;
	cmd->out_veventq_fd = fd;
	rc = iofd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc) {
		iofd_queue_cancel(fd, file);
		return rc;
	}

	/* Point of no return. */
	iofd_object_publish(&ucmd->ctx->objects, &veventq->obj);
	fd_install(fd, file);
	return 0;
}

/* IOMMU_VEVENTQ_ALLOC */
int veventq_alloc_ioctl(struct iofd_ucmd *ucmd)
{
	struct iofd_objects *objects = &ucmd->ctx->objects;
	struct iommu_veventq_alloc *cmd = ucmd->cmd;
	struct iofd_veventq *veventq;
	struct iommufd_object *obj;
	int rc;

	if (cmd->flags || cmd->__reserved ||
	    cmd->type == IOMMU_VEVENTQ_TYPE_DEFAULT)
		return -EOPNOTSUPP;
	if (!cmd->veventq_depth || cmd->veventq_depth > DEPTH_MAX)
		return -EINVAL;

	obj = iofd_object_borrow(objects, cmd->viommu_id, IOMMUFD_OBJ_VIOMMU);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	veventq = veventq_new(ucmd->ctx,
			      container_of(obj, struct iommufd_viommu, obj),
			      cmd);
	iofd_object_return(objects, obj);
	if (IS_ERR(veventq))
		return PTR_ERR(veventq);

	rc = veventq_finish(ucmd, veventq);
	if (rc) {
		veventq_destroy(&veventq->obj);
		iofd_object_cancel(objects, &veventq->obj);
	}
	return rc;
}
