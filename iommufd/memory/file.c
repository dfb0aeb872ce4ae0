// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: files as a source
 *
 * memfd, shmem and hugetlbfs files are pinned by their folios, without an
 * address space, so a page set of a file does not depend on the process that
 * mapped it.  Holes are filled.  Truncation does not touch what is pinned.
 *
 * Any file is accepted when it is mapped; what it is, and whether it reaches
 * far enough, is found out when its pages are pinned.
 *
 * A folio is found once and gets as many pins as it has pages in the slice, so
 * that any part of the slice can be unpinned by itself.
 */
#include <linux/file.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "memory/pages.h"

/**
 * struct iofd_file_pages - page set of a file
 * @pages: the page set, whose addresses are offsets in the file
 * @file: the file, referenced
 */
struct iofd_file_pages {
	struct iofd_pages pages;
	struct file *file;
};

static struct iofd_file_pages *to_file(struct iofd_pages *pages)
{
	return container_of(pages, struct iofd_file_pages, pages);
}

static long file_pin(struct iofd_pages *pages, struct iofd_pin_scratch *scratch,
		     unsigned long first, unsigned long last)
{
	loff_t start = (pages->addr & PAGE_MASK) + (first << PAGE_SHIFT);
	/* The file may end in the middle of the set's last page. */
	loff_t end = min((pages->addr & PAGE_MASK) +
				 (last << PAGE_SHIFT) + (PAGE_SIZE - 1),
			 pages->addr + (pages->length - 1));
	unsigned long index = first;
	pgoff_t offset = 0;
	long got, i;
	int rc = 0;

	got = memfd_pin_folios(to_file(pages)->file, start, end,
			       scratch->folios,
			       min(scratch->nr, (unsigned long)INT_MAX),
			       &offset);
	if (got <= 0)
		return got ? got : -EFAULT;

	for (i = 0; i < got && index <= last; i++) {
		struct folio *folio = scratch->folios[i];
		unsigned long skip = i ? 0 : offset >> PAGE_SHIFT;
		unsigned long nr = min(folio_nr_pages(folio) - skip,
				       last - index + 1);

		rc = iofd_take_folio(pages, folio, skip, index, nr);
		if (rc) {
			i++;
			break;
		}
		index += nr;
	}
	/* What was not taken is given back; what was taken is progress. */
	if (i < got)
		unpin_folios(scratch->folios + i, got - i);
	return index > first ? index - first : rc;
}

static void file_release(struct iofd_pages *pages)
{
	fput(to_file(pages)->file);
}

static const struct iofd_pages_source file_source = {
	.name = "file",
	.pin = file_pin,
	.unpin = iofd_unpin_pages,
	.release = file_release,
};

/**
 * iofd_file_pages_create - a page set of a file
 * @file: the file; the page set takes a reference of its own
 * @start: offset of the first byte, any alignment
 * @length: number of bytes
 * @writable: devices may write, whatever mode @file is open in
 * @account: the context's account
 *
 * Return: page set with one reference; ERR_PTR(-EINVAL) if @length is 0 or
 * beyond SIZE_MAX - PAGE_SIZE; ERR_PTR(-EOVERFLOW) if @start + @length - 1
 * overflows; ERR_PTR(-ENOMEM).
 */
struct iofd_pages *iofd_file_pages_create(struct file *file,
					  unsigned long start,
					  unsigned long length, bool writable,
					  struct iofd_account *account)
{
	struct iofd_file_pages *pages;
	struct iofd_range range;
	int rc;

	rc = iofd_range_from_length(&range, start, length);
	if (rc)
		return ERR_PTR(rc);
	if (length > SIZE_MAX - PAGE_SIZE)
		return ERR_PTR(-EINVAL);

	pages = kzalloc_obj(*pages, GFP_KERNEL_ACCOUNT);
	if (!pages)
		return ERR_PTR(-ENOMEM);
	iofd_pages_init(&pages->pages, &file_source, start, length, writable);
	pages->pages.prot = IOMMU_CACHE;
	iofd_payer_init(&pages->pages.payer, account);
	pages->file = get_file(file);
	return &pages->pages;
}
