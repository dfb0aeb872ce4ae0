// SPDX-License-Identifier: GPL-2.0-only
/*
 * In-kernel users as VFIO has them: a mediated device (module/iofd_mdev.c)
 * that pins and copies through vfio_pin_pages() and its like, opened by each of
 * the ways there are. Where VFIO's own container is one of them it is a second
 * opinion: what both promise has to be the same, and where they differ the
 * difference is written here.
 *
 * The device outlives its files, so it can tell after a close what it was
 * told during it.
 */
#include <glob.h>
#include <linux/vfio.h>
#include <sys/wait.h>

#include "module/iofd_mdev.h"
#include "util.h"

#define UUID "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"
#define DEVICE "/sys/bus/mdev/devices/" UUID
#define TYPES "/sys/class/mdev_bus/" IOFD_MDEV_PARENT "/mdev_supported_types"

#define PAGES 32

/* By which way the device is opened */
enum way {
	CDEV,		/* character device, bound to /dev/iommu */
	GROUP,		/* group, with /dev/iommu for a container */
	CONTAINER,	/* group, and /dev/vfio/vfio */
};

FIXTURE(vfio_mdev)
{
	enum way way;
	/* /dev/vfio/vfio is VFIO's own, with type1 */
	bool type1;
	/* The device, and who maps for it: /dev/iommu or the container */
	int dev, group, fd;
	uint32_t id, ioas;
	char *buf;
	size_t length;
	bool stop;
};

FIXTURE_VARIANT(vfio_mdev)
{
	enum way way;
};

FIXTURE_VARIANT_ADD(vfio_mdev, cdev) { .way = CDEV, };
FIXTURE_VARIANT_ADD(vfio_mdev, group) { .way = GROUP, };
FIXTURE_VARIANT_ADD(vfio_mdev, container) { .way = CONTAINER, };

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good;

	if (fd < 0)
		return false;
	good = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return good;
}

/* The only path that fits a pattern */
static bool find(const char *pattern, char *path, size_t size)
{
	bool found = false;
	glob_t g;

	if (!glob(pattern, 0, NULL, &g)) {
		found = g.gl_pathc == 1;
		snprintf(path, size, "%s", g.gl_pathv[0]);
		globfree(&g);
	}
	return found;
}

/* Opens the device by its character device, not yet bound. */
static int open_cdev(void)
{
	char path[300], node[320];

	if (!find(DEVICE "/vfio-dev/vfio*", path, sizeof(path)))
		return -1;
	snprintf(node, sizeof(node), "/dev/vfio/devices/%s",
		 strrchr(path, '/') + 1);
	return open(node, O_RDWR | O_CLOEXEC);
}

static int open_group(void)
{
	char link[300], node[320];
	ssize_t n;

	n = readlink(DEVICE "/iommu_group", link, sizeof(link) - 1);
	if (n < 0)
		return -1;
	link[n] = 0;
	snprintf(node, sizeof(node), "/dev/vfio/%s", strrchr(link, '/') + 1);
	return open(node, O_RDWR | O_CLOEXEC);
}

static int bind(int dev, int fd, uint32_t *id)
{
	struct vfio_device_bind_iommufd cmd = {
		.argsz = sizeof(cmd),
		.iommufd = fd,
	};
	int err = t_call(dev, VFIO_DEVICE_BIND_IOMMUFD, &cmd);

	if (!err)
		*id = cmd.out_devid;
	return err;
}

/* Attaches, or moves what is attached. */
static int attach(int dev, uint32_t ioas)
{
	struct vfio_device_attach_iommufd_pt cmd = {
		.argsz = sizeof(cmd),
		.pt_id = ioas,
	};
	int err = t_call(dev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd);

	/* There is no page table to be told about. */
	return err ?: cmd.pt_id == ioas ? 0 : EPROTO;
}

static int detach(int dev)
{
	struct vfio_device_detach_iommufd_pt cmd = { .argsz = sizeof(cmd) };

	return t_call(dev, VFIO_DEVICE_DETACH_IOMMUFD_PT, &cmd);
}

static int pin(int dev, uint64_t iova, uint32_t npages, const void *va,
	       uint32_t flags)
{
	struct iofd_mdev_pin cmd = {
		.iova = iova,
		.uptr = (uintptr_t)va,
		.npages = npages,
		.flags = flags,
	};

	return t_call(dev, IOFD_MDEV_PIN, &cmd);
}

