// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: the mock IOMMU
 *
 * An IOMMU driver without hardware, registered on a bus of its own, so that the
 * IOMMU core treats mock devices like real ones::
 *
 *   bus iommufd_mock            device iommufd_selftest_iommu
 *     iommufd_mock0  ------+      |
 *     iommufd_mock1  ------+--> IOMMU instance
 *     iommufd_mock2  ---------> the other one
 *                                 |
 *                               blocked domain | page tables
 *
 * Each device is a group of its own, or in one with others of its context.
 * While nobody attaches it, it is blocked.
 *
 * The other instance has an IOMMU driver of its own, as far as anybody but this
 * code can see: what one of the two has made means nothing to the other.
 *
 * Its page tables are real ones, of a format whose smallest page is half of
 * PAGE_SIZE: what assumes that both are the same breaks on them.  The only
 * walkers are tests, through mock_domain_translate().
 *
 * Lock: walk_lock of each domain, a leaf.  It plays the part of the IOTLB
 * flush: memory of a table is freed only when no walker can be in it.
 */
#include <linux/err.h>
#include <linux/generic_pt/iommu.h>
#include <linux/iommu.h>
#include <linux/irqdomain.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#include "../iommu-pages.h"
#include "../iommu-priv.h"
#include "iommufd_test.h"
#include "test/mock.h"

/* Widths of the table: three levels, which is 2^38 bytes of IOVA. */
#define MOCK_IOVA_WIDTH 38
#define MOCK_PHYS_WIDTH 51
#define MOCK_TOP_LEVEL 2

static const struct bus_type mock_bus = {
	.name = "iommufd_mock",
};

static struct notifier_block mock_bus_nb;
static struct platform_device *mock_platform_device;
static struct fwnode_handle *mock_msi_fwnode;
static struct irq_domain *mock_msi_domain;

static struct iommu_device mock_iommu_device = {
	.max_pasids = 1 << MOCK_PASID_WIDTH,
};

static struct iommu_device mock_other_device = {
	.max_pasids = 1 << MOCK_PASID_WIDTH,
};

static struct iommu_device *iommu_of(const struct device *dev)
{
	const struct mock_device *mdev =
		container_of_const(dev, struct mock_device, dev);

	if (mdev->flags & MOCK_FLAGS_DEVICE_X_OTHER_IOMMU)
		return &mock_other_device;
	return &mock_iommu_device;
}

/* What is no hardware has only to be told whether it may ask for pages. */
static int blocked_attach_dev(struct iommu_domain *domain, struct device *dev,
			      struct iommu_domain *old)
{
	int rc = mock_iopf_attach(dev, domain, old);

	if (!rc)
		mock_device_moved(dev, NULL, 0);
	return rc;
}

static int blocked_set_dev_pasid(struct iommu_domain *domain,
				 struct device *dev, ioasid_t pasid,
				 struct iommu_domain *old)
{
	mock_pasid_block(dev, pasid);
	return mock_iopf_attach(dev, domain, old);
}

static const struct iommu_domain_ops mock_blocked_ops = {
	.attach_dev = blocked_attach_dev,
	.set_dev_pasid = blocked_set_dev_pasid,
};

static struct iommu_domain mock_blocked_domain = {
	.type = IOMMU_DOMAIN_BLOCKED,
	.ops = &mock_blocked_ops,
};

static struct mock_domain *paging_of(struct iommu_domain *domain)
{
	return container_of(domain, struct mock_domain, domain);
}

static bool has_dirty_tracking(struct device *dev)
{
	return !(mock_device_of(dev)->flags & MOCK_FLAGS_DEVICE_NO_DIRTY);
}

static bool can_ignore_no_snoop(struct device *dev)
{
	return mock_device_of(dev)->flags & MOCK_FLAGS_DEVICE_X_COHERENT;
}

