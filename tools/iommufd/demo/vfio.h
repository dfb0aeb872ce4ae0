/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PCI device bound to vfio-pci, used through its device node
 * /dev/vfio/devices/vfioN: find it, bind it to an iommufd, attach it to an
 * address space, reach its registers.
 *
 * Functions that return int return 0, or -1 after they have told why, except
 * vfio_attach() and vfio_detach(), which leave errno to the caller.
 */
#ifndef DEMO_VFIO_H
#define DEMO_VFIO_H

#include <linux/types.h>
#include <stdbool.h>

struct vfio_region {
	int fd;			/* the device's */
	__u64 offset;		/* of the region in fd */
	__u64 size;
	unsigned char *mem;	/* mapped, or NULL: then read and write fd */
};

struct vfio_device {
	char bdf[16];		/* "0000:00:03.0" */
	char node[80];
	int fd;
	__u32 dev_id;		/* in the iommufd it was bound to */
	struct vfio_region bar0;
	struct vfio_region config;
};

/* What to look for; a mask of 0 in @class_mask leaves the class out. */
struct vfio_match {
	const char *name;	/* for people */
	__u32 vendor, device;	/* 0 matches all */
	__u32 class, class_mask;
};

/* Find the first device of this kind that is bound to vfio-pci. */
int vfio_find(const struct vfio_match *match, struct vfio_device *dev);

/* Open its node, hand it to @iommufd, and get at its regions. */
int vfio_open(struct vfio_device *dev, int iommufd);
void vfio_close(struct vfio_device *dev);

/* Get at region @index; its memory, if any, is the caller's to unmap. */
int vfio_region_open(struct vfio_device *dev, __u32 index,
		     struct vfio_region *reg);

/* @pt_id: in: an IOAS or page table; out: the page table in use. */
int vfio_attach(struct vfio_device *dev, __u32 *pt_id);
int vfio_detach(struct vfio_device *dev);

/* Let the device start DMA by itself, or forbid it. */
int vfio_bus_master(struct vfio_device *dev, bool on);

/* Let the device answer at its memory addresses, or not. */
int vfio_memory(struct vfio_device *dev, bool on);

__u32 region_read32(const struct vfio_region *reg, __u64 at);
__u64 region_read64(const struct vfio_region *reg, __u64 at);
void region_write32(const struct vfio_region *reg, __u64 at, __u32 value);
void region_write64(const struct vfio_region *reg, __u64 at, __u64 value);

#endif
