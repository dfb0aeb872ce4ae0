/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a test program and the mock IOMMU (CONFIG_IOMMUFD_TEST) say to each
 * other through ioctl(IOMMU_TEST_CMD), and the driver data of the mock that
 * travels in the ordinary ioctls.
 *
 * The file serves kernel and user space alike. Numbers and layouts are those
 * public test programs are compiled against, hence fixed; they are asserted at
 * the end. This is not a stable ABI for anything but tests, and the command
 * must never exist in a production kernel: it hands out what no program may
 * have.
 */
#ifndef _IOMMUFD_IOMMUFD_TEST_H
#define _IOMMUFD_IOMMUFD_TEST_H

#include <linux/types.h>
#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <uapi/linux/iommufd.h>
#else
#include <assert.h>
#ifndef IOMMUFD_TYPE
/* A program may have included a copy of the ABI of its own choice before. */
#include <linux/iommufd.h>
#endif
#endif

/* What the op member of struct iommu_test_cmd can be. */
enum {
	IOMMU_TEST_OP_ADD_RESERVED = 1,
	IOMMU_TEST_OP_MOCK_DOMAIN = 2,
	IOMMU_TEST_OP_MD_CHECK_MAP = 3,
	IOMMU_TEST_OP_MD_CHECK_REFS = 4,
	IOMMU_TEST_OP_CREATE_ACCESS = 5,
	IOMMU_TEST_OP_DESTROY_ACCESS_PAGES = 6,
	IOMMU_TEST_OP_ACCESS_PAGES = 7,
	IOMMU_TEST_OP_ACCESS_RW = 8,
	IOMMU_TEST_OP_SET_TEMP_MEMORY_LIMIT = 9,
	IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE = 10,
	IOMMU_TEST_OP_ACCESS_REPLACE_IOAS = 11,
	IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS = 12,
	IOMMU_TEST_OP_DIRTY = 13,
	IOMMU_TEST_OP_MD_CHECK_IOTLB = 14,
	IOMMU_TEST_OP_TRIGGER_IOPF = 15,
	IOMMU_TEST_OP_DEV_CHECK_CACHE = 16,
	IOMMU_TEST_OP_TRIGGER_VEVENT = 17,
	IOMMU_TEST_OP_PASID_ATTACH = 18,
	IOMMU_TEST_OP_PASID_REPLACE = 19,
	IOMMU_TEST_OP_PASID_DETACH = 20,
	IOMMU_TEST_OP_PASID_CHECK_HWPT = 21,
	IOMMU_TEST_OP_DMABUF_GET = 22,
	IOMMU_TEST_OP_DMABUF_REVOKE = 23,

	/* Additions of this driver's own */
	IOMMU_TEST_OP_X_MD_CHECK_BLOCKED = 0x100,
	IOMMU_TEST_OP_X_DMA_READ = 0x101,
	IOMMU_TEST_OP_X_DEVICE_MSI = 0x110,
	IOMMU_TEST_OP_X_MD_CHECK_PHYS = 0x111,
	IOMMU_TEST_OP_X_TRIGGER_PARTIAL_IOPF = 0x120,
	IOMMU_TEST_OP_X_IOPF_COUNTS = 0x121,
};

/* Page tables of the mock IOMMU */
enum {
	MOCK_IOMMUPT_DEFAULT = 0,
	MOCK_IOMMUPT_HUGE = 1,
};

/* What a page table of type DEFAULT translates, first and last address. */
#define MOCK_APERTURE_START 0x1000000UL
#define MOCK_APERTURE_LAST 0x7fffffffUL

/* Below PAGE_SIZE on purpose: this is what tests mappings of half a page. */
#define MOCK_PAGE_SIZE 2048UL
#define MOCK_HUGE_PAGE_SIZE (512 * MOCK_PAGE_SIZE)

/* Flags of ACCESS_PAGES; SYZ also of ACCESS_RW and of IOMMU_IOAS_COPY */
enum {
	MOCK_FLAGS_ACCESS_WRITE = 1 << 0,
	MOCK_FLAGS_ACCESS_SYZ = 1 << 16,
};

/* Flags of ACCESS_RW */
enum {
	MOCK_ACCESS_RW_WRITE = 1 << 0,
	MOCK_ACCESS_RW_SLOW_PATH = 1 << 2,
};

/* Flags of CREATE_ACCESS */
enum {
	MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES = 1 << 0,
};

/* dev_flags of MOCK_DOMAIN_FLAGS; bit 1 means nothing */
enum {
	MOCK_FLAGS_DEVICE_NO_DIRTY = 1 << 0,
	MOCK_FLAGS_DEVICE_PASID = 1 << 2,

