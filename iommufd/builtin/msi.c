// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: software MSI
 *
 * The interrupt code asks here, through the IOMMU core, for the IOVA that a
 * device has to write its MSIs to::
 *
 *   iommufd_sw_msi(physical page)
 *     find the page in the context's list, or place it:   window + n pages
 *     map it in the page table the group is on            and in the next one
 *     remember that the group needs it
 *
 * The list belongs to the context, what is mapped to a page table, and what is
 * needed to a group.  A group that is attached to another page table brings
 * along what it needs before the switch (device/msi.c).  Nothing is ever taken
 * out but by the end of what it belongs to, so an IOVA once told stays good.
 *
 * Here is only what the IOMMU core calls; nothing refers to the module.
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/msi.h>

#include "../iommu-priv.h"
#include "builtin/msi.h"

/* The page's entry in the list, which is made if there is none. */
static struct iofd_msi_page *get_page_entry(struct iofd_msi_space *space,
					    struct iofd_range window,
					    phys_addr_t phys)
{
	unsigned long offset = 0;
	struct iofd_msi_page *page;

	lockdep_assert_held(&space->lock);

	list_for_each_entry(page, &space->pages, link) {
		if (page->window != window.first)
			continue;
		if (page->phys == phys)
			return page;
		offset += PAGE_SIZE;
	}
	if (space->npages == IOFD_MSI_PAGES ||
	    offset + PAGE_SIZE - 1 > window.last - window.first)
		return ERR_PTR(-EOVERFLOW);

	page = kzalloc_obj(*page, GFP_KERNEL_ACCOUNT);
	if (!page)
		return ERR_PTR(-ENOMEM);
	page->id = space->npages++;
	page->window = window.first;
	page->iova = window.first + offset;
	page->phys = phys;
	list_add_tail(&page->link, &space->pages);
	return page;
}

/**
 * iommufd_sw_msi_install - map one MSI page in one page table
 * @space: MSI pages of the context; locked
 * @table: page table
 * @page: page
 *
 * Return: 0, also if it is mapped already; what iommu_map() returns.
 */
int iommufd_sw_msi_install(struct iofd_msi_space *space,
			   struct iofd_msi_table *table,
			   const struct iofd_msi_page *page)
{
	int rc;

	lockdep_assert_held(&space->lock);

	if (test_bit(page->id, table->mapped))
		return 0;
	rc = iommu_map(table->domain, page->iova, page->phys, PAGE_SIZE,
		       IOMMU_READ | IOMMU_WRITE | IOMMU_MMIO,
		       GFP_KERNEL_ACCOUNT);
	if (!rc)
		__set_bit(page->id, table->mapped);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_sw_msi_install, "IOMMUFD_INTERNAL");

/**
 * iommufd_sw_msi_place - where a device sees a page of an interrupt controller
 * @dev: device; its IOMMU group's mutex is held
 * @msi_addr: physical address that its MSIs are to arrive at
 * @iova: out: page aligned IOVA of that page, written for 1 only
 *
 * Return: 1 if the device has to use @iova; 0 if its MSIs are not translated,
 * or nothing is attached; -EOVERFLOW if the window is full, or the context has
 * IOFD_MSI_PAGES pages; -ENOMEM; what iommu_map() returns.
 */
int iommufd_sw_msi_place(struct device *dev, phys_addr_t msi_addr,
			 unsigned long *iova)
{
	struct iommu_attach_handle *core_handle;
	struct iofd_attach_handle *handle;
	struct iofd_msi_group *group;
	struct iofd_msi_page *page;
	int rc;

	iommu_group_mutex_assert(dev);
	/* The mutex keeps it from being replaced. */
	core_handle = iommu_attach_handle_get(dev->iommu_group, IOMMU_NO_PASID,
					      0);
	if (IS_ERR(core_handle))
		return 0;
	handle = container_of(core_handle, struct iofd_attach_handle, handle);
	group = handle->msi_group;

	guard(mutex)(&group->space->lock);
	if (!group->window.exists)
		return 0;
	page = get_page_entry(group->space, group->window.range,
			      msi_addr & PAGE_MASK);
	if (IS_ERR(page))
		return PTR_ERR(page);
	rc = iommufd_sw_msi_install(group->space, handle->msi_table, page);
	if (!rc && group->next)
		rc = iommufd_sw_msi_install(group->space, group->next, page);
	if (rc)
		return rc;
	__set_bit(page->id, group->needed);
	*iova = page->iova;
	return 1;
}
EXPORT_SYMBOL_NS_GPL(iommufd_sw_msi_place, "IOMMUFD_INTERNAL");

#ifdef CONFIG_IRQ_MSI_IOMMU
/**
 * iommufd_sw_msi - map an MSI page for a device behind an iommufd domain
 * @domain: domain of the device's group
 * @desc: MSI descriptor; gets the IOVA
 * @msi_addr: physical address of the MSI page
 *
 * The descriptor is left alone where MSIs are not translated.
 *
 * Context: process context with the mutex of the device's IOMMU group held.
 *
 * Return: 0; -EOVERFLOW no room for a further page; -ENOMEM; what iommu_map()
 * returns.
 */
int iommufd_sw_msi(struct iommu_domain *domain, struct msi_desc *desc,
		   phys_addr_t msi_addr)
{
	unsigned long iova;
	int rc;

	rc = iommufd_sw_msi_place(msi_desc_to_dev(desc), msi_addr, &iova);
	if (rc <= 0)
		return rc;
	msi_desc_set_iommu_msi_iova(desc, iova, PAGE_SHIFT);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(iommufd_sw_msi, "IOMMUFD");
#endif
