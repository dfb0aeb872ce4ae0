// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: Dirty bitmap in user memory
 *
 * An IOMMU or device driver that harvests dirty state reports IOVA ranges;
 * user space wants bits.  The object here stands between: it knows which IOVA
 * the first bit is for, how much a bit covers, and where in the current
 * process the bitmap lies, and it sets bits there through pinned pages::
 *
 *   iova   first                                             last
 *           |-- bit 0 --|-- bit 1 --|-- bit 2 --|  ...      --|
 *
 *   user    offset      first page           window of pinned pages
 *   memory  |--->[byte 0][byte 1]...|........[==================]........|
 *
 * Bits are counted from the requested IOVA, in the order of little-endian
 * bytes whatever the CPU is, and only ever set.  The bitmap may start at any
 * byte.  At most a window of pages is pinned, aligned in steps of its size so
 * that a driver which goes back and forth does not pin anew each time; it
 * moves to where the next bit is.
 *
 * Setting bits has no result, and who sets one may have cleared the record
 * that it was made from.  So iova_bitmap_for_each() pins first: it goes through
 * the range one window after the other, and what a window stands for is
 * harvested only when all of the window can be written.  At one that can not it
 * stops with -EFAULT, and the record of that window and of all behind it is
 * untouched.
 *
 * The record of one large IOPTE may belong to two windows, though, and reading
 * the first part of it forgets the second.  A window is therefore cut at the
 * IOVA with the largest alignment that lies in it, so that IOPTEs up to half of
 * what a window covers (32 GiB where a bit stands for 4 KiB) are never parted.
 * Of one that is larger still the bits behind the cut are set in a window that
 * moves; if that fails it is remembered and answered with -EFAULT too.
 *
 * Always built in: IOMMU drivers call it, also when iommufd is a module.
 *
 * Invariants:
 *
 * 1. @pages[0..@window_nr - 1] are pinned for writing and belong to the pages
 *    @window_first.. of the bitmap;
 * 2. no bit above @last_bit is ever touched.
 *
 * Lock: none.  One object is used by one thread, in the context of the process
 * that owns the bitmap.
 */
#include <linux/bits.h>
#include <linux/bug.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/iova_bitmap.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#define BITS_PER_PAGE	(PAGE_SIZE * BITS_PER_BYTE)

/**
 * struct iova_bitmap - a bitmap in user memory for a range of IOVA
 * @first: IOVA of the first byte that bit 0 stands for
 * @last: last IOVA of the range, inclusive
 * @length: as given, for the callback of iova_bitmap_for_each(); 0: no bits
 * @shift: log2 of the bytes that one bit covers
 * @last_bit: number of the last bit
 * @start: user address of the page in which the bitmap begins
 * @offset: of the first byte of the bitmap in that page
 * @nr_pages: user pages that the bitmap touches
 * @lost: bits beyond the window were to be set and could not be
 * @window_first: first page of the window
 * @window_nr: pinned pages, 0: no window
 * @window_size: slots in @pages
 * @pages: the window
 */
struct iova_bitmap {
	unsigned long first;
	unsigned long last;
	size_t length;
	unsigned int shift;
	unsigned long last_bit;

	unsigned long start;
	unsigned int offset;
	unsigned long nr_pages;
	bool lost;

	unsigned long window_first;
	unsigned long window_nr;
	unsigned long window_size;
	struct page *pages[] __counted_by(window_size);
};

/* The object fills a page at most: a window of almost 2 MiB on 64 bit. */
#define WINDOW_MAX	((PAGE_SIZE - sizeof(struct iova_bitmap)) / \
			 sizeof(struct page *))

/**
 * iova_bitmap_alloc - describe a bitmap in user memory
 * @iova: IOVA that bit 0 begins at
 * @length: bytes of IOVA; 0 makes a bitmap without bits
 * @page_size: bytes that a bit stands for; if it is no power of two its lowest
 *	set bit is what counts
 * @data: the bitmap, in the memory of the current process; any byte alignment
 *
 * The user memory is not touched yet.  A range that would pass ULONG_MAX ends
 * there.
 *
 * Context: may sleep.
 * Return: the object; an ERR_PTR(): -ENOMEM, -EINVAL for @page_size 0.
 */
