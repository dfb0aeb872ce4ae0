/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract of a memory source: where the pages of a page set come from.
 *
 * A source is called by its page set alone, under the page set's mutex unless
 * said otherwise.  Memory with struct pages is pinned; device memory
 * (memory/devmem.h) is present until it is revoked.
 */
#ifndef IOFD_MEMORY_SOURCE_H
#define IOFD_MEMORY_SOURCE_H

#include <linux/types.h>

struct iofd_pages;
struct iofd_pin_scratch;

/**
 * struct iofd_pages_source - one kind of memory
 * @name: for messages
 * @devmem: device memory: the page set is a struct iofd_devmem; it has no @pin,
 *          @unpin and @copy
 * @ownerless: memory that belongs to no process: who pays for it can change
 * @room: where in the page set's allocation is a struct iofd_pages_room; 0 if
 *        it has none
 * @prepare: device memory, optional: see to it that the memory is present, or
 *           was and is to come back; called without a lock, before a window is
 *           loaded.  0; -EFAULT not there, or not with the rights; -ENOMEM;
 *           -EINTR
 * @pin: pin a beginning of [@first, @last] for long-term access, write access
 *       if pages->writable, and store the page frames in pages->runs.  Makes
 *       progress: returns how many indices were pinned (at least one), or
 *       -errno with nothing pinned:
 *
 *       -EFAULT no memory there, or not of a kind or with the rights to be
 *       pinned, or its process has gone; -EOPNOTSUPP memory that must not be
 *       pinned for long; -ENOMEM; -EINTR a fatal signal is pending.
 *       May sleep and take mmap_lock.
 * @unpin: give back @npages contiguous page frames that @pin returned;
 *         cannot fail
 * @copy: optional: copy to or from bytes of the set without pinning, with
 *        enum iofd_copy_flags; -EAGAIN: not in this context, use pins;
 *        called without the lock
 * @release: free what the source holds; nothing is pinned any more
 */
struct iofd_pages_source {
	const char *name;
	bool devmem;
	bool ownerless;
	unsigned int room;
	int (*prepare)(struct iofd_pages *pages);
	long (*pin)(struct iofd_pages *pages, struct iofd_pin_scratch *scratch,
		    unsigned long first, unsigned long last);
	void (*unpin)(struct iofd_pages *pages, unsigned long pfn,
		      unsigned long npages);
	int (*copy)(struct iofd_pages *pages, unsigned long byte, void *data,
		    unsigned long length, unsigned int flags);
	void (*release)(struct iofd_pages *pages);
};

#endif
