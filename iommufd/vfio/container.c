// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: /dev/vfio/vfio
 *
 * A context opened as /dev/vfio/vfio answers the commands of the VFIO container
 * as VFIO's type1 backend does: its order of checks, its errnos, its rules.
 * The states, and which command is allowed in which, are in
 * object/container.h; Documentation/vfio-compat.rst has what differs.
 *
 * A command takes a picture of the state (iofd_container_begin()) and works on
 * the IOAS that stands for the container.  The state changes under
 * ctx->vfio_lock only, so that going back to UNSET, which is done for a group
 * or device that is closed, waits for no command.  A map that was under way at
 * that moment sees it when it is done, and takes its mapping back.
 */
#include <linux/capability.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "object/container.h"
#include "object/ioas.h"
#include "vfio/vfio.h"

/* The last group and device are gone. */
static void container_idle(struct iommufd_ctx *ictx)
{
	struct iofd_container *container = ictx->container;
	struct iofd_ioas *ioas;
	unsigned long unmapped;
	bool reset;

	spin_lock(&ictx->vfio_lock);
	/* A group may have come since; one that comes now waits here. */
	reset = container->state != IOFD_CONTAINER_UNSET &&
		!atomic_read(&container->users);
	if (reset) {
		container->state = IOFD_CONTAINER_UNSET;
		container->v1 = false;
		container->tracking = false;
		container->generation++;
		ictx->no_iommu = false;
	}
	spin_unlock(&ictx->vfio_lock);
	if (!reset)
		return;

	ioas = iofd_vfio_borrow_ioas(ictx);
	if (IS_ERR(ioas))
		return;
	/* Whoever has it for write does not wait for user space. */
	down_read(&ictx->owner_rwsem);
	iofd_aspace_unmap_rule(&ioas->aspace, IOFD_RANGE_ALL, IOFD_UNMAP_IDLE,
			       &unmapped);
	up_read(&ictx->owner_rwsem);
	iofd_ioas_return(ioas);
}

/**
 * iofd_container_create - what an open of /dev/vfio/vfio has besides
 * @entries: most mappings its user may make
 *
 * Return: container in state UNSET, freed by kfree(), or NULL without memory.
 */
struct iofd_container *iofd_container_create(unsigned int entries)
{
	struct iofd_container *container;

	container = kzalloc_obj(*container, GFP_KERNEL_ACCOUNT);
	if (!container)
		return NULL;
	container->state = IOFD_CONTAINER_UNSET;
	container->entries = entries;
	container->idle = container_idle;
	init_rwsem(&container->ops);
	return container;
}

/**
 * iofd_container_begin - begin a command that needs an IOAS
 * @ictx: context, opened as either node
 * @call: out: to be ended with iofd_container_end()
 *
 * Return: 0; -EINVAL the container is not set; -ENODEV no IOAS stands for it;
 * -EINTR a fatal signal is pending.
 */
int iofd_container_begin(struct iommufd_ctx *ictx, struct iofd_vfio_call *call)
{
	struct iofd_container *container = ictx->container;
	bool ready = true;

	*call = (struct iofd_vfio_call){ .ctx = ictx };
	if (container) {
		spin_lock(&ictx->vfio_lock);
		ready = container->state == IOFD_CONTAINER_SET;
		call->v1 = container->v1;
		call->tracking = container->tracking;
		call->entries = container->entries;
		call->generation = container->generation;
		spin_unlock(&ictx->vfio_lock);
	}
	if (!ready)
		return -EINVAL;
	call->ioas = iofd_vfio_borrow_ioas(ictx);
	if (IS_ERR(call->ioas))
		return PTR_ERR(call->ioas);
	/* Mappings come and go: who pays for them does not change meanwhile. */
	if (down_read_killable(&ictx->owner_rwsem)) {
		iofd_ioas_return(call->ioas);
		return -EINTR;
	}
	return 0;
}

void iofd_container_end(struct iofd_vfio_call *call)
{
	up_read(&call->ctx->owner_rwsem);
	iofd_ioas_return(call->ioas);
}

/**
 * iofd_container_stale - has the container been unset meanwhile?
 * @call: command on a context opened as /dev/vfio/vfio
 *
 * Return: true if so.
 */
bool iofd_container_stale(const struct iofd_vfio_call *call)
{
	struct iommufd_ctx *ictx = call->ctx;
	bool stale;

	spin_lock(&ictx->vfio_lock);
	stale = ictx->container->generation != call->generation;
	spin_unlock(&ictx->vfio_lock);
	return stale;
}

