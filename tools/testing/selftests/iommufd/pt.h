/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Words for what can be made besides IOAS and their page tables: nested page
 * tables, queues, vIOMMUs and what belongs to them. As in util.h each returns
 * 0 or the errno.
 */
#ifndef SELFTESTS_IOMMUFD_PT_H
#define SELFTESTS_IOMMUFD_PT_H

#include "util.h"

/* Any page table; @data of @len bytes for the IOMMU driver. */
static inline int t_hwpt_full(int fd, uint32_t dev, uint32_t pt, uint32_t flags,
			      uint32_t fault, uint32_t type, void *data,
			      uint32_t len, uint32_t *hwpt)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.dev_id = dev,
		.pt_id = pt,
		.data_type = type,
		.data_len = len,
		.data_uptr = (uintptr_t)data,
		.fault_id = fault,
	};
	int err = t_call(fd, IOMMU_HWPT_ALLOC, &cmd);

	if (!err && hwpt)
		*hwpt = cmd.out_hwpt_id;
	return err;
}

/* A nested page table of the mock on a parent or a vIOMMU. */
static inline int t_nested(int fd, uint32_t dev, uint32_t pt, uint32_t flags,
			   uint32_t fault, uint32_t *hwpt)
{
	struct iommu_hwpt_selftest data = { .iotlb = IOMMU_TEST_IOTLB_DEFAULT };

	return t_hwpt_full(fd, dev, pt, flags, fault, IOMMU_HWPT_DATA_SELFTEST,
			   &data, sizeof(data), hwpt);
}

/* Of @num is told how many were carried out, whatever the answer. */
static inline int t_invalidate(int fd, uint32_t id, uint32_t type,
			       const void *requests, uint32_t len,
			       uint32_t *num)
{
	struct iommu_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = id,
		.data_uptr = (uintptr_t)requests,
		.data_type = type,
		.entry_len = len,
		.entry_num = *num,
	};
	int err = t_call(fd, IOMMU_HWPT_INVALIDATE, &cmd);

	*num = cmd.entry_num;
	return err;
}

static inline int t_fault_alloc(int fd, uint32_t *id, int *fault_fd)
{
	struct iommu_fault_alloc cmd = { .size = sizeof(cmd) };
	int err = t_call(fd, IOMMU_FAULT_QUEUE_ALLOC, &cmd);

	if (err)
		return err;
	*id = cmd.out_fault_id;
	*fault_fd = cmd.out_fault_fd;
	return 0;
}

static inline int t_iopf(int fd, uint32_t dev, uint32_t pasid, uint32_t grpid)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_TRIGGER_IOPF,
		.trigger_iopf = {
			.dev_id = dev,
			.pasid = pasid,
			.grpid = grpid,
			.perm = IOMMU_PGFAULT_PERM_READ |
				IOMMU_PGFAULT_PERM_WRITE,
			.addr = 0xdeadbeaf,
		},
	};

	return t_test(fd, &cmd);
}

static inline int t_viommu(int fd, uint32_t dev, uint32_t parent, uint32_t type,
			   void *data, uint32_t len, uint32_t *id)
{
	struct iommu_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.type = type,
		.dev_id = dev,
		.hwpt_id = parent,
		.data_len = len,
		.data_uptr = (uintptr_t)data,
	};
	int err = t_call(fd, IOMMU_VIOMMU_ALLOC, &cmd);

	if (!err && id)
		*id = cmd.out_viommu_id;
	return err;
}

static inline int t_vdevice(int fd, uint32_t viommu, uint32_t dev,
			    uint64_t virt_id, uint32_t *id)
{
	struct iommu_vdevice_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = viommu,
		.dev_id = dev,
		.virt_id = virt_id,
	};
	int err = t_call(fd, IOMMU_VDEVICE_ALLOC, &cmd);

	if (!err && id)
		*id = cmd.out_vdevice_id;
	return err;
}