static int unpin(int dev, uint64_t iova, uint32_t npages, uint32_t flags)
{
	struct iofd_mdev_pin cmd = {
		.iova = iova,
		.npages = npages,
		.flags = flags,
	};

	return t_call(dev, IOFD_MDEV_UNPIN, &cmd);
}

static int rw(int dev, uint64_t iova, const void *data, uint32_t length,
	      uint32_t flags)
{
	struct iofd_mdev_rw cmd = {
		.iova = iova,
		.uptr = (uintptr_t)data,
		.length = length,
		.flags = flags,
	};

	return t_call(dev, IOFD_MDEV_RW, &cmd);
}

static struct iofd_mdev_stat stat_of(int dev)
{
	struct iofd_mdev_stat stat;

	if (t_call(dev, IOFD_MDEV_STAT, &stat))
		memset(&stat, 0xff, sizeof(stat));
	return stat;
}

/* The same words for both kinds of container */

static int map_flags(const struct _test_data_vfio_mdev *self, const void *va,
		     uint64_t length, uint64_t iova, uint32_t flags)
{
	struct vfio_iommu_type1_dma_map cmd = {
		.argsz = sizeof(cmd),
		.flags = VFIO_DMA_MAP_FLAG_READ,
		.vaddr = (uintptr_t)va,
		.iova = iova,
		.size = length,
	};

	if (self->way != CONTAINER)
		return t_map(self->fd, self->ioas, va, length, &iova,
			     flags | T_FIXED);
	if (flags & IOMMU_IOAS_MAP_WRITEABLE)
		cmd.flags |= VFIO_DMA_MAP_FLAG_WRITE;
	return t_call(self->fd, VFIO_IOMMU_MAP_DMA, &cmd);
}

static int map(const struct _test_data_vfio_mdev *self, const void *va,
	       uint64_t length, uint64_t iova)
{
	return map_flags(self, va, length, iova, T_RW);
}

static int unmap(const struct _test_data_vfio_mdev *self, uint64_t iova,
		 uint64_t length)
{
	struct vfio_iommu_type1_dma_unmap cmd = {
		.argsz = sizeof(cmd),
		.iova = iova,
		.size = length,
	};
	uint64_t done;
	int err;

	if (self->way == CONTAINER) {
		err = t_call(self->fd, VFIO_IOMMU_UNMAP_DMA, &cmd);
		done = cmd.size;
	} else {
		err = t_unmap(self->fd, self->ioas, iova, length, &done);
	}
	return err ?: done == length ? 0 : EPROTO;
}

/* What there is no mapping for: the one difference in errnos. */
static int nothing(const struct _test_data_vfio_mdev *self)
{
	return self->way == CONTAINER ? EINVAL : ENOENT;
}

/* How to pin: type1 does not stand the other way. */
static uint32_t how(const struct _test_data_vfio_mdev *self)
{
	return self->way == CONTAINER ? IOFD_MDEV_UNLOCKED : 0;
}

/* Is each of these pages pinned as often? Only the test interface can tell. */
static int refs(const void *va, size_t pages, uint32_t n)
{
	int fd = t_open(), err = 0;

	if (t_has_mock(fd))
		err = t_check_refs(fd, va, pages * T_PAGE, n);
	close(fd);
	return err;
}

static void open_device(struct __test_metadata *_metadata,
			struct _test_data_vfio_mdev *self)
{
	uint64_t mode = 0;

	self->fd = self->way == CONTAINER ?
		   open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC) : t_open();
	ASSERT_LE(0, self->fd);
	/* One of iommufd knows the native ioctls too. */
	self->type1 = t_option(self->fd, IOMMU_OPTION_RLIMIT_MODE,
			       IOMMU_OPTION_OP_GET, 0, &mode) != 0;
	if (self->way == CDEV) {
		self->dev = open_cdev();
		ASSERT_LE(0, self->dev);
		ASSERT_EQ(0, bind(self->dev, self->fd, &self->id));
		ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
		ASSERT_EQ(0, attach(self->dev, self->ioas));
		return;
	}
	self->group = open_group();
	ASSERT_LE(0, self->group);
	ASSERT_EQ(0, t_call(self->group, VFIO_GROUP_SET_CONTAINER, &self->fd));
	if (self->way == CONTAINER) {
		ASSERT_EQ(0, ioctl(self->fd, VFIO_SET_IOMMU,
				   VFIO_TYPE1v2_IOMMU));
	} else {
		ASSERT_EQ(0, t_vfio_ioas(self->fd, IOMMU_VFIO_IOAS_GET,
					 &self->ioas));
	}
	self->dev = ioctl(self->group, VFIO_GROUP_GET_DEVICE_FD, UUID);
	ASSERT_LE(0, self->dev);
}

