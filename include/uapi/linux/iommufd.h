/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The ABI of /dev/iommu: what a process sends by ioctl(), what it gets back,
 * and which errno means what. Layouts and numbers are those of Linux 7.2.
 *
 * Everything here is frozen. A structure may only grow at its end; padding is
 * explicit and 64-bit members are 8-byte aligned on every architecture, so a
 * layout is the same whatever the word size of the program.
 */
#ifndef _UAPI_IOMMUFD_H
#define _UAPI_IOMMUFD_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define IOMMUFD_TYPE (';')

/**
 * DOC: Calling convention
 *
 * A command is ``_IO(IOMMUFD_TYPE, nr)``: neither direction nor size is coded
 * in the number. The argument points to a structure whose first __u32, @size,
 * says how long the caller's version of that structure is. That makes old
 * programs run on new kernels and the other way round:
 *
 * - a caller's structure shorter than the kernel's is extended with zeroes,
 *   provided it reaches the minimum of the command;
 * - one that is longer is accepted if all bytes the kernel does not know are
 *   zero. There is no upper bound.
 *
 * Answers are written over the same structure, never beyond @size bytes.
 *
 * The checks common to all commands come in this order, before any check of
 * the command itself:
 *
 * 1. The low byte of the command is outside the range of this interface and
 *    the VFIO container emulation does not know the command: ENOTTY.
 * 2. @size can't be read: EFAULT.
 * 3. No such command, or its other bits are wrong: ENOTTY.
 * 4. @size is below the minimum of the command: EINVAL.
 * 5. A byte behind the structure known to the kernel is not zero: E2BIG; it
 *    can't be read: EFAULT.
 * 6. The structure can't be read: EFAULT.
 */

/**
 * DOC: Meaning of the errnos
 *
 * Every command can fail with these; the tables of the single commands give
 * what the errno stands for there, and omit 1 to 6 of the calling convention.
 *
 * - ENOTTY: the command does not exist
 * - E2BIG: the caller set something that is newer than this kernel
 * - EOPNOTSUPP: a flag, a type, an operation or a reserved member has a value
 *   that this kernel, or the IOMMU driver in charge, does not implement
 * - EINVAL: the request is understood and wrong
 * - ENOENT: no object has this ID, or one of another type has; or no mapping
 *   has this address
 * - EFAULT: memory of the process is not accessible as needed
 * - ENOMEM: no memory left, or RLIMIT_MEMLOCK would be exceeded
 * - EOVERFLOW: a range does not end within the 64-bit numbers
 * - EBUSY: the object is in use
 *
 * An ioctl that fails has no effect unless its description says otherwise.
 */

/**
 * DOC: IDs
 *
 * Objects are named by a positive number below 2^31 that is unique in the file
 * description, whatever the type of the object. The lowest free number is
 * given out, and a number is free as soon as IOMMU_DESTROY returned. 0 is no
 * object. An object can't be reached through its ID before the ioctl that
 * creates it has passed its last step that can fail.
 */

/* Command numbers; IOMMUFD_CMD_BASE is where the dispatch table begins. */
enum {
	IOMMUFD_CMD_BASE = 0x80,
	IOMMUFD_CMD_DESTROY = IOMMUFD_CMD_BASE,
	IOMMUFD_CMD_IOAS_ALLOC = 0x81,
	IOMMUFD_CMD_IOAS_ALLOW_IOVAS = 0x82,
	IOMMUFD_CMD_IOAS_COPY = 0x83,
	IOMMUFD_CMD_IOAS_IOVA_RANGES = 0x84,
	IOMMUFD_CMD_IOAS_MAP = 0x85,
	IOMMUFD_CMD_IOAS_UNMAP = 0x86,
	IOMMUFD_CMD_OPTION = 0x87,
	IOMMUFD_CMD_VFIO_IOAS = 0x88,
	IOMMUFD_CMD_HWPT_ALLOC = 0x89,
	IOMMUFD_CMD_GET_HW_INFO = 0x8a,
	IOMMUFD_CMD_HWPT_SET_DIRTY_TRACKING = 0x8b,
	IOMMUFD_CMD_HWPT_GET_DIRTY_BITMAP = 0x8c,
	IOMMUFD_CMD_HWPT_INVALIDATE = 0x8d,
	IOMMUFD_CMD_FAULT_QUEUE_ALLOC = 0x8e,
	IOMMUFD_CMD_IOAS_MAP_FILE = 0x8f,
	IOMMUFD_CMD_VIOMMU_ALLOC = 0x90,
	IOMMUFD_CMD_VDEVICE_ALLOC = 0x91,
	IOMMUFD_CMD_IOAS_CHANGE_PROCESS = 0x92,
	IOMMUFD_CMD_VEVENTQ_ALLOC = 0x93,
	IOMMUFD_CMD_HW_QUEUE_ALLOC = 0x94,

	/* Additions to the ABI of Linux 7.2 */
	IOMMUFD_CMD_X_IOAS_UNMAP_DIRTY = 0xc0,
};

/**
 * struct iommu_destroy - Argument of ioctl(IOMMU_DESTROY)
 * @size: Length of this structure in bytes, at least 8
 * @id: The object to remove, of any type
 *
 * The object and all it holds are gone when the call returns: mappings of an
 * address space are removed, their pages unpinned and uncharged.
 *
 * Devices and in-kernel accesses belong to the driver that made them and can
 * not be destroyed this way. An address space is in use while a page table is
 * built on it or an access is attached to it, a page table while a device, a
 * nested page table or a vIOMMU uses it, a queue while its file is open.
 * Mappings do not keep an address space in use. An ID that another thread is
 * passing to an ioctl at the same instant may be reported as in use, too.
 *
 * Return: 0, or -1 and errno:
 *
 * - ENOENT: no such ID
 * - EBUSY: something else uses the object
 */
struct iommu_destroy {
	__u32 size;
	__u32 id;
};

#define IOMMU_DESTROY _IO(IOMMUFD_TYPE, IOMMUFD_CMD_DESTROY)

/**
 * struct iommu_ioas_alloc - Argument of ioctl(IOMMU_IOAS_ALLOC)
 * @size: Length of this structure in bytes, at least 12
 * @flags: 0
 * @out_ioas_id: Returns the ID of the new address space
 *
 * Creates an I/O address space (IOAS): a table of mappings from I/O virtual
 * addresses (IOVA) to memory. It starts empty, with every address usable, byte
 * alignment, no allowed list, and huge pages enabled. Attaching devices makes
 * it stricter.
 *
 * Return: 0, or -1 and errno:
 *
 * - EOPNOTSUPP: @flags is not 0
 * - ENOMEM: out of memory
 * - EFAULT: the answer can't be written; nothing was created
 */
struct iommu_ioas_alloc {
	__u32 size;
	__u32 flags;
	__u32 out_ioas_id;
};

#define IOMMU_IOAS_ALLOC _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_ALLOC)

/**
 * struct iommu_iova_range - A closed interval of IOVAs
 * @start: First address
 * @last: Last address, part of the interval
 */
struct iommu_iova_range {
	__aligned_u64 start;
	__aligned_u64 last;
};

/**
 * struct iommu_ioas_iova_ranges - Argument of ioctl(IOMMU_IOAS_IOVA_RANGES)
 * @size: Length of this structure in bytes, at least 32
 * @ioas_id: The address space
 * @num_iovas: Passes how many elements @allowed_iovas has room for; returns how
 *	many there are altogether
 * @__reserved: 0
 * @allowed_iovas: Address of an array of struct iommu_iova_range
 * @out_iova_alignment: Returns the alignment in bytes that addresses and lengths
 *	of mappings must have: a power of two between 1 and the page size
 *
 * Tells where mappings can be placed: all addresses that no attached device and
 * no page table reserves, in ascending order. Neither what is mapped already
 * nor the allowed list of IOMMU_IOAS_ALLOW_IOVAS changes the answer; attaching,
 * detaching and creating or destroying page tables does, hence ask again after
 * each of these.
 *
 * If the array is too short its elements are filled all the same and @num_iovas
 * returns the number needed, so a call with @num_iovas 0 asks for the number.
 *
 * Return: 0, or -1 and errno:
 *
 * - EOPNOTSUPP: @__reserved is not 0
 * - ENOENT: @ioas_id is no address space
 * - EMSGSIZE: the array is too short; the structure has been written back
 * - EFAULT: the array (then the structure has not been written back) or the
 *   structure can't be written
 */
