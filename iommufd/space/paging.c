// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: loading page frames into domains
 *
 * load: one iommu_map() for each physically contiguous run of the slice, in
 * ascending order; nothing is left behind on failure.  unload: one
 * iommu_unmap_fast() for a whole window, never for a part of what one
 * iommu_map() put in, and the caller flushes the IOTLB before the memory is
 * released.
 *
 * A window onto device memory is known to its page set, which takes it out of
 * the domain and puts it back as the memory goes and comes; it is flushed at
 * once, under the set's lock, for a revoke must not pass it in between.
 *
 * No lock of its own.  The caller keeps the slice pinned by a hold and sees to
 * it that a range of a domain is loaded and unloaded by one thread at a time;
 * different ranges may go in parallel, as IOMMU page tables allow.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "base/check.h"
#include "memory/devmem.h"
#include "memory/pages.h"
#include "space/paging.h"

/* The state of one load: what comes next. */
struct load {
	struct iommu_domain *domain;
	unsigned long iova;
	unsigned long left;		/* bytes not mapped yet */
	unsigned long skip;		/* bytes of the next run to pass over */
	unsigned long max_piece;
	int prot;
	gfp_t gfp;
};

/* A window onto device memory, in one domain. */
struct devmem_window {
	struct iofd_devmem_window base;
	struct iommu_domain *domain;
	struct iofd_window window;
};

static unsigned long window_length(const struct iofd_window *window)
{
	return iofd_range_length(window->iova);
}

/* Only the first page of a slice can begin in its middle. */
static struct load load_begin(struct iommu_domain *domain,
			      const struct iofd_window *window, gfp_t gfp)
{
	return (struct load){
		.domain = domain,
		.iova = window->iova.first,
		.left = window_length(window),
		.skip = iofd_pages_page_offset(window->pages, window->byte),
		.max_piece = window->max_piece,
		.prot = window->prot,
		.gfp = gfp,
	};
}

static int load_piece(struct load *load, phys_addr_t phys, unsigned long bytes)
{
	int rc;

	rc = iommu_map(load->domain, load->iova, phys, bytes, load->prot,
		       load->gfp);
	if (!rc) {
		load->iova += bytes;
		load->left -= bytes;
	}
	return rc;
}

static int load_pieces(struct load *load, phys_addr_t phys, unsigned long bytes)
{
	int rc;

	do {
		unsigned long piece = min(bytes, load->max_piece);

		rc = load_piece(load, phys, piece);
		if (rc)
			return rc;
		if (fatal_signal_pending(current))
			return -EINTR;
		phys += piece;
		bytes -= piece;
		cond_resched();
	} while (bytes);
	return 0;
}

/* Called for each page where memory is scattered: every instruction counts. */
static int load_run(const struct iofd_run *run, void *arg)
{
	struct load *load = arg;
	phys_addr_t phys = PFN_PHYS((phys_addr_t)run->pfn) + load->skip;
	unsigned long bytes = (run->last - run->first + 1) << PAGE_SHIFT;
	int rc;

	bytes = min(bytes - load->skip, load->left);
	load->skip = 0;
	if (likely(bytes <= load->max_piece))
		rc = load_piece(load, phys, bytes);
	else
		rc = load_pieces(load, phys, bytes);
	if (rc)
		return rc;
	cond_resched();
	return fatal_signal_pending(current) ? -EINTR : 0;
}

static struct iofd_range window_indices(const struct iofd_window *window)
{
	return iofd_pages_indices(window->pages, window->byte,
				  window_length(window));
}

/* Leave the domain as it was before if the walk failed. */
static int load_end(struct load *load, const struct iofd_window *window, int rc)
{
	if (rc && load->iova != window->iova.first)
		iommu_unmap(load->domain, window->iova.first,
			    load->iova - window->iova.first);
	iofd_check(rc || !load->left);
	return rc;
}

static struct devmem_window *to_devmem(struct iofd_devmem_window *base)
{
	return container_of(base, struct devmem_window, base);
}

static int devmem_load(struct iofd_devmem_window *base, gfp_t gfp)
{
	struct devmem_window *dw = to_devmem(base);
	struct load load = load_begin(dw->domain, &dw->window, gfp);
	int rc;

	rc = iofd_devmem_walk_locked(iofd_devmem_of(dw->window.pages),
				     window_indices(&dw->window), load_run,
				     &load);
	return load_end(&load, &dw->window, rc);
}

static void devmem_unload(struct iofd_devmem_window *base)
{
	struct devmem_window *dw = to_devmem(base);
	unsigned long length = window_length(&dw->window);

	WARN_ON(iommu_unmap(dw->domain, dw->window.iova.first, length) !=
		length);
}

static const struct iofd_devmem_ops devmem_ops = {
	.load = devmem_load,
	.unload = devmem_unload,
};

static int devmem_add(struct iommu_domain *domain,
		      const struct iofd_window *window)
{
	struct devmem_window *dw;
	int rc;

	dw = kzalloc_obj(*dw, GFP_KERNEL_ACCOUNT);
	if (!dw)
		return -ENOMEM;
	dw->base.ops = &devmem_ops;
	dw->base.domain = domain;
	dw->base.first = window->iova.first;
	dw->domain = domain;
	dw->window = *window;
	rc = iofd_devmem_add(iofd_devmem_of(window->pages), &dw->base);
	if (rc)
		kfree(dw);
	return rc;
}

static void devmem_remove(struct iommu_domain *domain,
			  struct iofd_pages *pages, unsigned long first)
{
	struct iofd_devmem_window *base;

	base = iofd_devmem_remove(iofd_devmem_of(pages), domain, first);
	if (base)
		kfree(to_devmem(base));
}

/**
 * iofd_paging_load - enter a window into a domain
 * @domain: paging domain
 * @window: what to enter; its slice is pinned, or device memory
 *
 * Return: 0; -ENOMEM; -EINTR a fatal signal is pending; or what the IOMMU driver
 * answers; on failure with the domain as it was before.
 */
int iofd_paging_load(struct iommu_domain *domain,
		     const struct iofd_window *window)
{
	struct load load = load_begin(domain, window, GFP_KERNEL_ACCOUNT);
	int rc;

	if (window->pages->source->devmem)
		return devmem_add(domain, window);

	rc = iofd_pages_walk(window->pages, window_indices(window), load_run,
			     &load);
	return load_end(&load, window, rc);
}

/**
 * iofd_paging_unload - take a window out of a domain
 * @domain: paging domain in which all of it is loaded
 * @pages: the window's page set
 * @iova: the whole range of a window
 * @gather: collects what has to be flushed; the caller syncs it with
 *          iofd_paging_sync() before it releases the memory
 */
void iofd_paging_unload(struct iommu_domain *domain, struct iofd_pages *pages,
			struct iofd_range iova,
			struct iommu_iotlb_gather *gather)
{
	unsigned long length = iofd_range_length(iova);
	unsigned long unmapped;

	if (pages->source->devmem) {
		devmem_remove(domain, pages, iova.first);
		return;
	}
	unmapped = iommu_unmap_fast(domain, iova.first, length, gather);
	/* A hole here would mean that a device keeps access to freed memory. */
	WARN_ON(unmapped != length);
}
