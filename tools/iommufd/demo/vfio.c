// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO device nodes and register access.
 *
 * Registers are reached by mmap() of their region where vfio-pci offers that,
 * else by pread() and pwrite(). An access through the mapping is one atomic
 * load or store: a single instruction of exactly this width, never repeated,
 * split or dropped by the compiler. A failed pread() reads as all ones, like a
 * PCI device that does not answer.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "report.h"
#include "vfio.h"

#define PCI_DEVICES	"/sys/bus/pci/devices"

/* A number from an attribute of a PCI device in sysfs; 0 if there is none. */
static __u32 sysfs_number(const char *bdf, const char *attribute)
{
	char path[128], text[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", bdf, attribute);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (!fgets(text, sizeof(text), f))
		text[0] = 0;
	fclose(f);
	return strtoul(text, NULL, 16);
}

static bool matches(const struct vfio_match *match, const char *bdf)
{
	if (match->vendor && sysfs_number(bdf, "vendor") != match->vendor)
		return false;
	if (match->device && sysfs_number(bdf, "device") != match->device)
		return false;
	return (sysfs_number(bdf, "class") & match->class_mask) == match->class;
}

/* The node vfio-pci made for this device, if it is bound to it. */
static bool find_node(struct vfio_device *dev)
{
	struct dirent *entry;
	char path[128];
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/vfio-dev", dev->bdf);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "vfio", 4))
			continue;
		snprintf(dev->node, sizeof(dev->node), "/dev/vfio/devices/%.48s",
			 entry->d_name);
		found = true;
	}
	closedir(dir);
	return found;
}

int vfio_find(const struct vfio_match *match, struct vfio_device *dev)
{
	struct dirent *entry;
	bool seen = false, found = false;
	DIR *dir;

	memset(dev, 0, sizeof(*dev));
	dev->fd = -1;
	dir = opendir(PCI_DEVICES);
	if (!dir)
		return failed_errno("cannot list " PCI_DEVICES);
	while (!found && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    strlen(entry->d_name) >= sizeof(dev->bdf) ||
		    !matches(match, entry->d_name))
			continue;
		seen = true;
		snprintf(dev->bdf, sizeof(dev->bdf), "%.12s", entry->d_name);
		found = find_node(dev);
	}
	closedir(dir);
	if (!seen)
		return failed("this machine has no %s", match->name);
	if (!found)
		return failed("the %s (%s) is not bound to vfio-pci", match->name,
			      dev->bdf);
	note("%-4s is %s, its node is %s", match->name, dev->bdf, dev->node);
	return 0;
}

int vfio_region_open(struct vfio_device *dev, __u32 index,
		     struct vfio_region *reg)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };
	void *mem;

	memset(reg, 0, sizeof(*reg));
	if (ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		return failed_errno("%s: no information on region %u", dev->bdf,
				    index);
	if (!info.size)
		return failed("%s: region %u is empty", dev->bdf, index);
	reg->fd = dev->fd;
	reg->offset = info.offset;
	reg->size = info.size;
	if (!(info.flags & VFIO_REGION_INFO_FLAG_MMAP))
		return 0;
	mem = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED, dev->fd,
		   info.offset);
	if (mem != MAP_FAILED)
		reg->mem = mem;
	return 0;
}