/* Has the device what this page table needs? */
static bool fits(struct iommu_domain *domain, struct device *dev)
{
	if (domain->dirty_ops && !has_dirty_tracking(dev))
		return false;
	return !paging_of(domain)->coherent || can_ignore_no_snoop(dev);
}

static int paging_attach_dev(struct iommu_domain *domain, struct device *dev,
			     struct iommu_domain *old)
{
	int rc;

	if (!fits(domain, dev))
		return -EINVAL;
	rc = mock_msi_moving(dev);
	if (!rc)
		rc = mock_iopf_attach(dev, domain, old);
	if (!rc)
		mock_device_moved(dev, NULL, 0);
	return rc;
}

static int paging_set_dev_pasid(struct iommu_domain *domain, struct device *dev,
				ioasid_t pasid, struct iommu_domain *old)
{
	if (!fits(domain, dev))
		return -EINVAL;
	return mock_pasid_set(dev, pasid, domain, old);
}

/* The IOTLB flush: what was unlinked before it, nobody finds after it. */
static void paging_iotlb_sync(struct iommu_domain *domain,
			      struct iommu_iotlb_gather *gather)
{
	struct mock_domain *mock = paging_of(domain);

	mock_dirty_flush(mock, gather);
	if (iommu_pages_list_empty(&gather->freelist))
		return;
	write_lock(&mock->walk_lock);
	write_unlock(&mock->walk_lock);
	iommu_put_pages_list(&gather->freelist);
}

static void paging_free(struct iommu_domain *domain)
{
	struct mock_domain *mock = paging_of(domain);

	pt_iommu_deinit(&mock->pt.iommu);
	kfree(mock);
}

/* Of the two kinds of tables only one can. */
static bool paging_enforce_cache_coherency(struct iommu_domain *domain)
{
	if (!(domain->pgsize_bitmap & MOCK_PAGE_SIZE))
		return false;
	paging_of(domain)->coherent = true;
	return true;
}

static const struct iommu_domain_ops mock_paging_ops = {
	IOMMU_PT_DOMAIN_OPS(amdv1_mock),
	.attach_dev = paging_attach_dev,
	.set_dev_pasid = paging_set_dev_pasid,
	.enforce_cache_coherency = paging_enforce_cache_coherency,
	.iotlb_sync = paging_iotlb_sync,
	.free = paging_free,
};

static int paging_set_dirty_tracking(struct iommu_domain *domain, bool enable)
{
	WRITE_ONCE(paging_of(domain)->dirty_tracking, enable);
	return 0;
}

static const struct iommu_dirty_ops mock_dirty_ops = {
	IOMMU_PT_DIRTY_OPS(amdv1_mock),
	.set_dirty_tracking = paging_set_dirty_tracking,
};

/* What the caller of IOMMU_HWPT_ALLOC says about the table it wants. */
static int copy_user_data(struct iommu_hwpt_selftest *cfg,
			  const struct iommu_user_data *user_data)
{
	int rc;

	*cfg = (struct iommu_hwpt_selftest){
		.pagetable_type = MOCK_IOMMUPT_DEFAULT,
	};
	if (!user_data)
		return 0;
	if (user_data->type != IOMMU_HWPT_DATA_SELFTEST)
		return -EOPNOTSUPP;
	rc = iommu_copy_struct_from_user(cfg, user_data,
					 IOMMU_HWPT_DATA_SELFTEST, iotlb);
	if (rc)
		return rc;
	if (cfg->pagetable_type != MOCK_IOMMUPT_DEFAULT &&
	    cfg->pagetable_type != MOCK_IOMMUPT_HUGE)
		return -EOPNOTSUPP;
	return 0;
}

static struct mock_domain *paging_new(u32 pagetable_type)
{
	static const struct pt_iommu_amdv1_mock_cfg cfg = {
		.common.hw_max_vasz_lg2 = MOCK_IOVA_WIDTH,
		.common.hw_max_oasz_lg2 = MOCK_PHYS_WIDTH,
		.starting_level = MOCK_TOP_LEVEL,
	};
	struct mock_domain *mock;
	int rc;

