// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables of a real IOMMU, Intel's: nested ones where the hardware has
 * them, what it says where it has not, two IOMMU drivers in one context, and
 * whether no-snoop is ignored. The device is QEMU's edu.
 */
#include "pt.h"
#include "vfio.h"

/* Extended capability register: bits 7, 26, 43, 47 */
#define ECAP_SC 0x80ULL
#define ECAP_NEST 0x4000000ULL
#define ECAP_SMTS 0x80000000000ULL
#define ECAP_FLTS 0x800000000000ULL
#define NESTING (ECAP_NEST | ECAP_SMTS | ECAP_FLTS)

#define VTD_S1_LEN sizeof(struct iommu_hwpt_vtd_s1)

FIXTURE(vfio_nested)
{
	int fd;
	uint32_t id, ioas;
	uint64_t ecap;
	struct edu edu;
	/* Of tests that need hardware that nests, see make_guest() */
	char *mem;
	uint32_t parent, hwpt;
};

FIXTURE_SETUP(vfio_nested)
{
	struct iommu_hw_info_vtd info = {};
	struct iommu_hw_info cmd = {
		.size = sizeof(cmd),
		.data_len = sizeof(info),
		.data_uptr = (uintptr_t)&info,
	};
	const char *why;

	self->fd = -1;
	why = edu_open(_metadata, &self->edu);
	if (why)
		SKIP(return, "%s", why);
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, vfio_bind(self->edu.dev, self->fd, &self->id));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	cmd.dev_id = self->id;
	ASSERT_EQ(0, t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));
	if (cmd.out_data_type != IOMMU_HW_INFO_TYPE_INTEL_VTD)
		SKIP(return, "IOMMU of type %u, not Intel", cmd.out_data_type);
	self->ecap = info.ecap_reg;
}

FIXTURE_TEARDOWN(vfio_nested)
{
	edu_close(&self->edu);
	if (self->fd >= 0)
		close(self->fd);
}

static int alloc_vtd(struct _test_data_vfio_nested *self, uint32_t pt,
		     uint32_t flags, uint64_t root, uint32_t len,
		     uint32_t *hwpt)
{
	struct iommu_hwpt_vtd_s1 data[2] = {
		{ .pgtbl_addr = root, .addr_width = 48 },
	};

	return t_hwpt_full(self->fd, self->id, pt, flags, 0,
			   IOMMU_HWPT_DATA_VTD_S1, data, len, hwpt);
}

TEST_F(vfio_nested, hardware_without)
{
	uint32_t plain;

	if (self->ecap & ECAP_NEST)
		SKIP(return, "the IOMMU can nest");
	/* First stages are no page tables of address spaces. */
	EXPECT_EQ(EOPNOTSUPP, alloc_vtd(self, self->ioas, 0, 0, VTD_S1_LEN, NULL));
	EXPECT_EQ(EOPNOTSUPP, t_hwpt_alloc(self->fd, self->id, self->ioas,
					   IOMMU_HWPT_ALLOC_NEST_PARENT, NULL));
	/* So there is no parent to be had. */
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->id, self->ioas, 0, &plain));
	EXPECT_EQ(EINVAL, alloc_vtd(self, plain, 0, 0, VTD_S1_LEN, NULL));
	EXPECT_EQ(EOPNOTSUPP, alloc_vtd(self, plain,
					IOMMU_HWPT_ALLOC_DIRTY_TRACKING, 0,
					VTD_S1_LEN, NULL));
	EXPECT_EQ(0, t_destroy(self->fd, plain));
	EXPECT_EQ(0, t_destroy(self->fd, self->ioas));
}

/*
 * The driver of one IOMMU must not be given what another's has made: it would
 * take it for its own.
 */
