// SPDX-License-Identifier: GPL-2.0-only
/*
 * A real device behind a real IOMMU: QEMU's edu (1234:11e8), driven from here
 * through its VFIO character device, behind the Intel IOMMU or an SMMUv3.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "vfio.h"

/* edu knows 28 address bits. */
#define IOVA 0x400000UL

FIXTURE(vfio_pci)
{
	int fd;
	uint32_t id, ioas;
	struct edu edu;
	char *buf;
	size_t length;
};

FIXTURE_SETUP(vfio_pci)
{
	const char *why;

	self->fd = -1;
	why = edu_open(_metadata, &self->edu);
	if (why)
		SKIP(return, "%s", why);
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, vfio_bind(self->edu.dev, self->fd, &self->id));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	edu_start(_metadata, &self->edu);
	self->length = 16 * T_PAGE;
	self->buf = t_alloc(self->length);
	ASSERT_NE(NULL, self->buf);
}

static void check_unpinned(struct __test_metadata *_metadata, void *buf,
			   size_t length)
{
	int fd = t_open();

	ASSERT_LE(0, fd);
	/* Only the test interface can tell. */
	ASSERT_TRUE(!t_has_mock(fd) || !t_check_refs(fd, buf, length, 0))
		TH_LOG("pins are left");
	close(fd);
}

FIXTURE_TEARDOWN(vfio_pci)
{
	edu_close(&self->edu);
	if (self->fd >= 0)
		close(self->fd);
	if (self->buf)
		check_unpinned(_metadata, self->buf, self->length);
}

TEST_F(vfio_pci, bind)
{
	uint32_t id;

	EXPECT_NE(0, self->id);
	EXPECT_NE(self->id, self->ioas);
	EXPECT_EQ(EINVAL, vfio_bind(self->edu.dev, self->fd, &id));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->id));
	/* A device alone narrows nothing. */
	EXPECT_EQ(1, t_alignment(self->fd, self->ioas));
}

TEST_F(vfio_pci, attach_errors)
{
	uint32_t hwpt;

	EXPECT_EQ(ENOENT, vfio_attach(self->edu.dev, 0, &hwpt));
	EXPECT_EQ(ENOENT, vfio_attach(self->edu.dev, UINT32_MAX, &hwpt));
	EXPECT_EQ(EINVAL, vfio_attach(self->edu.dev, self->id, &hwpt));
	/* Nothing is attached, and taking that away is no error. */
	EXPECT_EQ(0, vfio_detach(self->edu.dev));
	EXPECT_EQ(0, t_destroy(self->fd, self->ioas));
}

TEST_F(vfio_pci, msi_window_is_reserved)
{
	struct iommu_iova_range r[32] = {}, msi = { MSI_FIRST, MSI_LAST };
	uint32_t num = ARRAY_SIZE(r), i, hwpt;
	bool below = false, above = false;
	uint64_t align;

	ASSERT_EQ(0, t_iova_ranges(self->fd, self->ioas, r, &num, &align));
	ASSERT_EQ(1, num);
	EXPECT_EQ(0, r[0].start);
	EXPECT_EQ(UINT64_MAX, r[0].last);

	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, &hwpt));
	EXPECT_NE(0, hwpt);
	num = ARRAY_SIZE(r);
	ASSERT_EQ(0, t_iova_ranges(self->fd, self->ioas, r, &num, &align));
	EXPECT_EQ(T_PAGE, align);
	for (i = 0; i < num; i++) {
		EXPECT_TRUE(r[i].last < MSI_FIRST || r[i].start > MSI_LAST)
			TH_LOG("%#llx - %#llx", r[i].start, r[i].last);
		below |= r[i].last == MSI_FIRST - 1;
		above |= r[i].start == MSI_LAST + 1;
	}
	/* Just this window, and no more around it. */
	EXPECT_TRUE(below);
	EXPECT_TRUE(above);
	/* Nor what the IOMMU has no address lines for, if it lacks some */
	if (r[num - 1].last < UINT64_MAX)
		EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf,
					   T_PAGE, r[num - 1].last + 1));

	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
				   MSI_FIRST));
	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
				   MSI_LAST + 1 - T_PAGE));
	EXPECT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
			      MSI_LAST + 1));
	EXPECT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
			      MSI_FIRST - T_PAGE));
	EXPECT_EQ(EADDRINUSE, t_allow_iovas(self->fd, self->ioas, &msi, 1));

	/* Without the device it is a range like others. */
	ASSERT_EQ(0, vfio_detach(self->edu.dev));
	num = ARRAY_SIZE(r);
	ASSERT_EQ(0, t_iova_ranges(self->fd, self->ioas, r, &num, &align));
	EXPECT_EQ(1, num);
	EXPECT_EQ(UINT64_MAX, r[0].last);
	EXPECT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
			      MSI_FIRST));
	EXPECT_EQ(EADDRINUSE, vfio_attach(self->edu.dev, self->ioas, &hwpt));
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, MSI_FIRST, T_PAGE, NULL));
	ASSERT_EQ(0, t_allow_iovas(self->fd, self->ioas, &msi, 1));
	EXPECT_EQ(EADDRINUSE, vfio_attach(self->edu.dev, self->ioas, &hwpt));
	ASSERT_EQ(0, t_allow_iovas(self->fd, self->ioas, NULL, 0));
	EXPECT_EQ(0, vfio_attach(self->edu.dev, self->ioas, &hwpt));
}

