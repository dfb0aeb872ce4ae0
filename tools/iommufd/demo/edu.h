/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A driver for QEMU's "edu" device: a PCI device with a 4 KiB buffer and a DMA
 * engine that copies between the buffer and memory. Its registers are described
 * in docs/specs/edu of QEMU.
 */
#ifndef DEMO_EDU_H
#define DEMO_EDU_H

#include "vfio.h"

/*
 * The most one transfer may carry. Half the buffer: some versions of QEMU end
 * the machine when a transfer reaches the last byte of the buffer.
 */
#define EDU_MAX_TRANSFER	2048

/* The device drives 28 address lines. */
#define EDU_IOVA_END		0x10000000ull

struct edu {
	struct vfio_device dev;
	__u32 revision;
};

extern const struct vfio_match edu_match;

/* Say hello: is it an edu, and does it answer? */
int edu_probe(struct edu *edu);

/*
 * DMA of @len bytes: fetch is memory to device, store is device to memory. The
 * device does not know whether the IOMMU let it through; 0 only says that it is
 * done.
 */
int edu_fetch(struct edu *edu, __u64 iova, __u32 len);
int edu_store(struct edu *edu, __u64 iova, __u32 len);

#endif