	/*
	 * Additions of this driver's own: in one IOMMU group with all others of
	 * the context that have the flag; MSIs are translated, through a window
	 * as below, or through the small one; addresses that mean something else
	 * to the device; MSIs that are not translated; its IOMMU can ignore
	 * no-snoop; a driver that forgets to detach it; one that sets up an MSI
	 * to MOCK_LATE_MSI while the device moves; behind an IOMMU with a driver
	 * of its own
	 */
	MOCK_FLAGS_DEVICE_X_GROUP = 1 << 16,
	MOCK_FLAGS_DEVICE_X_SW_MSI = 1 << 17,
	MOCK_FLAGS_DEVICE_X_SW_MSI_SMALL = 1 << 18,
	MOCK_FLAGS_DEVICE_X_RESERVED = 1 << 19,
	MOCK_FLAGS_DEVICE_X_HW_MSI = 1 << 20,
	MOCK_FLAGS_DEVICE_X_COHERENT = 1 << 21,
	MOCK_FLAGS_DEVICE_X_LEFT_ATTACHED = 1 << 22,
	MOCK_FLAGS_DEVICE_X_LATE_MSI = 1 << 23,
	MOCK_FLAGS_DEVICE_X_OTHER_IOMMU = 1 << 24,
};

#define MOCK_MSI_START 0x7f000000UL
#define MOCK_MSI_LENGTH 0x100000UL
#define MOCK_MSI_SMALL_START 0x7e000000UL
#define MOCK_MSI_SMALL_LENGTH 0x4000UL
#define MOCK_HW_MSI_START 0x7d000000UL
#define MOCK_HW_MSI_LENGTH 0x100000UL
#define MOCK_LATE_MSI 0xfeeff040UL

/* For a device with the flag RESERVED: to be kept free, and not to be */
#define MOCK_RESERVED_START 0x7c000000UL
#define MOCK_RESERVED_LENGTH 0x100000UL
#define MOCK_RELAXABLE_START 0x7c800000UL
#define MOCK_RELAXABLE_LENGTH 0x100000UL

/* Number of words a nested page table, and a device, holds as its cache */
enum {
	MOCK_NESTED_DOMAIN_IOTLB_ID_MAX = 3,
	MOCK_NESTED_DOMAIN_IOTLB_NUM = 4,
};

enum {
	MOCK_DEV_CACHE_ID_MAX = 3,
	MOCK_DEV_CACHE_NUM = 4,
};

#define MOCK_PASID_WIDTH 20

/* The second attach of this PASID fails with ENOMEM, see PASID_REPLACE. */
#define IOMMU_TEST_PASID_RESERVED 1024

/**
 * struct iommu_test_cmd - Argument of ioctl(IOMMU_TEST_CMD)
 * @size: Length of this structure in bytes, at least up to and with @last
 * @op: IOMMU_TEST_OP_*
 * @id: The object the operation works on; for access_* the number of the file
 *	descriptor that CREATE_ACCESS returned
 * @__reserved: Not looked at
 * @add_reserved: ADD_RESERVED, @id an IOAS: reserve these addresses until the
 *	IOAS is destroyed
 * @mock_domain: MOCK_DOMAIN, @id an IOAS or HWPT: make a device and attach it
 * @mock_domain_flags: MOCK_DOMAIN_FLAGS: the same with a choice of device
 * @mock_domain_replace: MOCK_DOMAIN_REPLACE, @id a device made so: attach it to
 *	something else; returns the HWPT in use
 * @check_map: MD_CHECK_MAP, @id a HWPT: is the caller's memory at uptr mapped
 *	at iova, page by page; X_MD_CHECK_BLOCKED: is nothing mapped there (EIO
 *	if something is)
 * @check_refs: MD_CHECK_REFS: does each page of the caller's memory have this
 *	many pins
 * @create_access: CREATE_ACCESS, @id an IOAS: make an in-kernel user of it
 * @destroy_access_pages: DESTROY_ACCESS_PAGES: unpin what ACCESS_PAGES pinned
 * @access_pages: ACCESS_PAGES: pin, and compare with the caller's memory at
 *	uptr unless that is 0
 * @access_rw: ACCESS_RW: copy between uptr and iova
 * @access_replace_ioas: ACCESS_REPLACE_IOAS: move the access
 * @memory_limit: SET_TEMP_MEMORY_LIMIT: bytes of temporary memory while pinning
 * @dirty: DIRTY, @id a HWPT: pretend writes by a device to the pages whose bits
 *	are set at uptr; returns how many
 * @dma_read: X_DMA_READ, @id a HWPT: pretend a read by a device at iova, which
 *	brings the IOPTE into the IOTLB
 * @check_iotlb: MD_CHECK_IOTLB, @id a nested HWPT: has this word this value
 * @trigger_iopf: TRIGGER_IOPF: a device asks for a page, the last of a group;
 *	X_TRIGGER_PARTIAL_IOPF: for one that is not the last
 * @iopf_counts: X_IOPF_COUNTS, @id a device: how many groups of page requests
 *	it has sent, and how many answers of which code it was given
 * @check_dev_cache: DEV_CHECK_CACHE, @id a device: has this word this value
 * @trigger_vevent: TRIGGER_VEVENT: a device has an event to report
 * @pasid_attach: PASID_ATTACH, @id a device of MOCK_DOMAIN; returns the HWPT
 * @pasid_replace: PASID_REPLACE, likewise
 * @pasid_detach: PASID_DETACH, likewise
 * @pasid_check: PASID_CHECK_HWPT, likewise: is this attached; 0 is for nothing
 * @device_msi: X_DEVICE_MSI, @id a device as ordinary ioctls name it: where does
 *	it have to write its MSIs to that are to arrive at addr; translated is 0
 *	if at addr itself
 * @check_phys: X_MD_CHECK_PHYS, @id a HWPT: does iova lead to this physical
 *	address (EIO if not)
 * @dmabuf_get: DMABUF_GET: make a dma-buf; the ioctl returns its descriptor
 * @dmabuf_revoke: DMABUF_REVOKE: take its memory away or give it back
 * @last: Its end is the smallest @size; has no other use
 */
