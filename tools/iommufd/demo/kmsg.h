/* SPDX-License-Identifier: GPL-2.0-only */
/* What the IOMMU driver wrote to the kernel log about a refused DMA. */
#ifndef DEMO_KMSG_H
#define DEMO_KMSG_H

#include <linux/types.h>

struct fault_log {
	int fd;
};

/* Open the kernel log; only what is written from now on will be seen. */
int fault_log_open(struct fault_log *log);
void fault_log_close(struct fault_log *log);

/* Forget what was written up to now. */
int fault_log_skip(struct fault_log *log);

/*
 * Wait two seconds for a report of a fault of the device @bdf ("0000:00:03.0")
 * in the page of @iova, and show its line. 1 if it came, 0 if not, -1 if the
 * log cannot be read.
 */
int fault_log_await(struct fault_log *log, const char *bdf, __u64 iova);

/* Fail if the log holds any IOMMU fault since the last skip. */
int fault_log_expect_none(struct fault_log *log);

#endif
