// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands of the VFIO container on a descriptor of /dev/iommu: what they
 * answer in Linux 7.2, on the IOAS that is set.
 */
#include <linux/vfio.h>

#include "util.h"

#define RIGHTS (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)
#define PAGES 16

FIXTURE(vfio_shim)
{
	int fd;
	uint32_t ioas;
	char *buf;
	size_t length;
};

FIXTURE_SETUP(vfio_shim)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_vfio_ioas(self->fd, IOMMU_VFIO_IOAS_SET, &self->ioas));
	self->length = PAGES * T_PAGE;
	self->buf = t_alloc(self->length);
	ASSERT_NE(NULL, self->buf);
}

FIXTURE_TEARDOWN(vfio_shim)
{
	int fd;

	close(self->fd);
	fd = t_open();
	ASSERT_LE(0, fd);
	ASSERT_TRUE(!t_has_mock(fd) ||
		    !t_check_refs(fd, self->buf, self->length, 0))
		TH_LOG("pins are left");
	close(fd);
}

static int map_flags(int fd, const void *va, uint64_t iova, uint64_t size,
		     uint32_t flags)
{
	struct vfio_iommu_type1_dma_map cmd = {
		.argsz = sizeof(cmd),
		.flags = flags,
		.vaddr = (uintptr_t)va,
		.iova = iova,
		.size = size,
	};

	return t_call(fd, VFIO_IOMMU_MAP_DMA, &cmd);
}

static int map(int fd, const void *va, uint64_t iova, uint64_t size)
{
	return map_flags(fd, va, iova, size, RIGHTS);
}

/* *size is in and out. */
static int unmap_flags(int fd, uint64_t iova, uint64_t *size, uint32_t flags)
{
	struct vfio_iommu_type1_dma_unmap cmd = {
		.argsz = sizeof(cmd),
		.flags = flags,
		.iova = iova,
		.size = *size,
	};
	int err = t_call(fd, VFIO_IOMMU_UNMAP_DMA, &cmd);

	*size = cmd.size;
	return err;
}

static int unmap(int fd, uint64_t iova, uint64_t size, uint64_t *unmapped)
{
	int err = unmap_flags(fd, iova, &size, 0);

	*unmapped = size;
	return err;
}

static int forget(int fd)
{
	uint32_t id = 0;

	return t_vfio_ioas(fd, IOMMU_VFIO_IOAS_CLEAR, &id);
}

static int extension(int fd, unsigned long nr)
{
	int rc = ioctl(fd, VFIO_CHECK_EXTENSION, nr);

	return rc < 0 ? -errno : rc;
}

static int set_iommu(int fd, unsigned long type)
{
	return ioctl(fd, VFIO_SET_IOMMU, type) ? errno : 0;
}

static uint64_t huge_pages(int fd, uint32_t ioas)
{
	uint64_t val = 4711;

	t_option(fd, IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_GET, ioas, &val);
	return val;
}

TEST_F(vfio_shim, numbers)
{
	unsigned int nr;

	EXPECT_EQ(VFIO_API_VERSION, ioctl(self->fd, VFIO_GET_API_VERSION));
	/* Not served: ENABLE, DISABLE, DIRTY_PAGES, and what is no container's */
	for (nr = 0x50; nr < 0x80; nr++) {
		if ((nr >= 0x64 && nr <= 0x66) || (nr >= 0x70 && nr <= 0x72))
			continue;
		EXPECT_EQ(ENOTTY, t_call(self->fd, _IO(VFIO_TYPE, nr),
					 self->buf));
	}
}

TEST_F(vfio_shim, extensions)
{
	unsigned long nr;

	for (nr = 0; nr < 40; nr++) {
		switch (nr) {
		case VFIO_TYPE1_IOMMU:
		case VFIO_TYPE1v2_IOMMU:
		case VFIO_UNMAP_ALL:
		case VFIO_DMA_CC_IOMMU:
			EXPECT_EQ(1, extension(self->fd, nr));
			break;
		case VFIO_NOIOMMU_IOMMU:
			/* As the kernel is configured */
			EXPECT_LE(0, extension(self->fd, nr));
			break;
		default:
			EXPECT_EQ(0, extension(self->fd, nr));
		}
	}
	EXPECT_EQ(0, extension(self->fd, ULONG_MAX));
	ASSERT_EQ(0, forget(self->fd));
	EXPECT_EQ(-ENODEV, extension(self->fd, VFIO_DMA_CC_IOMMU));
	EXPECT_EQ(1, extension(self->fd, VFIO_TYPE1_IOMMU));
}

