// SPDX-License-Identifier: GPL-2.0-only
/*
 * NVMe: controller start and stop, command submission, identify, read.
 *
 * One command is under way at any time. Submission: write the entry, then ring
 * the doorbell (the register write is a release, so the entry is in memory
 * first). Completion: look at the phase bit (an acquire, so that the rest of
 * the entry is read after it), which changes its meaning each time the queue
 * wraps.
 *
 * The memory given to nvme_start() is used page by page as enum page says.
 */
#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "nvme.h"
#include "report.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "NVMe is little endian, and this driver does not swap bytes"
#endif

enum page {
	PAGE_ADMIN_SUBMISSION,
	PAGE_ADMIN_COMPLETION,
	PAGE_IO_SUBMISSION,
	PAGE_IO_COMPLETION,
	PAGE_DATA,		/* of identify */
	PAGE_LIST,		/* PRP list: the pages of a long transfer */
	PAGES,
};

static_assert(PAGES * NVME_PAGE == NVME_MEMORY, "one page for each use");

enum {
	REG_CAP = 0x00,
	REG_CC = 0x14,
	REG_CSTS = 0x1c,
	REG_AQA = 0x24,
	REG_ASQ = 0x28,
	REG_ACQ = 0x30,
	REG_DOORBELLS = 0x1000,
};

enum {
	CC_ENABLE = 1 << 0,
	CC_SHUTDOWN = 1 << 14,		/* a normal one */
	CC_SUBMISSION_64 = 6 << 16,	/* log2 of the size of an entry */
	CC_COMPLETION_16 = 4 << 20,

	CSTS_READY = 1 << 0,
	CSTS_FATAL = 1 << 1,
	CSTS_SHUTDOWN_MASK = 3 << 2,
	CSTS_SHUTDOWN_DONE = 2 << 2,
};

enum {
	ADMIN_CREATE_SUBMISSION = 0x01,
	ADMIN_CREATE_COMPLETION = 0x05,
	ADMIN_IDENTIFY = 0x06,
	IO_READ = 0x02,

	IDENTIFY_NAMESPACE = 0,
	IDENTIFY_CONTROLLER = 1,
	IDENTIFY_ACTIVE_NAMESPACES = 2,

	QUEUE_CONTIGUOUS = 1,
};

/* Submission queue entry */
struct command {
	__u8 opcode;
	__u8 flags;
	__u16 id;
	__u32 namespace;
	__u64 reserved;
	__u64 metadata;
	__u64 prp1;
	__u64 prp2;
	__u32 dw10;
	__u32 dw11;
	__u32 dw12;
	__u32 dw13;
	__u32 dw14;
	__u32 dw15;
};

/* Completion queue entry */
struct completion {
	__u32 result;
	__u32 reserved;
	__u16 submission_head;
	__u16 submission_id;
	__u16 command_id;
	__u16 status;		/* bit 0 is the phase */
};

static_assert(sizeof(struct command) == 64, "by the specification");
static_assert(sizeof(struct completion) == 16, "by the specification");

#define QUEUE_DEPTH	32
#define PATIENCE_NS	20000000000ull

const struct vfio_match nvme_match = {
	.name = "nvme",
	.class = 0x010802,
	.class_mask = 0xffffff,
};

static void *page_va(struct nvme *nvme, enum page page)
{
	return nvme->va + page * NVME_PAGE;
}

static __u64 page_iova(struct nvme *nvme, enum page page)
{
	return nvme->iova + page * NVME_PAGE;
}

static void queue_init(struct nvme *nvme, struct nvme_queue *q, __u16 id,
		       __u16 depth, enum page submission, enum page completion)
{
	q->id = id;
	q->depth = depth;
	q->tail = 0;
	q->head = 0;
	q->phase = 1;
	q->submission = page_va(nvme, submission);
	q->completion = page_va(nvme, completion);
	memset(q->submission, 0, NVME_PAGE);
	memset(q->completion, 0, NVME_PAGE);
}

/* Doorbells alternate: submission tail, completion head, for each queue. */
static void ring(struct nvme *nvme, __u32 doorbell, __u32 value)
{
	region_write32(&nvme->dev.bar0,
		       REG_DOORBELLS + doorbell * nvme->doorbell_stride, value);
}

static int await_completion(struct nvme *nvme, struct nvme_queue *q,
			    struct completion *out)
{
	struct completion *slot = (struct completion *)q->completion + q->head;
	unsigned long long deadline = now_ns() + PATIENCE_NS;
	unsigned int polls = 0;
	bool done;

