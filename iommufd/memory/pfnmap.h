/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device memory that a process has in its address space: the mmap of a PCI BAR.
 */
#ifndef IOFD_MEMORY_PFNMAP_H
#define IOFD_MEMORY_PFNMAP_H

#include <linux/err.h>
#include <linux/types.h>

struct iofd_pages;

#ifdef CONFIG_IOMMUFD_PFNMAP
/* Module parameter: may device memory be mapped by address at all? */
extern bool iofd_pfnmap_allow;

bool iofd_pfnmap_at(unsigned long uptr);
void iofd_pfnmap_explain(unsigned long uptr);
struct iofd_pages *iofd_pfnmap_pages_create(unsigned long uptr,
					    unsigned long length,
					    bool writable);
void iofd_pfnmap_exit(void);
#else
static inline bool iofd_pfnmap_at(unsigned long uptr)
{
	return false;
}

static inline void iofd_pfnmap_explain(unsigned long uptr)
{
}

static inline struct iofd_pages *
iofd_pfnmap_pages_create(unsigned long uptr, unsigned long length,
			 bool writable)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void iofd_pfnmap_exit(void)
{
}
#endif

#endif