struct iommu_ioas_iova_ranges {
	__u32 size;
	__u32 ioas_id;
	__u32 num_iovas;
	__u32 __reserved;
	__aligned_u64 allowed_iovas;
	__aligned_u64 out_iova_alignment;
};

#define IOMMU_IOAS_IOVA_RANGES _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_IOVA_RANGES)

/**
 * struct iommu_ioas_allow_iovas - Argument of ioctl(IOMMU_IOAS_ALLOW_IOVAS)
 * @size: Length of this structure in bytes, at least 24
 * @ioas_id: The address space
 * @num_iovas: Number of elements in @allowed_iovas; 0 removes the list
 * @__reserved: 0
 * @allowed_iovas: Address of an array of struct iommu_iova_range, in any order
 *
 * Replaces the allowed list of an address space. The list does two things:
 * addresses that the kernel chooses come from it, and whatever would reserve
 * one of its addresses later (attaching a device, creating a page table) is
 * refused. Mappings at a fixed address need not lie in it.
 *
 * The old list stays in force if the call fails.
 *
 * Return: 0, or -1 and errno:
 *
 * - EOPNOTSUPP: @__reserved is not 0
 * - ENOENT: @ioas_id is no address space
 * - EFAULT: the array can't be read
 * - EINVAL: an element does not end above its start, or two elements overlap
 * - EADDRINUSE: an element meets a reserved address
 * - ENOMEM: out of memory
 */
struct iommu_ioas_allow_iovas {
	__u32 size;
	__u32 ioas_id;
	__u32 num_iovas;
	__u32 __reserved;
	__aligned_u64 allowed_iovas;
};

#define IOMMU_IOAS_ALLOW_IOVAS _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_ALLOW_IOVAS)

/**
 * enum iommufd_ioas_map_flags - Flags of MAP, MAP_FILE and COPY
 * @IOMMU_IOAS_MAP_FIXED_IOVA: Use exactly the address the caller gives; without
 *	this flag the kernel finds one
 * @IOMMU_IOAS_MAP_WRITEABLE: Devices may write
 * @IOMMU_IOAS_MAP_READABLE: Devices may read
 *
 * At least one of the two permissions is needed.
 */
enum iommufd_ioas_map_flags {
	IOMMU_IOAS_MAP_FIXED_IOVA = 1 << 0,
	IOMMU_IOAS_MAP_WRITEABLE = 1 << 1,
	IOMMU_IOAS_MAP_READABLE = 1 << 2,
};

/**
 * struct iommu_ioas_map - Argument of ioctl(IOMMU_IOAS_MAP)
 * @size: Length of this structure in bytes, at least 40
 * @flags: From enum iommufd_ioas_map_flags
 * @ioas_id: The address space
 * @__reserved: 0
 * @user_va: Address of the memory in the calling process
 * @length: Bytes to map
 * @iova: Returns the first address of the mapping; with FIXED_IOVA also passes
 *	it. Must be below the largest unsigned long in any case
 *
 * Maps memory of the calling process. If the address space has a page table
 * the memory is pinned, charged and entered in all page tables of it when the
 * call returns; otherwise only the place is noted, and pinning is done when the
 * first page table comes or an in-kernel access asks for it.
 *
 * Memory of a device that the process has in its address space (the mmap of a
 * PCI BAR through VFIO) can be mapped, too, which Linux 7.2 refuses; @user_va and
 * all that follows must be of that kind. It is neither pinned nor charged. What
 * the process loses access to is gone from the page tables before it has lost it,
 * and comes back by itself when the process can access all of it again; the
 * mapping keeps its address meanwhile.
 *
 * @iova, @length and @user_va must be multiples of the alignment that
 * IOMMU_IOAS_IOVA_RANGES reports; the offsets of @iova and @user_va in their
 * pages may differ. An address the kernel chooses has the same offset in its
 * page as @user_va, lies in the allowed list if there is one, is never 0, and
 * is aligned like huge pages where @user_va and @length are.
 *
 * Return: 0, or -1 and errno:
 *
 * - EOPNOTSUPP: unknown bit in @flags, @__reserved is not 0, or the memory is
 *   file system DAX
 * - EOVERFLOW: @iova or @length is the largest unsigned long or above; a range
 *   wraps; or @length is too big for any free range to be searched
 * - EINVAL: no permission flag; @length is 0; something is not aligned; the
 *   fixed range is reserved
 * - ENOENT: @ioas_id is no address space
 * - EEXIST: the fixed range meets another mapping
 * - ENOSPC: no free range is large enough
 * - EFAULT: the memory can't be pinned with the permissions asked for; device
 *   memory and other memory are mixed, or it can't be accessed now; or the
 *   answer can't be written, in which case the mapping *stays*
 * - ENOMEM: out of memory, or RLIMIT_MEMLOCK or the limit of a cgroup would be
 *   exceeded
 */
struct iommu_ioas_map {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__u32 __reserved;
	__aligned_u64 user_va;
	__aligned_u64 length;
	__aligned_u64 iova;
};

#define IOMMU_IOAS_MAP _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_MAP)

/**
 * struct iommu_ioas_map_file - Argument of ioctl(IOMMU_IOAS_MAP_FILE)
 * @size: Length of this structure in bytes, at least 40
 * @flags: From enum iommufd_ioas_map_flags
 * @ioas_id: The address space
 * @fd: A memfd, a file of hugetlbfs or tmpfs, or a dma-buf
 * @start: Offset of the first byte in the file
 * @length: Bytes to map
 * @iova: As in struct iommu_ioas_map
 *
 * Maps a file's memory rather than that of a process; @start takes the role of
 * the address. The file is kept by reference, @fd may be closed. Its kind and
 * length are examined when its pages are pinned, not before. Neither the mode
 * @fd was opened with nor seals restrict the permissions.
 *
 * Of dma-bufs those are accepted that a VFIO PCI device exports as one physical
 * range. Such memory is not charged; it disappears from all page tables when
 * the exporter revokes it, and the mapping keeps its address until unmapped.
 *
 * Return: 0, or -1 and errno as for IOMMU_IOAS_MAP with these differences:
 *
 * - EBADF: @fd is not open
 * - EINVAL: also for a file of the wrong kind or a range beyond its end
 * - EOPNOTSUPP: also for a dma-buf of an exporter that does not take part
 * - ENODEV: the exporter has revoked the dma-buf
 * - EFAULT: only for the answer, which leaves the mapping in place
 */
struct iommu_ioas_map_file {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__s32 fd;
	__aligned_u64 start;
	__aligned_u64 length;
	__aligned_u64 iova;
};

#define IOMMU_IOAS_MAP_FILE _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_MAP_FILE)

