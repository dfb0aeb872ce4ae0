// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: KUnit of space/seal.c and the formats of real hardware
 *
 * Page tables as the drivers of AMD's and Intel's IOMMU make them, with nothing
 * behind them.  Their entries are looked at where they are in memory, three
 * levels down, so what is tested is not the view that the code under test has.
 */
#include <kunit/resource.h>
#include <linux/generic_pt/iommu.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/iova_bitmap.h>
#include <linux/mman.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#include "../iommu-pages.h"
#include "space/seal.h"
#include "test/kunit.h"

#define IOVA		(SZ_1G + SZ_2M + SZ_64K)
#define PHYS		(SZ_2G + SZ_64K)
#define ENTRY_ADDRESS	GENMASK_ULL(51, 12)

/**
 * struct fake - a page table without an IOMMU
 * @amdv1: AMD's
 * @vtdss: or Intel's
 * @pt: what they have in common
 * @root: its top table
 * @write: the bit in an entry that allows writing
 * @dirty: the bit that records it
 */
struct fake {
	union {
		struct pt_iommu_amdv1 amdv1;
		struct pt_iommu_vtdss vtdss;
		struct pt_iommu pt;
	};
	u64 *root;
	u64 write;
	u64 dirty;
};

static DEFINE_SPINLOCK(fake_top_lock);

static void fake_change_top(struct pt_iommu *pt, phys_addr_t top,
			    unsigned int level)
{
}

static spinlock_t *fake_get_top_lock(struct pt_iommu *pt)
{
	return &fake_top_lock;
}

static const struct pt_iommu_driver_ops fake_driver_ops = {
	.change_top = fake_change_top,
	.get_top_lock = fake_get_top_lock,
};

static void fake_iotlb_sync(struct iommu_domain *domain,
			    struct iommu_iotlb_gather *gather)
{
	iommu_put_pages_list(&gather->freelist);
}

static struct fake *fake_new(struct kunit *test,
			     const struct iommu_domain_ops *ops,
			     const struct iommu_dirty_ops *dirty_ops)
{
	struct fake *fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fake);
	fake->pt.nid = NUMA_NO_NODE;
	fake->pt.driver_ops = &fake_driver_ops;
	fake->pt.domain.ops = ops;
	fake->pt.domain.dirty_ops = dirty_ops;
	return fake;
}

static void fake_free(void *data)
{
	struct fake *fake = data;

	pt_iommu_deinit(&fake->pt);
}

/* The entry of level 0; the table has three levels. */
static u64 *leaf(struct fake *fake, unsigned long iova)
{
	u64 *table = fake->root;

	table = phys_to_virt(table[iova >> 30 & 511] & ENTRY_ADDRESS);
	table = phys_to_virt(table[iova >> 21 & 511] & ENTRY_ADDRESS);
	return &table[iova >> 12 & 511];
}

static unsigned int count_write_bits(struct fake *fake, unsigned long iova,
				     unsigned int nr)
{
	unsigned int i, n = 0;

	for (i = 0; i < nr; i++)
		n += !!(*leaf(fake, iova + i * SZ_4K) & fake->write);
	return n;
}

/* What a reader says of 32 pages from IOVA on, as bits */
static u32 read_bits(struct kunit *test, struct fake *fake, unsigned long flags)
{
	const struct iofd_seal_format *format;
	struct iommu_iotlb_gather gather;
	struct iommu_dirty_bitmap dirty;
	struct iova_bitmap *bitmap;
	unsigned long user;
	u32 bits;
	int rc;

	format = iofd_seal_format_of(&fake->pt.domain);
	KUNIT_ASSERT_NOT_NULL(test, format);
	user = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, user, 0);
	bitmap = iova_bitmap_alloc(IOVA, 32 * SZ_4K, SZ_4K,
				   (u64 __user *)user);
	KUNIT_ASSERT_FALSE(test, IS_ERR(bitmap));
	iommu_dirty_bitmap_init(&dirty, bitmap, &gather);
	rc = (format->read ?: format->driver_read)(&fake->pt.domain, IOVA,
						   32 * SZ_4K, flags, &dirty);
	iova_bitmap_free(bitmap);
	KUNIT_ASSERT_EQ(test, rc, 0);
	rc = get_user(bits, (u32 __user *)user);
	KUNIT_ASSERT_EQ(test, rc, 0);
	return bits;
}

/* Sixteen pages that lie together, then sixteen that are scattered */
static void fill(struct kunit *test, struct fake *fake)
{
	struct iommu_domain *domain = &fake->pt.domain;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, iommu_map(domain, IOVA, PHYS, SZ_64K,
					IOMMU_READ | IOMMU_WRITE, GFP_KERNEL),
			0);
	for (i = 16; i < 32; i++)
		KUNIT_ASSERT_EQ(test, iommu_map(domain, IOVA + i * SZ_4K,
						PHYS + 3 * i * SZ_4K, SZ_4K,
						IOMMU_READ | IOMMU_WRITE,
						GFP_KERNEL), 0);
}

