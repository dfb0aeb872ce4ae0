// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: device memory in a process's address space
 *
 * The mmap of a PCI BAR has page table entries and no struct pages: nothing to
 * pin.  So the page set follows the CPU's page tables: what the process can
 * reach at the address, devices can; what it cannot reach any more is taken
 * out of all domains before whoever takes it away goes on::
 *
 *                  resolve                    an mmu notifier
 *     (none) ------------------> PRESENT ------------------------> REVOKED
 *        |   first prepare          ^      munmap, mprotect, exit     |
 *        | EFAULT: the map or       |      memory decode off, reset   |
 *        v attach is refused        +------- resolve, by a timer -----+
 *
 * resolve looks at the page tables of the whole range and has the owner fill
 * them where they are empty, as a CPU access would; it wants every page, with
 * the rights.  It must not hold the set's lock meanwhile: a fault waits for
 * locks of the owner (memory_lock of vfio-pci), whose holder revokes, and that
 * waits for the set's lock.  The notifier's sequence number tells whether
 * something was taken away since the look began, then it is taken again.
 *
 * All or nothing: if a part of the range goes, the whole set does, and it comes
 * back when all of it can be reached.  A revoked set is looked at every
 * 100 to 400 ms, until it is released or its process has gone.  What counts is
 * what lies at the address, as with ordinary memory.
 *
 * An mm structure is kept by the notifier, an address space is not.
 *
 * Locks: the set's lock (memory/devmem.h) is inside of everything a notifier is
 * called under, reclaim among it, so nothing under it may wait for memory.
 * revoked_lock is inside of it.
 */
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/overflow.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "base/check.h"
#include "memory/devmem.h"
#include "memory/pfnmap.h"

bool iofd_pfnmap_allow = true;

/* How often resolve begins again because something changed under its eyes. */
#define RESOLVE_TRIES 32
/* How often an owner may drop mmap_lock in a fault and still not map a page. */
#define FAULT_TRIES 16

/* How long a revoked set waits for the next look at it. */
#define DELAY_MIN_MS 100
#define DELAY_MAX_MS 400

/**
 * struct pfnmap_pages - device memory at an address
 * @mem: the page set
 * @notifier: tells when the range's page table entries go; has the mm
 * @link: in the list of revoked sets; guarded by revoked_lock
 * @seen: was present once; written under @mem.lock
 */
struct pfnmap_pages {
	struct iofd_devmem mem;
	struct mmu_interval_notifier notifier;
	struct list_head link;
	bool seen;
};

/**
 * struct found - what is found in the page tables
 * @runs: from kvmalloc
 * @nr: how many of them
 * @room: for how many there is room
 * @why: where it failed: the reason, for people
 */
struct found {
	struct iofd_run *runs;
	unsigned long nr;
	unsigned long room;
	const char *why;
};

/* Sets that were present, are revoked, and may come back. */
static LIST_HEAD(revoked_sets);
static DEFINE_SPINLOCK(revoked_lock);
static unsigned int delay_ms = DELAY_MIN_MS;
static void restore_revoked(struct work_struct *work);
static DECLARE_DELAYED_WORK(restore_work, restore_revoked);

static struct pfnmap_pages *to_pfnmap(struct iofd_pages *pages)
{
	return container_of(iofd_devmem_of(pages), struct pfnmap_pages, mem);
}

static void explain(unsigned long addr, const char *why)
{
	pr_info_ratelimited("%s[%d]: cannot map device memory at 0x%lx: %s\n",
			    current->comm, task_pid_nr(current), addr, why);
}

static int refuse(struct found *found, const char *why)
{
	found->why = why;
	return -EFAULT;
}

/* The VMA at @addr, if a device may use it. */
static struct vm_area_struct *usable_vma(struct mm_struct *mm,
					 unsigned long addr, bool writable,
					 struct found *found)
{
	struct vm_area_struct *vma = vma_lookup(mm, addr);

	if (!vma || !(vma->vm_flags & VM_PFNMAP)) {
		refuse(found, "only part of the range is device memory");
		return NULL;
	}
	if (!(vma->vm_flags & VM_READ) ||
	    (writable && !(vma->vm_flags & VM_WRITE))) {
		refuse(found, "the process itself does not have these rights");
		return NULL;
	}
	return vma;
}

/*
 * Find the page table entry of args->address, if need be by a fault.
 *
 * 0 with the entry's lock held until follow_pfnmap_end(); -EAGAIN mmap_lock was
 * dropped, and the VMA with it; -EFAULT; -ENOMEM; -EINTR.
 */