static inline int t_veventq(int fd, uint32_t viommu, uint32_t type,
			    uint32_t depth, uint32_t *id, int *queue_fd)
{
	struct iommu_veventq_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = viommu,
		.type = type,
		.veventq_depth = depth,
	};
	int err = t_call(fd, IOMMU_VEVENTQ_ALLOC, &cmd);

	if (err)
		return err;
	*id = cmd.out_veventq_id;
	*queue_fd = cmd.out_veventq_fd;
	return 0;
}

static inline int t_vevent(int fd, uint32_t dev)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_TRIGGER_VEVENT,
		.trigger_vevent = { .dev_id = dev },
	};

	return t_test(fd, &cmd);
}

static inline int t_hw_queue(int fd, uint32_t viommu, uint32_t type,
			     uint32_t index, uint64_t iova, uint64_t length,
			     uint32_t *id)
{
	struct iommu_hw_queue_alloc cmd = {
		.size = sizeof(cmd),
		.viommu_id = viommu,
		.type = type,
		.index = index,
		.nesting_parent_iova = iova,
		.length = length,
	};
	int err = t_call(fd, IOMMU_HW_QUEUE_ALLOC, &cmd);

	if (!err && id)
		*id = cmd.out_hw_queue_id;
	return err;
}

static inline int t_check_iotlb(int fd, uint32_t hwpt, uint32_t id,
				uint32_t value)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MD_CHECK_IOTLB,
		.id = hwpt,
		.check_iotlb = { .id = id, .iotlb = value },
	};

	return t_test(fd, &cmd);
}

static inline int t_check_cache(int fd, uint32_t dev, uint32_t id,
				uint32_t value)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_DEV_CHECK_CACHE,
		.id = dev,
		.check_dev_cache = { .id = id, .cache = value },
	};

	return t_test(fd, &cmd);
}

/* *@pt: in what to attach, out the page table in use */
static inline int t_pasid_attach(int fd, uint32_t stdev, uint32_t pasid,
				 uint32_t *pt)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_PASID_ATTACH,
		.id = stdev,
		.pasid_attach = { .pasid = pasid, .pt_id = *pt },
	};
	int err = t_test(fd, &cmd);

	if (!err)
		*pt = cmd.pasid_attach.pt_id;
	return err;
}

static inline int t_pasid_replace(int fd, uint32_t stdev, uint32_t pasid,
				  uint32_t *pt)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_PASID_REPLACE,
		.id = stdev,
		.pasid_replace = { .pasid = pasid, .pt_id = *pt },
	};
	int err = t_test(fd, &cmd);

	if (!err)
		*pt = cmd.pasid_replace.pt_id;
	return err;
}

/* The same to a page table itself, which has to be the one in use then. */
static inline int t_pasid_to(int fd, uint32_t stdev, uint32_t pasid,
			     uint32_t pt)
{
	uint32_t used = pt;

	return t_pasid_attach(fd, stdev, pasid, &used) ?:
	       (used == pt ? 0 : EBADE);
}

static inline int t_pasid_move(int fd, uint32_t stdev, uint32_t pasid,
			       uint32_t pt)
{
	uint32_t used = pt;

	return t_pasid_replace(fd, stdev, pasid, &used) ?:
	       (used == pt ? 0 : EBADE);
}

static inline int t_pasid_detach(int fd, uint32_t stdev, uint32_t pasid)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_PASID_DETACH,
		.id = stdev,
		.pasid_detach = { .pasid = pasid },
	};

	return t_test(fd, &cmd);
}

static inline int t_pasid_check(int fd, uint32_t stdev, uint32_t pasid,
				uint32_t hwpt)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_PASID_CHECK_HWPT,
		.id = stdev,
		.pasid_check = { .pasid = pasid, .hwpt_id = hwpt },
	};

	return t_test(fd, &cmd);
}

/* Dirty tracking */

