// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: reporting events of a vIOMMU
 *
 * Each event that happens takes a number, whether there is room for it or not,
 * so a reader sees by a jump that he missed some.  If the latest events were
 * lost no later number would show it; then a marker stands at the end of the
 * queue::
 *
 *   depth 2:    0 1            two events
 *               0 1 lost(2)    another: no room
 *               0 1 lost(3)    another
 *               1 lost(3)      one was read
 *               1 4            another: room again, the jump tells
 *
 * Nothing here may refer to the module.
 */
#include <linux/bug.h>
#include <linux/cleanup.h>
#include <linux/export.h>
#include <linux/iommufd.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "builtin/queue_trace.h"
#include "builtin/veventq.h"
#include "object/ctx.h"

static u32 next_sequence(struct iofd_veventq *veventq)
{
	u32 sequence = veventq->sequence;

	veventq->sequence = sequence == IOFD_VEVENT_SEQUENCE_MAX ?
				    0 : sequence + 1;
	return sequence;
}

static void push_lost(struct iofd_veventq *veventq, u32 sequence)
{
	veventq->lost_sequence = sequence;
	if (list_empty(&veventq->lost))
		iofd_queue_push(&veventq->queue, &veventq->lost);
}

static int push(struct iofd_veventq *veventq, const void *data, size_t length,
		bool *lost)
{
	struct iofd_vevent *vevent;
	u32 sequence;

	guard(mutex)(&veventq->queue.lock);
	sequence = next_sequence(veventq);
	*lost = veventq->nr_events >= veventq->depth;
	if (*lost) {
		push_lost(veventq, sequence);
		return 0;
	}
	/* A thread that serves interrupts shall not wait for memory. */
	vevent = kzalloc_flex(*vevent, data, length, GFP_ATOMIC);
	if (!vevent) {
		push_lost(veventq, sequence);
		return -ENOMEM;
	}
	vevent->length = length;
	vevent->header.sequence = sequence;
	memcpy(vevent->data, data, length);

	/* The jump in the numbers says as much as the marker. */
	list_del_init(&veventq->lost);
	veventq->nr_events++;
	iofd_queue_push(&veventq->queue, &vevent->node);
	return 0;
}

/**
 * iommufd_viommu_report_event - hand an event to user space
 * @viommu: vIOMMU
 * @type: type of event queue
 * @event_data: the event, as the type's struct in the user ABI has it
 * @data_len: number of bytes
 *
 * An event for which the queue has no room is lost; its reader will know.
 *
 * Context: process context, typically a threaded interrupt handler; takes
 * locks that sleep.
 *
 * Return: 0, also if the event was lost for want of room; -EOPNOTSUPP if the
 * vIOMMU has no queue of this type; -EINVAL with a warning for no data;
 * -ENOMEM, which makes a lost event too.
 */
int iommufd_viommu_report_event(struct iommufd_viommu *viommu,
				enum iommu_veventq_type type, void *event_data,
				size_t data_len)
{
	struct iofd_veventq *veventq;
	bool lost;
	int rc;

	guard(rwsem_read)(&viommu->veventqs_rwsem);
	veventq = iofd_veventq_find(viommu, type);
	if (!veventq)
		return -EOPNOTSUPP;
	if (WARN_ON_ONCE(!data_len || !event_data))
		return -EINVAL;
	rc = push(veventq, event_data, data_len, &lost);
	trace_iommufd_queue_push(viommu->ictx->serial, veventq->obj.id,
				 veventq->obj.type, lost ? -ENOSPC : rc);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_viommu_report_event, "IOMMUFD");