TEST_F(vfio_shim, set_iommu)
{
	EXPECT_EQ(EINVAL, set_iommu(self->fd, 0));
	EXPECT_EQ(EINVAL, set_iommu(self->fd, VFIO_UNMAP_ALL));
	EXPECT_EQ(EINVAL, set_iommu(self->fd, VFIO_NOIOMMU_IOMMU));
	EXPECT_EQ(EINVAL, set_iommu(self->fd, ULONG_MAX));
	EXPECT_EQ(0, set_iommu(self->fd, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(1, huge_pages(self->fd, self->ioas));
	EXPECT_EQ(0, set_iommu(self->fd, VFIO_TYPE1_IOMMU));
	EXPECT_EQ(0, huge_pages(self->fd, self->ioas));
	EXPECT_EQ(0, set_iommu(self->fd, VFIO_TYPE1_IOMMU));
	EXPECT_EQ(0, set_iommu(self->fd, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(0, huge_pages(self->fd, self->ioas));
	ASSERT_EQ(0, forget(self->fd));
	EXPECT_EQ(ENODEV, set_iommu(self->fd, VFIO_TYPE1_IOMMU));
	EXPECT_EQ(ENODEV, set_iommu(self->fd, VFIO_TYPE1v2_IOMMU));
}

TEST_F(vfio_shim, version_1_with_mappings)
{
	uint64_t size;

	ASSERT_EQ(0, map(self->fd, self->buf + 1, T_BASE + 1, 17));
	EXPECT_EQ(EADDRINUSE, set_iommu(self->fd, VFIO_TYPE1_IOMMU));
	ASSERT_EQ(0, unmap(self->fd, T_BASE + 1, 17, &size));
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, NULL, NULL, NULL));
	ASSERT_EQ(0, map(self->fd, self->buf, T_BASE, T_PAGE));
	EXPECT_EQ(EINVAL, set_iommu(self->fd, VFIO_TYPE1_IOMMU));
	EXPECT_EQ(0, set_iommu(self->fd, VFIO_TYPE1v2_IOMMU));
}

struct info {
	struct vfio_iommu_type1_info head;
	struct {
		struct vfio_iommu_type1_info_dma_avail cap;
		uint32_t pad;
	} avail;
	struct vfio_iommu_type1_info_cap_iova_range ranges;
	struct vfio_iova_range range[8];
};

static int get_info(int fd, struct info *info, uint32_t argsz)
{
	memset(info, 0xee, sizeof(*info));
	info->head.argsz = argsz;
	return t_call(fd, VFIO_IOMMU_GET_INFO, info);
}

TEST_F(vfio_shim, info)
{
	const size_t one = offsetof(struct info, range[1]);
	struct info info;

	ASSERT_EQ(72, one);
	ASSERT_EQ(0, get_info(self->fd, &info, sizeof(info)));
	EXPECT_EQ(one, info.head.argsz);
	EXPECT_EQ(VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS,
		  info.head.flags);
	EXPECT_EQ(-T_PAGE, info.head.iova_pgsizes);
	EXPECT_EQ(24, info.head.cap_offset);
	EXPECT_EQ(0, info.head.pad);
	EXPECT_EQ(VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, info.avail.cap.header.id);
	EXPECT_EQ(1, info.avail.cap.header.version);
	EXPECT_EQ(40, info.avail.cap.header.next);
	EXPECT_EQ(UINT32_MAX, info.avail.cap.avail);
	EXPECT_EQ(VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, info.ranges.header.id);
	EXPECT_EQ(1, info.ranges.header.version);
	EXPECT_EQ(0, info.ranges.header.next);
	EXPECT_EQ(1, info.ranges.nr_iovas);
	EXPECT_EQ(0, info.range[0].start);
	EXPECT_EQ(UINT64_MAX, info.range[0].end);
	/* Nothing behind the chain is touched. */
	EXPECT_EQ(0xeeeeeeeeeeeeeeeeULL, info.range[1].start);

	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, NULL, NULL, NULL));
	ASSERT_EQ(0, get_info(self->fd, &info, sizeof(info)));
	EXPECT_EQ(T_PAGE, info.head.iova_pgsizes & -info.head.iova_pgsizes);
	EXPECT_EQ(T_BASE, info.range[0].start);
}