TEST_F(vfio_pci, dma_both_ways)
{
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, NULL));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      IOVA));
	fill(self->buf, 1);
	EDU_READ(IOVA);
	memset(self->buf + 3 * T_PAGE, 0, T_PAGE);
	EDU_WRITE(IOVA + 3 * T_PAGE);
	EXPECT_EQ(0, memcmp(self->buf, self->buf + 3 * T_PAGE, EDU_CHUNK));
	EXPECT_FALSE(is_all(self->buf + 3 * T_PAGE, 0));
	/* Across a border of pages */
	memset(self->buf + 5 * T_PAGE, 0, 2 * T_PAGE);
	EDU_WRITE(IOVA + 6 * T_PAGE - 1000);
	EXPECT_EQ(0, memcmp(self->buf, self->buf + 6 * T_PAGE - 1000,
			    EDU_CHUNK));
	EXPECT_EQ(0, self->buf[6 * T_PAGE - 1001]);
	EXPECT_EQ(0, self->buf[6 * T_PAGE - 1000 + EDU_CHUNK]);
}

TEST_F(vfio_pci, mapped_before_attach)
{
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      IOVA));
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, NULL));
	fill(self->buf, 2);
	EDU_READ(IOVA);
	EDU_WRITE(IOVA + 8 * T_PAGE);
	EXPECT_EQ(0, memcmp(self->buf, self->buf + 8 * T_PAGE, EDU_CHUNK));
}

TEST_F(vfio_pci, not_mapped_is_blocked)
{
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, NULL));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE, IOVA));
	fill(self->buf, 3);
	EDU_READ(IOVA);
	memset(self->buf, 0x77, T_PAGE);
	/* Never mapped: neighbours, and physical memory below 1 MiB */
	EDU_WRITE(IOVA + T_PAGE);
	EDU_WRITE(0x10000);
	EXPECT_TRUE(is_all(self->buf, 0x77));
	/* No more mapped */
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, IOVA, T_PAGE, NULL));
	EDU_WRITE(IOVA);
	EXPECT_TRUE(is_all(self->buf, 0x77));
	/* Reading brings no secret in. */
	EDU_READ(IOVA);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf + T_PAGE, T_PAGE,
			      IOVA));
	memset(self->buf + T_PAGE, 0, T_PAGE);
	EDU_WRITE(IOVA);
	EXPECT_FALSE(is_all(self->buf + T_PAGE, 0x77));
	EXPECT_TRUE(is_all(self->buf, 0x77));
}

TEST_F(vfio_pci, read_only_is_not_written)
{
	uint64_t iova = IOVA;

	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, NULL));
	fill(self->buf, 4);
	ASSERT_EQ(0, t_map(self->fd, self->ioas, self->buf, T_PAGE, &iova,
			   T_FIXED | IOMMU_IOAS_MAP_READABLE));
	EDU_READ(IOVA);
	fill(self->buf, 5);
	memcpy(self->buf + T_PAGE, self->buf, EDU_CHUNK);
	EDU_WRITE(IOVA);
	EXPECT_EQ(0, memcmp(self->buf, self->buf + T_PAGE, EDU_CHUNK));
	/* What it has read it has. */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf + T_PAGE, T_PAGE,
			      IOVA + T_PAGE));
	EDU_WRITE(IOVA + T_PAGE);
	fill(self->buf, 4);
	EXPECT_EQ(0, memcmp(self->buf, self->buf + T_PAGE, EDU_CHUNK));
}

static void expect_msi(struct __test_metadata *_metadata, struct edu *edu,
		       int irq)
{
	struct pollfd p = { .fd = irq, .events = POLLIN };
	uint64_t count;

	edu_set(edu, EDU_IRQ_RAISE, 1);
	EXPECT_EQ(1, poll(&p, 1, 20000));
	if (p.revents)
		EXPECT_EQ(sizeof(count), read(irq, &count, sizeof(count)));
	edu_set(edu, EDU_IRQ_ACK, 1);
}

/*
 * An interrupt is a write of the device. Where the IOMMU translates it (Arm), it
 * arrives only if the page it goes to is in every page table the device is moved to.
 */
TEST_F(vfio_pci, msi)
{
	int irq = eventfd(0, EFD_CLOEXEC);
	uint32_t other, manual;

	ASSERT_LE(0, irq);
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, NULL));
	ASSERT_EQ(0, vfio_msi(self->edu.dev, irq));
	expect_msi(_metadata, &self->edu, irq);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &other));
	ASSERT_EQ(0, vfio_attach(self->edu.dev, other, NULL));
	expect_msi(_metadata, &self->edu, irq);
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->id, other, 0, &manual));
	ASSERT_EQ(0, vfio_attach(self->edu.dev, manual, NULL));
	expect_msi(_metadata, &self->edu, irq);
	ASSERT_EQ(0, vfio_detach(self->edu.dev));
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, NULL));
	expect_msi(_metadata, &self->edu, irq);
	close(irq);
}

TEST_F(vfio_pci, detached_is_blocked)
{
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, NULL));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE, IOVA));
	fill(self->buf, 6);
	EDU_READ(IOVA);
	memset(self->buf, 0x33, T_PAGE);
	ASSERT_EQ(0, vfio_detach(self->edu.dev));
	EDU_WRITE(IOVA);
	EXPECT_TRUE(is_all(self->buf, 0x33));
	/* Attached again it goes on. */
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, NULL));
	EDU_WRITE(IOVA);
	EXPECT_FALSE(is_all(self->buf, 0x33));
}

