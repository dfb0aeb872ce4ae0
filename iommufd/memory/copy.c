// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: copying to and from a page set
 *
 * Where the mapper's address space is at hand the copy is an ordinary user
 * copy.  Otherwise it goes page by page, through the pin that a hold already
 * has, or through one that lasts as long as the copy of the page.  Such a pin is
 * not charged: at most one page per caller is pinned at a time.
 */
#include <linux/highmem.h>

#include "base/check.h"
#include "memory/copy.h"
#include "memory/pages.h"

static void copy_page_part(unsigned long pfn, unsigned int offset, void *data,
			   unsigned int bytes, enum iofd_copy_flags flags)
{
	struct page *page = pfn_to_page(pfn);

	if (flags & IOFD_COPY_WRITE)
		memcpy_to_page(page, offset, data, bytes);
	else
		memcpy_from_page(data, page, offset, bytes);
}

/* Copy within one page. */
static int copy_pinned(struct iofd_pages *pages, unsigned long index,
		       unsigned int offset, void *data, unsigned int bytes,
		       enum iofd_copy_flags flags)
{
	unsigned long pfn;
	int rc;

	if (iofd_fault())
		return -EINVAL;

	mutex_lock(&pages->lock);
	rc = iofd_pages_peek_locked(pages, index, &pfn);
	if (rc >= 0)
		copy_page_part(pfn, offset, data, bytes, flags);
	if (rc > 0)
		pages->source->unpin(pages, pfn, 1);
	mutex_unlock(&pages->lock);
	return min(rc, 0);
}

/**
 * iofd_pages_rw - copy to or from a page set
 * @pages: page set
 * @byte: first byte in the set
 * @data: kernel buffer
 * @length: number of bytes, inside the set
 * @flags: direction and how; to write, the set has to be writable
 *
 * Return: 0; -EFAULT the memory is not there or its process has gone; -EINVAL
 * a source that the CPU must not touch; what else the source's pin returns.
 * On failure a part may have been copied.
 */
int iofd_pages_rw(struct iofd_pages *pages, unsigned long byte, void *data,
		  unsigned long length, enum iofd_copy_flags flags)
{
	int rc;

	if (pages->source->devmem)
		return -EINVAL;
	if (pages->source->copy && !(flags & IOFD_COPY_PINNED)) {
		rc = pages->source->copy(pages, byte, data, length, flags);
		if (rc != -EAGAIN)
			return rc;
	}

	while (length) {
		unsigned int offset = iofd_pages_page_offset(pages, byte);
		unsigned int bytes = min(length, PAGE_SIZE - offset);

		rc = copy_pinned(pages, iofd_pages_index(pages, byte), offset,
				 data, bytes, flags);
		if (rc)
			return rc;
		byte += bytes;
		data += bytes;
		length -= bytes;
		cond_resched();
	}
	return 0;
}