/**
 * struct iommu_ioas_copy - Argument of ioctl(IOMMU_IOAS_COPY)
 * @size: Length of this structure in bytes, at least 40
 * @flags: From enum iommufd_ioas_map_flags, for the new mapping
 * @dst_ioas_id: The address space that gets the mapping
 * @src_ioas_id: The address space that has it; may be the same
 * @length: Bytes to map
 * @dst_iova: As @iova of struct iommu_ioas_map
 * @src_iova: First address in the source
 *
 * Maps memory that is mapped already a second time. Both share the pinned
 * pages, which are charged once, to the process that mapped them first. The
 * source range must be mapped without a gap; it may begin and end inside a
 * mapping and span several, and then becomes as many in the destination.
 * Unmapping one leaves the other alone.
 *
 * Return: 0, or -1 and errno:
 *
 * - EOPNOTSUPP: unknown bit in @flags
 * - EOVERFLOW: @length or an address is the largest unsigned long or above, or a
 *   range wraps
 * - EINVAL: no permission flag; @length is 0; something is not aligned for the
 *   destination; the fixed range is reserved
 * - ENOENT: an ID is no address space; a part of the source is not mapped
 * - EPERM: WRITEABLE asked for memory that was mapped without it
 * - EEXIST: the fixed range meets another mapping
 * - ENOSPC: no free range is large enough
 * - EFAULT: pages can't be pinned; or the answer can't be written, in which case
 *   the new mapping *stays*
 * - ENOMEM: out of memory, or RLIMIT_MEMLOCK of the first mapper would be
 *   exceeded
 */
struct iommu_ioas_copy {
	__u32 size;
	__u32 flags;
	__u32 dst_ioas_id;
	__u32 src_ioas_id;
	__aligned_u64 length;
	__aligned_u64 dst_iova;
	__aligned_u64 src_iova;
};

#define IOMMU_IOAS_COPY _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_COPY)

/**
 * struct iommu_ioas_unmap - Argument of ioctl(IOMMU_IOAS_UNMAP)
 * @size: Length of this structure in bytes, at least 24
 * @ioas_id: The address space
 * @iova: First address
 * @length: Passes the bytes of the range; returns the bytes unmapped
 *
 * Removes all mappings that lie in the range, which may have gaps. A mapping is
 * removed whole or not at all. @iova 0 with @length 2^64-1 stands for the whole
 * address space, and succeeds also if nothing is mapped.
 *
 * When the call returns no device can reach the memory any more and unused
 * pages are unpinned. Mappings are removed in ascending order; on failure those
 * below the one that failed are gone and @length is not written.
 *
 * Return: 0, or -1 and errno:
 *
 * - ENOENT: @ioas_id is no address space; nothing is mapped in the range; or a
 *   mapping crosses an end of the range
 * - EOVERFLOW: the range wraps, or touches the largest unsigned long
 * - EINVAL: @length is 0
 * - EBUSY: another thread is creating or removing a mapping of the range, or a
 *   hardware queue lies in it
 * - EDEADLK: an in-kernel access does not let go of its pages
 * - EFAULT: @length can't be written; the unmapping is done
 */
struct iommu_ioas_unmap {
	__u32 size;
	__u32 ioas_id;
	__aligned_u64 iova;
	__aligned_u64 length;
};

#define IOMMU_IOAS_UNMAP _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_UNMAP)

/**
 * enum iommufd_option - What IOMMU_OPTION reads or changes
 * @IOMMU_OPTION_RLIMIT_MODE: Which counter is held against RLIMIT_MEMLOCK: 0 the
 *	pages locked by the user (the default of /dev/iommu), 1 those locked by the
 *	process. It belongs to the file, object_id is 0. Changing it needs
 *	CAP_SYS_RESOURCE and a file that has no object yet
 * @IOMMU_OPTION_HUGE_PAGES: Whether neighbouring pages may be entered in the page
 *	tables as one: 1 yes (the default), 0 every page by itself, which also
 *	raises the alignment to the page size. It belongs to the address space
 *	that object_id names
 */
enum iommufd_option {
	IOMMU_OPTION_RLIMIT_MODE = 0,
	IOMMU_OPTION_HUGE_PAGES = 1,
};

/**
 * enum iommu_x_option - Options that Linux 7.2 does not have
 * @IOMMU_X_OPTION_ACCOUNT_MODE: Which counter is held against RLIMIT_MEMLOCK for
 *	memory mapped from now on: 0 the pages locked by the user, 1 those locked
 *	by the process, 2 those charged through this file. Where
 *	IOMMU_OPTION_RLIMIT_MODE sets 0 or 1 this sets all three, under the same
 *	conditions; both read the same number
 * @IOMMU_X_OPTION_PINNED: Bytes charged through this file now; can only be read
 * @IOMMU_X_OPTION_BUDGET: Bytes that the calling task could still have pinned,
 *	all ones without a limit; can only be read
 *
 * All belong to the file: object_id is 0, anything else is EOPNOTSUPP. A kernel
 * that does not know them says EOPNOTSUPP too.
 */
enum iommu_x_option {
	IOMMU_X_OPTION_ACCOUNT_MODE = 0x10000,
	IOMMU_X_OPTION_PINNED = 0x10001,
	IOMMU_X_OPTION_BUDGET = 0x10002,
};

/**
 * enum iommufd_option_ops - What IOMMU_OPTION does
 * @IOMMU_OPTION_OP_SET: Change the option
 * @IOMMU_OPTION_OP_GET: Read the option
 */
enum iommufd_option_ops {
	IOMMU_OPTION_OP_SET = 0,
	IOMMU_OPTION_OP_GET = 1,
};

/**
 * struct iommu_option - Argument of ioctl(IOMMU_OPTION)
 * @size: Length of this structure in bytes, at least 24
 * @option_id: From enum iommufd_option
 * @op: From enum iommufd_option_ops
 * @__reserved: 0
 * @object_id: The object the option belongs to, or 0
 * @val64: Passes the value to set; returns the value. It is the only member
 *	that is written
 *
 * Memory of callers with CAP_IPC_LOCK is charged to no counter. Which counter
 * pays is decided when the memory is mapped; pages are counted while pinned.
 *
 * Return: 0, or -1 and errno:
 *
 * - EOPNOTSUPP: @__reserved is not 0; unknown option or operation; @object_id
 *   with an option of the file
 * - ENOENT: @object_id is no address space
 * - EPERM: RLIMIT_MODE: no CAP_SYS_RESOURCE
 * - EBUSY: RLIMIT_MODE: the file has objects
 * - EINVAL: the option does not know the value; HUGE_PAGES: can't be disabled
 *   while there are both mappings and page tables
 * - EADDRINUSE: HUGE_PAGES: a mapping is not aligned to pages
 * - EFAULT: @val64 can't be written
 */
struct iommu_option {
	__u32 size;
	__u32 option_id;
	__u16 op;
	__u16 __reserved;
	__u32 object_id;
	__aligned_u64 val64;
};

#define IOMMU_OPTION _IO(IOMMUFD_TYPE, IOMMUFD_CMD_OPTION)

/**
 * enum iommufd_vfio_ioas_op - What IOMMU_VFIO_IOAS does
 * @IOMMU_VFIO_IOAS_GET: Return the address space in use
 * @IOMMU_VFIO_IOAS_SET: Use another one
 * @IOMMU_VFIO_IOAS_CLEAR: Use none
 */
enum iommufd_vfio_ioas_op {
	IOMMU_VFIO_IOAS_GET = 0,
	IOMMU_VFIO_IOAS_SET = 1,
	IOMMU_VFIO_IOAS_CLEAR = 2,
};

/**
 * struct iommu_vfio_ioas - Argument of ioctl(IOMMU_VFIO_IOAS)
 * @size: Length of this structure in bytes, at least 12
 * @ioas_id: SET: passes the address space; GET: returns it
 * @op: From enum iommufd_vfio_ioas_op
 * @__reserved: 0
 *
 * The container commands of VFIO name no address space. This says which one
 * they mean. The setting is no use of the address space: destroying it is
 * possible and clears the setting. Devices that are attached already stay where
 * they are.
 *
 * Return: 0, or -1 and errno:
 *
 * - EOPNOTSUPP: @__reserved is not 0 or @op is unknown
 * - ENODEV: GET: none is set
 * - ENOENT: SET: @ioas_id is no address space
 * - EFAULT: GET: the answer can't be written
 */
