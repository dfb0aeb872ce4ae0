/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a test asks of the mediated device: ioctls of the VFIO device's file,
 * beside those of VFIO itself. They say what vfio_pin_pages() and its like
 * said.
 */
#ifndef IOFD_MDEV_H
#define IOFD_MDEV_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* The parent, as /sys/class/mdev_bus has it */
#define IOFD_MDEV_PARENT "iofd_mdev"

/* The most pages of one pin, and bytes of one copy */
#define IOFD_MDEV_MAX_PAGES 4096
#define IOFD_MDEV_MAX_BYTES 0x100000

/* Flags of PIN, UNPIN (the last only) and RW (the first two) */
#define IOFD_MDEV_WRITE 1	/* the CPU writes the memory behind the IOVAs */
#define IOFD_MDEV_KTHREAD 2	/* by a thread that has no memory of its own */
#define IOFD_MDEV_UNLOCKED 4	/* not under the lock that dma_unmap() takes */

/*
 * With @uptr the pages have to be the caller's there, or it is EBADE. UNPIN
 * takes the same @iova and @npages as a PIN, and says ENOENT if there is no
 * such pin (any more).
 */
struct iofd_mdev_pin {
	__u64 iova;
	__u64 uptr;
	__u32 npages;
	__u32 flags;
};

struct iofd_mdev_rw {
	__u64 iova;
	__u64 uptr;
	__u32 length;
	__u32 flags;
};

/* How the device has fared since it was made; outlives its files. */
struct iofd_mdev_stat {
	__u64 unmaps;		/* calls of dma_unmap() */
	__u64 iova;		/* what the last of them was for */
	__u64 length;
	__u32 pins;		/* that there are */
	__u32 pad;
};

#define IOFD_MDEV_PIN	_IOW('M', 0x80, struct iofd_mdev_pin)
#define IOFD_MDEV_UNPIN	_IOW('M', 0x81, struct iofd_mdev_pin)
#define IOFD_MDEV_RW	_IOW('M', 0x82, struct iofd_mdev_rw)
#define IOFD_MDEV_STAT	_IOR('M', 0x83, struct iofd_mdev_stat)
/* Closing the file leaves the pins to whoever takes the IOMMU away. */
#define IOFD_MDEV_KEEP	_IO('M', 0x84)

#endif
