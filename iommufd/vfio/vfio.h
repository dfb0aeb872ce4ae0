/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VFIO container on top of an IOAS.
 */
#ifndef IOFD_VFIO_VFIO_H
#define IOFD_VFIO_VFIO_H

struct iofd_ucmd;

int vfio_ioas_ioctl(struct iofd_ucmd *ucmd);

#endif
