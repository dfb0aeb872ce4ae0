/* SPDX-License-Identifier: GPL-2.0-only */
/* Who pays for memory that devices can reach, and who is held to which limit. */
#ifndef DEMO_ACCOUNTING_H
#define DEMO_ACCOUNTING_H

#include "vfio.h"

/*
 * Shows it with two devices that nobody uses. 0, or -1 after it has told what
 * did not hold.
 */
int accounting_show(struct vfio_device *first, struct vfio_device *second);

#endif
