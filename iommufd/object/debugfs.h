/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an administrator sees of all contexts in debugfs.
 */
#ifndef IOFD_OBJECT_DEBUGFS_H
#define IOFD_OBJECT_DEBUGFS_H

struct iommufd_ctx;

#ifdef CONFIG_DEBUG_FS
void iofd_debugfs_init(void);
void iofd_debugfs_exit(void);
void iofd_debugfs_add(struct iommufd_ctx *ictx);
void iofd_debugfs_remove(struct iommufd_ctx *ictx);
#else
static inline void iofd_debugfs_init(void)
{
}

static inline void iofd_debugfs_exit(void)
{
}

static inline void iofd_debugfs_add(struct iommufd_ctx *ictx)
{
}

static inline void iofd_debugfs_remove(struct iommufd_ctx *ictx)
{
}
#endif

#endif