TEST_F(vfio_pci, replace)
{
	uint32_t other, first, second, manual, got;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &other));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, T_PAGE, IOVA));
	ASSERT_EQ(0, t_map_at(self->fd, other, self->buf + T_PAGE, T_PAGE,
			      IOVA));
	ASSERT_EQ(0, t_map_at(self->fd, other, self->buf + 2 * T_PAGE, T_PAGE,
			      IOVA + T_PAGE));
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, &first));
	fill(self->buf, 7);
	memset(self->buf + T_PAGE, 0, 2 * T_PAGE);
	EDU_READ(IOVA);
	/* Attaching again is replacing. */
	ASSERT_EQ(0, vfio_attach(self->edu.dev, other, &second));
	EXPECT_NE(first, second);
	EXPECT_EQ(ENOENT, t_destroy(self->fd, first));
	EXPECT_EQ(0, t_destroy(self->fd, self->ioas));
	EDU_WRITE(IOVA);
	EDU_WRITE(IOVA + T_PAGE);
	EXPECT_EQ(0, memcmp(self->buf, self->buf + T_PAGE, EDU_CHUNK));
	EXPECT_EQ(0, memcmp(self->buf, self->buf + 2 * T_PAGE, EDU_CHUNK));

	/* To a page table that was made by hand, and away from it */
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->id, other, 0, &manual));
	ASSERT_EQ(0, vfio_attach(self->edu.dev, manual, &got));
	EXPECT_EQ(manual, got);
	EXPECT_EQ(ENOENT, t_destroy(self->fd, second));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, manual));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, other));
	memset(self->buf + T_PAGE, 0, T_PAGE);
	EDU_WRITE(IOVA);
	EXPECT_EQ(0, memcmp(self->buf, self->buf + T_PAGE, EDU_CHUNK));
	ASSERT_EQ(0, vfio_detach(self->edu.dev));
	EXPECT_EQ(0, t_destroy(self->fd, manual));
	EXPECT_EQ(0, t_destroy(self->fd, other));
}

TEST_F(vfio_pci, failed_replace_changes_nothing)
{
	struct iommu_iova_range r[32];
	uint32_t other, before = 32, after = 32;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &other));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 2 * T_PAGE,
			      IOVA));
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, NULL));
	ASSERT_EQ(0, t_iova_ranges(self->fd, self->ioas, r, &before, NULL));
	/* In the way of the MSI window, then memory that is none */
	ASSERT_EQ(0, t_map_at(self->fd, other, self->buf, T_PAGE, MSI_FIRST));
	EXPECT_EQ(EADDRINUSE, vfio_attach(self->edu.dev, other, NULL));
	ASSERT_EQ(0, t_unmap_all(self->fd, other, NULL));
	ASSERT_EQ(0, t_map_at(self->fd, other, t_cliff(), 2 * T_PAGE, IOVA));
	EXPECT_EQ(EFAULT, vfio_attach(self->edu.dev, other, NULL));
	EXPECT_EQ(1, t_alignment(self->fd, other));
	EXPECT_EQ(0, t_destroy(self->fd, other));

	ASSERT_EQ(0, t_iova_ranges(self->fd, self->ioas, r, &after, NULL));
	EXPECT_EQ(before, after);
	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
				   MSI_FIRST));
	fill(self->buf, 8);
	EDU_READ(IOVA);
	EDU_WRITE(IOVA + T_PAGE);
	EXPECT_EQ(0, memcmp(self->buf, self->buf + T_PAGE, EDU_CHUNK));
}

/* Two IOMMU drivers in one context: what one makes, the other never sees. */
TEST_F(vfio_pci, page_table_of_another_iommu)
{
	uint32_t own, mock, stdev, idev, got;

	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	/* Where both can reach it */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 2 * T_PAGE,
			      T_BASE));
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, &own));
	/* Through the address space each finds its own, or gets one. */
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &stdev, &mock, &idev));
	EXPECT_NE(own, mock);
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, &got));
	EXPECT_EQ(own, got);
	ASSERT_EQ(0, t_mock_replace(self->fd, stdev, self->ioas, &got));
	EXPECT_EQ(mock, got);

	EXPECT_EQ(EINVAL, t_mock(self->fd, own, NULL, NULL, NULL));
	EXPECT_EQ(EINVAL, t_mock_replace(self->fd, stdev, own, NULL));
	EXPECT_EQ(EINVAL, vfio_attach(self->edu.dev, mock, NULL));
	fill(self->buf, 9);
	EDU_READ(T_BASE);
	EDU_WRITE(T_BASE + T_PAGE);
	EXPECT_EQ(0, memcmp(self->buf, self->buf + T_PAGE, EDU_CHUNK));
	EXPECT_EQ(0, t_check_map(self->fd, mock, T_BASE, 2 * T_PAGE,
				 self->buf));
	ASSERT_EQ(0, vfio_detach(self->edu.dev));
	EXPECT_EQ(EINVAL, vfio_attach(self->edu.dev, mock, NULL));
	EXPECT_EQ(ENOENT, t_destroy(self->fd, own));
}

static int attach_pasid(int dev, uint32_t pasid, uint32_t pt)
{
	struct vfio_device_attach_iommufd_pt cmd = {
		.argsz = sizeof(cmd),
		.flags = VFIO_DEVICE_ATTACH_PASID,
		.pt_id = pt,
		.pasid = pasid,
	};

	return t_call(dev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd);
}

/* PASIDs by way of VFIO; edu has none. */
TEST_F(vfio_pci, pasid)
{
	uint32_t manual;

	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->id, self->ioas, 0, &manual));
	EXPECT_EQ(ENOENT, attach_pasid(self->edu.dev, 5, UINT32_MAX));
	EXPECT_EQ(EINVAL, attach_pasid(self->edu.dev, 5, self->id));
	EXPECT_EQ(EINVAL, attach_pasid(self->edu.dev, 5, self->ioas));
	EXPECT_EQ(EINVAL, attach_pasid(self->edu.dev, 5, manual));
	EXPECT_EQ(0, t_destroy(self->fd, manual));
}

