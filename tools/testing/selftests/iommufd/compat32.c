// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a 32-bit program asks of /dev/iommu and of the VFIO container, on a
 * 64-bit kernel. The system calls are those of a 32-bit program (int $0x80),
 * made by a 64-bit one: their arguments are cut off at 32 bits, the kernel takes
 * them by its table for such programs, and what they point to has to lie below
 * 4 GiB. All structures of the ABI look the same to both kinds of programs.
 */
#include <linux/vfio.h>

#include "vfio.h"

#define IOVA 0x400000UL
#define PAGES 4

#ifdef __x86_64__
/* Numbers of the 32-bit table */
#define NR32_CLOSE 6
#define NR32_IOCTL 54
#define NR32_OPEN 5

/* 0 or more, or -errno */
static long call32(long nr, unsigned long a, unsigned long b, unsigned long c)
{
	long rc;

	asm volatile("int $0x80"
		     : "=a" (rc)
		     : "a" (nr), "b" (a), "c" (b), "d" (c)
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)rc;
}

/* Memory that a 32-bit program can name */
static void *alloc32(size_t length)
{
	void *va = mmap(NULL, length, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	return va == MAP_FAILED ? NULL : va;
}

static const char *cannot(void)
{
	return access("/proc/sys/abi/vsyscall32", F_OK) ?
		"kernel without CONFIG_IA32_EMULATION" : NULL;
}
#else
#define NR32_CLOSE 0
#define NR32_IOCTL 0
#define NR32_OPEN 0

static long call32(long nr __maybe_unused, ...)
{
	return -EOPNOTSUPP;
}

static void *alloc32(size_t length __maybe_unused)
{
	return NULL;
}

static const char *cannot(void)
{
	return "for x86-64 only";
}
#endif

FIXTURE(compat32)
{
	int fd;
	/* Arguments, and what they point to */
	char *arg;
	char *buf;
	size_t length;
};

FIXTURE_SETUP(compat32)
{
	self->fd = -1;
	if (cannot())
		SKIP(return, "%s", cannot());
	self->arg = alloc32(T_PAGE);
	ASSERT_NE(NULL, self->arg);
	self->length = PAGES * T_PAGE;
	self->buf = alloc32(self->length);
	ASSERT_NE(NULL, self->buf);
	madvise(self->buf, self->length, MADV_NOHUGEPAGE);
	memset(self->buf, 0x5a, self->length);
	strcpy(self->arg, "/dev/iommu");
	self->fd = call32(NR32_OPEN, (uintptr_t)self->arg, O_RDWR, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(compat32)
{
	if (self->fd < 0)
		return;
	EXPECT_EQ(0, call32(NR32_CLOSE, self->fd, 0, 0));
	EXPECT_EQ(0, t_vmpin());
}

/*
 * An ioctl with a structure, as a 32-bit program makes it. The first word of the
 * structure is its size.
 */
static long ioctl32(char *low, int fd, unsigned long cmd, void *arg)
{
	uint32_t size = *(uint32_t *)arg;
	long rc;

	memcpy(low, arg, size);
	rc = call32(NR32_IOCTL, fd, cmd, (uintptr_t)low);
	memcpy(arg, low, size);
	return rc;
}

#define CALL(fd_, cmd_, arg_) ioctl32(self->arg, fd_, cmd_, arg_)
/* The argument is a number. */
#define CALL_NR(fd_, cmd_, arg_) call32(NR32_IOCTL, fd_, cmd_, arg_)

static long ioas_alloc(char *low, int fd, uint32_t *id)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	long rc = ioctl32(low, fd, IOMMU_IOAS_ALLOC, &cmd);

	*id = cmd.out_ioas_id;
	return rc;
}

TEST_F(compat32, envelope)
{
	struct {
		struct iommu_ioas_alloc cmd;
		uint32_t more;
	} longer = { .cmd.size = sizeof(longer) };
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) - 1 };
	int fd = self->fd;

	EXPECT_EQ(-EINVAL, CALL(fd, IOMMU_IOAS_ALLOC, &cmd));
	EXPECT_EQ(0, CALL(fd, IOMMU_IOAS_ALLOC, &longer));
	longer.more = 1;
	EXPECT_EQ(-E2BIG, CALL(fd, IOMMU_IOAS_ALLOC, &longer));
	EXPECT_EQ(-EFAULT, CALL_NR(fd, IOMMU_IOAS_ALLOC, 0));
	EXPECT_EQ(-ENOTTY, CALL(fd, _IO(IOMMUFD_TYPE, 0xfe), &cmd));
	EXPECT_EQ(-ENOTTY, CALL_NR(fd, _IO(IOMMUFD_TYPE, 0x50), 0));
}