struct iommu_test_cmd {
	__u32 size;
	__u32 op;
	__u32 id;
	__u32 __reserved;
	union {
		struct {
			__aligned_u64 start;
			__aligned_u64 length;
		} add_reserved;
		struct {
			__u32 out_stdev_id;
			__u32 out_hwpt_id;
			/* The device, as ordinary ioctls name it */
			__u32 out_idev_id;
		} mock_domain;
		struct {
			__u32 out_stdev_id;
			__u32 out_hwpt_id;
			__u32 out_idev_id;
			__u32 dev_flags;
		} mock_domain_flags;
		struct {
			__u32 pt_id;
		} mock_domain_replace;
		struct {
			__aligned_u64 iova;
			__aligned_u64 length;
			__aligned_u64 uptr;
		} check_map;
		struct {
			__aligned_u64 length;
			__aligned_u64 uptr;
			__u32 refs;
		} check_refs;
		struct {
			__u32 out_access_fd;
			__u32 flags;
		} create_access;
		struct {
			__u32 access_pages_id;
		} destroy_access_pages;
		struct {
			__u32 flags;
			__u32 out_access_pages_id;
			__aligned_u64 iova;
			__aligned_u64 length;
			__aligned_u64 uptr;
		} access_pages;
		struct {
			__aligned_u64 iova;
			__aligned_u64 length;
			__aligned_u64 uptr;
			__u32 flags;
		} access_rw;
		struct {
			__u32 ioas_id;
		} access_replace_ioas;
		struct {
			__u32 limit;
		} memory_limit;
		struct {
			__u32 flags;
			__aligned_u64 iova;
			__aligned_u64 length;
			__aligned_u64 page_size;
			__aligned_u64 uptr;
			__aligned_u64 out_nr_dirty;
		} dirty;
		struct {
			__aligned_u64 iova;
		} dma_read;
		struct {
			__u32 id;
			__u32 iotlb;
		} check_iotlb;
		struct {
			__u32 dev_id;
			__u32 pasid;
			__u32 grpid;
			__u32 perm;
			__aligned_u64 addr;
		} trigger_iopf;
		struct {
			__u32 out_groups;
			__u32 out_success;
			__u32 out_invalid;
			__u32 out_failure;
		} iopf_counts;
		struct {
			__u32 id;
			__u32 cache;
		} check_dev_cache;
		struct {
			__u32 dev_id;
		} trigger_vevent;
		struct {
			__u32 pasid;
			__u32 pt_id;
		} pasid_attach;
		struct {
			__u32 pasid;
			__u32 pt_id;
		} pasid_replace;
		struct {
			__u32 pasid;
		} pasid_detach;
		struct {
			__u32 pasid;
			__u32 hwpt_id;
		} pasid_check;
		struct {
			__aligned_u64 addr;
			__aligned_u64 iova;
			__u32 translated;
		} device_msi;
		struct {
			__aligned_u64 iova;
			__aligned_u64 phys;
		} check_phys;
		struct {
			__u32 length;
			__u32 open_flags;
		} dmabuf_get;
		struct {
			__s32 dmabuf_fd;
			__u32 revoked;
		} dmabuf_revoke;
	};
	__u32 last;
};