	wait_begin("waiting for the disk");
	do {
		done = (__atomic_load_n(&slot->status, __ATOMIC_ACQUIRE) & 1) ==
		       q->phase;
		if (!done && ++polls > 100)
			usleep(50);
	} while (!done && now_ns() < deadline);
	wait_end();
	if (!done)
		return failed("the disk does not answer a command (CSTS 0x%x)",
			      region_read32(&nvme->dev.bar0, REG_CSTS));
	*out = *slot;
	if (++q->head == q->depth) {
		q->head = 0;
		q->phase ^= 1;
	}
	ring(nvme, q->id * 2 + 1, q->head);
	return 0;
}

static int execute(struct nvme *nvme, struct nvme_queue *q,
		   struct command *cmd, const char *what)
{
	struct completion done = { 0 };

	cmd->id = nvme->next_command++;
	((struct command *)q->submission)[q->tail] = *cmd;
	if (++q->tail == q->depth)
		q->tail = 0;
	ring(nvme, q->id * 2, q->tail);

	if (await_completion(nvme, q, &done))
		return -1;
	if (done.command_id != cmd->id)
		return failed("the disk answers command %u instead of %u (%s)",
			      done.command_id, cmd->id, what);
	if (done.status >> 1)
		return failed("the disk refuses to %s: status 0x%x", what,
			      done.status >> 1);
	return 0;
}

static int await_status(struct nvme *nvme, __u32 mask, __u32 value,
			const char *what)
{
	unsigned long long deadline = now_ns() + nvme->ready_ns;
	__u32 status;

	wait_begin("waiting for the disk's controller");
	for (;;) {
		status = region_read32(&nvme->dev.bar0, REG_CSTS);
		if ((status & mask) == value || now_ns() > deadline)
			break;
		usleep(500);
	}
	wait_end();
	if ((status & mask) != value || status & CSTS_FATAL)
		return failed("the disk's controller does not %s: CSTS 0x%x", what,
			      status);
	return 0;
}

static int reset(struct nvme *nvme)
{
	const struct vfio_region *regs = &nvme->dev.bar0;
	__u64 cap = region_read64(regs, REG_CAP);

	if (cap == ~0ull)
		return failed("the disk's registers do not answer");
	if (cap >> 48 & 0xf)
		return failed("the disk's smallest page is larger than 4 KiB");
	nvme->doorbell_stride = 4u << (cap >> 32 & 0xf);
	/* Timeout in units of 500 ms; an emulated machine may be slower. */
	nvme->ready_ns = (cap >> 24 & 0xff) * 500000000ull;
	if (nvme->ready_ns < PATIENCE_NS)
		nvme->ready_ns = PATIENCE_NS;

	region_write32(regs, REG_CC, 0);
	return await_status(nvme, CSTS_READY, 0, "reset");
}

static int enable(struct nvme *nvme)
{
	const struct vfio_region *regs = &nvme->dev.bar0;
	__u16 depth = QUEUE_DEPTH;
	__u64 cap = region_read64(regs, REG_CAP);

	if (depth > (cap & 0xffff) + 1)
		depth = (cap & 0xffff) + 1;
	queue_init(nvme, &nvme->admin, 0, depth, PAGE_ADMIN_SUBMISSION,
		   PAGE_ADMIN_COMPLETION);
	queue_init(nvme, &nvme->io, 1, depth, PAGE_IO_SUBMISSION,
		   PAGE_IO_COMPLETION);

	region_write32(regs, REG_AQA, (depth - 1u) << 16 | (depth - 1u));
	region_write64(regs, REG_ASQ, page_iova(nvme, PAGE_ADMIN_SUBMISSION));
	region_write64(regs, REG_ACQ, page_iova(nvme, PAGE_ADMIN_COMPLETION));
	region_write32(regs, REG_CC,
		       CC_SUBMISSION_64 | CC_COMPLETION_16 | CC_ENABLE);
	return await_status(nvme, CSTS_READY, CSTS_READY, "start");
}

static int create_io_queue(struct nvme *nvme)
{
	__u32 id_and_depth = (nvme->io.depth - 1u) << 16 | nvme->io.id;
	struct command completion = {
		.opcode = ADMIN_CREATE_COMPLETION,
		.prp1 = page_iova(nvme, PAGE_IO_COMPLETION),
		.dw10 = id_and_depth,
		.dw11 = QUEUE_CONTIGUOUS,
	};
	struct command submission = {
		.opcode = ADMIN_CREATE_SUBMISSION,
		.prp1 = page_iova(nvme, PAGE_IO_SUBMISSION),
		.dw10 = id_and_depth,
		.dw11 = (__u32)nvme->io.id << 16 | QUEUE_CONTIGUOUS,
	};

	if (execute(nvme, &nvme->admin, &completion, "create a completion queue"))
		return -1;
	return execute(nvme, &nvme->admin, &submission,
		       "create a submission queue");
}