TEST_F(compat32, native)
{
	struct iommu_iova_range *ranges = (void *)(self->arg + T_PAGE / 2);
	struct iommu_ioas_iova_ranges list = {
		.size = sizeof(list),
		.num_iovas = 4,
		.allowed_iovas = (uintptr_t)ranges,
	};
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = T_RW | T_FIXED,
		.user_va = (uintptr_t)self->buf,
		.length = self->length,
		/* Beyond what an address of the program can say */
		.iova = 0x123400000000,
	};
	struct iommu_ioas_allow_iovas allow = {
		.size = sizeof(allow),
		.num_iovas = 1,
		.allowed_iovas = (uintptr_t)ranges,
	};
	struct iommu_ioas_copy copy = {
		.size = sizeof(copy),
		.flags = T_RW | T_FIXED,
		.length = T_PAGE,
		.dst_iova = IOVA,
	};
	struct iommu_ioas_unmap unmap = { .size = sizeof(unmap) };
	struct iommu_option option = {
		.size = sizeof(option),
		.option_id = IOMMU_OPTION_HUGE_PAGES,
		.op = IOMMU_OPTION_OP_GET,
	};
	struct iommu_destroy destroy = { .size = sizeof(destroy) };
	uint32_t ioas, other, hwpt = 0;
	int fd = self->fd;

	ASSERT_EQ(0, ioas_alloc(self->arg, fd, &ioas));
	ASSERT_EQ(0, ioas_alloc(self->arg, fd, &other));
	list.ioas_id = ioas;
	ASSERT_EQ(0, CALL(fd, IOMMU_IOAS_IOVA_RANGES, &list));
	EXPECT_EQ(1, list.num_iovas);
	EXPECT_EQ(1, list.out_iova_alignment);
	EXPECT_EQ(0, ranges[0].start);
	EXPECT_EQ(UINT64_MAX, ranges[0].last);
	map.ioas_id = ioas;
	if (t_has_mock(fd)) {
		map.iova = T_BASE;
		ASSERT_EQ(0, t_mock(fd, ioas, NULL, &hwpt, NULL));
	}
	ASSERT_EQ(0, CALL(fd, IOMMU_IOAS_MAP, &map));
	if (hwpt) {
		EXPECT_EQ(0, t_check_map(fd, hwpt, map.iova, self->length,
					 self->buf));
		EXPECT_EQ(0, t_check_refs(fd, self->buf, self->length, 1));
	}
	EXPECT_EQ(-EEXIST, CALL(fd, IOMMU_IOAS_MAP, &map));
	copy.src_ioas_id = ioas;
	copy.dst_ioas_id = other;
	copy.src_iova = map.iova;
	ASSERT_EQ(0, CALL(fd, IOMMU_IOAS_COPY, &copy));
	ranges[0].start = IOVA;
	ranges[0].last = IOVA + T_PAGE - 1;
	allow.ioas_id = other;
	EXPECT_EQ(0, CALL(fd, IOMMU_IOAS_ALLOW_IOVAS, &allow));
	ranges[0].start = IOVA + T_PAGE;
	EXPECT_EQ(-EINVAL, CALL(fd, IOMMU_IOAS_ALLOW_IOVAS, &allow));
	option.object_id = other;
	EXPECT_EQ(0, CALL(fd, IOMMU_OPTION, &option));
	EXPECT_EQ(1, option.val64);
	unmap.ioas_id = ioas;
	unmap.iova = map.iova;
	unmap.length = UINT64_MAX - map.iova;
	EXPECT_EQ(0, CALL(fd, IOMMU_IOAS_UNMAP, &unmap));
	EXPECT_EQ(self->length, unmap.length);
	if (hwpt)
		EXPECT_EQ(0, t_check_refs(fd, self->buf, self->length, 0));
	destroy.id = other;
	EXPECT_EQ(0, CALL(fd, IOMMU_DESTROY, &destroy));
	EXPECT_EQ(-ENOENT, CALL(fd, IOMMU_DESTROY, &destroy));
}

struct info {
	struct vfio_iommu_type1_info head;
	char caps[200];
};

