// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that are not like the others: addresses of which they keep some for
 * themselves, MSI windows that contradict each other, IOMMUs that can ignore
 * no-snoop, drivers that forget to detach, and IOMMUs whose drivers know nothing
 * of each other.
 *
 * Some of it is a bug of somebody else, which the kernel says with a warning.
 * expect_warning() tells whoever reads the log that it has to be there.
 */
#include <linux/vfio.h>

#include "pt.h"

#define GROUP MOCK_FLAGS_DEVICE_X_GROUP
#define PASID MOCK_FLAGS_DEVICE_PASID
#define RESERVED MOCK_FLAGS_DEVICE_X_RESERVED
#define SW_MSI MOCK_FLAGS_DEVICE_X_SW_MSI
#define SW_MSI_SMALL MOCK_FLAGS_DEVICE_X_SW_MSI_SMALL
#define HW_MSI MOCK_FLAGS_DEVICE_X_HW_MSI
#define COHERENT MOCK_FLAGS_DEVICE_X_COHERENT
#define FORGOTTEN MOCK_FLAGS_DEVICE_X_LEFT_ATTACHED
#define OTHER MOCK_FLAGS_DEVICE_X_OTHER_IOMMU

FIXTURE(devices)
{
	int fd;
	uint32_t a, b;
	char *buf;
};

#define LENGTH (8 * T_PAGE)

FIXTURE_SETUP(devices)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	self->buf = t_alloc(LENGTH);
	ASSERT_NE(NULL, self->buf);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->a));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->b));
}

FIXTURE_TEARDOWN(devices)
{
	int fd;

	close(self->fd);
	fd = t_open();
	EXPECT_EQ(0, t_check_refs(fd, self->buf, LENGTH, 0));
	close(fd);
}

static bool expect_warning(const char *file)
{
	int log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	char line[100];
	bool said;

	/* In one write(): it is one line of the log. */
	snprintf(line, sizeof(line), "iommufd-test: expecting WARNING in %s\n",
		 file);
	said = write(log, line, strlen(line)) == (ssize_t)strlen(line);
	close(log);
	return said;
}

static bool is_free(int fd, uint32_t ioas)
{
	struct iommu_iova_range range;
	uint32_t num = 1;

	return !t_iova_ranges(fd, ioas, &range, &num, NULL) && num == 1 &&
	       range.start == 0 && range.last == UINT64_MAX;
}

/* Is of the page tables' addresses all usable but [@start, +@length)? */
static bool is_kept(int fd, uint32_t ioas, uint64_t start, uint64_t length)
{
	struct iommu_iova_range ranges[3];
	uint32_t num = 3;

	return !t_iova_ranges(fd, ioas, ranges, &num, NULL) && num == 2 &&
	       ranges[0].start == MOCK_APERTURE_START &&
	       ranges[0].last == start - 1 &&
	       ranges[1].start == start + length &&
	       ranges[1].last == MOCK_APERTURE_LAST;
}

static bool keeps_region(int fd, uint32_t ioas)
{
	return is_kept(fd, ioas, MOCK_RESERVED_START, MOCK_RESERVED_LENGTH);
}

TEST_F(devices, region)
{
	const uint64_t last = MOCK_RESERVED_START + MOCK_RESERVED_LENGTH;
	uint32_t stdev;
	int fd = self->fd;

	ASSERT_EQ(0, t_mock_flags(fd, self->a, RESERVED, &stdev, NULL, NULL));
	EXPECT_TRUE(keeps_region(fd, self->a));
	EXPECT_EQ(EINVAL, t_usable(fd, self->a, MOCK_RESERVED_START));
	EXPECT_EQ(EINVAL, t_usable(fd, self->a, last - T_PAGE));
	EXPECT_EQ(0, t_usable(fd, self->a, MOCK_RESERVED_START - T_PAGE));
	EXPECT_EQ(0, t_usable(fd, self->a, last));
	/* Firmware wants that one only as long as the kernel has the device. */
	EXPECT_EQ(0, t_usable(fd, self->a, MOCK_RELAXABLE_START));
	ASSERT_EQ(0, t_destroy(fd, stdev));
	EXPECT_TRUE(is_free(fd, self->a));

	/* What is there already keeps the device out. */
	ASSERT_EQ(0, t_map_at(fd, self->a, self->buf, T_PAGE, last - T_PAGE));
	EXPECT_EQ(EADDRINUSE, t_mock_flags(fd, self->a, RESERVED, NULL, NULL,
					   NULL));
	ASSERT_EQ(0, t_unmap_all(fd, self->a, NULL));
	EXPECT_TRUE(is_free(fd, self->a));
}

