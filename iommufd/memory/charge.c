// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: charging pinned memory
 *
 * Pinned pages cannot be reclaimed, so an unprivileged user may pin only up to
 * RLIMIT_MEMLOCK.  Each page set has one payer, taken from the task that
 * mapped it; what a task maps one after the other has the same.  A charge is
 * made for a number of pages before the first of them is pinned; if the limit
 * refuses it, nothing has been pinned.
 *
 * ========  =========================================  ====================
 * mode      counter that is compared with the limit    also counted
 * ========  =========================================  ====================
 * user      user_struct locked_vm of the mapper        mm pinned_vm (VmPin)
 * process   mm locked_vm (VmLck) of the mapper         mm pinned_vm (VmPin)
 * fd        a counter of the context                   mm pinned_vm (VmPin)
 * none      none: the mapper had CAP_IPC_LOCK          mm pinned_vm (VmPin)
 * ========  =========================================  ====================
 *
 * User mode makes all virtual machines of one user share one limit, which is
 * the ABI's default; process and fd mode give each its own.  In every mode the
 * pages are also charged to a cgroup, whose limit nobody is free of: see
 * memory/cgroup.c.
 *
 * The payer outlives the process: the mm is kept as a bare structure, so that
 * what was charged can always be returned to the counter it came from.  Only a
 * new charge needs a process that still runs.  The account keeps the last payer
 * until another task maps or the context ends, also if nothing is mapped.
 *
 * A payer can have a successor (IOMMU_IOAS_CHANGE_PROCESS), for one page set
 * after the other.  From prepare to commit both pay, so that until then nothing
 * is decided and after it nothing can fail.  A counter that is the same for both
 * is not charged twice: it simply stays.
 */
#include <linux/bits.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/user.h>
#include <linux/slab.h>

#include "base/check.h"
#include "memory/charge.h"
#include "trace.h"

const char *const iofd_charge_mode_names[] = {
	[IOFD_CHARGE_USER] = "user",
	[IOFD_CHARGE_PROCESS] = "process",
	[IOFD_CHARGE_FD] = "fd",
	[IOFD_CHARGE_NONE] = "none",
	NULL,
};

/* What one charge consists of, in this order. */
#define PART_LIMITED	BIT(0)	/* the counter of the mode */
#define PART_CGROUP	BIT(1)
#define PART_MM		BIT(2)	/* VmPin */
#define PART_ACCOUNT	BIT(3)	/* the context's sum */
#define PART_ALL	(PART_LIMITED | PART_CGROUP | PART_MM | PART_ACCOUNT)

/**
 * iofd_account_init - set up the account of a context
 * @account: account, zeroed
 * @context: number of the context
 * @mode: accounting mode to begin with
 */
void iofd_account_init(struct iofd_account *account, u64 context,
		       enum iofd_charge_mode mode)
{
	account->context = context;
	account->mode = mode;
	spin_lock_init(&account->lock);
}

/**
 * iofd_account_fini - undo iofd_account_init()
 * @account: account to which nothing is charged any more, nor will be
 */
void iofd_account_fini(struct iofd_account *account)
{
	WARN_ON(atomic_long_read(&account->pinned) ||
		atomic_long_read(&account->limited));
	iofd_payer_put(account->last);
}

static struct iofd_payer *make_payer(struct iofd_account *account,
				     enum iofd_charge_mode mode)
{
	struct iofd_payer *payer;

	payer = kzalloc_obj(*payer, GFP_KERNEL_ACCOUNT);
	if (!payer)
		return NULL;
	refcount_set(&payer->refs, 1);
	payer->mode = mode;
	payer->account = account;
	payer->mm = current->mm;
	mmgrab(payer->mm);
	payer->task = get_task_struct(current->group_leader);
	payer->user = get_uid(current_user());
	return payer;
}

static bool is_callers(const struct iofd_payer *payer,
		       enum iofd_charge_mode mode)
{
	return payer->mm == current->mm && payer->mode == mode &&
	       payer->task == current->group_leader &&
	       payer->user == current_user();
}

