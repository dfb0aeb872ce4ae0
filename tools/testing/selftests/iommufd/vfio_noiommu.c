// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices without an IOMMU, which VFIO gives to privileged processes if it is
 * told to (enable_unsafe_noiommu_mode): their container has no mappings, and no
 * commands for them. With a network card of QEMU on a bus that the emulated
 * IOMMU leaves alone.
 */
#include "e1000.h"

#define PARAM "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
#define VFIO_PCI "/sys/bus/pci/drivers/vfio-pci/"
#define IOVA 0x400000UL

FIXTURE(noiommu)
{
	int fd, group, dev;
	/* A group with an IOMMU */
	int other;
	char path[300];
	const char *slot;
	char *buf;
};

FIXTURE_VARIANT(noiommu)
{
	const char *node;
	bool container;
};

FIXTURE_VARIANT_ADD(noiommu, container)
{
	.node = "/dev/vfio/vfio",
	.container = true,
};

FIXTURE_VARIANT_ADD(noiommu, iommu)
{
	.node = "/dev/iommu",
};

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	close(fd);
	return err;
}

FIXTURE_SETUP(noiommu)
{
	char path[400], node[64];

	self->fd = -1;
	self->group = -1;
	self->dev = -1;
	self->other = -1;
	if (access(PARAM, F_OK))
		SKIP(return, "kernel without CONFIG_VFIO_NOIOMMU");
	if (!access("/sys/module/vfio_iommu_type1", F_OK))
		SKIP(return, "VFIO has a container of its own");
	if (!find_pci(E1000_VENDOR, E1000_BARE_DEVICE, self->path,
		      sizeof(self->path)) ||
	    find_group(self->path, node, sizeof(node)))
		SKIP(return, "no PCI device 8086:100f without an IOMMU");
	self->slot = strrchr(self->path, '/') + 1;
	ASSERT_EQ(0, write_text(PARAM, "Y"));
	snprintf(path, sizeof(path), "%s/driver_override", self->path);
	ASSERT_EQ(0, write_text(path, "vfio-pci"));
	ASSERT_EQ(0, write_text(VFIO_PCI "bind", self->slot));
	/* VFIO makes a group for it. */
	ASSERT_TRUE(find_group(self->path, node, sizeof(node)));
	snprintf(path, sizeof(path), "/dev/vfio/noiommu-%s",
		 strrchr(node, '/') + 1);
	self->group = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->group)
		TH_LOG("%s: %m", path);
	if (find_pci(EDU_VENDOR, EDU_DEVICE, path, sizeof(path)) &&
	    find_group(path, node, sizeof(node)))
		self->other = open(node, O_RDWR | O_CLOEXEC);
	self->fd = open(variant->node, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd)
		TH_LOG("%s: %m", variant->node);
	self->buf = t_alloc(T_PAGE);
	ASSERT_NE(NULL, self->buf);
}

FIXTURE_TEARDOWN(noiommu)
{
	if (!self->slot)
		return;
	if (self->dev >= 0)
		close(self->dev);
	if (self->group >= 0)
		close(self->group);
	if (self->other >= 0)
		close(self->other);
	if (self->fd >= 0)
		close(self->fd);
	EXPECT_EQ(0, write_text(VFIO_PCI "unbind", self->slot));
	EXPECT_EQ(0, write_text(PARAM, "N"));
}

#define NO_EDU "no PCI device 1234:11e8 (QEMU: -device edu) for vfio-pci"

static int set_container(int group, int fd)
{
	return t_call(group, VFIO_GROUP_SET_CONTAINER, &fd);
}

static int set_iommu(int fd, unsigned long type)
{
	return ioctl(fd, VFIO_SET_IOMMU, type) ? errno : 0;
}

static int extension(int fd, unsigned long nr)
{
	int rc = ioctl(fd, VFIO_CHECK_EXTENSION, nr);

	return rc < 0 ? -errno : rc;
}

static int get_device(int group, const char *name, int *dev)
{
	*dev = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name);
	return *dev < 0 ? errno : 0;
}

static int map(int fd, void *va)
{
	struct vfio_iommu_type1_dma_map cmd = {
		.argsz = sizeof(cmd),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)va,
		.iova = IOVA,
		.size = T_PAGE,
	};

	return t_call(fd, VFIO_IOMMU_MAP_DMA, &cmd);
}

static int unmap(int fd)
{
	struct vfio_iommu_type1_dma_unmap cmd = {
		.argsz = sizeof(cmd),
		.iova = IOVA,
		.size = T_PAGE,
	};

	return t_call(fd, VFIO_IOMMU_UNMAP_DMA, &cmd);
}

static int get_info(int fd)
{
	struct vfio_iommu_type1_info cmd = { .argsz = sizeof(cmd) };

	return t_call(fd, VFIO_IOMMU_GET_INFO, &cmd);
}