TEST_F(vfio_shim, info_sizes)
{
	const uint32_t one = offsetof(struct info, range[1]);
	struct info info;
	uint32_t argsz;

	for (argsz = 0; argsz < 16; argsz++)
		EXPECT_EQ(EINVAL, get_info(self->fd, &info, argsz));
	for (argsz = 16; argsz <= one; argsz++) {
		ASSERT_EQ(0, get_info(self->fd, &info, argsz));
		EXPECT_EQ(one, info.head.argsz);
		if (argsz >= 24)
			EXPECT_EQ(argsz < one ? 0 : 24, info.head.cap_offset);
		EXPECT_EQ(0xee, ((unsigned char *)&info)[argsz]);
		/* What fits is there, and nothing of what does not. */
		EXPECT_EQ(argsz >= 40, info.avail.cap.header.id ==
			  VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);
		EXPECT_EQ(argsz >= 56, info.ranges.nr_iovas == 1);
		EXPECT_EQ(argsz >= one, info.range[0].start == 0);
	}
	EXPECT_EQ(EFAULT, t_call(self->fd, VFIO_IOMMU_GET_INFO, NULL));
	EXPECT_EQ(EFAULT, t_call(self->fd, VFIO_IOMMU_GET_INFO,
				 t_readonly(&info, 72)));
	ASSERT_EQ(0, forget(self->fd));
	EXPECT_EQ(EINVAL, get_info(self->fd, &info, 15));
	EXPECT_EQ(ENODEV, get_info(self->fd, &info, 16));
}

TEST_F(vfio_shim, map_errors)
{
	struct vfio_iommu_type1_dma_map cmd = {
		.argsz = sizeof(cmd) - 1,
		.flags = RIGHTS,
		.vaddr = (uintptr_t)self->buf,
		.iova = T_BASE,
		.size = T_PAGE,
	};
	int fd = self->fd;

	EXPECT_EQ(EINVAL, t_call(fd, VFIO_IOMMU_MAP_DMA, &cmd));
	EXPECT_EQ(EFAULT, t_call(fd, VFIO_IOMMU_MAP_DMA, NULL));
	EXPECT_EQ(EINVAL, map_flags(fd, self->buf, T_BASE, T_PAGE, 0));
	EXPECT_EQ(EINVAL, map_flags(fd, self->buf, T_BASE, T_PAGE, RIGHTS |
				    VFIO_DMA_MAP_FLAG_VADDR));
	EXPECT_EQ(EINVAL, map_flags(fd, self->buf, T_BASE, T_PAGE,
				    RIGHTS | 8));
	EXPECT_EQ(EOVERFLOW, map(fd, (void *)-T_PAGE, T_BASE, T_PAGE));
	EXPECT_EQ(EINVAL, map(fd, self->buf, T_BASE, 0));
	EXPECT_EQ(EOVERFLOW, map(fd, self->buf, -T_PAGE, 2 * T_PAGE));
	ASSERT_EQ(0, map(fd, self->buf, T_BASE, 2 * T_PAGE));
	EXPECT_EQ(EEXIST, map(fd, self->buf, T_BASE + T_PAGE, 2 * T_PAGE));
	/* The last page of all */
	EXPECT_EQ(0, map(fd, self->buf, -T_PAGE, T_PAGE));
	EXPECT_EQ(0, map_flags(fd, self->buf, 0, 1, VFIO_DMA_MAP_FLAG_READ));
	if (t_has_mock(fd)) {
		ASSERT_EQ(0, t_add_reserved(fd, self->ioas, T_BASE + T_PMD,
					    T_PAGE));
		EXPECT_EQ(EINVAL, map(fd, self->buf, T_BASE + T_PMD, T_PAGE));
	}
	ASSERT_EQ(0, forget(fd));
	EXPECT_EQ(EINVAL, map_flags(fd, self->buf, T_BASE, T_PAGE, 0));
	EXPECT_EQ(ENODEV, map(fd, self->buf, T_BASE, T_PAGE));
}