/* The calling task as a payer: the last one, or one that becomes it. */
static struct iofd_payer *get_payer(struct iofd_account *account,
				    enum iofd_charge_mode mode)
{
	struct iofd_payer *payer, *old;

	spin_lock(&account->lock);
	payer = account->last;
	if (payer && is_callers(payer, mode)) {
		refcount_inc(&payer->refs);
		spin_unlock(&account->lock);
		return payer;
	}
	spin_unlock(&account->lock);

	payer = make_payer(account, mode);
	if (!payer)
		return NULL;
	refcount_inc(&payer->refs);
	spin_lock(&account->lock);
	old = account->last;
	account->last = payer;
	spin_unlock(&account->lock);
	iofd_payer_put(old);
	return payer;
}

/**
 * iofd_payer_get - the calling task as a payer
 * @account: the context's account, which says the mode
 *
 * A task with CAP_IPC_LOCK in the initial user namespace has no limit.
 *
 * Return: payer with one more reference, or NULL without memory.
 */
struct iofd_payer *iofd_payer_get(struct iofd_account *account)
{
	return get_payer(account, capable(CAP_IPC_LOCK) ?
					  IOFD_CHARGE_NONE :
					  READ_ONCE(account->mode));
}

/**
 * iofd_payer_put - drop a reference on a payer
 * @payer: payer; NULL: nothing is done
 *
 * Does not touch the account, which may be gone.
 */
void iofd_payer_put(struct iofd_payer *payer)
{
	if (!payer || !refcount_dec_and_test(&payer->refs))
		return;
	free_uid(payer->user);
	put_task_struct(payer->task);
	mmdrop(payer->mm);
	kfree(payer);
}

static unsigned long memlock_pages(const struct iofd_payer *payer)
{
	return task_rlimit(payer->task, RLIMIT_MEMLOCK) >> PAGE_SHIFT;
}

static int charge_counter(atomic_long_t *counter, unsigned long npages,
			  unsigned long limit)
{
	long now = atomic_long_read(counter);
	unsigned long after;

	do {
		if (check_add_overflow((unsigned long)now, npages, &after) ||
		    after > limit)
			return -ENOMEM;
	} while (!atomic_long_try_cmpxchg(counter, &now, after));
	return 0;
}

static int charge_process(struct iofd_payer *payer, unsigned long npages)
{
	int rc;

	if (!mmget_not_zero(payer->mm))
		return -EINVAL;
	mmap_write_lock(payer->mm);
	rc = __account_locked_vm(payer->mm, npages, true, payer->task, false);
	mmap_write_unlock(payer->mm);
	/* Never tear down an mm from inside a map: this may be the last user. */
	mmput_async(payer->mm);
	return rc;
}

static int charge_limited(struct iofd_payer *payer, unsigned long npages)
{
	int rc;

	switch (payer->mode) {
	case IOFD_CHARGE_USER:
		rc = charge_counter(&payer->user->locked_vm, npages,
				    memlock_pages(payer));
		break;
	case IOFD_CHARGE_PROCESS:
		rc = charge_process(payer, npages);
		break;
	case IOFD_CHARGE_FD:
		rc = charge_counter(&payer->account->limited, npages,
				    memlock_pages(payer));
		break;
	case IOFD_CHARGE_NONE:
	default:
		rc = 0;
		break;
	}
	if (rc == -ENOMEM)
		pr_info_ratelimited("%s[%d]: pinning %lu KiB for device access exceeds RLIMIT_MEMLOCK (%lu KiB, counted per %s); raise the limit (ulimit -l) or map less\n",
				    current->comm, task_pid_nr(current),
				    npages << (PAGE_SHIFT - 10),
				    memlock_pages(payer) << (PAGE_SHIFT - 10),
				    iofd_charge_mode_names[payer->mode]);
	return rc;
}

static void uncharge_limited(struct iofd_payer *payer, unsigned long npages)
{
	switch (payer->mode) {
	case IOFD_CHARGE_USER:
		atomic_long_sub(npages, &payer->user->locked_vm);
		break;
	case IOFD_CHARGE_PROCESS:
		mmap_write_lock(payer->mm);
		__account_locked_vm(payer->mm, npages, false, payer->task,
				    false);
		mmap_write_unlock(payer->mm);
		break;
	case IOFD_CHARGE_FD:
		atomic_long_sub(npages, &payer->account->limited);
		break;
	case IOFD_CHARGE_NONE:
	default:
		break;
	}
}

