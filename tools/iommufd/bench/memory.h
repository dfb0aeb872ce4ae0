/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* What a gigabyte can be made of. */
struct backing {
	const char *name;
	const char *text;
	bool hugetlb;		/* from the pool of huge pages */
	bool thp;		/* transparent huge pages, checked */
	bool memfd;		/* a file: mapped by address or by file */
};

struct memory {
	const struct backing *backing;
	char *at;		/* aligned to 1 GiB */
	size_t length;
	int fd;			/* of a memfd, else -1 */
	void *reserved;
	size_t reserved_length;
};

extern const struct backing backings[];
extern const unsigned int nr_backings;

const struct backing *backing_named(const char *name);
/* NULL, or why this machine has no such memory. */
const char *memory_get(struct memory *mem, const struct backing *backing,
		       size_t length);
void memory_put(struct memory *mem);

#endif