static int follow(struct mm_struct *mm, struct follow_pfnmap_args *args,
		  bool writable)
{
	unsigned int flags = FAULT_FLAG_REMOTE;
	bool unlocked = false;
	int rc;

	if (!follow_pfnmap_start(args)) {
		if (!writable || args->writable)
			return 0;
		follow_pfnmap_end(args);
	}
	if (writable)
		flags |= FAULT_FLAG_WRITE;
	rc = fixup_user_fault(mm, args->address, flags, &unlocked);
	if (rc)
		return rc == -ENOMEM || rc == -EINTR ? rc : -EFAULT;
	if (unlocked)
		return -EAGAIN;
	if (follow_pfnmap_start(args))
		return -EFAULT;
	if (writable && !args->writable) {
		follow_pfnmap_end(args);
		return -EFAULT;
	}
	return 0;
}

/* Memory that could have been pinned must not get by without. */
static bool is_ordinary(unsigned long pfn)
{
	return pfn_valid(pfn) && !PageReserved(pfn_to_page(pfn));
}

static int add_piece(struct found *found, unsigned long pfn, unsigned long nr)
{
	struct iofd_run *last = NULL, *runs;
	unsigned long room;

	if (found->nr) {
		last = &found->runs[found->nr - 1];
		if (last->pfn + (last->last - last->first + 1) == pfn) {
			last->last += nr;
			return 0;
		}
	}
	if (found->nr == found->room) {
		room = found->room ? found->room * 2 : 4;
		runs = kvrealloc(found->runs, array_size(room, sizeof(*runs)),
				 GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
		if (!runs)
			return -ENOMEM;
		last = found->nr ? &runs[found->nr - 1] : NULL;
		found->runs = runs;
		found->room = room;
	}
	runs = &found->runs[found->nr++];
	runs->first = last ? last->last + 1 : 0;
	runs->last = runs->first + (nr - 1);
	runs->pfn = pfn;
	return 0;
}

/* What one entry shows of [addr, end) in its VMA. */
static int add_entry(struct found *found, struct follow_pfnmap_args *args,
		     unsigned long end)
{
	unsigned long pfn = args->pfn;
	unsigned long last = args->address | ~args->addr_mask;
	unsigned long nr;

	last = min(last, min(end, args->vma->vm_end) - 1);
	nr = ((last - args->address) >> PAGE_SHIFT) + 1;
	follow_pfnmap_end(args);

	if (is_ordinary(pfn) || is_ordinary(pfn + (nr - 1)))
		return refuse(found, "its page frames are ordinary memory");
	return add_piece(found, pfn, nr) ?: nr;
}

/* Look at all of the set's addresses.  mmap_lock is held, and may be dropped. */
static int find_frames(struct pfnmap_pages *pfnmap, struct mm_struct *mm,
		       struct found *found)
{
	struct iofd_pages *pages = &pfnmap->mem.pages;
	unsigned long addr = pages->addr & PAGE_MASK;
	unsigned long end = addr + (iofd_pages_nr(pages) << PAGE_SHIFT);
	struct follow_pfnmap_args args = {};
	unsigned int tries = 0;
	long rc;

	while (addr < end) {
		if (!args.vma || addr >= args.vma->vm_end) {
			args.vma = usable_vma(mm, addr, pages->writable, found);
			if (!args.vma)
				return -EFAULT;
		}
		args.address = addr;
		rc = follow(mm, &args, pages->writable);
		if (rc == -EAGAIN && ++tries < FAULT_TRIES) {
			args.vma = NULL;
			continue;
		}
		if (rc == -ENOMEM || rc == -EINTR)
			return rc;
		if (rc)
			return refuse(found, "its owner does not give access to it now");
		rc = add_entry(found, &args, end);
		if (rc < 0)
			return rc;
		addr += rc << PAGE_SHIFT;
		tries = 0;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* If nothing was taken away since the look: present.  Consumes what is found. */
static int enter(struct pfnmap_pages *pfnmap, struct found *found,
		 unsigned long seq)
{
	struct iofd_devmem *mem = &pfnmap->mem;
	int rc;

	mutex_lock(&mem->lock);
	if (mmu_interval_read_retry(&pfnmap->notifier, seq)) {
		rc = -EAGAIN;
	} else if (mem->runs) {
		/* Somebody else was faster. */
		kvfree(found->runs);
		rc = 0;
	} else {
		rc = iofd_devmem_restore_locked(mem, found->runs, found->nr);
		if (!rc)
			WRITE_ONCE(pfnmap->seen, true);
	}
	mutex_unlock(&mem->lock);
	if (!rc)
		found->runs = NULL;
	return rc;
}

/*
 * Make the set present.  0; -EFAULT not there, or not with the rights; -EAGAIN
 * it changes too often; -ESRCH the process has gone; -ENOMEM; -EINTR.
 */
static int resolve(struct pfnmap_pages *pfnmap, const char **why)
{
	struct mm_struct *mm = pfnmap->notifier.mm;
	struct found found = {};
	unsigned int tries = 0;
	unsigned long seq;
	int rc;

	*why = "its process has gone";
	if (!mmget_not_zero(mm))
		return -ESRCH;
	do {
		found.nr = 0;
		found.why = "its mapping changes all the time";
		seq = mmu_interval_read_begin(&pfnmap->notifier);
		rc = mmap_read_lock_killable(mm);
		if (rc)
			break;
		rc = find_frames(pfnmap, mm, &found);
		mmap_read_unlock(mm);
		if (!rc)
			rc = enter(pfnmap, &found, seq);
	} while (rc == -EAGAIN && ++tries < RESOLVE_TRIES);
	/* Never tear down an mm from in here: this may be its last user. */
	mmput_async(mm);
	kvfree(found.runs);
	*why = found.why;
	return rc;
}

/* What was there once is waited for; a map or attach does not fail for it. */
static int pfnmap_prepare(struct iofd_pages *pages)
{
	struct pfnmap_pages *pfnmap = to_pfnmap(pages);
	const char *why;
	int rc;

	if (READ_ONCE(pfnmap->seen))
		return 0;
	if (iofd_fault())
		return -EFAULT;
	rc = resolve(pfnmap, &why);
	if (!rc || READ_ONCE(pfnmap->seen))
		return 0;
	if (rc == -ENOMEM || rc == -EINTR)
		return rc;
	explain(pages->addr, why);
	return -EFAULT;
}

/* A look at a revoked set: is there reason for another one? */
static bool look_again(struct pfnmap_pages *pfnmap, bool *restored)
{
	const char *why;
	int rc;

	rc = resolve(pfnmap, &why);
	if (!rc)
		*restored = true;
	return rc && rc != -ESRCH;
}

/* Put a set on the list, once.  Its lock, or a reference to it, is held. */
static void watch(struct pfnmap_pages *pfnmap)
{
	spin_lock(&revoked_lock);
	if (list_empty(&pfnmap->link))
		list_add_tail(&pfnmap->link, &revoked_sets);
	spin_unlock(&revoked_lock);
}

static void unwatch(struct pfnmap_pages *pfnmap)
{
	spin_lock(&revoked_lock);
	list_del_init(&pfnmap->link);
	spin_unlock(&revoked_lock);
}

/* Take the first set off a list, with a reference; NULL: there is none. */
static struct pfnmap_pages *next_revoked(struct list_head *list)
{
	struct pfnmap_pages *pfnmap = NULL;

	spin_lock(&revoked_lock);
	while (!list_empty(list)) {
		pfnmap = list_first_entry(list, struct pfnmap_pages, link);
		list_del_init(&pfnmap->link);
		if (kref_get_unless_zero(&pfnmap->mem.pages.kref))
			break;
		/* It is being released. */
		pfnmap = NULL;
	}
	spin_unlock(&revoked_lock);
	return pfnmap;
}

/* The work: bring back what can be. */
static void restore_revoked(struct work_struct *work)
{
	unsigned int delay = READ_ONCE(delay_ms);
	struct pfnmap_pages *pfnmap;
	bool restored = false;
	LIST_HEAD(list);
	bool more;

	/* Sets leave this list as they leave the other, under the lock. */
	spin_lock(&revoked_lock);
	list_splice_init(&revoked_sets, &list);
	spin_unlock(&revoked_lock);

	while ((pfnmap = next_revoked(&list))) {
		if (look_again(pfnmap, &restored))
			watch(pfnmap);
		iofd_pages_put(&pfnmap->mem.pages);
		cond_resched();
	}

	spin_lock(&revoked_lock);
	more = !list_empty(&revoked_sets);
	spin_unlock(&revoked_lock);
	delay = restored ? DELAY_MIN_MS : min(delay * 2, DELAY_MAX_MS);
	WRITE_ONCE(delay_ms, delay);
	if (more)
		queue_delayed_work(system_dfl_wq, &restore_work,
				   msecs_to_jiffies(delay));
}

static void come_back_later(struct pfnmap_pages *pfnmap)
{
	watch(pfnmap);
	WRITE_ONCE(delay_ms, DELAY_MIN_MS);
	queue_delayed_work(system_dfl_wq, &restore_work,
			   msecs_to_jiffies(DELAY_MIN_MS));
}

/* Entries of a part of the range go, or lose rights: all of it goes. */
static bool pfnmap_invalidate(struct mmu_interval_notifier *notifier,
			      const struct mmu_notifier_range *range,
			      unsigned long seq)
{
	struct pfnmap_pages *pfnmap =
		container_of(notifier, struct pfnmap_pages, notifier);
	bool present;

	/* The same frames with the same rights as before. */
	if (range->event == MMU_NOTIFY_SOFT_DIRTY)
		return true;
	if (!mmu_notifier_range_blockable(range))
		return false;

	mutex_lock(&pfnmap->mem.lock);
	mmu_interval_set_seq(notifier, seq);
	present = pfnmap->mem.runs;
	iofd_devmem_revoke_locked(&pfnmap->mem);
	if (present && range->event != MMU_NOTIFY_RELEASE)
		come_back_later(pfnmap);
	mutex_unlock(&pfnmap->mem.lock);
	return true;
}

static const struct mmu_interval_notifier_ops notifier_ops = {
	.invalidate = pfnmap_invalidate,
};

static void pfnmap_release(struct iofd_pages *pages)
{
	struct pfnmap_pages *pfnmap = to_pfnmap(pages);

	/* In this order: the notifier puts it on the list. */
	mmu_interval_notifier_remove(&pfnmap->notifier);
	unwatch(pfnmap);
	iofd_devmem_fini(&pfnmap->mem);
}

static const struct iofd_pages_source pfnmap_source = {
	.name = "pfnmap",
	.devmem = true,
	.prepare = pfnmap_prepare,
	.release = pfnmap_release,
};

static bool is_device_memory(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma;
	bool is;

	addr = untagged_addr(addr);
	vma = lock_vma_under_rcu(mm, addr);
	if (vma) {
		is = vma->vm_flags & VM_PFNMAP;
		vma_end_read(vma);
		return is;
	}
	mmap_read_lock(mm);
	vma = vma_lookup(mm, addr);
	is = vma && (vma->vm_flags & VM_PFNMAP);
	mmap_read_unlock(mm);
	return is;
}

/**
 * iofd_pfnmap_at - should this address be mapped as device memory?
 * @uptr: address in the calling process
 *
 * May take mmap_lock.
 *
 * Return: true if it lies in a PFN-mapped VMA and that is allowed.
 */
bool iofd_pfnmap_at(unsigned long uptr)
{
	return READ_ONCE(iofd_pfnmap_allow) &&
	       is_device_memory(current->mm, uptr);
}

/**
 * iofd_pfnmap_explain - say why an address could not be pinned
 * @uptr: address in the calling process
 *
 * Says something only if there is device memory, and not too often.  May take
 * mmap_lock.
 */
void iofd_pfnmap_explain(unsigned long uptr)
{
	if (!is_device_memory(current->mm, uptr))
		return;
	if (READ_ONCE(iofd_pfnmap_allow))
		explain(uptr, "only part of the range is device memory");
	else
		explain(uptr, "the module parameter allow_pfnmap is off");
}

/**
 * iofd_pfnmap_pages_create - a page set of device memory in the calling process
 * @uptr: address of the first byte, any alignment
 * @length: number of bytes, not 0; @uptr + @length must not overflow
 * @writable: devices may write
 *
 * What is there is looked at when the set is first loaded in a domain.
 *
 * Return: page set with one reference; ERR_PTR(-ENOMEM);
 * ERR_PTR(-EOVERFLOW) if the last page is the last one there is;
 * ERR_PTR(-EINTR) a fatal signal is pending.
 */
struct iofd_pages *iofd_pfnmap_pages_create(unsigned long uptr,
					    unsigned long length, bool writable)
{
	unsigned long addr = untagged_addr(uptr);
	struct pfnmap_pages *pfnmap;
	struct iofd_pages *pages;
	unsigned long end;
	int rc;

	/* The end of the last page: addresses are compared with it. */
	if (check_add_overflow(addr, length - 1, &end) ||
	    check_add_overflow(end | ~PAGE_MASK, 1, &end))
		return ERR_PTR(-EOVERFLOW);

	pfnmap = kzalloc_obj(*pfnmap, GFP_KERNEL_ACCOUNT);
	if (!pfnmap)
		return ERR_PTR(-ENOMEM);
	mutex_init(&pfnmap->mem.lock);
	INIT_LIST_HEAD(&pfnmap->link);
	pages = &pfnmap->mem.pages;
	iofd_devmem_init(&pfnmap->mem, &pfnmap_source, addr, length, writable,
			 GFP_NOWAIT | __GFP_ACCOUNT | __GFP_NOWARN);
	rc = mmu_interval_notifier_insert(&pfnmap->notifier, current->mm,
					  addr & PAGE_MASK,
					  iofd_pages_nr(pages) << PAGE_SHIFT,
					  &notifier_ops);
	if (rc) {
		iofd_devmem_fini(&pfnmap->mem);
		kfree(pfnmap);
		return ERR_PTR(rc);
	}
	return pages;
}

/**
 * iofd_pfnmap_exit - end what goes on in the background
 *
 * No page set is in use any more.
 */
void iofd_pfnmap_exit(void)
{
	cancel_delayed_work_sync(&restore_work);
}
