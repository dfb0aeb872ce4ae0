// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: process memory as a source
 *
 * The address space of the task that mapped it is remembered as a bare mm
 * structure, which does not keep it populated: pages found at the address at
 * pin time count.  In that task's own context the fast GUP path is used, in
 * any other the remote one; once the process has exited or called exec, what
 * is pinned stays, and pinning more answers EFAULT.
 *
 * Pins are long-term (FOLL_LONGTERM): they migrate pages out of CMA and
 * movable memory and refuse FS-DAX.  A read-only mapping of private anonymous
 * memory breaks copy-on-write sharing first, so the device sees the page that
 * the process keeps using.
 *
 * Pages are asked for up to where the next huge page may begin, so that each is
 * met at its beginning, and taken as a whole where that is certain to be right.
 */
#include <linux/iommu.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "memory/copy.h"
#include "memory/pages.h"
#include "memory/pfnmap.h"

/**
 * struct user_pages - page set of process memory
 * @pages: the page set
 * @room: for its first area
 */
struct user_pages {
	struct iofd_pages pages;
	struct iofd_pages_room room;
};

static struct kmem_cache *user_cache;

/**
 * iofd_user_pages_init - when the module is loaded
 *
 * Page sets of process memory are many, and no general size fits them.
 *
 * Return: 0; -ENOMEM.
 */
int iofd_user_pages_init(void)
{
	user_cache = kmem_cache_create("iommufd_user_pages",
				       sizeof(struct user_pages), 0,
				       SLAB_ACCOUNT, NULL);
	return user_cache ? 0 : -ENOMEM;
}

/**
 * iofd_user_pages_exit - undo iofd_user_pages_init()
 */
void iofd_user_pages_exit(void)
{
	kmem_cache_destroy(user_cache);
}

static long pin_remote(struct mm_struct *mm, unsigned long addr,
		       unsigned long nr, unsigned int gup_flags,
		       struct page **pages)
{
	int locked = 1;
	long got;

	if (!mmget_not_zero(mm))
		return -EFAULT;
	mmap_read_lock(mm);
	got = pin_user_pages_remote(mm, addr, nr, gup_flags, pages, &locked);
	if (locked)
		mmap_read_unlock(mm);
	/* Never tear down an mm from inside a map: this may be the last user. */
	mmput_async(mm);
	return got;
}

static long pin_user(struct iofd_pages *pages, unsigned long index,
		     unsigned long nr, struct page **out)
{
	unsigned int gup_flags = FOLL_LONGTERM |
				 (pages->writable ? FOLL_WRITE : 0);
	unsigned long addr = (pages->addr & PAGE_MASK) + (index << PAGE_SHIFT);
	long got;

	if (current->mm != pages->bill.payer->mm) {
		got = pin_remote(pages->bill.payer->mm, addr, nr, gup_flags, out);
	} else {
		got = pin_user_pages_fast(addr, nr, gup_flags, out);
		if (got == -EFAULT)
			iofd_pfnmap_explain(addr);
	}
	return got ? got : -EFAULT;
}

/*
 * Is all of this folio mapped where one of its pages was found?  Then one look
 * at the page tables is enough for all of it, where a page array would ask for
 * each page.
 *
 * A hugetlb folio is always mapped whole.  An anonymous folio that has a single
 * mapping, which is one of the whole folio, is mapped by one PMD.  It can only
 * be this process's: the page has been pinned, and anonymous memory is pinned
 * by nobody but its exclusive owner.  Who remaps the memory at the same time is
 * given pages of his own, found at one moment or another.  Files are not asked:
 * their one mapping may be another process's.
 */
static bool mapped_whole(struct folio *folio)
{
	if (folio_test_hugetlb(folio))
		return true;
	return folio_test_pmd_mappable(folio) && folio_test_anon(folio) &&
	       folio_entire_mapcount(folio) == 1 &&
	       folio_large_mapcount(folio) == 1;
}

/*
 * Take of the folio of a pinned page what is wanted, from that page on.  Every
 * page gets a pin, so that any piece can be unpinned by itself.
 */
