// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: change of process
 *
 * IOMMU_IOAS_CHANGE_PROCESS makes the calling process pay for all mappings of a
 * context, in every IOAS: when a virtual machine monitor is replaced by a new
 * one under a running guest, what it has pinned goes over to the successor::
 *
 *     check     is everything mapped from files?          EINVAL
 *     prepare   charge the caller, besides who pays now   ENOMEM, EINTR: cancel
 *     -- point of no return --
 *     commit    uncharge who paid
 *
 * ctx->owner_rwsem, held for write, keeps areas from coming and going: ioctls
 * that map, copy and unmap wait, as this waits for them.  In-kernel users and
 * page tables may pin and unpin meanwhile; both payers are charged for that.
 */
#include <linux/sched/signal.h>

#include "object/ioas.h"

/* Borrow every IOAS that is LIVE: it stays until return_all(). */
static void borrow_all(struct iommufd_ctx *ictx, struct list_head *ioases)
{
	struct iommufd_object *obj;
	unsigned long id = 0;

	while ((obj = iofd_object_borrow_next(&ictx->objects, &id,
					      IOMMUFD_OBJ_IOAS)))
		list_add_tail(&iofd_ioas_of(obj)->owner_link, ioases);
}

static void return_all(struct list_head *ioases)
{
	struct iofd_ioas *ioas, *next;

	list_for_each_entry_safe(ioas, next, ioases, owner_link) {
		list_del(&ioas->owner_link);
		iofd_ioas_return(ioas);
	}
}

static int each_pages(struct list_head *ioases,
		      int (*fn)(struct iofd_pages *pages))
{
	struct iofd_ioas *ioas;
	int rc = 0;

	list_for_each_entry(ioas, ioases, owner_link) {
		rc = iofd_aspace_each_pages(&ioas->aspace, fn);
		if (rc)
			break;
	}
	return rc;
}

static int check(struct iofd_pages *pages)
{
	return iofd_pages_can_change_payer(pages) ? 0 : -EINVAL;
}

static int prepare(struct iofd_pages *pages)
{
	if (fatal_signal_pending(current))
		return -EINTR;
	return iofd_pages_prepare_payer(pages);
}

static int commit(struct iofd_pages *pages)
{
	iofd_pages_commit_payer(pages);
	return 0;
}

static int cancel(struct iofd_pages *pages)
{
	iofd_pages_cancel_payer(pages);
	return 0;
}

/*
 * A mapping may take as long as a page fault does, and who waits for that keeps
 * others waiting behind it. When the last group leaves a VFIO container the
 * kernel would be among them, so there nobody waits.
 */
static int lock_out(struct iommufd_ctx *ictx)
{
	if (!iofd_ctx_is_container(ictx))
		return down_write_killable(&ictx->owner_rwsem);
	return down_write_trylock(&ictx->owner_rwsem) ? 0 : -EBUSY;
}

/* IOMMU_IOAS_CHANGE_PROCESS */
int ioas_change_process_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_ioas_change_process *cmd = ucmd->cmd;
	struct iommufd_ctx *ictx = ucmd->ctx;
	LIST_HEAD(ioases);
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;

	rc = lock_out(ictx);
	if (rc)
		return rc;
	borrow_all(ictx, &ioases);
	rc = each_pages(&ioases, check);
	if (rc)
		goto out;
	rc = each_pages(&ioases, prepare);
	/* Point of no return, in either direction. */
	each_pages(&ioases, rc ? cancel : commit);
out:
	return_all(&ioases);
	up_write(&ictx->owner_rwsem);
	return rc;
}