static inline int t_set_dirty(int fd, uint32_t hwpt, uint32_t flags)
{
	struct iommu_hwpt_set_dirty_tracking cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.hwpt_id = hwpt,
	};

	return t_call(fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &cmd);
}

static inline int t_get_dirty(int fd, uint32_t hwpt, uint32_t flags,
			      uint64_t iova, uint64_t length,
			      uint64_t page_size, const void *bits)
{
	struct iommu_hwpt_get_dirty_bitmap cmd = {
		.size = sizeof(cmd),
		.hwpt_id = hwpt,
		.flags = flags,
		.iova = iova,
		.length = length,
		.page_size = page_size,
		.data = (uintptr_t)bits,
	};

	return t_call(fd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd);
}

static inline int t_unmap_dirty(int fd, uint32_t ioas, uint32_t hwpt,
				uint64_t iova, uint64_t length,
				uint64_t page_size, const void *bits,
				uint64_t *unmapped)
{
	struct iommu_x_ioas_unmap_dirty cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.hwpt_id = hwpt,
		.iova = iova,
		.length = length,
		.page_size = page_size,
		.data = (uintptr_t)bits,
	};
	int err = t_call(fd, IOMMU_X_IOAS_UNMAP_DIRTY, &cmd);

	if (unmapped)
		*unmapped = cmd.length;
	return err;
}

/* A device writes to each page_size bytes from @iova whose bit is set. */
static inline int t_dma_write(int fd, uint32_t hwpt, uint64_t iova,
			      uint64_t length, uint64_t page_size,
			      const void *bits, uint64_t *nr)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_DIRTY,
		.id = hwpt,
		.dirty = {
			.iova = iova,
			.length = length,
			.page_size = page_size,
			.uptr = (uintptr_t)bits,
		},
	};
	int err = t_test(fd, &cmd);

	if (!err && nr)
		*nr = cmd.dirty.out_nr_dirty;
	return err;
}

/* A write to the one byte at @iova, which is aligned to 2 KiB. */
static inline int t_dma_write_one(int fd, uint32_t hwpt, uint64_t iova)
{
	uint8_t bit = 1;

	return t_dma_write(fd, hwpt, iova, MOCK_PAGE_SIZE, MOCK_PAGE_SIZE, &bit,
			   NULL);
}

/* A device reads at @iova, after which its IOMMU knows the way. */
static inline int t_dma_read(int fd, uint32_t hwpt, uint64_t iova)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_X_DMA_READ,
		.id = hwpt,
		.dma_read = { .iova = iova },
	};

	return t_test(fd, &cmd);
}

/*
 * Where a device has to write MSIs to that are to arrive at @addr, as the
 * interrupt code would ask; *@iova 1 if at @addr itself.
 */
static inline int t_msi(int fd, uint32_t dev, uint64_t addr, uint64_t *iova)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_X_DEVICE_MSI,
		.id = dev,
		.device_msi = { .addr = addr },
	};
	int err = t_test(fd, &cmd);

	if (!err)
		*iova = cmd.device_msi.translated ? cmd.device_msi.iova : 1;
	return err;
}

/* Does @hwpt lead from @iova to @phys? EIO if not; @phys 0 is nowhere. */
static inline int t_check_phys(int fd, uint32_t hwpt, uint64_t iova,
			       uint64_t phys)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_X_MD_CHECK_PHYS,
		.id = hwpt,
		.check_phys = { .iova = iova, .phys = phys },
	};

	return t_test(fd, &cmd);
}

/* A page, whenever it does not matter which */
static inline void *t_page(void)
{
	static void *page;

	if (!page)
		page = t_alloc(T_PAGE);
	return page;
}

/* Can a page be mapped at @iova? It is not afterwards. */
static inline int t_usable(int fd, uint32_t ioas, uint64_t iova)
{
	return t_map_at(fd, ioas, t_page(), T_PAGE, iova) ?:
	       t_unmap(fd, ioas, iova, T_PAGE, NULL);
}

#endif
