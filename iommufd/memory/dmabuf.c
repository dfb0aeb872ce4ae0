// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: dma-bufs as a source
 *
 * Memory of a device, exported by the device's driver.  There are no pages to
 * pin; the exporter says where the memory is, and may take it back at any
 * time, by invalidating the attachment.  dma-buf itself hands out DMA addresses
 * of one device, not physical addresses, so these come from the exporter
 * directly, and only exporters with such an agreement are accepted: VFIO PCI,
 * and one that registers here.
 *
 * A page set is present from its making to the first invalidation.  That is
 * final: when the exporter grants access again a new map call is needed.
 * Windows load while the reservation lock is not held, so the set's own lock is
 * what keeps them from passing an invalidation::
 *
 *   make      resv { pin, ask the exporter, lock { present } }
 *   window                                  lock { if present: load }
 *   revoke    resv {                        lock { unload all, not present } }
 *
 * Lock: iofd_devmem.lock, of a class of its own.  Others take the reservation
 * lock inside mmap_lock, so mmap_lock must not be taken inside this one; waiting
 * for reclaim is fine, as it is inside of reservation locks.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vfio_pci_core.h>

#include "memory/devmem.h"
#include "memory/dmabuf.h"

/**
 * struct iofd_dmabuf_pages - page set of a dma-buf
 * @mem: the page set, whose addresses are offsets in the buffer
 * @attach: attachment, pinned; NULL if it could not be made
 */
struct iofd_dmabuf_pages {
	struct iofd_devmem mem;
	struct dma_buf_attachment *attach;
};

static iofd_dmabuf_phys_fn registered_phys;

/**
 * iofd_dmabuf_set_exporter - let an exporter in this module take part
 * @phys: asked before VFIO is; NULL: there is none any more
 */
void iofd_dmabuf_set_exporter(iofd_dmabuf_phys_fn phys)
{
	WRITE_ONCE(registered_phys, phys);
}

/* VFIO depends on this module, so its symbol is looked up when it is needed. */
static int vfio_phys(struct dma_buf_attachment *attach, struct phys_vec *phys)
{
	iofd_dmabuf_phys_fn fn;
	int rc;

	if (!IS_ENABLED(CONFIG_VFIO_PCI_DMABUF))
		return -EOPNOTSUPP;
	fn = symbol_get(vfio_pci_dma_buf_iommufd_map);
	if (!fn)
		return -EOPNOTSUPP;
	rc = fn(attach, phys);
	symbol_put(vfio_pci_dma_buf_iommufd_map);
	return rc;
}

static int ask_exporter(struct dma_buf_attachment *attach,
			struct phys_vec *phys)
{
	iofd_dmabuf_phys_fn fn = READ_ONCE(registered_phys);
	int rc = -EOPNOTSUPP;

	dma_resv_assert_held(attach->dmabuf->resv);

	if (fn)
		rc = fn(attach, phys);
	return rc == -EOPNOTSUPP ? vfio_phys(attach, phys) : rc;
}

/* The set's part of the exporter's one range. */
static int make_present(struct iofd_dmabuf_pages *pages)
{
	struct iofd_devmem *mem = &pages->mem;
	unsigned long addr = mem->pages.addr;
	struct iofd_run *run;
	struct phys_vec phys;
	int rc;

	rc = ask_exporter(pages->attach, &phys);
	if (rc)
		return rc;
	if (WARN_ON_ONCE(!PAGE_ALIGNED(phys.paddr) ||
			 addr + (mem->pages.length - 1) >= phys.len))
		return -EINVAL;

	run = kvmalloc_obj(*run, GFP_KERNEL_ACCOUNT);
	if (!run)
		return -ENOMEM;
	*run = (struct iofd_run){
		.first = 0,
		.last = iofd_pages_nr(&mem->pages) - 1,
		.pfn = PHYS_PFN(phys.paddr) + (addr >> PAGE_SHIFT),
	};
	mutex_lock(&mem->lock);
	rc = iofd_devmem_restore_locked(mem, run, 1);
	mutex_unlock(&mem->lock);
	if (rc)
		kvfree(run);
	return rc;
}

