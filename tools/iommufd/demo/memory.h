/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Process memory of a known kind: made of 4 KiB pages, of transparent huge
 * pages, or of hugetlb pages. What it is really made of is read back from
 * /proc/self/smaps; nothing is taken on trust.
 */
#ifndef DEMO_MEMORY_H
#define DEMO_MEMORY_H

#include <linux/types.h>
#include <stddef.h>

#define KIB		1024ul
#define MIB		(1024ul * KIB)
#define HUGE_PAGE	(2 * MIB)

enum memory_kind {
	MEMORY_4K,
	MEMORY_THP,
	MEMORY_HUGETLB,
	MEMORY_KINDS,
};

struct memory {
	enum memory_kind kind;
	unsigned char *va;
	size_t size;
	__u64 iova;		/* set by whoever maps it */
};

const char *memory_name(enum memory_kind kind);

/* Allocate @size bytes (a multiple of 2 MiB) at a 2 MiB boundary, touch them. */
int memory_alloc(struct memory *mem, enum memory_kind kind, size_t size);
/* Is it really made of what was asked for? Says so, or fails. */
int memory_prove_kind(const struct memory *mem);
void memory_free(struct memory *mem);

/* A number from /proc/self/status in KiB, e.g. "VmPin"; -1 if not there. */
long memory_status_kib(const char *key);

/* Content that depends on @seed and on the place: a misplaced byte is seen. */
void pattern_fill(unsigned char *at, size_t len, unsigned int seed);
/* -1 and words if it differs; @what names the place. */
int pattern_check(const unsigned char *at, size_t len, unsigned int seed,
		  const char *what);

#endif