#define IOMMU_TEST_CMD _IO(IOMMUFD_TYPE, IOMMUFD_CMD_BASE + 32)

/* Types of the mock in ordinary ioctls; far from any real one */
#define IOMMU_HW_INFO_TYPE_SELFTEST 0xfeedbeef
#define IOMMU_HW_INFO_SELFTEST_REGVAL 0xdeadbeef
#define IOMMU_HWPT_DATA_SELFTEST 0xdead
#define IOMMU_TEST_IOTLB_DEFAULT 0xbadbeef
#define IOMMU_TEST_DEV_CACHE_DEFAULT 0xbaddad
#define IOMMU_HWPT_INVALIDATE_DATA_SELFTEST 0xdeadbeef
#define IOMMU_HWPT_INVALIDATE_DATA_SELFTEST_INVALID 0xdadbeef
#define IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST 0xdeadbeef
#define IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST_INVALID 0xdadbeef
#define IOMMU_TEST_INVALIDATE_FLAG_ALL 1
#define IOMMU_VIOMMU_TYPE_SELFTEST 0xdeadbeef
#define IOMMU_VEVENTQ_TYPE_SELFTEST 0xbeefbeef
#define IOMMU_HW_QUEUE_TYPE_SELFTEST 0xdeadbeef
#define IOMMU_TEST_HW_QUEUE_MAX 2

/**
 * struct iommu_test_hw_info - IOMMU_GET_HW_INFO of a mock device
 * @flags: 0
 * @test_reg: IOMMU_HW_INFO_SELFTEST_REGVAL
 */
struct iommu_test_hw_info {
	__u32 flags;
	__u32 test_reg;
};

/**
 * struct iommu_hwpt_selftest - Data of IOMMU_HWPT_DATA_SELFTEST
 * @iotlb: Nested page tables: what all words of the cache begin with
 * @pagetable_type: Others: MOCK_IOMMUPT_*; may be left out
 */
struct iommu_hwpt_selftest {
	__u32 iotlb;
	__u32 pagetable_type;
};

/**
 * struct iommu_hwpt_invalidate_selftest - One request for a nested page table
 * @flags: IOMMU_TEST_INVALIDATE_FLAG_*
 * @iotlb_id: The word to clear, must be valid also with FLAG_ALL
 */
struct iommu_hwpt_invalidate_selftest {
	__u32 flags;
	__u32 iotlb_id;
};

/**
 * struct iommu_viommu_selftest - Data of IOMMU_VIOMMU_TYPE_SELFTEST
 * @in_data: First word of the memory that can be mapped
 * @out_data: Returns @in_data
 * @out_mmap_offset: Returns the offset for mmap()
 * @out_mmap_length: Returns the length for mmap()
 */
struct iommu_viommu_selftest {
	__u32 in_data;
	__u32 out_data;
	__aligned_u64 out_mmap_offset;
	__aligned_u64 out_mmap_length;
};

/**
 * struct iommu_viommu_invalidate_selftest - One request for a virtual IOMMU
 * @flags: IOMMU_TEST_INVALIDATE_FLAG_*
 * @vdev_id: The guest's number of the device
 * @cache_id: The word to clear, must be valid also with FLAG_ALL
 */
struct iommu_viommu_invalidate_selftest {
	__u32 flags;
	__u32 vdev_id;
	__u32 cache_id;
};

/**
 * struct iommu_viommu_event_selftest - Event that TRIGGER_VEVENT reports
 * @virt_id: The guest's number of the device
 */
struct iommu_viommu_event_selftest {
	__u32 virt_id;
};

