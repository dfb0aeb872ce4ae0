/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * I/O address spaces: a table of areas, and the domains that all hold it.
 *
 * Every domain of an address space always holds all of its areas; verbs that
 * add or remove either of them are below.  Two locks, private to this room:
 *
 *   domains   rw_semaphore.  Read: areas come and go, the set of domains does
 *             not.  Write: the other way round, so under it no area is
 *             RESERVED or UNLOADING.
 *   iova      rw_semaphore, inside domains.  Guards the IOVA sets, area
 *             states and the list of in-kernel users.  Held for read while an
 *             in-kernel user copies; never while memory is pinned or loaded.
 */
#ifndef IOFD_SPACE_ASPACE_H
#define IOFD_SPACE_ASPACE_H

#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/rwsem.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "base/iova.h"
#include "builtin/msi.h"
#include "memory/copy.h"
#include "memory/pages.h"

/**
 * struct iofd_aspace - an I/O address space; members are private to space/
 * @context: number of its context, for traces
 * @id: of its IOAS, for traces
 * @domains_rwsem: guards the list @domains, @ndomains and @huge_pages
 * @domains: struct iofd_member
 * @ndomains: length of @domains
 * @iova_rwsem: guards @iova, the four sums below, states of areas and @users
 * @iova: used, reserved and allowed IOVAs and the alignment
 * @nareas: areas in @iova
 * @mapped: bytes of all areas
 * @pinnable: bytes of the pages that are pinned if all areas are held
 * @norphans: areas without address, see orphan.c
 * @users: in-kernel users, struct iofd_aspace_user
 * @nusers: length of @users
 * @idle: woken when a user's @running or an area's @pinning falls to 0
 * @huge_pages: large IOPTEs may be used
 * @tracked: all writes of devices are to be recorded, see dirty.c; domains lock
 * @untracked: but some were not, or it is not known; set without a lock
 */
struct iofd_aspace {
	u64 context;
	u32 id;
	struct rw_semaphore domains_rwsem;
	struct list_head domains;
	unsigned int ndomains;
	struct rw_semaphore iova_rwsem;
	struct iofd_iova iova;
	unsigned long nareas;
	unsigned long mapped;
	unsigned long pinnable;
	unsigned long norphans;
	struct list_head users;
	unsigned int nusers;
	wait_queue_head_t idle;
	bool huge_pages;
	bool tracked;
	bool untracked;
};

/**
 * struct iofd_member - membership of a domain, embedded in its page table
 * @link: link in the address space's list
 * @id: of its page table, for traces
 * @domain: paging domain
 * @coherent: its IOMMU ignores no-snoop
 */
struct iofd_member {
	struct list_head link;
	u32 id;
	struct iommu_domain *domain;
	bool coherent;
};

/**
 * struct iofd_aspace_user - an in-kernel user's place in an address space
 * @link: link in the address space's list
 * @alignment: power of two up to PAGE_SIZE that it demands of all areas
 * @unmap: let go of everything that meets the range; called without any lock
 *         of this driver, possibly for a range in which nothing is pinned
 * @running: calls of @unmap in progress
 */
struct iofd_aspace_user {
	struct list_head link;
	unsigned long alignment;
	void (*unmap)(struct iofd_aspace_user *user, struct iofd_range range);
	unsigned int running;
};

void iofd_aspace_init(struct iofd_aspace *aspace, u64 context, u32 id);
void iofd_aspace_fini(struct iofd_aspace *aspace);

/* dirty.c */

/**
 * struct iofd_bitmap - where to report what devices have written
 * @member: whose record; NULL: of all domains, and if that is not the whole
 *          truth, see @untracked, everything that can be written
 * @range: what bit 0 and all that follow stand for
 * @page_size: bytes that a bit stands for, a power of two
 * @data: bitmap of the current process
 * @keep: do not forget what is reported
 */
struct iofd_bitmap {
	struct iofd_member *member;
	struct iofd_range range;
	unsigned long page_size;
	u64 __user *data;
	bool keep;
};

