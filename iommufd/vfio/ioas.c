// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the IOAS that stands for the VFIO container
 *
 * A context has at most one, set by connecting a VFIO group or by
 * IOMMU_VFIO_IOAS.  No reference is held: user space may destroy the IOAS, which
 * clears the setting.  A context to which a no-iommu group is connected never
 * gets one by itself.
 *
 * ctx->vfio_lock guards the setting; to change it the new IOAS is borrowed, so
 * it cannot be destroyed between the look-up and the change.
 *
 * VFIO calls here when a group is connected and when a device of it is opened:
 * for a context opened as /dev/vfio/vfio these are steps of the container (see
 * object/container.h).
 */
#include <linux/capability.h>

#include "object/container.h"
#include "object/ioas.h"
#include "vfio/vfio.h"

/**
 * iofd_vfio_borrow_ioas - borrow the IOAS that stands for the container
 * @ictx: context
 *
 * Its ID is looked up again, since without a reference the pointer is good only
 * under the lock.
 *
 * Return: IOAS, to be returned with iofd_ioas_return(); ERR_PTR(-ENODEV) if
 * none is set.
 */
struct iofd_ioas *iofd_vfio_borrow_ioas(struct iommufd_ctx *ictx)
{
	struct iofd_ioas *ioas;
	u32 id = 0;

	spin_lock(&ictx->vfio_lock);
	if (ictx->vfio_ioas)
		id = ictx->vfio_ioas->obj.id;
	spin_unlock(&ictx->vfio_lock);
	if (!id)
		return ERR_PTR(-ENODEV);
	ioas = iofd_ioas_borrow(ictx, id);
	return IS_ERR(ioas) ? ERR_PTR(-ENODEV) : ioas;
}

/* May a device of a connected group be opened now? */
static int check_open(struct iommufd_ctx *ictx)
{
	int rc = 0;

	if (!iofd_ctx_is_container(ictx))
		return 0;
	spin_lock(&ictx->vfio_lock);
	if (ictx->no_iommu)
		rc = -ENODEV;
	else if (ictx->container->state == IOFD_CONTAINER_GROUP)
		rc = -EINVAL;
	spin_unlock(&ictx->vfio_lock);
	return rc;
}

/**
 * iommufd_vfio_compat_ioas_get_id - the ID of the container's IOAS
 * @ictx: context
 * @out_ioas_id: out: ID
 *
 * Return: 0; -ENODEV if none is set; -EINVAL before VFIO_SET_IOMMU (context
 * opened as /dev/vfio/vfio only).
 */