TEST_F(vfio_pci, copy_to_another_address_space)
{
	uint32_t other;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &other));
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, NULL));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 8 * T_PAGE,
			      IOVA));
	ASSERT_EQ(0, t_copy_at(self->fd, other, self->ioas, IOVA + 4 * T_PAGE,
			       2 * T_PAGE, IOVA));
	ASSERT_EQ(0, vfio_attach(self->edu.dev, other, NULL));
	ASSERT_EQ(0, t_destroy(self->fd, self->ioas));
	fill(self->buf + 4 * T_PAGE, 9);
	EDU_READ(IOVA);
	EDU_WRITE(IOVA + T_PAGE);
	EXPECT_EQ(0, memcmp(self->buf + 4 * T_PAGE, self->buf + 5 * T_PAGE,
			    EDU_CHUNK));
	/* The rest of the first mapping is out of reach. */
	memset(self->buf + 6 * T_PAGE, 0x44, T_PAGE);
	EDU_WRITE(IOVA + 2 * T_PAGE);
	EXPECT_TRUE(is_all(self->buf + 6 * T_PAGE, 0x44));
}

TEST_F(vfio_pci, huge_memory)
{
	char *va;

	if (!t_reserve_hugetlb(2))
		SKIP(return, "no 2 MiB pages to be had");
	va = mmap(NULL, 2 * T_PMD, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	ASSERT_NE(MAP_FAILED, va);
	memset(va, 0, 2 * T_PMD);
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, NULL));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va, 2 * T_PMD, IOVA));
	fill(va, 10);
	EDU_READ(IOVA);
	/* Across the border of the two */
	EDU_WRITE(IOVA + T_PMD - 1024);
	EXPECT_EQ(0, memcmp(va, va + T_PMD - 1024, EDU_CHUNK));
	/* The second half of the last one, mapped by itself */
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, va + 3 * T_PMD / 2,
			      T_PMD / 2, IOVA + 4 * T_PMD));
	EDU_WRITE(IOVA + 4 * T_PMD);
	EXPECT_EQ(0, memcmp(va, va + 3 * T_PMD / 2, EDU_CHUNK));
}

TEST_F(vfio_pci, hw_info)
{
	union {
		struct iommu_hw_info_vtd vtd;
		struct iommu_hw_info_arm_smmuv3 smmu;
		struct iommu_hw_info_amd amd;
	} info = {};
	struct iommu_hw_info cmd = {
		.size = sizeof(cmd),
		.dev_id = self->id,
		.data_len = sizeof(info),
		.data_uptr = (uintptr_t)&info,
	};

	ASSERT_EQ(0, t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));
	switch (cmd.out_data_type) {
	case IOMMU_HW_INFO_TYPE_INTEL_VTD:
		EXPECT_EQ(sizeof(info.vtd), cmd.data_len);
		EXPECT_NE(0, info.vtd.cap_reg);
		EXPECT_NE(0, info.vtd.ecap_reg);
		break;
	case IOMMU_HW_INFO_TYPE_ARM_SMMUV3:
		EXPECT_EQ(sizeof(info.smmu), cmd.data_len);
		/* At least one stage, and sizes of pages and addresses */
		EXPECT_NE(0, info.smmu.idr[0] & 3);
		EXPECT_NE(0, info.smmu.idr[5]);
		break;
	case IOMMU_HW_INFO_TYPE_AMD:
		EXPECT_EQ(sizeof(info.amd), cmd.data_len);
		EXPECT_NE(0, info.amd.efr);
		break;
	default:
		SKIP(return, "IOMMU of type %u", cmd.out_data_type);
	}
	EXPECT_EQ(0, cmd.out_max_pasid_log2);
	EXPECT_TRUE(cmd.out_capabilities & IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED);

	/* What it has answered is now what is asked for. */
	cmd.flags = IOMMU_HW_INFO_FLAG_INPUT_TYPE;
	EXPECT_EQ(0, t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));
	cmd.in_data_type = cmd.out_data_type == IOMMU_HW_INFO_TYPE_AMD ?
				   IOMMU_HW_INFO_TYPE_INTEL_VTD :
				   IOMMU_HW_INFO_TYPE_AMD;
	EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));
}

TEST_F(vfio_pci, hwpt_data_is_refused)
{
	uint64_t data[4] = {};
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.dev_id = self->id,
		.pt_id = self->ioas,
		.data_type = IOMMU_HWPT_DATA_ARM_SMMUV3,
		.data_len = 16,
		.data_uptr = (uintptr_t)data,
	};

	EXPECT_EQ(EOPNOTSUPP, t_call(self->fd, IOMMU_HWPT_ALLOC, &cmd));
	EXPECT_EQ(1, t_alignment(self->fd, self->ioas));
}

TEST_F(vfio_pci, close_the_iommu_first)
{
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, NULL));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 2 * T_PAGE,
			      IOVA));
	fill(self->buf, 11);
	close(self->fd);
	self->fd = -1;
	/* The device holds what it was bound to. */
	EDU_READ(IOVA);
	EDU_WRITE(IOVA + T_PAGE);
	EXPECT_EQ(0, memcmp(self->buf, self->buf + T_PAGE, EDU_CHUNK));
}

TEST_F(vfio_pci, close_the_device_first)
{
	uint32_t hwpt;

	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, &hwpt));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 2 * T_PAGE,
			      IOVA));
	edu_close(&self->edu);
	/* The device is no object any more, its automatic table is gone. */
	EXPECT_EQ(ENOENT, t_destroy(self->fd, self->id));
	EXPECT_EQ(ENOENT, t_destroy(self->fd, hwpt));
	EXPECT_EQ(1, t_alignment(self->fd, self->ioas));
	EXPECT_EQ(0, t_destroy(self->fd, self->ioas));
}