TEST_F(devices, region_moves)
{
	uint32_t stdev, hwpt, manual, idev;
	int fd = self->fd;

	ASSERT_EQ(0, t_mock_flags(fd, self->a, RESERVED, &stdev, &hwpt, &idev));
	/* Refused: all stays as it is. */
	ASSERT_EQ(0, t_map_at(fd, self->b, self->buf, T_PAGE,
			      MOCK_RESERVED_START));
	EXPECT_EQ(EADDRINUSE, t_mock_replace(fd, stdev, self->b, NULL));
	EXPECT_TRUE(keeps_region(fd, self->a));
	ASSERT_EQ(0, t_unmap_all(fd, self->b, NULL));
	EXPECT_TRUE(is_free(fd, self->b));
	EXPECT_EQ(EBUSY, t_destroy(fd, hwpt));

	/* To the other address space, and within it */
	ASSERT_EQ(0, t_mock_replace(fd, stdev, self->b, NULL));
	EXPECT_TRUE(is_free(fd, self->a));
	EXPECT_TRUE(keeps_region(fd, self->b));
	ASSERT_EQ(0, t_hwpt_alloc(fd, idev, self->b, 0, &manual));
	ASSERT_EQ(0, t_mock_replace(fd, stdev, manual, NULL));
	EXPECT_TRUE(keeps_region(fd, self->b));
	EXPECT_EQ(EINVAL, t_usable(fd, self->b, MOCK_RESERVED_START));
	ASSERT_EQ(0, t_pasid_detach(fd, stdev, 0));
	EXPECT_EQ(0, t_usable(fd, self->b, MOCK_RESERVED_START));
	ASSERT_EQ(0, t_destroy(fd, manual));
	EXPECT_TRUE(is_free(fd, self->b));
}

/* A replace that the IOMMU driver refuses when all is reserved already */
TEST_F(devices, region_of_a_failed_move)
{
	const uint32_t dirty = IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
	uint32_t stdev, idev, near, far;
	int fd = self->fd;

	/* Tables for another device, which records writes */
	ASSERT_EQ(0, t_mock(fd, self->b, NULL, NULL, &idev));
	ASSERT_EQ(0, t_mock_flags(fd, self->a,
				  RESERVED | MOCK_FLAGS_DEVICE_NO_DIRTY, &stdev,
				  NULL, NULL));
	ASSERT_EQ(0, t_hwpt_alloc(fd, idev, self->a, dirty, &near));
	ASSERT_EQ(0, t_hwpt_alloc(fd, idev, self->b, dirty, &far));
	EXPECT_EQ(EINVAL, t_mock_replace(fd, stdev, far, NULL));
	EXPECT_TRUE(keeps_region(fd, self->a));
	EXPECT_EQ(0, t_usable(fd, self->b, MOCK_RESERVED_START));
	EXPECT_EQ(EINVAL, t_mock_replace(fd, stdev, near, NULL));
	EXPECT_TRUE(keeps_region(fd, self->a));
	/* So is an attach. */
	EXPECT_EQ(EINVAL, t_mock_flags(fd, far,
				       RESERVED | MOCK_FLAGS_DEVICE_NO_DIRTY,
				       NULL, NULL, NULL));
	EXPECT_EQ(0, t_usable(fd, self->b, MOCK_RESERVED_START));
	ASSERT_EQ(0, t_destroy(fd, near));
	ASSERT_EQ(0, t_destroy(fd, stdev));
	EXPECT_TRUE(is_free(fd, self->a));
}

