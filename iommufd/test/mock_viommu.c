// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: mock vIOMMUs
 *
 * What a guest would be lent of the mock IOMMU:
 *
 * - two pages of memory in the place of registers, for mmap, if the caller
 *   gives a struct iommu_viommu_selftest, with whose first word they begin;
 * - invalidation of the caches of its vDEVICEs: words of struct mock_device
 *   that nothing ever fills again;
 * - two hardware queues, of which the second depends on the first, and which
 *   nobody reads: the mock only compares where they are said to be with what
 *   its page table says.
 *
 * Lock: queue_lock of each vIOMMU; a vDEVICE's number leads to its device under
 * the xa_lock of the vIOMMU.
 */
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/iommufd.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/slab.h>
#ifdef CONFIG_X86
#include <asm/set_memory.h>
#endif

#include "iommufd_test.h"
#include "test/mock.h"

#define MMAP_ORDER 1
#define MMAP_LENGTH (PAGE_SIZE << MMAP_ORDER)

/* How long the end of the module waits for the last vIOMMU */
#define GONE_TIMEOUT (10 * HZ)

/* vIOMMUs, and one for the module */
static refcount_t mock_viommus = REFCOUNT_INIT(1);
static DECLARE_COMPLETION(mock_viommus_gone);

/**
 * struct mock_hw_queue - a hardware queue of the mock
 * @core: what iommufd knows of it
 * @prev: queue it depends on, or NULL
 * @index: which of its vIOMMU's it is
 */
struct mock_hw_queue {
	struct iommufd_hw_queue core;
	struct mock_hw_queue *prev;
	unsigned int index;
};

/**
 * struct mock_viommu - a vIOMMU of the mock
 * @core: what iommufd knows of it
 * @parent: the guest's physical memory
 * @page: memory that can be mapped, or 0
 * @mmap_offset: where, if @page is not 0
 * @queue_lock: guards @queues
 * @queues: by index
 */
struct mock_viommu {
	struct iommufd_viommu core;
	struct mock_domain *parent;
	unsigned long page;
	unsigned long mmap_offset;
	struct mutex queue_lock; /* guards queues */
	struct mock_hw_queue *queues[IOMMU_TEST_HW_QUEUE_MAX];
};

static struct mock_viommu *viommu_of(struct iommufd_viommu *core)
{
	return container_of(core, struct mock_viommu, core);
}

static void put_module_user(void)
{
	if (refcount_dec_and_test(&mock_viommus))
		complete(&mock_viommus_gone);
}

/* Registers are uncached, and x86 wants all who map a page to agree on that. */
static int make_uncached(unsigned long page)
{
#ifdef CONFIG_X86
	return set_memory_uc(page, 1 << MMAP_ORDER);
#else
	return 0;
#endif
}

static void make_cached(unsigned long page)
{
#ifdef CONFIG_X86
	set_memory_wb(page, 1 << MMAP_ORDER);
#endif
}

static int alloc_registers(struct mock_viommu *viommu)
{
	int rc;

	viommu->page = __get_free_pages(GFP_KERNEL_ACCOUNT | __GFP_ZERO,
					MMAP_ORDER);
	if (!viommu->page)
		return -ENOMEM;
	rc = make_uncached(viommu->page);
	if (rc)
		goto err_page;
	rc = iommufd_viommu_alloc_mmap(&viommu->core, __pa(viommu->page),
				       MMAP_LENGTH, &viommu->mmap_offset);
	if (rc)
		goto err_cached;
	return 0;

err_cached:
	make_cached(viommu->page);
err_page:
	free_pages(viommu->page, MMAP_ORDER);
	return rc;
}

static void free_registers(struct mock_viommu *viommu)
{
	iommufd_viommu_destroy_mmap(&viommu->core, viommu->mmap_offset);
	make_cached(viommu->page);
	free_pages(viommu->page, MMAP_ORDER);
}

/* What the caller of IOMMU_VIOMMU_ALLOC wants, and what he gets. */
static int init_from_data(struct mock_viommu *viommu,
			  const struct iommu_user_data *user_data)
{
	struct iommu_viommu_selftest data;
	int rc;

	rc = iommu_copy_struct_from_user(&data, user_data,
					 IOMMU_VIOMMU_TYPE_SELFTEST, out_data);
	if (rc)
		return rc;
	rc = alloc_registers(viommu);
	if (rc)
		return rc;
	*(u32 *)viommu->page = data.in_data;
	data.out_data = data.in_data;
	data.out_mmap_offset = viommu->mmap_offset;
	data.out_mmap_length = MMAP_LENGTH;
	rc = iommu_copy_struct_to_user(user_data, &data,
				       IOMMU_VIOMMU_TYPE_SELFTEST, out_data);
	if (rc)
		free_registers(viommu);
	return rc;
}

static void viommu_destroy(struct iommufd_viommu *core)
{
	struct mock_viommu *viommu = viommu_of(core);

	if (viommu->page)
		free_registers(viommu);
	mutex_destroy(&viommu->queue_lock);
	put_module_user();
}

