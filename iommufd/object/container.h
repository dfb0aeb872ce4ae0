/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a context opened as /dev/vfio/vfio has besides: the state of a VFIO
 * container.  The room vfio/ moves it.
 *
 *            SET_CONTAINER           SET_IOMMU
 *    UNSET ----------------> GROUP ---------------> SET
 *      ^                       |                     |
 *      +-----------------------+---------------------+
 *               the last group and device are gone:
 *               all mappings go, one may begin anew
 *
 *                          UNSET     GROUP     SET
 *    GET_API_VERSION,
 *    CHECK_EXTENSION       yes       yes       yes
 *    SET_IOMMU             EINVAL    yes       EINVAL
 *    all others            EINVAL    EINVAL    yes
 *    opening a device      VFIO      EINVAL    yes
 *                          refuses
 *
 * VFIO tells when a group comes, but only drops a reference when it goes.  So
 * what counts is references that are not a file descriptor's: connected groups,
 * bound devices and accesses.
 */
#ifndef IOFD_OBJECT_CONTAINER_H
#define IOFD_OBJECT_CONTAINER_H

#include <linux/atomic.h>
#include <linux/rwsem.h>
#include <linux/types.h>

struct iommufd_ctx;

enum iofd_container_state {
	IOFD_CONTAINER_UNSET,
	IOFD_CONTAINER_GROUP,
	IOFD_CONTAINER_SET,
};

/**
 * struct iofd_container - the state of a VFIO container
 * @state: see above; this and all up to @generation under ctx->vfio_lock
 * @v1: SET_IOMMU chose VFIO_TYPE1_IOMMU, not VFIO_TYPE1v2_IOMMU
 * @tracking: VFIO_IOMMU_DIRTY_PAGES has been started
 * @entries: most mappings the user may make
 * @generation: how often the container went back to UNSET
 * @users: connected groups, bound devices, accesses
 * @idle: called when @users falls to 0; process context, no lock of this driver
 * @ops: held for read by an ioctl that maps, for write by one that unmaps or
 *       reads dirty pages, so that each is one step to the others; outermost.
 *       Nothing that the kernel does by itself takes it
 */
struct iofd_container {
	enum iofd_container_state state;
	bool v1;
	bool tracking;
	unsigned int entries;
	unsigned int generation;
	atomic_t users;
	void (*idle)(struct iommufd_ctx *ictx);
	struct rw_semaphore ops;
};

#endif
