/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hardware page tables: an iommu_domain with an ID.
 */
#ifndef IOFD_OBJECT_HWPT_H
#define IOFD_OBJECT_HWPT_H

#include <linux/iommu.h>
#include <linux/iommufd.h>

#include "builtin/msi.h"
#include "object/ioas.h"
#include "object/object.h"
#include "space/aspace.h"

struct iofd_fault;

/**
 * struct iommufd_hw_pagetable - what all hardware page tables have in common
 * @obj: object
 * @domain: the page table; its iommufd_hwpt points back here
 * @fault: where page faults of devices on it are reported, or NULL
 * @fault_obj: @fault as the object that is referenced, or NULL
 * @pasid_compat: made with IOMMU_HWPT_ALLOC_PASID
 */
struct iommufd_hw_pagetable {
	struct iommufd_object obj;
	struct iommu_domain *domain;
	struct iofd_fault *fault;
	struct iommufd_object *fault_obj;
	bool pasid_compat;
};

/**
 * struct iommufd_hwpt_paging - the object IOMMUFD_OBJ_HWPT_PAGING
 * @common: object and domain
 * @ioas: the IOAS whose areas it holds; referenced
 * @member: membership in the IOAS's address space
 * @joined: @member is in the address space
 * @automatic: made by an attach to the IOAS, goes with its last user
 * @enforce_coherency: the IOMMU ignores no-snoop, for good
 * @nest_parent: made with IOMMU_HWPT_ALLOC_NEST_PARENT
 * @auto_link: in the IOAS's list if @automatic
 * @msi: MSI pages it holds besides
 */
struct iommufd_hwpt_paging {
	struct iommufd_hw_pagetable common;
	struct iofd_ioas *ioas;
	struct iofd_member member;
	bool joined : 1;
	bool automatic : 1;
	bool enforce_coherency : 1;
	bool nest_parent : 1;
	struct list_head auto_link;
	struct iofd_msi_table msi;
};

/**
 * struct iommufd_hwpt_nested - the object IOMMUFD_OBJ_HWPT_NESTED
 * @common: object and domain
 * @parent: page table through which its own addresses go; referenced unless
 *          @viommu is, which holds it
 * @viommu: the vIOMMU it was made on, referenced, or NULL
 */
struct iommufd_hwpt_nested {
	struct iommufd_hw_pagetable common;
	struct iommufd_hwpt_paging *parent;
	struct iommufd_viommu *viommu;
};

static inline struct iommufd_hw_pagetable *
iofd_hwpt_of(struct iommufd_object *obj)
{
	return container_of(obj, struct iommufd_hw_pagetable, obj);
}

static inline struct iommufd_hwpt_paging *
iofd_hwpt_paging_of(struct iommufd_object *obj)
{
	return container_of(obj, struct iommufd_hwpt_paging, common.obj);
}

static inline struct iommufd_hwpt_nested *
iofd_hwpt_nested_of(struct iommufd_object *obj)
{
	return container_of(obj, struct iommufd_hwpt_nested, common.obj);
}

/* The page table whose IOAS a page table's DMA ends in: itself or its parent */
static inline struct iommufd_hwpt_paging *
iofd_hwpt_paging_behind(struct iommufd_hw_pagetable *hwpt)
{
	if (hwpt->obj.type == IOMMUFD_OBJ_HWPT_NESTED)
		return iofd_hwpt_nested_of(&hwpt->obj)->parent;
	return iofd_hwpt_paging_of(&hwpt->obj);
}

struct iommufd_hwpt_paging *
iofd_hwpt_paging_new(struct iofd_ioas *ioas, struct device *dev,
		     bool enforce_coherency, u32 flags,
		     const struct iommu_user_data *data);
struct iommufd_hwpt_paging *
iofd_hwpt_paging_new_automatic(struct iofd_ioas *ioas, struct device *dev,
			       bool enforce_coherency);
int iofd_hwpt_paging_join(struct iommufd_hwpt_paging *hwpt);
void iofd_hwpt_paging_cancel(struct iommufd_hwpt_paging *hwpt);
void iofd_hwpt_publish(struct iommufd_hw_pagetable *hwpt);
void iofd_hwpt_publish_automatic(struct iommufd_hwpt_paging *hwpt);
struct iommufd_hwpt_paging *
iofd_hwpt_next_automatic(struct iofd_ioas *ioas,
			 struct iommufd_hwpt_paging *prev);
void iofd_hwpt_unref(struct iommufd_hwpt_paging *hwpt);
void iofd_hwpt_show(struct seq_file *m, struct iommufd_object *obj);

bool __must_check
iofd_hwpt_set_fault(struct iommufd_hw_pagetable *hwpt,
		    struct iofd_fault *fault, struct iommufd_object *fault_obj,
		    int (*handler)(struct iopf_group *group));

/* hwpt_nested.c */
struct iommufd_hwpt_nested *
iofd_hwpt_nested_new(struct iommufd_hwpt_paging *parent, struct device *dev,
		     u32 flags, const struct iommu_user_data *data);
struct iommufd_hwpt_nested *
iofd_hwpt_nested_new_viommu(struct iommufd_viommu *viommu, struct device *dev,
			    u32 flags, const struct iommu_user_data *data);
void iofd_hwpt_nested_cancel(struct iommufd_hwpt_nested *hwpt);

/* invalidate.c */
int hwpt_invalidate_ioctl(struct iofd_ucmd *ucmd);

/* Between the files of this room: the domain's life. */
void iofd_hwpt_set_domain(struct iommufd_hw_pagetable *hwpt,
			  struct iommu_domain *domain);
void iofd_hwpt_free_domain(struct iommufd_hw_pagetable *hwpt);

/* hwpt_dirty.c */
int hwpt_set_dirty_tracking_ioctl(struct iofd_ucmd *ucmd);
int hwpt_get_dirty_bitmap_ioctl(struct iofd_ucmd *ucmd);
int ioas_unmap_dirty_ioctl(struct iofd_ucmd *ucmd);

extern const struct iofd_object_type iofd_hwpt_paging_type;
extern const struct iofd_object_type iofd_hwpt_nested_type;

#endif
