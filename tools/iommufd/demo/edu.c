// SPDX-License-Identifier: GPL-2.0-only
/* The edu device: identification and its DMA engine, polled. */
#include <unistd.h>

#include "edu.h"
#include "report.h"

enum {
	EDU_ID = 0x00,
	EDU_LIVENESS = 0x04,	/* reads back inverted */
	EDU_DMA_SOURCE = 0x80,
	EDU_DMA_TARGET = 0x88,
	EDU_DMA_COUNT = 0x90,
	EDU_DMA_COMMAND = 0x98,

	EDU_DMA_START = 1 << 0,	/* reads back as 0 when the transfer is done */
	EDU_DMA_STORE = 1 << 1,

	EDU_BUFFER = 0x40000,	/* as the DMA engine addresses it */
};

#define EDU_ID_FIXED_PART	0x000000edu
#define EDU_ID_FIXED_MASK	0x0000ffffu
#define PATIENCE_NS		10000000000ull

const struct vfio_match edu_match = {
	.name = "edu",
	.vendor = 0x1234,
	.device = 0x11e8,
};

int edu_probe(struct edu *edu)
{
	const struct vfio_region *regs = &edu->dev.bar0;
	const __u32 word = 0x12345678;
	__u32 id;

	if (regs->size < EDU_BUFFER)
		return failed("BAR 0 of the edu device has only %llu bytes",
			      (unsigned long long)regs->size);
	id = region_read32(regs, EDU_ID);
	if ((id & EDU_ID_FIXED_MASK) != EDU_ID_FIXED_PART)
		return failed("the edu device calls itself 0x%08x", id);
	region_write32(regs, EDU_LIVENESS, word);
	if (region_read32(regs, EDU_LIVENESS) != ~word)
		return failed("the edu device does not answer its liveness check");
	edu->revision = id >> 16;
	return 0;
}

static int transfer(struct edu *edu, __u64 source, __u64 target, __u32 len,
		    __u32 command)
{
	unsigned long long deadline = now_ns() + PATIENCE_NS;
	const struct vfio_region *regs = &edu->dev.bar0;
	bool done;

	if (len > EDU_MAX_TRANSFER)
		return failed("edu cannot move %u bytes at once", len);
	region_write64(regs, EDU_DMA_SOURCE, source);
	region_write64(regs, EDU_DMA_TARGET, target);
	region_write64(regs, EDU_DMA_COUNT, len);

	wait_begin("waiting for the edu device");
	region_write64(regs, EDU_DMA_COMMAND, command | EDU_DMA_START);
	do {
		usleep(500);
		done = !(region_read64(regs, EDU_DMA_COMMAND) & EDU_DMA_START);
	} while (!done && now_ns() < deadline);
	wait_end();
	if (!done)
		return failed("the edu device does not finish its DMA of %u bytes",
			      len);
	return 0;
}

int edu_fetch(struct edu *edu, __u64 iova, __u32 len)
{
	return transfer(edu, iova, EDU_BUFFER, len, 0);
}

int edu_store(struct edu *edu, __u64 iova, __u32 len)
{
	return transfer(edu, EDU_BUFFER, iova, len, EDU_DMA_STORE);
}
