// SPDX-License-Identifier: GPL-2.0-only
/* Typed wrappers around the ioctls of /dev/iommu. */
#include <assert.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "iommu.h"

static_assert(sizeof(struct iova_range) == sizeof(struct iommu_iova_range),
	      "iova_range is handed to the kernel as it is");

int iommu_open(void)
{
	return open("/dev/iommu", O_RDWR | O_CLOEXEC);
}

int iommu_ioas_alloc(int fd, __u32 *ioas_id)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };

	if (ioctl(fd, IOMMU_IOAS_ALLOC, &cmd))
		return -1;
	*ioas_id = cmd.out_ioas_id;
	return 0;
}

int iommu_destroy(int fd, __u32 id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	return ioctl(fd, IOMMU_DESTROY, &cmd);
}

static __u32 map_flags(int rights)
{
	__u32 flags = 0;

	if (rights & DEVICE_READS)
		flags |= IOMMU_IOAS_MAP_READABLE;
	if (rights & DEVICE_WRITES)
		flags |= IOMMU_IOAS_MAP_WRITEABLE;
	return flags;
}

int iommu_map_at(int fd, __u32 ioas_id, void *va, size_t len, __u64 iova,
		 int rights)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = map_flags(rights) | IOMMU_IOAS_MAP_FIXED_IOVA,
		.ioas_id = ioas_id,
		.user_va = (uintptr_t)va,
		.length = len,
		.iova = iova,
	};

	return ioctl(fd, IOMMU_IOAS_MAP, &cmd);
}

int iommu_map(int fd, __u32 ioas_id, void *va, size_t len, __u64 *iova,
	      int rights)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = map_flags(rights),
		.ioas_id = ioas_id,
		.user_va = (uintptr_t)va,
		.length = len,
	};

	if (ioctl(fd, IOMMU_IOAS_MAP, &cmd))
		return -1;
	*iova = cmd.iova;
	return 0;
}

int iommu_unmap(int fd, __u32 ioas_id, __u64 iova, __u64 len, __u64 *unmapped)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas_id,
		.iova = iova,
		.length = len,
	};

	if (ioctl(fd, IOMMU_IOAS_UNMAP, &cmd))
		return -1;
	*unmapped = cmd.length;
	return 0;
}

int iommu_copy(int fd, __u32 dst_ioas, __u32 src_ioas, __u64 iova, __u64 len,
	       int rights)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = map_flags(rights) | IOMMU_IOAS_MAP_FIXED_IOVA,
		.dst_ioas_id = dst_ioas,
		.src_ioas_id = src_ioas,
		.length = len,
		.dst_iova = iova,
		.src_iova = iova,
	};

	return ioctl(fd, IOMMU_IOAS_COPY, &cmd);
}

int iommu_iova_ranges(int fd, __u32 ioas_id, struct iova_range *ranges,
		      __u32 max, __u32 *count, __u64 *alignment)
{
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas_id,
		.num_iovas = max,
		.allowed_iovas = (uintptr_t)ranges,
	};

	if (ioctl(fd, IOMMU_IOAS_IOVA_RANGES, &cmd))
		return -1;
	*count = cmd.num_iovas;
	*alignment = cmd.out_iova_alignment;
	return 0;
}

int iommu_hw_type(int fd, __u32 dev_id, __u32 *type)
{
	struct iommu_hw_info cmd = { .size = sizeof(cmd), .dev_id = dev_id };

	if (ioctl(fd, IOMMU_GET_HW_INFO, &cmd))
		return -1;
	*type = cmd.out_data_type;
	return 0;
}

const char *iommu_hw_name(__u32 type)
{
	switch (type) {
	case IOMMU_HW_INFO_TYPE_NONE:
		return "an IOMMU that does not tell its kind";
	case IOMMU_HW_INFO_TYPE_INTEL_VTD:
		return "an Intel VT-d IOMMU";
	case IOMMU_HW_INFO_TYPE_ARM_SMMUV3:
		return "an Arm SMMUv3 IOMMU";
	case IOMMU_HW_INFO_TYPE_AMD:
		return "an AMD IOMMU";
	}
	return "an IOMMU this program has no name for";
}
