/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BENCH_SPACE_H
#define BENCH_SPACE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * An I/O address space of one of the interfaces measured. The calls return 0 or
 * an errno: nothing but the system call is between two readings of the clock.
 */
struct space {
	const struct space_ops *ops;
	int fd;
	__u32 ioas_id;
};

struct space_ops {
	const char *name;
	bool one_at_a_time;
	int (*map)(struct space *s, void *va, size_t length, __u64 iova);
	int (*unmap)(struct space *s, __u64 iova, size_t length);
	int (*unmap_all)(struct space *s);
	/* Not every interface has these: may be NULL. */
	int (*map_file)(struct space *s, int fd, __u64 start, size_t length,
			__u64 iova);
	int (*map_anywhere)(struct space *s, void *va, size_t length,
			    __u64 *iova);
};

/* A device attached to an address space of iommufd. */
struct iommufd {
	struct space space;
	int device;
	__u32 dev_id;
	__u32 hwpt_id;
};

void iommufd_begin(struct iommufd *io, const char *slot);
void iommufd_end(struct iommufd *io);
/* Another address space of the same file, with a page table of its own. */
void iommufd_second(struct iommufd *io, struct space *second, __u32 *hwpt_id);
int iommufd_hwpt_alloc(struct iommufd *io, __u32 ioas_id, __u32 *hwpt_id);
int iommufd_destroy(struct iommufd *io, __u32 id);
int iommufd_copy(struct space *from, struct space *to, size_t length,
		 __u64 from_iova, __u64 to_iova);

/* A device's group in a container of VFIO type1. */
struct type1 {
	struct space space;
	int group;
	int device;
};

void type1_begin(struct type1 *t1, const char *slot);
void type1_end(struct type1 *t1);

/* The lower bound: the test module, straight from the memory to the table. */
struct bound {
	struct space space;
};

void bound_begin(struct bound *b, bool whole_folios);
void bound_end(struct bound *b);
/* Pin and unpin by an in-kernel user: time stamp ticks, or an errno. */
int access_measure(struct space *s, __u64 iova, size_t length, __u64 *pin,
		   __u64 *unpin);

#endif
