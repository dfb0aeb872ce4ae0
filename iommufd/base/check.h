/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Own invariants and fault points.
 *
 * iofd_check() states what this driver promises itself; it is compiled only
 * with CONFIG_IOMMUFD_DEBUG and never decides anything.  A broken caller
 * outside of the driver is WARN_ON_ONCE() plus an error instead, and a layout
 * is a static_assert().
 *
 * iofd_fault() is a place where a test may make a step fail that otherwise
 * fails only when the machine is short of something.  It is driven by the
 * kernel's fault injection (debugfs fail_iommufd, per-task fail-nth) and
 * vanishes without CONFIG_FAULT_INJECTION.
 */
#ifndef IOFD_BASE_CHECK_H
#define IOFD_BASE_CHECK_H

#include <linux/bug.h>
#include <linux/kconfig.h>
#include <linux/types.h>

#ifdef CONFIG_IOMMUFD_DEBUG
#define iofd_check(cond) ((void)WARN_ON_ONCE(!(cond)))
#else
#define iofd_check(cond) ((void)(sizeof(!(cond))))
#endif

#ifdef CONFIG_FAULT_INJECTION
bool iofd_fault(void);
void iofd_fault_init(void);
void iofd_fault_exit(void);
#else
static inline bool iofd_fault(void)
{
	return false;
}

static inline void iofd_fault_init(void)
{
}

static inline void iofd_fault_exit(void)
{
}
#endif

#endif