struct iova_bitmap *iova_bitmap_alloc(unsigned long iova, size_t length,
				      unsigned long page_size,
				      u64 __user *data)
{
	unsigned long address = (unsigned long)data;
	unsigned long last, last_bit, nr_pages;
	struct iova_bitmap *bitmap;
	size_t window_size;

	if (WARN_ON_ONCE(!page_size))
		return ERR_PTR(-EINVAL);

	last = iova;
	if (length && check_add_overflow(iova, length - 1, &last)) {
		last = ULONG_MAX;
		length = last - iova + 1;
	}
	last_bit = (last - iova) >> __ffs(page_size);
	nr_pages = ((offset_in_page(address) + last_bit / BITS_PER_BYTE) >>
		    PAGE_SHIFT) + 1;
	window_size = min(nr_pages, WINDOW_MAX);

	bitmap = kzalloc_flex(*bitmap, pages, window_size, GFP_KERNEL_ACCOUNT);
	if (!bitmap)
		return ERR_PTR(-ENOMEM);
	bitmap->first = iova;
	bitmap->last = last;
	bitmap->length = length;
	bitmap->shift = __ffs(page_size);
	bitmap->last_bit = last_bit;
	bitmap->start = address & PAGE_MASK;
	bitmap->offset = offset_in_page(address);
	bitmap->nr_pages = nr_pages;
	bitmap->window_size = window_size;
	return bitmap;
}
EXPORT_SYMBOL_NS_GPL(iova_bitmap_alloc, "IOMMUFD");

static void window_unpin(struct iova_bitmap *bitmap)
{
	if (!bitmap->window_nr)
		return;
	unpin_user_pages_dirty_lock(bitmap->pages, bitmap->window_nr, true);
	bitmap->window_nr = 0;
}

static bool window_has(const struct iova_bitmap *bitmap, unsigned long index)
{
	/* Below the window the difference wraps and is large. */
	return index - bitmap->window_first < bitmap->window_nr;
}

static bool window_pin(struct iova_bitmap *bitmap, unsigned long first)
{
	int nr = min(bitmap->window_size, bitmap->nr_pages - first);

	window_unpin(bitmap);
	nr = pin_user_pages_fast(bitmap->start + (first << PAGE_SHIFT), nr,
				 FOLL_WRITE, bitmap->pages);
	if (nr <= 0)
		return false;
	bitmap->window_first = first;
	bitmap->window_nr = nr;
	return true;
}

/* The page number @index of the bitmap, pinned; NULL if it is not writable. */
static struct page *window_page(struct iova_bitmap *bitmap, unsigned long index)
{
	if (!window_has(bitmap, index)) {
		window_pin(bitmap, index - index % bitmap->window_size);

		/* A page before it that can not be pinned is no reason. */
		if (!window_has(bitmap, index) && !window_pin(bitmap, index))
			return NULL;
	}
	return bitmap->pages[index - bitmap->window_first];
}

/* By bytes, so that the result is the same on every CPU. */
static void page_set_bits(struct page *page, unsigned int first,
			  unsigned int nr)
{
	u8 *bytes = kmap_local_page(page);
	u8 *at = bytes + first / BITS_PER_BYTE;
	unsigned int head = first % BITS_PER_BYTE;

	if (head) {
		unsigned int part = min(nr, BITS_PER_BYTE - head);

		*at++ |= GENMASK(head + part - 1, head);
		nr -= part;
	}
	memset(at, 0xff, nr / BITS_PER_BYTE);
	if (nr % BITS_PER_BYTE)
		at[nr / BITS_PER_BYTE] |= GENMASK(nr % BITS_PER_BYTE - 1, 0);
	flush_dcache_page(page);
	kunmap_local(bytes);
}

/**
 * iova_bitmap_set - mark a range of IOVA
 * @bitmap: the object
 * @iova: first IOVA
 * @length: bytes
 *
 * Sets every bit that the range touches.  What lies outside of the bitmap is
 * ignored.  Of what lies beyond the part that iova_bitmap_for_each() asked for,
 * it reports what can not be written.
 *
 * Context: may sleep (pins pages of the current process).
 */
