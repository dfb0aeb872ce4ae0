// SPDX-License-Identifier: GPL-2.0-only
/*
 * The demo's NVMe driver by the old road: group and container, as a program
 * from before /dev/iommu takes it.
 *
 *   nvme-container <container> [<name>@<sector>]...
 *
 * Reads the first 4 MiB of the disk, whose content is known (make-disk.py), and
 * for each <name>@<sector> a MiB that a guest of that name has written there
 * (inner-init). Then takes the buffer away from the disk, and has it read
 * once more: what it cannot reach must be as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "memory.h"
#include "nvme.h"
#include "report.h"

#define QUEUES_IOVA	0x01000000ull
#define BUFFER_IOVA	0x02000000ull
#define KNOWN_BYTES	(4 * MIB)
#define WRITTEN_BYTES	MIB
#define LINE		64
#define SECTOR		512

struct container {
	int fd;
	int group;
	struct nvme nvme;
	struct memory queues;
	struct memory buffer;
};

/* The group of a PCI device has the number its iommu_group link ends in. */
static int open_group(struct container *c)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char path[128], target[256];
	const char *number;
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group",
		 c->nvme.dev.bdf);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return failed_errno("%s has no group", c->nvme.dev.bdf);
	target[len] = 0;
	number = strrchr(target, '/');
	snprintf(path, sizeof(path), "/dev/vfio/%.32s", number ? number + 1 : target);
	c->group = open(path, O_RDWR | O_CLOEXEC);
	if (c->group < 0)
		return failed_errno("cannot open %s", path);
	if (ioctl(c->group, VFIO_GROUP_GET_STATUS, &status))
		return failed_errno("%s: no status", path);
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return failed("%s is not viable", path);
	return 0;
}

