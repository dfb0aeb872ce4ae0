// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: IOMMU_TEST_CMD
 *
 * The ioctl that tests look behind the ABI with: it makes devices and in-kernel
 * users, and says what page tables and pins really are.  The ops that only
 * look are here.
 *
 * No lock of its own.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "base/range.h"
#include "iommufd_test.h"
#include "memory/pages.h"
#include "object/hwpt.h"
#include "object/ioas.h"
#include "test/mock.h"
#include "test/test.h"

/* Least memory that pinning gets along with, as the test ABI has it */
#define SCRATCH_MIN 12

/* IOMMU_TEST_OP_ADD_RESERVED */
static int add_reserved_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct iofd_range range;
	struct iofd_ioas *ioas;
	int rc;

	rc = iofd_range_from_length(&range, cmd->add_reserved.start,
				    cmd->add_reserved.length);
	if (rc)
		return rc;
	ioas = iofd_ioas_borrow(ucmd->ctx, cmd->id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	/* Owned by the IOAS itself: nobody gives it back. */
	rc = iofd_aspace_reserve(&ioas->aspace, range, ioas);
	iofd_ioas_return(ioas);
	return rc;
}

/* The page behind an address of the caller, to be given to put_page(). */
static struct page *user_page(unsigned long uptr)
{
	struct page *page;
	int rc;

	if (fatal_signal_pending(current))
		return ERR_PTR(-EINTR);
	cond_resched();
	rc = get_user_pages_fast(uptr & PAGE_MASK, 1, 0, &page);
	if (rc < 0)
		return ERR_PTR(rc);
	return rc ? page : ERR_PTR(-EFAULT);
}

/* Where a DMA should end up that stands for the caller's access to @uptr. */
static int user_phys(unsigned long uptr, phys_addr_t *phys)
{
	struct page *page = user_page(uptr);
	struct follow_pfnmap_args args = { .address = uptr };
	int rc;

	if (!IS_ERR(page)) {
		*phys = page_to_phys(page) + offset_in_page(uptr);
		put_page(page);
		return 0;
	}
	rc = PTR_ERR(page);
	if (rc != -EFAULT)
		return rc;

	/* Device memory that the caller has touched */
	mmap_read_lock(current->mm);
	args.vma = vma_lookup(current->mm, uptr);
	if (args.vma && !follow_pfnmap_start(&args)) {
		*phys = PFN_PHYS(args.pfn) + offset_in_page(uptr);
		follow_pfnmap_end(&args);
		rc = 0;
	}
	mmap_read_unlock(current->mm);
	return rc;
}

/* Does [@iova, @iova + @length) translate to the caller's memory at @uptr? */
static int check_map(struct mock_domain *mock, unsigned long iova,
		     unsigned long length, unsigned long uptr)
{
	unsigned long granule = 1UL << __ffs(mock->domain.pgsize_bitmap);
	unsigned long offset, unused;
	phys_addr_t wanted;
	int rc;

	if (!IS_ALIGNED(iova | length | uptr, granule))
		return -EINVAL;
	if (check_add_overflow(iova, length, &unused) ||
	    check_add_overflow(uptr, length, &unused))
		return -EINVAL;

	for (offset = 0; offset != length; offset += granule) {
		rc = user_phys(uptr + offset, &wanted);
		if (rc)
			return rc;
		if (mock_domain_translate(mock, iova + offset) != wanted)
			return -EINVAL;
	}
	return 0;
}

/* Is nothing of [@iova, @iova + @length) translated? */
static int check_blocked(struct mock_domain *mock, unsigned long iova,
			 unsigned long length)
{
	unsigned long granule = 1UL << __ffs(mock->domain.pgsize_bitmap);
	unsigned long offset, unused;

	if (!IS_ALIGNED(iova | length, granule) ||
	    check_add_overflow(iova, length, &unused))
		return -EINVAL;
	for (offset = 0; offset != length; offset += granule) {
		if (mock_domain_translate(mock, iova + offset))
			return -EIO;
		cond_resched();
	}
	return 0;
}

/* What a test, or a device that reads, wants to know of a page table */
static int look_at_domain(struct mock_domain *mock,
			  const struct iommu_test_cmd *cmd)
{
	switch (cmd->op) {
	case IOMMU_TEST_OP_X_MD_CHECK_BLOCKED:
		return check_blocked(mock, cmd->check_map.iova,
				     cmd->check_map.length);
	case IOMMU_TEST_OP_X_MD_CHECK_PHYS:
		return mock_domain_translate(mock, cmd->check_phys.iova) ==
		       cmd->check_phys.phys ? 0 : -EIO;
	case IOMMU_TEST_OP_X_DMA_READ:
		return mock_dma_read(mock, cmd->dma_read.iova);
	default:
		return check_map(mock, cmd->check_map.iova,
				 cmd->check_map.length, cmd->check_map.uptr);
	}
}

/*
 * IOMMU_TEST_OP_MD_CHECK_MAP, _X_MD_CHECK_BLOCKED, _X_MD_CHECK_PHYS and
 * _X_DMA_READ
 */
static int look_at_domain_ioctl(struct iofd_ucmd *ucmd)
{
	struct iofd_objects *objects = &ucmd->ctx->objects;
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct iommufd_object *obj;
	struct mock_domain *mock;
	int rc;

	obj = iofd_object_borrow(objects, cmd->id, IOMMUFD_OBJ_HWPT_PAGING);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	mock = mock_domain_of(iofd_hwpt_of(obj)->domain);
	rc = mock ? look_at_domain(mock, cmd) : -EINVAL;
	iofd_object_return(objects, obj);
	return rc;
}

