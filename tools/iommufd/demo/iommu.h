/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ioctls of /dev/iommu the demo uses, as functions. Those that return int
 * return 0, or -1 with errno set: whether that is a failure of the demo is for
 * the caller to say.
 */
#ifndef DEMO_IOMMU_H
#define DEMO_IOMMU_H

#include <linux/types.h>
#include <stddef.h>

enum {
	DEVICE_READS = 1,
	DEVICE_WRITES = 2,
};

/* An fd, or -1. */
int iommu_open(void);

int iommu_ioas_alloc(int fd, __u32 *ioas_id);
int iommu_destroy(int fd, __u32 id);

/* Place @len bytes at @va exactly at @iova. */
int iommu_map_at(int fd, __u32 ioas_id, void *va, size_t len, __u64 iova,
		 int rights);
/* The kernel picks the place. */
int iommu_map(int fd, __u32 ioas_id, void *va, size_t len, __u64 *iova,
	      int rights);
/* @unmapped gets the number of bytes that really went away. */
int iommu_unmap(int fd, __u32 ioas_id, __u64 iova, __u64 len, __u64 *unmapped);
/* Copy a mapping to the same IOVA of another IOAS. */
int iommu_copy(int fd, __u32 dst_ioas, __u32 src_ioas, __u64 iova, __u64 len,
	       int rights);

struct iova_range {
	__u64 first;
	__u64 last;
};

/* Fills up to @max of @ranges; @count gets how many there are. */
int iommu_iova_ranges(int fd, __u32 ioas_id, struct iova_range *ranges,
		      __u32 max, __u32 *count, __u64 *alignment);

/* @type gets an IOMMU_HW_INFO_TYPE_*. */
int iommu_hw_type(int fd, __u32 dev_id, __u32 *type);
const char *iommu_hw_name(__u32 type);

#endif