/* A moment's view of the state, for commands that need no IOAS. */
static enum iofd_container_state container_state(struct iommufd_ctx *ictx,
						 bool *no_iommu)
{
	enum iofd_container_state state;

	spin_lock(&ictx->vfio_lock);
	state = ictx->container->state;
	*no_iommu = ictx->no_iommu;
	spin_unlock(&ictx->vfio_lock);
	return state;
}

/* What can only be said of an IOAS; 0 if none is set. */
static int ioas_extension(struct iommufd_ctx *ictx, unsigned long extension)
{
	struct iofd_aspace_info info;
	struct iofd_ioas *ioas;

	ioas = iofd_vfio_borrow_ioas(ictx);
	if (IS_ERR(ioas))
		return 0;
	iofd_aspace_look(&ioas->aspace, &info);
	iofd_ioas_return(ioas);
	/* In-kernel users could not do without the addresses. */
	return extension == VFIO_UPDATE_VADDR ? !info.nusers : info.coherent;
}

/*
 * VFIO_CHECK_EXTENSION.  Before SET_IOMMU it is about what could be chosen,
 * after it about what was.
 */
static int check_extension(struct iommufd_ctx *ictx, unsigned long extension)
{
	enum iofd_container_state state;
	bool no_iommu;

	state = container_state(ictx, &no_iommu);
	switch (extension) {
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
	case VFIO_UNMAP_ALL:
		return !no_iommu;
	case VFIO_NOIOMMU_IOMMU:
		return no_iommu;
	case VFIO_UPDATE_VADDR:
	case VFIO_DMA_CC_IOMMU:
		if (state != IOFD_CONTAINER_SET || no_iommu)
			return 0;
		return ioas_extension(ictx, extension);
	default:
		return 0;
	}
}

static int check_type(unsigned long type)
{
	switch (type) {
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
		return 0;
	case VFIO_UNMAP_ALL:
		/* An extension that type1 says yes to, but no backend. */
		return -EINVAL;
	default:
		return -ENODEV;
	}
}

/* VFIO_SET_IOMMU */
static int set_iommu(struct iommufd_ctx *ictx, unsigned long type)
{
	bool rawio = type == VFIO_NOIOMMU_IOMMU && capable(CAP_SYS_RAWIO);
	struct iofd_container *container = ictx->container;
	int rc;

	spin_lock(&ictx->vfio_lock);
	if (container->state != IOFD_CONTAINER_GROUP)
		rc = -EINVAL;
	else if (ictx->no_iommu && type != VFIO_NOIOMMU_IOMMU)
		rc = -ENODEV;
	else if (ictx->no_iommu)
		rc = rawio ? 0 : -EPERM;
	else
		rc = check_type(type);
	if (!rc) {
		container->state = IOFD_CONTAINER_SET;
		container->v1 = type == VFIO_TYPE1_IOMMU;
	}
	spin_unlock(&ictx->vfio_lock);
	return rc;
}

/**
 * iofd_container_ioctl - an ioctl with a number of VFIO
 * @ictx: context, opened as either node
 * @cmd: full command value
 * @arg: argument
 *
 * Return: what the command answers; -ENOTTY none of the container's; -EINVAL
 * not before VFIO_SET_IOMMU (/dev/vfio/vfio only).
 */
long iofd_container_ioctl(struct iommufd_ctx *ictx, unsigned int cmd,
			  unsigned long arg)
{
	bool no_iommu;

	if (!iofd_ctx_is_container(ictx))
		return iofd_shim_ioctl(ictx, cmd, arg);

	switch (cmd) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return check_extension(ictx, arg);
	case VFIO_SET_IOMMU:
		return set_iommu(ictx, arg);
	}
	if (container_state(ictx, &no_iommu) != IOFD_CONTAINER_SET)
		return -EINVAL;
	if (no_iommu)
		return -ENOTTY;

	switch (cmd) {
	case VFIO_IOMMU_GET_INFO:
		return container_get_info_ioctl(ictx, (void __user *)arg);
	case VFIO_IOMMU_MAP_DMA:
		return container_map_dma_ioctl(ictx, (void __user *)arg);
	case VFIO_IOMMU_UNMAP_DMA:
		return container_unmap_dma_ioctl(ictx, (void __user *)arg);
	case VFIO_IOMMU_DIRTY_PAGES:
		return container_dirty_pages_ioctl(ictx, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}
