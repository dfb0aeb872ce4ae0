/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What software MSIs (builtin/msi.h) mean for attaching.
 */
#ifndef IOFD_DEVICE_MSI_H
#define IOFD_DEVICE_MSI_H

struct iofd_msi_window;
struct iommufd_group;
struct iommufd_hwpt_paging;

#ifdef CONFIG_IOMMUFD_SW_MSI
void iofd_msi_group_init(struct iommufd_group *igroup);
int iofd_msi_learn(struct iommufd_group *igroup,
		   const struct iofd_msi_window *window);
int iofd_msi_arrive(struct iommufd_group *igroup,
		    struct iommufd_hwpt_paging *hwpt);
void iofd_msi_arrived(struct iommufd_group *igroup);
#else
/* No IOMMU of this platform translates MSIs in a way software has to know. */
static inline void iofd_msi_group_init(struct iommufd_group *igroup)
{
}

static inline int iofd_msi_learn(struct iommufd_group *igroup,
				 const struct iofd_msi_window *window)
{
	return 0;
}

static inline int iofd_msi_arrive(struct iommufd_group *igroup,
				  struct iommufd_hwpt_paging *hwpt)
{
	return 0;
}

static inline void iofd_msi_arrived(struct iommufd_group *igroup)
{
}
#endif

#endif
