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
 */
#include <linux/iommu.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "memory/copy.h"
#include "memory/pages.h"

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

	if (current->mm == pages->payer.mm)
		got = pin_user_pages_fast(addr, nr, gup_flags, out);
	else
		got = pin_remote(pages->payer.mm, addr, nr, gup_flags, out);
	return got ? got : -EFAULT;
}

/*
 * A hugetlb folio is always mapped whole: one look at the page tables is
 * enough for all of it, where a page array would ask for each page.
 */
static long take_hugetlb(struct iofd_pages *pages, struct page *page,
			 unsigned long index, unsigned long nr)
{
	struct folio *folio = page_folio(page);
	unsigned long skip = folio_page_idx(folio, page);
	int rc;

	nr = min(nr, folio_nr_pages(folio) - skip);
	rc = iofd_take_folio(pages, folio, skip, index, nr);
	return rc ? rc : nr;
}

static long take_pages(struct iofd_pages *pages, struct page **array,
		       unsigned long index, unsigned long nr)
{
	unsigned long *pfns = (unsigned long *)array;
	unsigned long i;
	int rc;

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

/* Is there room for a hugetlb folio, so that looking for one can pay? */
#define HUGETLB_MIN_PAGES (PMD_SIZE / PAGE_SIZE)

static long user_pin(struct iofd_pages *pages, struct iofd_pin_scratch *scratch,
		     unsigned long first, unsigned long last)
{
	unsigned long nr = min(last - first + 1, (unsigned long)INT_MAX);
	unsigned long have = 0;
	long got;

	if (nr >= HUGETLB_MIN_PAGES) {
		got = pin_user(pages, first, 1, scratch->pages);
		if (got < 0)
			return got;
		if (folio_test_hugetlb(page_folio(scratch->pages[0])))
			return take_hugetlb(pages, scratch->pages[0], first,
					    nr);
		have = 1;
	}

	nr = min(nr, scratch->nr);
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
	struct mm_struct *mm = pages->payer.mm;
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
 * The memory is not looked at before it is pinned.
 *
 * Return: page set with one reference; ERR_PTR(-EOVERFLOW) if @uptr + @length
 * overflows; ERR_PTR(-EINVAL) if @length is 0 or beyond SIZE_MAX - PAGE_SIZE;
 * ERR_PTR(-ENOMEM).
 */
struct iofd_pages *iofd_user_pages_create(unsigned long uptr,
					  unsigned long length, bool writable,
					  struct iofd_account *account)
{
	struct iofd_pages *pages;
	unsigned long end;

	if (check_add_overflow(uptr, length, &end))
		return ERR_PTR(-EOVERFLOW);
	if (!length || length > SIZE_MAX - PAGE_SIZE)
		return ERR_PTR(-EINVAL);

	pages = kzalloc_obj(*pages, GFP_KERNEL_ACCOUNT);
	if (!pages)
		return ERR_PTR(-ENOMEM);

	iofd_pages_init(pages, &user_source, uptr, length, writable);
	pages->prot = IOMMU_CACHE;
	iofd_payer_init(&pages->payer, account);
	return pages;
}

/* Make the calling task the payer of what is pinned. */
static int change_payer(struct iofd_pages *pages, struct iofd_account *account)
{
	struct iofd_payer next;
	int rc = 0;

	lockdep_assert_held(&pages->lock);

	if (pages->payer.mm == current->mm)
		return 0;
	iofd_payer_init(&next, account);
	if (pages->npinned)
		rc = iofd_charge(&next, pages->npinned);
	if (rc) {
		iofd_payer_fini(&next);
		return rc;
	}
	if (pages->npinned)
		iofd_uncharge(&pages->payer, pages->npinned);
	iofd_payer_fini(&pages->payer);
	pages->payer = next;
	return 0;
}

/**
 * iofd_user_pages_move - the memory is at another address, or in another process
 * @pages: page set
 * @uptr: address of its first byte in the calling process, in its page where it
 *        was before
 * @account: the context's account
 *
 * What is pinned stays pinned, and is charged to the caller from now on.  The
 * caller keeps in-kernel users away, and others from taking a reference.
 *
 * Return: 0; -EINVAL no process memory, or another place in the page, or the
 * end of the memory would not be an address; -EBUSY the set is shared, so that
 * somebody elsewhere may be using the old address; -ENOMEM over the caller's
 * limit.  On failure nothing has changed.
 */
int iofd_user_pages_move(struct iofd_pages *pages, unsigned long uptr,
			 struct iofd_account *account)
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
	rc = change_payer(pages, account);
	if (!rc)
		pages->addr = uptr;
	mutex_unlock(&pages->lock);
	return rc;
}
