// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vfio/vfio, whoever serves it: VFIO's own container with its type1
 * backend, or this driver. Each probe says what type1 answers, and what this
 * driver answers if that is something else on purpose; the program passes on
 * both. Every result is printed as
 *
 *	#= row <tab> probe <tab> result <tab> '*' if documented to differ
 *
 * where row is that of Documentation/vfio-compat.rst, so that the lines of two
 * kernels can be put side by side.
 */
#include <pthread.h>
#include <sys/wait.h>

#include "pt.h"
#include "vfio.h"

#define RIGHTS (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)
#define PAGES 16
#define IOVA 0x400000UL

static bool served_by_us(void)
{
	return !access("/sys/module/iommufd/parameters/account_mode_vfio",
		       F_OK);
}

/* An errno as its name, anything else as a number */
static const char *word(long value)
{
	static char text[32];

	if (value < 0 && value > -200 && strerrorname_np(-value))
		return strerrorname_np(-value);
	snprintf(text, sizeof(text), value > 9999 ? "%#lx" : "%ld", value);
	return text;
}

static void probe(struct __test_metadata *_metadata, const char *row,
		  const char *what, long got, long type1, long ours)
{
	long want = served_by_us() ? ours : type1;

	printf("#= %s\t%s\t%s\t%s\n", row, what, word(got),
	       type1 == ours ? "" : "*");
	fflush(stdout);
	EXPECT_EQ(want, got)
		TH_LOG("row %s, %s: %s", row, what, word(got));
}

#define SAME(row_, what_, want_, got_) do {				\
	long want__ = (want_);						\
									\
	probe(_metadata, row_, what_, got_, want__, want__);		\
} while (0)

#define DIFFERS(row_, what_, type1_, ours_, got_)			\
	probe(_metadata, row_, what_, got_, type1_, ours_)

/* ioctls: 0 or more, or -errno */

static long call(int fd, unsigned int cmd, const void *arg)
{
	long rc = ioctl(fd, cmd, arg);

	return rc < 0 ? -errno : rc;
}

static long call_nr(int fd, unsigned int cmd, unsigned long arg)
{
	return call(fd, cmd, (void *)arg);
}

static long extension(int fd, unsigned long nr)
{
	return call_nr(fd, VFIO_CHECK_EXTENSION, nr);
}

static long map_flags(int fd, const void *va, uint64_t iova, uint64_t size,
		      uint32_t flags)
{
	struct vfio_iommu_type1_dma_map cmd = {
		.argsz = sizeof(cmd),
		.flags = flags,
		.vaddr = (uintptr_t)va,
		.iova = iova,
		.size = size,
	};

	return call(fd, VFIO_IOMMU_MAP_DMA, &cmd);
}

static long map(int fd, const void *va, uint64_t iova, uint64_t size)
{
	return map_flags(fd, va, iova, size, RIGHTS);
}

/* Bytes removed, or -errno; then *size_out is what the struct says. */
static long unmap_flags(int fd, uint64_t iova, uint64_t size, uint32_t flags,
			uint64_t *size_out)
{
	struct vfio_iommu_type1_dma_unmap cmd = {
		.argsz = sizeof(cmd),
		.flags = flags,
		.iova = iova,
		.size = size,
	};
	long rc = call(fd, VFIO_IOMMU_UNMAP_DMA, &cmd);

	if (size_out)
		*size_out = cmd.size;
	return rc ? rc : cmd.size;
}

static long unmap(int fd, uint64_t iova, uint64_t size)
{
	return unmap_flags(fd, iova, size, 0, NULL);
}

static long unmap_all(int fd)
{
	return unmap_flags(fd, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL, NULL);
}

static long new_address(int fd, const void *va, uint64_t iova, uint64_t size)
{
	return map_flags(fd, va, iova, size, VFIO_DMA_MAP_FLAG_VADDR);
}

static long take_address(int fd, uint64_t iova, uint64_t size)
{
	return unmap_flags(fd, iova, size, VFIO_DMA_UNMAP_FLAG_VADDR, NULL);
}

static long take_all_addresses(int fd)
{
	return unmap_flags(fd, 0, 0, VFIO_DMA_UNMAP_FLAG_VADDR |
			   VFIO_DMA_UNMAP_FLAG_ALL, NULL);
}

#define NO_IVSHMEM "no PCI device 1af4:1110 (QEMU: -device ivshmem-plain)"

/* The name of a device, and the node of its group */
static bool find_device(unsigned int vendor, unsigned int device, char *name,
			size_t name_size, char *group, size_t group_size)
{
	char path[300];

	if (!find_pci(vendor, device, path, sizeof(path)) ||
	    !find_group(path, group, group_size))
		return false;
	snprintf(name, name_size, "%s", strrchr(path, '/') + 1);
	return true;
}

FIXTURE(container)
{
	int fd, group, dev;
	char name[64], node[64];
	char *buf;
	size_t length;
};

FIXTURE_SETUP(container)
{
	self->fd = -1;
	self->group = -1;
	self->dev = -1;
	if (access("/dev/vfio/vfio", F_OK))
		SKIP(return, "no /dev/vfio/vfio");
	if (!find_device(EDU_VENDOR, EDU_DEVICE, self->name,
			 sizeof(self->name), self->node, sizeof(self->node)))
		SKIP(return, "no PCI device 1234:11e8 (QEMU: -device edu)");
	self->group = open(self->node, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->group)
		TH_LOG("%s: %m", self->node);
	self->fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	self->length = PAGES * T_PAGE;
	self->buf = t_alloc(self->length);
	ASSERT_NE(NULL, self->buf);
}

FIXTURE_TEARDOWN(container)
{
	if (self->dev >= 0)
		close(self->dev);
	if (self->group >= 0)
		close(self->group);
	if (self->fd >= 0)
		close(self->fd);
	/* Closing all of it gives all of it back. */
	EXPECT_EQ(0, t_vmpin());
	EXPECT_EQ(0, t_vmlck());
}

static long connect_group(int group, int fd)
{
	return call(group, VFIO_GROUP_SET_CONTAINER, &fd);
}

static long open_device(int group, const char *name, int *dev)
{
	*dev = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name);
	return *dev < 0 ? -errno : 0;
}

#define SET_UP(type_) do {						\
	ASSERT_EQ(0, connect_group(self->group, self->fd));		\
	ASSERT_EQ(0, call_nr(self->fd, VFIO_SET_IOMMU, type_));		\
} while (0)

#define SET_UP_DEVICE(type_) do {					\
	SET_UP(type_);							\
	ASSERT_EQ(0, open_device(self->group, self->name, &self->dev));	\
} while (0)