TEST_F(vfio_pci, two_devices)
{
	uint32_t id, other, first, second;
	char path[300], node[300];
	int dev;

	if (!find_pci(NVME_VENDOR, NVME_DEVICE, path, sizeof(path)) ||
	    !find_cdev(path, node, sizeof(node)))
		SKIP(return, "no PCI device 1b36:0010 (QEMU: -device nvme) for vfio-pci");
	dev = open(node, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, dev)
		TH_LOG("%s: %m", node);
	ASSERT_EQ(0, vfio_bind(dev, self->fd, &id));
	EXPECT_NE(self->id, id);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &other));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, 2 * T_PAGE,
			      IOVA));
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, &first));
	ASSERT_EQ(0, vfio_attach(dev, self->ioas, &second));
	/* Both are behind one IOMMU, so one page table does. */
	EXPECT_EQ(first, second);
	ASSERT_EQ(0, vfio_attach(dev, other, &second));
	EXPECT_NE(first, second);
	/* That the one moves away is nothing to the other. */
	fill(self->buf, 12);
	EDU_READ(IOVA);
	EDU_WRITE(IOVA + T_PAGE);
	EXPECT_EQ(0, memcmp(self->buf, self->buf + T_PAGE, EDU_CHUNK));
	ASSERT_EQ(0, vfio_attach(dev, first, &second));
	EXPECT_EQ(first, second);
	ASSERT_EQ(0, vfio_detach(self->edu.dev));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, first));
	EXPECT_EQ(EINVAL, t_map_at(self->fd, self->ioas, self->buf, T_PAGE,
				   MSI_FIRST));
	memset(self->buf, 0x55, T_PAGE);
	EDU_WRITE(IOVA);
	EXPECT_TRUE(is_all(self->buf, 0x55));
	close(dev);
	EXPECT_EQ(ENOENT, t_destroy(self->fd, first));
	EXPECT_EQ(0, t_destroy(self->fd, self->ioas));
}

/*
 * From device to device: edu into the memory of a network card (e1000e), whose
 * packet buffer, in BAR 0, keeps what is written to it 32 bits at a time.
 */
#define NIC_VENDOR 0x8086
#define NIC_DEVICE 0x10d3
#define NIC_BUFFER 0x10000
/* Where edu finds all of BAR 0, and where ordinary memory. */
#define IOVA_NIC (2 * IOVA)
#define IOVA_NIC_AGAIN (3 * IOVA)

struct nic {
	int dev, dmabuf;
	uint32_t *regs;
	size_t size;
	uint64_t config;
};

static int vfio_dmabuf(int dev, const struct vfio_region_dma_range *ranges,
		       unsigned int num, int *dmabuf)
{
	/* Room for two ranges */
	uint64_t room[1 + 2 + 2 * 2] = {};
	struct vfio_device_feature *feature = (void *)room;
	struct vfio_device_feature_dma_buf *get = (void *)feature->data;

	feature->argsz = sizeof(*feature) + sizeof(*get) +
			 num * sizeof(*ranges);
	feature->flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_DMA_BUF;
	get->region_index = VFIO_PCI_BAR0_REGION_INDEX;
	get->open_flags = O_RDWR | O_CLOEXEC;
	get->nr_ranges = num;
	memcpy(get->dma_ranges, ranges, num * sizeof(*ranges));
	*dmabuf = ioctl(dev, VFIO_DEVICE_FEATURE, feature);
	return *dmabuf < 0 ? errno : 0;
}

/* Lets the device answer to accesses of its memory, or not. */
static void nic_decode(struct __test_metadata *_metadata, struct nic *nic,
		       bool on)
{
	uint16_t command;

	ASSERT_EQ(2, pread(nic->dev, &command, 2, nic->config + PCI_COMMAND));
	command &= ~PCI_COMMAND_MEMORY;
	if (on)
		command |= PCI_COMMAND_MEMORY;
	ASSERT_EQ(2, pwrite(nic->dev, &command, 2, nic->config + PCI_COMMAND));
}

