/* SPDX-License-Identifier: GPL-2.0-only */
/* The steps of the demo, in order, and what they share. */
#ifndef DEMO_STEPS_H
#define DEMO_STEPS_H

#include "edu.h"
#include "kmsg.h"
#include "memory.h"
#include "nvme.h"

struct demo {
	int iommufd;
	__u32 ioas;		/* the address space the devices begin in */
	__u32 second_ioas;	/* the one they are moved to */
	struct edu edu;
	struct nvme nvme;
	struct vfio_device peer;	/* ivshmem: its BAR 2 is memory */
	struct memory mem[MEMORY_KINDS];
	struct memory spare;	/* mapped, unmapped and protected at will */
	struct memory queues;	/* of the NVMe driver */
	struct fault_log log;
	long pinned_before;	/* KiB pinned before anything was mapped */
};

struct demo_step {
	const char *title;
	int (*run)(struct demo *d);	/* 0 if it held */
};

extern const struct demo_step demo_steps[];
extern const unsigned int demo_step_count;

#endif