TEST_F(vfio_nested, parent_of_another_iommu)
{
	uint32_t mock_ioas, stdev, idev, parent, plain;

	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &mock_ioas));
	ASSERT_EQ(0, t_mock(self->fd, mock_ioas, &stdev, NULL, &idev));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, idev, self->ioas,
				  IOMMU_HWPT_ALLOC_NEST_PARENT, &parent));
	EXPECT_EQ(EINVAL, alloc_vtd(self, parent, 0, 0, VTD_S1_LEN, NULL));
	EXPECT_EQ(EINVAL, t_nested(self->fd, self->id, parent, 0, 0, NULL));
	/* It is the device that is wrong. */
	ASSERT_EQ(0, t_nested(self->fd, idev, parent, 0, 0, &plain));
	EXPECT_EQ(0, t_destroy(self->fd, plain));
	/* The other way round, which has a parent only where there is nesting */
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->id, mock_ioas,
				  self->ecap & ECAP_NEST ?
				  IOMMU_HWPT_ALLOC_NEST_PARENT : 0, &plain));
	EXPECT_EQ(EINVAL, t_nested(self->fd, idev, plain, 0, 0, NULL));
	EXPECT_EQ(0, t_destroy(self->fd, plain));
	EXPECT_EQ(0, t_destroy(self->fd, parent));
	/* Nor has the device the words of a mock. */
	EXPECT_EQ(EINVAL, t_check_cache(self->fd, self->id, 0,
					IOMMU_TEST_DEV_CACHE_DEFAULT));
}

TEST_F(vfio_nested, viommu_of_another_iommu)
{
	uint32_t mock_ioas, idev, parent, viommu;
	int err;

	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &mock_ioas));
	ASSERT_EQ(0, t_mock(self->fd, mock_ioas, NULL, NULL, &idev));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, idev, mock_ioas,
				  IOMMU_HWPT_ALLOC_NEST_PARENT, &parent));
	err = t_viommu(self->fd, idev, parent, IOMMU_VIOMMU_TYPE_SELFTEST, NULL,
		       0, &viommu);
	if (err == EOPNOTSUPP)
		SKIP(return, "kernel without vIOMMUs");
	ASSERT_EQ(0, err);
	EXPECT_EQ(EINVAL, t_nested(self->fd, self->id, viommu, 0, 0, NULL));
	/* This comes before flags and data. */
	EXPECT_EQ(EINVAL, t_nested(self->fd, self->id, viommu, 1U << 31, 0,
				   NULL));
	EXPECT_EQ(EINVAL, t_hwpt_alloc(self->fd, self->id, viommu, 0, NULL));
	EXPECT_EQ(0, t_destroy(self->fd, viommu));
}

/* VFIO asks this way whether no-snoop can be used against the guest. */
static int cc(int fd)
{
	return ioctl(fd, VFIO_CHECK_EXTENSION, VFIO_DMA_CC_IOMMU);
}

TEST_F(vfio_nested, no_snoop_is_ignored)
{
	int can = !!(self->ecap & ECAP_SC);
	uint32_t idev, hwpt, mock;

	ASSERT_EQ(0, t_vfio_ioas(self->fd, IOMMU_VFIO_IOAS_SET, &self->ioas));
	EXPECT_EQ(1, cc(self->fd));
	/* A page table that was asked for, then one that makes itself */
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->id, self->ioas, 0, &hwpt));
	EXPECT_EQ(can, cc(self->fd));
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, NULL));
	EXPECT_EQ(can, cc(self->fd));
	ASSERT_EQ(0, t_destroy(self->fd, hwpt));
	EXPECT_EQ(can, cc(self->fd));
	if (t_has_mock(self->fd)) {
		uint32_t other;

		/* The mock can't, and one that can't is enough. */
		ASSERT_EQ(0, t_ioas_alloc(self->fd, &other));
		ASSERT_EQ(0, t_mock(self->fd, other, NULL, NULL, &idev));
		EXPECT_EQ(can, cc(self->fd));
		ASSERT_EQ(0, t_hwpt_alloc(self->fd, idev, self->ioas, 0,
					  &mock));
		EXPECT_EQ(0, cc(self->fd));
		ASSERT_EQ(0, t_destroy(self->fd, mock));
		EXPECT_EQ(can, cc(self->fd));
	}
	ASSERT_EQ(0, vfio_detach(self->edu.dev));
	EXPECT_EQ(1, cc(self->fd));
}