/* False if there is none, or none that exports its memory. */
static bool nic_open(struct __test_metadata *_metadata, struct nic *nic, int fd)
{
	struct vfio_region_info region = {
		.argsz = sizeof(region),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	struct vfio_region_dma_range all = {};
	char path[300], node[300];
	uint32_t id;
	int err;

	if (!find_pci(NIC_VENDOR, NIC_DEVICE, path, sizeof(path)) ||
	    !find_cdev(path, node, sizeof(node)))
		return false;
	nic->dev = open(node, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, nic->dev)
		TH_LOG("%s: %m", node);
	ASSERT_EQ(0, vfio_bind(nic->dev, fd, &id));
	ASSERT_EQ(0, t_call(nic->dev, VFIO_DEVICE_GET_REGION_INFO, &region));
	nic->size = region.size;
	ASSERT_LT(NIC_BUFFER, nic->size);
	nic->regs = mmap(NULL, nic->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 nic->dev, region.offset);
	ASSERT_NE(MAP_FAILED, nic->regs);
	region.index = VFIO_PCI_CONFIG_REGION_INDEX;
	ASSERT_EQ(0, t_call(nic->dev, VFIO_DEVICE_GET_REGION_INFO, &region));
	nic->config = region.offset;
	nic_decode(_metadata, nic, true);

	all.length = nic->size;
	err = vfio_dmabuf(nic->dev, &all, 1, &nic->dmabuf);
	if (err == ENOTTY || err == EOPNOTSUPP) {
		munmap(nic->regs, nic->size);
		close(nic->dev);
		return false;
	}
	ASSERT_EQ(0, err);
	return true;
}

#define NO_NIC "no PCI device 8086:10d3 (QEMU: -device e1000e) for vfio-pci, or kernel without CONFIG_VFIO_PCI_DMABUF"

static void nic_close(struct nic *nic)
{
	munmap(nic->regs, nic->size);
	close(nic->dev);
	close(nic->dmabuf);
}

static void nic_fill(struct nic *nic, const char *from)
{
	const uint32_t *words = (const uint32_t *)from;
	size_t i;

	for (i = 0; i < EDU_CHUNK / 4; i++)
		__atomic_store_n(&nic->regs[NIC_BUFFER / 4 + i], words[i],
				 __ATOMIC_RELEASE);
}

static bool nic_has(struct nic *nic, const char *what)
{
	const uint32_t *words = (const uint32_t *)what;
	size_t i;

	for (i = 0; i < EDU_CHUNK / 4; i++)
		if (__atomic_load_n(&nic->regs[NIC_BUFFER / 4 + i],
				    __ATOMIC_SEQ_CST) != words[i])
			return false;
	return true;
}

static int map_dmabuf(int fd, uint32_t ioas, int dmabuf, uint64_t start,
		      uint64_t length, uint64_t iova)
{
	return t_map_file(fd, ioas, dmabuf, start, length, &iova,
			  T_RW | T_FIXED);
}

TEST_F(vfio_pci, dmabuf_of_another_device)
{
	char *first = self->buf, *second = self->buf + T_PAGE;
	long pin = t_vmpin();
	struct nic nic;

	if (!nic_open(_metadata, &nic, self->fd))
		SKIP(return, NO_NIC);
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, NULL));
	ASSERT_EQ(0, map_dmabuf(self->fd, self->ioas, nic.dmabuf, 0, nic.size,
				IOVA_NIC));
	EXPECT_EQ(pin, t_vmpin());
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      IOVA));

	/* What edu reads from memory it writes to the card, ... */
	fill(first, 31);
	fill(second, 32);
	nic_fill(&nic, second);
	ASSERT_TRUE(nic_has(&nic, second));
	EDU_READ(IOVA);
	EDU_WRITE(IOVA_NIC + NIC_BUFFER);
	EXPECT_TRUE(nic_has(&nic, first));
	/* ... and the other way round. */
	nic_fill(&nic, second);
	memset(first, 0, T_PAGE);
	EDU_READ(IOVA_NIC + NIC_BUFFER);
	EDU_WRITE(IOVA);
	EXPECT_EQ(0, memcmp(first, second, EDU_CHUNK));

	/* No more mapped */
	fill(first, 33);
	ASSERT_EQ(0, t_unmap(self->fd, self->ioas, IOVA_NIC, nic.size, NULL));
	EDU_READ(IOVA);
	EDU_WRITE(IOVA_NIC + NIC_BUFFER);
	EXPECT_TRUE(nic_has(&nic, second));
	nic_close(&nic);
}

TEST_F(vfio_pci, dmabuf_in_parts)
{
	struct vfio_region_dma_range ranges[2] = {
		{ .offset = NIC_BUFFER - T_PAGE, .length = 3 * T_PAGE },
		{ .offset = 0, .length = T_PAGE },
	};
	struct nic nic;
	int part, two;

	if (!nic_open(_metadata, &nic, self->fd))
		SKIP(return, NO_NIC);
	ASSERT_EQ(0, vfio_dmabuf(nic.dev, ranges, 1, &part));
	ASSERT_EQ(0, vfio_dmabuf(nic.dev, ranges, 2, &two));
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, NULL));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      IOVA));
	EXPECT_EQ(EINVAL, map_dmabuf(self->fd, self->ioas, part, T_PAGE,
				     3 * T_PAGE, IOVA_NIC));
	EXPECT_EQ(EOPNOTSUPP, map_dmabuf(self->fd, self->ioas, two, 0, T_PAGE,
					 IOVA_NIC));
	/* A part of the buffer, which is a part of the BAR */
	ASSERT_EQ(0, map_dmabuf(self->fd, self->ioas, part, T_PAGE, T_PAGE,
				IOVA_NIC));
	fill(self->buf, 34);
	EDU_READ(IOVA);
	EDU_WRITE(IOVA_NIC);
	EXPECT_TRUE(nic_has(&nic, self->buf));
	close(part);
	close(two);
	nic_close(&nic);
}

/* What is gone is gone: afterwards the card answers, but not at this address. */
static void check_revoked(struct __test_metadata *_metadata,
			  struct _test_data_vfio_pci *self, struct nic *nic)
{
	char *first = self->buf, *second = self->buf + T_PAGE;
	uint64_t length = 0;

	fill(first, 35);
	fill(second, 36);
	nic_fill(nic, first);
	EDU_READ(IOVA + T_PAGE);
	EDU_WRITE(IOVA_NIC + NIC_BUFFER);
	EXPECT_TRUE(nic_has(nic, first));
	EXPECT_EQ(EEXIST, map_dmabuf(self->fd, self->ioas, nic->dmabuf, 0,
				     nic->size, IOVA_NIC));

	/* The same buffer, mapped anew */
	ASSERT_EQ(0, map_dmabuf(self->fd, self->ioas, nic->dmabuf, 0,
				nic->size, IOVA_NIC_AGAIN));
	EDU_READ(IOVA + T_PAGE);
	EDU_WRITE(IOVA_NIC_AGAIN + NIC_BUFFER);
	EXPECT_TRUE(nic_has(nic, second));
	EXPECT_EQ(0, t_unmap(self->fd, self->ioas, IOVA_NIC, nic->size,
			     &length));
	EXPECT_EQ(nic->size, length);
}

TEST_F(vfio_pci, dmabuf_memory_disabled)
{
	uint32_t other;
	struct nic nic;

	if (!nic_open(_metadata, &nic, self->fd))
		SKIP(return, NO_NIC);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &other));
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, NULL));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      IOVA));
	ASSERT_EQ(0, map_dmabuf(self->fd, self->ioas, nic.dmabuf, 0, nic.size,
				IOVA_NIC));
	fill(self->buf, 37);
	EDU_READ(IOVA);
	EDU_WRITE(IOVA_NIC + NIC_BUFFER);
	EXPECT_TRUE(nic_has(&nic, self->buf));

	nic_decode(_metadata, &nic, false);
	EXPECT_EQ(ENODEV, map_dmabuf(self->fd, self->ioas, nic.dmabuf, 0,
				     nic.size, IOVA_NIC_AGAIN));
	EXPECT_EQ(ENODEV, map_dmabuf(self->fd, other, nic.dmabuf, 0, nic.size,
				     IOVA_NIC));
	EDU_WRITE(IOVA_NIC + NIC_BUFFER);
	nic_decode(_metadata, &nic, true);
	EXPECT_TRUE(nic_has(&nic, self->buf));
	check_revoked(_metadata, self, &nic);
	nic_close(&nic);
}

