// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads /dev/kmsg for the fault reports of the four IOMMU drivers a virtual
 * machine can have. The texts are those of drivers/iommu/intel/dmar.c,
 * drivers/iommu/amd/iommu.c, drivers/iommu/virtio-iommu.c and arm-smmu-v3.c.
 *
 * The report is written from an interrupt, some time after the DMA. The drivers
 * write only so many in some seconds and drop the rest without a trace.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsg.h"
#include "report.h"

#define PAGE_BITS	12
#define PATIENCE_NS	2000000000ull

/* One record of /dev/kmsg; the kernel never hands out longer ones. */
struct record {
	char raw[8192];
	const char *text;
};

int fault_log_open(struct fault_log *log)
{
	log->fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log->fd < 0)
		return failed_errno("cannot open the kernel log /dev/kmsg");
	return fault_log_skip(log);
}

void fault_log_close(struct fault_log *log)
{
	close(log->fd);
}

int fault_log_skip(struct fault_log *log)
{
	if (lseek(log->fd, 0, SEEK_END) < 0)
		return failed_errno("cannot seek in the kernel log");
	return 0;
}

/* 1: got one; 0: nothing there now; -1: error. */
static int next_record(struct fault_log *log, struct record *rec)
{
	char *text, *end;
	ssize_t n;

	do {
		n = read(log->fd, rec->raw, sizeof(rec->raw) - 1);
		/* EPIPE: records were overwritten before we came; go on. */
	} while (n < 0 && (errno == EPIPE || errno == EINTR));
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0)
		return failed_errno("cannot read the kernel log");
	rec->raw[n] = 0;

	/* "level,seq,time,flags;text\n key=value\n" */
	text = strchr(rec->raw, ';');
	text = text ? text + 1 : rec->raw;
	end = strchr(text, '\n');
	if (end)
		*end = 0;
	rec->text = text;
	return 1;
}

/* Is this a report of a refused DMA, and of which address? */
static bool fault_address(const char *text, __u64 *addr)
{
	static const struct {
		const char *has;
		const char *before_address;
	} formats[] = {
		{ "DMA", "fault addr " },	/* Intel */
		{ "IO_PAGE_FAULT", "address=" },	/* AMD */
		{ "fault from EP", " at " },	/* virtio */
		{ "event: F_", " iova: " },	/* Arm SMMUv3 */
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		const char *p;

		if (!strstr(text, formats[i].has))
			continue;
		p = strstr(text, formats[i].before_address);
		if (!p)
			continue;
		p += strlen(formats[i].before_address);
		*addr = strtoull(p, NULL, 16);
		return true;
	}
	return false;
}

/*
 * Intel and Arm name the device in the text, AMD before it as the device the message
 * is about or in the text; virtio has its own endpoint numbers, there the
 * address has to do.
 */
static bool fault_is_of(const char *text, const char *bdf)
{
	return strstr(text, bdf) || strstr(text, "fault from EP");
}

int fault_log_await(struct fault_log *log, const char *bdf, __u64 iova)
{
	unsigned long long deadline = now_ns() + PATIENCE_NS;
	struct record rec;
	int ret;

	wait_begin("waiting for the fault report in the kernel log");
	for (;;) {
		__u64 addr;

		ret = next_record(log, &rec);
		if (ret < 0)
			break;
		if (ret == 0) {
			if (now_ns() > deadline)
				break;
			usleep(1000);
			continue;
		}
		if (fault_address(rec.text, &addr) &&
		    addr >> PAGE_BITS == iova >> PAGE_BITS &&
		    fault_is_of(rec.text, bdf))
			break;
	}
	wait_end();
	if (ret == 1)
		note("kernel log: %s", rec.text);
	return ret;
}

int fault_log_expect_none(struct fault_log *log)
{
	struct record rec;
	__u64 addr;
	int ret;

	while ((ret = next_record(log, &rec)) == 1) {
		if (fault_address(rec.text, &addr))
			return failed("unexpected fault: %s", rec.text);
	}
	return ret;
}
