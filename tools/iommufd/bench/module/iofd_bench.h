/* SPDX-License-Identifier: GPL-2.0-only */
/* What the benchmark asks of its module: ioctls of /dev/iofd-bench. */
#ifndef IOFD_BENCH_H
#define IOFD_BENCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define IOFD_BENCH_FILE		1	/* fd and offset, not an address */
#define IOFD_BENCH_FOLIOS	2	/* one reference for a folio */

struct iofd_bench_map {
	__u64 from;
	__u64 length;
	__u64 iova;
	__s32 fd;
	__u32 flags;
};

/* Pin and unpin as an in-kernel user; the answer is in time stamp ticks. */
struct iofd_bench_access {
	__s32 iommufd;
	__u32 ioas_id;
	__u64 iova;
	__u64 length;
	__u64 pin;
	__u64 unpin;
};

#define IOFD_BENCH_MAP		_IOW('B', 1, struct iofd_bench_map)
#define IOFD_BENCH_UNMAP	_IOW('B', 2, struct iofd_bench_map)
#define IOFD_BENCH_ACCESS	_IOWR('B', 3, struct iofd_bench_access)

#endif
