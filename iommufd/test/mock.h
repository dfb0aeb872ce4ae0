/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mock IOMMU and its devices: hardware that exists only in this room.
 */
#ifndef IOFD_TEST_MOCK_H
#define IOFD_TEST_MOCK_H

#include <linux/atomic.h>
#include <linux/container_of.h>
#include <linux/device.h>
#include <linux/generic_pt/iommu.h>
#include <linux/iommu.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "iommufd_test.h"
#include "object/ctx.h"

struct iommufd_access;

#define MOCK_IOPF_ANSWERS (IOMMU_PAGE_RESP_FAILURE + 1)

/**
 * struct mock_iopf - page requests of a device
 * @domains: attached domains, of RID and PASIDs, that want them; changes under
 *           the IOMMU core's lock of the device's group
 * @groups: groups the device has sent
 * @answers: answers it was given, by enum iommu_page_response_code
 */
struct mock_iopf {
	unsigned int domains;
	atomic_t groups;
	atomic_t answers[MOCK_IOPF_ANSWERS];
};

/**
 * struct mock_device - a device behind the mock IOMMU
 * @dev: device, on the mock's bus; its release frees the struct
 * @nr: number in its name
 * @flags: MOCK_FLAGS_DEVICE_*
 * @iopf: page requests
 * @cache: what requests to a vIOMMU clear
 * @viommu_lock: guards the next two, and keeps the vIOMMU while held; inside
 *               the IOMMU core's group mutex
 * @viommu: vIOMMU on whose nested page table the device is, without a PASID, or
 *          NULL
 * @vdev_id: the device's number there
 * @ctx: context it belongs to
 * @pasid_trap: the next page table for IOMMU_TEST_PASID_RESERVED is refused;
 *              guarded by the IOMMU group's mutex
 */
struct mock_device {
	struct device dev;
	unsigned int nr;
	u32 flags;
	struct mock_iopf iopf;
	u32 cache[MOCK_DEV_CACHE_NUM];
	struct mutex viommu_lock; /* guards the next two */
	struct iommufd_viommu *viommu;
	unsigned long vdev_id;
	struct iommufd_ctx *ctx;
	bool pasid_trap;
};

static inline struct mock_device *mock_device_of(struct device *dev)
{
	return container_of(dev, struct mock_device, dev);
}

#define MOCK_IOTLB_ENTRIES 16

/**
 * struct mock_iotlb_entry - a page that devices may write to, as they know it
 * @page: IOVA
 * @valid: is one
 * @dirty: writes are no longer recorded
 */
struct mock_iotlb_entry {
	unsigned long page;
	bool valid;
	bool dirty;
};

/**
 * struct mock_iotlb - what devices know without looking at the table
 * @lock: guards the rest; outside of walk_lock
 * @entries: in no order
 * @next: the one that makes room
 */
struct mock_iotlb {
	spinlock_t lock; /* guards what follows */
	struct mock_iotlb_entry entries[MOCK_IOTLB_ENTRIES];
	unsigned int next;
};

/**
 * struct mock_domain - a page table of the mock IOMMU
 * @domain: what the IOMMU core sees; the same memory as @pt.iommu.domain
 * @pt: the table
 * @walk_lock: held for reading by walkers; taken for writing before memory of
 *             the table that was unlinked is freed
 * @iotlb: of all devices together
 * @dirty_tracking: switched on by set_dirty_tracking()
 * @coherent: ignores no-snoop; for devices that can do without it
 */
struct mock_domain {
	union {
		struct iommu_domain domain;
		struct pt_iommu_amdv1_mock pt;
	};
	rwlock_t walk_lock;
	struct mock_iotlb iotlb;
	bool dirty_tracking;
	bool coherent;
};

PT_IOMMU_CHECK_DOMAIN(struct mock_domain, pt.iommu, domain);

/* mock_iommu.c */
int mock_iommu_init(void);
void mock_iommu_exit(void);
int mock_iommu_add_device(struct device *dev);
bool mock_iommu_has_device(struct device *dev);
struct mock_domain *mock_domain_of(struct iommu_domain *domain);
phys_addr_t mock_domain_translate(struct mock_domain *mock, unsigned long iova);

/* mock_dirty.c */
void mock_dirty_init(void);
void mock_dirty_exit(void);
void mock_dirty_flush(struct mock_domain *mock,
		      const struct iommu_iotlb_gather *gather);
int mock_dma_read(struct mock_domain *mock, unsigned long iova);
int mock_dirty_ioctl(struct iofd_ucmd *ucmd);

/* mock_device.c */
int mock_device_create_ioctl(struct iofd_ucmd *ucmd, u32 flags);
int mock_device_replace_ioctl(struct iofd_ucmd *ucmd);
int mock_device_check_cache_ioctl(struct iofd_ucmd *ucmd);
void mock_device_moved(struct device *dev, struct iommufd_viommu *viommu,
		       unsigned long vdev_id);

/* mock_nested.c */
struct iommu_domain *mock_nested_alloc(u32 flags,
				       const struct iommu_user_data *data,
				       struct iommufd_viommu *viommu);
int mock_nested_check_ioctl(struct iofd_ucmd *ucmd);

/* mock_iopf.c */
int mock_iopf_init(void);
void mock_iopf_exit(void);
int mock_iopf_attach(struct device *dev, struct iommu_domain *domain,
		     struct iommu_domain *old);
void mock_iopf_response(struct device *dev, struct iopf_fault *evt,
			struct iommu_page_response *msg);
int mock_iopf_trigger_ioctl(struct iofd_ucmd *ucmd);
int mock_iopf_counts_ioctl(struct iofd_ucmd *ucmd);

/* mock_vevent.c */
int mock_vevent_trigger_ioctl(struct iofd_ucmd *ucmd);

/* mock_viommu.c */
size_t mock_viommu_size(struct device *dev, enum iommu_viommu_type type);
int mock_viommu_init(struct iommufd_viommu *core, struct iommu_domain *parent,
		     const struct iommu_user_data *user_data);
void mock_viommu_exit(void);
int mock_device_pasid_attach_ioctl(struct iofd_ucmd *ucmd);
int mock_device_pasid_replace_ioctl(struct iofd_ucmd *ucmd);
int mock_device_pasid_detach_ioctl(struct iofd_ucmd *ucmd);
int mock_device_pasid_check_ioctl(struct iofd_ucmd *ucmd);

/* mock_pasid.c */
int mock_pasid_set(struct device *dev, ioasid_t pasid,
		   struct iommu_domain *domain, struct iommu_domain *old);
void mock_pasid_block(struct device *dev, ioasid_t pasid);

/* mock_msi.c */
void mock_regions(struct device *dev, struct list_head *head);
int mock_msi_moving(struct device *dev);
int mock_msi_ioctl(struct iofd_ucmd *ucmd);

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