/* The answer is in PAGE_DATA. */
static int identify(struct nvme *nvme, __u32 what, __u32 namespace,
		    const char *words)
{
	struct command cmd = {
		.opcode = ADMIN_IDENTIFY,
		.namespace = namespace,
		.prp1 = page_iova(nvme, PAGE_DATA),
		.dw10 = what,
	};

	memset(page_va(nvme, PAGE_DATA), 0, NVME_PAGE);
	return execute(nvme, &nvme->admin, &cmd, words);
}

/* Fixed-width, padded with blanks. */
static void copy_text(char *to, const unsigned char *from, size_t len)
{
	memcpy(to, from, len);
	while (len && to[len - 1] == ' ')
		len--;
	to[len] = 0;
}

static int identify_all(struct nvme *nvme)
{
	const unsigned char *data = page_va(nvme, PAGE_DATA);
	unsigned int format, log2_size;

	if (identify(nvme, IDENTIFY_CONTROLLER, 0, "identify the controller"))
		return -1;
	copy_text(nvme->serial, data + 4, 20);
	copy_text(nvme->model, data + 24, 40);
	/* One PRP list page is the driver's own limit, MDTS the disk's. */
	nvme->max_transfer = NVME_PAGE / 8 * NVME_PAGE;
	if (data[77] && data[77] < 9)
		nvme->max_transfer = NVME_PAGE << data[77];

	if (identify(nvme, IDENTIFY_ACTIVE_NAMESPACES, 0, "list its namespaces"))
		return -1;
	memcpy(&nvme->namespace, data, sizeof(nvme->namespace));
	if (!nvme->namespace)
		return failed("the disk has no namespace");

	if (identify(nvme, IDENTIFY_NAMESPACE, nvme->namespace,
		     "identify its namespace"))
		return -1;
	memcpy(&nvme->sectors, data, sizeof(nvme->sectors));
	format = data[26] & 0xf;
	log2_size = data[128 + format * 4 + 2];
	if (!nvme->sectors || log2_size < 9 || log2_size > 12)
		return failed("the namespace has %llu sectors of 2^%u bytes",
			      (unsigned long long)nvme->sectors, log2_size);
	nvme->sector_size = 1u << log2_size;
	return 0;
}

int nvme_start(struct nvme *nvme, unsigned char *va, __u64 iova)
{
	nvme->va = va;
	nvme->iova = iova;
	nvme->next_command = 1;
	if (reset(nvme) || enable(nvme) || identify_all(nvme))
		return -1;
	return create_io_queue(nvme);
}

/* PRP 2 is the second page, or a list of all pages but the first. */
static __u64 second_prp(struct nvme *nvme, __u64 iova, __u32 bytes)
{
	__u64 *list = page_va(nvme, PAGE_LIST);
	__u32 pages = (bytes + NVME_PAGE - 1) / NVME_PAGE;
	__u32 i;

	if (pages == 1)
		return 0;
	if (pages == 2)
		return iova + NVME_PAGE;
	for (i = 1; i < pages; i++)
		list[i - 1] = iova + (__u64)i * NVME_PAGE;
	return page_iova(nvme, PAGE_LIST);
}

int nvme_read(struct nvme *nvme, __u64 first, __u32 count, __u64 iova)
{
	__u32 bytes = count * nvme->sector_size;
	struct command cmd = {
		.opcode = IO_READ,
		.namespace = nvme->namespace,
		.prp1 = iova,
		.dw10 = first,
		.dw11 = first >> 32,
		.dw12 = count - 1,
	};

	if (!count || bytes > nvme->max_transfer || iova % NVME_PAGE)
		return failed("a read of %u sectors to 0x%llx is beyond this driver",
			      count, (unsigned long long)iova);
	cmd.prp2 = second_prp(nvme, iova, bytes);
	return execute(nvme, &nvme->io, &cmd, "read");
}

int nvme_stop(struct nvme *nvme)
{
	const struct vfio_region *regs = &nvme->dev.bar0;

	region_write32(regs, REG_CC, region_read32(regs, REG_CC) | CC_SHUTDOWN);
	if (await_status(nvme, CSTS_SHUTDOWN_MASK, CSTS_SHUTDOWN_DONE,
			 "shut down"))
		return -1;
	return reset(nvme);
}