/* Each device of a group brings its own regions, wherever the group goes. */
TEST_F(devices, regions_of_a_group)
{
	uint32_t plain, stdev, both;
	int fd = self->fd;

	ASSERT_EQ(0, t_mock_flags(fd, self->a, GROUP, &plain, NULL, NULL));
	ASSERT_EQ(0, t_mock_flags(fd, self->a, GROUP | RESERVED, &stdev, NULL,
				  NULL));
	EXPECT_TRUE(keeps_region(fd, self->a));
	ASSERT_EQ(0, t_mock_replace(fd, plain, self->b, NULL));
	EXPECT_TRUE(is_free(fd, self->a));
	EXPECT_TRUE(keeps_region(fd, self->b));

	/* None of the group moves if one cannot. */
	ASSERT_EQ(0, t_mock_flags(fd, self->b, GROUP | HW_MSI, &both, NULL,
				  NULL));
	ASSERT_EQ(0, t_map_at(fd, self->a, self->buf, T_PAGE,
			      MOCK_HW_MSI_START));
	EXPECT_EQ(EADDRINUSE, t_mock_replace(fd, plain, self->a, NULL));
	ASSERT_EQ(0, t_unmap_all(fd, self->a, NULL));
	EXPECT_TRUE(is_free(fd, self->a));
	EXPECT_EQ(EINVAL, t_usable(fd, self->b, MOCK_RESERVED_START));
	EXPECT_EQ(EINVAL, t_usable(fd, self->b, MOCK_HW_MSI_START));

	/* Each takes its own away. */
	ASSERT_EQ(0, t_destroy(fd, stdev));
	EXPECT_TRUE(is_kept(fd, self->b, MOCK_HW_MSI_START,
			    MOCK_HW_MSI_LENGTH));
	ASSERT_EQ(0, t_destroy(fd, plain));
	EXPECT_TRUE(is_kept(fd, self->b, MOCK_HW_MSI_START,
			    MOCK_HW_MSI_LENGTH));
	ASSERT_EQ(0, t_destroy(fd, both));
	EXPECT_TRUE(is_free(fd, self->b));
}

TEST_F(devices, hardware_msi)
{
	uint32_t stdev, idev;
	uint64_t iova = 0;
	int fd = self->fd;

	ASSERT_EQ(0, t_mock_flags(fd, self->a, HW_MSI, &stdev, NULL, &idev));
	EXPECT_TRUE(is_kept(fd, self->a, MOCK_HW_MSI_START,
			    MOCK_HW_MSI_LENGTH));
	ASSERT_EQ(0, t_msi(fd, idev, MOCK_HW_MSI_START, &iova));
	EXPECT_EQ(1, iova);
}

/* Nobody could say through which of two windows MSIs go. */
TEST_F(devices, contradictory_windows)
{
	const uint32_t flags[] = { HW_MSI | SW_MSI, SW_MSI | SW_MSI_SMALL };
	uint32_t stdev, idev;
	unsigned int i;
	uint64_t iova;
	int fd = self->fd;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		ASSERT_TRUE(expect_warning("space/aspace.c"));
		EXPECT_EQ(EINVAL, t_mock_flags(fd, self->a, flags[i], NULL,
					       NULL, NULL));
		EXPECT_TRUE(is_free(fd, self->a));
	}

	/* The same of two devices in one group; the first keeps its own. */
	ASSERT_EQ(0, t_mock_flags(fd, self->a, GROUP | SW_MSI, &stdev, NULL,
				  &idev));
	ASSERT_TRUE(expect_warning("device/msi.c"));
	EXPECT_EQ(EINVAL, t_mock_flags(fd, self->a, GROUP | SW_MSI_SMALL, NULL,
				       NULL, NULL));
	EXPECT_TRUE(is_kept(fd, self->a, MOCK_MSI_START, MOCK_MSI_LENGTH));
	ASSERT_EQ(0, t_msi(fd, idev, 0xfee00000, &iova));
	EXPECT_EQ(MOCK_MSI_START, iova);
}

/*
 * Left attached, a device would use page tables that are freed: unbind warns
 * and does what its driver has forgotten.
 */
TEST_F(devices, left_attached)
{
	uint32_t stdev, idev, plain, other, pt;
	int fd = self->fd;

	ASSERT_EQ(0, t_map_at(fd, self->a, self->buf, LENGTH, T_BASE));
	ASSERT_EQ(0, t_mock_flags(fd, self->a, FORGOTTEN | PASID | RESERVED,
				  &stdev, NULL, &idev));
	ASSERT_EQ(0, t_hwpt_alloc(fd, idev, self->a, IOMMU_HWPT_ALLOC_PASID,
				  &plain));
	ASSERT_EQ(0, t_hwpt_alloc(fd, idev, self->b, IOMMU_HWPT_ALLOC_PASID,
				  &other));
	ASSERT_EQ(0, t_mock_replace(fd, stdev, plain, NULL));
	pt = other;
	ASSERT_EQ(0, t_pasid_attach(fd, stdev, 7, &pt));
	ASSERT_EQ(0, t_pasid_attach(fd, stdev, 9, &pt));
	ASSERT_TRUE(expect_warning("device/device.c"));
	ASSERT_EQ(0, t_destroy(fd, stdev));
	EXPECT_EQ(ENOENT, t_destroy(fd, idev));
	EXPECT_EQ(0, t_usable(fd, self->a, MOCK_RESERVED_START));
	EXPECT_EQ(0, t_destroy(fd, plain));
	EXPECT_EQ(0, t_destroy(fd, other));
	EXPECT_EQ(0, t_check_refs(fd, self->buf, LENGTH, 0));
}