TEST_F(vfio_pci, dmabuf_device_reset)
{
	struct nic nic;
	int err;

	if (!nic_open(_metadata, &nic, self->fd))
		SKIP(return, NO_NIC);
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, NULL));
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf, self->length,
			      IOVA));
	ASSERT_EQ(0, map_dmabuf(self->fd, self->ioas, nic.dmabuf, 0, nic.size,
				IOVA_NIC));
	err = t_call(nic.dev, VFIO_DEVICE_RESET, NULL);
	if (!err) {
		nic_decode(_metadata, &nic, true);
		check_revoked(_metadata, self, &nic);
	}
	nic_close(&nic);
	if (err)
		SKIP(return, "the device cannot be reset: %s", strerror(err));
}

TEST_F(vfio_pci, dmabuf_device_closed)
{
	uint64_t length = 0;
	struct nic nic;

	if (!nic_open(_metadata, &nic, self->fd))
		SKIP(return, NO_NIC);
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, NULL));
	ASSERT_EQ(0, map_dmabuf(self->fd, self->ioas, nic.dmabuf, 0, nic.size,
				IOVA_NIC));
	munmap(nic.regs, nic.size);
	close(nic.dev);
	/* Mappings and descriptors of its memory do not keep it. */
	EXPECT_EQ(ENODEV, map_dmabuf(self->fd, self->ioas, nic.dmabuf, 0,
				     nic.size, IOVA_NIC_AGAIN));
	close(nic.dmabuf);
	EXPECT_EQ(0, t_unmap(self->fd, self->ioas, IOVA_NIC, nic.size,
			     &length));
	EXPECT_EQ(nic.size, length);
}

/* Maps and unmaps next to what the device works in. */
struct neighbour {
	int fd;
	uint32_t ioas;
	char *buf;
	bool stop;
	unsigned long rounds;
	int err;
};

static void *map_beside(void *arg)
{
	struct neighbour *n = arg;
	uint64_t state = 4711, iova, length;

	while (!n->err && !__atomic_load_n(&n->stop, __ATOMIC_RELAXED)) {
		iova = 2 * IOVA + t_random(&state) % 1024 * T_PAGE;
		length = (1 + t_random(&state) % 16) * T_PAGE;
		n->err = t_map_at(n->fd, n->ioas, n->buf, length, iova) ?:
			 t_unmap(n->fd, n->ioas, iova, length, NULL);
		n->rounds++;
	}
	return NULL;
}

TEST_F(vfio_pci, dma_while_others_map)
{
	struct neighbour n = {
		.fd = self->fd,
		.ioas = self->ioas,
		.buf = self->buf,
	};
	pthread_t thread;
	unsigned int i;
	char *mine;

	mine = t_alloc(2 * T_PAGE);
	ASSERT_NE(NULL, mine);
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, map_beside, &n));
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, t_map_at(self->fd, self->ioas, mine, 2 * T_PAGE,
				      IOVA));
		fill(mine, 100 + i);
		EDU_READ(IOVA);
		EDU_WRITE(IOVA + T_PAGE);
		EXPECT_EQ(0, memcmp(mine, mine + T_PAGE, EDU_CHUNK));
		ASSERT_EQ(0, t_unmap(self->fd, self->ioas, IOVA, 2 * T_PAGE,
				     NULL));
		memset(mine + T_PAGE, 0x22, T_PAGE);
		EDU_WRITE(IOVA + T_PAGE);
		EXPECT_TRUE(is_all(mine + T_PAGE, 0x22));
	}
	__atomic_store_n(&n.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, n.err);
	EXPECT_LT(8, n.rounds);
}

/*
 * The same device by way of its VFIO group, with the file of /dev/iommu in the
 * place of a VFIO container.
 */
FIXTURE(vfio_group)
{
	int fd, group;
	/* Name of the device for VFIO_GROUP_GET_DEVICE_FD */
	char name[64];
	char node[300];
	struct edu edu;
	char *buf;
	size_t length;
};

FIXTURE_SETUP(vfio_group)
{
	char path[300], link[400], target[300];
	ssize_t n;

	self->fd = -1;
	self->group = -1;
	self->edu.dev = -1;
	if (access("/sys/kernel/iommu_groups/0", F_OK))
		SKIP(return, "machine without an IOMMU");
	if (!find_pci(EDU_VENDOR, EDU_DEVICE, path, sizeof(path)))
		SKIP(return, "no PCI device 1234:11e8 (QEMU: -device edu)");
	if (access("/sys/class/vfio", F_OK))
		SKIP(return, "kernel without CONFIG_VFIO_GROUP");
	ASSERT_TRUE(find_cdev(path, self->node, sizeof(self->node)))
		TH_LOG("%s is not bound to vfio-pci", path);
	snprintf(self->name, sizeof(self->name), "%s", strrchr(path, '/') + 1);
	snprintf(link, sizeof(link), "%s/iommu_group", path);
	n = readlink(link, target, sizeof(target) - 1);
	ASSERT_LT(0, n);
	target[n] = 0;
	snprintf(link, sizeof(link), "/dev/vfio%s", strrchr(target, '/'));
	self->group = open(link, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->group)
		TH_LOG("%s: %m", link);
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	self->length = 16 * T_PAGE;
	self->buf = t_alloc(self->length);
	ASSERT_NE(NULL, self->buf);
}

