/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where an IOVA range may go.
 *
 * Three sets over 0..ULONG_MAX:
 *
 *   used      disjoint ranges, one node each, owned and embedded by the caller
 *             (an area of an address space)
 *   reserved  ranges nobody may map, each with an owner; may overlap
 *   allowed   ranges to which automatic placement is confined; empty list:
 *             no confinement.  Never meets reserved.
 *
 * and the alignment that every mapping has to keep.
 *
 * The used set is an rbtree ordered by IOVA and augmented with the largest gap
 * below each subtree, so inserting and removing allocate nothing, and choosing
 * a place is logarithmic in the number of mappings.
 *
 * Locking: none of its own; the caller serialises (the address space's iova
 * lock).  Find functions may run under a shared lock.
 */
#ifndef IOFD_BASE_IOVA_H
#define IOFD_BASE_IOVA_H

#include <linux/rbtree.h>
#include <linux/types.h>

#include "base/range.h"

struct device;

/**
 * struct iofd_iova_node - one used range, embedded in its user
 * @rb: link in the used tree
 * @range: the IOVAs that are used
 * @gap: free units between the predecessor's last and @range.first
 * @max_gap: largest @gap in the subtree under this node
 */
struct iofd_iova_node {
	struct rb_node rb;
	struct iofd_range range;
	unsigned long gap;
	unsigned long max_gap;
};

/**
 * struct iofd_iova - the three sets and the alignment
 * @used: tree of struct iofd_iova_node
 * @reserved: interval tree of reservations
 * @allowed: interval tree of allowed ranges
 * @alignment: power of two, 1..PAGE_SIZE, that IOVA, length and the offset
 *             in the memory must keep; kept here, decided by the caller
 */
struct iofd_iova {
	struct rb_root used;
	struct rb_root_cached reserved;
	struct rb_root_cached allowed;
	unsigned long alignment;
};

void iofd_iova_init(struct iofd_iova *iova);
/* Frees reservations and the allowed list; the used set must be empty. */
void iofd_iova_fini(struct iofd_iova *iova);

/* used */
struct iofd_iova_node *iofd_iova_used_first(const struct iofd_iova *iova,
					    struct iofd_range range);
struct iofd_iova_node *iofd_iova_used_next(const struct iofd_iova_node *node,
					   struct iofd_range range);
void iofd_iova_use(struct iofd_iova *iova, struct iofd_iova_node *node);
void iofd_iova_unuse(struct iofd_iova *iova, struct iofd_iova_node *node);
static inline bool iofd_iova_used_empty(const struct iofd_iova *iova)
{
	return RB_EMPTY_ROOT(&iova->used);
}

/* reserved */
int iofd_iova_reserve(struct iofd_iova *iova, struct iofd_range range,
		      const void *owner);
int iofd_iova_reserve_for(struct iofd_iova *iova, struct iofd_range range,
			  const void *owner, const struct device *dev);
void iofd_iova_unreserve(struct iofd_iova *iova, const void *owner);
bool iofd_iova_is_reserved(const struct iofd_iova *iova,
			   struct iofd_range range);
/* The reserved range with the lowest first address that meets @range. */
bool iofd_iova_reserved_first(const struct iofd_iova *iova,
			      struct iofd_range range, struct iofd_range *found);
/* The device it was made for, NULL: none, or nothing is reserved there. */
const struct device *iofd_iova_reserved_for(const struct iofd_iova *iova,
					    struct iofd_range range);
/*
 * The first gap between reserved ranges that has a value at or above @from,
 * cut off below @from; false when there is none.  Adjacent reserved ranges
 * leave no gap, so a walk goes on at gap->last + 1 (unless that wraps).
 */
bool iofd_iova_next_usable(const struct iofd_iova *iova, unsigned long from,
			   struct iofd_range *gap);

/* allowed: built aside by the caller, then put in place as a whole */
int iofd_iova_allowed_add(struct rb_root_cached *list, struct iofd_range range);
void iofd_iova_allowed_free(struct rb_root_cached *list);
int iofd_iova_allowed_replace(struct iofd_iova *iova,
			      struct rb_root_cached *list);

/* placing */
int iofd_iova_check_fixed(const struct iofd_iova *iova,
			  struct iofd_range range);
int iofd_iova_find_free(const struct iofd_iova *iova, unsigned long length,
			unsigned long addr, struct iofd_range *out);

#endif