int iofd_aspace_set_dirty(struct iofd_aspace *aspace,
			  struct iofd_member *member, bool enable);
int iofd_aspace_read_dirty(struct iofd_aspace *aspace,
			   const struct iofd_bitmap *to);
int iofd_aspace_check_bitmap(const struct iofd_bitmap *to);
void iofd_aspace_track(struct iofd_aspace *aspace, bool enable);
bool iofd_aspace_is_tracked(struct iofd_aspace *aspace);

/* map.c */

/**
 * struct iofd_place - where a mapping goes
 * @fixed: exactly at @iova; else the kernel chooses
 * @iova: in if @fixed, out always
 * @length: bytes
 * @addr: address or file offset of the memory, whose low bits the chosen IOVA
 *        follows
 * @limit: refuse to be one more than so many areas; 0: no limit
 */
struct iofd_place {
	bool fixed;
	unsigned long iova;
	unsigned long length;
	unsigned long addr;
	unsigned int limit;
};

/**
 * enum iofd_unmap_rule - what an unmap does with areas that it meets
 * @IOFD_UNMAP_UPTO: remove those inside the range in ascending order, up to the
 *                   first that cannot go or reaches beyond the range
 * @IOFD_UNMAP_WHOLE: all that the range meets, if it cuts none, or nothing
 * @IOFD_UNMAP_STARTS: all that begin in the range, however long they are; none
 *                     if the range begins inside of one
 * @IOFD_UNMAP_IDLE: those inside the range that nobody else is at work on
 */
enum iofd_unmap_rule {
	IOFD_UNMAP_UPTO,
	IOFD_UNMAP_WHOLE,
	IOFD_UNMAP_STARTS,
	IOFD_UNMAP_IDLE,
};

int iofd_aspace_map(struct iofd_aspace *aspace, struct iofd_pages *pages,
		    int prot, struct iofd_place *place);
int iofd_aspace_copy(struct iofd_aspace *src, struct iofd_range range,
		     struct list_head *areas, int prot, unsigned long *addr);
int iofd_aspace_map_areas(struct iofd_aspace *aspace, struct list_head *areas,
			  struct iofd_place *place);
void iofd_areas_free(struct list_head *areas);
int iofd_aspace_unmap(struct iofd_aspace *aspace, struct iofd_range range,
		      unsigned long *unmapped);
int iofd_aspace_unmap_rule(struct iofd_aspace *aspace, struct iofd_range range,
			   enum iofd_unmap_rule rule, unsigned long *unmapped);
int iofd_aspace_unmap_dirty(struct iofd_aspace *aspace,
			    const struct iofd_bitmap *to,
			    unsigned long *unmapped);

/* orphan.c */
int iofd_aspace_disown(struct iofd_aspace *aspace, struct iofd_range range,
		       enum iofd_unmap_rule rule, unsigned long *disowned);
int iofd_aspace_adopt(struct iofd_aspace *aspace, struct iofd_range range,
		      unsigned long uptr);

/* cut.c */
int iofd_aspace_cut(struct iofd_aspace *aspace, unsigned long iova);

/* domains.c */
int iofd_aspace_join(struct iofd_aspace *aspace, struct iofd_member *member);
void iofd_aspace_leave(struct iofd_aspace *aspace, struct iofd_member *member);
int iofd_aspace_set_huge_pages(struct iofd_aspace *aspace, bool enable);
bool iofd_aspace_huge_pages(struct iofd_aspace *aspace);

/**
 * struct iofd_aspace_info - a look at an address space as a whole
 * @pgsizes: page sizes that all of its domains have, as a bitmap; all ones
 *           without domains
 * @alignment: that mappings have to keep now
 * @coherent: no domain lets no-snoop accesses of devices through
 * @huge_pages: large IOPTEs may be used
 * @nareas: number of areas
 * @norphans: number of areas without address
 * @nusers: number of in-kernel users
 */
