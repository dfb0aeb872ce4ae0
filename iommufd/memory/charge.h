/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who pays for pinned pages.
 *
 * A payer is decided when memory is mapped, from the calling task, and stays
 * with the page set until IOMMU_IOAS_CHANGE_PROCESS gives it a successor.  It
 * never changes, and what one task maps through one context has one payer.
 * Each page set has a bill: its payer, and how much it has been charged.
 * Pages are charged before they are pinned and uncharged after they are
 * unpinned, in whole pages, by the count.
 *
 * Locking: a bill has none, its page set's lock serves.  The counters are
 * atomics or take the mapper's mmap_lock for write (IOFD_CHARGE_PROCESS), so
 * charge and uncharge may sleep and must not be called under mmap_lock.
 */
#ifndef IOFD_MEMORY_CHARGE_H
#define IOFD_MEMORY_CHARGE_H

#include <linux/atomic.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
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
 * struct iofd_account - what one context charges
 * @context: number of the context
 * @mode: mode of payers that are made from now on
 * @pinned: pages charged through the context, in whatever mode
 * @limited: those of them that count against the limit of IOFD_CHARGE_FD
 * @lock: guards @last, not what it points to
 * @last: payer of the last map call, referenced: the next one's too, most often
 *
 * It outlives all charges, though not all page sets and payers.
 */
struct iofd_account {
	u64 context;
	enum iofd_charge_mode mode;
	atomic_long_t pinned;
	atomic_long_t limited;
	spinlock_t lock; /* guards @last */
	struct iofd_payer *last;
};

/**
 * struct iofd_payer - who pays
 * @refs: bills, and the account whose last payer it is
 * @mode: which counter has the limit
 * @account: the context's account; good as long as something is charged
 * @mm: the mapper's mm, kept as a structure only (mmgrab)
 * @task: the mapper's thread group leader, for its RLIMIT_MEMLOCK
 * @user: the mapper's real user
 */
struct iofd_payer {
	refcount_t refs;
	enum iofd_charge_mode mode;
	struct iofd_account *account;
	struct mm_struct *mm;
	struct task_struct *task;
	struct user_struct *user;
};

/**
 * struct iofd_bill - what one page set is charged
 * @payer: who pays, referenced
 * @tab: what cgroups have paid
 * @npages: pages that are charged
 */
struct iofd_bill {
	struct iofd_payer *payer;
	struct iofd_cgroup_tab tab;
	unsigned long npages;
};

/**
 * struct iofd_successor - who is to pay, and does so already
 * @bill: what the successor is charged for the same pages
 * @parts: which counters that are, private to charge.c: those that are not the
 *         payer's too
 */
struct iofd_successor {
	struct iofd_bill bill;
	unsigned int parts;
};

void iofd_account_init(struct iofd_account *account, u64 context,
		       enum iofd_charge_mode mode);
void iofd_account_fini(struct iofd_account *account);
struct iofd_payer *iofd_payer_get(struct iofd_account *account);
void iofd_payer_put(struct iofd_payer *payer);

int iofd_charge(struct iofd_bill *bill, unsigned long npages);
void iofd_uncharge(struct iofd_bill *bill, unsigned long npages);
u64 iofd_charge_budget(struct iofd_account *account);

struct iofd_successor *iofd_successor_prepare(const struct iofd_bill *bill);
void iofd_successor_cancel(struct iofd_successor *next);
void iofd_successor_commit(struct iofd_successor *next, struct iofd_bill *bill);
int iofd_successor_charge(struct iofd_successor *next, unsigned long npages);
void iofd_successor_uncharge(struct iofd_successor *next,
			     unsigned long npages);

#endif