static void close_device(struct _test_data_vfio_mdev *self)
{
	if (self->dev >= 0)
		close(self->dev);
	if (self->group >= 0)
		close(self->group);
	if (self->fd >= 0)
		close(self->fd);
	self->dev = -1;
	self->group = -1;
	self->fd = -1;
}

FIXTURE_SETUP(vfio_mdev)
{
	char create[300];

	self->way = variant->way;
	self->dev = -1;
	self->group = -1;
	self->fd = -1;
	if (access(TYPES, F_OK)) {
		/* Who says that it is there means it. */
		ASSERT_EQ(NULL, getenv("IOFD_MDEV"));
		SKIP(return, "module iofd_mdev is not loaded");
	}
	if (self->way == CONTAINER && access("/dev/vfio/vfio", F_OK))
		SKIP(return, "kernel without CONFIG_VFIO_CONTAINER");
	ASSERT_TRUE(find(TYPES "/*/create", create, sizeof(create)));
	/* One that a test left which did not come to its end */
	write_file(DEVICE "/remove", "1");
	ASSERT_TRUE(write_file(create, UUID))
		TH_LOG("%s: %m", create);
	self->length = PAGES * T_PAGE;
	self->buf = t_alloc(self->length);
	ASSERT_NE(NULL, self->buf);
	open_device(_metadata, self);
}

FIXTURE_TEARDOWN(vfio_mdev)
{
	if (!self->buf)
		return;
	close_device(self);
	EXPECT_EQ(0, refs(self->buf, PAGES, 0));
	EXPECT_TRUE(write_file(DEVICE "/remove", "1"));
	EXPECT_NE(0, access(DEVICE, F_OK));
}

TEST_F(vfio_mdev, pin_and_unpin)
{
	uint32_t flags = how(self);

	/* Two areas */
	ASSERT_EQ(0, map(self, self->buf, 8 * T_PAGE, T_BASE));
	ASSERT_EQ(0, map(self, self->buf + 8 * T_PAGE, 8 * T_PAGE,
			 T_BASE + 8 * T_PAGE));
	EXPECT_EQ(0, refs(self->buf, PAGES, 0));
	ASSERT_EQ(0, pin(self->dev, T_BASE + 4 * T_PAGE, 8,
			 self->buf + 4 * T_PAGE, flags | IOFD_MDEV_WRITE));
	EXPECT_EQ(0, refs(self->buf, 4, 0));
	EXPECT_EQ(0, refs(self->buf + 4 * T_PAGE, 8, 1));
	EXPECT_EQ(0, refs(self->buf + 12 * T_PAGE, PAGES - 12, 0));
	/* The device compares, so the pages have really been the right ones. */
	EXPECT_EQ(EBADE, pin(self->dev, T_BASE, 2, self->buf + T_PAGE, flags));
	EXPECT_EQ(0, refs(self->buf, 4, 0));

	/* Pinned once, by however many */
	ASSERT_EQ(0, pin(self->dev, T_BASE, 8, self->buf, flags));
	EXPECT_EQ(0, refs(self->buf, 12, 1));
	EXPECT_EQ(2, stat_of(self->dev).pins);
	ASSERT_EQ(0, unpin(self->dev, T_BASE + 4 * T_PAGE, 8, flags));
	EXPECT_EQ(0, refs(self->buf, 8, 1));
	EXPECT_EQ(0, refs(self->buf + 8 * T_PAGE, PAGES - 8, 0));
	EXPECT_EQ(ENOENT, unpin(self->dev, T_BASE + 4 * T_PAGE, 8, flags));
	ASSERT_EQ(0, unpin(self->dev, T_BASE, 8, flags));
	EXPECT_EQ(0, refs(self->buf, PAGES, 0));

	/* Nobody had to be told anything. */
	EXPECT_EQ(0, unmap(self, T_BASE, 8 * T_PAGE));
	EXPECT_EQ(0, unmap(self, T_BASE + 8 * T_PAGE, 8 * T_PAGE));
	EXPECT_EQ(0, stat_of(self->dev).unmaps);
}

