// SPDX-License-Identifier: GPL-2.0-only
/*
 * The benchmark's module: what mapping costs without a driver around it, and
 * what an in-kernel user of iommufd pays. For the test VM, for root, for one
 * device that nobody drives.
 *
 * The bound. An open file of /dev/iofd-bench owns a page table with the device
 * attached to it. MAP pins memory, looks for physically contiguous runs and
 * enters them; UNMAP removes the same range and gives the pages back. Nothing
 * is charged, checked, locked against others or looked up: a driver can come
 * near, and not below. One range is mapped at a time; the array that remembers
 * its runs is allocated at open, outside of what is measured. With
 * IOFD_BENCH_FOLIOS one reference holds a whole folio. That is the cost of a
 * driver that knew it may do so; for memory whose folios can be mapped in parts
 * it is only a bound.
 *
 * The unit's coherence. QEMU's VT-d does read the guest's page tables through
 * the CPU's caches but doesn't say so in its capability register, and then each
 * entry written costs the flush of a cache line, as on no machine of the last
 * ten years. Loaded with coherent=1, the module sets the bit in the kernel's
 * copy of the register, for page tables made from then on.
 *
 * A file's mutex covers its runs. Invariant: nr_runs runs are pinned and mapped
 * from iova on without a gap, length bytes together, and nothing else is.
 */
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/memfd.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/timex.h>
#include <linux/vmalloc.h>

#include <iommu.h>

#include "iofd_bench.h"

#define MAX_BYTES	SZ_1G
#define MAX_RUNS	(MAX_BYTES / PAGE_SIZE)
#if !IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP)
#error "runs are found by comparing pointers to struct page"
#endif

/* A page full of pointers, which is what a driver has at hand. */
#define BATCH		((unsigned int)(PAGE_SIZE / sizeof(struct page *)))

static char *device;
module_param(device, charp, 0444);
MODULE_PARM_DESC(device, "PCI slot of the device, such as 0000:00:10.0");

static bool coherent;
module_param(coherent, bool, 0444);
MODULE_PARM_DESC(coherent, "Take the device's VT-d unit for a coherent one");

struct run {
	unsigned long pfn;
	unsigned long npages;
};

struct bound {
	struct mutex mutex;	/* all below */
	struct iommu_domain *domain;
	struct run *runs;
	unsigned int nr_runs;
	unsigned long iova;
	unsigned long length;
	unsigned long mapped;
	bool folios;
	union {
		struct page *pages[BATCH + 1];
		struct folio *batch[BATCH];
	};
};

static struct pci_dev *bench_pdev;

static void put_run(struct bound *b, const struct run *run)
{
	struct page *page = pfn_to_page(run->pfn);
	unsigned long left = run->npages;

	if (!b->folios) {
		unpin_user_page_range_dirty_lock(page, left, true);
		return;
	}
	while (left) {
		struct folio *folio = page_folio(page);
		unsigned long n = folio_nr_pages(folio) -
				  folio_page_idx(folio, page);

		n = min(n, left);
		unpin_user_page_range_dirty_lock(&folio->page, 1, true);
		page += n;
		left -= n;
	}
}

static void undo(struct bound *b)
{
	unsigned int i;

	if (b->mapped)
		iommu_unmap(b->domain, b->iova, b->mapped);
	for (i = 0; i < b->nr_runs; i++)
		put_run(b, &b->runs[i]);
	b->nr_runs = 0;
	b->mapped = 0;
	b->length = 0;
}

/* The last run is complete: into the page table with it. */
static int close_run(struct bound *b)
{
	const struct run *run;
	int rc;

	if (!b->nr_runs)
		return 0;
	run = &b->runs[b->nr_runs - 1];
	rc = iommu_map(b->domain, b->iova + b->mapped, PFN_PHYS(run->pfn),
		       run->npages << PAGE_SHIFT,
		       IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE,
		       GFP_KERNEL_ACCOUNT);
	if (!rc)
		b->mapped += run->npages << PAGE_SHIFT;
	return rc;
}

static int add_run(struct bound *b, unsigned long pfn, unsigned long npages)
{
	struct run *last = &b->runs[b->nr_runs - 1];
	int rc = 0;

	if (b->nr_runs && last->pfn + last->npages == pfn) {
		last->npages += npages;
		return 0;
	}
	/* On failure the new run is remembered all the same: undo() puts it. */
	rc = close_run(b);
	b->runs[b->nr_runs].pfn = pfn;
	b->runs[b->nr_runs].npages = npages;
	b->nr_runs++;
	return rc;
}