	mock = kzalloc_obj(*mock, GFP_KERNEL_ACCOUNT);
	if (!mock)
		return ERR_PTR(-ENOMEM);
	rwlock_init(&mock->walk_lock);
	spin_lock_init(&mock->iotlb.lock);
	mock->pt.iommu.nid = NUMA_NO_NODE;
	mock->domain.ops = &mock_paging_ops;
	rc = pt_iommu_amdv1_mock_init(&mock->pt, &cfg, GFP_KERNEL_ACCOUNT);
	if (rc) {
		kfree(mock);
		return ERR_PTR(rc);
	}

	/* The table can do more; the mock claims what makes good tests. */
	switch (pagetable_type) {
	case MOCK_IOMMUPT_HUGE:
		mock->domain.pgsize_bitmap = MOCK_HUGE_PAGE_SIZE | PAGE_SIZE;
		break;
	default:
		mock->domain.geometry.aperture_start = MOCK_APERTURE_START;
		mock->domain.geometry.aperture_end = MOCK_APERTURE_LAST;
		break;
	}
	return mock;
}

static struct iommu_domain *
mock_domain_alloc_paging_flags(struct device *dev, u32 flags,
			       const struct iommu_user_data *user_data)
{
	const u32 known = IOMMU_HWPT_ALLOC_DIRTY_TRACKING |
			  IOMMU_HWPT_ALLOC_NEST_PARENT |
			  IOMMU_HWPT_ALLOC_PASID;
	bool dirty = flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
	struct iommu_hwpt_selftest cfg;
	struct mock_domain *mock;
	int rc;

	if (flags & ~known)
		return ERR_PTR(-EOPNOTSUPP);
	if (dirty && !has_dirty_tracking(dev))
		return ERR_PTR(-EOPNOTSUPP);
	rc = copy_user_data(&cfg, user_data);
	if (rc)
		return ERR_PTR(rc);

	mock = paging_new(cfg.pagetable_type);
	if (IS_ERR(mock))
		return ERR_CAST(mock);
	if (dirty)
		mock->domain.dirty_ops = &mock_dirty_ops;
	return &mock->domain;
}

static struct iommu_domain *
mock_domain_alloc_nested(struct device *dev, struct iommu_domain *parent,
			 u32 flags, const struct iommu_user_data *user_data)
{
	return mock_nested_alloc(flags, user_data, NULL);
}

static bool mock_capable(struct device *dev, enum iommu_cap cap)
{
	switch (cap) {
	case IOMMU_CAP_CACHE_COHERENCY:
		return true;
	case IOMMU_CAP_DIRTY_TRACKING:
		return has_dirty_tracking(dev);
	case IOMMU_CAP_ENFORCE_CACHE_COHERENCY:
		return can_ignore_no_snoop(dev);
	default:
		return false;
	}
}

static void *mock_hw_info(struct device *dev, u32 *length,
			  enum iommu_hw_info_type *type)
{
	struct iommu_test_hw_info *info;

	if (*type != IOMMU_HW_INFO_TYPE_DEFAULT &&
	    *type != IOMMU_HW_INFO_TYPE_SELFTEST)
		return ERR_PTR(-EOPNOTSUPP);

	info = kzalloc_obj(*info);
	if (!info)
		return ERR_PTR(-ENOMEM);
	info->test_reg = IOMMU_HW_INFO_SELFTEST_REGVAL;
	*length = sizeof(*info);
	*type = IOMMU_HW_INFO_TYPE_SELFTEST;
	return info;
}

static struct iommu_device *mock_probe_device(struct device *dev)
{
	if (dev->bus != &mock_bus)
		return ERR_PTR(-ENODEV);
	return iommu_of(dev);
}