/* The word, or all words, of one device's cache */
static int invalidate_cache(struct mock_viommu *viommu,
			    const struct iommu_viommu_invalidate_selftest *req)
{
	struct mock_device *mdev;
	struct device *dev;
	unsigned int i;
	int rc = 0;

	if (req->flags & ~IOMMU_TEST_INVALIDATE_FLAG_ALL)
		return -EOPNOTSUPP;
	if (req->cache_id > MOCK_DEV_CACHE_ID_MAX)
		return -EINVAL;

	xa_lock(&viommu->core.vdevs);
	dev = iommufd_viommu_find_dev(&viommu->core, req->vdev_id);
	if (!dev) {
		rc = -EINVAL;
		goto out_unlock;
	}
	mdev = mock_device_of(dev);
	for (i = 0; i < MOCK_DEV_CACHE_NUM; i++)
		if (req->flags & IOMMU_TEST_INVALIDATE_FLAG_ALL ||
		    i == req->cache_id)
			WRITE_ONCE(mdev->cache[i], 0);
out_unlock:
	xa_unlock(&viommu->core.vdevs);
	return rc;
}

static int viommu_cache_invalidate(struct iommufd_viommu *core,
				   struct iommu_user_data_array *array)
{
	struct mock_viommu *viommu = viommu_of(core);
	struct iommu_viommu_invalidate_selftest *reqs;
	u32 i, n = array->entry_num;
	int rc;

	array->entry_num = 0;
	if (array->type != IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST)
		return -EINVAL;
	/* Is the type known? It is. */
	if (!n)
		return 0;

	reqs = kvzalloc_objs(*reqs, n, GFP_KERNEL_ACCOUNT);
	if (!reqs)
		return -ENOMEM;
	array->entry_num = n;
	rc = iommu_copy_struct_from_full_user_array(reqs, sizeof(*reqs), array,
						    array->type);
	for (i = 0; !rc && i < n; i++) {
		rc = invalidate_cache(viommu, &reqs[i]);
		if (rc)
			break;
		cond_resched();
	}
	array->entry_num = i;
	kvfree(reqs);
	return rc;
}

static size_t viommu_hw_queue_size(struct iommufd_viommu *core,
				   enum iommu_hw_queue_type type)
{
	if (type != IOMMU_HW_QUEUE_TYPE_SELFTEST)
		return 0;
	return HW_QUEUE_STRUCT_SIZE(struct mock_hw_queue, core);
}

static void hw_queue_destroy(struct iommufd_hw_queue *core)
{
	struct mock_hw_queue *queue =
		container_of(core, struct mock_hw_queue, core);
	struct mock_viommu *viommu = viommu_of(core->viommu);

	mutex_lock(&viommu->queue_lock);
	viommu->queues[queue->index] = NULL;
	if (queue->prev)
		iommufd_hw_queue_undepend(queue, queue->prev, core);
	mutex_unlock(&viommu->queue_lock);
}

static int viommu_hw_queue_init_phys(struct iommufd_hw_queue *core, u32 index,
				     phys_addr_t phys)
{
	struct mock_hw_queue *queue =
		container_of(core, struct mock_hw_queue, core);
	struct mock_viommu *viommu = viommu_of(core->viommu);
	int rc;

	if (index >= IOMMU_TEST_HW_QUEUE_MAX)
		return -EINVAL;

	guard(mutex)(&viommu->queue_lock);
	if (viommu->queues[index])
		return -EEXIST;
	if (index && !viommu->queues[index - 1])
		return -EIO;
	if (mock_domain_translate(viommu->parent, core->base_addr) != phys)
		return -EFAULT;
	if (index) {
		queue->prev = viommu->queues[index - 1];
		rc = iommufd_hw_queue_depend(queue, queue->prev, core);
		if (rc)
			return rc;
	}
	queue->index = index;
	core->destroy = hw_queue_destroy;
	viommu->queues[index] = queue;
	return 0;
}

static struct iommu_domain *
viommu_alloc_domain_nested(struct iommufd_viommu *core, u32 flags,
			   const struct iommu_user_data *user_data)
{
	return mock_nested_alloc(flags, user_data, core);
}

static const struct iommufd_viommu_ops mock_viommu_ops = {
	.destroy = viommu_destroy,
	.alloc_domain_nested = viommu_alloc_domain_nested,
	.cache_invalidate = viommu_cache_invalidate,
	.get_hw_queue_size = viommu_hw_queue_size,
	.hw_queue_init_phys = viommu_hw_queue_init_phys,
};

/* get_viommu_size of the mock IOMMU */
size_t mock_viommu_size(struct device *dev, enum iommu_viommu_type type)
{
	if (type != IOMMU_VIOMMU_TYPE_SELFTEST)
		return 0;
	return VIOMMU_STRUCT_SIZE(struct mock_viommu, core);
}

/* viommu_init of the mock IOMMU */
int mock_viommu_init(struct iommufd_viommu *core, struct iommu_domain *parent,
		     const struct iommu_user_data *user_data)
{
	struct mock_viommu *viommu = viommu_of(core);
	int rc;

	viommu->parent = mock_domain_of(parent);
	if (user_data) {
		rc = init_from_data(viommu, user_data);
		if (rc)
			return rc;
	}
	mutex_init(&viommu->queue_lock);
	refcount_inc(&mock_viommus);
	core->ops = &mock_viommu_ops;
	return 0;
}

/* No context exists any more, so no vIOMMU should. */
void mock_viommu_exit(void)
{
	put_module_user();
	WARN_ON(!wait_for_completion_timeout(&mock_viommus_gone,
					     GONE_TIMEOUT));
}