struct iommu_vfio_ioas {
	__u32 size;
	__u32 ioas_id;
	__u16 op;
	__u16 __reserved;
};

#define IOMMU_VFIO_IOAS _IO(IOMMUFD_TYPE, IOMMUFD_CMD_VFIO_IOAS)

/**
 * enum iommufd_hwpt_alloc_flags - Flags of IOMMU_HWPT_ALLOC
 * @IOMMU_HWPT_ALLOC_NEST_PARENT: The page table may be the outer stage of nested
 *	ones
 * @IOMMU_HWPT_ALLOC_DIRTY_TRACKING: The page table can record writes by devices,
 *	and only devices whose IOMMU can do that may be attached to it
 * @IOMMU_HWPT_FAULT_ID_VALID: fault_id names the queue that page requests of
 *	attached devices are delivered to
 * @IOMMU_HWPT_ALLOC_PASID: The page table may be attached to a PASID. A device
 *	that has a PASID attached needs this flag on the page table of its RID,
 *	too. Automatic page tables never have it
 */
enum iommufd_hwpt_alloc_flags {
	IOMMU_HWPT_ALLOC_NEST_PARENT = 1 << 0,
	IOMMU_HWPT_ALLOC_DIRTY_TRACKING = 1 << 1,
	IOMMU_HWPT_FAULT_ID_VALID = 1 << 2,
	IOMMU_HWPT_ALLOC_PASID = 1 << 3,
};

/**
 * enum iommu_hwpt_vtd_s1_flags - Flags of an Intel first-stage page table
 * @IOMMU_VTD_S1_SRE: Devices may make requests with supervisor privilege
 * @IOMMU_VTD_S1_EAFE: Keep the extended-accessed bit of the entries
 * @IOMMU_VTD_S1_WPE: The write-protect bit of the entries binds supervisor
 *	requests, too
 */
enum iommu_hwpt_vtd_s1_flags {
	IOMMU_VTD_S1_SRE = 1 << 0,
	IOMMU_VTD_S1_EAFE = 1 << 1,
	IOMMU_VTD_S1_WPE = 1 << 2,
};

/**
 * struct iommu_hwpt_vtd_s1 - Data of IOMMU_HWPT_DATA_VTD_S1
 * @flags: From enum iommu_hwpt_vtd_s1_flags
 * @pgtbl_addr: Root of the first-stage page table, an address of the parent
 * @addr_width: Bits of input address the page table translates
 * @__reserved: 0
 */
struct iommu_hwpt_vtd_s1 {
	__aligned_u64 flags;
	__aligned_u64 pgtbl_addr;
	__u32 addr_width;
	__u32 __reserved;
};

/**
 * struct iommu_hwpt_arm_smmuv3 - Data of IOMMU_HWPT_DATA_ARM_SMMUV3
 * @ste: The first two words of a stream table entry, little-endian. The caller
 *	may fill V, Cfg, S1Fmt, S1ContextPtr and S1CDMax in the first; S1DSS,
 *	S1CIR, S1COR, S1CSH, S1STALLD and EATS in the second
 *
 * Cfg may be abort, bypass or stage 1, EATS 0 or 1; V 0 means abort. Other bits
 * give EIO. Only on a vIOMMU; a device attached to a stage-1 entry needs a
 * vDEVICE there.
 */
struct iommu_hwpt_arm_smmuv3 {
	__aligned_le64 ste[2];
};

/**
 * struct iommu_hwpt_amd_guest - Data of IOMMU_HWPT_DATA_AMD_GUEST
 * @dte: A guest's device table entry
 */
struct iommu_hwpt_amd_guest {
	__aligned_u64 dte[4];
};

/**
 * enum iommu_hwpt_data_type - What data_uptr of IOMMU_HWPT_ALLOC points to
 * @IOMMU_HWPT_DATA_NONE: Nothing
 * @IOMMU_HWPT_DATA_VTD_S1: struct iommu_hwpt_vtd_s1
 * @IOMMU_HWPT_DATA_ARM_SMMUV3: struct iommu_hwpt_arm_smmuv3
 * @IOMMU_HWPT_DATA_AMD_GUEST: struct iommu_hwpt_amd_guest
 */
enum iommu_hwpt_data_type {
	IOMMU_HWPT_DATA_NONE = 0,
	IOMMU_HWPT_DATA_VTD_S1 = 1,
	IOMMU_HWPT_DATA_ARM_SMMUV3 = 2,
	IOMMU_HWPT_DATA_AMD_GUEST = 3,
};

/**
 * struct iommu_hwpt_alloc - Argument of ioctl(IOMMU_HWPT_ALLOC)
 * @size: Length of this structure in bytes, at least 24
 * @flags: From enum iommufd_hwpt_alloc_flags
 * @dev_id: The device whose IOMMU driver makes the page table
 * @pt_id: An address space for a page table of its mappings; a page table made
 *	with NEST_PARENT, or a vIOMMU, for a nested page table kept by the guest
 * @out_hwpt_id: Returns the ID of the new page table
 * @__reserved: 0
 * @data_type: From enum iommu_hwpt_data_type
 * @data_len: Bytes at @data_uptr; 0 exactly if @data_type is NONE
 * @data_uptr: Address of the data for the IOMMU driver
 * @fault_id: A fault queue, looked at only with FAULT_ID_VALID
 * @__reserved2: Should be 0, is not checked
 *
 * Creates a hardware page table (HWPT) without attaching it to anything. One
 * for an address space contains all its mappings when the call returns; their
 * pages are pinned and charged to who mapped them.
 *
 * Return: 0, or -1 and errno:
 *
 * - EOPNOTSUPP: @__reserved is not 0; unknown flag; flags or data the IOMMU
 *   driver does not have for this kind of page table; FAULT_ID_VALID together
 *   with NEST_PARENT; a nested page table without data
 * - EINVAL: @data_type and @data_len contradict; no @pt_id, or one of another
 *   type; a parent that is automatic, without NEST_PARENT or of another IOMMU;
 *   the smallest page of the IOMMU is larger than that of the CPU
 * - ENOENT: @dev_id is no device, @fault_id no fault queue
 * - EADDRINUSE: mappings or the allowed list lie where the page table can't
 *   reach, or mappings are not aligned for it
 * - EFAULT: memory mapped before can't be pinned; data can't be read; the answer
 *   can't be written, and then nothing was created
 * - ENOMEM: out of memory, or RLIMIT_MEMLOCK of who mapped would be exceeded
 */
struct iommu_hwpt_alloc {
	__u32 size;
	__u32 flags;
	__u32 dev_id;
	__u32 pt_id;
	__u32 out_hwpt_id;
	__u32 __reserved;
	__u32 data_type;
	__u32 data_len;
	__aligned_u64 data_uptr;
	__u32 fault_id;
	__u32 __reserved2;
};

#define IOMMU_HWPT_ALLOC _IO(IOMMUFD_TYPE, IOMMUFD_CMD_HWPT_ALLOC)

/**
 * enum iommu_hw_info_vtd_flags - Flags of struct iommu_hw_info_vtd
 * @IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17: Erratum of some processors: a nest
 *	parent must not hold mappings devices may only read
 */
enum iommu_hw_info_vtd_flags {
	IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17 = 1 << 0,
};

/**
 * struct iommu_hw_info_vtd - Intel VT-d
 * @flags: From enum iommu_hw_info_vtd_flags
 * @__reserved: 0
 * @cap_reg: Capability register (VT-d specification 11.4.2)
 * @ecap_reg: Extended capability register (VT-d specification 11.4.3)
 */
struct iommu_hw_info_vtd {
	__u32 flags;
	__u32 __reserved;
	__aligned_u64 cap_reg;
	__aligned_u64 ecap_reg;
};