static int is_in_shared_group(struct device *dev, const void *data)
{
	const struct mock_device *wanted = data;
	struct mock_device *mdev = mock_device_of(dev);

	return mdev->ctx == wanted->ctx &&
	       mdev->flags & MOCK_FLAGS_DEVICE_X_GROUP &&
	       iommu_of(&mdev->dev) == iommu_of(&wanted->dev) &&
	       device_iommu_mapped(dev);
}

static struct iommu_group *mock_device_group(struct device *dev)
{
	struct mock_device *mdev = mock_device_of(dev);
	struct iommu_group *group = NULL;
	struct device *other = NULL;

	if (mdev->flags & MOCK_FLAGS_DEVICE_X_GROUP)
		other = bus_find_device(&mock_bus, NULL, mdev,
					is_in_shared_group);
	if (other) {
		/* NULL if it is just leaving */
		group = iommu_group_get(other);
		put_device(other);
	}
	return group ?: generic_device_group(dev);
}

static const struct iommu_ops mock_iommu_ops = {
	.owner = THIS_MODULE,
	.default_domain = &mock_blocked_domain,
	.blocked_domain = &mock_blocked_domain,
	.release_domain = &mock_blocked_domain,
	.capable = mock_capable,
	.hw_info = mock_hw_info,
	.domain_alloc_paging_flags = mock_domain_alloc_paging_flags,
	.domain_alloc_nested = mock_domain_alloc_nested,
	.probe_device = mock_probe_device,
	.page_response = mock_iopf_response,
	.get_viommu_size = mock_viommu_size,
	.viommu_init = mock_viommu_init,
	.device_group = mock_device_group,
	.get_resv_regions = mock_regions,
	.user_pasid_table = true,
};

/* A copy: who owns what is told from the address. */
static struct iommu_ops mock_other_ops __ro_after_init;

/**
 * mock_domain_of - the mock's page table behind a domain
 * @domain: any domain
 *
 * Return: the page table, or NULL for a domain of another kind or driver.
 */
struct mock_domain *mock_domain_of(struct iommu_domain *domain)
{
	return domain->ops == &mock_paging_ops ? paging_of(domain) : NULL;
}

/**
 * mock_domain_translate - where a DMA would go
 * @mock: page table
 * @iova: address
 *
 * Unlike iommu_iova_to_phys() it may meet a map or unmap of @iova.
 *
 * Return: physical address; 0 if a DMA would be blocked.
 */
phys_addr_t mock_domain_translate(struct mock_domain *mock, unsigned long iova)
{
	phys_addr_t phys;

	read_lock(&mock->walk_lock);
	phys = pt_iommu_amdv1_mock_iova_to_phys(&mock->domain, iova);
	read_unlock(&mock->walk_lock);
	return phys;
}

/**
 * mock_iommu_add_device - device_add() with the mock as the device's IOMMU
 * @dev: initialized and named device
 *
 * Return: 0, and @dev is in an IOMMU group; -ENOMEM or another error of
 * device_add(), and put_device() is all that is left to do.
 */
int mock_iommu_add_device(struct device *dev)
{
	int rc;

	dev->bus = &mock_bus;
	dev_set_msi_domain(dev, mock_msi_domain);
	rc = iommu_mock_device_add(dev, iommu_of(dev));
	if (rc) {
		/* Left behind where there was no memory for the fwspec. */
		kfree(dev->iommu);
		dev->iommu = NULL;
		return rc;
	}
	/* device_add() does not say how the IOMMU core's probe went. */
	if (!device_iommu_mapped(dev)) {
		device_del(dev);
		return -ENOMEM;
	}
	return 0;
}

/**
 * mock_iommu_has_device - is a device one of the mock's?
 * @dev: any device
 *
 * Return: true if it is a struct mock_device.
 */
bool mock_iommu_has_device(struct device *dev)
{
	return dev->bus == &mock_bus;
}

static const struct irq_domain_ops mock_msi_ops = {};

/*
 * Devices are bound only where MSIs are isolated.  The mock's devices cannot
 * send any, and an MSI domain of their own is how a device tells that.
 */
