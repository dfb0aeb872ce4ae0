/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PCI devices through their VFIO character devices, and QEMU's edu (1234:11e8):
 * it has a buffer of 4096 bytes and copies between it and memory by DMA, so
 * what it can reach is seen by what arrives.
 */
#ifndef SELFTESTS_IOMMUFD_VFIO_H
#define SELFTESTS_IOMMUFD_VFIO_H

#include <dirent.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "util.h"

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8
#define NVME_VENDOR 0x1b36
#define NVME_DEVICE 0x0010
/* Its BAR 2 is plain memory. */
#define IVSHMEM_VENDOR 0x1af4
#define IVSHMEM_DEVICE 0x1110

/* Where no memory can be mapped: the machine's window for interrupts */
#ifdef __aarch64__
#define MSI_FIRST 0x8000000UL
#define MSI_LAST 0x80fffffUL
#else
#define MSI_FIRST 0xfee00000UL
#define MSI_LAST 0xfeefffffUL
#endif

/* Registers in BAR 0 */
#define EDU_ID 0x00
#define EDU_LIVENESS 0x04
#define EDU_IRQ_RAISE 0x60
#define EDU_IRQ_ACK 0x64
#define EDU_DMA_FROM 0x80
#define EDU_DMA_TO 0x88
#define EDU_DMA_COUNT 0x90
#define EDU_DMA_COMMAND 0x98
#define EDU_DMA_START 1
#define EDU_DMA_TO_MEMORY 2
#define EDU_BUFFER 0x40000

/* QEMU up to 8 takes the last byte of the buffer for out of range. */
#define EDU_CHUNK 2048

/* The device, once there is a descriptor of it */
struct edu {
	int dev;
	uint32_t *regs;
	size_t size;
};

static inline bool read_hex(const char *dir, const char *name,
			    unsigned int *val)
{
	char path[512];
	bool good;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	if (!f)
		return false;
	good = fscanf(f, "%x", val) == 1;
	fclose(f);
	return good;
}

/*
 * The sysfs directory of the device number @nth of a kind, from 0 on in the order
 * of their slots, or false
 */