static int map_pages(struct bound *b, unsigned long at, unsigned long npages)
{
	struct page **p, *first, *next;
	int rc = 0, got;

	while (npages && !rc) {
		got = pin_user_pages_fast(at, min_t(unsigned long, npages, BATCH),
					  FOLL_WRITE | FOLL_LONGTERM, b->pages);
		if (got <= 0)
			return got ?: -EFAULT;
		b->pages[got] = NULL;
		/*
		 * Struct pages lie like their frames. After a failure, too: what
		 * is pinned has to be remembered.
		 */
		for (p = b->pages; *p;) {
			first = *p;
			next = first;
			do {
				next++;
				p++;
			} while (*p == next);
			rc = add_run(b, page_to_pfn(first), next - first) ?: rc;
		}
		at += (unsigned long)got << PAGE_SHIFT;
		npages -= got;
	}
	return rc ?: close_run(b);
}

static int map_folios(struct bound *b, unsigned long at, unsigned long npages)
{
	int rc = 0;

	while (npages && !rc) {
		struct page *page;
		struct folio *folio;
		unsigned long n;

		rc = pin_user_pages_fast(at, 1, FOLL_WRITE | FOLL_LONGTERM,
					 &page);
		if (rc != 1)
			return rc ?: -EFAULT;
		folio = page_folio(page);
		n = min(folio_nr_pages(folio) - folio_page_idx(folio, page),
			npages);
		rc = add_run(b, page_to_pfn(page), n);
		at += n << PAGE_SHIFT;
		npages -= n;
	}
	return rc ?: close_run(b);
}

static int map_file(struct bound *b, struct file *file, u64 at,
		    unsigned long npages)
{
	int rc = 0;

	while (npages && !rc) {
		pgoff_t offset;
		long got, i;

		got = memfd_pin_folios(file, at,
				       at + (npages << PAGE_SHIFT) - 1,
				       b->batch, BATCH, &offset);
		if (got <= 0)
			return got ?: -EFAULT;
		offset >>= PAGE_SHIFT;
		for (i = 0; i < got; i++) {
			struct folio *folio = b->batch[i];
			unsigned long n = folio_nr_pages(folio) - offset;

			n = min(n, npages);
			rc = add_run(b, folio_pfn(folio) + offset, n) ?: rc;
			at += n << PAGE_SHIFT;
			npages -= n;
			offset = 0;
		}
	}
	return rc ?: close_run(b);
}

static int bound_map(struct bound *b, const struct iofd_bench_map *arg)
{
	unsigned long npages = arg->length >> PAGE_SHIFT;
	struct file *file;
	int rc;

	if (b->length)
		return -EBUSY;
	if (!arg->length || arg->length > MAX_BYTES ||
	    !PAGE_ALIGNED(arg->from | arg->length | arg->iova))
		return -EINVAL;
	b->iova = arg->iova;
	b->length = arg->length;
	b->folios = arg->flags & (IOFD_BENCH_FILE | IOFD_BENCH_FOLIOS);
	if (arg->flags & IOFD_BENCH_FILE) {
		file = fget(arg->fd);
		rc = file ? map_file(b, file, arg->from, npages) : -EBADF;
		if (file)
			fput(file);
	} else if (b->folios) {
		rc = map_folios(b, arg->from, npages);
	} else {
		rc = map_pages(b, arg->from, npages);
	}
	if (rc)
		undo(b);
	return rc;
}

static int bound_unmap(struct bound *b, const struct iofd_bench_map *arg)
{
	if (!b->length || b->iova != arg->iova || b->length != arg->length)
		return -ENOENT;
	undo(b);
	return 0;
}

static void access_unmap(void *data, unsigned long iova, unsigned long length)
{
}

static const struct iommufd_access_ops access_ops = {
	.needs_pin_pages = 1,
	.unmap = access_unmap,
};