/* The end of the context comes to the same. */
TEST_F(devices, left_attached_at_the_end)
{
	ASSERT_EQ(0, t_map_at(self->fd, self->a, self->buf, LENGTH, T_BASE));
	ASSERT_EQ(0, t_mock_flags(self->fd, self->a, FORGOTTEN, NULL, NULL,
				  NULL));
	EXPECT_EQ(0, t_check_refs(self->fd, self->buf, LENGTH, 1));
	ASSERT_TRUE(expect_warning("device/device.c"));
	ASSERT_EQ(0, close(self->fd));
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
}

/* Does VFIO's container say that DMA is coherent, whatever devices ask for? */
static int is_coherent(int fd)
{
	return ioctl(fd, VFIO_CHECK_EXTENSION, VFIO_DMA_CC_IOMMU);
}

TEST_F(devices, coherency)
{
	uint32_t stdev, idev, first, second, third;
	int fd = self->fd;

	ASSERT_EQ(0, t_vfio_ioas(fd, IOMMU_VFIO_IOAS_SET, &self->a));
	EXPECT_EQ(1, is_coherent(fd));
	ASSERT_EQ(0, t_mock_flags(fd, self->a, COHERENT, &stdev, &first,
				  &idev));
	EXPECT_EQ(1, is_coherent(fd));
	/* Who cannot ignore no-snoop does not fit, and gets a table himself. */
	EXPECT_EQ(EINVAL, t_mock(fd, first, NULL, NULL, NULL));
	ASSERT_EQ(0, t_mock(fd, self->a, NULL, &second, NULL));
	EXPECT_NE(first, second);
	EXPECT_EQ(0, is_coherent(fd));
	/* The first that fits is used again. */
	ASSERT_EQ(0, t_mock_flags(fd, self->a, COHERENT, NULL, &third, NULL));
	EXPECT_EQ(first, third);
	ASSERT_EQ(0, t_mock(fd, self->a, NULL, &third, NULL));
	EXPECT_EQ(second, third);
}

TEST_F(devices, coherency_of_page_tables)
{
	struct iommu_hwpt_selftest huge = {
		.pagetable_type = MOCK_IOMMUPT_HUGE,
	};
	uint32_t plain, idev, other, hwpt, next, again;
	int fd = self->fd;

	ASSERT_EQ(0, t_vfio_ioas(fd, IOMMU_VFIO_IOAS_SET, &self->a));
	ASSERT_EQ(0, t_mock_flags(fd, self->b, COHERENT, NULL, NULL, &idev));
	ASSERT_EQ(0, t_mock(fd, self->b, &plain, NULL, &other));
	/* For whom a table is made decides, for good. */
	ASSERT_EQ(0, t_hwpt_alloc(fd, idev, self->a, 0, &hwpt));
	EXPECT_EQ(1, is_coherent(fd));
	EXPECT_EQ(EINVAL, t_mock_replace(fd, plain, hwpt, NULL));
	ASSERT_EQ(0, t_hwpt_alloc(fd, other, self->a, 0, &next));
	EXPECT_EQ(0, is_coherent(fd));
	EXPECT_EQ(0, t_mock_replace(fd, plain, next, NULL));

	/* A table that cannot be made so is not made. */
	ASSERT_EQ(0, t_ioas_alloc(fd, &next));
	ASSERT_EQ(0, t_destroy(fd, next));
	EXPECT_EQ(EINVAL, t_hwpt_full(fd, idev, self->a, 0, 0,
				      IOMMU_HWPT_DATA_SELFTEST, &huge,
				      sizeof(huge), NULL));
	ASSERT_EQ(0, t_ioas_alloc(fd, &again));
	EXPECT_EQ(next, again);
	EXPECT_EQ(0, t_destroy(fd, hwpt));
}