void iova_bitmap_set(struct iova_bitmap *bitmap, unsigned long iova,
		     size_t length)
{
	unsigned long last, bit, last_bit;

	if (!length || !bitmap->length)
		return;
	if (check_add_overflow(iova, length - 1, &last))
		last = ULONG_MAX;
	if (last < bitmap->first || iova > bitmap->last)
		return;

	bit = (max(iova, bitmap->first) - bitmap->first) >> bitmap->shift;
	last_bit = (min(last, bitmap->last) - bitmap->first) >> bitmap->shift;

	for (;;) {
		unsigned long byte = bitmap->offset + bit / BITS_PER_BYTE;
		unsigned int in_page = offset_in_page(byte) * BITS_PER_BYTE +
				       bit % BITS_PER_BYTE;
		/* One less than the number of bits: the number may wrap. */
		unsigned long more = min(last_bit - bit,
					 BITS_PER_PAGE - in_page - 1);
		struct page *page = window_page(bitmap, byte >> PAGE_SHIFT);

		if (page)
			page_set_bits(page, in_page, more + 1);
		else
			bitmap->lost = true;
		if (last_bit - bit == more)
			break;
		bit += more + 1;
		cond_resched();
	}
}
EXPORT_SYMBOL_NS_GPL(iova_bitmap_set, "IOMMUFD");

/* Pin as many pages as there is room for from @first on, or none. */
static bool window_pin_all(struct iova_bitmap *bitmap, unsigned long first)
{
	return window_pin(bitmap, first) &&
	       bitmap->window_nr == min(bitmap->window_size,
					bitmap->nr_pages - first);
}

/*
 * The last IOVA to harvest with the window, whose first page has the bit number
 * @bit, which stands for @iova.
 */
static unsigned long window_last(const struct iova_bitmap *bitmap,
				 unsigned long iova, unsigned long bit)
{
	unsigned long byte = bitmap->offset + bit / BITS_PER_BYTE;
	unsigned long bits = bitmap->window_nr * BITS_PER_PAGE -
			     offset_in_page(byte) * BITS_PER_BYTE -
			     bit % BITS_PER_BYTE;
	unsigned long next;

	if (bitmap->last_bit - bit < bits)
		return bitmap->last;
	next = bitmap->first + ((bit + bits) << bitmap->shift);
	/* The highest bit they differ in is set in @next, and not in @iova. */
	return round_down(next, 1UL << __fls(next ^ iova)) - 1;
}

static int harvest_windows(struct iova_bitmap *bitmap, void *opaque,
			   iova_bitmap_fn_t fn)
{
	unsigned long iova = bitmap->first, bit, byte, last;
	int ret;

	bitmap->lost = false;
	for (;;) {
		bit = (iova - bitmap->first) >> bitmap->shift;
		byte = bitmap->offset + bit / BITS_PER_BYTE;
		if (!window_pin_all(bitmap, byte >> PAGE_SHIFT))
			return -EFAULT;
		last = window_last(bitmap, iova, bit);
		ret = fn(bitmap, iova, last - iova + 1, opaque);
		if (!ret && bitmap->lost)
			ret = -EFAULT;
		if (ret || last == bitmap->last)
			return ret;
		iova = last + 1;
		cond_resched();
	}
}

/**
 * iova_bitmap_for_each - harvest the range of the bitmap
 * @bitmap: the object
 * @opaque: handed to @fn
 * @fn: called for parts of the range, in ascending order, whose bits can be
 *	written; reports by iova_bitmap_set()
 *
 * Context: may sleep.
 * Return: what @fn returned if that is not 0; -EFAULT if part of the user
 * memory can not be written: then @fn was called for no range from that part
 * on; else 0.
 */
int iova_bitmap_for_each(struct iova_bitmap *bitmap, void *opaque,
			 iova_bitmap_fn_t fn)
{
	int ret = 0;

	if (bitmap->length)
		ret = harvest_windows(bitmap, opaque, fn);
	window_unpin(bitmap);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(iova_bitmap_for_each, "IOMMUFD");

/**
 * iova_bitmap_free - unpin what is pinned and free the object
 * @bitmap: the object
 */
void iova_bitmap_free(struct iova_bitmap *bitmap)
{
	window_unpin(bitmap);
	kfree(bitmap);
}
EXPORT_SYMBOL_NS_GPL(iova_bitmap_free, "IOMMUFD");