/**
 * struct iommu_hw_info_arm_smmuv3 - ARM SMMUv3
 * @flags: 0
 * @__reserved: 0
 * @idr: Registers IDR0 to IDR5. They tell what the hardware can, not what
 *	the kernel lets a guest use
 * @iidr: Register IIDR: implementer, product, revision
 * @aidr: Register AIDR: architecture version
 */
struct iommu_hw_info_arm_smmuv3 {
	__u32 flags;
	__u32 __reserved;
	__u32 idr[6];
	__u32 iidr;
	__u32 aidr;
};

/**
 * struct iommu_hw_info_tegra241_cmdqv - NVIDIA Tegra241 command queues
 * @flags: 0
 * @version: Version of the extension
 * @log2vcmdqs: log2 of the queues a virtual interface has
 * @log2vsids: log2 of the stream-ID replacement slots
 * @__reserved: 0
 */
struct iommu_hw_info_tegra241_cmdqv {
	__u32 flags;
	__u8 version;
	__u8 log2vcmdqs;
	__u8 log2vsids;
	__u8 __reserved;
};

/**
 * struct iommu_hw_info_amd - AMD IOMMU
 * @efr: Extended feature register, as the hardware has it
 * @efr2: Second extended feature register
 */
struct iommu_hw_info_amd {
	__aligned_u64 efr;
	__aligned_u64 efr2;
};

/**
 * enum iommu_hw_info_type - Kinds of hardware description
 * @IOMMU_HW_INFO_TYPE_NONE: Returned: the IOMMU driver has no description
 * @IOMMU_HW_INFO_TYPE_DEFAULT: Passed: the one the IOMMU driver deems best
 * @IOMMU_HW_INFO_TYPE_INTEL_VTD: struct iommu_hw_info_vtd
 * @IOMMU_HW_INFO_TYPE_ARM_SMMUV3: struct iommu_hw_info_arm_smmuv3
 * @IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV: struct iommu_hw_info_tegra241_cmdqv
 * @IOMMU_HW_INFO_TYPE_AMD: struct iommu_hw_info_amd
 */
enum iommu_hw_info_type {
	IOMMU_HW_INFO_TYPE_NONE = 0,
	IOMMU_HW_INFO_TYPE_DEFAULT = 0,
	IOMMU_HW_INFO_TYPE_INTEL_VTD = 1,
	IOMMU_HW_INFO_TYPE_ARM_SMMUV3 = 2,
	IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV = 3,
	IOMMU_HW_INFO_TYPE_AMD = 4,
};

/**
 * enum iommufd_hw_capabilities - What the device and its IOMMU can do
 * @IOMMU_HW_CAP_DIRTY_TRACKING: Page tables can record writes, see
 *	IOMMU_HWPT_ALLOC_DIRTY_TRACKING
 * @IOMMU_HW_CAP_PCI_PASID_EXEC: Requests with PASID may ask for execute
 *	permission
 * @IOMMU_HW_CAP_PCI_PASID_PRIV: Requests with PASID may claim privilege
 * @IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED: The device can not use address
 *	translation services here
 */
enum iommufd_hw_capabilities {
	IOMMU_HW_CAP_DIRTY_TRACKING = 1 << 0,
	IOMMU_HW_CAP_PCI_PASID_EXEC = 1 << 1,
	IOMMU_HW_CAP_PCI_PASID_PRIV = 1 << 2,
	IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED = 1 << 3,
};

/**
 * enum iommufd_hw_info_flags - Flags of IOMMU_GET_HW_INFO
 * @IOMMU_HW_INFO_FLAG_INPUT_TYPE: in_data_type chooses the description
 */
enum iommufd_hw_info_flags {
	IOMMU_HW_INFO_FLAG_INPUT_TYPE = 1 << 0,
};

/**
 * struct iommu_hw_info - Argument of ioctl(IOMMU_GET_HW_INFO)
 * @size: Length of this structure in bytes, at least 32
 * @flags: From enum iommufd_hw_info_flags
 * @dev_id: The device
 * @data_len: Passes the bytes at @data_uptr; returns the bytes the kernel has
 * @data_uptr: Address for the description. What the kernel does not fill is set
 *	to zero
 * @in_data_type: From enum iommu_hw_info_type; looked at only with INPUT_TYPE
 * @out_data_type: Returns the kind of description, from enum iommu_hw_info_type
 * @out_max_pasid_log2: Returns the width of a PASID of this device in bits; 0 if
 *	it has none enabled
 * @__reserved: 0
 * @out_capabilities: Returns a combination of enum iommufd_hw_capabilities
 *
 * Describes a device's IOMMU to a program that emulates one.
 *
 * Return: 0, or -1 and errno:
 *
 * - EOPNOTSUPP: unknown flag; @__reserved is not 0; not a type of the IOMMU
 *   driver
 * - ENOENT: @dev_id is no device
 * - EFAULT: the description or the answer can't be written
 */
struct iommu_hw_info {
	__u32 size;
	__u32 flags;
	__u32 dev_id;
	__u32 data_len;
	__aligned_u64 data_uptr;
	union {
		__u32 in_data_type;
		__u32 out_data_type;
	};
	__u8 out_max_pasid_log2;
	__u8 __reserved[3];
	__aligned_u64 out_capabilities;
};

#define IOMMU_GET_HW_INFO _IO(IOMMUFD_TYPE, IOMMUFD_CMD_GET_HW_INFO)

/**
 * enum iommufd_hwpt_set_dirty_tracking_flags - Flags of
 *	IOMMU_HWPT_SET_DIRTY_TRACKING
 * @IOMMU_HWPT_DIRTY_TRACKING_ENABLE: Start; without this flag stop
 */
enum iommufd_hwpt_set_dirty_tracking_flags {
	IOMMU_HWPT_DIRTY_TRACKING_ENABLE = 1,
};

/**
 * struct iommu_hwpt_set_dirty_tracking - Argument of
 *	ioctl(IOMMU_HWPT_SET_DIRTY_TRACKING)
 * @size: Length of this structure in bytes, at least 16
 * @flags: From enum iommufd_hwpt_set_dirty_tracking_flags
 * @hwpt_id: A page table made with IOMMU_HWPT_ALLOC_DIRTY_TRACKING
 * @__reserved: Should be 0, is not checked
 *
 * Starts or stops recording which pages devices write. Starting forgets what
 * was recorded before. Starting twice, or stopping twice, is no error.
 *
 * Return: 0, or -1 and errno:
 *
 * - EOPNOTSUPP: unknown flag; the page table can't record
 * - ENOENT: @hwpt_id is no page table of an address space
 * - ENOMEM: out of memory
 */
struct iommu_hwpt_set_dirty_tracking {
	__u32 size;
	__u32 flags;
	__u32 hwpt_id;
	__u32 __reserved;
};

#define IOMMU_HWPT_SET_DIRTY_TRACKING \
	_IO(IOMMUFD_TYPE, IOMMUFD_CMD_HWPT_SET_DIRTY_TRACKING)

/**
 * enum iommufd_hwpt_get_dirty_bitmap_flags - Flags of
 *	IOMMU_HWPT_GET_DIRTY_BITMAP
 * @IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR: Leave the record as it is
 */
enum iommufd_hwpt_get_dirty_bitmap_flags {
	IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR = 1,
};