/*
 * What follows is what a monitor does for its guest. The guest's memory is a
 * page set at GUEST; it has a page table there which maps what lies above.
 */
#define GUEST 0x400000UL
/* What the device puts on the bus, translated by the guest's table */
#define VIRT 0x800000UL

enum {
	PAGE_PML4,
	PAGE_PDPT,
	PAGE_PD,
	PAGE_PT,
	PAGE_DATA,
	NR_PAGES = PAGE_DATA + 4,
};

/* Present, writable, for users; accessed and dirty spare the IOMMU the work. */
#define ENTRY (1 | 1 << 1 | 1 << 2 | 1 << 5 | 1 << 6)

static void enter(char *mem, unsigned int table, unsigned int index,
		  unsigned int page)
{
	uint64_t *entry = (uint64_t *)(mem + table * T_PAGE) + index;

	__atomic_store_n(entry, (GUEST + page * T_PAGE) | ENTRY,
			 __ATOMIC_RELEASE);
}

/* A guest's memory, its page table in there, and the two stages */
static void make_guest(struct __test_metadata *_metadata,
		       struct _test_data_vfio_nested *self)
{
	unsigned int i;

	self->mem = t_alloc(NR_PAGES * T_PAGE);
	ASSERT_NE(NULL, self->mem);
	memset(self->mem, 0, NR_PAGES * T_PAGE);
	enter(self->mem, PAGE_PML4, 0, PAGE_PDPT);
	enter(self->mem, PAGE_PDPT, 0, PAGE_PD);
	enter(self->mem, PAGE_PD, VIRT >> 21, PAGE_PT);
	for (i = 0; i < NR_PAGES - PAGE_DATA; i++)
		enter(self->mem, PAGE_PT, i, PAGE_DATA + i);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->mem,
			      NR_PAGES * T_PAGE, GUEST));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->id, self->ioas,
				  IOMMU_HWPT_ALLOC_NEST_PARENT, &self->parent));
	ASSERT_EQ(0, alloc_vtd(self, self->parent, 0,
			       GUEST + PAGE_PML4 * T_PAGE, VTD_S1_LEN,
			       &self->hwpt));
}

static char *data_page(struct _test_data_vfio_nested *self, unsigned int n)
{
	return self->mem + (PAGE_DATA + n) * T_PAGE;
}

static int invalidate(struct _test_data_vfio_nested *self,
		      struct iommu_hwpt_vtd_s1_invalidate *requests,
		      uint32_t len, uint32_t *num)
{
	struct iommu_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = self->hwpt,
		.data_uptr = (uintptr_t)requests,
		.data_type = IOMMU_HWPT_INVALIDATE_DATA_VTD_S1,
		.entry_len = len,
		.entry_num = *num,
	};
	int err = t_call(self->fd, IOMMU_HWPT_INVALIDATE, &cmd);

	*num = cmd.entry_num;
	return err;
}

#define NO_NESTING "IOMMU without nested translation (ecap %#llx)", \
	(unsigned long long)self->ecap

TEST_F(vfio_nested, first_stage_data)
{
	uint32_t hwpt;

	if ((self->ecap & NESTING) != NESTING)
		SKIP(return, NO_NESTING);
	make_guest(_metadata, self);
	EXPECT_EQ(EINVAL, alloc_vtd(self, self->parent, 0, 0, VTD_S1_LEN - 1,
				    NULL));
	EXPECT_EQ(EINVAL, alloc_vtd(self, self->parent, 0, 0, VTD_S1_LEN + 1,
				    NULL));
	EXPECT_EQ(EOPNOTSUPP, alloc_vtd(self, self->parent,
					IOMMU_HWPT_ALLOC_NEST_PARENT, 0,
					VTD_S1_LEN, NULL));
	EXPECT_EQ(EOPNOTSUPP, t_nested(self->fd, self->id, self->parent, 0, 0,
				       NULL));
	EXPECT_EQ(EOPNOTSUPP, alloc_vtd(self, self->ioas, 0, 0, VTD_S1_LEN,
					NULL));
	EXPECT_EQ(0, alloc_vtd(self, self->parent, IOMMU_HWPT_ALLOC_PASID, 0,
			       VTD_S1_LEN, &hwpt));
	EXPECT_EQ(0, t_destroy(self->fd, hwpt));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->parent));
	EXPECT_EQ(0, t_destroy(self->fd, self->hwpt));
	EXPECT_EQ(0, t_destroy(self->fd, self->parent));
}