struct iofd_aspace_info {
	unsigned long pgsizes;
	unsigned long alignment;
	bool coherent;
	bool huge_pages;
	unsigned long nareas;
	unsigned long norphans;
	unsigned int nusers;
};

/**
 * struct iofd_aspace_sums - how large an address space is, for people to read
 * @areas: areas, also those that come or go at this moment
 * @mapped: bytes of these areas
 * @pinned: bytes of the pages that are pinned for page tables; memory that is
 *          in two areas counts twice, what in-kernel users pin does not count
 * @domains: page tables
 * @users: in-kernel users
 */
struct iofd_aspace_sums {
	unsigned long areas;
	unsigned long mapped;
	unsigned long pinned;
	unsigned int domains;
	unsigned int users;
};

/**
 * struct iofd_area_look - an area, for people to read
 * @range: its IOVAs
 * @state: name of its state
 * @backing: name of its memory's source
 * @addr: address, or offset in the file, of its first byte
 * @prot: IOMMU_READ, IOMMU_WRITE or both
 * @pins: pins of in-kernel users
 * @orphan: the address is no longer valid
 */
struct iofd_area_look {
	struct iofd_range range;
	const char *state;
	const char *backing;
	unsigned long addr;
	int prot;
	int pins;
	bool orphan;
};

/* aspace.c */
int iofd_aspace_look_area(struct iofd_aspace *aspace, unsigned long from,
			  struct iofd_area_look *look);
void iofd_aspace_look(struct iofd_aspace *aspace,
		      struct iofd_aspace_info *info);
void iofd_aspace_sums(const struct iofd_aspace *aspace,
		      struct iofd_aspace_sums *sums);
int iofd_aspace_check_new(struct iofd_aspace *aspace, struct iofd_range range,
			  unsigned int limit);
int iofd_aspace_areas(struct iofd_aspace *aspace, struct iofd_range range,
		      int (*fn)(struct iofd_range area, void *arg), void *arg);
int iofd_aspace_reserve(struct iofd_aspace *aspace, struct iofd_range range,
			const void *owner);
int iofd_aspace_reserve_device(struct iofd_aspace *aspace, struct device *dev,
			       const void *owner,
			       struct iofd_msi_window *window);
void iofd_aspace_unreserve(struct iofd_aspace *aspace, const void *owner);
int iofd_aspace_allow(struct iofd_aspace *aspace, struct rb_root_cached *list);
unsigned long iofd_aspace_alignment(struct iofd_aspace *aspace);
int iofd_aspace_usable(struct iofd_aspace *aspace,
		       int (*fn)(struct iofd_range range, void *arg), void *arg);

/* users.c */
int iofd_aspace_add_user(struct iofd_aspace *aspace,
			 struct iofd_aspace_user *user);
void iofd_aspace_remove_user(struct iofd_aspace *aspace,
			     struct iofd_aspace_user *user);
int iofd_aspace_pin(struct iofd_aspace *aspace, struct iofd_range range,
		    struct page **out, bool write);
void iofd_aspace_unpin(struct iofd_aspace *aspace, struct iofd_range range);
int iofd_aspace_lock(struct iofd_aspace *aspace, struct iofd_range range,
		     struct page **out);
void iofd_aspace_unlock(struct iofd_aspace *aspace, struct iofd_range range);
int iofd_aspace_rw(struct iofd_aspace *aspace, struct iofd_range range,
		   void *data, enum iofd_copy_flags flags);

/* owner.c */
int iofd_aspace_each_pages(struct iofd_aspace *aspace,
			   int (*fn)(struct iofd_pages *pages));

/* Between the files of this room. */
bool iofd_aspace_cuts_locked(struct iofd_aspace *aspace,
			     struct iofd_range range);
void iofd_aspace_update_alignment_locked(struct iofd_aspace *aspace);
int iofd_aspace_raise_alignment_locked(struct iofd_aspace *aspace,
				       unsigned long alignment);
void iofd_aspace_notify(struct iofd_aspace *aspace, struct iofd_range range);

#endif
