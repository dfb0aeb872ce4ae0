/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Areas: an IOVA range onto a slice of a page set, with a named state.
 *
 *           reserve            publish           close           unload
 *   (none) ---------> RESERVED --------> LIVE -----------> CLOSING -----> UNLOADING
 *     ^                   |               ^                  |              |
 *     |      cancel       |               |      reopen      |    resume    |
 *     +-------------------+               +------------------+--------------+
 *     |                             remove                                  |
 *     +---------------------------------------------------------------------+
 *
 *                     RESERVED   LIVE         CLOSING      UNLOADING
 *   in the tree       yes        yes          yes          yes
 *   blocks its IOVA   yes        yes          yes          yes
 *   may be copied,    no         yes          no           no
 *   pinned, accessed
 *   has pins          no         maybe        fewer        no
 *   has locks         no         maybe        no           no
 *   held              partly     iff the address space has domains
 *                                                          shrinking
 *   loaded            partly     everywhere   everywhere   shrinking
 *
 * The state changes under the address space's iova lock, held for write, and
 * its domains lock, held for read.  Who made an area RESERVED, CLOSING or
 * UNLOADING owns it: nobody else moves or frees it.
 */
#ifndef IOFD_SPACE_AREA_H
#define IOFD_SPACE_AREA_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/types.h>

#include "base/iova.h"
#include "memory/pages.h"

struct iofd_aspace;
struct iofd_member;
struct iommu_iotlb_gather;

enum iofd_area_state {
	IOFD_AREA_NEW,		/* not in a tree; its maker's alone */
	IOFD_AREA_RESERVED,
	IOFD_AREA_LIVE,
	IOFD_AREA_CLOSING,
	IOFD_AREA_UNLOADING,
} __packed;

/**
 * struct iofd_area - an IOVA range onto a slice of a page set
 * @node: IOVA range and link in the address space's used set
 * @work: link in the list of the operation that owns the area
 * @pages: page set, referenced
 * @byte: first byte of the slice in the page set
 * @hold: keeps the slice pinned while @held
 * @state: see above
 * @prot: IOMMU_READ and/or IOMMU_WRITE
 * @held: @hold is in the page set's tree
 * @in_room: it lies in the page set's room, and goes with the set
 * @orphan: the address of the memory is no longer valid; iova lock
 * @pins: pins of in-kernel users, made or being made; raised in state LIVE with
 *        the iova lock held
 * @pinning: calls that make a pin; until they end they use the area, pin or no
 *           pin
 * @locks: those among @pins whose users are not asked to let go
 */
struct iofd_area {
	struct iofd_iova_node node;
	struct list_head work;
	struct iofd_pages *pages;
	unsigned long byte;
	struct iofd_hold hold;
	enum iofd_area_state state;
	u8 prot;
	bool held;
	bool in_room : 1;
	bool orphan : 1;
	atomic_t pins;
	atomic_t pinning;
	atomic_t locks;
};

static inline struct iofd_area *iofd_area_of(struct iofd_iova_node *node)
{
	return node ? container_of(node, struct iofd_area, node) : NULL;
}

struct iofd_area *iofd_area_create(struct iofd_pages *pages, unsigned long byte,
				   unsigned long length, int prot);
struct iofd_area *iofd_area_create_first(struct iofd_pages *pages,
					 unsigned long length, int prot);
void iofd_area_free(struct iofd_area *area);

void iofd_area_reserve(struct iofd_aspace *aspace, struct iofd_area *area,
		       unsigned long first);
void iofd_area_cancel(struct iofd_aspace *aspace, struct iofd_area *area);
void iofd_area_publish(struct iofd_aspace *aspace, struct iofd_area *area);
void iofd_area_close(struct iofd_aspace *aspace, struct iofd_area *area);
void iofd_area_reopen(struct iofd_aspace *aspace, struct iofd_area *area);
void iofd_area_begin_unload(struct iofd_aspace *aspace, struct iofd_area *area);
void iofd_area_resume(struct iofd_aspace *aspace, struct iofd_area *area);
void iofd_area_remove(struct iofd_aspace *aspace, struct iofd_area *area);

void iofd_area_split(struct iofd_aspace *aspace, struct iofd_area *left,
		     struct iofd_area *right);

int iofd_area_hold(struct iofd_area *area);
void iofd_area_release(struct iofd_area *area);
int iofd_area_load(struct iofd_aspace *aspace, struct iofd_area *area,
		   struct iofd_member *member);
void iofd_area_unload(struct iofd_aspace *aspace, struct iofd_area *area,
		      struct iofd_member *member,
		      struct iommu_iotlb_gather *gather);

static inline unsigned long iofd_area_length(const struct iofd_area *area)
{
	return iofd_range_length(area->node.range);
}

/* Offset of the first byte in its page. */
static inline unsigned int iofd_area_page_offset(const struct iofd_area *area)
{
	return iofd_pages_page_offset(area->pages, area->byte);
}

#endif
