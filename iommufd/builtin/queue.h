/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Queues of events for user space: what they consist of.
 *
 * What can be done with one is in object/queue.h.  The struct lives down here
 * since events of vIOMMUs are put in by code that is always built in.
 */
#ifndef IOFD_BUILTIN_QUEUE_H
#define IOFD_BUILTIN_QUEUE_H

#include <linux/iommufd.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/wait.h>

struct iofd_queue_ops;

/**
 * struct iofd_queue - events, oldest first, that wait to be read
 * @ops: what kind of events they are
 * @ctx: context; a file that reads the queue holds it
 * @obj: the object that @queue is a part of, likewise
 * @read_lock: held while events are copied to a reader; outside of @lock
 * @lock: guards @events and what the kind has besides; never held while user
 *        memory is touched
 * @events: linked by a node of the kind's choice
 * @wait: who polls for events
 */
struct iofd_queue {
	const struct iofd_queue_ops *ops;
	struct iommufd_ctx *ctx;
	struct iommufd_object *obj;
	struct mutex read_lock; /* one reader at a time */
	struct mutex lock; /* guards what follows */
	struct list_head events;
	wait_queue_head_t wait;
};

/* An event comes. Held: @queue->lock */
static inline void iofd_queue_push(struct iofd_queue *queue,
				   struct list_head *event)
{
	lockdep_assert_held(&queue->lock);
	list_add_tail(event, &queue->events);
	wake_up_poll(&queue->wait, EPOLLIN | EPOLLRDNORM);
}

/* An event that was taken comes back, as the next. Held: @queue->lock */
static inline void iofd_queue_push_back(struct iofd_queue *queue,
					struct list_head *event)
{
	lockdep_assert_held(&queue->lock);
	list_add(event, &queue->events);
	wake_up_poll(&queue->wait, EPOLLIN | EPOLLRDNORM);
}

#endif
