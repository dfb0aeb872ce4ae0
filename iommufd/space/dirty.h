/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What devices have written: between the files of this room.
 */
#ifndef IOFD_SPACE_DIRTY_H
#define IOFD_SPACE_DIRTY_H

#include <linux/list.h>

struct iofd_aspace;
struct iofd_bitmap;
struct iofd_member;

/* Of map.c: the areas are UNLOADING and the caller's. */
int iofd_dirty_collect(struct iofd_aspace *aspace, struct list_head *areas,
		       const struct iofd_bitmap *to);

/* Of domains.c, users.c: what comes and goes while writes are tracked. */
void iofd_dirty_join(struct iofd_aspace *aspace, struct iofd_member *member);
void iofd_dirty_lose(struct iofd_aspace *aspace);

#endif