int vfio_open(struct vfio_device *dev, int iommufd)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = iommufd,
	};
	struct vfio_device_info info = { .argsz = sizeof(info) };

	dev->fd = open(dev->node, O_RDWR | O_CLOEXEC);
	if (dev->fd < 0)
		return failed_errno("cannot open %s", dev->node);
	if (ioctl(dev->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		return failed_errno("cannot bind %s to the iommufd", dev->bdf);
	dev->dev_id = bind.out_devid;
	if (ioctl(dev->fd, VFIO_DEVICE_GET_INFO, &info))
		return failed_errno("%s: no device information", dev->bdf);
	if (!(info.flags & VFIO_DEVICE_FLAGS_PCI))
		return failed("%s is no PCI device for VFIO", dev->bdf);
	if (vfio_region_open(dev, VFIO_PCI_BAR0_REGION_INDEX, &dev->bar0) ||
	    vfio_region_open(dev, VFIO_PCI_CONFIG_REGION_INDEX, &dev->config))
		return -1;
	return 0;
}

void vfio_close(struct vfio_device *dev)
{
	if (dev->bar0.mem)
		munmap(dev->bar0.mem, dev->bar0.size);
	if (dev->fd >= 0)
		close(dev->fd);
	dev->bar0.mem = NULL;
	dev->fd = -1;
}

int vfio_attach(struct vfio_device *dev, __u32 *pt_id)
{
	struct vfio_device_attach_iommufd_pt attach = {
		/* The published first size: later kernels added the PASID. */
		.argsz = offsetof(struct vfio_device_attach_iommufd_pt, pasid),
		.pt_id = *pt_id,
	};

	if (ioctl(dev->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach))
		return -1;
	*pt_id = attach.pt_id;
	return 0;
}

int vfio_detach(struct vfio_device *dev)
{
	struct vfio_device_detach_iommufd_pt detach = {
		.argsz = offsetof(struct vfio_device_detach_iommufd_pt, pasid),
	};

	return ioctl(dev->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach);
}

/* Set @set and clear @clear in the command register, and see that it took. */
static int change_command(struct vfio_device *dev, __u16 set, __u16 clear)
{
	const struct vfio_region *cfg = &dev->config;
	__u64 at = cfg->offset + PCI_COMMAND;
	__u16 command;

	if (pread(cfg->fd, &command, 2, at) != 2)
		return failed_errno("%s: cannot read the PCI command register",
				    dev->bdf);
	command = (command | set) & ~clear;
	if (pwrite(cfg->fd, &command, 2, at) != 2)
		return failed_errno("%s: cannot write the PCI command register",
				    dev->bdf);
	if (pread(cfg->fd, &command, 2, at) != 2 ||
	    (command & set) != set || (command & clear))
		return failed("%s: the PCI command register does not take 0x%x on, 0x%x off",
			      dev->bdf, set, clear);
	return 0;
}

int vfio_bus_master(struct vfio_device *dev, bool on)
{
	/* The drivers here poll: an interrupt would find no handler. */
	if (on)
		return change_command(dev, PCI_COMMAND_MASTER |
				      PCI_COMMAND_MEMORY |
				      PCI_COMMAND_INTX_DISABLE, 0);
	return change_command(dev, 0, PCI_COMMAND_MASTER);
}

int vfio_memory(struct vfio_device *dev, bool on)
{
	if (on)
		return change_command(dev, PCI_COMMAND_MEMORY, 0);
	return change_command(dev, 0, PCI_COMMAND_MEMORY);
}

__u32 region_read32(const struct vfio_region *reg, __u64 at)
{
	__u32 value;

	if (reg->mem)
		return __atomic_load_n((__u32 *)(reg->mem + at), __ATOMIC_ACQUIRE);
	if (pread(reg->fd, &value, sizeof(value), reg->offset + at) != sizeof(value))
		return ~0u;
	return value;
}

__u64 region_read64(const struct vfio_region *reg, __u64 at)
{
	__u64 value;

	if (reg->mem)
		return __atomic_load_n((__u64 *)(reg->mem + at), __ATOMIC_ACQUIRE);
	if (pread(reg->fd, &value, sizeof(value), reg->offset + at) != sizeof(value))
		return ~0ull;
	return value;
}

void region_write32(const struct vfio_region *reg, __u64 at, __u32 value)
{
	if (reg->mem)
		__atomic_store_n((__u32 *)(reg->mem + at), value, __ATOMIC_RELEASE);
	else if (pwrite(reg->fd, &value, sizeof(value), reg->offset + at) < 0)
		failed_errno("cannot write a device register");
}

void region_write64(const struct vfio_region *reg, __u64 at, __u64 value)
{
	if (reg->mem)
		__atomic_store_n((__u64 *)(reg->mem + at), value, __ATOMIC_RELEASE);
	else if (pwrite(reg->fd, &value, sizeof(value), reg->offset + at) < 0)
		failed_errno("cannot write a device register");
}