/**
 * struct iommu_hwpt_get_dirty_bitmap - Argument of
 *	ioctl(IOMMU_HWPT_GET_DIRTY_BITMAP)
 * @size: Length of this structure in bytes, at least 48
 * @hwpt_id: A page table made with IOMMU_HWPT_ALLOC_DIRTY_TRACKING
 * @flags: From enum iommufd_hwpt_get_dirty_bitmap_flags
 * @__reserved: 0
 * @iova: First address
 * @length: Bytes
 * @page_size: Bytes that one bit stands for
 * @data: Address of the bitmap, one bit for each @page_size of @length
 *
 * Reports what devices have written. Bit n, counted from the lowest bit of the
 * byte at @data, is set if something in the @page_size bytes from
 * @iova + n * @page_size has been written; the kernel never clears a bit. Without
 * NO_CLEAR the record of the range starts anew.
 *
 * Return: 0, or -1 and errno:
 *
 * - EOPNOTSUPP: unknown flag; @__reserved is not 0; the page table can't record
 * - ENOENT: @hwpt_id is no page table of an address space; or a part of the
 *   range is not mapped, and what is has been reported
 * - EOVERFLOW: the range wraps
 * - EINVAL: @page_size is 0; the range is not aligned to it or to the alignment
 *   of the address space; @length is 0
 * - EFAULT: the bitmap can't be written; what it has no room for stays recorded
 * - ENOMEM: out of memory
 */
struct iommu_hwpt_get_dirty_bitmap {
	__u32 size;
	__u32 hwpt_id;
	__u32 flags;
	__u32 __reserved;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 page_size;
	__aligned_u64 data;
};

#define IOMMU_HWPT_GET_DIRTY_BITMAP \
	_IO(IOMMUFD_TYPE, IOMMUFD_CMD_HWPT_GET_DIRTY_BITMAP)

/**
 * enum iommu_hwpt_invalidate_data_type - Kinds of invalidation request
 * @IOMMU_HWPT_INVALIDATE_DATA_VTD_S1: struct iommu_hwpt_vtd_s1_invalidate
 * @IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3:
 *	struct iommu_viommu_arm_smmuv3_invalidate
 */
enum iommu_hwpt_invalidate_data_type {
	IOMMU_HWPT_INVALIDATE_DATA_VTD_S1 = 0,
	IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3 = 1,
};

/**
 * enum iommu_hwpt_vtd_s1_invalidate_flags - Flags of
 *	struct iommu_hwpt_vtd_s1_invalidate
 * @IOMMU_VTD_INV_FLAGS_LEAF: Only leaf entries have changed
 */
enum iommu_hwpt_vtd_s1_invalidate_flags {
	IOMMU_VTD_INV_FLAGS_LEAF = 1 << 0,
};

/**
 * struct iommu_hwpt_vtd_s1_invalidate - One request for an Intel first stage
 * @addr: First address, a multiple of 4096
 * @npages: Number of 4096-byte pages; 2^64-1 together with @addr 0 means all
 * @flags: From enum iommu_hwpt_vtd_s1_invalidate_flags
 * @__reserved: 0
 *
 * Cached translations of the IOMMU and of the attached devices are dropped.
 */
struct iommu_hwpt_vtd_s1_invalidate {
	__aligned_u64 addr;
	__aligned_u64 npages;
	__u32 flags;
	__u32 __reserved;
};

/**
 * struct iommu_viommu_arm_smmuv3_invalidate - One request for an ARM vIOMMU
 * @cmd: A command as it stands in a guest's command queue, little-endian
 *
 * TLBI NSNH_ALL, NH_ALL, NH_ASID, NH_VA and NH_VAA, CFGI_CD, CFGI_CD_ALL and
 * ATC_INV are accepted; VMID and StreamID are replaced by the real ones. Any
 * other command, or a StreamID no vDEVICE has, gives EIO.
 */
struct iommu_viommu_arm_smmuv3_invalidate {
	__aligned_le64 cmd[2];
};

/**
 * struct iommu_hwpt_invalidate - Argument of ioctl(IOMMU_HWPT_INVALIDATE)
 * @size: Length of this structure in bytes, at least 32
 * @hwpt_id: A nested page table or a vIOMMU
 * @data_uptr: Address of an array of requests
 * @data_type: From enum iommu_hwpt_invalidate_data_type
 * @entry_len: Bytes of one request, at most the page size
 * @entry_num: Passes the number of requests, at most 2^19; returns how many have
 *	been carried out. It is returned on failure as well
 * @__reserved: 0
 *
 * Drops translations an IOMMU has cached of a page table that a guest changed.
 * Requests are carried out in order; the first that fails ends the call.
 * @entry_num 0 asks whether the kernel knows @data_type for this object.
 * Not all IOMMU drivers understand the question: Arm's vIOMMUs say EINVAL to it.
 *
 * Return: 0, or -1 and errno:
 *
 * - EOPNOTSUPP: @__reserved is not 0; the object has no invalidation; a request
 *   has unknown flags
 * - EINVAL: no array or a length or number out of range; the object is of another
 *   type; wrong @data_type; a request is wrong
 * - ENOENT: no object has @hwpt_id
 * - E2BIG: a request is longer than the kernel's and not zero behind it
 * - EIO: a request was refused by the IOMMU driver
 * - EFAULT: the array can't be read or @entry_num not be written
 */
struct iommu_hwpt_invalidate {
	__u32 size;
	__u32 hwpt_id;
	__aligned_u64 data_uptr;
	__u32 data_type;
	__u32 entry_len;
	__u32 entry_num;
	__u32 __reserved;
};

#define IOMMU_HWPT_INVALIDATE _IO(IOMMUFD_TYPE, IOMMUFD_CMD_HWPT_INVALIDATE)

/**
 * enum iommu_hwpt_pgfault_flags - Flags of struct iommu_hwpt_pgfault
 * @IOMMU_PGFAULT_FLAGS_PASID_VALID: pasid has a meaning
 * @IOMMU_PGFAULT_FLAGS_LAST_PAGE: The last message of its group
 */
enum iommu_hwpt_pgfault_flags {
	IOMMU_PGFAULT_FLAGS_PASID_VALID		= (1 << 0),
	IOMMU_PGFAULT_FLAGS_LAST_PAGE		= (1 << 1),
};

/**
 * enum iommu_hwpt_pgfault_perm - Access a device asks for
 * @IOMMU_PGFAULT_PERM_READ: To read
 * @IOMMU_PGFAULT_PERM_WRITE: To write
 * @IOMMU_PGFAULT_PERM_EXEC: To execute; only with a PASID
 * @IOMMU_PGFAULT_PERM_PRIV: With privilege; only with a PASID
 */
enum iommu_hwpt_pgfault_perm {
	IOMMU_PGFAULT_PERM_READ			= (1 << 0),
	IOMMU_PGFAULT_PERM_WRITE		= (1 << 1),
	IOMMU_PGFAULT_PERM_EXEC			= (1 << 2),
	IOMMU_PGFAULT_PERM_PRIV			= (1 << 3),
};

/**
 * struct iommu_hwpt_pgfault - Message read from a fault queue
 * @flags: From enum iommu_hwpt_pgfault_flags
 * @dev_id: The device that asks
 * @pasid: Its PASID, if PASID_VALID is set
 * @grpid: Page request group index the device chose
 * @perm: From enum iommu_hwpt_pgfault_perm
 * @__reserved: 0
 * @addr: Address that has no translation
 * @length: Bytes the device expects to need from there; 0 if it gave no hint
 * @cookie: Names the group in the answer; the same in all messages of a group
 *
 * read() returns whole groups, in order of arrival, and 0 when there is none.
 */
struct iommu_hwpt_pgfault {
	__u32 flags;
	__u32 dev_id;
	__u32 pasid;
	__u32 grpid;
	__u32 perm;
	__u32 __reserved;
	__aligned_u64 addr;
	__u32 length;
	__u32 cookie;
};

/**
 * enum iommufd_page_response_code - Answers to a page request
 * @IOMMUFD_PAGE_RESP_SUCCESS: The translation exists now, the device may retry
 * @IOMMUFD_PAGE_RESP_INVALID: There will be none, the device must give up
 */
