/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who pays for pinned pages.
 *
 * A payer is decided when memory is mapped, from the calling task, and stays
 * with the page set until IOMMU_IOAS_CHANGE_PROCESS gives it a successor.
 * Pages are charged before they are pinned and uncharged after they are
 * unpinned, in whole pages, by the count.
 *
 * Locking: a payer has none, its page set's lock serves.  The counters are
 * atomics or take the mapper's mmap_lock for write (IOFD_CHARGE_PROCESS), so
 * charge and uncharge may sleep and must not be called under mmap_lock.
 */
#ifndef IOFD_MEMORY_CHARGE_H
#define IOFD_MEMORY_CHARGE_H

#include <linux/atomic.h>
#include <linux/types.h>

#include "memory/cgroup.h"

struct mm_struct;
struct task_struct;
struct user_struct;

/**
 * enum iofd_charge_mode - which counter is held against RLIMIT_MEMLOCK
 * @IOFD_CHARGE_USER: locked_vm of the mapper's user, shared with io_uring etc.
 * @IOFD_CHARGE_PROCESS: locked_vm of the mapper's mm, VmLck in /proc
 * @IOFD_CHARGE_FD: a counter of the context alone
 * @IOFD_CHARGE_NONE: no limit; the mapper has CAP_IPC_LOCK.  Only a payer has
 *                    this mode, a context never
 *
 * In all modes the pages are added to the mapper's pinned_vm (VmPin).
 * The first three are the values of IOMMU_X_OPTION_ACCOUNT_MODE.
 */
enum iofd_charge_mode {
	IOFD_CHARGE_USER = 0,
	IOFD_CHARGE_PROCESS = 1,
	IOFD_CHARGE_FD = 2,
	IOFD_CHARGE_NONE,
};

/* By mode, for messages and parameters; ends with NULL. */
extern const char *const iofd_charge_mode_names[];

/**
 * struct iofd_account - what one context charges; outlives its page sets
 * @mode: mode of payers that are made from now on
 * @pinned: pages charged through the context, in whatever mode
 * @limited: those of them that count against the limit of IOFD_CHARGE_FD
 */
struct iofd_account {
	enum iofd_charge_mode mode;
	atomic_long_t pinned;
	atomic_long_t limited;
};

/**
 * struct iofd_payer - who pays
 * @mode: which counter has the limit
 * @parts: which counters are charged, private to charge.c: all of them, or for
 *         a successor those that are not its predecessor's too
 * @account: the context's account
 * @mm: the mapper's mm, kept as a structure only (mmgrab)
 * @task: the mapper's thread group leader, for its RLIMIT_MEMLOCK
 * @user: the mapper's real user
 * @tab: what cgroups have paid
 */
struct iofd_payer {
	enum iofd_charge_mode mode;
	unsigned int parts;
	struct iofd_account *account;
	struct mm_struct *mm;
	struct task_struct *task;
	struct user_struct *user;
	struct iofd_cgroup_tab tab;
};

void iofd_payer_init(struct iofd_payer *payer, struct iofd_account *account);
void iofd_payer_fini(struct iofd_payer *payer);
int iofd_payer_prepare(struct iofd_payer *next, const struct iofd_payer *payer,
		       unsigned long npages);
void iofd_payer_cancel(struct iofd_payer *next, unsigned long npages);
void iofd_payer_commit(struct iofd_payer *payer, struct iofd_payer *next,
		       unsigned long npages);
int iofd_charge(struct iofd_payer *payer, unsigned long npages);
void iofd_uncharge(struct iofd_payer *payer, unsigned long npages);
u64 iofd_charge_budget(struct iofd_account *account);

#endif
