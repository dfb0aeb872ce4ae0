// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: container commands on /dev/iommu
 *
 * A program that knows iommufd may hand its descriptor to
 * VFIO_GROUP_SET_CONTAINER and go on with the container's commands, as in
 * Linux 7.2: they mean the IOAS that is set, there are no states besides, and
 * there is no dirty tracking.  "Version 1" is the name of an IOAS whose large
 * IOPTEs are off: it can be unmapped in any parts.
 */
#include <linux/capability.h>
#include <linux/vfio.h>

#include "object/ioas.h"
#include "vfio/vfio.h"

static bool has_no_iommu(struct iommufd_ctx *ictx)
{
	bool no_iommu;

	spin_lock(&ictx->vfio_lock);
	no_iommu = ictx->no_iommu;
	spin_unlock(&ictx->vfio_lock);
	return no_iommu;
}

static int is_coherent(struct iommufd_ctx *ictx)
{
	struct iofd_aspace_info info;
	struct iofd_ioas *ioas;

	ioas = iofd_vfio_borrow_ioas(ictx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	iofd_aspace_look(&ioas->aspace, &info);
	iofd_ioas_return(ioas);
	return info.coherent;
}

static int check_extension(struct iommufd_ctx *ictx, unsigned long extension)
{
	switch (extension) {
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
	case VFIO_UNMAP_ALL:
		return !has_no_iommu(ictx);
	case VFIO_NOIOMMU_IOMMU:
		return IS_ENABLED(CONFIG_VFIO_NOIOMMU);
	case VFIO_DMA_CC_IOMMU:
		return is_coherent(ictx);
	default:
		return 0;
	}
}

static int set_iommu(struct iommufd_ctx *ictx, unsigned long type)
{
	bool no_iommu = has_no_iommu(ictx);
	struct iofd_ioas *ioas;
	int rc = 0;

	if (IS_ENABLED(CONFIG_VFIO_NOIOMMU) && no_iommu &&
	    type == VFIO_NOIOMMU_IOMMU)
		return capable(CAP_SYS_RAWIO) ? 0 : -EPERM;
	if ((type != VFIO_TYPE1_IOMMU && type != VFIO_TYPE1v2_IOMMU) ||
	    no_iommu)
		return -EINVAL;

	ioas = iofd_vfio_borrow_ioas(ictx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	if (type == VFIO_TYPE1_IOMMU)
		rc = iofd_aspace_set_huge_pages(&ioas->aspace, false);
	iofd_ioas_return(ioas);
	return rc;
}

/**
 * iofd_shim_ioctl - an ioctl with a number of VFIO on /dev/iommu
 * @ictx: context
 * @cmd: full command value
 * @arg: argument
 *
 * Return: what the command answers; -ENOTTY none that is served.
 */
long iofd_shim_ioctl(struct iommufd_ctx *ictx, unsigned int cmd,
		     unsigned long arg)
{
	switch (cmd) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return check_extension(ictx, arg);
	case VFIO_SET_IOMMU:
		return set_iommu(ictx, arg);
	case VFIO_IOMMU_GET_INFO:
		return container_get_info_ioctl(ictx, (void __user *)arg);
	case VFIO_IOMMU_MAP_DMA:
		return container_map_dma_ioctl(ictx, (void __user *)arg);
	case VFIO_IOMMU_UNMAP_DMA:
		return container_unmap_dma_ioctl(ictx, (void __user *)arg);
	default:
		return -ENOTTY;
	}
}
