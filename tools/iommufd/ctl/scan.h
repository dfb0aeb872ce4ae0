/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One look at the system.
 */
#ifndef IOMMUFDCTL_SCAN_H
#define IOMMUFDCTL_SCAN_H

#include "model.h"

/* False, with a message, if there is no /proc. */
bool scan(struct model *model);

#endif