static int create_msi_domain(void)
{
	struct irq_domain_info info = {
		.domain_flags = IRQ_DOMAIN_FLAG_ISOLATED_MSI,
		.bus_token = DOMAIN_BUS_GENERIC_MSI,
		.ops = &mock_msi_ops,
	};
	struct irq_domain *domain;

	mock_msi_fwnode = irq_domain_alloc_named_fwnode("iommufd_mock");
	if (!mock_msi_fwnode)
		return -ENOMEM;
	info.fwnode = mock_msi_fwnode;
	domain = irq_domain_instantiate(&info);
	if (IS_ERR(domain)) {
		irq_domain_free_fwnode(mock_msi_fwnode);
		return PTR_ERR(domain);
	}
	mock_msi_domain = domain;
	return 0;
}

static void remove_msi_domain(void)
{
	irq_domain_remove(mock_msi_domain);
	irq_domain_free_fwnode(mock_msi_fwnode);
}

/* Nothing is probed for it: only devices that name it are behind it. */
static int __init add_other_iommu(struct device *parent)
{
	struct iommu_device *iommu = &mock_other_device;
	struct fwnode_handle *fwnode;
	int rc;

	fwnode = fwnode_create_software_node(NULL, NULL);
	if (IS_ERR(fwnode))
		return PTR_ERR(fwnode);
	iommu->fwnode = fwnode;
	rc = iommu_device_sysfs_add(iommu, parent, NULL, "%s.other",
				    dev_name(parent));
	if (rc)
		goto err_fwnode;
	mock_other_ops = mock_iommu_ops;
	rc = iommu_device_register(iommu, &mock_other_ops, NULL);
	if (rc)
		goto err_sysfs;
	return 0;

err_sysfs:
	iommu_device_sysfs_remove(iommu);
err_fwnode:
	fwnode_remove_software_node(fwnode);
	return rc;
}

static void remove_other_iommu(void)
{
	struct fwnode_handle *fwnode = mock_other_device.fwnode;

	iommu_device_unregister(&mock_other_device);
	iommu_device_sysfs_remove(&mock_other_device);
	fwnode_remove_software_node(fwnode);
}

int __init mock_iommu_init(void)
{
	struct platform_device *pdev;
	int rc;

	pdev = platform_device_register_simple("iommufd_selftest_iommu",
					       PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(pdev))
		return PTR_ERR(pdev);
	rc = create_msi_domain();
	if (rc)
		goto err_platform;
	rc = bus_register(&mock_bus);
	if (rc)
		goto err_msi;
	rc = iommu_device_sysfs_add(&mock_iommu_device, &pdev->dev, NULL, "%s",
				    dev_name(&pdev->dev));
	if (rc)
		goto err_bus;
	rc = iommu_device_register_bus(&mock_iommu_device, &mock_iommu_ops,
				       &mock_bus, &mock_bus_nb);
	if (rc)
		goto err_sysfs;
	rc = add_other_iommu(&pdev->dev);
	if (rc)
		goto err_iommu;
	mock_platform_device = pdev;
	return 0;

err_iommu:
	iommu_device_unregister_bus(&mock_iommu_device, &mock_bus,
				    &mock_bus_nb);
err_sysfs:
	iommu_device_sysfs_remove(&mock_iommu_device);
err_bus:
	bus_unregister(&mock_bus);
err_msi:
	remove_msi_domain();
err_platform:
	platform_device_unregister(pdev);
	return rc;
}

/* No context exists any more, and with them went the devices. */
void mock_iommu_exit(void)
{
	remove_other_iommu();
	iommu_device_unregister_bus(&mock_iommu_device, &mock_bus,
				    &mock_bus_nb);
	iommu_device_sysfs_remove(&mock_iommu_device);
	bus_unregister(&mock_bus);
	remove_msi_domain();
	platform_device_unregister(mock_platform_device);
}