TEST_F(vfio_shim, unmap_errors)
{
	struct vfio_iommu_type1_dma_unmap cmd = {
		.argsz = sizeof(cmd) - 1,
		.iova = T_BASE,
		.size = T_PAGE,
	};
	uint64_t size = T_PAGE;
	int fd = self->fd;

	EXPECT_EQ(EINVAL, t_call(fd, VFIO_IOMMU_UNMAP_DMA, &cmd));
	EXPECT_EQ(EFAULT, t_call(fd, VFIO_IOMMU_UNMAP_DMA, NULL));
	EXPECT_EQ(EINVAL, unmap_flags(fd, T_BASE, &size,
				      VFIO_DMA_UNMAP_FLAG_VADDR));
	EXPECT_EQ(EINVAL, unmap_flags(fd, T_BASE, &size,
				      VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP));
	EXPECT_EQ(EINVAL, unmap_flags(fd, 0, &size, VFIO_DMA_UNMAP_FLAG_ALL));
	/* Nothing is written for those, */
	EXPECT_EQ(T_PAGE, size);
	/* but something is for these. */
	EXPECT_EQ(EOVERFLOW, unmap(fd, -T_PAGE, 2 * T_PAGE, &size));
	EXPECT_EQ(0, size);
	EXPECT_EQ(EINVAL, unmap(fd, T_BASE, 0, &size));
	EXPECT_EQ(0, unmap(fd, T_BASE, T_PAGE, &size));
	EXPECT_EQ(0, size);

	ASSERT_EQ(0, map(fd, self->buf, T_BASE, T_PAGE));
	ASSERT_EQ(0, map(fd, self->buf, T_BASE + T_PAGE, 2 * T_PAGE));
	EXPECT_EQ(ENOENT, unmap(fd, T_BASE, 2 * T_PAGE, &size));
	/* The mapping before the one that is cut is gone, and counted. */
	EXPECT_EQ(T_PAGE, size);
	EXPECT_EQ(0, map(fd, self->buf, T_BASE, T_PAGE));
	cmd.argsz = sizeof(cmd);
	EXPECT_EQ(EFAULT, t_call(fd, VFIO_IOMMU_UNMAP_DMA,
				 t_readonly(&cmd, sizeof(cmd))));
	EXPECT_EQ(0, map(fd, self->buf, T_BASE, T_PAGE));
	ASSERT_EQ(0, map(fd, self->buf, -T_PAGE, T_PAGE));
	EXPECT_EQ(0, unmap(fd, -T_PAGE, T_PAGE, &size));
	EXPECT_EQ(T_PAGE, size);

	size = 0;
	EXPECT_EQ(0, unmap_flags(fd, 0, &size, VFIO_DMA_UNMAP_FLAG_ALL));
	EXPECT_EQ(3 * T_PAGE, size);
	size = 0;
	EXPECT_EQ(0, unmap_flags(fd, 0, &size, VFIO_DMA_UNMAP_FLAG_ALL));
	EXPECT_EQ(0, size);
	ASSERT_EQ(0, forget(fd));
	EXPECT_EQ(ENODEV, unmap(fd, T_BASE, T_PAGE, &size));
}

/* Pages [@first, @last] of the buffer, mapped at T_BASE in @hwpt */
static int check(int fd, uint32_t hwpt, char *buf, unsigned int first,
		 unsigned int last)
{
	return t_check_map(fd, hwpt, T_BASE + first * T_PAGE,
			   (last - first + 1) * T_PAGE, buf + first * T_PAGE);
}

