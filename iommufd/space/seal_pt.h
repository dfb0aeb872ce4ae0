/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Template: struct iofd_seal_format for one format of generic_pt.  To be
 * included once by a file that has set, as the format's own file in generic_pt
 * does, PT_FMT, PT_SUPPORTED_FEATURES and what else it needs, and
 *
 *   SEAL_FMT_H   the header of the format
 *   SEAL_DEFS_H  the header of its definitions
 *   SEAL_WRITE   the bit that allows writing
 *
 * A walker may go where its caller owns the range: tables are freed by an unmap
 * or map of all they cover.
 */
#include <linux/args.h>
#include <linux/generic_pt/common.h>
#include <linux/stringify.h>

#ifdef PT_FMT_VARIANT
#define PTPFX_RAW CONCATENATE(CONCATENATE(PT_FMT, _), PT_FMT_VARIANT)
#else
#define PTPFX_RAW PT_FMT
#endif
#define PTPFX CONCATENATE(PTPFX_RAW, _)

#include SEAL_DEFS_H
#include "../generic_pt/pt_defs.h"
#include SEAL_FMT_H
#include "../generic_pt/pt_common.h"
#include "../generic_pt/pt_iter.h"

#include "space/seal.h"

/* The entry itself, and those that make one large page with it. */
static u64 *leaf_entries(const struct pt_state *pts, u64 **end)
{
	unsigned int nr_lg2 = pt_entry_num_contig_lg2(pts);
	u64 *table = pt_cur_table(pts, u64);
	u64 *first = table + log2_set_mod(pts->index, 0, nr_lg2);

	*end = first + log2_to_int(nr_lg2);
	return first;
}

static void set_leaf_writable(const struct pt_state *pts, bool writable)
{
	u64 *end, *entry = leaf_entries(pts, &end);

	/* Hardware may set the dirty bit at any moment. */
	for (; entry != end; entry++) {
		u64 new, old = READ_ONCE(*entry);

		do {
			new = writable ? old | SEAL_WRITE : old & ~SEAL_WRITE;
		} while (!try_cmpxchg64(entry, &old, new));
	}
}

static int set_level_writable(struct pt_range *range, void *arg,
			      unsigned int level, struct pt_table_p *table)
{
	struct pt_state pts = pt_init(range, level, table);
	const bool *writable = arg;
	int rc;

	for_each_pt_level_entry(&pts) {
		if (pts.type == PT_ENTRY_TABLE) {
			rc = pt_descend(&pts, arg, set_level_writable);
			if (rc)
				return rc;
		} else if (pts.type == PT_ENTRY_OA) {
			set_leaf_writable(&pts, *writable);
		}
	}
	return 0;
}

static struct pt_common *common_of(struct iommu_domain *domain)
{
	return common_from_iommu(container_of(domain, struct pt_iommu, domain));
}

static int walk(struct iommu_domain *domain, struct iofd_range iova,
		pt_level_fn_t fn, void *arg)
{
	struct pt_range range = pt_make_range(common_of(domain), iova.first,
					      iova.last);
	int rc;

	rc = pt_check_range(&range);
	return rc ?: pt_walk_range(&range, fn, arg);
}

static int set_writable(struct iommu_domain *domain, struct iofd_range iova,
			bool writable)
{
#ifdef SEAL_FORBIDDEN
	if (pt_feature(common_of(domain), SEAL_FORBIDDEN))
		return -EOPNOTSUPP;
#endif
	return walk(domain, iova, set_level_writable, &writable);
}
