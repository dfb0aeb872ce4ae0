// SPDX-License-Identifier: GPL-2.0-only
/* The interface measured first: /dev/iommu, with a device behind it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "measure.h"
#include "space.h"

#define RIGHTS	(IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)

static int map(struct space *s, void *va, size_t length, __u64 iova)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = RIGHTS | IOMMU_IOAS_MAP_FIXED_IOVA,
		.ioas_id = s->ioas_id,
		.user_va = (uintptr_t)va,
		.length = length,
		.iova = iova,
	};

	return ioctl(s->fd, IOMMU_IOAS_MAP, &cmd) ? errno : 0;
}

static int map_anywhere(struct space *s, void *va, size_t length,
			__u64 *iova)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = RIGHTS,
		.ioas_id = s->ioas_id,
		.user_va = (uintptr_t)va,
		.length = length,
	};

	if (ioctl(s->fd, IOMMU_IOAS_MAP, &cmd))
		return errno;
	*iova = cmd.iova;
	return 0;
}

static int map_file(struct space *s, int fd, __u64 start, size_t length,
		    __u64 iova)
{
	struct iommu_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = RIGHTS | IOMMU_IOAS_MAP_FIXED_IOVA,
		.ioas_id = s->ioas_id,
		.fd = fd,
		.start = start,
		.length = length,
		.iova = iova,
	};

	return ioctl(s->fd, IOMMU_IOAS_MAP_FILE, &cmd) ? errno : 0;
}

static int unmap(struct space *s, __u64 iova, size_t length)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = s->ioas_id,
		.iova = iova,
		.length = length,
	};

	return ioctl(s->fd, IOMMU_IOAS_UNMAP, &cmd) ? errno : 0;
}

static int unmap_all(struct space *s)
{
	return unmap(s, 0, UINT64_MAX);
}

static const struct space_ops iommufd_ops = {
	.name = "iommufd",
	.map = map,
	.unmap = unmap,
	.unmap_all = unmap_all,
	.map_file = map_file,
	.map_anywhere = map_anywhere,
};

static int ioas_alloc(int fd, __u32 *id)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };

	if (ioctl(fd, IOMMU_IOAS_ALLOC, &cmd))
		return errno;
	*id = cmd.out_ioas_id;
	return 0;
}

int iommufd_hwpt_alloc(struct iommufd *io, __u32 ioas_id, __u32 *hwpt_id)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.dev_id = io->dev_id,
		.pt_id = ioas_id,
	};

	if (ioctl(io->space.fd, IOMMU_HWPT_ALLOC, &cmd))
		return errno;
	*hwpt_id = cmd.out_hwpt_id;
	return 0;
}

int iommufd_destroy(struct iommufd *io, __u32 id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	return ioctl(io->space.fd, IOMMU_DESTROY, &cmd) ? errno : 0;
}

int iommufd_copy(struct space *from, struct space *to, size_t length,
		 __u64 from_iova, __u64 to_iova)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = RIGHTS | IOMMU_IOAS_MAP_FIXED_IOVA,
		.dst_ioas_id = to->ioas_id,
		.src_ioas_id = from->ioas_id,
		.length = length,
		.dst_iova = to_iova,
		.src_iova = from_iova,
	};

	return ioctl(from->fd, IOMMU_IOAS_COPY, &cmd) ? errno : 0;
}

static int open_node(const char *slot)
{
	char path[300];
	struct dirent *entry;
	int fd = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", slot);
	dir = opendir(path);
	if (!dir)
		die("%s is not bound to vfio-pci", slot);
	while (fd < 0 && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "vfio", 4))
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s",
			 entry->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
	}
	closedir(dir);
	if (fd < 0)
		die("can't open the node of %s", slot);
	return fd;
}

void iommufd_begin(struct iommufd *io, const char *slot)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
	};

	memset(io, 0, sizeof(*io));
	io->space.ops = &iommufd_ops;
	io->space.fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (io->space.fd < 0)
		die("can't open /dev/iommu");
	io->device = open_node(slot);
	bind.iommufd = io->space.fd;
	if (ioctl(io->device, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		die("can't bind %s", slot);
	io->dev_id = bind.out_devid;
	errno = ioas_alloc(io->space.fd, &io->space.ioas_id);
	if (errno)
		die("can't make an address space");
	attach.pt_id = io->space.ioas_id;
	if (ioctl(io->device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach))
		die("can't attach %s", slot);
	io->hwpt_id = attach.pt_id;
}

void iommufd_end(struct iommufd *io)
{
	close(io->device);
	close(io->space.fd);
}

void iommufd_second(struct iommufd *io, struct space *second, __u32 *hwpt_id)
{
	*second = io->space;
	errno = ioas_alloc(io->space.fd, &second->ioas_id);
	if (!errno)
		errno = iommufd_hwpt_alloc(io, second->ioas_id, hwpt_id);
	if (errno)
		die("can't make a second address space");
}