/*
 * A page that is part of a larger folio shares its count with the others, which
 * says nothing about the page; it is skipped.
 */
static int check_page_refs(unsigned long uptr, unsigned int refs)
{
	struct page *page = user_page(uptr);
	unsigned int pins;

	if (IS_ERR(page))
		return PTR_ERR(page);
	pins = PageCompound(page) ?
		       refs : page_ref_count(page) / GUP_PIN_COUNTING_BIAS;
	put_page(page);
	return pins == refs ? 0 : -EIO;
}

/* IOMMU_TEST_OP_MD_CHECK_REFS */
static int check_refs_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	unsigned long length = cmd->check_refs.length;
	unsigned long uptr = cmd->check_refs.uptr;
	unsigned long end;

	if (!PAGE_ALIGNED(length | uptr) ||
	    check_add_overflow(uptr, length, &end))
		return -EINVAL;

	for (; uptr != end; uptr += PAGE_SIZE) {
		int rc = check_page_refs(uptr, cmd->check_refs.refs);

		if (rc)
			return rc;
	}
	return 0;
}

/* IOMMU_TEST_OP_SET_TEMP_MEMORY_LIMIT */
static int set_memory_limit_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;

	if (cmd->memory_limit.limit < SCRATCH_MIN)
		return -EINVAL;
	WRITE_ONCE(iofd_pin_scratch_limit, cmd->memory_limit.limit);
	return 0;
}

/* IOMMU_TEST_CMD */
int iofd_test_ioctl(struct iofd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	u32 dev_flags;

	switch (cmd->op) {
	case IOMMU_TEST_OP_ADD_RESERVED:
		return add_reserved_ioctl(ucmd);
	case IOMMU_TEST_OP_MOCK_DOMAIN:
		return mock_device_create_ioctl(ucmd, 0);
	case IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS:
		dev_flags = cmd->mock_domain_flags.dev_flags;
		return mock_device_create_ioctl(ucmd, dev_flags);
	case IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE:
		return mock_device_replace_ioctl(ucmd);
	case IOMMU_TEST_OP_MD_CHECK_MAP:
	case IOMMU_TEST_OP_X_MD_CHECK_BLOCKED:
	case IOMMU_TEST_OP_X_MD_CHECK_PHYS:
	case IOMMU_TEST_OP_X_DMA_READ:
		return look_at_domain_ioctl(ucmd);
	case IOMMU_TEST_OP_MD_CHECK_REFS:
		return check_refs_ioctl(ucmd);
	case IOMMU_TEST_OP_CREATE_ACCESS:
		return mock_access_create_ioctl(ucmd);
	case IOMMU_TEST_OP_ACCESS_REPLACE_IOAS:
		return mock_access_replace_ioctl(ucmd);
	case IOMMU_TEST_OP_DESTROY_ACCESS_PAGES:
		return mock_access_unpin_ioctl(ucmd);
	case IOMMU_TEST_OP_ACCESS_PAGES:
		return mock_access_pin_ioctl(ucmd);
	case IOMMU_TEST_OP_ACCESS_RW:
		return mock_access_rw_ioctl(ucmd);
	case IOMMU_TEST_OP_DIRTY:
		return mock_dirty_ioctl(ucmd);
	case IOMMU_TEST_OP_SET_TEMP_MEMORY_LIMIT:
		return set_memory_limit_ioctl(ucmd);
	case IOMMU_TEST_OP_TRIGGER_IOPF:
	case IOMMU_TEST_OP_X_TRIGGER_PARTIAL_IOPF:
		return mock_iopf_trigger_ioctl(ucmd);
	case IOMMU_TEST_OP_TRIGGER_VEVENT:
		return mock_vevent_trigger_ioctl(ucmd);
	case IOMMU_TEST_OP_X_IOPF_COUNTS:
		return mock_iopf_counts_ioctl(ucmd);
	case IOMMU_TEST_OP_MD_CHECK_IOTLB:
		return mock_nested_check_ioctl(ucmd);
	case IOMMU_TEST_OP_DEV_CHECK_CACHE:
		return mock_device_check_cache_ioctl(ucmd);
	case IOMMU_TEST_OP_PASID_ATTACH:
		return mock_device_pasid_attach_ioctl(ucmd);
	case IOMMU_TEST_OP_PASID_REPLACE:
		return mock_device_pasid_replace_ioctl(ucmd);
	case IOMMU_TEST_OP_PASID_DETACH:
		return mock_device_pasid_detach_ioctl(ucmd);
	case IOMMU_TEST_OP_PASID_CHECK_HWPT:
		return mock_device_pasid_check_ioctl(ucmd);
	case IOMMU_TEST_OP_X_DEVICE_MSI:
		return mock_msi_ioctl(ucmd);
	case IOMMU_TEST_OP_DMABUF_GET:
		return mock_dmabuf_get_ioctl(ucmd);
	case IOMMU_TEST_OP_DMABUF_REVOKE:
		return mock_dmabuf_revoke_ioctl(ucmd);
	default:
		/* Unknown, or for parts of the driver that are not here yet. */
		return -EOPNOTSUPP;
	}
}

int __init iofd_test_init(void)
{
	int rc;

	rc = mock_iopf_init();
	if (rc)
		return rc;
	rc = mock_iommu_init();
	if (rc) {
		mock_iopf_exit();
		return rc;
	}
	mock_dmabuf_init();
	mock_dirty_init();
	return 0;
}

void iofd_test_exit(void)
{
	mock_dirty_exit();
	mock_dmabuf_exit();
	mock_viommu_exit();
	mock_iommu_exit();
	mock_iopf_exit();
}