TEST_F(vfio_mdev, pin_errors)
{
	uint32_t flags = how(self);
	uint64_t top = -(uint64_t)T_PAGE;

	EXPECT_EQ(nothing(self), pin(self->dev, T_BASE, 1, NULL, flags));
	ASSERT_EQ(0, map(self, self->buf, 4 * T_PAGE, T_BASE));
	ASSERT_EQ(0, map_flags(self, self->buf + 4 * T_PAGE, 4 * T_PAGE,
			       T_BASE + 4 * T_PAGE, IOMMU_IOAS_MAP_READABLE));
	EXPECT_EQ(EINVAL, pin(self->dev, T_BASE, 0, NULL, flags));
	/* What is there up to the error is given back. */
	EXPECT_EQ(nothing(self), pin(self->dev, T_BASE, 9, NULL, flags));
	EXPECT_EQ(nothing(self), pin(self->dev, T_BASE - T_PAGE, 2, NULL,
				     flags));
	EXPECT_EQ(EPERM, pin(self->dev, T_BASE, 8, NULL,
			     flags | IOFD_MDEV_WRITE));
	EXPECT_EQ(EOVERFLOW, pin(self->dev, top, 2, NULL, flags));
	EXPECT_EQ(nothing(self), pin(self->dev, top, 1, NULL, flags));
	EXPECT_EQ(0, refs(self->buf, PAGES, 0));
	EXPECT_EQ(0, stat_of(self->dev).pins);
	EXPECT_EQ(0, pin(self->dev, T_BASE, 8, self->buf, flags));

	/* The memory has gone from the process. */
	ASSERT_EQ(0, map(self, self->buf + 8 * T_PAGE, 2 * T_PAGE,
			 T_BASE + 8 * T_PAGE));
	ASSERT_EQ(0, munmap(self->buf + 9 * T_PAGE, T_PAGE));
	EXPECT_EQ(EFAULT, pin(self->dev, T_BASE + 8 * T_PAGE, 2, NULL, flags));
	EXPECT_EQ(0, refs(self->buf + 8 * T_PAGE, 1, 0));
	ASSERT_NE(MAP_FAILED, mmap(self->buf + 9 * T_PAGE, T_PAGE,
				   PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				   0));
	self->buf[9 * T_PAGE] = 1;
}

TEST_F(vfio_mdev, rw)
{
	static char data[3 * 4096 + 100];
	uint32_t by[] = { 0, IOFD_MDEV_KTHREAD };
	size_t i, n, length = sizeof(data);
	uint64_t state = 1;

	/* Two areas, and what is read or written crosses both. */
	ASSERT_EQ(0, map(self, self->buf, 2 * T_PAGE, T_BASE));
	ASSERT_EQ(0, map(self, self->buf + 16 * T_PAGE, 2 * T_PAGE,
			 T_BASE + 2 * T_PAGE));
	ASSERT_EQ(0, map_flags(self, self->buf + 18 * T_PAGE, T_PAGE,
			       T_BASE + 4 * T_PAGE, IOMMU_IOAS_MAP_READABLE));
	for (n = 0; n < ARRAY_SIZE(by); n++) {
		for (i = 0; i < length; i++)
			data[i] = t_random(&state);
		memset(self->buf, 0x11, self->length);
		ASSERT_EQ(0, rw(self->dev, T_BASE + 7, data, length,
				by[n] | IOFD_MDEV_WRITE));
		EXPECT_EQ(0, memcmp(self->buf + 7, data, 2 * T_PAGE - 7));
		EXPECT_EQ(0, memcmp(self->buf + 16 * T_PAGE,
				    data + 2 * T_PAGE - 7,
				    length - 2 * T_PAGE + 7));
		EXPECT_EQ(0x11, self->buf[6]);
		EXPECT_EQ(0x11, self->buf[2 * T_PAGE]);
		EXPECT_EQ(0x11, self->buf[16 * T_PAGE +
					  length - 2 * T_PAGE + 7]);
		memset(data, 0, length);
		ASSERT_EQ(0, rw(self->dev, T_BASE + 7, data, length, by[n]));
		EXPECT_EQ(0, memcmp(self->buf + 7, data, 2 * T_PAGE - 7));
		EXPECT_EQ(0, memcmp(self->buf + 16 * T_PAGE,
				    data + 2 * T_PAGE - 7,
				    length - 2 * T_PAGE + 7));

		EXPECT_EQ(0, rw(self->dev, T_BASE + 4 * T_PAGE, data, 1, by[n]));
		EXPECT_EQ(EPERM, rw(self->dev, T_BASE + 4 * T_PAGE, data, 1,
				    by[n] | IOFD_MDEV_WRITE));
		EXPECT_EQ(nothing(self), rw(self->dev, T_BASE - 1, data, 1,
					    by[n]));
		EXPECT_EQ(nothing(self), rw(self->dev, T_BASE + 5 * T_PAGE - 1,
					    data, 2, by[n]));
		EXPECT_EQ(EINVAL, rw(self->dev, T_BASE, data, 0, by[n]));
	}
	EXPECT_EQ(0, refs(self->buf, PAGES, 0));
}

