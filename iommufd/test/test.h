/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The test room's door for the roof: nothing else calls in here.
 */
#ifndef IOFD_TEST_TEST_H
#define IOFD_TEST_TEST_H

#include <linux/init.h>

#include "object/ioas.h"

struct iofd_object_type;
struct iofd_ucmd;

#ifdef CONFIG_IOMMUFD_TEST
int iofd_test_ioctl(struct iofd_ucmd *ucmd);
int iofd_test_copy_ioctl(struct iofd_ucmd *ucmd);
extern const struct iofd_object_type iofd_test_object_type;

int __init iofd_test_init(void);
void iofd_test_exit(void);
#else
static inline int iofd_test_copy_ioctl(struct iofd_ucmd *ucmd)
{
	return ioas_copy_ioctl(ucmd);
}

static inline int iofd_test_init(void)
{
	return 0;
}

static inline void iofd_test_exit(void)
{
}
#endif

#endif
