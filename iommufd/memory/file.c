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
 * that any part of the slice can be unpinned by itself.  Files of small folios
 * are as many folios as pages: these are remembered by the array.
 */
#include <linux/file.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "memory/pages.h"

/**
 * struct iofd_file_pages - page set of a file
 * @pages: the page set, whose addresses are offsets in the file
 * @file: the file, referenced
 * @room: for its first area
 */
struct iofd_file_pages {
	struct iofd_pages pages;
	struct file *file;
	struct iofd_pages_room room;
};

static struct kmem_cache *file_cache;

/**
 * iofd_file_pages_init - when the module is loaded
 *
 * Return: 0; -ENOMEM.
 */
int iofd_file_pages_init(void)
{
	file_cache = kmem_cache_create("iommufd_file_pages",
				       sizeof(struct iofd_file_pages), 0,
				       SLAB_ACCOUNT, NULL);
	return file_cache ? 0 : -ENOMEM;
}

/**
 * iofd_file_pages_exit - undo iofd_file_pages_init()
 */
void iofd_file_pages_exit(void)
{
	kmem_cache_destroy(file_cache);
}

static struct iofd_file_pages *to_file(struct iofd_pages *pages)
{
	return container_of(pages, struct iofd_file_pages, pages);
}

/* Small folios are remembered by their page frames, at one time. */
static long take_small(struct iofd_pages *pages, struct folio **folios,
		       unsigned long nr, unsigned long index)
{
	unsigned long *pfns = (unsigned long *)folios;
	unsigned long i;
	int rc;

	/* In place: slot i is read before it is written. */
	for (i = 0; i < nr; i++)
		pfns[i] = folio_pfn(folios[i]);
	rc = iofd_runs_add_pfns(&pages->runs, index, pfns, nr);
	if (rc) {
		for (i = 0; i < nr; i++)
			unpin_user_page(pfn_to_page(pfns[i]));
		return rc;
	}
	return nr;
}

static unsigned long count_small(struct folio **folios, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i++)
		if (folio_test_large(folios[i]))
			break;
	return i;
}

/*
 * Take the first of the folios, and with it those behind it that go on where it
 * ends in physical memory: they are one run.  *@nr becomes how many were taken.
 */
static long take_large(struct iofd_pages *pages, struct folio **folios,
		       unsigned long *nr, unsigned long skip,
		       unsigned long index, unsigned long last)
{
	unsigned long pfn = folio_pfn(folios[0]) + skip;
	unsigned long got = 0, i = 0, part;
	int rc;

	do {
		part = min(folio_nr_pages(folios[i]) - skip,
			   last - index + 1 - got);
		rc = part > 1 ? folio_add_pins(folios[i], part - 1) : 0;
		if (rc)
			break;
		got += part;
		skip = 0;
	} while (++i < *nr && got < last - index + 1 &&
		 folio_pfn(folios[i]) == pfn + got);
	*nr = i;
	if (!got)
		return rc;

	rc = iofd_runs_add(&pages->runs, index, index + got - 1, pfn);
	if (rc) {
		unpin_user_page_range_dirty_lock(pfn_to_page(pfn), got, false);
		return rc;
	}
	return got;
}

/*
 * Take folios that have a pin each, as many as are needed up to @last, and
 * give back the rest; @skip pages of the first come before @index.
 */
static long take_folios(struct iofd_pages *pages, struct folio **folios,
			unsigned long nr, unsigned long skip,
			unsigned long index, unsigned long last)
{
	unsigned long first = index;
	unsigned long i = 0, n;
	long got = 0;

	while (i < nr && index <= last) {
		n = count_small(folios + i, min(nr - i, last - index + 1));
		if (n) {
			got = take_small(pages, folios + i, n, index);
		} else {
			n = nr - i;
			got = take_large(pages, folios + i, &n, skip, index,
					 last);
		}
		/* What failed has given back what it took. */
		i += n;
		if (got < 0)
			break;
		skip = 0;
		index += got;
	}
	/* What was not taken is given back; what was taken is progress. */
	if (i < nr)
		unpin_folios(folios + i, nr - i);
	return index > first ? index - first : got;
}

/* Holes of a file are filled, and cleared, before anybody looks for signals. */
#define PIN_MAX_BYTES SZ_64M

static long file_pin(struct iofd_pages *pages, struct iofd_pin_scratch *scratch,
		     unsigned long first, unsigned long last)
{
	loff_t start = (pages->addr & PAGE_MASK) + (first << PAGE_SHIFT);
	/* The file may end in the middle of the set's last page. */
	loff_t end = min((pages->addr & PAGE_MASK) +
				 (last << PAGE_SHIFT) + (PAGE_SIZE - 1),
			 pages->addr + (pages->length - 1));
	pgoff_t offset = 0;
	long got;

	end = min(end, start + (PIN_MAX_BYTES - 1));
	got = memfd_pin_folios(to_file(pages)->file, start, end,
			       scratch->folios,
			       min(scratch->nr, (unsigned long)INT_MAX),
			       &offset);
	if (got <= 0)
		return got ? got : -EFAULT;
	return take_folios(pages, scratch->folios, got, offset >> PAGE_SHIFT,
			   first, last);
}

static void file_release(struct iofd_pages *pages)
{
	fput(to_file(pages)->file);
}

static const struct iofd_pages_source file_source = {
	.name = "file",
	.room = offsetof(struct iofd_file_pages, room),
	.ownerless = true,
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
	struct iofd_payer *payer;
	struct iofd_range range;
	int rc;

	rc = iofd_range_from_length(&range, start, length);
	if (rc)
		return ERR_PTR(rc);
	if (length > SIZE_MAX - PAGE_SIZE)
		return ERR_PTR(-EINVAL);

	payer = iofd_payer_get(account);
	if (!payer)
		return ERR_PTR(-ENOMEM);
	pages = kmem_cache_zalloc(file_cache, GFP_KERNEL_ACCOUNT);
	if (!pages) {
		iofd_payer_put(payer);
		return ERR_PTR(-ENOMEM);
	}
	iofd_pages_init(&pages->pages, &file_source, start, length, writable,
			payer);
	pages->pages.prot = IOMMU_CACHE;
	pages->file = get_file(file);
	return &pages->pages;
}