/* The exporter takes the memory back; what is present now never is again. */
static void invalidate_mappings(struct dma_buf_attachment *attach)
{
	struct iofd_dmabuf_pages *pages = attach->importer_priv;

	dma_resv_assert_held(attach->dmabuf->resv);

	mutex_lock(&pages->mem.lock);
	iofd_devmem_revoke_locked(&pages->mem);
	mutex_unlock(&pages->mem.lock);
}

static const struct dma_buf_attach_ops attach_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = invalidate_mappings,
};

/* Attach, pin and find the memory: all of it, or nothing. */
static int attach_buffer(struct iofd_dmabuf_pages *pages,
			 struct dma_buf *dmabuf, struct device *dev)
{
	struct dma_buf_attachment *attach;
	int rc;

	attach = dma_buf_dynamic_attach(dmabuf, dev, &attach_ops, pages);
	if (IS_ERR(attach))
		return PTR_ERR(attach);

	pages->attach = attach;
	dma_resv_lock(dmabuf->resv, NULL);
	rc = dma_buf_pin(attach);
	if (rc)
		goto err_unlock;
	rc = make_present(pages);
	if (rc)
		goto err_unpin;
	dma_resv_unlock(dmabuf->resv);
	get_dma_buf(dmabuf);
	return 0;

err_unpin:
	dma_buf_unpin(attach);
err_unlock:
	dma_resv_unlock(dmabuf->resv);
	dma_buf_detach(dmabuf, attach);
	pages->attach = NULL;
	return rc;
}

static void detach_buffer(struct iofd_dmabuf_pages *pages)
{
	struct dma_buf *dmabuf = pages->attach->dmabuf;

	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_unpin(pages->attach);
	dma_resv_unlock(dmabuf->resv);
	/* From here on there are no invalidations. */
	dma_buf_detach(dmabuf, pages->attach);
	dma_buf_put(dmabuf);
}

static void dmabuf_release(struct iofd_pages *base)
{
	struct iofd_devmem *mem = iofd_devmem_of(base);
	struct iofd_dmabuf_pages *pages =
		container_of(mem, struct iofd_dmabuf_pages, mem);

	if (pages->attach)
		detach_buffer(pages);
	iofd_devmem_fini(mem);
}

static const struct iofd_pages_source dmabuf_source = {
	.name = "dma-buf",
	.devmem = true,
	.release = dmabuf_release,
};

/**
 * iofd_dmabuf_pages_create - a page set of a dma-buf
 * @dmabuf: the buffer; the page set takes a reference of its own
 * @dev: device to attach in the name of; it is asked for nothing
 * @range: bytes of the buffer, any alignment
 * @writable: devices may write, whatever mode the buffer's file is open in
 *
 * Takes the buffer's reservation lock, as the last iofd_pages_put() does:
 * no lock of an address space may be held.
 *
 * Return: page set with one reference; ERR_PTR(-EINVAL) if @range reaches
 * beyond the buffer or has 2^32 - 1 pages or more; ERR_PTR(-ENODEV) if the
 * exporter has revoked the memory; ERR_PTR(-EOPNOTSUPP) if it is none that
 * takes part, or has the memory in several pieces; ERR_PTR(-ENOMEM); what else
 * the exporter answers to attach and pin.
 */
struct iofd_pages *iofd_dmabuf_pages_create(struct dma_buf *dmabuf,
					    struct device *dev,
					    struct iofd_range range,
					    bool writable)
{
	unsigned long length = iofd_range_length(range);
	struct iofd_dmabuf_pages *pages;
	int rc;

	if (dmabuf->size <= range.last)
		return ERR_PTR(-EINVAL);
	if (length / PAGE_SIZE >= U32_MAX)
		return ERR_PTR(-EINVAL);

	pages = kzalloc_obj(*pages, GFP_KERNEL_ACCOUNT);
	if (!pages)
		return ERR_PTR(-ENOMEM);
	mutex_init(&pages->mem.lock);
	iofd_devmem_init(&pages->mem, &dmabuf_source, range.first, length,
			 writable, GFP_KERNEL_ACCOUNT);
	/* Freed by its base, as all page sets are. */
	static_assert(!offsetof(struct iofd_dmabuf_pages, mem.pages));

	rc = attach_buffer(pages, dmabuf, dev);
	if (rc) {
		iofd_pages_put(&pages->mem.pages);
		return ERR_PTR(rc);
	}
	return &pages->mem.pages;
}
