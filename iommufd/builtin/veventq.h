/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Queues of a vIOMMU's events: what they consist of.
 *
 * IOMMU drivers report events through code that is always built in; the object
 * with its ID and its file is made and ended by the room viommu/.
 */
#ifndef IOFD_BUILTIN_VEVENTQ_H
#define IOFD_BUILTIN_VEVENTQ_H

#include <linux/iommufd.h>
#include <linux/list.h>
#include <linux/rwsem.h>
#include <linux/types.h>

#include "builtin/queue.h"

/* Numbers of events go from 0 to here, then begin at 0 again. */
#define IOFD_VEVENT_SEQUENCE_MAX S32_MAX

/**
 * struct iofd_vevent - an event
 * @node: in the queue
 * @length: bytes of @data
 * @header: what is read before the data, without padding between them
 * @data: what the driver has to say
 */
struct iofd_vevent {
	struct list_head node;
	size_t length;
	struct iommufd_vevent_header header;
	u8 data[] __counted_by(length);
};

/**
 * struct iofd_veventq - the object IOMMUFD_OBJ_VEVENTQ
 * @obj: object
 * @queue: events; its lock guards all from @nr_events on
 * @viommu: vIOMMU, referenced
 * @link: in the vIOMMU's list, under its veventqs_rwsem
 * @type: what kind of events; the only queue of it on the vIOMMU
 * @depth: most events that the queue keeps
 * @nr_events: events in the queue or being read; without the marker
 * @sequence: number of the next event
 * @lost: the marker: in the queue, as its last, if nothing could be queued
 *        since events were lost
 * @lost_sequence: number of the latest lost event, if @lost is in the queue
 */
struct iofd_veventq {
	struct iommufd_object obj;
	struct iofd_queue queue;
	struct iommufd_viommu *viommu;
	struct list_head link;
	enum iommu_veventq_type type;
	u32 depth;
	u32 nr_events;
	u32 sequence;
	struct list_head lost;
	u32 lost_sequence;
};

/* The queue of a type, or NULL. Held: @viommu->veventqs_rwsem */
static inline struct iofd_veventq *
iofd_veventq_find(struct iommufd_viommu *viommu, enum iommu_veventq_type type)
{
	struct iofd_veventq *veventq;

	lockdep_assert_held(&viommu->veventqs_rwsem);
	list_for_each_entry(veventq, &viommu->veventqs, link)
		if (veventq->type == type)
			return veventq;
	return NULL;
}

#endif