/* Somebody else has the device: the memory is still that of the mapper. */
TEST_F(vfio_mdev, another_process)
{
	char got[64];
	int status;
	pid_t pid;

	memset(self->buf, 'm', T_PAGE);
	ASSERT_EQ(0, map(self, self->buf, T_PAGE, T_BASE));
	ASSERT_EQ(0, pin(self->dev, T_BASE, 1, self->buf, how(self)));
	ASSERT_EQ(0, unpin(self->dev, T_BASE, 1, how(self)));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int err;

		memset(self->buf, 'c', T_PAGE);
		err = rw(self->dev, T_BASE, got, sizeof(got), 0);
		/* type1 knows no memory but the caller's. */
		if (self->type1)
			_exit(err == EFAULT ? 0 : 1);
		if (err)
			_exit(err);
		if (got[0] != 'm' || got[63] != 'm')
			_exit(254);
		_exit(rw(self->dev, T_BASE, "xyz", 3, IOFD_MDEV_WRITE));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	EXPECT_TRUE(self->type1 || !memcmp(self->buf, "xyzm", 4));
	/* A worker can, with both. */
	EXPECT_EQ(0, rw(self->dev, T_BASE + 1, got, 1, IOFD_MDEV_KTHREAD));
	EXPECT_EQ(self->buf[1], got[0]);
}

/* Nobody has the memory any more, and nobody may find something else there. */
TEST_F(vfio_mdev, mapper_exits)
{
	char got[64];
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(map(self, self->buf, 4 * T_PAGE, T_BASE) ?:
		      rw(self->dev, T_BASE, got, 1, 0) ?:
		      rw(self->dev, T_BASE, got, 1, IOFD_MDEV_KTHREAD));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	ASSERT_EQ(0, WEXITSTATUS(status));

	if (self->type1) {
		EXPECT_EQ(EPERM, rw(self->dev, T_BASE, got, 1,
				    IOFD_MDEV_KTHREAD));
		EXPECT_NE(0, pin(self->dev, T_BASE, 1, NULL, how(self)));
	} else {
		EXPECT_EQ(EFAULT, rw(self->dev, T_BASE, got, 1,
				     IOFD_MDEV_KTHREAD));
		EXPECT_EQ(EFAULT, rw(self->dev, T_BASE, got, 1, 0));
		EXPECT_EQ(EFAULT, rw(self->dev, T_BASE, "x", 1,
				     IOFD_MDEV_WRITE));
		EXPECT_EQ(EFAULT, pin(self->dev, T_BASE, 1, NULL, 0));
	}
	EXPECT_EQ(0, unmap(self, T_BASE, 4 * T_PAGE));
	EXPECT_EQ(0, refs(self->buf, PAGES, 0));
}

/* The mapper exits while its memory is pinned: it stays until it is unpinned. */
TEST_F(vfio_mdev, mapper_exits_pinned)
{
	char *va = NULL;
	int memfd = t_memfd(4 * T_PAGE);
	int status;
	pid_t pid;

	ASSERT_LE(0, memfd);
	va = t_map_memfd(memfd, 4 * T_PAGE);
	ASSERT_NE(NULL, va);
	memset(va, 1, 4 * T_PAGE);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(map(self, va, 4 * T_PAGE, T_BASE) ?:
		      pin(self->dev, T_BASE, 4, va, how(self)));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	ASSERT_EQ(0, WEXITSTATUS(status));
	EXPECT_EQ(0, refs(va, 4, 1));
	EXPECT_EQ(0, unpin(self->dev, T_BASE, 4, how(self)));
	EXPECT_EQ(0, refs(va, 4, 0));
	munmap(va, 4 * T_PAGE);
	close(memfd);
}

