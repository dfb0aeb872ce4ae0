/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small NVMe driver in user space: one admin queue, one I/O queue, polled,
 * one command at a time. After the NVM Express base specification, revision
 * 1.4; names in the comments are those of the specification.
 */
#ifndef DEMO_NVME_H
#define DEMO_NVME_H

#include "vfio.h"

#define NVME_PAGE	4096u
/* What the driver needs for its queues and lists, page aligned in both views. */
#define NVME_MEMORY	(6 * NVME_PAGE)

struct nvme_queue {
	__u16 id;
	__u16 depth;
	__u16 tail;		/* next free slot of the submission queue */
	__u16 head;		/* next slot of the completion queue to look at */
	__u16 phase;		/* what a new completion has in its phase bit */
	void *submission;
	void *completion;
};

struct nvme {
	struct vfio_device dev;
	struct nvme_queue admin;
	struct nvme_queue io;
	unsigned char *va;	/* NVME_MEMORY bytes, and where the disk sees them */
	__u64 iova;
	__u32 doorbell_stride;
	__u64 ready_ns;		/* how long the disk may take to start and stop */
	__u16 next_command;

	char model[41];
	char serial[21];
	__u32 namespace;
	__u32 sector_size;
	__u64 sectors;
	__u32 max_transfer;	/* bytes */
};

extern const struct vfio_match nvme_match;

/*
 * Reset the controller, start it with queues in the memory at @va, which the
 * disk reaches at @iova, and identify it and its first namespace.
 */
int nvme_start(struct nvme *nvme, unsigned char *va, __u64 iova);

/* Read @count sectors from @first on to @iova (page aligned). */
int nvme_read(struct nvme *nvme, __u64 first, __u32 count, __u64 iova);

/* An orderly shutdown. */
int nvme_stop(struct nvme *nvme);

#endif