static int measure_access(struct iofd_bench_access *arg)
{
	unsigned long npages = arg->length >> PAGE_SHIFT;
	struct iommufd_access *access;
	struct iommufd_ctx *ctx;
	struct page **pages;
	cycles_t begin;
	u32 id;
	int rc;

	if (!npages || npages > MAX_RUNS)
		return -EINVAL;
	pages = kvmalloc_array(npages, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	ctx = iommufd_ctx_from_fd(arg->iommufd);
	rc = PTR_ERR_OR_ZERO(ctx);
	if (rc)
		goto out_free;
	access = iommufd_access_create(ctx, &access_ops, NULL, &id);
	rc = PTR_ERR_OR_ZERO(access);
	if (rc)
		goto out_ctx;
	rc = iommufd_access_attach(access, arg->ioas_id);
	if (rc)
		goto out_access;
	begin = get_cycles();
	rc = iommufd_access_pin_pages(access, arg->iova, arg->length, pages,
				      IOMMUFD_ACCESS_RW_WRITE);
	arg->pin = get_cycles() - begin;
	if (rc)
		goto out_access;
	begin = get_cycles();
	iommufd_access_unpin_pages(access, arg->iova, arg->length);
	arg->unpin = get_cycles() - begin;
out_access:
	iommufd_access_destroy(access);
out_ctx:
	iommufd_ctx_put(ctx);
out_free:
	kvfree(pages);
	return rc;
}

static long bench_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct bound *b = file->private_data;
	struct iofd_bench_access access;
	struct iofd_bench_map map;
	int rc;

	if (cmd == IOFD_BENCH_ACCESS) {
		if (copy_from_user(&access, (void __user *)arg, sizeof(access)))
			return -EFAULT;
		rc = measure_access(&access);
		if (!rc && copy_to_user((void __user *)arg, &access,
					sizeof(access)))
			rc = -EFAULT;
		return rc;
	}
	if (cmd != IOFD_BENCH_MAP && cmd != IOFD_BENCH_UNMAP)
		return -ENOTTY;
	if (copy_from_user(&map, (void __user *)arg, sizeof(map)))
		return -EFAULT;
	guard(mutex)(&b->mutex);
	if (!b->domain) {
		/* Only who maps needs the device, and finds it taken or free. */
		struct iommu_domain *domain;

		domain = iommu_paging_domain_alloc(&bench_pdev->dev);
		if (IS_ERR(domain))
			return PTR_ERR(domain);
		rc = iommu_attach_device(domain, &bench_pdev->dev);
		if (rc) {
			iommu_domain_free(domain);
			return rc;
		}
		b->domain = domain;
	}
	return cmd == IOFD_BENCH_MAP ? bound_map(b, &map) :
				       bound_unmap(b, &map);
}

static int bench_open(struct inode *inode, struct file *file)
{
	struct bound *b = kvzalloc(sizeof(*b), GFP_KERNEL);

	if (!b)
		return -ENOMEM;
	/* One more than there can be: add_run() looks before the first. */
	b->runs = vcalloc(MAX_RUNS + 1, sizeof(*b->runs));
	if (!b->runs) {
		kvfree(b);
		return -ENOMEM;
	}
	mutex_init(&b->mutex);
	file->private_data = b;
	return 0;
}

static int bench_release(struct inode *inode, struct file *file)
{
	struct bound *b = file->private_data;

	if (b->domain) {
		undo(b);
		iommu_detach_device(b->domain, &bench_pdev->dev);
		iommu_domain_free(b->domain);
	}
	mutex_destroy(&b->mutex);
	vfree(b->runs);
	kvfree(b);
	return 0;
}

static const struct file_operations bench_fops = {
	.owner = THIS_MODULE,
	.open = bench_open,
	.release = bench_release,
	.unlocked_ioctl = bench_ioctl,
};

static struct miscdevice bench_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "iofd-bench",
	.fops = &bench_fops,
	.mode = 0600,
};

static int __init bench_init(void)
{
	unsigned int domain, bus, slot, fn;
	int rc;

	if (!device ||
	    sscanf(device, "%x:%x:%x.%x", &domain, &bus, &slot, &fn) != 4)
		return -EINVAL;
	bench_pdev = pci_get_domain_bus_and_slot(domain, bus,
						 PCI_DEVFN(slot, fn));
	if (!bench_pdev)
		return -ENODEV;
	if (coherent) {
		struct device_domain_info *info =
			dev_iommu_priv_get(&bench_pdev->dev);

		info->iommu->ecap |= 1;
	}
	rc = misc_register(&bench_misc);
	if (rc)
		pci_dev_put(bench_pdev);
	return rc;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
	misc_deregister(&bench_misc);
	pci_dev_put(bench_pdev);
}
module_exit(bench_exit);

MODULE_DESCRIPTION("Lower bounds for the iommufd benchmark");
MODULE_IMPORT_NS("IOMMUFD");
MODULE_LICENSE("GPL");