TEST_F(vfio_shim, version_1_cuts)
{
	uint32_t stdev, hwpt, other;
	uint64_t size, copy;
	int fd = self->fd;

	if (!t_has_mock(fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, set_iommu(fd, VFIO_TYPE1_IOMMU));
	ASSERT_EQ(0, t_mock(fd, self->ioas, &stdev, &hwpt, NULL));
	ASSERT_EQ(0, map(fd, self->buf, T_BASE, self->length));
	/* Another that shares the memory is not affected by what follows. */
	ASSERT_EQ(0, t_ioas_alloc(fd, &other));
	copy = T_BASE;
	ASSERT_EQ(0, t_copy(fd, other, self->ioas, T_BASE, self->length, &copy,
			    T_RW | T_FIXED));

	/* The middle */
	ASSERT_EQ(0, unmap(fd, T_BASE + 4 * T_PAGE, 3 * T_PAGE, &size));
	EXPECT_EQ(3 * T_PAGE, size);
	EXPECT_EQ(0, check(fd, hwpt, self->buf, 0, 3));
	EXPECT_EQ(0, check(fd, hwpt, self->buf, 7, 15));
	EXPECT_NE(0, check(fd, hwpt, self->buf, 4, 4));
	EXPECT_NE(0, check(fd, hwpt, self->buf, 6, 6));
	EXPECT_EQ(0, t_check_refs(fd, self->buf, 4 * T_PAGE, 1));
	EXPECT_EQ(0, t_check_refs(fd, self->buf + 4 * T_PAGE, 3 * T_PAGE, 0));
	EXPECT_EQ(0, t_check_refs(fd, self->buf + 7 * T_PAGE, 9 * T_PAGE, 1));
	EXPECT_EQ(0, map(fd, self->buf + 4 * T_PAGE, T_BASE + 4 * T_PAGE,
			 T_PAGE));
	/* First and last page */
	ASSERT_EQ(0, unmap(fd, T_BASE, T_PAGE, &size));
	EXPECT_EQ(T_PAGE, size);
	ASSERT_EQ(0, unmap(fd, T_BASE + 15 * T_PAGE, 4 * T_PAGE, &size));
	EXPECT_EQ(T_PAGE, size);
	/* From within one mapping into another, with a hole between */
	ASSERT_EQ(0, unmap(fd, T_BASE + 2 * T_PAGE, 8 * T_PAGE, &size));
	EXPECT_EQ(6 * T_PAGE, size);
	EXPECT_EQ(0, check(fd, hwpt, self->buf, 1, 1));
	EXPECT_NE(0, check(fd, hwpt, self->buf, 2, 2));
	EXPECT_NE(0, check(fd, hwpt, self->buf, 9, 9));
	EXPECT_EQ(0, check(fd, hwpt, self->buf, 10, 14));
	EXPECT_EQ(0, t_check_refs(fd, self->buf + 10 * T_PAGE, 5 * T_PAGE, 1));
	/* Not a page */
	EXPECT_EQ(EINVAL, unmap(fd, T_BASE + 11 * T_PAGE, 100, &size));
	EXPECT_EQ(100, size);
	EXPECT_EQ(0, check(fd, hwpt, self->buf, 10, 14));

	/* A page table that comes now gets all parts; one that goes, too. */
	ASSERT_EQ(0, t_mock_replace(fd, stdev, other, &hwpt));
	EXPECT_EQ(0, check(fd, hwpt, self->buf, 0, 15));
	EXPECT_EQ(0, t_check_refs(fd, self->buf, self->length, 1));
	ASSERT_EQ(0, t_mock_replace(fd, stdev, self->ioas, &hwpt));
	EXPECT_EQ(0, check(fd, hwpt, self->buf, 10, 14));
	EXPECT_EQ(0, t_check_refs(fd, self->buf + 2 * T_PAGE, 8 * T_PAGE, 0));
}

TEST_F(vfio_shim, version_1_refuses)
{
	uint32_t hwpt, item;
	int fd = self->fd, access_fd;
	uint64_t size;

	if (!t_has_mock(fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, set_iommu(fd, VFIO_TYPE1_IOMMU));
	ASSERT_EQ(0, map(fd, self->buf, T_BASE, self->length));
	ASSERT_EQ(0, t_create_access(fd, self->ioas,
				     MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES,
				     &access_fd));
	ASSERT_EQ(0, t_pin(fd, access_fd, T_BASE, T_PAGE, self->buf, 0, &item));
	/* A pin anywhere in it keeps it in one piece. */
	EXPECT_EQ(EINVAL, unmap(fd, T_BASE + 4 * T_PAGE, T_PAGE, &size));
	EXPECT_EQ(T_PAGE, size);
	EXPECT_EQ(0, t_check_refs(fd, self->buf, T_PAGE, 1));
	ASSERT_EQ(0, t_unpin(fd, access_fd, item));
	EXPECT_EQ(0, unmap(fd, T_BASE + 4 * T_PAGE, T_PAGE, &size));
	EXPECT_EQ(T_PAGE, size);
	close(access_fd);

	/* Large IOPTEs again: parts that exist go, no new ones are made. */
	ASSERT_EQ(0, t_mock(fd, self->ioas, NULL, &hwpt, NULL));
	ASSERT_EQ(0, t_huge_pages(fd, self->ioas, 1));
	EXPECT_EQ(ENOENT, unmap(fd, T_BASE + 8 * T_PAGE, T_PAGE, &size));
	EXPECT_EQ(0, size);
	EXPECT_EQ(0, unmap(fd, T_BASE, 4 * T_PAGE, &size));
	EXPECT_EQ(4 * T_PAGE, size);
	EXPECT_EQ(0, check(fd, hwpt, self->buf, 5, 15));
}

TEST_HARNESS_MAIN