TEST_F(vfio_nested, first_stage_requests)
{
	struct iommu_hwpt_vtd_s1_invalidate requests[4] = {
		{ .addr = VIRT, .npages = 1 },
		{ .addr = 0, .npages = UINT64_MAX },
	};
	uint32_t num = 2;

	if ((self->ecap & NESTING) != NESTING)
		SKIP(return, NO_NESTING);
	make_guest(_metadata, self);
	EXPECT_EQ(0, invalidate(self, requests, sizeof(*requests), &num));
	EXPECT_EQ(2, num);
	EXPECT_EQ(EINVAL, invalidate(self, requests, sizeof(*requests) - 1,
				     &num));
	EXPECT_EQ(0, num);
	num = 4;
	requests[2] = (struct iommu_hwpt_vtd_s1_invalidate) {
		.addr = VIRT + 1, .npages = 1,
	};
	EXPECT_EQ(EINVAL, invalidate(self, requests, sizeof(*requests), &num));
	EXPECT_EQ(2, num);
	num = 4;
	requests[1].addr = VIRT;
	EXPECT_EQ(EINVAL, invalidate(self, requests, sizeof(*requests), &num));
	EXPECT_EQ(1, num);
	num = 4;
	requests[0].flags = ~IOMMU_VTD_INV_FLAGS_LEAF;
	EXPECT_EQ(EOPNOTSUPP, invalidate(self, requests, sizeof(*requests),
					 &num));
	EXPECT_EQ(0, num);
	EXPECT_EQ(0, invalidate(self, NULL, 0, &num));
}

TEST_F(vfio_nested, dma_through_both_stages)
{
	struct iommu_hwpt_vtd_s1_invalidate request = {
		.addr = VIRT,
		.npages = 1,
		.flags = IOMMU_VTD_INV_FLAGS_LEAF,
	};
	uint32_t num = 1, used;

	if ((self->ecap & NESTING) != NESTING)
		SKIP(return, NO_NESTING);
	make_guest(_metadata, self);
	edu_start(_metadata, &self->edu);
	fill(data_page(self, 0), 1);
	fill(data_page(self, 2), 2);
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->hwpt, &used));
	EXPECT_EQ(self->hwpt, used);
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->hwpt));

	EDU_READ(VIRT);
	EDU_WRITE(VIRT + T_PAGE);
	EXPECT_EQ(0, memcmp(data_page(self, 0), data_page(self, 1),
			    EDU_CHUNK));
	/* The guest's own addresses mean nothing to the device any more. */
	EDU_WRITE(GUEST + (PAGE_DATA + 3) * T_PAGE);
	EXPECT_TRUE(is_all(data_page(self, 3), 0));

	/* The guest maps something else, and says so. */
	enter(self->mem, PAGE_PT, 0, PAGE_DATA + 2);
	ASSERT_EQ(0, invalidate(self, &request, sizeof(request), &num));
	EXPECT_EQ(1, num);
	EDU_READ(VIRT);
	EDU_WRITE(VIRT + T_PAGE);
	EXPECT_EQ(0, memcmp(data_page(self, 2), data_page(self, 1),
			    EDU_CHUNK));

	/* What is no guest's memory stays out of reach. */
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	memset(data_page(self, 1), 0, EDU_CHUNK);
	EDU_WRITE(VIRT + T_PAGE);
	EXPECT_TRUE(is_all(data_page(self, 1), 0));
	ASSERT_EQ(0, vfio_detach(self->edu.dev));
	EXPECT_EQ(0, t_destroy(self->fd, self->hwpt));
	EXPECT_EQ(0, t_destroy(self->fd, self->parent));
}

TEST_HARNESS_MAIN
