// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: sealing and reading tables of AMD's IOMMU
 *
 * A large page may be several equal entries in a row, in any of which the
 * hardware records a write.  The reader that generic_pt of Linux 7.2 has for
 * them leaves the last entry's part out of what it reports, and clears it: of a
 * 64 KiB page the last 4 KiB are never seen dirty.  So this format is read here.
 */
#define PT_FMT amdv1
#define PT_SUPPORTED_FEATURES                                          \
	(BIT(PT_FEAT_FULL_VA) | BIT(PT_FEAT_DYNAMIC_TOP) |             \
	 BIT(PT_FEAT_FLUSH_RANGE) | BIT(PT_FEAT_FLUSH_RANGE_NO_GAPS) | \
	 BIT(PT_FEAT_AMDV1_ENCRYPT_TABLES) |                           \
	 BIT(PT_FEAT_AMDV1_FORCE_COHERENCE))
#define PT_FORCE_ENABLED_FEATURES                                       \
	(BIT(PT_FEAT_DYNAMIC_TOP) | BIT(PT_FEAT_AMDV1_ENCRYPT_TABLES) | \
	 BIT(PT_FEAT_AMDV1_FORCE_COHERENCE))
#define SEAL_DEFS_H "../generic_pt/fmt/defs_amdv1.h"
#define SEAL_FMT_H "../generic_pt/fmt/amdv1.h"
#define SEAL_WRITE ((u64)AMDV1PT_FMT_IW)
#include "space/seal_pt.h"

#include <linux/iova_bitmap.h>

struct read_args {
	struct iommu_dirty_bitmap *dirty;
	unsigned long flags;
};

/* All of a page that lies in the range, which may begin or end inside of it. */
static void read_leaf(struct pt_state *pts, struct read_args *args)
{
	unsigned int size_lg2 = pt_entry_oa_lg2sz(pts);
	pt_vaddr_t first = pts->range->va;
	pt_vaddr_t last = min(log2_set_mod_max(first, size_lg2),
			      pts->range->last_va);

	if (!pt_entry_is_write_dirty(pts))
		return;
	if (args->dirty->bitmap)
		iova_bitmap_set(args->dirty->bitmap, first, last - first + 1);
	if (args->flags & IOMMU_DIRTY_NO_CLEAR)
		return;
	pt_entry_make_write_clean(pts);
	iommu_iotlb_gather_add_range(args->dirty->gather, first,
				     last - first + 1);
}

static int read_level(struct pt_range *range, void *arg, unsigned int level,
		      struct pt_table_p *table)
{
	struct pt_state pts = pt_init(range, level, table);
	int rc;

	for_each_pt_level_entry(&pts) {
		if (pts.type == PT_ENTRY_TABLE) {
			rc = pt_descend(&pts, arg, read_level);
			if (rc)
				return rc;
		} else if (pts.type == PT_ENTRY_OA) {
			read_leaf(&pts, arg);
		}
	}
	return 0;
}

static int read_and_clear(struct iommu_domain *domain, unsigned long iova,
			  size_t size, unsigned long flags,
			  struct iommu_dirty_bitmap *dirty)
{
	struct read_args args = { .dirty = dirty, .flags = flags };

	return walk(domain, (struct iofd_range){ iova, iova + size - 1 },
		    read_level, &args);
}

struct iofd_seal_format iofd_seal_amdv1 = {
	.driver_read = pt_iommu_amdv1_read_and_clear_dirty,
	.set_writable = set_writable,
	.read = read_and_clear,
};