/* The layout, once more as numbers; a host that breaks one must not build. */
#define IOMMU_TEST_AT(member, where)                                           \
	static_assert(__builtin_offsetof(struct iommu_test_cmd, member) ==     \
			      (where), #member " is misplaced")
IOMMU_TEST_AT(op, 4);
IOMMU_TEST_AT(id, 8);
IOMMU_TEST_AT(add_reserved.start, 16);
IOMMU_TEST_AT(add_reserved.length, 24);
IOMMU_TEST_AT(mock_domain.out_stdev_id, 16);
IOMMU_TEST_AT(mock_domain.out_hwpt_id, 20);
IOMMU_TEST_AT(mock_domain.out_idev_id, 24);
IOMMU_TEST_AT(mock_domain_flags.out_idev_id, 24);
IOMMU_TEST_AT(mock_domain_flags.dev_flags, 28);
IOMMU_TEST_AT(mock_domain_replace.pt_id, 16);
IOMMU_TEST_AT(check_map.iova, 16);
IOMMU_TEST_AT(check_map.length, 24);
IOMMU_TEST_AT(check_map.uptr, 32);
IOMMU_TEST_AT(check_refs.length, 16);
IOMMU_TEST_AT(check_refs.uptr, 24);
IOMMU_TEST_AT(check_refs.refs, 32);
IOMMU_TEST_AT(create_access.out_access_fd, 16);
IOMMU_TEST_AT(create_access.flags, 20);
IOMMU_TEST_AT(destroy_access_pages.access_pages_id, 16);
IOMMU_TEST_AT(access_pages.flags, 16);
IOMMU_TEST_AT(access_pages.out_access_pages_id, 20);
IOMMU_TEST_AT(access_pages.iova, 24);
IOMMU_TEST_AT(access_pages.length, 32);
IOMMU_TEST_AT(access_pages.uptr, 40);
IOMMU_TEST_AT(access_rw.iova, 16);
IOMMU_TEST_AT(access_rw.length, 24);
IOMMU_TEST_AT(access_rw.uptr, 32);
IOMMU_TEST_AT(access_rw.flags, 40);
IOMMU_TEST_AT(access_replace_ioas.ioas_id, 16);
IOMMU_TEST_AT(memory_limit.limit, 16);
IOMMU_TEST_AT(dirty.flags, 16);
IOMMU_TEST_AT(dirty.iova, 24);
IOMMU_TEST_AT(dirty.length, 32);
IOMMU_TEST_AT(dirty.page_size, 40);
IOMMU_TEST_AT(dirty.uptr, 48);
IOMMU_TEST_AT(dirty.out_nr_dirty, 56);
IOMMU_TEST_AT(dma_read.iova, 16);
IOMMU_TEST_AT(check_iotlb.id, 16);
IOMMU_TEST_AT(check_iotlb.iotlb, 20);
IOMMU_TEST_AT(trigger_iopf.dev_id, 16);
IOMMU_TEST_AT(trigger_iopf.pasid, 20);
IOMMU_TEST_AT(trigger_iopf.grpid, 24);
IOMMU_TEST_AT(trigger_iopf.perm, 28);
IOMMU_TEST_AT(trigger_iopf.addr, 32);
IOMMU_TEST_AT(check_dev_cache.id, 16);
IOMMU_TEST_AT(check_dev_cache.cache, 20);
IOMMU_TEST_AT(trigger_vevent.dev_id, 16);
IOMMU_TEST_AT(pasid_attach.pasid, 16);
IOMMU_TEST_AT(pasid_attach.pt_id, 20);
IOMMU_TEST_AT(pasid_replace.pasid, 16);
IOMMU_TEST_AT(pasid_replace.pt_id, 20);
IOMMU_TEST_AT(pasid_detach.pasid, 16);
IOMMU_TEST_AT(pasid_check.pasid, 16);
IOMMU_TEST_AT(pasid_check.hwpt_id, 20);
IOMMU_TEST_AT(device_msi.addr, 16);
IOMMU_TEST_AT(device_msi.iova, 24);
IOMMU_TEST_AT(device_msi.translated, 32);
IOMMU_TEST_AT(check_phys.iova, 16);
IOMMU_TEST_AT(check_phys.phys, 24);
IOMMU_TEST_AT(dmabuf_get.length, 16);
IOMMU_TEST_AT(dmabuf_get.open_flags, 20);
IOMMU_TEST_AT(dmabuf_revoke.dmabuf_fd, 16);
IOMMU_TEST_AT(dmabuf_revoke.revoked, 20);
IOMMU_TEST_AT(last, 64);
#undef IOMMU_TEST_AT

static_assert(sizeof(struct iommu_test_cmd) == 72, "iommu_test_cmd");
static_assert(sizeof(struct iommu_test_hw_info) == 8, "iommu_test_hw_info");
static_assert(sizeof(struct iommu_hwpt_selftest) == 8, "iommu_hwpt_selftest");
static_assert(sizeof(struct iommu_hwpt_invalidate_selftest) == 8,
	      "iommu_hwpt_invalidate_selftest");
static_assert(sizeof(struct iommu_viommu_selftest) == 24,
	      "iommu_viommu_selftest");
static_assert(sizeof(struct iommu_viommu_invalidate_selftest) == 12,
	      "iommu_viommu_invalidate_selftest");
static_assert(sizeof(struct iommu_viommu_event_selftest) == 4,
	      "iommu_viommu_event_selftest");

#endif
