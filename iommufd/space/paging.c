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
 * No lock of its own.  The caller keeps the slice pinned by a hold and sees to
 * it that a range of a domain is loaded and unloaded by one thread at a time;
 * different ranges may go in parallel, as IOMMU page tables allow.
 */
#include <linux/sched/signal.h>

#include "base/check.h"
#include "memory/pages.h"
#include "space/paging.h"

/* The state of one load. */
struct load {
	struct iommu_domain *domain;
	const struct iofd_window *window;
	unsigned long done;		/* bytes mapped so far */
};

static unsigned long window_length(const struct iofd_window *window)
{
	return iofd_range_length(window->iova);
}

static int load_piece(struct load *load, phys_addr_t phys, unsigned long bytes)
{
	int rc;

	rc = iommu_map(load->domain, load->window->iova.first + load->done,
		       phys, bytes, load->window->prot, GFP_KERNEL_ACCOUNT);
	if (!rc)
		load->done += bytes;
	return rc;
}

static int load_run(const struct iofd_run *run, void *arg)
{
	struct load *load = arg;
	const struct iofd_window *window = load->window;
	phys_addr_t phys = PFN_PHYS((phys_addr_t)run->pfn);
	unsigned long bytes = (run->last - run->first + 1) << PAGE_SHIFT;
	unsigned int skip = 0;
	int rc;

	/* Only the first page of a slice can begin in its middle. */
	if (!load->done)
		skip = iofd_pages_page_offset(window->pages, window->byte);
	phys += skip;
	bytes = min(bytes - skip, window_length(window) - load->done);

	while (bytes) {
		unsigned long piece = min(bytes, window->max_piece);

		rc = load_piece(load, phys, piece);
		if (rc)
			return rc;
		phys += piece;
		bytes -= piece;
		cond_resched();
	}
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/**
 * iofd_paging_load - enter a window into a domain
 * @domain: paging domain
 * @window: what to enter; its slice is pinned
 *
 * Return: 0; -ENOMEM; -EINTR a fatal signal is pending; or what the IOMMU driver
 * answers; on failure with the domain as it was before.
 */
int iofd_paging_load(struct iommu_domain *domain,
		     const struct iofd_window *window)
{
	struct load load = { .domain = domain, .window = window };
	int rc;

	rc = iofd_pages_walk(window->pages,
			     iofd_pages_indices(window->pages, window->byte,
						window_length(window)),
			     load_run, &load);
	if (rc) {
		if (load.done)
			iommu_unmap(domain, window->iova.first, load.done);
		return rc;
	}
	iofd_check(load.done == window_length(window));
	return 0;
}

/**
 * iofd_paging_unload - take a window out of a domain
 * @domain: paging domain in which all of it is loaded
 * @iova: the whole range of a window
 * @gather: collects what has to be flushed; the caller syncs it with
 *          iommu_iotlb_sync() before it releases the memory
 */
void iofd_paging_unload(struct iommu_domain *domain, struct iofd_range iova,
			struct iommu_iotlb_gather *gather)
{
	unsigned long length = iofd_range_length(iova);
	unsigned long unmapped;

	unmapped = iommu_unmap_fast(domain, iova.first, length, gather);
	/* A hole here would mean that a device keeps access to freed memory. */
	WARN_ON(unmapped != length);
}