/* The container's commands, once it is set */
static void check_container(struct __test_metadata *_metadata,
			    struct _test_data_compat32 *self, int fd)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)self->buf,
		.iova = IOVA,
		.size = self->length,
	};
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = IOVA,
		.size = self->length,
	};
	struct info info = { .head.argsz = sizeof(info) };

	EXPECT_EQ(VFIO_API_VERSION, CALL_NR(fd, VFIO_GET_API_VERSION, 0));
	EXPECT_EQ(1, CALL_NR(fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(1, CALL_NR(fd, VFIO_CHECK_EXTENSION, VFIO_UNMAP_ALL));
	EXPECT_EQ(0, CALL_NR(fd, VFIO_CHECK_EXTENSION, UINT32_MAX));
	EXPECT_EQ(-EFAULT, CALL_NR(fd, VFIO_IOMMU_GET_INFO, 0));
	ASSERT_EQ(0, CALL(fd, VFIO_IOMMU_GET_INFO, &info));
	EXPECT_EQ(VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS,
		  info.head.flags);
	EXPECT_EQ(24, info.head.cap_offset);
	ASSERT_EQ(0, CALL(fd, VFIO_IOMMU_MAP_DMA, &map));
	EXPECT_EQ(-EEXIST, CALL(fd, VFIO_IOMMU_MAP_DMA, &map));
	map.argsz--;
	EXPECT_EQ(-EINVAL, CALL(fd, VFIO_IOMMU_MAP_DMA, &map));
	ASSERT_EQ(0, CALL(fd, VFIO_IOMMU_UNMAP_DMA, &unmap));
	EXPECT_EQ(self->length, unmap.size);
	EXPECT_EQ(-EFAULT, CALL_NR(fd, VFIO_IOMMU_UNMAP_DMA, 0));
}

TEST_F(compat32, shim)
{
	struct iommu_vfio_ioas set = {
		.size = sizeof(set),
		.op = IOMMU_VFIO_IOAS_SET,
	};
	int fd = self->fd;

	EXPECT_EQ(-ENODEV, CALL_NR(fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	ASSERT_EQ(0, ioas_alloc(self->arg, fd, &set.ioas_id));
	ASSERT_EQ(0, CALL(fd, IOMMU_VFIO_IOAS, &set));
	EXPECT_EQ(0, CALL_NR(fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(-EINVAL, CALL_NR(fd, VFIO_SET_IOMMU, UINT32_MAX));
	check_container(_metadata, self, fd);
	EXPECT_EQ(-ENOTTY, CALL_NR(fd, VFIO_IOMMU_DIRTY_PAGES, 0));
	EXPECT_EQ(-ENOTTY, CALL_NR(fd, VFIO_IOMMU_ENABLE, 0));
}

TEST_F(compat32, container)
{
	struct vfio_iommu_type1_dirty_bitmap start = {
		.argsz = sizeof(start),
		.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_START,
	};
	char path[300], node[64];
	int fd, group;

	if (access("/dev/vfio/vfio", F_OK))
		SKIP(return, "no /dev/vfio/vfio");
	if (!find_pci(EDU_VENDOR, EDU_DEVICE, path, sizeof(path)) ||
	    !find_group(path, node, sizeof(node)))
		SKIP(return, "no PCI device 1234:11e8 (QEMU: -device edu)");
	strcpy(self->arg, "/dev/vfio/vfio");
	fd = call32(NR32_OPEN, (uintptr_t)self->arg, O_RDWR, 0);
	ASSERT_LE(0, fd);
	strcpy(self->arg, node);
	group = call32(NR32_OPEN, (uintptr_t)self->arg, O_RDWR, 0);
	ASSERT_LE(0, group)
		TH_LOG("%s: %s", node, strerror(-group));
	EXPECT_EQ(-EINVAL, CALL_NR(fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(-EINVAL, CALL_NR(fd, VFIO_IOMMU_GET_INFO, 0));
	memcpy(self->arg, &fd, sizeof(fd));
	ASSERT_EQ(0, CALL_NR(group, VFIO_GROUP_SET_CONTAINER,
			     (uintptr_t)self->arg));
	EXPECT_EQ(-ENODEV, CALL_NR(fd, VFIO_SET_IOMMU, UINT32_MAX));
	ASSERT_EQ(0, CALL_NR(fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	check_container(_metadata, self, fd);
	EXPECT_EQ(0, CALL(fd, VFIO_IOMMU_DIRTY_PAGES, &start));
	EXPECT_EQ(-EFAULT, CALL_NR(fd, VFIO_IOMMU_DIRTY_PAGES, 0));
	EXPECT_EQ(-ENOTTY, CALL_NR(fd, VFIO_IOMMU_ENABLE, 0));
	call32(NR32_CLOSE, group, 0, 0);
	call32(NR32_CLOSE, fd, 0, 0);
}

TEST_HARNESS_MAIN