TEST_F(vfio_mdev, unmap_takes_pins)
{
	size_t area = 8 * T_PAGE;
	struct iofd_mdev_stat stat;
	int n;

	if (self->way == CONTAINER)
		SKIP(return, "type1: dma_unmap() under a lock that unpinning takes");
	for (n = 0; n < 3; n++)
		ASSERT_EQ(0, map(self, self->buf + n * area, area,
				 T_BASE + n * area));
	/* Within the first, across the first two, in the last */
	ASSERT_EQ(0, pin(self->dev, T_BASE, 2, self->buf, 0));
	ASSERT_EQ(0, pin(self->dev, T_BASE + 6 * T_PAGE, 4,
			 self->buf + 6 * T_PAGE, 0));
	ASSERT_EQ(0, pin(self->dev, T_BASE + 2 * area, 8,
			 self->buf + 2 * area, 0));
	ASSERT_EQ(0, unmap(self, T_BASE, area));
	stat = stat_of(self->dev);
	EXPECT_EQ(1, stat.unmaps);
	EXPECT_EQ(T_BASE, stat.iova);
	EXPECT_EQ(area, stat.length);
	EXPECT_EQ(1, stat.pins);
	EXPECT_EQ(0, refs(self->buf, 16, 0));
	EXPECT_EQ(0, refs(self->buf + 2 * area, 8, 1));
	EXPECT_EQ(ENOENT, unpin(self->dev, T_BASE, 2, 0));
	EXPECT_EQ(ENOENT, pin(self->dev, T_BASE, 1, NULL, 0));

	/* All at once */
	ASSERT_EQ(0, pin(self->dev, T_BASE + area, 8, self->buf + area, 0));
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	EXPECT_EQ(0, stat_of(self->dev).pins);
	EXPECT_EQ(3, stat_of(self->dev).unmaps);
	EXPECT_EQ(0, refs(self->buf, PAGES, 0));
}

TEST_F(vfio_mdev, close_with_pins)
{
	uint64_t unmaps;

	ASSERT_EQ(0, map(self, self->buf, self->length, T_BASE));
	ASSERT_EQ(0, pin(self->dev, T_BASE, PAGES, self->buf,
			 how(self) | IOFD_MDEV_WRITE));
	unmaps = stat_of(self->dev).unmaps;
	close_device(self);
	EXPECT_EQ(0, refs(self->buf, PAGES, 0));
	/* A driver that tidies up by itself may be told all the same. */
	open_device(_metadata, self);
	EXPECT_EQ(unmaps + !self->type1,
		  stat_of(self->dev).unmaps);
	EXPECT_EQ(0, stat_of(self->dev).pins);
}

/* Who does not: the detach that is part of closing takes the pins. */
TEST_F(vfio_mdev, close_takes_pins)
{
	struct iofd_mdev_stat stat;

	if (self->way == CONTAINER)
		SKIP(return, "type1 tells nobody at the end");
	ASSERT_EQ(0, map(self, self->buf, self->length, T_BASE));
	ASSERT_EQ(0, pin(self->dev, T_BASE, PAGES, self->buf, 0));
	ASSERT_EQ(0, pin(self->dev, T_BASE, 1, self->buf, 0));
	ASSERT_EQ(0, ioctl(self->dev, IOFD_MDEV_KEEP));
	close_device(self);
	EXPECT_EQ(0, refs(self->buf, PAGES, 0));
	open_device(_metadata, self);
	stat = stat_of(self->dev);
	EXPECT_EQ(0, stat.pins);
	EXPECT_EQ(1, stat.unmaps);
	EXPECT_EQ(0, stat.iova);
	EXPECT_EQ(ULONG_MAX, stat.length);
}

