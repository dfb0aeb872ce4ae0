// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: event queues
 *
 * A queue is read through a file of its own.  The file keeps a ref on the
 * queue's object, so IOMMU_DESTROY answers EBUSY while it is open anywhere, and
 * holds the context, so that events can be read after /dev/iommu was closed.
 *
 * Reading never waits for an event.  It gives whole events, oldest first; one
 * that does not fit ends the read.  What cannot be copied stays the first in
 * the queue.
 *
 * Two locks, since copying may take as long as the reader's page faults do,
 * and nobody but other readers shall wait for that: @read_lock keeps readers
 * apart, @lock guards the list.  Hence an event is copied into memory of the
 * kernel under @lock, and from there to the reader without it.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "base/check.h"
#include "builtin/queue_trace.h"
#include "object/ctx.h"
#include "object/queue.h"

/* Bytes of an event that need no allocation */
#define SMALL 128

/* Where an event is between the queue and its reader */
struct buffer {
	void *bytes;
	size_t room;
	u64 small[SMALL / sizeof(u64)];
};

static void buffer_init(struct buffer *buffer)
{
	buffer->bytes = buffer->small;
	buffer->room = sizeof(buffer->small);
}

static void buffer_fini(struct buffer *buffer)
{
	if (buffer->bytes != buffer->small)
		kvfree(buffer->bytes);
}

static int buffer_grow(struct buffer *buffer, size_t room)
{
	void *bytes = kvmalloc(room, GFP_KERNEL_ACCOUNT);

	if (!bytes)
		return -ENOMEM;
	buffer_fini(buffer);
	buffer->bytes = bytes;
	buffer->room = room;
	return 0;
}

/**
 * iofd_queue_init - an empty queue
 * @queue: queue, embedded in @obj
 * @ops: what kind of events it is for
 * @ictx: context
 * @obj: object
 */
void iofd_queue_init(struct iofd_queue *queue, const struct iofd_queue_ops *ops,
		     struct iommufd_ctx *ictx, struct iommufd_object *obj)
{
	queue->ops = ops;
	queue->ctx = ictx;
	queue->obj = obj;
	mutex_init(&queue->read_lock);
	mutex_init(&queue->lock);
	INIT_LIST_HEAD(&queue->events);
	init_waitqueue_head(&queue->wait);
}

/**
 * iofd_queue_fini - the end of a queue
 * @queue: empty queue that no file reads
 */
void iofd_queue_fini(struct iofd_queue *queue)
{
	iofd_check(list_empty(&queue->events));
	mutex_destroy(&queue->lock);
	mutex_destroy(&queue->read_lock);
}

/**
 * iofd_queue_open - a file to read a queue from
 * @queue: queue; the caller knows its object and context to stay
 * @name: name of the file in procfs
 * @fops: its operations, of which iofd_queue_release() is one; private_data is
 *        the queue
 * @file: out: the file, to be installed at the descriptor by fd_install(), or
 *        given to iofd_queue_cancel()
 *
 * Return: file descriptor, reserved, close-on-exec; -EMFILE, -ENFILE, -ENOMEM.
 */
int iofd_queue_open(struct iofd_queue *queue, const char *name,
		    const struct file_operations *fops, struct file **file)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0)
		return fd;
	*file = anon_inode_getfile(name, fops, queue, O_RDWR);
	if (IS_ERR(*file)) {
		put_unused_fd(fd);
		return PTR_ERR(*file);
	}
	/* Events have no position. */
	stream_open(file_inode(*file), *file);
	iofd_object_ref_more(queue->obj);
	get_file(queue->ctx->file);
	return fd;
}

/**
 * iofd_queue_cancel - undo iofd_queue_open()
 * @fd: the descriptor, still reserved
 * @file: the file
 */
void iofd_queue_cancel(int fd, struct file *file)
{
	put_unused_fd(fd);
	/* Now, not later: the caller goes on to free the queue. */
	__fput_sync(file);
}

/**
 * iofd_queue_release - a queue's file is closed for the last time
 * @inode: unused
 * @file: the file
 *
 * Its refs go, with them perhaps the queue and the context.
 *
 * Return: 0.
 */
int iofd_queue_release(struct inode *inode, struct file *file)
{
	struct iofd_queue *queue = file->private_data;
	struct file *ctx_file = queue->ctx->file;

	iofd_object_unref(queue->obj);
	fput(ctx_file);
	return 0;
}

/**
 * iofd_queue_poll - is there anything to read?
 * @file: file made by iofd_queue_open()
 * @wait: as in poll of struct file_operations
 *
 * Return: EPOLLIN | EPOLLRDNORM while an event waits to be read, else 0.
 */
__poll_t iofd_queue_poll(struct file *file, struct poll_table_struct *wait)
{
	struct iofd_queue *queue = file->private_data;

	poll_wait(file, &queue->wait, wait);
	/* Who adds one wakes us afterwards, so it is looked at without lock. */
	return list_empty(&queue->events) ? 0 : EPOLLIN | EPOLLRDNORM;
}

/*
 * Take the first event, of at most @left bytes, into @buffer. Returns how many
 * bytes it has, 0 if there is none, or an errno.
 */
static ssize_t take_first(struct iofd_queue *queue, struct buffer *buffer,
			  size_t left, struct list_head **event)
{
	size_t size;
	int rc;

	lockdep_assert_held(&queue->read_lock);

	for (;;) {
		scoped_guard(mutex, &queue->lock) {
			if (list_empty(&queue->events))
				return 0;
			*event = queue->events.next;
			size = queue->ops->size(queue, *event);
			if (size > left)
				return -EINVAL;
			if (size <= buffer->room) {
				rc = queue->ops->take(queue, *event,
						      buffer->bytes);
				return rc ?: size;
			}
		}
		/* Without the lock; the next look may find another event. */
		rc = buffer_grow(buffer, size);
		if (rc)
			return rc;
	}
}

/* Returns how many bytes of an event were read, 0 if there is none. */
static ssize_t read_first(struct iofd_queue *queue, struct buffer *buffer,
			  char __user *to, size_t left)
{
	struct list_head *event;
	ssize_t size;
	bool read;

	size = take_first(queue, buffer, left, &event);
	if (size <= 0)
		return size;
	read = !copy_to_user(to, buffer->bytes, size);
	scoped_guard(mutex, &queue->lock)
		queue->ops->done(queue, event, read);
	return read ? size : -EFAULT;
}

/**
 * iofd_queue_read - the events that wait, as many as fit
 * @queue: queue; the caller's file keeps it
 * @to: where to
 * @count: number of bytes there
 *
 * Context: process context, may sleep, but not for want of events.
 *
 * Return: number of bytes read, all of whole events; 0 if there is none; if
 * nothing was read -EINVAL for a first event that is larger than @count,
 * -EFAULT, -ENOMEM, -EINTR while another thread reads.
 */
ssize_t iofd_queue_read(struct iofd_queue *queue, char __user *to, size_t count)
{
	struct buffer buffer;
	size_t done = 0;
	ssize_t rc;

	if (mutex_lock_interruptible(&queue->read_lock))
		return -EINTR;
	buffer_init(&buffer);
	do {
		rc = read_first(queue, &buffer, to + done, count - done);
		if (rc > 0)
			done += rc;
	} while (rc > 0);
	buffer_fini(&buffer);
	mutex_unlock(&queue->read_lock);
	if (done)
		rc = done;
	trace_iommufd_queue_pop(queue->ctx->serial, queue->obj->id,
				queue->obj->type, rc);
	return rc;
}