static int charge_cgroup(struct iofd_bill *bill, unsigned long npages)
{
	int rc;

	rc = iofd_cgroup_charge(&bill->tab, bill->npages + npages);
	if (rc != -EDQUOT)
		return rc;
	pr_info_ratelimited("%s[%d]: pinning %lu KiB for device access exceeds the limit of its cgroup; raise iommufd/pinned in dmem.max of the cgroup or of one above it, or map less\n",
			    current->comm, task_pid_nr(current),
			    npages << (PAGE_SHIFT - 10));
	return -ENOMEM;
}

static int try_parts(struct iofd_bill *bill, unsigned long npages,
		     unsigned int parts)
{
	struct iofd_payer *payer = bill->payer;
	int rc;

	if (iofd_fault())
		return -ENOMEM;

	if (parts & PART_LIMITED) {
		rc = charge_limited(payer, npages);
		if (rc)
			return rc;
	}
	if (parts & PART_CGROUP) {
		rc = charge_cgroup(bill, npages);
		if (rc) {
			if (parts & PART_LIMITED)
				uncharge_limited(payer, npages);
			return rc;
		}
	}
	if (parts & PART_MM)
		atomic64_add(npages, &payer->mm->pinned_vm);
	if (parts & PART_ACCOUNT)
		atomic_long_add(npages, &payer->account->pinned);
	bill->npages += npages;
	return 0;
}

static int charge_parts(struct iofd_bill *bill, unsigned long npages,
			unsigned int parts)
{
	int rc = try_parts(bill, npages, parts);

	trace_iommufd_charge(bill->payer->account->context,
			     bill->payer->task->tgid,
			     __kuid_val(bill->payer->user->uid),
			     iofd_charge_mode_names[bill->payer->mode], parts,
			     npages, rc);
	return rc;
}

static void uncharge_parts(struct iofd_bill *bill, unsigned long npages,
			   unsigned int parts)
{
	struct iofd_payer *payer = bill->payer;

	trace_iommufd_uncharge(payer->account->context, payer->task->tgid,
			       __kuid_val(payer->user->uid),
			       iofd_charge_mode_names[payer->mode], parts,
			       npages);
	iofd_check(npages <= bill->npages);
	bill->npages -= npages;
	if (parts & PART_ACCOUNT)
		atomic_long_sub(npages, &payer->account->pinned);
	if (parts & PART_MM)
		atomic64_sub(npages, &payer->mm->pinned_vm);
	if (parts & PART_CGROUP)
		iofd_cgroup_uncharge(&bill->tab, bill->npages);
	if (parts & PART_LIMITED)
		uncharge_limited(payer, npages);
}

/**
 * iofd_charge - charge pages that are about to be pinned
 * @bill: who pays, and what it is added to
 * @npages: number of pages, not zero
 *
 * Return: 0; -ENOMEM over RLIMIT_MEMLOCK or the limit of a cgroup, or no memory;
 * -EINVAL if the process that would have to pay has exited (process mode only).
 */
int iofd_charge(struct iofd_bill *bill, unsigned long npages)
{
	return charge_parts(bill, npages, PART_ALL);
}

/**
 * iofd_uncharge - return a charge after its pages are unpinned
 * @bill: who paid, and what it is taken from
 * @npages: number of pages, not zero and not more than are charged
 *
 * Works whether the process still runs or not: the counters outlive it.
 */
void iofd_uncharge(struct iofd_bill *bill, unsigned long npages)
{
	uncharge_parts(bill, npages, PART_ALL);
}