TEST_F(container, unset)
{
	int fd = self->fd, dev;

	SAME("-", "API version", 0, call_nr(fd, VFIO_GET_API_VERSION, 0));
	SAME("-", "unset: has TYPE1", 1, extension(fd, VFIO_TYPE1_IOMMU));
	SAME("-", "unset: has TYPE1v2", 1, extension(fd, VFIO_TYPE1v2_IOMMU));
	SAME("-", "unset: has UNMAP_ALL", 1, extension(fd, VFIO_UNMAP_ALL));
	SAME("4", "unset: has UPDATE_VADDR", 0,
	     extension(fd, VFIO_UPDATE_VADDR));
	SAME("20", "unset: has DMA_CC", 0, extension(fd, VFIO_DMA_CC_IOMMU));
	SAME("21", "unset: has NOIOMMU", 0, extension(fd, VFIO_NOIOMMU_IOMMU));
	SAME("37", "unset: has SPAPR", 0, extension(fd, VFIO_SPAPR_TCE_IOMMU));
	SAME("39", "unset: has nesting", 0, extension(fd, 6));
	SAME("-", "unset: has 1000", 0, extension(fd, 1000));
	SAME("16", "unset: SET_IOMMU", -EINVAL,
	     call_nr(fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	SAME("18", "unset: GET_INFO", -EINVAL,
	     call(fd, VFIO_IOMMU_GET_INFO, NULL));
	SAME("18", "unset: MAP_DMA", -EINVAL,
	     map(fd, self->buf, IOVA, T_PAGE));
	SAME("18", "unset: UNMAP_DMA", -EINVAL, unmap(fd, IOVA, T_PAGE));
	SAME("18", "unset: DIRTY_PAGES", -EINVAL,
	     call(fd, VFIO_IOMMU_DIRTY_PAGES, NULL));
	SAME("38", "unset: ENABLE", -EINVAL,
	     call(fd, VFIO_IOMMU_ENABLE, NULL));
	SAME("19", "group without container: GET_DEVICE_FD", -EINVAL,
	     open_device(self->group, self->name, &dev));
	SAME("-", "group without container: UNSET_CONTAINER", -EINVAL,
	     call(self->group, VFIO_GROUP_UNSET_CONTAINER, NULL));
}

TEST_F(container, states)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	int fd = self->fd, dev;

	SAME("-", "SET_CONTAINER, not a descriptor", -EBADF,
	     connect_group(self->group, -1));
	SAME("-", "SET_CONTAINER, another file", -EBADFD,
	     connect_group(self->group, self->group));
	SAME("-", "SET_CONTAINER", 0, connect_group(self->group, fd));
	SAME("-", "SET_CONTAINER again", -EINVAL,
	     connect_group(self->group, fd));
	call(self->group, VFIO_GROUP_GET_STATUS, &status);
	SAME("25", "GET_STATUS", 3, status.flags);
	SAME("18", "group: GET_INFO", -EINVAL,
	     call(fd, VFIO_IOMMU_GET_INFO, NULL));
	SAME("18", "group: MAP_DMA", -EINVAL,
	     map(fd, self->buf, IOVA, T_PAGE));
	SAME("18", "group: UNMAP_DMA", -EINVAL, unmap(fd, IOVA, T_PAGE));
	SAME("19", "group: GET_DEVICE_FD", -EINVAL,
	     open_device(self->group, self->name, &dev));
	SAME("4", "group: has UPDATE_VADDR", 0,
	     extension(fd, VFIO_UPDATE_VADDR));
	SAME("20", "group: has DMA_CC", 0, extension(fd, VFIO_DMA_CC_IOMMU));

	SAME("17", "SET_IOMMU 0", -ENODEV, call_nr(fd, VFIO_SET_IOMMU, 0));
	SAME("37", "SET_IOMMU SPAPR", -ENODEV, call_nr(fd, VFIO_SET_IOMMU, 2));
	SAME("17", "SET_IOMMU DMA_CC", -ENODEV, call_nr(fd, VFIO_SET_IOMMU, 4));
	SAME("39", "SET_IOMMU nesting", -ENODEV,
	     call_nr(fd, VFIO_SET_IOMMU, 6));
	SAME("17", "SET_IOMMU NOIOMMU", -ENODEV,
	     call_nr(fd, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU));
	SAME("17", "SET_IOMMU UNMAP_ALL", -EINVAL,
	     call_nr(fd, VFIO_SET_IOMMU, VFIO_UNMAP_ALL));
	SAME("17", "SET_IOMMU UPDATE_VADDR", -ENODEV,
	     call_nr(fd, VFIO_SET_IOMMU, VFIO_UPDATE_VADDR));
	SAME("17", "SET_IOMMU 1000", -ENODEV,
	     call_nr(fd, VFIO_SET_IOMMU, 1000));
	SAME("-", "SET_IOMMU TYPE1v2", 0,
	     call_nr(fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	SAME("15", "SET_IOMMU again", -EINVAL,
	     call_nr(fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	SAME("15", "SET_IOMMU 0 again", -EINVAL,
	     call_nr(fd, VFIO_SET_IOMMU, 0));
	SAME("38", "set: ENABLE", -ENOTTY, call(fd, VFIO_IOMMU_ENABLE, NULL));
	SAME("38", "set: DISABLE", -ENOTTY,
	     call(fd, VFIO_IOMMU_DISABLE, NULL));
	SAME("-", "set: unknown command", -ENOTTY,
	     call(fd, _IO(VFIO_TYPE, VFIO_BASE + 18), NULL));
	SAME("-", "set: has TYPE1", 1, extension(fd, VFIO_TYPE1_IOMMU));
	SAME("-", "set: has UNMAP_ALL", 1, extension(fd, VFIO_UNMAP_ALL));
	SAME("21", "set: has NOIOMMU", 0, extension(fd, VFIO_NOIOMMU_IOMMU));
	SAME("-", "GET_DEVICE_FD, no such device", -ENODEV,
	     open_device(self->group, "0000:ff:1f.7", &dev));
	SAME("-", "GET_DEVICE_FD", 0,
	     open_device(self->group, self->name, &self->dev));
}

TEST_F(container, last_group)
{
	int fd = self->fd;

	SET_UP_DEVICE(VFIO_TYPE1v2_IOMMU);
	ASSERT_EQ(0, map(fd, self->buf, IOVA, self->length));
	SAME("-", "VmPin or VmLck with 16 pages mapped", 1,
	     t_vmpin() >= 64 || t_vmlck() >= 64);
	close(self->dev);
	self->dev = -1;
	SAME("26", "device closed: mapping is there", -EEXIST,
	     map(fd, self->buf, IOVA, T_PAGE));
	SAME("26", "last group leaves", 0,
	     call(self->group, VFIO_GROUP_UNSET_CONTAINER, NULL));
	SAME("26", "VmPin after it", 0, t_vmpin());
	SAME("26", "VmLck after it", 0, t_vmlck());
	SAME("26", "MAP_DMA after it", -EINVAL,
	     map(fd, self->buf, IOVA, T_PAGE));
	SAME("26", "SET_IOMMU after it", -EINVAL,
	     call_nr(fd, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU));
	SAME("26", "group comes again", 0, connect_group(self->group, fd));
	SAME("26", "another type is set", 0,
	     call_nr(fd, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU));
	SAME("26", "the mapping has gone", 0,
	     map(fd, self->buf, IOVA, T_PAGE));
	/* Leaving by close */
	close(self->group);
	self->group = -1;
	SAME("26", "group closed: MAP_DMA", -EINVAL,
	     map(fd, self->buf, IOVA, T_PAGE));
	SAME("26", "group closed: VmPin", 0, t_vmpin());
}

TEST_F(container, unset_with_open_device)
{
	SET_UP_DEVICE(VFIO_TYPE1v2_IOMMU);
	ASSERT_EQ(0, map(self->fd, self->buf, IOVA, self->length));
	DIFFERS("27", "UNSET_CONTAINER with a device open", -EBUSY, 0,
		call(self->group, VFIO_GROUP_UNSET_CONTAINER, NULL));
	SAME("27", "the mapping is still there", -EEXIST,
	     map(self->fd, self->buf, IOVA, T_PAGE));
	close(self->dev);
	self->dev = -1;
	DIFFERS("27", "device closed: MAP_DMA", -EEXIST, -EINVAL,
		map(self->fd, self->buf, IOVA, T_PAGE));
}

struct info {
	struct vfio_iommu_type1_info head;
	char caps[1000];
};

static long get_info(int fd, struct info *info, uint32_t argsz)
{
	memset(info, 0xee, sizeof(*info));
	info->head.argsz = argsz;
	return call(fd, VFIO_IOMMU_GET_INFO, info);
}

/* The capability of an ID; NULL if there is none. */
static void *find_cap(struct info *info, uint16_t id)
{
	struct vfio_info_cap_header *cap;
	uint32_t at;

	for (at = info->head.cap_offset; at; at = cap->next) {
		cap = (void *)info + at;
		if (cap->id == id)
			return cap;
	}
	return NULL;
}

/* IDs of the chain as decimal digits, each offset checked to be a multiple of 8 */
static long cap_order(struct info *info)
{
	struct vfio_info_cap_header *cap;
	long order = 0;
	uint32_t at;

	for (at = info->head.cap_offset; at; at = cap->next) {
		cap = (void *)info + at;
		if (at % 8 || cap->version != 1)
			return -1;
		order = order * 10 + cap->id;
	}
	return order;
}

TEST_F(container, info)
{
	struct vfio_iommu_type1_info_cap_iova_range *ranges;
	struct vfio_iommu_type1_info_cap_migration *migration;
	struct vfio_iommu_type1_info_dma_avail *avail;
	struct info info;
	bool msi = false;
	int fd = self->fd;
	uint32_t full, i;

	SET_UP_DEVICE(VFIO_TYPE1v2_IOMMU);
	SAME("-", "GET_INFO, no struct", -EFAULT,
	     call(fd, VFIO_IOMMU_GET_INFO, NULL));
	SAME("-", "GET_INFO, argsz 15", -EINVAL, get_info(fd, &info, 15));
	SAME("-", "GET_INFO, argsz 16", 0, get_info(fd, &info, 16));
	full = info.head.argsz;
	SAME("12", "argsz says more than 16", 1, full > 24);
	SAME("14", "nothing beyond argsz is written", 0xeeeeeeee,
	     info.head.cap_offset);
	SAME("-", "GET_INFO, argsz one too small", 0,
	     get_info(fd, &info, full - 1));
	SAME("12", "argsz says what is needed", full, info.head.argsz);
	SAME("14", "cap_offset", 0, info.head.cap_offset);
	SAME("14", "no part of the chain is written", 1,
	     (unsigned char)info.caps[0] == 0xee);
	SAME("-", "flags", VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS,
	     info.head.flags);
	SAME("-", "GET_INFO with room", 0, get_info(fd, &info, sizeof(info)));
	SAME("12", "argsz unchanged with room", sizeof(info), info.head.argsz);
	SAME("13", "cap_offset with room", 24, info.head.cap_offset);
	SAME("13", "capabilities in order", 231, cap_order(&info));
	SAME("11", "smallest page", T_PAGE,
	     info.head.iova_pgsizes & -info.head.iova_pgsizes);
	SAME("11", "page sizes", T_PAGE | T_PMD | 1UL << 30,
	     info.head.iova_pgsizes);

	migration = find_cap(&info, VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION);
	ASSERT_NE(NULL, migration);
	SAME("5", "migration: flags", 0, migration->flags);
	SAME("5", "migration: page sizes", T_PAGE, migration->pgsize_bitmap);
	SAME("5", "migration: largest bitmap", 1 << 28,
	     migration->max_dirty_bitmap_size);
	avail = find_cap(&info, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);
	ASSERT_NE(NULL, avail);
	SAME("6", "mappings available", UINT16_MAX, avail->avail);
	ranges = find_cap(&info, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
	ASSERT_NE(NULL, ranges);
	SAME("24", "usable ranges", 2, ranges->nr_iovas);
	for (i = 0; i < ranges->nr_iovas; i++)
		msi |= ranges->iova_ranges[i].start <= MSI_FIRST &&
		       ranges->iova_ranges[i].end >= MSI_FIRST;
	SAME("24", "MSI window is usable", 0, msi);
	SAME("24", "end of the last", (1L << 48) - 1,
	     ranges->iova_ranges[1].end);

	ASSERT_EQ(0, map(fd, self->buf, IOVA, T_PAGE));
	ASSERT_EQ(0, map(fd, self->buf, IOVA + T_PAGE, T_PAGE));
	ASSERT_EQ(0, get_info(fd, &info, sizeof(info)));
	avail = find_cap(&info, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);
	SAME("6", "available with two mapped", UINT16_MAX - 2, avail->avail);
}

TEST_F(container, map_errors)
{
	struct vfio_iommu_type1_dma_map cmd = {
		.argsz = sizeof(cmd) - 1,
		.flags = RIGHTS,
		.vaddr = (uintptr_t)self->buf,
		.iova = IOVA,
		.size = T_PAGE,
	};
	int fd = self->fd;
	char *va;

	SET_UP_DEVICE(VFIO_TYPE1v2_IOMMU);
	SAME("-", "MAP_DMA, no struct", -EFAULT,
	     call(fd, VFIO_IOMMU_MAP_DMA, NULL));
	SAME("-", "MAP_DMA, argsz 31", -EINVAL,
	     call(fd, VFIO_IOMMU_MAP_DMA, &cmd));
	SAME("-", "MAP_DMA, flag 8", -EINVAL,
	     map_flags(fd, self->buf, IOVA, T_PAGE, RIGHTS | 8));
	SAME("31", "size 0", -EINVAL, map(fd, self->buf, IOVA, 0));
	SAME("31", "size 0, IOVA at the top", -EINVAL,
	     map(fd, self->buf, -T_PAGE, 0));
	SAME("31", "IOVA overflows", -EOVERFLOW,
	     map(fd, self->buf, -T_PAGE, 2 * T_PAGE));
	SAME("31", "address overflows", -EOVERFLOW,
	     map(fd, (void *)-T_PAGE, IOVA, 2 * T_PAGE));
	SAME("31", "overflow before missing rights", -EOVERFLOW,
	     map_flags(fd, self->buf, -T_PAGE, 2 * T_PAGE, 0));
	SAME("30", "address ends at 2^64", -EFAULT,
	     map(fd, (void *)-T_PAGE, IOVA, T_PAGE));
	SAME("28", "no rights", -EINVAL,
	     map_flags(fd, self->buf, IOVA, T_PAGE, 0));
	SAME("29", "size not of pages", -EINVAL,
	     map(fd, self->buf, IOVA, T_PAGE + 512));
	SAME("29", "IOVA not of pages", -EINVAL,
	     map(fd, self->buf, IOVA + 512, T_PAGE));
	SAME("29", "address not of pages", -EINVAL,
	     map(fd, self->buf + 512, IOVA, T_PAGE));
	SAME("24", "in the MSI window", -EINVAL,
	     map(fd, self->buf, MSI_FIRST, T_PAGE));
	SAME("24", "beyond the aperture", -EINVAL,
	     map(fd, self->buf, 1UL << 48, T_PAGE));
	ASSERT_EQ(0, map(fd, self->buf, MSI_FIRST - T_PAGE, T_PAGE));
	SAME("31", "mapped before reserved", -EEXIST,
	     map(fd, self->buf, MSI_FIRST - T_PAGE, 2 * T_PAGE));
	SAME("31", "alignment before mapped", -EINVAL,
	     map(fd, self->buf + 1, MSI_FIRST - T_PAGE, T_PAGE));

	va = mmap(NULL, 2 * T_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		  0);
	ASSERT_NE(MAP_FAILED, va);
	SAME("-", "writing to read-only memory", -EFAULT,
	     map(fd, va, IOVA, T_PAGE));
	SAME("-", "reading it", 0,
	     map_flags(fd, va, IOVA, T_PAGE, VFIO_DMA_MAP_FLAG_READ));
	munmap(va + T_PAGE, T_PAGE);
	SAME("-", "memory that is not there", -EFAULT,
	     map(fd, va + T_PAGE, IOVA + T_PAGE, T_PAGE));
	SAME("31", "mapped before memory that is not there", -EEXIST,
	     map(fd, va + T_PAGE, IOVA, T_PAGE));
	SAME("-", "half of it is not there", -EFAULT,
	     map_flags(fd, va, IOVA + T_PAGE, 2 * T_PAGE,
		       VFIO_DMA_MAP_FLAG_READ));
	SAME("-", "nothing is left of those", 0, unmap(fd, IOVA + T_PAGE,
						       8 * T_PAGE));
}

TEST_F(container, before_a_device)
{
	int fd = self->fd, dev;

	SET_UP(VFIO_TYPE1v2_IOMMU);
	SAME("29", "no device: size not of pages", -EINVAL,
	     map(fd, self->buf, IOVA, T_PAGE + 512));
	SAME("29", "no device: IOVA not of pages", -EINVAL,
	     map(fd, self->buf, IOVA + 512, T_PAGE));
	SAME("9", "no device: unmap not of pages", -EINVAL,
	     unmap(fd, IOVA, 512));
	SAME("-", "no device: MAP_DMA", 0, map(fd, self->buf, IOVA, T_PAGE));
	SAME("-", "no device: MAP_DMA again", -EEXIST,
	     map(fd, self->buf, IOVA, T_PAGE));
	DIFFERS("41", "no device: memory that is not there", -EFAULT, 0,
		map(fd, NULL, IOVA + T_PAGE, T_PAGE));
	DIFFERS("41", "device with such a mapping", 0, -EFAULT,
		open_device(self->group, self->name, &dev));
	if (dev >= 0)
		close(dev);
	unmap(fd, IOVA + T_PAGE, T_PAGE);
	DIFFERS("24", "no device: in the MSI window", -EINVAL, 0,
		map(fd, self->buf, MSI_FIRST, T_PAGE));
	DIFFERS("24", "device with such a mapping", 0, -EADDRINUSE,
		open_device(self->group, self->name, &dev));
	if (dev >= 0)
		close(dev);
	unmap(fd, MSI_FIRST, T_PAGE);
	SAME("-", "no device: mapping is there", T_PAGE,
	     unmap(fd, IOVA, T_PAGE));
	SAME("-", "device after all", 0,
	     open_device(self->group, self->name, &self->dev));
}

TEST_F(container, unmap_version_2)
{
	uint64_t size;
	int fd = self->fd;

	SET_UP_DEVICE(VFIO_TYPE1v2_IOMMU);
	SAME("-", "UNMAP_DMA, no struct", -EFAULT,
	     call(fd, VFIO_IOMMU_UNMAP_DMA, NULL));
	SAME("-", "UNMAP_DMA, flag 8", -EINVAL,
	     unmap_flags(fd, IOVA, T_PAGE, 8, NULL));
	SAME("-", "UNMAP_DMA, nothing there", 0, unmap(fd, IOVA, T_PAGE));
	SAME("-", "UNMAP_DMA all, nothing there", 0, unmap_all(fd));
	SAME("9", "size 0", -EINVAL, unmap(fd, IOVA, 0));
	SAME("9", "size not of pages", -EINVAL, unmap(fd, IOVA, 512));
	SAME("9", "IOVA not of pages", -EINVAL, unmap(fd, IOVA + 1, T_PAGE));
	SAME("-", "overflow", -EOVERFLOW, unmap(fd, -T_PAGE, 2 * T_PAGE));
	SAME("-", "the last page of all", 0, unmap(fd, -T_PAGE, T_PAGE));
	SAME("-", "all, with an IOVA", -EINVAL,
	     unmap_flags(fd, IOVA, 0, VFIO_DMA_UNMAP_FLAG_ALL, NULL));
	SAME("-", "all, with a size", -EINVAL,
	     unmap_flags(fd, 0, T_PAGE, VFIO_DMA_UNMAP_FLAG_ALL, NULL));
	SAME("-", "all, IOVA not of pages", -EINVAL,
	     unmap_flags(fd, 1, 0, VFIO_DMA_UNMAP_FLAG_ALL, NULL));

	ASSERT_EQ(0, map(fd, self->buf, IOVA, T_PAGE));
	ASSERT_EQ(0, map(fd, self->buf, IOVA + T_PAGE, 2 * T_PAGE));
	ASSERT_EQ(0, map(fd, self->buf, IOVA + 4 * T_PAGE, T_PAGE));
	SAME("7", "range cuts at its end", -EINVAL,
	     unmap_flags(fd, IOVA, 2 * T_PAGE, 0, &size));
	SAME("10", "size in the struct then", 2 * T_PAGE, size);
	SAME("7", "range cuts at its start", -EINVAL,
	     unmap(fd, IOVA + 2 * T_PAGE, 3 * T_PAGE));
	SAME("7", "range is inside of one", -EINVAL,
	     unmap(fd, IOVA + T_PAGE, T_PAGE));
	SAME("7", "nothing has been removed", -EEXIST,
	     map(fd, self->buf, IOVA, T_PAGE));
	SAME("-", "range with two and a hole", 3 * T_PAGE,
	     unmap(fd, IOVA + T_PAGE, 8 * T_PAGE));
	SAME("-", "all", T_PAGE, unmap_all(fd));
	SAME("-", "VmPin after it", 0, t_vmpin());
}

TEST_F(container, unmap_version_1)
{
	int fd = self->fd;

	SET_UP_DEVICE(VFIO_TYPE1_IOMMU);
	ASSERT_EQ(0, map(fd, self->buf, IOVA, 4 * T_PAGE));
	ASSERT_EQ(0, map(fd, self->buf, IOVA + 4 * T_PAGE, 4 * T_PAGE));
	ASSERT_EQ(0, map(fd, self->buf, IOVA + 8 * T_PAGE, 4 * T_PAGE));
	SAME("8", "v1: starts inside of one", 0,
	     unmap(fd, IOVA + T_PAGE, T_PAGE));
	SAME("8", "v1: starts inside, covers the next", 0,
	     unmap(fd, IOVA + T_PAGE, 7 * T_PAGE));
	SAME("8", "v1: nothing has been removed", -EEXIST,
	     map(fd, self->buf, IOVA + 4 * T_PAGE, T_PAGE));
	SAME("8", "v1: first page of one", 4 * T_PAGE,
	     unmap(fd, IOVA + 4 * T_PAGE, T_PAGE));
	SAME("8", "v1: before one, into it", 4 * T_PAGE,
	     unmap(fd, IOVA + 7 * T_PAGE, 2 * T_PAGE));
	SAME("9", "v1: not of pages", -EINVAL, unmap(fd, IOVA, 512));
	SAME("8", "v1: all", 4 * T_PAGE, unmap_all(fd));
	SAME("5", "v1: DIRTY_PAGES", -EACCES,
	     call(fd, VFIO_IOMMU_DIRTY_PAGES, NULL));
}

/* The limit for containers that come from now on; returns what it was. */
static int entry_limit(int limit)
{
	FILE *f = fopen(served_by_us() ?
			"/sys/module/iommufd/parameters/dma_entry_limit" :
			"/sys/module/vfio_iommu_type1/parameters/dma_entry_limit",
			"r+");
	int before = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%d", &before) != 1)
		before = -1;
	rewind(f);
	fprintf(f, "%d\n", limit);
	fclose(f);
	return before;
}

TEST_F(container, entry_limit)
{
	struct vfio_iommu_type1_info_dma_avail *avail;
	struct info info;
	int before, fd;

	before = entry_limit(3);
	ASSERT_LT(0, before);
	fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	close(self->fd);
	self->fd = fd;
	SET_UP_DEVICE(VFIO_TYPE1v2_IOMMU);
	EXPECT_EQ(3, entry_limit(before));
	SAME("6", "limit 3: first", 0, map(fd, self->buf, IOVA, T_PAGE));
	SAME("6", "limit 3: second", 0,
	     map(fd, self->buf, IOVA + T_PAGE, T_PAGE));
	SAME("6", "limit 3: third", 0,
	     map(fd, self->buf, IOVA + 2 * T_PAGE, T_PAGE));
	SAME("6", "limit 3: fourth", -ENOSPC,
	     map(fd, self->buf, IOVA + 3 * T_PAGE, T_PAGE));
	SAME("31", "mapped before the limit", -EEXIST,
	     map(fd, self->buf, IOVA + 2 * T_PAGE, T_PAGE));
	SAME("31", "the limit before reserved", -ENOSPC,
	     map(fd, self->buf, MSI_FIRST, T_PAGE));
	SAME("31", "alignment before the limit", -EINVAL,
	     map(fd, self->buf, MSI_FIRST + 1, T_PAGE));
	ASSERT_EQ(0, get_info(fd, &info, sizeof(info)));
	avail = find_cap(&info, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);
	ASSERT_NE(NULL, avail);
	SAME("6", "limit 3: none is available", 0, avail->avail);
	SAME("6", "limit 3: one goes", T_PAGE, unmap(fd, IOVA, T_PAGE));
	SAME("6", "limit 3: another comes", 0,
	     map(fd, self->buf, IOVA + 3 * T_PAGE, T_PAGE));
}

TEST_F(container, accounting)
{
	int fd = self->fd;

	SET_UP_DEVICE(VFIO_TYPE1v2_IOMMU);
	ASSERT_EQ(0, t_drop_cap(CAP_IPC_LOCK));
	ASSERT_EQ(0, t_memlock(8 * T_PAGE));
	SAME("2", "limit of 8 pages: 8", 0,
	     map(fd, self->buf, IOVA, 8 * T_PAGE));
	SAME("2", "VmLck", 8 * T_PAGE / 1024, t_vmlck());
	SAME("2", "limit of 8 pages: one more", -ENOMEM,
	     map(fd, self->buf + 8 * T_PAGE, IOVA + 8 * T_PAGE, T_PAGE));
	SAME("2", "VmLck after it", 8 * T_PAGE / 1024, t_vmlck());
	SAME("2", "they go", 8 * T_PAGE, unmap_all(fd));
	SAME("2", "VmLck without", 0, t_vmlck());
}

static long dirty(int fd, uint32_t argsz, uint32_t flags)
{
	struct vfio_iommu_type1_dirty_bitmap cmd = {
		.argsz = argsz,
		.flags = flags,
	};

	return call(fd, VFIO_IOMMU_DIRTY_PAGES, &cmd);
}

static long get_dirty(int fd, uint64_t iova, uint64_t size, uint64_t pgsize,
		      void *data, uint64_t bytes)
{
	struct {
		struct vfio_iommu_type1_dirty_bitmap head;
		struct vfio_iommu_type1_dirty_bitmap_get get;
	} cmd = {
		.head.argsz = sizeof(cmd),
		.head.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP,
		.get = {
			.iova = iova,
			.size = size,
			.bitmap = {
				.pgsize = pgsize,
				.size = bytes,
				.data = data,
			},
		},
	};

	return call(fd, VFIO_IOMMU_DIRTY_PAGES, &cmd);
}

#define DIRTY_START VFIO_IOMMU_DIRTY_PAGES_FLAG_START
#define DIRTY_STOP VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP
#define DIRTY_GET VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP

TEST_F(container, dirty_errors)
{
	uint64_t bits[4] = {};
	int fd = self->fd;

	SET_UP_DEVICE(VFIO_TYPE1v2_IOMMU);
	ASSERT_EQ(0, map(fd, self->buf, IOVA, 4 * T_PAGE));
	SAME("5", "DIRTY_PAGES, no struct", -EFAULT,
	     call(fd, VFIO_IOMMU_DIRTY_PAGES, NULL));
	SAME("5", "argsz 7", -EINVAL, dirty(fd, 7, DIRTY_START));
	SAME("5", "flag 8", -EINVAL, dirty(fd, 8, 8));
	SAME("5", "two flags", -EINVAL,
	     dirty(fd, 8, DIRTY_START | DIRTY_STOP));
	SAME("5", "get without tracking", -EINVAL,
	     get_dirty(fd, IOVA, 4 * T_PAGE, T_PAGE, bits, 8));
	SAME("5", "stop without start", 0, dirty(fd, 8, DIRTY_STOP));
	SAME("5", "start", 0, dirty(fd, 8, DIRTY_START));
	SAME("5", "start again", 0, dirty(fd, 8, DIRTY_START));
	SAME("5", "get without a range", -EINVAL, dirty(fd, 8, DIRTY_GET));
	SAME("5", "get, size 0", -EINVAL,
	     get_dirty(fd, IOVA, 0, T_PAGE, bits, 8));
	SAME("5", "get, overflow", -EOVERFLOW,
	     get_dirty(fd, -T_PAGE, 2 * T_PAGE, T_PAGE, bits, 8));
	SAME("5", "get, another page size", -EINVAL,
	     get_dirty(fd, IOVA, T_PMD, T_PMD, bits, 8));
	SAME("5", "get, bitmap of size 0", -EINVAL,
	     get_dirty(fd, IOVA, 4 * T_PAGE, T_PAGE, bits, 0));
	SAME("5", "get, bitmap too small", -EINVAL,
	     get_dirty(fd, IOVA, 65 * T_PAGE, T_PAGE, bits, 8));
	SAME("5", "get, bitmap too large", -EINVAL,
	     get_dirty(fd, IOVA, 4 * T_PAGE, T_PAGE, bits, (1UL << 28) + 8));
	SAME("5", "get, bitmap of the kernel", -EINVAL,
	     get_dirty(fd, IOVA, 4 * T_PAGE, T_PAGE, (void *)-T_PAGE, 8));
	SAME("5", "get, no memory there", -EFAULT,
	     get_dirty(fd, IOVA, 4 * T_PAGE, T_PAGE, NULL, 8));
	SAME("5", "get, IOVA not of pages", -EINVAL,
	     get_dirty(fd, IOVA + 1, 4 * T_PAGE, T_PAGE, bits, 8));
	SAME("5", "get, size not of pages", -EINVAL,
	     get_dirty(fd, IOVA, 4 * T_PAGE + 1, T_PAGE, bits, 8));
	SAME("5", "get, cuts at its end", -EINVAL,
	     get_dirty(fd, IOVA, 2 * T_PAGE, T_PAGE, bits, 8));
	SAME("5", "get, cuts at its start", -EINVAL,
	     get_dirty(fd, IOVA + T_PAGE, 8 * T_PAGE, T_PAGE, bits, 8));
	SAME("5", "get", 0,
	     get_dirty(fd, IOVA, 4 * T_PAGE, T_PAGE, bits, 8));
	SAME("5", "stop", 0, dirty(fd, 8, DIRTY_STOP));
	SAME("5", "get after stop", -EINVAL,
	     get_dirty(fd, IOVA, 4 * T_PAGE, T_PAGE, bits, 8));
}

TEST_F(container, dirty_bits)
{
	uint64_t bits[8];
	int fd = self->fd;

	SET_UP_DEVICE(VFIO_TYPE1v2_IOMMU);
	ASSERT_EQ(0, dirty(fd, 8, DIRTY_START));
	/* Bits 2..5; 62..65; 130 */
	ASSERT_EQ(0, map(fd, self->buf, IOVA + 2 * T_PAGE, 4 * T_PAGE));
	ASSERT_EQ(0, map(fd, self->buf, IOVA + 62 * T_PAGE, 4 * T_PAGE));
	ASSERT_EQ(0, map(fd, self->buf, IOVA + 130 * T_PAGE, T_PAGE));
	memset(bits, 0, sizeof(bits));
	SAME("5", "bitmap of 256 pages", 0,
	     get_dirty(fd, IOVA, 256 * T_PAGE, T_PAGE, bits, 32));
	SAME("5", "bits 2..5 and 62..63", 0xc00000000000003c, bits[0]);
	SAME("5", "bits 64..65", 3, bits[1]);
	SAME("5", "bit 130", 4, bits[2]);
	SAME("5", "no bit in the last word", 0, bits[3]);
	/* Anew: type1 would shift remains of what was read into the bits. */
	ASSERT_EQ(9 * T_PAGE, unmap_all(fd));
	ASSERT_EQ(0, map(fd, self->buf, IOVA + 2 * T_PAGE, 4 * T_PAGE));
	ASSERT_EQ(0, map(fd, self->buf, IOVA + 62 * T_PAGE, 4 * T_PAGE));
	ASSERT_EQ(0, map(fd, self->buf, IOVA + 130 * T_PAGE, T_PAGE));
	memset(bits, 0xff, sizeof(bits));
	SAME("5", "bitmap full of ones", 0,
	     get_dirty(fd, IOVA, 256 * T_PAGE, T_PAGE, bits, 32));
	SAME("5", "ones stay where a mapping begins in a word", -1L, bits[0]);
	SAME("5", "ones go where it goes on", 3, bits[1]);
	SAME("5", "ones stay in the word of bit 130", -1L, bits[2]);
	SAME("5", "a word without mappings stays", -1L, bits[3]);
}

TEST_F(container, last_group_tracking)
{
	uint64_t bits[1] = {};
	int fd = self->fd;

	SET_UP_DEVICE(VFIO_TYPE1v2_IOMMU);
	ASSERT_EQ(0, dirty(fd, 8, DIRTY_START));
	close(self->dev);
	self->dev = -1;
	ASSERT_EQ(0, call(self->group, VFIO_GROUP_UNSET_CONTAINER, NULL));
	SET_UP_DEVICE(VFIO_TYPE1v2_IOMMU);
	ASSERT_EQ(0, map(fd, self->buf, IOVA, T_PAGE));
	SAME("26", "tracking has gone with the last group", -EINVAL,
	     get_dirty(fd, IOVA, T_PAGE, T_PAGE, bits, 8));
}

struct dirty_unmap {
	struct vfio_iommu_type1_dma_unmap head;
	struct vfio_bitmap bitmap;
};

static long unmap_dirty(int fd, uint64_t iova, uint64_t size, uint32_t flags,
			uint64_t pgsize, void *data, uint64_t bytes)
{
	struct dirty_unmap cmd = {
		.head = {
			.argsz = sizeof(cmd),
			.flags = flags | VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP,
			.iova = iova,
			.size = size,
		},
		.bitmap = { .pgsize = pgsize, .size = bytes, .data = data },
	};
	long rc = call(fd, VFIO_IOMMU_UNMAP_DMA, &cmd);

	return rc ? rc : cmd.head.size;
}

TEST_F(container, dirty_unmap)
{
	uint64_t bits[4] = {};
	int fd = self->fd;

	SET_UP_DEVICE(VFIO_TYPE1v2_IOMMU);
	ASSERT_EQ(0, map(fd, self->buf, IOVA, 4 * T_PAGE));
	ASSERT_EQ(0, map(fd, self->buf, IOVA + 4 * T_PAGE, 4 * T_PAGE));
	SAME("5", "unmap dirty without tracking", -EINVAL,
	     unmap_dirty(fd, IOVA, 4 * T_PAGE, 0, T_PAGE, bits, 8));
	ASSERT_EQ(0, dirty(fd, 8, DIRTY_START));
	SAME("5", "unmap dirty, all", -EINVAL,
	     unmap_dirty(fd, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL, T_PAGE, bits, 8));
	SAME("5", "unmap dirty, argsz 24", -EINVAL,
	     unmap_flags(fd, IOVA, 4 * T_PAGE,
			 VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP, NULL));
	SAME("5", "unmap dirty, another page size", -EINVAL,
	     unmap_dirty(fd, IOVA, T_PMD, 0, T_PMD, bits, 8));
	SAME("5", "unmap dirty, no bitmap", -EINVAL,
	     unmap_dirty(fd, IOVA, 4 * T_PAGE, 0, T_PAGE, bits, 0));
	SAME("5", "unmap dirty, cuts", -EINVAL,
	     unmap_dirty(fd, IOVA, 6 * T_PAGE, 0, T_PAGE, bits, 8));
	SAME("5", "no bit yet", 0, bits[0]);
	SAME("5", "unmap dirty", 4 * T_PAGE,
	     unmap_dirty(fd, IOVA, 4 * T_PAGE, 0, T_PAGE, bits, 8));
	SAME("5", "its bits", 0xf, bits[0]);
	SAME("5", "it has gone", 0, map(fd, self->buf, IOVA, 4 * T_PAGE));
	SAME("5", "both", 8 * T_PAGE,
	     unmap_dirty(fd, IOVA, 8 * T_PAGE, 0, T_PAGE, bits, 8));
	SAME("5", "their bits", 0xff, bits[0]);
	ASSERT_EQ(0, map(fd, self->buf, IOVA, 4 * T_PAGE));
	SAME("5", "unmap dirty, no memory there", -EFAULT,
	     unmap_dirty(fd, IOVA, 4 * T_PAGE, 0, T_PAGE, NULL, 8));
}

/* What only this driver can tell: which pages were written. */
TEST_F(container, dirty_by_hardware)
{
	const uint64_t iova = T_BASE;
	uint32_t ioas = 0, hwpt, stdev, plain;
	uint64_t bits[2] = { -1UL, -1UL };
	int fd = self->fd, access;

	if (!served_by_us() || !t_has_mock(fd))
		SKIP(return, "not this driver's, or " T_NO_MOCK);
	SET_UP(VFIO_TYPE1v2_IOMMU);
	ASSERT_EQ(0, t_vfio_ioas(fd, IOMMU_VFIO_IOAS_GET, &ioas));
	/* Every 4 KiB an IOPTE of its own, contiguous memory or not */
	ASSERT_EQ(0, t_huge_pages(fd, ioas, 0));
	ASSERT_EQ(0, t_mock(fd, ioas, NULL, &hwpt, NULL));
	ASSERT_EQ(0, map(fd, self->buf, iova, 8 * T_PAGE));
	ASSERT_EQ(0, map(fd, self->buf, iova + 8 * T_PAGE, 8 * T_PAGE));
	/* The page table can, and has not been told to. */
	EXPECT_EQ(EINVAL, t_dma_write_one(fd, hwpt, iova));
	ASSERT_EQ(0, dirty(fd, 8, DIRTY_START));
	ASSERT_EQ(0, t_dma_write_one(fd, hwpt, iova + 3 * T_PAGE));
	ASSERT_EQ(0, t_dma_write_one(fd, hwpt, iova + 12 * T_PAGE));
	/* To start again forgets nothing. */
	ASSERT_EQ(0, dirty(fd, 8, DIRTY_START));
	EXPECT_EQ(0, get_dirty(fd, iova, 64 * T_PAGE, T_PAGE, bits, 8));
	EXPECT_EQ(1UL << 3 | 1UL << 12, bits[0]);
	EXPECT_EQ(-1UL, bits[1]);
	EXPECT_EQ(0, get_dirty(fd, iova, 64 * T_PAGE, T_PAGE, bits, 8));
	EXPECT_EQ(0, bits[0]);

	ASSERT_EQ(0, t_dma_write_one(fd, hwpt, iova + 9 * T_PAGE));
	EXPECT_EQ(8 * T_PAGE, unmap_dirty(fd, iova + 8 * T_PAGE, 8 * T_PAGE, 0,
					  T_PAGE, bits, 8));
	EXPECT_EQ(1UL << 1, bits[0]);
	EXPECT_EQ(8 * T_PAGE, unmap_dirty(fd, iova, 8 * T_PAGE, 0, T_PAGE,
					  bits, 8));
	EXPECT_EQ(0, bits[0]);
	ASSERT_EQ(0, map(fd, self->buf, iova, 8 * T_PAGE));

	/* A second device of the kind is recorded from the beginning. */
	ASSERT_EQ(0, t_mock(fd, ioas, NULL, NULL, NULL));
	EXPECT_EQ(0, get_dirty(fd, iova, 8 * T_PAGE, T_PAGE, bits, 8));
	EXPECT_EQ(0, bits[0]);
	/* One that can't record, and then was there: nothing is known. */
	ASSERT_EQ(0, t_mock_flags(fd, ioas, MOCK_FLAGS_DEVICE_NO_DIRTY, &stdev,
				  &plain, NULL));
	EXPECT_NE(hwpt, plain);
	EXPECT_EQ(0, get_dirty(fd, iova, 8 * T_PAGE, T_PAGE, bits, 8));
	EXPECT_EQ(0xff, bits[0]);
	ASSERT_EQ(0, t_destroy(fd, stdev));
	EXPECT_EQ(0, get_dirty(fd, iova, 8 * T_PAGE, T_PAGE, bits, 8));
	EXPECT_EQ(0xff, bits[0]);
	/* From a new start on it is. */
	ASSERT_EQ(0, dirty(fd, 8, DIRTY_STOP));
	ASSERT_EQ(0, dirty(fd, 8, DIRTY_START));
	EXPECT_EQ(0, get_dirty(fd, iova, 8 * T_PAGE, T_PAGE, bits, 8));
	EXPECT_EQ(0, bits[0]);
	/* Nor is it of in-kernel users. */
	ASSERT_EQ(0, t_create_access(fd, ioas, 0, &access));
	EXPECT_EQ(0, get_dirty(fd, iova, 8 * T_PAGE, T_PAGE, bits, 8));
	EXPECT_EQ(0xff, bits[0]);
	close(access);
}

TEST_F(container, new_address)
{
	size_t eight = 8 * T_PAGE, four = 4 * T_PAGE;
	int fd = self->fd, memfd;
	char *old, *new;

	memfd = t_memfd(self->length);
	ASSERT_LE(0, memfd);
	old = t_map_memfd(memfd, self->length);
	new = t_map_memfd(memfd, self->length);
	ASSERT_NE(NULL, old);
	ASSERT_NE(NULL, new);
	SET_UP_DEVICE(VFIO_TYPE1v2_IOMMU);
	SAME("4", "set: has UPDATE_VADDR", 1,
	     extension(fd, VFIO_UPDATE_VADDR));
	SAME("4", "take all, nothing there", 0, take_all_addresses(fd));
	ASSERT_EQ(0, map(fd, old, IOVA, eight));
	ASSERT_EQ(0, map(fd, old + eight, IOVA + eight, four));
	SAME("4", "new address, nothing mapped", -ENOENT,
	     new_address(fd, new, IOVA + T_PMD, T_PAGE));
	SAME("4", "new address, not taken", -EINVAL,
	     new_address(fd, new, IOVA, eight));
	SAME("4", "new address and rights", -EINVAL,
	     map_flags(fd, new, IOVA, eight,
		       VFIO_DMA_MAP_FLAG_VADDR | VFIO_DMA_MAP_FLAG_READ));
	SAME("4", "take and dirty", -EINVAL,
	     unmap_flags(fd, IOVA, eight, VFIO_DMA_UNMAP_FLAG_VADDR |
			 VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP, NULL));
	SAME("4", "take, cuts", -EINVAL, take_address(fd, IOVA, T_PAGE));
	SAME("4", "take, nothing there", 0,
	     take_address(fd, IOVA + T_PMD, T_PAGE));
	SAME("4", "take", eight, take_address(fd, IOVA, eight));
	SAME("4", "take again", -EINVAL, take_address(fd, IOVA, eight));
	SAME("4", "take all, one is taken", -EINVAL, take_all_addresses(fd));
	SAME("4", "that took nothing", four,
	     take_address(fd, IOVA + eight, four));
	SAME("4", "MAP_DMA meanwhile", 0,
	     map(fd, self->buf, IOVA + T_PMD, T_PAGE));
	SAME("4", "MAP_DMA over one that is taken", -EEXIST,
	     map(fd, self->buf, IOVA, T_PAGE));
	SAME("4", "new address, another size", -EINVAL,
	     new_address(fd, new, IOVA, four));
	SAME("4", "new address, both at once", -EINVAL,
	     new_address(fd, new, IOVA, eight + four));
	SAME("4", "new address, not of pages", -EINVAL,
	     new_address(fd, new + 1, IOVA, eight));
	SAME("4", "new address", 0, new_address(fd, new, IOVA, eight));
	SAME("4", "new address again", -EINVAL,
	     new_address(fd, new, IOVA, eight));
	munmap(old, self->length);
	SAME("4", "unmap one that is taken", four,
	     unmap(fd, IOVA + eight, four));
	SAME("4", "take all", eight + T_PAGE, take_all_addresses(fd));
	SAME("4", "unmap all, all are taken", eight + T_PAGE, unmap_all(fd));
	SAME("4", "nobody waits for an address", 0, take_all_addresses(fd));
	close(memfd);
}

TEST_F(container, new_address_version_1)
{
	int fd = self->fd;

	SET_UP_DEVICE(VFIO_TYPE1_IOMMU);
	ASSERT_EQ(0, map(fd, self->buf, IOVA, 8 * T_PAGE));
	SAME("4", "v1: take, starts inside", 0,
	     take_address(fd, IOVA + T_PAGE, T_PAGE));
	SAME("4", "v1: take, first page", 8 * T_PAGE,
	     take_address(fd, IOVA, T_PAGE));
	SAME("4", "v1: new address", 0,
	     new_address(fd, self->buf, IOVA, 8 * T_PAGE));
}

/* A device that comes would have to find the memory. */
TEST_F(container, group_with_orphans)
{
	char name[64], node[64];
	int fd = self->fd, group;

	if (!find_device(IVSHMEM_VENDOR, IVSHMEM_DEVICE, name, sizeof(name),
			 node, sizeof(node)))
		SKIP(return, NO_IVSHMEM);
	group = open(node, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, group)
		TH_LOG("%s: %m", node);
	SET_UP_DEVICE(VFIO_TYPE1v2_IOMMU);
	ASSERT_EQ(0, map(fd, self->buf, IOVA, T_PAGE));
	ASSERT_EQ(T_PAGE, take_all_addresses(fd));
	SAME("4", "group comes, an address is taken", -EBUSY,
	     connect_group(group, fd));
	ASSERT_EQ(0, new_address(fd, self->buf, IOVA, T_PAGE));
	SAME("4", "group comes, the address is back", 0,
	     connect_group(group, fd));
	close(group);
}

TEST_F(container, new_payer)
{
	long lck = 8 * T_PAGE / 1024;
	int fd = self->fd, memfd, status = -1;
	char *va;
	pid_t pid;

	memfd = t_memfd(self->length);
	ASSERT_LE(0, memfd);
	va = t_map_memfd(memfd, self->length);
	ASSERT_NE(NULL, va);
	SET_UP_DEVICE(VFIO_TYPE1v2_IOMMU);
	ASSERT_EQ(0, t_drop_cap(CAP_IPC_LOCK));
	ASSERT_EQ(0, t_memlock(8 * T_PAGE));
	ASSERT_EQ(0, map(fd, va, IOVA, 8 * T_PAGE));
	ASSERT_EQ(lck, t_vmlck());
	ASSERT_EQ(8 * T_PAGE, take_all_addresses(fd));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (t_memlock(7 * T_PAGE) ||
		    new_address(fd, va, IOVA, 8 * T_PAGE) != -ENOMEM)
			_exit(1);
		if (t_vmlck() || t_memlock(8 * T_PAGE) ||
		    new_address(fd, va, IOVA, 8 * T_PAGE))
			_exit(2);
		_exit(t_vmlck() == lck ? 0 : 3);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	SAME("4", "another process gives the address", 0, status);
	SAME("4", "the first does not pay any more", 0, t_vmlck());
	SAME("4", "the mapping is there", 8 * T_PAGE, unmap_all(fd));
	close(memfd);
}

/* BAR 2 of another device, which is plain memory, and edu that reaches it */
TEST_F(container, memory_of_a_device)
{
	struct vfio_region_info region = {
		.argsz = sizeof(region),
		.index = VFIO_PCI_BAR2_REGION_INDEX,
	};
	char name[64], node[64], *bar, *first = self->buf;
	char *second = first + T_PAGE;
	uint64_t at = IOVA + T_PMD;
	struct edu edu = {};
	int fd = self->fd, group, dev;
	long all;

	if (!find_device(IVSHMEM_VENDOR, IVSHMEM_DEVICE, name, sizeof(name),
			 node, sizeof(node)))
		SKIP(return, NO_IVSHMEM);
	group = open(node, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, group)
		TH_LOG("%s: %m", node);
	SET_UP_DEVICE(VFIO_TYPE1v2_IOMMU);
	ASSERT_EQ(0, connect_group(group, fd));
	ASSERT_EQ(0, open_device(group, name, &dev));
	ASSERT_EQ(0, vfio_decode(dev, true));
	ASSERT_EQ(0, t_call(dev, VFIO_DEVICE_GET_REGION_INFO, &region));
	all = region.size;
	bar = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_SHARED, dev,
		   region.offset);
	ASSERT_NE(MAP_FAILED, bar);
	SAME("1", "MAP_DMA of a BAR", 0, map(fd, bar, at, all));
	SAME("1", "VmPin of it", 0, t_vmpin());
	SAME("1", "VmLck of it", 0, t_vmlck());
	SAME("1", "MAP_DMA of it again", -EEXIST, map(fd, bar, at, T_PAGE));
	ASSERT_EQ(0, map(fd, self->buf, IOVA, self->length));

	/* From memory into the BAR and back to other memory */
	edu.dev = dup(self->dev);
	edu_start(_metadata, &edu);
	fill(first, 41);
	edu_dma(_metadata, &edu, IOVA, EDU_BUFFER, 0);
	edu_dma(_metadata, &edu, EDU_BUFFER, at + 5 * T_PAGE,
		EDU_DMA_TO_MEMORY);
	SAME("1", "written by DMA", 0,
	     memcmp(first, bar + 5 * T_PAGE, EDU_CHUNK));
	fill(bar + all - T_PAGE, 42);
	edu_dma(_metadata, &edu, at + all - T_PAGE, EDU_BUFFER, 0);
	edu_dma(_metadata, &edu, EDU_BUFFER, IOVA + T_PAGE, EDU_DMA_TO_MEMORY);
	SAME("1", "read by DMA", 0,
	     memcmp(second, bar + all - T_PAGE, EDU_CHUNK));

	SAME("4", "take the address of a BAR", all, take_address(fd, at, all));
	DIFFERS("4", "new address of a BAR", 0, -EINVAL,
		new_address(fd, bar, at, all));
	SAME("1", "UNMAP_DMA of it", all, unmap(fd, at, all));
	/* No more mapped */
	edu_dma(_metadata, &edu, EDU_BUFFER, at, EDU_DMA_TO_MEMORY);
	SAME("1", "not written any more", 1,
	     !!memcmp(second, bar, EDU_CHUNK));
	SAME("1", "memory beside it is still mapped", self->length,
	     unmap(fd, IOVA, self->length));
	edu_close(&edu);
	munmap(bar, all);
	close(dev);
	close(group);
}

/* Commands of all kinds, whatever state the container is in */
struct noise {
	int fd;
	char *buf;
	bool stop;
	unsigned long good;
};

static void *make_noise(void *arg)
{
	struct noise *noise = arg;
	uint64_t state = (uintptr_t)&state | 1;
	uint64_t bits[2];
	struct info info;

	while (!__atomic_load_n(&noise->stop, __ATOMIC_RELAXED)) {
		uint64_t random = t_random(&state);
		uint64_t iova = IOVA + (random >> 8) % 4 * T_PAGE;
		long rc;

		switch (random % 8) {
		case 0:
		case 1:
		case 2:
			rc = map(noise->fd, noise->buf, iova, T_PAGE);
			break;
		case 3:
			rc = unmap(noise->fd, iova, 2 * T_PAGE);
			break;
		case 4:
			rc = get_info(noise->fd, &info, sizeof(info));
			break;
		case 5:
			dirty(noise->fd, 8, DIRTY_START);
			rc = get_dirty(noise->fd, IOVA, 8 * T_PAGE, T_PAGE,
				       bits, 8);
			break;
		case 6:
			rc = take_all_addresses(noise->fd);
			break;
		default:
			rc = new_address(noise->fd, noise->buf, iova, T_PAGE);
			break;
		}
		if (rc >= 0)
			__atomic_add_fetch(&noise->good, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/*
 * A group that comes and goes while others map. The first mistake would be a
 * mapping that nobody owns any more, the second a thread that waits for ever.
 */
TEST_F(container, comes_and_goes)
{
	struct noise noise = { .fd = self->fd, .buf = self->buf };
	unsigned long rounds = 0, i;
	double end = t_seconds() + 5;
	pthread_t threads[3];

	/* A NULL dereference in Linux 7.2's type1, in __bitmap_clear() */
	if (!served_by_us())
		SKIP(return, "type1 does not survive this");
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, make_noise,
					    &noise));
	while (t_seconds() < end) {
		ASSERT_EQ(0, connect_group(self->group, self->fd));
		ASSERT_EQ(0, call_nr(self->fd, VFIO_SET_IOMMU,
				     VFIO_TYPE1v2_IOMMU));
		ASSERT_EQ(0, open_device(self->group, self->name, &self->dev));
		usleep(20000);
		close(self->dev);
		self->dev = -1;
		ASSERT_EQ(0, call(self->group, VFIO_GROUP_UNSET_CONTAINER,
				  NULL));
		rounds++;
	}
	__atomic_store_n(&noise.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_LT(0, rounds);
	EXPECT_LT(0, noise.good);
	EXPECT_EQ(0, t_vmpin());
	EXPECT_EQ(0, t_vmlck());
	EXPECT_EQ(-EINVAL, map(self->fd, self->buf, IOVA, T_PAGE));
}

/* Maps from one barrier to the next */
struct mapper {
	int fd;
	char *buf;
	bool stop, pause;
	pthread_barrier_t go, done;
};

static void *keep_mapping(void *arg)
{
	struct mapper *m = arg;
	uint64_t state = (uintptr_t)&state | 1;

	for (;;) {
		pthread_barrier_wait(&m->go);
		if (m->stop)
			return NULL;
		while (!__atomic_load_n(&m->pause, __ATOMIC_RELAXED))
			map(m->fd, m->buf, IOVA + t_random(&state) % 4096 *
			    T_PAGE, T_PAGE);
		pthread_barrier_wait(&m->done);
	}
}

/* A mapping that was on its way when the last group left goes too. */
TEST_F(container, on_its_way)
{
	struct mapper m = { .fd = self->fd, .buf = self->buf };
	double end = t_seconds() + 5;
	pthread_t threads[2];
	unsigned long rounds = 0, i;
	uint64_t state = 1;
	long left;

	/* As for comes_and_goes */
	if (!served_by_us())
		SKIP(return, "type1 may not survive this");
	pthread_barrier_init(&m.go, NULL, ARRAY_SIZE(threads) + 1);
	pthread_barrier_init(&m.done, NULL, ARRAY_SIZE(threads) + 1);
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, keep_mapping,
					    &m));
	while (t_seconds() < end) {
		SET_UP(VFIO_TYPE1v2_IOMMU);
		m.pause = false;
		pthread_barrier_wait(&m.go);
		usleep(t_random(&state) % 1000);
		EXPECT_EQ(0, call(self->group, VFIO_GROUP_UNSET_CONTAINER,
				  NULL));
		__atomic_store_n(&m.pause, true, __ATOMIC_RELAXED);
		pthread_barrier_wait(&m.done);
		SET_UP(VFIO_TYPE1v2_IOMMU);
		left = unmap_all(self->fd);
		ASSERT_EQ(0, left)
			TH_LOG("round %lu: %ld bytes were left", rounds, left);
		ASSERT_EQ(0, call(self->group, VFIO_GROUP_UNSET_CONTAINER,
				  NULL));
		rounds++;
	}
	m.stop = true;
	pthread_barrier_wait(&m.go);
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	EXPECT_LT(0, rounds);
	TH_LOG("%lu rounds", rounds);
}

/*
 * What drivers of mediated devices are answered; only the mock can ask. So
 * this is about this driver alone, and prints nothing for the table.
 */
TEST_F(container, in_kernel_user)
{
	uint32_t flags = MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES;
	int fd = self->fd, access_fd, none;
	uint32_t ioas = 0, item = 0;
	char *other, byte[8];
	uint64_t copy;

	if (!served_by_us() || !t_has_mock(fd))
		SKIP(return, T_NO_MOCK);
	SET_UP(VFIO_TYPE1v2_IOMMU);
	ASSERT_EQ(0, t_vfio_ioas(fd, IOMMU_VFIO_IOAS_GET, &ioas));
	ASSERT_EQ(0, t_create_access(fd, ioas, flags, &access_fd));
	EXPECT_EQ(EINVAL, t_pin(fd, access_fd, IOVA, T_PAGE, NULL, 0, &item));
	EXPECT_EQ(EINVAL, t_access_rw(fd, access_fd, IOVA, byte, 8, 0));
	ASSERT_EQ(0, map_flags(fd, self->buf, IOVA, T_PAGE,
			       VFIO_DMA_MAP_FLAG_WRITE));
	EXPECT_EQ(EPERM, t_pin(fd, access_fd, IOVA, T_PAGE, NULL, 0, &item));
	EXPECT_EQ(EPERM, t_access_rw(fd, access_fd, IOVA, byte, 8, 0));
	EXPECT_EQ(EPERM, t_access_rw(fd, access_fd, IOVA, byte, 8,
				     MOCK_ACCESS_RW_WRITE));
	EXPECT_EQ(E2BIG, t_pin(fd, access_fd, IOVA, 513 * T_PAGE, NULL, 0,
			       &item));
	EXPECT_EQ(EINVAL, t_pin(fd, access_fd, IOVA, 512 * T_PAGE, NULL,
				MOCK_FLAGS_ACCESS_WRITE, &item));
	/* Addresses and in-kernel users exclude each other. */
	EXPECT_EQ(0, extension(fd, VFIO_UPDATE_VADDR));
	EXPECT_EQ(-EBUSY, take_address(fd, IOVA + 1, T_PAGE));
	EXPECT_EQ(-EBUSY, take_all_addresses(fd));
	close(access_fd);
	EXPECT_EQ(1, extension(fd, VFIO_UPDATE_VADDR));
	ASSERT_EQ(T_PAGE, take_all_addresses(fd));
	EXPECT_EQ(EBUSY, t_create_access(fd, ioas, flags, &none));
	/* Who shares the memory might still use the old address. */
	other = t_alloc(T_PAGE);
	ASSERT_NE(NULL, other);
	copy = 2 * IOVA;
	ASSERT_EQ(0, t_copy_at(fd, ioas, ioas, IOVA, T_PAGE, copy));
	EXPECT_EQ(-EBUSY, new_address(fd, other, IOVA, T_PAGE));
	ASSERT_EQ(0, t_unmap(fd, ioas, copy, T_PAGE, NULL));
	/* The new address is what counts from then on. */
	ASSERT_EQ(0, new_address(fd, other, IOVA, T_PAGE));
	ASSERT_EQ(0, t_create_access(fd, ioas, flags, &access_fd));
	EXPECT_EQ(0, t_pin(fd, access_fd, IOVA, T_PAGE, other,
			   MOCK_FLAGS_ACCESS_WRITE, &item));
	EXPECT_EQ(0, t_unpin(fd, access_fd, item));
	close(access_fd);
}

TEST_F(container, in_kernel_user_version_1)
{
	uint32_t ioas = 0, item;
	int access_fd;

	if (!served_by_us() || !t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	SET_UP(VFIO_TYPE1_IOMMU);
	ASSERT_EQ(0, t_vfio_ioas(self->fd, IOMMU_VFIO_IOAS_GET, &ioas));
	ASSERT_EQ(0, t_create_access(self->fd, ioas,
				     MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES,
				     &access_fd));
	ASSERT_EQ(0, map(self->fd, self->buf, IOVA, T_PAGE));
	EXPECT_EQ(EACCES, t_pin(self->fd, access_fd, IOVA, T_PAGE, NULL, 0,
				&item));
	close(access_fd);
}

TEST_HARNESS_MAIN
