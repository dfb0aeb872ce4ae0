// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: reads and writes of mock devices
 *
 * IOMMU_TEST_OP_DIRTY does what a device's write does to the page table, and
 * nothing to the memory: it finds the IOPTE and, if that allows writing, records
 * the write there in one atomic step with the check.  IOMMU_TEST_OP_X_DMA_READ
 * only finds it.
 *
 * Then it is in the IOTLB.  The first write to what a read has brought there is
 * recorded in the IOPTE, but whether writing is allowed is not looked up again:
 * that is the least that IOMMUs promise.  The next write does not look at the
 * table at all, so nothing records it.  Whoever forgets the record, or takes the
 * right to write away, and does not flush loses writes, as on real hardware.
 * The IOTLB has a few entries; what cannot write is not in it.
 *
 * The table is walked as the IOMMU driver walks its own, with the format that
 * the mock shares with AMD's IOMMU.
 */
#define AMDV1_IOMMUFD_SELFTEST 1
#define PT_FMT amdv1
#define PT_FMT_VARIANT mock
#define PT_SUPPORTED_FEATURES 0
#define SEAL_DEFS_H "../generic_pt/fmt/defs_amdv1.h"
#define SEAL_FMT_H "../generic_pt/fmt/amdv1.h"
#define SEAL_WRITE ((u64)AMDV1PT_FMT_IW)
#include "space/seal_pt.h"

#include <linux/bitmap.h>
#include <linux/math64.h>
#include <linux/sched/signal.h>
#include <linux/string.h>

#include "iommufd_test.h"
#include "object/hwpt.h"
#include "test/mock.h"

/* Most bits that one call takes */
#define DIRTY_BITS_MAX BIT(27)

static struct iofd_seal_format mock_seal_format = {
	.driver_read = pt_iommu_amdv1_mock_read_and_clear_dirty,
	.set_writable = set_writable,
};

/**
 * struct dma - what a device does at an address
 * @write: writes, which is recorded
 * @cached: knows from the IOTLB that it may write
 */
struct dma {
	bool write;
	bool cached;
};

/* Down to the leaf; -EACCES: writing is not allowed; -EAGAIN: it just changed */
static int dma_level(struct pt_range *range, void *arg, unsigned int level,
		     struct pt_table_p *table)
{
	struct pt_state pts = pt_init(range, level, table);
	const struct dma *dma = arg;

	switch (pt_load_single_entry(&pts)) {
	case PT_ENTRY_TABLE:
		return pt_descend(&pts, arg, dma_level);
	case PT_ENTRY_OA:
		if (!dma->cached && !(pts.entry & SEAL_WRITE))
			return -EACCES;
		if (!dma->write)
			return 0;
		return pt_entry_make_write_dirty(&pts) ? 0 : -EAGAIN;
	case PT_ENTRY_EMPTY:
		break;
	}
	return -ENOENT;
}

static int mock_walk(struct mock_domain *mock, unsigned long iova,
		     struct dma *dma)
{
	int rc;

	read_lock(&mock->walk_lock);
	rc = walk(&mock->domain, (struct iofd_range){ iova, iova }, dma_level,
		  dma);
	read_unlock(&mock->walk_lock);
	return rc;
}

static struct mock_iotlb_entry *cache_find(struct mock_iotlb *iotlb,
					   unsigned long page)
{
	unsigned int i;

	for (i = 0; i < MOCK_IOTLB_ENTRIES; i++)
		if (iotlb->entries[i].valid && iotlb->entries[i].page == page)
			return &iotlb->entries[i];
	return NULL;
}

static void cache_add(struct mock_iotlb *iotlb, unsigned long page, bool dirty)
{
	iotlb->entries[iotlb->next] = (struct mock_iotlb_entry){
		.page = page, .valid = true, .dirty = dirty,
	};
	iotlb->next = (iotlb->next + 1) % MOCK_IOTLB_ENTRIES;
}

/**
 * mock_dirty_flush - the next write in a range looks at the table
 * @mock: page table
 * @gather: the range
 */
void mock_dirty_flush(struct mock_domain *mock,
		      const struct iommu_iotlb_gather *gather)
{
	struct mock_iotlb *iotlb = &mock->iotlb;
	struct mock_iotlb_entry *entry;
	unsigned int i;

	guard(spinlock)(&iotlb->lock);
	for (i = 0; i < MOCK_IOTLB_ENTRIES; i++) {
		entry = &iotlb->entries[i];
		if (entry->page <= gather->end &&
		    entry->page + (MOCK_PAGE_SIZE - 1) >= gather->start)
			entry->valid = false;
	}
}

/**
 * mock_dma_read - a device reads
 * @mock: page table
 * @iova: address
 *
 * If it could write there too the IOMMU remembers it.
 *
 * Return: 0; -ENOENT nothing is mapped there.
 */