static inline bool find_pci_nth(unsigned int want_vendor,
				unsigned int want_device, unsigned int nth,
				char *path, size_t size)
{
	static const char devices[] = "/sys/bus/pci/devices";
	unsigned int vendor, device;
	struct dirent **entries;
	bool found = false;
	int n, i;

	n = scandir(devices, &entries, NULL, alphasort);
	for (i = 0; i < n; i++) {
		if (!found && entries[i]->d_name[0] != '.') {
			snprintf(path, size, "%s/%s", devices,
				 entries[i]->d_name);
			found = read_hex(path, "vendor", &vendor) &&
				read_hex(path, "device", &device) &&
				vendor == want_vendor &&
				device == want_device && !nth--;
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return found;
}

static inline bool find_pci(unsigned int vendor, unsigned int device,
			    char *path, size_t size)
{
	return find_pci_nth(vendor, device, 0, path, size);
}

/* The node of a device's VFIO group */
static inline bool find_group(const char *path, char *node, size_t size)
{
	char link[512], target[300];
	ssize_t n;

	snprintf(link, sizeof(link), "%s/iommu_group", path);
	n = readlink(link, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = 0;
	snprintf(node, size, "/dev/vfio%s", strrchr(target, '/'));
	return true;
}

/* The character device of a PCI device that vfio-pci drives */
static inline bool find_cdev(const char *path, char *node, size_t size)
{
	struct dirent *entry;
	char sub[512];
	bool found = false;
	DIR *dir;

	snprintf(sub, sizeof(sub), "%s/vfio-dev", path);
	dir = opendir(sub);
	while (dir && !found && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "vfio", 4))
			continue;
		snprintf(node, size, "/dev/vfio/devices/%s", entry->d_name);
		found = true;
	}
	if (dir)
		closedir(dir);
	return found;
}

static inline int vfio_bind(int dev, int fd, uint32_t *id)
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
static inline int vfio_attach(int dev, uint32_t pt, uint32_t *hwpt)
{
	struct vfio_device_attach_iommufd_pt cmd = {
		.argsz = sizeof(cmd),
		.pt_id = pt,
	};
	int err = t_call(dev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd);

	if (!err && hwpt)
		*hwpt = cmd.pt_id;
	return err;
}

static inline int vfio_detach(int dev)
{
	struct vfio_device_detach_iommufd_pt cmd = { .argsz = sizeof(cmd) };

	return t_call(dev, VFIO_DEVICE_DETACH_IOMMUFD_PT, &cmd);
}

/* The device's first MSI, by way of @eventfd */
static inline int vfio_msi(int dev, int eventfd)
{
	uint32_t room[(sizeof(struct vfio_irq_set) + sizeof(int)) / 4] = {};
	struct vfio_irq_set *set = (void *)room;

	set->argsz = sizeof(room);
	set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = VFIO_PCI_MSI_IRQ_INDEX;
	set->count = 1;
	memcpy(set->data, &eventfd, sizeof(eventfd));
	return t_call(dev, VFIO_DEVICE_SET_IRQS, set);
}

/* Memory decoding on or off, as a guest does it by the command register. */
static inline int vfio_decode(int dev, bool on)
{
	struct vfio_region_info region = {
		.argsz = sizeof(region),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint64_t at;
	uint16_t command;
	int err;

	err = t_call(dev, VFIO_DEVICE_GET_REGION_INFO, &region);
	at = region.offset + PCI_COMMAND;
	if (!err)
		err = pread(dev, &command, 2, at) == 2 ? 0 : EIO;
	if (err)
		return err;
	if (on)
		command |= PCI_COMMAND_MEMORY;
	else
		command &= ~PCI_COMMAND_MEMORY;
	return pwrite(dev, &command, 2, at) == 2 ? 0 : EIO;
}

/* Each access of a register is one, and in this order. */
static inline uint32_t edu_get(struct edu *edu, unsigned int reg)
{
	return __atomic_load_n(&edu->regs[reg / 4], __ATOMIC_SEQ_CST);
}

static inline void edu_set(struct edu *edu, unsigned int reg, uint32_t val)
{
	__atomic_store_n(&edu->regs[reg / 4], val, __ATOMIC_RELEASE);
}

/*
 * Opens the character device. Returns why there is none, or NULL: a device that is
 * there and not ready for use is a failure.
 */
static inline const char *edu_open(struct __test_metadata *_metadata,
				   struct edu *edu)
{
	char path[300], node[300];

	edu->dev = -1;
	if (access("/sys/kernel/iommu_groups/0", F_OK))
		return "machine without an IOMMU";
	if (!find_pci(EDU_VENDOR, EDU_DEVICE, path, sizeof(path)))
		return "no PCI device 1234:11e8 (QEMU: -device edu)";
	ASSERT_TRUE(find_cdev(path, node, sizeof(node)))
		TH_LOG("%s is not bound to vfio-pci", path);
	edu->dev = open(node, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, edu->dev)
		TH_LOG("%s: %m", node);
	return NULL;
}

/* Maps the registers, lets the device do DMA, and sees whether it answers. */
static inline void edu_start(struct __test_metadata *_metadata, struct edu *edu)
{
	struct vfio_region_info region = {
		.argsz = sizeof(region),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	uint16_t command;

	ASSERT_EQ(0, t_call(edu->dev, VFIO_DEVICE_GET_REGION_INFO, &region));
	edu->size = region.size;
	edu->regs = mmap(NULL, region.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 edu->dev, region.offset);
	ASSERT_NE(MAP_FAILED, edu->regs);
	region.index = VFIO_PCI_CONFIG_REGION_INDEX;
	ASSERT_EQ(0, t_call(edu->dev, VFIO_DEVICE_GET_REGION_INFO, &region));
	ASSERT_EQ(2, pread(edu->dev, &command, 2,
			   region.offset + PCI_COMMAND));
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	ASSERT_EQ(2, pwrite(edu->dev, &command, 2,
			    region.offset + PCI_COMMAND));

	ASSERT_EQ(0xed, edu_get(edu, EDU_ID) & 0xff);
	edu_set(edu, EDU_LIVENESS, 0x12345678);
	ASSERT_EQ(~0x12345678U, edu_get(edu, EDU_LIVENESS));
}

/* A mapping of the registers holds the device like a descriptor. */
static inline void edu_close(struct edu *edu)
{
	if (edu->regs)
		munmap(edu->regs, edu->size);
	if (edu->dev >= 0)
		close(edu->dev);
	edu->regs = NULL;
	edu->dev = -1;
}

static inline void edu_dma(struct __test_metadata *_metadata, struct edu *edu,
			   uint32_t from, uint32_t to, uint32_t command)
{
	double end = t_seconds() + 20;

	edu_set(edu, EDU_DMA_FROM, from);
	edu_set(edu, EDU_DMA_TO, to);
	edu_set(edu, EDU_DMA_COUNT, EDU_CHUNK);
	edu_set(edu, EDU_DMA_COMMAND, EDU_DMA_START | command);
	while (edu_get(edu, EDU_DMA_COMMAND) & EDU_DMA_START) {
		ASSERT_GT(end, t_seconds())
			TH_LOG("edu does not finish");
		usleep(5000);
	}
}

/* The device reads memory at @iova. */
#define EDU_READ(iova)                                                   \
	edu_dma(_metadata, &self->edu, iova, EDU_BUFFER, 0)
/* The device writes memory at @iova. */
#define EDU_WRITE(iova)                                                  \
	edu_dma(_metadata, &self->edu, EDU_BUFFER, iova, EDU_DMA_TO_MEMORY)

static inline void fill(char *va, unsigned int seed)
{
	uint64_t state = 0x9e3779b97f4a7c15ULL * (seed + 1);
	size_t i;

	for (i = 0; i < EDU_CHUNK; i++)
		va[i] = t_random(&state);
}

static inline bool is_all(const char *va, int byte)
{
	size_t i;

	for (i = 0; i < EDU_CHUNK; i++)
		if (va[i] != byte)
			return false;
	return true;
}

#endif
