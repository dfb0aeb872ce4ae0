// SPDX-License-Identifier: GPL-2.0-only
/* The interface that came before: a VFIO container of type1. */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "measure.h"
#include "space.h"

static int map(struct space *s, void *va, size_t length, __u64 iova)
{
	struct vfio_iommu_type1_dma_map cmd = {
		.argsz = sizeof(cmd),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)va,
		.iova = iova,
		.size = length,
	};

	return ioctl(s->fd, VFIO_IOMMU_MAP_DMA, &cmd) ? errno : 0;
}

static int unmap(struct space *s, __u64 iova, size_t length)
{
	struct vfio_iommu_type1_dma_unmap cmd = {
		.argsz = sizeof(cmd),
		.iova = iova,
		.size = length,
	};

	return ioctl(s->fd, VFIO_IOMMU_UNMAP_DMA, &cmd) ? errno : 0;
}

static int unmap_all(struct space *s)
{
	struct vfio_iommu_type1_dma_unmap cmd = {
		.argsz = sizeof(cmd),
		.flags = VFIO_DMA_UNMAP_FLAG_ALL,
	};

	return ioctl(s->fd, VFIO_IOMMU_UNMAP_DMA, &cmd) ? errno : 0;
}

static const struct space_ops type1_ops = {
	.name = "type1",
	.map = map,
	.unmap = unmap,
	.unmap_all = unmap_all,
};

void type1_begin(struct type1 *t1, const char *slot)
{
	char path[300], group[300];
	ssize_t len;

	memset(t1, 0, sizeof(*t1));
	t1->space.ops = &type1_ops;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", slot);
	len = readlink(path, group, sizeof(group) - 1);
	if (len < 0)
		die("%s has no IOMMU group", slot);
	group[len] = 0;
	snprintf(path, sizeof(path), "/dev/vfio/%.16s", strrchr(group, '/') + 1);
	t1->space.fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (t1->space.fd < 0)
		die("can't open /dev/vfio/vfio");
	t1->group = open(path, O_RDWR | O_CLOEXEC);
	if (t1->group < 0)
		die("can't open %s", path);
	if (ioctl(t1->group, VFIO_GROUP_SET_CONTAINER, &t1->space.fd))
		die("can't put %s in a container", path);
	if (ioctl(t1->space.fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		die("the container does not take type1");
	t1->device = ioctl(t1->group, VFIO_GROUP_GET_DEVICE_FD, slot);
	if (t1->device < 0)
		die("no device %s in its group", slot);
}

void type1_end(struct type1 *t1)
{
	close(t1->device);
	close(t1->group);
	close(t1->space.fd);
}