int mock_dma_read(struct mock_domain *mock, unsigned long iova)
{
	unsigned long page = iova & ~(MOCK_PAGE_SIZE - 1);
	struct mock_iotlb *iotlb = &mock->iotlb;
	struct dma dma = {};
	int rc;

	/* Held throughout: a flush comes before or after all of it. */
	guard(spinlock)(&iotlb->lock);
	if (cache_find(iotlb, page))
		return 0;
	rc = mock_walk(mock, iova, &dma);
	if (!rc)
		cache_add(iotlb, page, false);
	return rc == -EACCES ? 0 : rc;
}

static int mock_write(struct mock_domain *mock, unsigned long iova)
{
	unsigned long page = iova & ~(MOCK_PAGE_SIZE - 1);
	struct mock_iotlb *iotlb = &mock->iotlb;
	struct dma dma = { .write = true };
	struct mock_iotlb_entry *entry;
	int rc;

	guard(spinlock)(&iotlb->lock);
	entry = cache_find(iotlb, page);
	if (entry && entry->dirty)
		return 0;
	dma.cached = entry;
	do {
		rc = mock_walk(mock, iova, &dma);
	} while (rc == -EAGAIN);
	if (entry) {
		/* Without a flush also where nothing is mapped any more */
		entry->dirty = true;
		return 0;
	}
	if (!rc)
		cache_add(iotlb, page, true);
	return rc;
}

/* Write to each page whose bit is set; *@nr is how many that were. */
static int write_pages(struct mock_domain *mock, unsigned long iova,
		       unsigned long page_size, const unsigned long *bits,
		       unsigned long nr_bits, u64 *nr)
{
	unsigned long bit;
	int rc;

	*nr = 0;
	for_each_set_bit(bit, bits, nr_bits) {
		rc = mock_write(mock, iova + bit * page_size);
		if (rc)
			return rc;
		if (fatal_signal_pending(current))
			return -EINTR;
		++*nr;
		cond_resched();
	}
	return 0;
}

static int check_numbers(const struct iommu_test_cmd *cmd, u64 *nr_bits)
{
	u64 page_size = cmd->dirty.page_size, rest;
	struct iofd_range range;

	if (!page_size || !cmd->dirty.length || !cmd->dirty.uptr)
		return -EINVAL;
	div64_u64_rem(cmd->dirty.iova, page_size, &rest);
	if (rest)
		return -EINVAL;
	*nr_bits = div64_u64_rem(cmd->dirty.length, page_size, &rest);
	if (rest)
		return -EINVAL;
	if (*nr_bits > DIRTY_BITS_MAX)
		return -EOVERFLOW;
	return iofd_range_from_length(&range, cmd->dirty.iova,
				      cmd->dirty.length);
}

static int write_domain(struct iommu_domain *domain, struct iommu_test_cmd *cmd,
			unsigned long nr_bits)
{
	struct mock_domain *mock = mock_domain_of(domain);
	size_t size = BITS_TO_LONGS(nr_bits) * sizeof(long);
	unsigned long *bits;
	int rc;

	if (!mock || !domain->dirty_ops || !READ_ONCE(mock->dirty_tracking))
		return -EINVAL;
	bits = kvzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!bits)
		return -ENOMEM;
	/* The caller's has bytes, and need not fill the last word. */
	if (copy_from_user(bits, u64_to_user_ptr(cmd->dirty.uptr),
			   DIV_ROUND_UP(nr_bits, BITS_PER_BYTE)))
		rc = -EFAULT;
	else
		rc = write_pages(mock, cmd->dirty.iova, cmd->dirty.page_size,
				 bits, nr_bits, &cmd->dirty.out_nr_dirty);
	kvfree(bits);
	return rc;
}

/* IOMMU_TEST_OP_DIRTY */
int mock_dirty_ioctl(struct iofd_ucmd *ucmd)
{
	struct iofd_objects *objects = &ucmd->ctx->objects;
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct iommufd_object *obj;
	u64 nr_bits;
	int rc;

	rc = check_numbers(cmd, &nr_bits);
	if (rc)
		return rc;
	obj = iofd_object_borrow(objects, cmd->id, IOMMUFD_OBJ_HWPT_PAGING);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	rc = write_domain(iofd_hwpt_of(obj)->domain, cmd, nr_bits);
	iofd_object_return(objects, obj);
	return rc ?: iofd_ucmd_respond(ucmd, sizeof(*cmd));
}

void mock_dirty_init(void)
{
	iofd_seal_register(&mock_seal_format);
}

void mock_dirty_exit(void)
{
	iofd_seal_unregister(&mock_seal_format);
}
