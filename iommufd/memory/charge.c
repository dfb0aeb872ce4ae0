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
 * the ABI's default; process and fd mode give each its own.
 *
 * The payer outlives the process: the mm is kept as a bare structure, so that
 * what was charged can always be returned to the counter it came from.  Only a
 * new charge needs a process that still runs.
 */
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
	payer->mm = current->mm;
	mmgrab(payer->mm);
	payer->task = get_task_struct(current->group_leader);
	payer->user = get_uid(current_user());
}

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

/**
 * iofd_charge - charge pages that are about to be pinned
 * @payer: who pays
 * @npages: number of pages, not zero
 *
 * Return: 0; -ENOMEM over RLIMIT_MEMLOCK; -EINVAL if the process that would
 * have to pay has exited (process mode only).
 */
int iofd_charge(struct iofd_payer *payer, unsigned long npages)
{
	int rc;

	if (iofd_fault())
		return -ENOMEM;

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
	if (rc)
		return rc;
	atomic_long_add(npages, &payer->account->pinned);
	atomic64_add(npages, &payer->mm->pinned_vm);
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
	atomic64_sub(npages, &payer->mm->pinned_vm);
	atomic_long_sub(npages, &payer->account->pinned);

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

/**
 * iofd_charge_budget - how much the calling task could still have pinned
 * @account: the context's account
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
