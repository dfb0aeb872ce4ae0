// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: charging pinned memory
 *
 * Pinned pages cannot be reclaimed, so an unprivileged user may pin only up to
 * RLIMIT_MEMLOCK.  Each page set has one payer, taken from the task that
 * mapped it.  A charge is made for a number of pages before the first of them
 * is pinned; if the limit refuses it, nothing has been pinned.
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
 * new charge needs a process that still runs.
 *
 * A payer can have a successor (IOMMU_IOAS_CHANGE_PROCESS).  From prepare to
 * commit both pay, so that until then nothing is decided and after it nothing
 * can fail.  A counter that is the same for both is not charged twice: it simply
 * stays.
 */
#include <linux/bits.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/user.h>

#include "base/check.h"
#include "memory/charge.h"

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

static void set_owner(struct iofd_payer *payer)
{
	payer->mm = current->mm;
	mmgrab(payer->mm);
	payer->task = get_task_struct(current->group_leader);
	payer->user = get_uid(current_user());
}

/**
 * iofd_payer_init - make the calling task the payer
 * @payer: payer to set up
 * @account: the context's account, which says the mode
 *
 * A task with CAP_IPC_LOCK in the initial user namespace has no limit.
 */
void iofd_payer_init(struct iofd_payer *payer, struct iofd_account *account)
{
	payer->mode = capable(CAP_IPC_LOCK) ? IOFD_CHARGE_NONE :
					      READ_ONCE(account->mode);
	payer->account = account;
	payer->parts = PART_ALL;
	set_owner(payer);
}

/**
 * iofd_payer_fini - undo iofd_payer_init()
 * @payer: payer for whom nothing is charged any more
 */
void iofd_payer_fini(struct iofd_payer *payer)
{
	free_uid(payer->user);
	put_task_struct(payer->task);
	mmdrop(payer->mm);
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

static int charge_cgroup(struct iofd_payer *payer, unsigned long npages)
{
	int rc;

	rc = iofd_cgroup_charge(&payer->tab, npages);
	if (rc != -EDQUOT)
		return rc;
	pr_info_ratelimited("%s[%d]: pinning %lu KiB for device access exceeds the limit of its cgroup; raise iommufd/pinned in dmem.max of the cgroup or of one above it, or map less\n",
			    current->comm, task_pid_nr(current),
			    npages << (PAGE_SHIFT - 10));
	return -ENOMEM;
}

static void uncharge_parts(struct iofd_payer *payer, unsigned long npages,
			   unsigned int parts)
{
	if (parts & PART_ACCOUNT)
		atomic_long_sub(npages, &payer->account->pinned);
	if (parts & PART_MM)
		atomic64_sub(npages, &payer->mm->pinned_vm);
	if (parts & PART_CGROUP)
		iofd_cgroup_uncharge(&payer->tab, npages);
	if (parts & PART_LIMITED)
		uncharge_limited(payer, npages);
}

/**
 * iofd_charge - charge pages that are about to be pinned
 * @payer: who pays
 * @npages: number of pages, not zero
 *
 * Return: 0; -ENOMEM over RLIMIT_MEMLOCK or the limit of a cgroup, or no memory;
 * -EINVAL if the process that would have to pay has exited (process mode only).
 */
int iofd_charge(struct iofd_payer *payer, unsigned long npages)
{
	int rc;

	if (iofd_fault())
		return -ENOMEM;

	if (payer->parts & PART_LIMITED) {
		rc = charge_limited(payer, npages);
		if (rc)
			return rc;
	}
	if (payer->parts & PART_CGROUP) {
		rc = charge_cgroup(payer, npages);
		if (rc) {
			uncharge_parts(payer, npages,
				       payer->parts & PART_LIMITED);
			return rc;
		}
	}
	if (payer->parts & PART_MM)
		atomic64_add(npages, &payer->mm->pinned_vm);
	if (payer->parts & PART_ACCOUNT)
		atomic_long_add(npages, &payer->account->pinned);
	return 0;
}

/**
 * iofd_uncharge - return a charge after its pages are unpinned
 * @payer: who paid
 * @npages: number of pages, not zero and not more than were charged
 *
 * Works whether the process still runs or not: the counters outlive it.
 */
void iofd_uncharge(struct iofd_payer *payer, unsigned long npages)
{
	uncharge_parts(payer, npages, payer->parts);
}

/* Which of @payer's counters are not those of @next too. */
static unsigned int different_parts(const struct iofd_payer *next,
				    const struct iofd_payer *payer)
{
	unsigned int parts = 0;

	if ((payer->mode == IOFD_CHARGE_USER && payer->user != next->user) ||
	    (payer->mode == IOFD_CHARGE_PROCESS && payer->mm != next->mm))
		parts |= PART_LIMITED;
	if (!iofd_cgroup_is_callers(&payer->tab))
		parts |= PART_CGROUP;
	if (payer->mm != next->mm)
		parts |= PART_MM;
	return parts;
}

/**
 * iofd_payer_prepare - make the calling task the successor of a payer
 * @next: the successor, zeroed memory
 * @payer: who pays now
 * @npages: pages that @payer is charged for
 *
 * The mode stays what it was.  On success @next is charged as @payer is, and is
 * to be charged and uncharged with it from now on.
 *
 * Return: 0; what iofd_charge() returns, then there is no successor.
 */
int iofd_payer_prepare(struct iofd_payer *next, const struct iofd_payer *payer,
		       unsigned long npages)
{
	int rc;

	next->mode = payer->mode;
	next->account = payer->account;
	set_owner(next);
	next->parts = different_parts(next, payer);
	rc = npages ? iofd_charge(next, npages) : 0;
	if (rc)
		iofd_payer_fini(next);
	return rc;
}

/**
 * iofd_payer_cancel - undo iofd_payer_prepare()
 * @next: successor that is not to be
 * @npages: pages that it is charged for
 */
void iofd_payer_cancel(struct iofd_payer *next, unsigned long npages)
{
	if (npages)
		iofd_uncharge(next, npages);
	iofd_payer_fini(next);
}

/**
 * iofd_payer_commit - put the successor in the place of a payer
 * @payer: who paid; becomes who pays
 * @next: prepared successor; unused afterwards
 * @npages: pages that both are charged for
 */
void iofd_payer_commit(struct iofd_payer *payer, struct iofd_payer *next,
		       unsigned long npages)
{
	if (npages)
		uncharge_parts(payer, npages, next->parts);
	if (!(next->parts & PART_CGROUP))
		next->tab = payer->tab;
	next->parts = PART_ALL;
	iofd_payer_fini(payer);
	*payer = *next;
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