FIXTURE_TEARDOWN(vfio_group)
{
	edu_close(&self->edu);
	if (self->group >= 0)
		close(self->group);
	if (self->fd >= 0)
		close(self->fd);
	if (self->buf)
		check_unpinned(_metadata, self->buf, self->length);
}

static int group_set(int group, int fd)
{
	return t_call(group, VFIO_GROUP_SET_CONTAINER, &fd);
}

static int group_get_device(int group, const char *name, int *dev)
{
	*dev = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name);
	return *dev < 0 ? errno : 0;
}

TEST_F(vfio_group, connect)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	uint32_t id = 0, again = 0;
	int dev;

	EXPECT_EQ(EBADF, group_set(self->group, -1));
	EXPECT_EQ(EINVAL, group_get_device(self->group, self->name, &dev));
	EXPECT_EQ(ENODEV, t_vfio_ioas(self->fd, IOMMU_VFIO_IOAS_GET, &id));
	ASSERT_EQ(0, group_set(self->group, self->fd));
	/* An address space has been made for it, an ordinary one. */
	ASSERT_EQ(0, t_vfio_ioas(self->fd, IOMMU_VFIO_IOAS_GET, &id));
	EXPECT_EQ(1, t_alignment(self->fd, id));
	EXPECT_EQ(EINVAL, group_set(self->group, self->fd));
	ASSERT_EQ(0, t_call(self->group, VFIO_GROUP_GET_STATUS, &status));
	EXPECT_EQ(VFIO_GROUP_FLAGS_VIABLE | VFIO_GROUP_FLAGS_CONTAINER_SET,
		  status.flags);
	ASSERT_EQ(0, t_call(self->group, VFIO_GROUP_UNSET_CONTAINER, NULL));
	EXPECT_EQ(EINVAL, t_call(self->group, VFIO_GROUP_UNSET_CONTAINER,
				 NULL));
	/* It stays, and is taken again. */
	ASSERT_EQ(0, group_set(self->group, self->fd));
	ASSERT_EQ(0, t_vfio_ioas(self->fd, IOMMU_VFIO_IOAS_GET, &again));
	EXPECT_EQ(id, again);
}

TEST_F(vfio_group, device)
{
	struct iommu_iova_range r[32];
	uint32_t id = 0, num = 32, i, bound;
	int cdev;

	ASSERT_EQ(0, group_set(self->group, self->fd));
	ASSERT_EQ(0, t_vfio_ioas(self->fd, IOMMU_VFIO_IOAS_GET, &id));
	ASSERT_EQ(0, t_map_at(self->fd, id, self->buf, self->length, IOVA));
	ASSERT_EQ(0, group_get_device(self->group, self->name, &self->edu.dev));
	/* Bound and attached by being opened */
	EXPECT_EQ(EBUSY, t_destroy(self->fd, id));
	ASSERT_EQ(0, t_iova_ranges(self->fd, id, r, &num, NULL));
	for (i = 0; i < num; i++)
		EXPECT_TRUE(r[i].last < MSI_FIRST || r[i].start > MSI_LAST);
	edu_start(_metadata, &self->edu);
	fill(self->buf, 21);
	EDU_READ(IOVA);
	EDU_WRITE(IOVA + 3 * T_PAGE);
	EXPECT_EQ(0, memcmp(self->buf, self->buf + 3 * T_PAGE, EDU_CHUNK));
	memset(self->buf, 0x66, T_PAGE);
	ASSERT_EQ(0, t_unmap_all(self->fd, id, NULL));
	EDU_WRITE(IOVA);
	EXPECT_TRUE(is_all(self->buf, 0x66));

	/* The other way to the device is closed meanwhile. */
	cdev = open(self->node, O_RDWR | O_CLOEXEC);
	if (cdev >= 0) {
		EXPECT_NE(0, vfio_bind(cdev, self->fd, &bound));
		close(cdev);
	}
	edu_close(&self->edu);
	EXPECT_EQ(1, t_alignment(self->fd, id));
	EXPECT_EQ(0, t_destroy(self->fd, id));
}

TEST_F(vfio_group, address_space_of_ones_own)
{
	uint32_t mine, id = 0;

	ASSERT_EQ(0, t_ioas_alloc(self->fd, &mine));
	ASSERT_EQ(0, t_vfio_ioas(self->fd, IOMMU_VFIO_IOAS_SET, &mine));
	ASSERT_EQ(0, group_set(self->group, self->fd));
	ASSERT_EQ(0, t_vfio_ioas(self->fd, IOMMU_VFIO_IOAS_GET, &id));
	EXPECT_EQ(mine, id);
	/* What is in the way of the device is met when it is opened. */
	ASSERT_EQ(0, t_map_at(self->fd, mine, self->buf, T_PAGE, MSI_FIRST));
	EXPECT_EQ(EADDRINUSE, group_get_device(self->group, self->name,
					       &self->edu.dev));
	ASSERT_EQ(0, t_unmap_all(self->fd, mine, NULL));
	EXPECT_EQ(1, t_alignment(self->fd, mine));
	/* So is that there is none any more. */
	ASSERT_EQ(0, t_vfio_ioas(self->fd, IOMMU_VFIO_IOAS_CLEAR, &id));
	EXPECT_EQ(ENODEV, group_get_device(self->group, self->name,
					   &self->edu.dev));
	ASSERT_EQ(0, t_vfio_ioas(self->fd, IOMMU_VFIO_IOAS_SET, &mine));
	ASSERT_EQ(0, group_get_device(self->group, self->name,
				      &self->edu.dev));
	EXPECT_EQ(T_PAGE, t_alignment(self->fd, mine));
}

TEST_HARNESS_MAIN