enum iommufd_page_response_code {
	IOMMUFD_PAGE_RESP_SUCCESS = 0,
	IOMMUFD_PAGE_RESP_INVALID = 1,
};

/**
 * struct iommu_hwpt_page_response - Answer written to a fault queue
 * @cookie: Of the group that is answered
 * @code: From enum iommufd_page_response_code
 *
 * A cookie that is not outstanding (never was, or the device has been detached
 * since) gives EINVAL.
 */
struct iommu_hwpt_page_response {
	__u32 cookie;
	__u32 code;
};

/**
 * struct iommu_fault_alloc - Argument of ioctl(IOMMU_FAULT_QUEUE_ALLOC)
 * @size: Length of this structure in bytes, at least 16
 * @flags: 0
 * @out_fault_id: Returns the ID of the new queue
 * @out_fault_fd: Returns a file descriptor, close-on-exec, to read
 *	struct iommu_hwpt_pgfault from and write
 *	struct iommu_hwpt_page_response to
 *
 * Creates a queue for page requests. It serves all page tables that were made
 * with its ID.
 *
 * Return: 0, or -1 and errno:
 *
 * - EOPNOTSUPP: @flags is not 0
 * - ENOMEM: out of memory
 * - EMFILE, ENFILE: no file descriptor or no file left
 * - EFAULT: the answer can't be written; nothing was created
 */
struct iommu_fault_alloc {
	__u32 size;
	__u32 flags;
	__u32 out_fault_id;
	__u32 out_fault_fd;
};

#define IOMMU_FAULT_QUEUE_ALLOC _IO(IOMMUFD_TYPE, IOMMUFD_CMD_FAULT_QUEUE_ALLOC)

/**
 * enum iommu_viommu_type - Kinds of virtual IOMMU
 * @IOMMU_VIOMMU_TYPE_DEFAULT: None; not accepted
 * @IOMMU_VIOMMU_TYPE_ARM_SMMUV3: ARM SMMUv3
 * @IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV: ARM SMMUv3 with the command queues of
 *	NVIDIA Tegra241. The guest must see HYP_OWN as 0, since the queues
 *	belong to it
 */
enum iommu_viommu_type {
	IOMMU_VIOMMU_TYPE_DEFAULT = 0,
	IOMMU_VIOMMU_TYPE_ARM_SMMUV3 = 1,
	IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV = 2,
};

/**
 * struct iommu_viommu_tegra241_cmdqv - Data of IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV
 * @out_vintf_mmap_offset: Returns the offset for mmap() of the interface's page 0
 * @out_vintf_mmap_length: Returns the length for mmap() of it
 *
 * The mapping is given on to the guest, which works its queues through it.
 */
struct iommu_viommu_tegra241_cmdqv {
	__aligned_u64 out_vintf_mmap_offset;
	__aligned_u64 out_vintf_mmap_length;
};

/**
 * struct iommu_viommu_alloc - Argument of ioctl(IOMMU_VIOMMU_ALLOC)
 * @size: Length of this structure in bytes, at least 24
 * @flags: 0
 * @type: From enum iommu_viommu_type
 * @dev_id: A device behind the real IOMMU that stands for the virtual one
 * @hwpt_id: A page table made with NEST_PARENT: the guest's physical memory
 * @out_viommu_id: Returns the ID of the new virtual IOMMU
 * @data_len: Bytes at @data_uptr; 0 for none
 * @__reserved: Should be 0, is not checked
 * @data_uptr: Address of the data for the IOMMU driver, if the type has some
 *
 * Creates a virtual IOMMU: the share of one real IOMMU a virtual machine gets,
 * to which its virtual devices, nested page tables, event and command queues
 * belong.
 *
 * Return: 0, or -1 and errno:
 *
 * - EOPNOTSUPP: @flags is not 0; the IOMMU driver does not have this type
 * - ENOENT: @dev_id is no device, @hwpt_id no page table of an address space
 * - EINVAL: the page table is no nest parent or belongs to another IOMMU; data of
 *   a wrong length
 * - ENOMEM: out of memory
 * - EFAULT: data can't be read, or the answer can't be written
 */
struct iommu_viommu_alloc {
	__u32 size;
	__u32 flags;
	__u32 type;
	__u32 dev_id;
	__u32 hwpt_id;
	__u32 out_viommu_id;
	__u32 data_len;
	__u32 __reserved;
	__aligned_u64 data_uptr;
};

#define IOMMU_VIOMMU_ALLOC _IO(IOMMUFD_TYPE, IOMMUFD_CMD_VIOMMU_ALLOC)

/**
 * struct iommu_vdevice_alloc - Argument of ioctl(IOMMU_VDEVICE_ALLOC)
 * @size: Length of this structure in bytes, at least 24
 * @viommu_id: The virtual IOMMU
 * @dev_id: The device
 * @out_vdevice_id: Returns the ID of the new virtual device
 * @virt_id: The number by which the guest's IOMMU knows the device: the StreamID
 *	of an ARM SMMU, the DeviceID of an AMD IOMMU, the RID of an Intel one
 *
 * Tells a virtual IOMMU about one of its devices. When the device is unbound
 * first the virtual device goes with it, and its ID stays taken until the file
 * is closed.
 *
 * Return: 0, or -1 and errno:
 *
 * - EINVAL: @virt_id exceeds unsigned long; the device is behind another IOMMU
 * - ENOENT: no such virtual IOMMU or device
 * - EEXIST: the device has a virtual device, or the number is taken
 * - EOPNOTSUPP: the IOMMU driver can't do this device
 * - ENOMEM: out of memory
 * - EFAULT: the answer can't be written; nothing was created
 */
struct iommu_vdevice_alloc {
	__u32 size;
	__u32 viommu_id;
	__u32 dev_id;
	__u32 out_vdevice_id;
	__aligned_u64 virt_id;
};

#define IOMMU_VDEVICE_ALLOC _IO(IOMMUFD_TYPE, IOMMUFD_CMD_VDEVICE_ALLOC)

/**
 * struct iommu_ioas_change_process - Argument of
 *	ioctl(IOMMU_IOAS_CHANGE_PROCESS)
 * @size: Length of this structure in bytes, at least 8
 * @__reserved: 0
 *
 * Makes the caller the one who pays for all mappings of all address spaces of
 * the file, for a program that hands its devices to a successor. Only mappings
 * of files can change hands. It waits for mappings that are being created or
 * removed, and others wait for it. On failure nothing has changed.
 *
 * Return: 0, or -1 and errno:
 *
 * - EOPNOTSUPP: @__reserved is not 0
 * - EINVAL: there is a mapping of process memory, of device memory or of a
 *   dma-buf
 * - EBUSY: on /dev/vfio/vfio: another thread is creating or removing a mapping
 * - EINTR: a fatal signal came
 * - ENOMEM: out of memory, or a limit of the caller would be exceeded: its
 *   RLIMIT_MEMLOCK, or that of its cgroup
 */
struct iommu_ioas_change_process {
	__u32 size;
	__u32 __reserved;
};

#define IOMMU_IOAS_CHANGE_PROCESS \
	_IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_CHANGE_PROCESS)

/**
 * enum iommu_veventq_flag - Flags of struct iommufd_vevent_header
 * @IOMMU_VEVENTQ_FLAG_LOST_EVENTS: Events were lost here; no data follows
 */
enum iommu_veventq_flag {
	IOMMU_VEVENTQ_FLAG_LOST_EVENTS = (1U << 0),
};

/**
 * struct iommufd_vevent_header - What precedes each event read from a vEVENTQ
 * @flags: From enum iommu_veventq_flag
 * @sequence: Number of the event: 0 to 2^31-1, then 0 again
 *
 * Each event that happens takes a number, read or lost, so a jump tells how many
 * are missing. When nothing came after the loss a header with LOST_EVENTS and
 * the number of the last lost event stands at the end of the queue; it vanishes
 * when an event is queued behind it.
 */