static long take_whole(struct iofd_pages *pages, struct page *page,
		       unsigned long index, unsigned long last)
{
	struct folio *folio = page_folio(page);
	unsigned long nr = min(folio_nr_pages(folio) -
			       folio_page_idx(folio, page), last - index + 1);
	int rc;

	rc = nr > 1 ? folio_add_pins(folio, nr - 1) : 0;
	if (rc) {
		unpin_user_page(page);
		return rc;
	}
	rc = iofd_runs_add(&pages->runs, index, index + nr - 1,
			   page_to_pfn(page));
	if (rc) {
		unpin_user_folio(folio, nr);
		return rc;
	}
	return nr;
}

/* How many of the leading pages are neighbours in physical memory? */
static unsigned long count_contiguous(struct page **array, unsigned long nr)
{
	struct page *first = array[0];
	unsigned long i;

	for (i = 1; i < nr; i++)
		if (array[i] != first + i)
			break;
	/* Where struct pages are in pieces, neighbours may be strangers. */
	return page_range_contiguous(first, i) ? i : 1;
}

static long take_pages(struct iofd_pages *pages, struct page **array,
		       unsigned long index, unsigned long nr)
{
	unsigned long *pfns = (unsigned long *)array;
	unsigned long i;
	int rc;

	if (count_contiguous(array, nr) == nr) {
		struct page *first = array[0];

		rc = iofd_runs_add(&pages->runs, index, index + nr - 1,
				   page_to_pfn(first));
		if (rc) {
			unpin_user_pages(array, nr);
			return rc;
		}
		return nr;
	}

	/* In place: slot i is read before it is written. */
	for (i = 0; i < nr; i++)
		pfns[i] = page_to_pfn(array[i]);
	rc = iofd_runs_add_pfns(&pages->runs, index, pfns, nr);
	if (rc) {
		for (i = 0; i < nr; i++)
			unpin_user_page(pfn_to_page(pfns[i]));
		return rc;
	}
	return nr;
}

#define PMD_PAGES (PMD_SIZE / PAGE_SIZE)

/* From how many pages on may a look for a folio that is mapped whole pay? */
#define WHOLE_MIN_PAGES 32

static long user_pin(struct iofd_pages *pages, struct iofd_pin_scratch *scratch,
		     unsigned long first, unsigned long last)
{
	unsigned long have = 0, nr;
	long got;

	/* Up to where the next huge page may begin. */
	nr = PMD_PAGES - (((pages->addr >> PAGE_SHIFT) + first) &
			  (PMD_PAGES - 1));
	nr = min3(nr, last - first + 1, scratch->nr);

	if (nr >= WHOLE_MIN_PAGES) {
		got = pin_user(pages, first, 1, scratch->pages);
		if (got < 0)
			return got;
		if (mapped_whole(page_folio(scratch->pages[0])))
			return take_whole(pages, scratch->pages[0], first,
					  last);
		have = 1;
	}

	if (have < nr) {
		got = pin_user(pages, first + have, nr - have,
			       scratch->pages + have);
		if (got < 0) {
			if (have)
				unpin_user_page(scratch->pages[0]);
			return got;
		}
		have += got;
	}
	return take_pages(pages, scratch->pages, first, have);
}

static int copy_user(void *data, void __user *uptr, unsigned long length,
		     unsigned int flags)
{
	if (flags & IOFD_COPY_WRITE)
		return copy_to_user(uptr, data, length) ? -EFAULT : 0;
	return copy_from_user(data, uptr, length) ? -EFAULT : 0;
}

/* Through the mapper's addresses, if this task has or may take on its mm. */
static int user_copy(struct iofd_pages *pages, unsigned long byte, void *data,
		     unsigned long length, unsigned int flags)
{
	void __user *uptr = (void __user *)(pages->addr + byte);
	struct mm_struct *mm = pages->bill.payer->mm;
	int rc;

	if (current->mm == mm)
		return copy_user(data, uptr, length, flags);
	if (!(flags & IOFD_COPY_KTHREAD) || !(current->flags & PF_KTHREAD))
		return -EAGAIN;
	if (!mmget_not_zero(mm))
		return -EFAULT;
	kthread_use_mm(mm);
	rc = copy_user(data, uptr, length, flags);
	kthread_unuse_mm(mm);
	mmput_async(mm);
	return rc;
}