TEST_F(vfio_mdev, attach_moves_away_from_pins)
{
	struct iofd_mdev_stat stat;
	uint32_t other;

	if (self->way != CDEV)
		SKIP(return, "only the character device is attached by ioctl");
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &other));
	ASSERT_EQ(0, t_map_at(self->fd, other, self->buf + 8 * T_PAGE,
			      4 * T_PAGE, T_BASE));
	ASSERT_EQ(0, map(self, self->buf, 4 * T_PAGE, T_BASE));
	ASSERT_EQ(0, pin(self->dev, T_BASE, 4, self->buf, 0));
	/* To where it is: nothing happens. */
	ASSERT_EQ(0, attach(self->dev, self->ioas));
	EXPECT_EQ(0, stat_of(self->dev).unmaps);
	EXPECT_EQ(0, refs(self->buf, 4, 1));
	/* To nowhere: it stays. */
	EXPECT_EQ(ENOENT, attach(self->dev, UINT32_MAX));
	EXPECT_EQ(1, stat_of(self->dev).pins);
	EXPECT_EQ(0, refs(self->buf, 4, 1));

	ASSERT_EQ(0, attach(self->dev, other));
	stat = stat_of(self->dev);
	EXPECT_EQ(1, stat.unmaps);
	EXPECT_EQ(0, stat.iova);
	EXPECT_EQ(ULONG_MAX, stat.length);
	EXPECT_EQ(0, stat.pins);
	EXPECT_EQ(0, refs(self->buf, PAGES, 0));
	EXPECT_EQ(0, t_destroy(self->fd, self->ioas));
	ASSERT_EQ(0, pin(self->dev, T_BASE, 4, self->buf + 8 * T_PAGE, 0));

	ASSERT_EQ(0, detach(self->dev));
	EXPECT_EQ(2, stat_of(self->dev).unmaps);
	EXPECT_EQ(0, stat_of(self->dev).pins);
	EXPECT_EQ(0, refs(self->buf, PAGES, 0));
	EXPECT_EQ(ENOENT, pin(self->dev, T_BASE, 1, NULL, 0));
	EXPECT_EQ(ENOENT, rw(self->dev, T_BASE, "x", 1, 0));
	/* Once more is no error, and nobody is told. */
	EXPECT_EQ(0, detach(self->dev));
	EXPECT_EQ(2, stat_of(self->dev).unmaps);
	EXPECT_EQ(0, t_destroy(self->fd, other));
}

TEST_F(vfio_mdev, bind_and_attach_errors)
{
	uint32_t id, crooked, hwpt;
	uint64_t iova = T_BASE + 1;

	if (self->way != CDEV)
		SKIP(return, "only the character device is bound by ioctl");
	EXPECT_EQ(EINVAL, bind(self->dev, self->fd, &id));
	EXPECT_NE(0, self->id);
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->id));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->ioas));
	ASSERT_EQ(0, detach(self->dev));

	EXPECT_EQ(ENOENT, attach(self->dev, 0));
	EXPECT_EQ(ENOENT, attach(self->dev, self->id));
	/* There are no page tables for a device without DMA. */
	EXPECT_NE(0, t_hwpt_alloc(self->fd, self->id, self->ioas, 0, &hwpt));
	/* It pins whole pages, so mappings have to be of whole pages. */
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &crooked));
	ASSERT_EQ(0, t_map(self->fd, crooked, self->buf + 1, 1, &iova,
			   T_RW | T_FIXED));
	EXPECT_EQ(EADDRINUSE, attach(self->dev, crooked));
	EXPECT_EQ(1, t_alignment(self->fd, self->ioas));
	ASSERT_EQ(0, attach(self->dev, self->ioas));
	EXPECT_EQ(T_PAGE, t_alignment(self->fd, self->ioas));
	EXPECT_EQ(EADDRINUSE, attach(self->dev, crooked));
	EXPECT_EQ(EINVAL, t_map(self->fd, self->ioas, self->buf, 100, &iova,
				T_RW | T_FIXED));
}

/* Threads */

#define RACE_AREAS 4
#define RACE_AREA (PAGES / RACE_AREAS)

static void *pin_in_turns(void *arg)
{
	struct t_job *job = arg;
	struct _test_data_vfio_mdev *self = job->self;
	int dev = self->dev, err;
	uint32_t at, n;

	while (!t_stopped(job)) {
		at = t_random(&job->seed) % (PAGES - 1);
		n = 1 + t_random(&job->seed) % (PAGES - at);
		err = pin(dev, T_BASE + at * T_PAGE, n,
			  self->buf + at * T_PAGE, job->flags);
		if (!t_expected(job, "pin", err) || err)
			continue;
		err = unpin(dev, T_BASE + at * T_PAGE, n, job->flags);
		/* It may have been taken away. */
		if (err && err != ENOENT)
			t_wrong(job, "unpin", err);
	}
	return NULL;
}