struct iommufd_vevent_header {
	__u32 flags;
	__u32 sequence;
};

/**
 * enum iommu_veventq_type - Kinds of virtual event queue
 * @IOMMU_VEVENTQ_TYPE_DEFAULT: None; not accepted
 * @IOMMU_VEVENTQ_TYPE_ARM_SMMUV3: struct iommu_vevent_arm_smmuv3
 * @IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV: struct iommu_vevent_tegra241_cmdqv
 */
enum iommu_veventq_type {
	IOMMU_VEVENTQ_TYPE_DEFAULT = 0,
	IOMMU_VEVENTQ_TYPE_ARM_SMMUV3 = 1,
	IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV = 2,
};

/**
 * struct iommu_vevent_arm_smmuv3 - Event of an ARM SMMUv3
 * @evt: Event record (SMMUv3 architecture, Event records), little-endian, its
 *	StreamID replaced by the guest's number of the device. One of C_BAD_STE,
 *	F_STREAM_DISABLED, C_BAD_SUBSTREAMID, C_BAD_CD, F_TRANSLATION,
 *	F_ADDR_SIZE, F_ACCESS, F_PERMISSION
 *
 * Events come only of devices that have a vDEVICE.
 */
struct iommu_vevent_arm_smmuv3 {
	__aligned_le64 evt[4];
};

/**
 * struct iommu_vevent_tegra241_cmdqv - Error of Tegra241 command queues
 * @lvcmdq_err_map: One bit for each queue of the interface, little-endian
 */
struct iommu_vevent_tegra241_cmdqv {
	__aligned_le64 lvcmdq_err_map[2];
};

/**
 * struct iommu_veventq_alloc - Argument of ioctl(IOMMU_VEVENTQ_ALLOC)
 * @size: Length of this structure in bytes, at least 28
 * @flags: 0
 * @viommu_id: The virtual IOMMU
 * @type: From enum iommu_veventq_type
 * @veventq_depth: Events the queue holds before it loses some: 1 to 2^19
 * @out_veventq_id: Returns the ID of the new queue
 * @out_veventq_fd: Returns a file descriptor, close-on-exec, to read events from
 * @__reserved: 0
 *
 * Creates a queue for what a virtual IOMMU has to report to its guest. read()
 * gives whole events, each a struct iommufd_vevent_header and the data of the
 * type, and 0 when there is none.
 *
 * Return: 0, or -1 and errno:
 *
 * - EOPNOTSUPP: @flags or @__reserved is not 0; @type is 0
 * - EINVAL: @veventq_depth is out of range
 * - ENOENT: @viommu_id is no virtual IOMMU
 * - EEXIST: it has a queue of this type
 * - ENOMEM: out of memory
 * - EMFILE, ENFILE: no file descriptor or no file left
 * - EFAULT: the answer can't be written; nothing was created
 */
struct iommu_veventq_alloc {
	__u32 size;
	__u32 flags;
	__u32 viommu_id;
	__u32 type;
	__u32 veventq_depth;
	__u32 out_veventq_id;
	__u32 out_veventq_fd;
	__u32 __reserved;
};

#define IOMMU_VEVENTQ_ALLOC _IO(IOMMUFD_TYPE, IOMMUFD_CMD_VEVENTQ_ALLOC)

/**
 * enum iommu_hw_queue_type - Kinds of hardware queue
 * @IOMMU_HW_QUEUE_TYPE_DEFAULT: None; not accepted
 * @IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV: A virtual command queue of Tegra241. They
 *	are created from index 0 upwards and destroyed downwards. The length is a
 *	power of two from 32 bytes to 16 bytes << IDR1.CMDQS, and the physical
 *	memory contiguous and aligned to it, as one huge page is
 */
enum iommu_hw_queue_type {
	IOMMU_HW_QUEUE_TYPE_DEFAULT = 0,
	IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV = 1,
};

/**
 * struct iommu_hw_queue_alloc - Argument of ioctl(IOMMU_HW_QUEUE_ALLOC)
 * @size: Length of this structure in bytes, at least 40
 * @flags: 0
 * @viommu_id: The virtual IOMMU
 * @type: From enum iommu_hw_queue_type
 * @index: Number of the queue among those of its type
 * @out_hw_queue_id: Returns the ID of the new queue
 * @nesting_parent_iova: Address of the queue in the virtual IOMMU's nest parent
 * @length: Bytes of the queue
 *
 * Lets hardware read a queue in guest memory directly. That memory stays pinned
 * and its mapping can't be removed while the queue exists.
 *
 * Return: 0, or -1 and errno:
 *
 * - EOPNOTSUPP: @flags is not 0; @type is 0 or not one of the virtual IOMMU
 * - EINVAL: @length is 0; the mapping's memory is not aligned like its address;
 *   @index is out of range
 * - EOVERFLOW, ERANGE: the range wraps; its last page would
 * - ENOENT: @viommu_id is no virtual IOMMU; the range is not mapped
 * - EPERM: the mapping is not READABLE
 * - EEXIST, EIO: the index is taken; it is out of turn
 * - EADDRINUSE: mappings are not aligned to pages
 * - EFAULT: the memory is not contiguous; the answer can't be written
 * - ENOMEM: out of memory, or RLIMIT_MEMLOCK would be exceeded
 */
struct iommu_hw_queue_alloc {
	__u32 size;
	__u32 flags;
	__u32 viommu_id;
	__u32 type;
	__u32 index;
	__u32 out_hw_queue_id;
	__aligned_u64 nesting_parent_iova;
	__aligned_u64 length;
};

#define IOMMU_HW_QUEUE_ALLOC _IO(IOMMUFD_TYPE, IOMMUFD_CMD_HW_QUEUE_ALLOC)

/**
 * struct iommu_x_ioas_unmap_dirty - Argument of
 *	ioctl(IOMMU_X_IOAS_UNMAP_DIRTY)
 * @size: Length of this structure in bytes, at least 48
 * @flags: 0
 * @ioas_id: The IOAS
 * @hwpt_id: A page table of this IOAS, made with
 *	IOMMU_HWPT_ALLOC_DIRTY_TRACKING
 * @iova: First address
 * @length: Bytes; returns how many were unmapped
 * @page_size: Bytes that one bit stands for
 * @data: Address of the bitmap, one bit for each @page_size of @length
 *
 * Unmaps as IOMMU_IOAS_UNMAP does, and reports what devices have written
 * through @hwpt_id to the memory that is unmapped, as
 * IOMMU_HWPT_GET_DIRTY_BITMAP does. A write of a device is either in the
 * bitmap or blocked; none comes between the two. An addition to the ABI of
 * Linux 7.2, where the number answers ENOTTY.
 *
 * Return: 0, or -1 and errno:
 *
 * - EOPNOTSUPP: @flags; the page table can't record
 * - ENOENT: @ioas_id is no IOAS, @hwpt_id is no page table; nothing is mapped in
 *   the range, or a mapping is not wholly inside of it
 * - EINVAL: the page table is one of another IOAS; @length is 0; the range does
 *   not fit @page_size, or the alignment of the IOAS
 * - EOVERFLOW: the range does not end within the addresses
 * - EBUSY, EDEADLOCK: as IOMMU_IOAS_UNMAP
 * - EFAULT: the bitmap can't be written; nothing was unmapped
 * - ENOMEM: out of memory
 */
struct iommu_x_ioas_unmap_dirty {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__u32 hwpt_id;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 page_size;
	__aligned_u64 data;
};

#define IOMMU_X_IOAS_UNMAP_DIRTY \
	_IO(IOMMUFD_TYPE, IOMMUFD_CMD_X_IOAS_UNMAP_DIRTY)
#endif
