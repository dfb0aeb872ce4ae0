/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mock IOMMU and its devices: hardware that exists only in this room.
 */
#ifndef IOFD_TEST_MOCK_H
#define IOFD_TEST_MOCK_H

#include <linux/container_of.h>
#include <linux/device.h>
#include <linux/generic_pt/iommu.h>
#include <linux/iommu.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "object/ctx.h"

struct iommufd_access;

/**
 * struct mock_device - a device behind the mock IOMMU
 * @dev: device, on the mock's bus; its release frees the struct
 * @nr: number in its name
 * @flags: MOCK_FLAGS_DEVICE_*
 */
struct mock_device {
	struct device dev;
	unsigned int nr;
	u32 flags;
};

static inline struct mock_device *mock_device_of(struct device *dev)
{
	return container_of(dev, struct mock_device, dev);
}

/**
 * struct mock_domain - a page table of the mock IOMMU
 * @domain: what the IOMMU core sees; the same memory as @pt.iommu.domain
 * @pt: the table
 * @walk_lock: held for reading by walkers; taken for writing before memory of
 *             the table that was unlinked is freed
 * @dirty_tracking: switched on by set_dirty_tracking()
 */
struct mock_domain {
	union {
		struct iommu_domain domain;
		struct pt_iommu_amdv1_mock pt;
	};
	rwlock_t walk_lock;
	bool dirty_tracking;
};

PT_IOMMU_CHECK_DOMAIN(struct mock_domain, pt.iommu, domain);

/* mock_iommu.c */
int mock_iommu_init(void);
void mock_iommu_exit(void);
int mock_iommu_add_device(struct device *dev);
struct mock_domain *mock_domain_of(struct iommu_domain *domain);
phys_addr_t mock_domain_translate(struct mock_domain *mock, unsigned long iova);

/* mock_dirty.c */
void mock_dirty_init(void);
void mock_dirty_exit(void);
int mock_dirty_ioctl(struct iofd_ucmd *ucmd);

/* mock_device.c */
int mock_device_create_ioctl(struct iofd_ucmd *ucmd, u32 flags);
int mock_device_replace_ioctl(struct iofd_ucmd *ucmd);

/* by_number.c */
u64 mock_access_by_number(struct iommufd_access *access, u64 numbers);

/* mock_access.c */
int mock_access_create_ioctl(struct iofd_ucmd *ucmd);
int mock_access_replace_ioctl(struct iofd_ucmd *ucmd);
int mock_access_unpin_ioctl(struct iofd_ucmd *ucmd);
int mock_access_pin_ioctl(struct iofd_ucmd *ucmd);
int mock_access_rw_ioctl(struct iofd_ucmd *ucmd);

/* mock_dmabuf.c */
void mock_dmabuf_init(void);
void mock_dmabuf_exit(void);
int mock_dmabuf_get_ioctl(struct iofd_ucmd *ucmd);
int mock_dmabuf_revoke_ioctl(struct iofd_ucmd *ucmd);

#endif