static void *copy_in_turns(void *arg)
{
	struct t_job *job = arg;
	struct _test_data_vfio_mdev *self = job->self;
	char *data = malloc(PAGES * T_PAGE);
	uint32_t at, n, by;
	int err;

	while (!t_stopped(job)) {
		at = t_random(&job->seed) % (PAGES * T_PAGE - 1);
		n = 1 + t_random(&job->seed) % (PAGES * T_PAGE - at);
		by = t_random(&job->seed) & 1 ? IOFD_MDEV_KTHREAD : 0;
		err = rw(self->dev, T_BASE + at, data, n, by);
		if (!t_expected(job, "read", err) || err)
			continue;
		if (memcmp(data, self->buf + at, n))
			t_wrong(job, "what was read", 0);
	}
	free(data);
	return NULL;
}

/* Alone in this, so nothing may ever fail. */
static void *map_in_turns(void *arg)
{
	bool mapped[RACE_AREAS] = {};
	size_t area = RACE_AREA * T_PAGE;
	struct t_job *job = arg;
	struct _test_data_vfio_mdev *self = job->self;
	int err, i;

	while (!t_stopped(job)) {
		i = t_random(&job->seed) % RACE_AREAS;
		err = mapped[i] ?
		      unmap(self, T_BASE + i * area, area) :
		      map(self, self->buf + i * area, area,
			  T_BASE + i * area);
		if (err) {
			t_wrong(job, mapped[i] ? "unmap" : "map", err);
			break;
		}
		mapped[i] = !mapped[i];
		job->done++;
	}
	return NULL;
}

static void *move_in_turns(void *arg)
{
	struct t_job *job = arg;
	struct _test_data_vfio_mdev *self = job->self;
	int dev = self->dev, err;

	while (!t_stopped(job)) {
		switch (t_random(&job->seed) % 3) {
		case 0:
			err = detach(dev);
			break;
		case 1:
			err = attach(dev, job->other);
			break;
		default:
			err = attach(dev, self->ioas);
		}
		if (err) {
			t_wrong(job, "move", err);
			break;
		}
		job->done++;
	}
	return NULL;
}

static void run(struct __test_metadata *_metadata,
		struct _test_data_vfio_mdev *self, const t_work_t *work,
		struct t_job *jobs, unsigned int n)
{
	uint64_t seed = time(NULL);
	unsigned int i;

	TH_LOG("seed %#llx", (unsigned long long)seed);
	for (i = 0; i < n; i++) {
		jobs[i].self = self;
		jobs[i].stop = &self->stop;
		jobs[i].seed = (seed + i) * 2 + 1;
	}
	t_run(_metadata, work, jobs, n);
	EXPECT_EQ(0, refs(self->buf, PAGES, 0));
}

TEST_F(vfio_mdev, pin_while_unmapped)
{
	static const t_work_t work[] = {
		pin_in_turns, copy_in_turns, map_in_turns
	};
	struct t_job jobs[3] = {};

	if (self->way == CONTAINER)
		SKIP(return, "type1: dma_unmap() under a lock that unpinning takes");
	run(_metadata, self, work, jobs, 3);
}

/* A driver that pins and unpins without the lock of its dma_unmap() */
TEST_F(vfio_mdev, pin_unlocked_while_unmapped)
{
	static const t_work_t work[] = {
		pin_in_turns, pin_in_turns, map_in_turns
	};
	struct t_job jobs[3] = {
		{ .flags = IOFD_MDEV_UNLOCKED },
		{ .flags = IOFD_MDEV_UNLOCKED },
	};

	if (self->way == CONTAINER)
		SKIP(return, "type1: dma_unmap() under a lock that unpinning takes");
	run(_metadata, self, work, jobs, 3);
}

TEST_F(vfio_mdev, pin_while_moved)
{
	static const t_work_t work[] = {
		pin_in_turns, copy_in_turns, map_in_turns, move_in_turns
	};
	struct t_job jobs[4] = {};

	if (self->way != CDEV)
		SKIP(return, "only the character device is attached by ioctl");
	/* The same memory at the same IOVAs there, and it stays. */
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &jobs[3].other));
	ASSERT_EQ(0, t_map_at(self->fd, jobs[3].other, self->buf, self->length,
			      T_BASE));
	run(_metadata, self, work, jobs, 4);
}

TEST_HARNESS_MAIN
