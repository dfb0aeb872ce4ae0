/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Queues of events that user space reads from a file descriptor.
 *
 * A queue is a part of an object with an ID.  The object's room says what an
 * event is, by struct iofd_queue_ops, and pushes events; this room has the file
 * and the one read loop.
 *
 *            push           take            read
 *   event ---------> queued -----> taken ----------> gone, or what the
 *                      ^             |                kind makes of it
 *                      +-------------+
 *                         copy failed
 */
#ifndef IOFD_OBJECT_QUEUE_H
#define IOFD_OBJECT_QUEUE_H

#include <linux/poll.h>
#include <linux/types.h>

#include "builtin/queue.h"

struct file;
struct file_operations;
struct inode;

/**
 * struct iofd_queue_ops - a kind of events
 * @size: how many bytes a queued event is for its reader; not 0
 * @take: a queued event leaves the list, and is put into @bytes, which has the
 *        size just told.  0, or an errno if the event has to stay where it is
 * @done: what was taken has been @read, or else could not be copied.  @event
 *        may be gone by now, if the kind lets it go in between.
 *
 * All are called with the queue's lock held and may sleep.  From take to done
 * nothing else is taken.
 */
struct iofd_queue_ops {
	size_t (*size)(struct iofd_queue *queue, struct list_head *event);
	int (*take)(struct iofd_queue *queue, struct list_head *event,
		    void *bytes);
	void (*done)(struct iofd_queue *queue, struct list_head *event,
		     bool read);
};

void iofd_queue_init(struct iofd_queue *queue, const struct iofd_queue_ops *ops,
		     struct iommufd_ctx *ictx, struct iommufd_object *obj);
void iofd_queue_fini(struct iofd_queue *queue);

int iofd_queue_open(struct iofd_queue *queue, const char *name,
		    const struct file_operations *fops, struct file **file);
void iofd_queue_cancel(int fd, struct file *file);

ssize_t iofd_queue_read(struct iofd_queue *queue, char __user *to,
			size_t count);
__poll_t iofd_queue_poll(struct file *file, struct poll_table_struct *wait);
int iofd_queue_release(struct inode *inode, struct file *file);

#endif
