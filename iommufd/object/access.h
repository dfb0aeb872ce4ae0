/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Accesses: kernel code that uses an IOAS by itself, as mdev drivers do.
 */
#ifndef IOFD_OBJECT_ACCESS_H
#define IOFD_OBJECT_ACCESS_H

#include <linux/iommufd.h>
#include <linux/rwsem.h>

#include "object/ctx.h"
#include "object/ioas.h"

/**
 * struct iofd_access_user - an access in one IOAS
 * @user: membership in the address space
 * @access: the access
 */
struct iofd_access_user {
	struct iofd_aspace_user user;
	struct iommufd_access *access;
};

/**
 * struct iommufd_access - the object IOMMUFD_OBJ_ACCESS
 * @obj: object; one ref belongs to the driver that created it
 * @ctx: context, referenced
 * @ops: the driver's
 * @data: the driver's
 * @lock: guards @ioas, @user and @changing; held for read while pinning or
 *        copying
 * @ioas: what it is attached to, referenced, or NULL
 * @changing: a replace or detach is telling the driver to let go; no new pins
 * @user: membership in the IOAS's address space while attached
 */
struct iommufd_access {
	struct iommufd_object obj;
	struct iommufd_ctx *ctx;
	const struct iommufd_access_ops *ops;
	void *data;
	struct rw_semaphore lock; /* guards the next three */
	struct iofd_ioas *ioas;
	bool changing;
	struct iofd_access_user *user;
};

struct iommufd_access *iofd_access_lock(struct iofd_ioas *ioas,
					struct iofd_range range,
					struct page **out);
void iofd_access_unlock(struct iommufd_access *access, struct iofd_range range);

extern const struct iofd_object_type iofd_access_type;

#endif