int iommufd_vfio_compat_ioas_get_id(struct iommufd_ctx *ictx, u32 *out_ioas_id)
{
	struct iofd_ioas *ioas;
	int rc;

	rc = check_open(ictx);
	if (rc)
		return rc;
	ioas = iofd_vfio_borrow_ioas(ictx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	*out_ioas_id = ioas->obj.id;
	iofd_ioas_return(ioas);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(iommufd_vfio_compat_ioas_get_id, "IOMMUFD_VFIO");

/* A group has come. */
static void container_connect(struct iommufd_ctx *ictx)
{
	struct iofd_container *container = ictx->container;

	lockdep_assert_held(&ictx->vfio_lock);
	if (container && container->state == IOFD_CONTAINER_UNSET)
		container->state = IOFD_CONTAINER_GROUP;
}

/**
 * iommufd_vfio_compat_set_no_iommu - a no-iommu group is connected
 * @ictx: context
 *
 * Return: 0; -EINVAL if an IOAS is set: the two do not go together.  For a
 * context opened as /dev/vfio/vfio: 0; -EPERM if a group with an IOMMU is
 * connected, or without CAP_SYS_RAWIO.
 */
int iommufd_vfio_compat_set_no_iommu(struct iommufd_ctx *ictx)
{
	struct iofd_container *container = ictx->container;
	int rc = 0;

	if (container && !capable(CAP_SYS_RAWIO))
		return -EPERM;

	spin_lock(&ictx->vfio_lock);
	if (!container && ictx->vfio_ioas)
		rc = -EINVAL;
	else if (container && container->state != IOFD_CONTAINER_UNSET &&
		 !ictx->no_iommu)
		rc = -EPERM;
	else
		ictx->no_iommu = true;
	if (!rc)
		container_connect(ictx);
	spin_unlock(&ictx->vfio_lock);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_vfio_compat_set_no_iommu, "IOMMUFD_VFIO");

/* Is a container waiting for addresses, which a device may want to pin? */
static bool has_orphans(struct iommufd_ctx *ictx)
{
	struct iofd_aspace_info info;
	struct iofd_ioas *ioas;

	if (!iofd_ctx_is_container(ictx))
		return false;
	ioas = iofd_vfio_borrow_ioas(ictx);
	if (IS_ERR(ioas))
		return false;
	iofd_aspace_look(&ioas->aspace, &info);
	iofd_ioas_return(ioas);
	return info.norphans;
}

/**
 * iommufd_vfio_compat_ioas_create - see to it that an IOAS is set
 * @ictx: context
 *
 * Return: 0, whether one was set or a new one is; -EINVAL in no-iommu mode,
 * -EPERM if the context was opened as /dev/vfio/vfio; -EBUSY if mappings of that
 * have no address at the moment; -ENOMEM.
 */
int iommufd_vfio_compat_ioas_create(struct iommufd_ctx *ictx)
{
	struct iofd_ioas *ioas;
	int rc = 0;

	if (has_orphans(ictx))
		return -EBUSY;
	ioas = iofd_ioas_new(ictx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);

	spin_lock(&ictx->vfio_lock);
	if (ictx->no_iommu)
		rc = iofd_ctx_is_container(ictx) ? -EPERM : -EINVAL;
	else if (ictx->vfio_ioas)
		rc = -EEXIST;
	if (!rc) {
		/* In one step: visible and set, or neither. */
		iofd_object_publish(&ictx->objects, &ioas->obj);
		ictx->vfio_ioas = ioas;
	}
	if (!rc || rc == -EEXIST)
		container_connect(ictx);
	spin_unlock(&ictx->vfio_lock);
	if (!rc)
		return 0;

	iofd_aspace_fini(&ioas->aspace);
	iofd_object_cancel(&ictx->objects, &ioas->obj);
	return rc == -EEXIST ? 0 : rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_vfio_compat_ioas_create, "IOMMUFD_VFIO");

static int vfio_ioas_get(struct iofd_ucmd *ucmd, struct iommu_vfio_ioas *cmd)
{
	struct iofd_ioas *ioas = iofd_vfio_borrow_ioas(ucmd->ctx);
	int rc;

	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	cmd->ioas_id = ioas->obj.id;
	rc = iofd_ucmd_respond(ucmd, sizeof(*cmd));
	iofd_ioas_return(ioas);
	return rc;
}

static int vfio_ioas_set(struct iommufd_ctx *ictx, u32 id)
{
	struct iofd_ioas *ioas = iofd_ioas_borrow(ictx, id);

	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	spin_lock(&ictx->vfio_lock);
	ictx->vfio_ioas = ioas;
	spin_unlock(&ictx->vfio_lock);
	iofd_ioas_return(ioas);
	return 0;
}

static void vfio_ioas_clear(struct iommufd_ctx *ictx)
{
	spin_lock(&ictx->vfio_lock);
	ictx->vfio_ioas = NULL;
	spin_unlock(&ictx->vfio_lock);
}

/* IOMMU_VFIO_IOAS */
int vfio_ioas_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_vfio_ioas *cmd = ucmd->cmd;

	if (cmd->__reserved)
		return -EOPNOTSUPP;

	switch (cmd->op) {
	case IOMMU_VFIO_IOAS_GET:
		return vfio_ioas_get(ucmd, cmd);
	case IOMMU_VFIO_IOAS_SET:
		return vfio_ioas_set(ucmd->ctx, cmd->ioas_id);
	case IOMMU_VFIO_IOAS_CLEAR:
		vfio_ioas_clear(ucmd->ctx);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}
