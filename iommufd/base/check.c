// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: Fault points
 *
 * One fault attribute, "fail_iommufd", stands behind every iofd_fault().  A
 * test steers it in one of two ways:
 *
 *   /proc/self/fail-nth          this task's n-th fault point of any kind
 *   <debugfs>/fail_iommufd/      probability, interval, times, task-filter
 *
 * The attribute is global and has no lock: the fault injection core reads and
 * counts it racily by design, which at worst moves a fault by one call.
 *
 * Only built with CONFIG_FAULT_INJECTION; base/check.h has the empty versions.
 */
#include <linux/debugfs.h>
#include <linux/fault-inject.h>

#include "base/check.h"

static DECLARE_FAULT_ATTR(iofd_fault_attr);
static struct dentry *iofd_fault_dir;

/**
 * iofd_fault - ask whether this step has to fail now
 *
 * Context: any.
 * Return: true if the caller must behave as if the step had failed.
 */
bool iofd_fault(void)
{
	return should_fail(&iofd_fault_attr, 1);
}

/**
 * iofd_fault_init - publish the attribute in debugfs
 *
 * Without debugfs there is no directory and fail-nth still works, so there is
 * nothing to report.
 */
void iofd_fault_init(void)
{
	/*
	 * A fail-nth test passes each point many times; a stack trace per
	 * pass drowns its output.  The "verbose" file brings them back.
	 */
	iofd_fault_attr.verbose = 0;
	iofd_fault_dir = fault_create_debugfs_attr("fail_iommufd", NULL,
						   &iofd_fault_attr);
}

void iofd_fault_exit(void)
{
	debugfs_remove_recursive(iofd_fault_dir);
	iofd_fault_dir = NULL;
}