/* An address space is of all IOMMUs, a page table of one. */
TEST_F(devices, other_iommu)
{
	uint32_t auto1, auto2, made, idev, stdev, used;
	int fd = self->fd;

	ASSERT_EQ(0, t_mock(fd, self->a, NULL, &auto1, &idev));
	ASSERT_EQ(0, t_map_at(fd, self->a, self->buf, T_PAGE, T_BASE));
	ASSERT_EQ(0, t_mock_flags(fd, self->a, OTHER, &stdev, &auto2, NULL));
	EXPECT_NE(auto1, auto2);
	ASSERT_EQ(0, t_map_at(fd, self->a, self->buf + T_PAGE, T_PAGE,
			      T_BASE + T_PAGE));
	EXPECT_EQ(0, t_check_map(fd, auto1, T_BASE, 2 * T_PAGE, self->buf));
	EXPECT_EQ(0, t_check_map(fd, auto2, T_BASE, 2 * T_PAGE, self->buf));

	/* Who asks for one is told; the automatic one stays. */
	ASSERT_EQ(0, t_hwpt_alloc(fd, idev, self->a, 0, &made));
	EXPECT_EQ(EINVAL, t_mock_replace(fd, stdev, made, NULL));
	EXPECT_EQ(EINVAL, t_mock_replace(fd, stdev, auto1, NULL));
	EXPECT_EQ(EINVAL, t_mock_flags(fd, made, OTHER, NULL, NULL, NULL));
	EXPECT_EQ(0, t_destroy(fd, made));
	ASSERT_EQ(0, t_mock_replace(fd, stdev, self->a, &used));
	EXPECT_EQ(auto2, used);

	ASSERT_EQ(0, t_unmap(fd, self->a, T_BASE, T_PAGE, NULL));
	EXPECT_EQ(0, t_check_blocked(fd, auto1, T_BASE, T_PAGE));
	EXPECT_EQ(0, t_check_blocked(fd, auto2, T_BASE, T_PAGE));
	ASSERT_EQ(0, t_destroy(fd, stdev));
	EXPECT_EQ(0, t_check_map(fd, auto1, T_BASE + T_PAGE, T_PAGE,
				 self->buf + T_PAGE));
	/* Nor is a group of two. */
	ASSERT_EQ(0, t_mock_flags(fd, self->a, GROUP, NULL, &made, NULL));
	EXPECT_EQ(auto1, made);
	ASSERT_EQ(0, t_mock_flags(fd, self->a, GROUP | OTHER, NULL, &made,
				  NULL));
	EXPECT_NE(auto1, made);
}

/* A driver would take what another one has made for its own. */
TEST_F(devices, other_iommu_and_nesting)
{
	const uint32_t type = IOMMU_VIOMMU_TYPE_SELFTEST;
	struct {
		uint32_t stdev, idev, parent, nested, viommu, on_viommu;
	} one, two;
	uint32_t id;
	int fd = self->fd;

	ASSERT_EQ(0, t_mock(fd, self->a, &one.stdev, NULL, &one.idev));
	ASSERT_EQ(0, t_mock_flags(fd, self->a, OTHER, &two.stdev, NULL,
				  &two.idev));
	ASSERT_EQ(0, t_hwpt_alloc(fd, one.idev, self->a,
				  IOMMU_HWPT_ALLOC_NEST_PARENT, &one.parent));
	ASSERT_EQ(0, t_hwpt_alloc(fd, two.idev, self->a,
				  IOMMU_HWPT_ALLOC_NEST_PARENT, &two.parent));

	EXPECT_EQ(EINVAL, t_nested(fd, two.idev, one.parent, 0, 0, &id));
	EXPECT_EQ(EINVAL, t_nested(fd, one.idev, two.parent, 0, 0, &id));
	ASSERT_EQ(0, t_nested(fd, one.idev, one.parent, 0, 0, &one.nested));
	ASSERT_EQ(0, t_nested(fd, two.idev, two.parent, 0, 0, &two.nested));
	EXPECT_EQ(EINVAL, t_mock_replace(fd, two.stdev, one.nested, NULL));
	EXPECT_EQ(0, t_mock_replace(fd, two.stdev, two.nested, NULL));

	EXPECT_EQ(EINVAL, t_viommu(fd, two.idev, one.parent, type, NULL, 0,
				   &id));
	EXPECT_EQ(EINVAL, t_viommu(fd, one.idev, two.parent, type, NULL, 0,
				   &id));
	ASSERT_EQ(0, t_viommu(fd, one.idev, one.parent, type, NULL, 0,
			      &one.viommu));
	ASSERT_EQ(0, t_viommu(fd, two.idev, two.parent, type, NULL, 0,
			      &two.viommu));
	EXPECT_EQ(EINVAL, t_nested(fd, two.idev, one.viommu, 0, 0, &id));
	EXPECT_EQ(EINVAL, t_vdevice(fd, one.viommu, two.idev, 1, &id));
	ASSERT_EQ(0, t_nested(fd, two.idev, two.viommu, 0, 0, &two.on_viommu));
	ASSERT_EQ(0, t_vdevice(fd, two.viommu, two.idev, 1, &id));
	EXPECT_EQ(0, t_mock_replace(fd, two.stdev, two.on_viommu, NULL));
}

TEST_HARNESS_MAIN