/* The order every such program has: version, group, IOMMU, device. */
static int open_container(struct container *c, const char *path)
{
	struct vfio_device *dev = &c->nvme.dev;

	c->fd = open(path, O_RDWR | O_CLOEXEC);
	if (c->fd < 0)
		return failed_errno("cannot open %s", path);
	if (ioctl(c->fd, VFIO_GET_API_VERSION) != VFIO_API_VERSION)
		return failed("%s has another version", path);
	if (ioctl(c->fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) != 1)
		return failed("%s does not do type1v2", path);
	if (open_group(c))
		return -1;
	if (ioctl(c->group, VFIO_GROUP_SET_CONTAINER, &c->fd))
		return failed_errno("the group does not join the container");
	if (ioctl(c->fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return failed_errno("the container does not take type1v2");
	dev->fd = ioctl(c->group, VFIO_GROUP_GET_DEVICE_FD, dev->bdf);
	if (dev->fd < 0)
		return failed_errno("no device from the group");
	if (vfio_region_open(dev, VFIO_PCI_BAR0_REGION_INDEX, &dev->bar0) ||
	    vfio_region_open(dev, VFIO_PCI_CONFIG_REGION_INDEX, &dev->config))
		return -1;
	proved("%s is in a group of the container, its device is open", dev->bdf);
	return 0;
}

static int map_memory(struct container *c, struct memory *mem, __u64 iova)
{
	struct vfio_iommu_type1_dma_map cmd = {
		.argsz = sizeof(cmd),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (__u64)(unsigned long)mem->va,
		.iova = iova,
		.size = mem->size,
	};

	if (ioctl(c->fd, VFIO_IOMMU_MAP_DMA, &cmd))
		return failed_errno("cannot map %zu bytes for the disk", mem->size);
	mem->iova = iova;
	return 0;
}

static int unmap_memory(struct container *c, struct memory *mem)
{
	struct vfio_iommu_type1_dma_unmap cmd = {
		.argsz = sizeof(cmd),
		.iova = mem->iova,
		.size = mem->size,
	};

	if (ioctl(c->fd, VFIO_IOMMU_UNMAP_DMA, &cmd))
		return failed_errno("cannot unmap");
	if (cmd.size != mem->size)
		return failed("%llu bytes were unmapped instead of %zu",
			      (unsigned long long)cmd.size, mem->size);
	return 0;
}

static int start(struct container *c, const char *path)
{
	if (vfio_find(&nvme_match, &c->nvme.dev) || open_container(c, path) ||
	    memory_alloc(&c->queues, MEMORY_4K, HUGE_PAGE) ||
	    memory_alloc(&c->buffer, MEMORY_4K, HUGE_PAGE) ||
	    map_memory(c, &c->queues, QUEUES_IOVA) || map_memory(c, &c->buffer, BUFFER_IOVA) ||
	    vfio_bus_master(&c->nvme.dev, true) ||
	    nvme_start(&c->nvme, c->queues.va, QUEUES_IOVA))
		return -1;
	if (c->nvme.sector_size != SECTOR)
		return failed("the disk has sectors of %u bytes",
			      c->nvme.sector_size);
	proved("the disk %s answers", c->nvme.serial);
	return 0;
}

/* Read @bytes from @sector on to the start of the buffer. */
static int read_disk(struct container *c, __u64 sector, size_t bytes)
{
	__u32 most = c->nvme.max_transfer;
	size_t at;

	memset(c->buffer.va, 0xa5, bytes);
	for (at = 0; at < bytes; at += most) {
		__u32 part = bytes - at < most ? bytes - at : most;

		if (nvme_read(&c->nvme, sector + at / SECTOR, part / SECTOR,
			      BUFFER_IOVA + at))
			return -1;
	}
	return 0;
}

static int check_known(struct container *c, __u64 sector, size_t bytes)
{
	char text[32];
	size_t at, i;

	for (at = 0; at < bytes; at += SECTOR) {
		const unsigned char *data = c->buffer.va + at;
		__u64 n = sector + at / SECTOR;

		snprintf(text, sizeof(text), "iommufd demo sector %08u\n",
			 (unsigned int)n);
		for (i = 29; i < SECTOR; i++) {
			if (data[i] != ((n * 31 + i * 7 + (n >> 8)) & 0xff))
				break;
		}
		if (memcmp(data, text, 29) || i < SECTOR)
			return failed("sector %llu has other bytes",
				      (unsigned long long)n);
	}
	return 0;
}

static int read_known(struct container *c, const char *unused)
{
	size_t at;

	(void)unused;
	for (at = 0; at < KNOWN_BYTES; at += c->buffer.size) {
		if (read_disk(c, at / SECTOR, c->buffer.size) ||
		    check_known(c, at / SECTOR, c->buffer.size))
			return -1;
	}
	proved("%lu MiB of the disk are what they should be", KNOWN_BYTES / MIB);
	return 0;
}

/* A guest writes lines of 64 bytes: its name and the number of the line. */
static int read_written(struct container *c, const char *arg)
{
	const char *at_sign = strrchr(arg, '@');
	char text[LINE + 1], line[LINE];
	unsigned int i;
	int name_len;

	if (!at_sign)
		return failed("'%s' is no <name>@<sector>", arg);
	name_len = at_sign - arg;
	if (read_disk(c, strtoull(at_sign + 1, NULL, 0), WRITTEN_BYTES))
		return -1;
	for (i = 0; i < WRITTEN_BYTES / LINE; i++) {
		snprintf(line, sizeof(line), "%.*s line %u", name_len, arg, i);
		snprintf(text, sizeof(text), "%-*s\n", LINE - 1, line);
		if (memcmp(c->buffer.va + i * LINE, text, LINE))
			return failed("line %u of what guest %.*s wrote has other bytes",
				      i, name_len, arg);
	}
	proved("what guest %.*s wrote is on the disk", name_len, arg);
	return 0;
}

static int read_after_unmap(struct container *c, const char *unused)
{
	size_t i;

	(void)unused;
	memset(c->buffer.va, 0x5a, c->buffer.size);
	if (unmap_memory(c, &c->buffer))
		return -1;
	/* An emulated disk calls this a success, a real one an error. */
	note("the disk may complain about the next read");
	nvme_read(&c->nvme, 0, NVME_PAGE / SECTOR, BUFFER_IOVA);
	for (i = 0; i < c->buffer.size; i++) {
		if (c->buffer.va[i] != 0x5a)
			return failed("byte %zu of unmapped memory changed", i);
	}
	proved("memory that was unmapped is out of the disk's reach");
	return 0;
}

static int stop(struct container *c, const char *unused)
{
	(void)unused;
	if (nvme_stop(&c->nvme) || vfio_bus_master(&c->nvme.dev, false) ||
	    unmap_memory(c, &c->queues))
		return -1;
	vfio_close(&c->nvme.dev);
	if (ioctl(c->group, VFIO_GROUP_UNSET_CONTAINER))
		return failed_errno("the group does not leave the container");
	close(c->group);
	close(c->fd);
	memory_free(&c->buffer);
	memory_free(&c->queues);
	return 0;
}

static bool step(const char *title, int (*run)(struct container *, const char *),
		 struct container *c, const char *arg)
{
	bool held;

	step_begin(title);
	held = !run(c, arg);
	step_end(held);
	return held;
}

int main(int argc, char **argv)
{
	static struct container c;
	bool held;
	int i;

	if (argc < 2) {
		fprintf(stderr, "usage: nvme-container <container> [<name>@<sector>]...\n");
		return 2;
	}
	report_init(4 + argc - 2);
	held = step("the disk through group and container", start, &c, argv[1]) &&
	       step("read what is known", read_known, &c, NULL);
	for (i = 2; held && i < argc; i++)
		held = step("read what a guest wrote", read_written, &c, argv[i]);
	held = held && step("read into memory that is unmapped",
			    read_after_unmap, &c, NULL) &&
	       step("stop", stop, &c, NULL);
	return report_table() && held ? 0 : 1;
}