/* Which of the counters that @bill is charged to are not those of @next too. */
static unsigned int different_parts(const struct iofd_payer *next,
				    const struct iofd_bill *bill)
{
	const struct iofd_payer *payer = bill->payer;
	unsigned int parts = 0;

	if ((payer->mode == IOFD_CHARGE_USER && payer->user != next->user) ||
	    (payer->mode == IOFD_CHARGE_PROCESS && payer->mm != next->mm))
		parts |= PART_LIMITED;
	if (!iofd_cgroup_is_callers(&bill->tab))
		parts |= PART_CGROUP;
	if (payer->mm != next->mm)
		parts |= PART_MM;
	return parts;
}

static void free_successor(struct iofd_successor *next)
{
	iofd_payer_put(next->bill.payer);
	kfree(next);
}

/**
 * iofd_successor_prepare - make the calling task the successor of a payer
 * @bill: what the payer is charged
 *
 * The mode stays what it was.  On success the successor is charged as @bill is,
 * and is to be charged and uncharged with it from now on.
 *
 * Return: successor; ERR_PTR() of what iofd_charge() returns.
 */
struct iofd_successor *iofd_successor_prepare(const struct iofd_bill *bill)
{
	struct iofd_successor *next;
	int rc = -ENOMEM;

	next = kzalloc_obj(*next, GFP_KERNEL_ACCOUNT);
	if (!next)
		return ERR_PTR(-ENOMEM);
	next->bill.payer = get_payer(bill->payer->account, bill->payer->mode);
	if (!next->bill.payer)
		goto err_free;
	next->parts = different_parts(next->bill.payer, bill);
	rc = bill->npages ? iofd_successor_charge(next, bill->npages) : 0;
	if (rc)
		goto err_free;
	return next;

err_free:
	free_successor(next);
	return ERR_PTR(rc);
}

/**
 * iofd_successor_cancel - undo iofd_successor_prepare()
 * @next: successor that is not to be
 */
void iofd_successor_cancel(struct iofd_successor *next)
{
	if (next->bill.npages)
		iofd_successor_uncharge(next, next->bill.npages);
	free_successor(next);
}

/**
 * iofd_successor_commit - put the successor in the place of a payer
 * @next: prepared successor; gone afterwards
 * @bill: what the payer was charged; becomes what the successor is charged
 */
void iofd_successor_commit(struct iofd_successor *next, struct iofd_bill *bill)
{
	iofd_check(next->bill.npages == bill->npages);
	if (bill->npages)
		uncharge_parts(bill, bill->npages, next->parts);
	if (!(next->parts & PART_CGROUP))
		next->bill.tab = bill->tab;
	/* What is freed with the successor is who paid. */
	swap(*bill, next->bill);
	free_successor(next);
}

/**
 * iofd_successor_charge - charge a successor for what its predecessor is
 * @next: successor
 * @npages: number of pages, not zero
 *
 * Return: what iofd_charge() returns.
 */
int iofd_successor_charge(struct iofd_successor *next, unsigned long npages)
{
	return charge_parts(&next->bill, npages, next->parts);
}

/**
 * iofd_successor_uncharge - return what a successor was charged
 * @next: successor
 * @npages: number of pages, not zero and not more than are charged
 */
void iofd_successor_uncharge(struct iofd_successor *next, unsigned long npages)
{
	uncharge_parts(&next->bill, npages, next->parts);
}

/**
 * iofd_charge_budget - how much the calling task could still have pinned
 * @account: the context's account
 *
 * As far as RLIMIT_MEMLOCK goes; what its cgroup has left is told by dmem.max
 * and dmem.current.
 *
 * Return: bytes; U64_MAX without a limit.
 */
u64 iofd_charge_budget(struct iofd_account *account)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK);
	unsigned long used;

	if (capable(CAP_IPC_LOCK) || limit == RLIM_INFINITY)
		return U64_MAX;
	limit >>= PAGE_SHIFT;

	switch (READ_ONCE(account->mode)) {
	case IOFD_CHARGE_PROCESS:
		used = READ_ONCE(current->mm->locked_vm);
		break;
	case IOFD_CHARGE_FD:
		used = atomic_long_read(&account->limited);
		break;
	case IOFD_CHARGE_USER:
	default:
		used = atomic_long_read(&current_user()->locked_vm);
		break;
	}
	return used < limit ? (u64)(limit - used) << PAGE_SHIFT : 0;
}
