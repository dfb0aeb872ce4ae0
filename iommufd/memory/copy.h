/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPU copies in and out of a page set.
 */
#ifndef IOFD_MEMORY_COPY_H
#define IOFD_MEMORY_COPY_H

#include <linux/types.h>

struct iofd_pages;

/**
 * enum iofd_copy_flags - how iofd_pages_rw() copies
 * @IOFD_COPY_WRITE: into the page set; else out of it
 * @IOFD_COPY_KTHREAD: the caller is a kernel thread that may take on the
 *                     mapper's mm for the copy
 * @IOFD_COPY_PINNED: always through pinned pages, never through an address of
 *                    the mapper
 * @IOFD_COPY_READABLE: only what is mapped for reading, also to write to it;
 *                      looked at by who knows the mapping
 */
enum iofd_copy_flags {
	IOFD_COPY_WRITE = 1 << 0,
	IOFD_COPY_KTHREAD = 1 << 1,
	IOFD_COPY_PINNED = 1 << 2,
	IOFD_COPY_READABLE = 1 << 3,
};

int iofd_pages_rw(struct iofd_pages *pages, unsigned long byte, void *data,
		  unsigned long length, enum iofd_copy_flags flags);

#endif