static void user_release(struct iofd_pages *pages)
{
}

static const struct iofd_pages_source user_source = {
	.name = "user",
	.room = offsetof(struct user_pages, room),
	.pin = user_pin,
	.unpin = iofd_unpin_pages,
	.copy = user_copy,
	.release = user_release,
};

/**
 * iofd_user_pages_create - a page set of the calling process's memory
 * @uptr: address of the first byte, any alignment
 * @length: number of bytes
 * @writable: devices may write
 * @account: the context's account
 *
 * What kind of memory it is, is decided here, by what is at @uptr: device
 * memory becomes a set of its own kind.  Otherwise the memory is not looked at
 * before it is pinned.
 *
 * Return: page set with one reference; ERR_PTR(-EOVERFLOW) if @uptr + @length
 * overflows; ERR_PTR(-EINVAL) if @length is 0 or beyond SIZE_MAX - PAGE_SIZE;
 * ERR_PTR(-ENOMEM); ERR_PTR(-EINTR) a fatal signal is pending.
 */
struct iofd_pages *iofd_user_pages_create(unsigned long uptr,
					  unsigned long length, bool writable,
					  struct iofd_account *account)
{
	struct iofd_payer *payer;
	struct iofd_pages *pages;
	struct user_pages *user;
	unsigned long end;

	if (check_add_overflow(uptr, length, &end))
		return ERR_PTR(-EOVERFLOW);
	if (!length || length > SIZE_MAX - PAGE_SIZE)
		return ERR_PTR(-EINVAL);
	if (iofd_pfnmap_at(uptr))
		return iofd_pfnmap_pages_create(uptr, length, writable);

	payer = iofd_payer_get(account);
	if (!payer)
		return ERR_PTR(-ENOMEM);
	user = kmem_cache_zalloc(user_cache, GFP_KERNEL_ACCOUNT);
	if (!user) {
		iofd_payer_put(payer);
		return ERR_PTR(-ENOMEM);
	}

	pages = &user->pages;
	iofd_pages_init(pages, &user_source, uptr, length, writable, payer);
	pages->prot = IOMMU_CACHE;
	return pages;
}

/* Make the calling task the payer of what is pinned. */
static int change_payer(struct iofd_pages *pages)
{
	struct iofd_successor *next;

	lockdep_assert_held(&pages->lock);

	if (pages->bill.payer->mm == current->mm)
		return 0;
	next = iofd_successor_prepare(&pages->bill);
	if (IS_ERR(next))
		return PTR_ERR(next);
	iofd_successor_commit(next, &pages->bill);
	return 0;
}

/**
 * iofd_user_pages_move - the memory is at another address, or in another process
 * @pages: page set
 * @uptr: address of its first byte in the calling process, in its page where it
 *        was before
 *
 * What is pinned stays pinned, and is charged to the caller from now on.  The
 * caller keeps in-kernel users away, and others from taking a reference.
 *
 * Return: 0; -EINVAL no process memory, or another place in the page, or the
 * end of the memory would not be an address; -EBUSY the set is shared, so that
 * somebody elsewhere may be using the old address; -ENOMEM over the caller's
 * limit.  On failure nothing has changed.
 */
int iofd_user_pages_move(struct iofd_pages *pages, unsigned long uptr)
{
	unsigned long end;
	int rc;

	if (pages->source != &user_source ||
	    offset_in_page(uptr) != offset_in_page(pages->addr) ||
	    check_add_overflow(uptr, pages->length, &end))
		return -EINVAL;
	if (kref_read(&pages->kref) != 1)
		return -EBUSY;
	mutex_lock(&pages->lock);
	rc = change_payer(pages);
	if (!rc)
		pages->addr = uptr;
	mutex_unlock(&pages->lock);
	return rc;
}