static void seal_and_break(struct kunit *test, struct fake *fake)
{
	const struct iofd_seal_format *format;
	struct iommu_domain *domain = &fake->pt.domain;
	const struct iofd_range range = { IOVA + SZ_64K,
					  IOVA + SZ_64K + SZ_16K - 1 };
	const struct iofd_range all = { IOVA, IOVA + 32 * SZ_4K - 1 };

	format = iofd_seal_format_of(domain);
	KUNIT_ASSERT_NOT_NULL(test, format);
	KUNIT_EXPECT_EQ(test, count_write_bits(fake, IOVA, 32), 32);
	*leaf(fake, IOVA + SZ_64K) |= fake->dirty;

	/* Four of the scattered ones, and then all; the record is kept */
	KUNIT_EXPECT_EQ(test, format->set_writable(domain, range, false), 0);
	KUNIT_EXPECT_EQ(test, count_write_bits(fake, IOVA, 32), 28);
	KUNIT_EXPECT_EQ(test, count_write_bits(fake, IOVA + SZ_64K, 4), 0);
	KUNIT_EXPECT_EQ(test, format->set_writable(domain, all, false), 0);
	KUNIT_EXPECT_EQ(test, count_write_bits(fake, IOVA, 32), 0);
	KUNIT_EXPECT_EQ(test, read_bits(test, fake, IOMMU_DIRTY_NO_CLEAR),
			0x10000);
	/* It is still mapped to where it was. */
	KUNIT_EXPECT_EQ(test, iommu_iova_to_phys(domain, IOVA + 5), PHYS + 5);

	KUNIT_EXPECT_EQ(test, format->set_writable(domain, all, true), 0);
	KUNIT_EXPECT_EQ(test, count_write_bits(fake, IOVA, 32), 32);
	KUNIT_EXPECT_EQ(test, read_bits(test, fake, 0), 0x10000);
	KUNIT_EXPECT_EQ(test, read_bits(test, fake, 0), 0);
	KUNIT_EXPECT_EQ(test, iommu_unmap(domain, IOVA, 32 * SZ_4K),
			32 * SZ_4K);
}

static void amdv1(struct kunit *test)
{
	static const struct iommu_domain_ops ops = {
		IOMMU_PT_DOMAIN_OPS(amdv1),
		.iotlb_sync = fake_iotlb_sync,
	};
	static const struct iommu_dirty_ops dirty_ops = {
		IOMMU_PT_DIRTY_OPS(amdv1),
	};
	const struct pt_iommu_amdv1_cfg cfg = {
		.common.features = BIT(PT_FEAT_DYNAMIC_TOP) |
				   BIT(PT_FEAT_AMDV1_ENCRYPT_TABLES) |
				   BIT(PT_FEAT_AMDV1_FORCE_COHERENCE),
		.common.hw_max_vasz_lg2 = 48,
		.common.hw_max_oasz_lg2 = 52,
		.starting_level = 2,
	};
	struct pt_iommu_amdv1_hw_info info;
	struct fake *fake = fake_new(test, &ops, &dirty_ops);

	KUNIT_ASSERT_EQ(test, pt_iommu_amdv1_init(&fake->amdv1, &cfg,
						  GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, fake_free, fake),
			0);
	pt_iommu_amdv1_hw_info(&fake->amdv1, &info);
	KUNIT_ASSERT_EQ(test, info.mode, 3);
	fake->root = phys_to_virt(info.host_pt_root);
	fake->write = BIT_ULL(62);
	fake->dirty = BIT_ULL(6);
	fill(test, fake);

	/* One page of 64 KiB: a record in any entry is one of all of it. */
	*leaf(fake, IOVA + 5 * SZ_4K) |= fake->dirty;
	KUNIT_EXPECT_EQ(test, read_bits(test, fake, IOMMU_DIRTY_NO_CLEAR),
			0xffff);
	KUNIT_EXPECT_EQ(test, read_bits(test, fake, 0), 0xffff);
	KUNIT_EXPECT_EQ(test, read_bits(test, fake, 0), 0);
	*leaf(fake, IOVA + 31 * SZ_4K) |= fake->dirty;
	KUNIT_EXPECT_EQ(test, read_bits(test, fake, 0), 0x80000000);
	seal_and_break(test, fake);
}

static void vtdss(struct kunit *test)
{
	static const struct iommu_domain_ops ops = {
		IOMMU_PT_DOMAIN_OPS(vtdss),
		.iotlb_sync = fake_iotlb_sync,
	};
	static const struct iommu_dirty_ops dirty_ops = {
		IOMMU_PT_DIRTY_OPS(vtdss),
	};
	const struct pt_iommu_vtdss_cfg cfg = {
		.common.hw_max_vasz_lg2 = 39,
		.common.hw_max_oasz_lg2 = 52,
		.top_level = 2,
	};
	struct pt_iommu_vtdss_hw_info info;
	struct fake *fake = fake_new(test, &ops, &dirty_ops);

	KUNIT_ASSERT_EQ(test, pt_iommu_vtdss_init(&fake->vtdss, &cfg,
						  GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, fake_free, fake),
			0);
	pt_iommu_vtdss_hw_info(&fake->vtdss, &info);
	fake->root = phys_to_virt(info.ssptptr);
	fake->write = BIT_ULL(1);
	fake->dirty = BIT_ULL(9);
	fill(test, fake);

	*leaf(fake, IOVA + 5 * SZ_4K) |= fake->dirty;
	KUNIT_EXPECT_EQ(test, read_bits(test, fake, 0), 0x20);
	seal_and_break(test, fake);
}

static struct kunit_case seal_cases[] = {
	KUNIT_CASE(amdv1),
	KUNIT_CASE(vtdss),
	{}
};

static struct kunit_suite seal_suite = {
	.name = "seal",
	.test_cases = seal_cases,
};

/* By itself, for it is built only where both formats are. */
kunit_test_suite(seal_suite);