/* What a driver without IOMMU asks before it goes on */
static void check_extensions(struct __test_metadata *_metadata, int fd)
{
	EXPECT_EQ(1, extension(fd, VFIO_NOIOMMU_IOMMU));
	EXPECT_EQ(0, extension(fd, VFIO_TYPE1_IOMMU));
	EXPECT_EQ(0, extension(fd, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(0, extension(fd, VFIO_UNMAP_ALL));
	EXPECT_EQ(0, extension(fd, VFIO_UPDATE_VADDR));
}

TEST_F(noiommu, device)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	struct e1000 nic = { .dev = -1 };
	int fd = self->fd;

	EXPECT_EQ(EINVAL, get_device(self->group, self->slot, &self->dev));
	ASSERT_EQ(0, set_container(self->group, fd));
	EXPECT_EQ(EINVAL, set_container(self->group, fd));
	ASSERT_EQ(0, t_call(self->group, VFIO_GROUP_GET_STATUS, &status));
	EXPECT_EQ(VFIO_GROUP_FLAGS_VIABLE | VFIO_GROUP_FLAGS_CONTAINER_SET,
		  status.flags);
	check_extensions(_metadata, fd);
	ASSERT_EQ(0, set_iommu(fd, VFIO_NOIOMMU_IOMMU));
	check_extensions(_metadata, fd);
	ASSERT_EQ(0, get_device(self->group, self->slot, &self->dev));
	/* The device answers; that is all one gets. */
	nic.dev = dup(self->dev);
	ASSERT_EQ(0, e1000_start(&nic));
	EXPECT_EQ(E1000_STATUS_UP,
		  e1000_get(&nic, E1000_STATUS) & E1000_STATUS_UP);
	e1000_stop(&nic);
}

TEST_F(noiommu, no_mappings)
{
	int want = variant->container ? ENOTTY : ENODEV, fd = self->fd;
	uint32_t id = 0;

	if (variant->container) {
		EXPECT_EQ(EINVAL, set_iommu(fd, VFIO_NOIOMMU_IOMMU));
		EXPECT_EQ(0, extension(fd, VFIO_NOIOMMU_IOMMU));
		EXPECT_EQ(EINVAL, map(fd, self->buf));
	} else {
		/* As the kernel is configured */
		EXPECT_EQ(1, extension(fd, VFIO_NOIOMMU_IOMMU));
	}
	ASSERT_EQ(0, set_container(self->group, fd));
	if (variant->container) {
		EXPECT_EQ(EINVAL, map(fd, self->buf));
		EXPECT_EQ(ENODEV, set_iommu(fd, VFIO_TYPE1_IOMMU));
		EXPECT_EQ(ENODEV, set_iommu(fd, VFIO_TYPE1v2_IOMMU));
		EXPECT_EQ(ENODEV, set_iommu(fd, VFIO_UNMAP_ALL));
		EXPECT_EQ(0, extension(fd, VFIO_DMA_CC_IOMMU));
	} else {
		EXPECT_EQ(EINVAL, set_iommu(fd, VFIO_TYPE1_IOMMU));
		EXPECT_EQ(EINVAL, set_iommu(fd, VFIO_TYPE1v2_IOMMU));
		EXPECT_EQ(-ENODEV, extension(fd, VFIO_DMA_CC_IOMMU));
	}
	EXPECT_EQ(0, set_iommu(fd, VFIO_NOIOMMU_IOMMU));
	EXPECT_EQ(variant->container ? EINVAL : 0,
		  set_iommu(fd, VFIO_NOIOMMU_IOMMU));
	EXPECT_EQ(want, map(fd, self->buf));
	EXPECT_EQ(want, unmap(fd));
	EXPECT_EQ(want, get_info(fd));
	EXPECT_EQ(ENOTTY, t_call(fd, VFIO_IOMMU_DIRTY_PAGES, NULL));
	EXPECT_EQ(ENOTTY, t_call(fd, VFIO_IOMMU_ENABLE, NULL));
	/* No address space has been made for it. */
	EXPECT_EQ(ENODEV, t_vfio_ioas(fd, IOMMU_VFIO_IOAS_GET, &id));
	EXPECT_EQ(0, t_vmpin());
}

TEST_F(noiommu, beside_an_iommu)
{
	int want = variant->container ? EPERM : EINVAL, fd = self->fd;

	if (self->other < 0)
		SKIP(return, NO_EDU);
	ASSERT_EQ(0, set_container(self->group, fd));
	EXPECT_EQ(want, set_container(self->other, fd));
	/* A group that was refused can go elsewhere. */
	close(fd);
	self->fd = open(variant->node, O_RDWR | O_CLOEXEC);
	ASSERT_EQ(0, set_container(self->other, self->fd));
	ASSERT_EQ(0, t_call(self->group, VFIO_GROUP_UNSET_CONTAINER, NULL));
	EXPECT_EQ(want, set_container(self->group, self->fd));
	EXPECT_EQ(1, extension(self->fd, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(0, set_iommu(self->fd, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(0, map(self->fd, self->buf));
	EXPECT_EQ(want, set_container(self->group, self->fd));
}

TEST_F(noiommu, last_group)
{
	int fd = self->fd;

	if (self->other < 0)
		SKIP(return, NO_EDU);
	ASSERT_EQ(0, set_container(self->group, fd));
	ASSERT_EQ(0, set_iommu(fd, VFIO_NOIOMMU_IOMMU));
	ASSERT_EQ(0, t_call(self->group, VFIO_GROUP_UNSET_CONTAINER, NULL));
	if (!variant->container) {
		/* For good */
		EXPECT_EQ(0, extension(fd, VFIO_TYPE1_IOMMU));
		EXPECT_EQ(EINVAL, set_container(self->other, fd));
		return;
	}
	EXPECT_EQ(0, extension(fd, VFIO_NOIOMMU_IOMMU));
	EXPECT_EQ(1, extension(fd, VFIO_TYPE1_IOMMU));
	EXPECT_EQ(EINVAL, set_iommu(fd, VFIO_NOIOMMU_IOMMU));
	ASSERT_EQ(0, set_container(self->other, fd));
	EXPECT_EQ(ENODEV, set_iommu(fd, VFIO_NOIOMMU_IOMMU));
	EXPECT_EQ(0, set_iommu(fd, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(0, map(fd, self->buf));
	/* And back */
	ASSERT_EQ(0, t_call(self->other, VFIO_GROUP_UNSET_CONTAINER, NULL));
	ASSERT_EQ(0, set_container(self->group, fd));
	EXPECT_EQ(ENODEV, set_iommu(fd, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(0, set_iommu(fd, VFIO_NOIOMMU_IOMMU));
	EXPECT_EQ(ENOTTY, map(fd, self->buf));
}

TEST_F(noiommu, privilege)
{
	int fd = self->fd, group;
	char path[64], link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", self->group);
	n = readlink(link, path, sizeof(path) - 1);
	ASSERT_LT(0, n);
	path[n] = 0;
	if (!variant->container)
		ASSERT_EQ(0, set_container(self->group, fd));
	ASSERT_EQ(0, t_drop_cap(CAP_SYS_RAWIO));
	if (variant->container) {
		EXPECT_EQ(EPERM, set_container(self->group, fd));
		EXPECT_EQ(0, extension(fd, VFIO_NOIOMMU_IOMMU));
	} else {
		EXPECT_EQ(EPERM, set_iommu(fd, VFIO_NOIOMMU_IOMMU));
		EXPECT_EQ(EPERM, get_device(self->group, self->slot,
					    &self->dev));
	}
	close(self->group);
	group = open(path, O_RDWR | O_CLOEXEC);
	EXPECT_EQ(-1, group);
	EXPECT_EQ(EPERM, errno);
	self->group = open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* With a group that was connected by somebody with the privilege */
TEST_F(noiommu, privilege_of_set_iommu)
{
	int fd = self->fd;

	ASSERT_EQ(0, set_container(self->group, fd));
	ASSERT_EQ(0, t_drop_cap(CAP_SYS_RAWIO));
	EXPECT_EQ(EPERM, set_iommu(fd, VFIO_NOIOMMU_IOMMU));
	EXPECT_EQ(variant->container ? ENODEV : EINVAL,
		  set_iommu(fd, VFIO_TYPE1_IOMMU));
	EXPECT_EQ(EPERM, get_device(self->group, self->slot, &self->dev));
}

/* Who has an address space expects translation, which there is none of. */
TEST_F(noiommu, with_an_ioas)
{
	uint32_t ioas, id = 0;
	int fd = self->fd;

	ASSERT_EQ(0, t_ioas_alloc(fd, &ioas));
	ASSERT_EQ(0, t_vfio_ioas(fd, IOMMU_VFIO_IOAS_SET, &ioas));
	if (variant->container) {
		/* Type1's rules know nothing of it. */
		ASSERT_EQ(0, set_container(self->group, fd));
		ASSERT_EQ(0, set_iommu(fd, VFIO_NOIOMMU_IOMMU));
		EXPECT_EQ(0, get_device(self->group, self->slot, &self->dev));
		return;
	}
	EXPECT_EQ(EINVAL, set_container(self->group, fd));
	ASSERT_EQ(0, t_vfio_ioas(fd, IOMMU_VFIO_IOAS_CLEAR, &id));
	ASSERT_EQ(0, set_container(self->group, fd));
	ASSERT_EQ(0, t_vfio_ioas(fd, IOMMU_VFIO_IOAS_SET, &ioas));
	EXPECT_EQ(EPERM, get_device(self->group, self->slot, &self->dev));
	ASSERT_EQ(0, t_vfio_ioas(fd, IOMMU_VFIO_IOAS_CLEAR, &id));
	EXPECT_EQ(0, get_device(self->group, self->slot, &self->dev));
}

TEST_HARNESS_MAIN
