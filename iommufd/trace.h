/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints, group "iommufd".
 *
 * One event for each call between rooms that changes what a device reaches,
 * what is pinned or who pays; none for each page.  All come after the fact and
 * most have its result, 0 or -errno.  No field is a kernel address: a context
 * is known by its number (iommufd-context in fdinfo), an object by its ID in
 * the context, memory by the address or file offset that user space gave.
 *
 * This header knows numbers and strings only, so that every room can use it.
 * Events of queues, which IOMMU drivers fill, are in builtin/queue_trace.h.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM iommufd

#if !defined(IOFD_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define IOFD_TRACE_H

#include <linux/ioctl.h>
#include <linux/tracepoint.h>
#include <linux/types.h>

/* Numbers of the ABI: those of the VFIO container, and ours. */
#define iofd_show_ioctl(cmd)					\
	__print_symbolic(_IOC_NR(cmd),				\
		{ 0x64, "VFIO_GET_API_VERSION" },		\
		{ 0x65, "VFIO_CHECK_EXTENSION" },		\
		{ 0x66, "VFIO_SET_IOMMU" },			\
		{ 0x70, "VFIO_IOMMU_GET_INFO" },		\
		{ 0x71, "VFIO_IOMMU_MAP_DMA" },			\
		{ 0x72, "VFIO_IOMMU_UNMAP_DMA" },		\
		{ 0x75, "VFIO_IOMMU_DIRTY_PAGES" },		\
		{ 0x80, "DESTROY" },				\
		{ 0x81, "IOAS_ALLOC" },				\
		{ 0x82, "IOAS_ALLOW_IOVAS" },			\
		{ 0x83, "IOAS_COPY" },				\
		{ 0x84, "IOAS_IOVA_RANGES" },			\
		{ 0x85, "IOAS_MAP" },				\
		{ 0x86, "IOAS_UNMAP" },				\
		{ 0x87, "OPTION" },				\
		{ 0x88, "VFIO_IOAS" },				\
		{ 0x89, "HWPT_ALLOC" },				\
		{ 0x8a, "GET_HW_INFO" },			\
		{ 0x8b, "HWPT_SET_DIRTY_TRACKING" },		\
		{ 0x8c, "HWPT_GET_DIRTY_BITMAP" },		\
		{ 0x8d, "HWPT_INVALIDATE" },			\
		{ 0x8e, "FAULT_QUEUE_ALLOC" },			\
		{ 0x8f, "IOAS_MAP_FILE" },			\
		{ 0x90, "VIOMMU_ALLOC" },			\
		{ 0x91, "VDEVICE_ALLOC" },			\
		{ 0x92, "IOAS_CHANGE_PROCESS" },		\
		{ 0x93, "VEVENTQ_ALLOC" },			\
		{ 0x94, "HW_QUEUE_ALLOC" },			\
		{ 0xa0, "TEST_CMD" },				\
		{ 0xc0, "X_IOAS_UNMAP_DIRTY" })

TRACE_EVENT(iommufd_ioctl,
	TP_PROTO(u64 context, unsigned int cmd, long result),
	TP_ARGS(context, cmd, result),
	TP_STRUCT__entry(
		__field(u64, context)
		__field(unsigned int, cmd)
		__field(long, result)
	),
	TP_fast_assign(
		__entry->context = context;
		__entry->cmd = cmd;
		__entry->result = result;
	),
	TP_printk("context=%llu cmd=%s result=%ld", __entry->context,
		  iofd_show_ioctl(__entry->cmd), __entry->result)
);

DECLARE_EVENT_CLASS(iommufd_object_class,
	TP_PROTO(u64 context, u32 id, const char *type),
	TP_ARGS(context, id, type),
	TP_STRUCT__entry(
		__field(u64, context)
		__field(u32, id)
		__string(type, type)
	),
	TP_fast_assign(
		__entry->context = context;
		__entry->id = id;
		__assign_str(type);
	),
	TP_printk("context=%llu id=%u type=%s", __entry->context, __entry->id,
		  __get_str(type))
);

DEFINE_EVENT(iommufd_object_class, iommufd_object_create,
	TP_PROTO(u64 context, u32 id, const char *type),
	TP_ARGS(context, id, type)
);

DEFINE_EVENT(iommufd_object_class, iommufd_object_destroy,
	TP_PROTO(u64 context, u32 id, const char *type),
	TP_ARGS(context, id, type)
);

/*
 * @prot as IOMMU_READ and IOMMU_WRITE; @addr and @backing those of the first
 * byte.  A map that failed may have no @iova yet: then it is what was asked for.
 */
TRACE_EVENT(iommufd_map,
	TP_PROTO(u64 context, u32 ioas, unsigned long iova,
		 unsigned long length, int prot, const char *backing,
		 unsigned long addr, int result),
	TP_ARGS(context, ioas, iova, length, prot, backing, addr, result),
	TP_STRUCT__entry(
		__field(u64, context)
		__field(u32, ioas)
		__field(int, prot)
		__field(unsigned long, iova)
		__field(unsigned long, length)
		__field(unsigned long, addr)
		__field(int, result)
		__string(backing, backing)
	),
	TP_fast_assign(
		__entry->context = context;
		__entry->ioas = ioas;
		__entry->prot = prot;
		__entry->iova = iova;
		__entry->length = length;
		__entry->addr = addr;
		__entry->result = result;
		__assign_str(backing);
	),
	TP_printk("context=%llu ioas=%u iova=0x%lx length=0x%lx prot=%s%s backing=%s addr=0x%lx result=%d",
		  __entry->context, __entry->ioas, __entry->iova,
		  __entry->length, __entry->prot & 1 ? "r" : "-",
		  __entry->prot & 2 ? "w" : "-", __get_str(backing),
		  __entry->addr, __entry->result)
);

/* @first to @last is what was asked for, @unmapped how many bytes went. */
TRACE_EVENT(iommufd_unmap,
	TP_PROTO(u64 context, u32 ioas, unsigned long first,
		 unsigned long last, unsigned long unmapped, int result),
	TP_ARGS(context, ioas, first, last, unmapped, result),
	TP_STRUCT__entry(
		__field(u64, context)
		__field(u32, ioas)
		__field(int, result)
		__field(unsigned long, first)
		__field(unsigned long, last)
		__field(unsigned long, unmapped)
	),
	TP_fast_assign(
		__entry->context = context;
		__entry->ioas = ioas;
		__entry->result = result;
		__entry->first = first;
		__entry->last = last;
		__entry->unmapped = unmapped;
	),
	TP_printk("context=%llu ioas=%u iova=0x%lx-0x%lx unmapped=0x%lx result=%d",
		  __entry->context, __entry->ioas, __entry->first,
		  __entry->last, __entry->unmapped, __entry->result)
);

/* An area goes into the domain of a page table. */
TRACE_EVENT(iommufd_load,
	TP_PROTO(u64 context, u32 ioas, u32 hwpt, unsigned long first,
		 unsigned long last, int result),
	TP_ARGS(context, ioas, hwpt, first, last, result),
	TP_STRUCT__entry(
		__field(u64, context)
		__field(u32, ioas)
		__field(u32, hwpt)
		__field(unsigned long, first)
		__field(unsigned long, last)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->context = context;
		__entry->ioas = ioas;
		__entry->hwpt = hwpt;
		__entry->first = first;
		__entry->last = last;
		__entry->result = result;
	),
	TP_printk("context=%llu ioas=%u hwpt=%u iova=0x%lx-0x%lx result=%d",
		  __entry->context, __entry->ioas, __entry->hwpt,
		  __entry->first, __entry->last, __entry->result)
);

/* It goes out again; the IOTLB is flushed a moment later. */
TRACE_EVENT(iommufd_unload,
	TP_PROTO(u64 context, u32 ioas, u32 hwpt, unsigned long first,
		 unsigned long last),
	TP_ARGS(context, ioas, hwpt, first, last),
	TP_STRUCT__entry(
		__field(u64, context)
		__field(u32, ioas)
		__field(u32, hwpt)
		__field(unsigned long, first)
		__field(unsigned long, last)
	),
	TP_fast_assign(
		__entry->context = context;
		__entry->ioas = ioas;
		__entry->hwpt = hwpt;
		__entry->first = first;
		__entry->last = last;
	),
	TP_printk("context=%llu ioas=%u hwpt=%u iova=0x%lx-0x%lx",
		  __entry->context, __entry->ioas, __entry->hwpt,
		  __entry->first, __entry->last)
);

/* Pages of a page set that nobody had pinned through it. */
TRACE_EVENT(iommufd_pin,
	TP_PROTO(u64 context, const char *backing, unsigned long addr,
		 unsigned long npages, int result),
	TP_ARGS(context, backing, addr, npages, result),
	TP_STRUCT__entry(
		__field(u64, context)
		__field(unsigned long, addr)
		__field(unsigned long, npages)
		__field(int, result)
		__string(backing, backing)
	),
	TP_fast_assign(
		__entry->context = context;
		__entry->addr = addr;
		__entry->npages = npages;
		__entry->result = result;
		__assign_str(backing);
	),
	TP_printk("context=%llu backing=%s addr=0x%lx pages=%lu result=%d",
		  __entry->context, __get_str(backing), __entry->addr,
		  __entry->npages, __entry->result)
);

TRACE_EVENT(iommufd_unpin,
	TP_PROTO(u64 context, const char *backing, unsigned long addr,
		 unsigned long npages),
	TP_ARGS(context, backing, addr, npages),
	TP_STRUCT__entry(
		__field(u64, context)
		__field(unsigned long, addr)
		__field(unsigned long, npages)
		__string(backing, backing)
	),
	TP_fast_assign(
		__entry->context = context;
		__entry->addr = addr;
		__entry->npages = npages;
		__assign_str(backing);
	),
	TP_printk("context=%llu backing=%s addr=0x%lx pages=%lu",
		  __entry->context, __get_str(backing), __entry->addr,
		  __entry->npages)
);

/*
 * @pid and @uid are the payer's, who need not be the caller; @mode says which
 * counter has the limit, @parts which counters were asked: all but in a change
 * of process, which leaves those that stay the same.
 */
#define iofd_show_parts(parts)					\
	__print_flags(parts, "|",				\
		{ 1, "limit" }, { 2, "cgroup" }, { 4, "mm" },	\
		{ 8, "context" })

TRACE_EVENT(iommufd_charge,
	TP_PROTO(u64 context, pid_t pid, unsigned int uid, const char *mode,
		 unsigned int parts, unsigned long npages, int result),
	TP_ARGS(context, pid, uid, mode, parts, npages, result),
	TP_STRUCT__entry(
		__field(u64, context)
		__field(pid_t, pid)
		__field(unsigned int, uid)
		__field(unsigned int, parts)
		__field(unsigned long, npages)
		__field(int, result)
		__string(mode, mode)
	),
	TP_fast_assign(
		__entry->context = context;
		__entry->pid = pid;
		__entry->uid = uid;
		__entry->parts = parts;
		__entry->npages = npages;
		__entry->result = result;
		__assign_str(mode);
	),
	TP_printk("context=%llu payer=%d uid=%u mode=%s counters=%s pages=%lu result=%d",
		  __entry->context, __entry->pid, __entry->uid,
		  __get_str(mode), iofd_show_parts(__entry->parts),
		  __entry->npages, __entry->result)
);

TRACE_EVENT(iommufd_uncharge,
	TP_PROTO(u64 context, pid_t pid, unsigned int uid, const char *mode,
		 unsigned int parts, unsigned long npages),
	TP_ARGS(context, pid, uid, mode, parts, npages),
	TP_STRUCT__entry(
		__field(u64, context)
		__field(pid_t, pid)
		__field(unsigned int, uid)
		__field(unsigned int, parts)
		__field(unsigned long, npages)
		__string(mode, mode)
	),
	TP_fast_assign(
		__entry->context = context;
		__entry->pid = pid;
		__entry->uid = uid;
		__entry->parts = parts;
		__entry->npages = npages;
		__assign_str(mode);
	),
	TP_printk("context=%llu payer=%d uid=%u mode=%s counters=%s pages=%lu",
		  __entry->context, __entry->pid, __entry->uid,
		  __get_str(mode), iofd_show_parts(__entry->parts),
		  __entry->npages)
);

/* Device memory has gone from, or come back to, all windows that show it. */
TRACE_EVENT(iommufd_revoke,
	TP_PROTO(const char *backing, unsigned long addr, unsigned long length,
		 unsigned int windows),
	TP_ARGS(backing, addr, length, windows),
	TP_STRUCT__entry(
		__field(unsigned long, addr)
		__field(unsigned long, length)
		__field(unsigned int, windows)
		__string(backing, backing)
	),
	TP_fast_assign(
		__entry->addr = addr;
		__entry->length = length;
		__entry->windows = windows;
		__assign_str(backing);
	),
	TP_printk("backing=%s addr=0x%lx length=0x%lx windows=%u",
		  __get_str(backing), __entry->addr, __entry->length,
		  __entry->windows)
);

TRACE_EVENT(iommufd_restore,
	TP_PROTO(const char *backing, unsigned long addr, unsigned long length,
		 unsigned int windows, int result),
	TP_ARGS(backing, addr, length, windows, result),
	TP_STRUCT__entry(
		__field(unsigned long, addr)
		__field(unsigned long, length)
		__field(unsigned int, windows)
		__field(int, result)
		__string(backing, backing)
	),
	TP_fast_assign(
		__entry->addr = addr;
		__entry->length = length;
		__entry->windows = windows;
		__entry->result = result;
		__assign_str(backing);
	),
	TP_printk("backing=%s addr=0x%lx length=0x%lx windows=%u result=%d",
		  __get_str(backing), __entry->addr, __entry->length,
		  __entry->windows, __entry->result)
);

/* @pt is the ID that was named, @hwpt the page table in use; 0 if it failed. */
DECLARE_EVENT_CLASS(iommufd_attach_class,
	TP_PROTO(u64 context, u32 device, const char *name, u32 pasid, u32 pt,
		 u32 hwpt, int result),
	TP_ARGS(context, device, name, pasid, pt, hwpt, result),
	TP_STRUCT__entry(
		__field(u64, context)
		__field(u32, device)
		__field(u32, pasid)
		__field(u32, pt)
		__field(u32, hwpt)
		__field(int, result)
		__string(name, name)
	),
	TP_fast_assign(
		__entry->context = context;
		__entry->device = device;
		__entry->pasid = pasid;
		__entry->pt = pt;
		__entry->hwpt = hwpt;
		__entry->result = result;
		__assign_str(name);
	),
	TP_printk("context=%llu device=%u name=%s pasid=%u pt=%u hwpt=%u result=%d",
		  __entry->context, __entry->device, __get_str(name),
		  __entry->pasid, __entry->pt, __entry->hwpt, __entry->result)
);

DEFINE_EVENT(iommufd_attach_class, iommufd_attach,
	TP_PROTO(u64 context, u32 device, const char *name, u32 pasid, u32 pt,
		 u32 hwpt, int result),
	TP_ARGS(context, device, name, pasid, pt, hwpt, result)
);

DEFINE_EVENT(iommufd_attach_class, iommufd_replace,
	TP_PROTO(u64 context, u32 device, const char *name, u32 pasid, u32 pt,
		 u32 hwpt, int result),
	TP_ARGS(context, device, name, pasid, pt, hwpt, result)
);

TRACE_EVENT(iommufd_detach,
	TP_PROTO(u64 context, u32 device, const char *name, u32 pasid),
	TP_ARGS(context, device, name, pasid),
	TP_STRUCT__entry(
		__field(u64, context)
		__field(u32, device)
		__field(u32, pasid)
		__string(name, name)
	),
	TP_fast_assign(
		__entry->context = context;
		__entry->device = device;
		__entry->pasid = pasid;
		__assign_str(name);
	),
	TP_printk("context=%llu device=%u name=%s pasid=%u", __entry->context,
		  __entry->device, __get_str(name), __entry->pasid)
);

/* An in-kernel user (mediated device) uses another IOAS; 0: none any more. */
TRACE_EVENT(iommufd_access_attach,
	TP_PROTO(u64 context, u32 access, u32 ioas, int result),
	TP_ARGS(context, access, ioas, result),
	TP_STRUCT__entry(
		__field(u64, context)
		__field(u32, access)
		__field(u32, ioas)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->context = context;
		__entry->access = access;
		__entry->ioas = ioas;
		__entry->result = result;
	),
	TP_printk("context=%llu access=%u ioas=%u result=%d", __entry->context,
		  __entry->access, __entry->ioas, __entry->result)
);

/* @flags as IOMMUFD_ACCESS_RW_*; an unpin has neither flags nor a result. */
DECLARE_EVENT_CLASS(iommufd_access_class,
	TP_PROTO(u64 context, u32 access, unsigned long iova,
		 unsigned long length, unsigned int flags, int result),
	TP_ARGS(context, access, iova, length, flags, result),
	TP_STRUCT__entry(
		__field(u64, context)
		__field(u32, access)
		__field(unsigned int, flags)
		__field(unsigned long, iova)
		__field(unsigned long, length)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->context = context;
		__entry->access = access;
		__entry->flags = flags;
		__entry->iova = iova;
		__entry->length = length;
		__entry->result = result;
	),
	TP_printk("context=%llu access=%u iova=0x%lx length=0x%lx flags=0x%x result=%d",
		  __entry->context, __entry->access, __entry->iova,
		  __entry->length, __entry->flags, __entry->result)
);

DEFINE_EVENT(iommufd_access_class, iommufd_access_pin,
	TP_PROTO(u64 context, u32 access, unsigned long iova,
		 unsigned long length, unsigned int flags, int result),
	TP_ARGS(context, access, iova, length, flags, result)
);

DEFINE_EVENT(iommufd_access_class, iommufd_access_unpin,
	TP_PROTO(u64 context, u32 access, unsigned long iova,
		 unsigned long length, unsigned int flags, int result),
	TP_ARGS(context, access, iova, length, flags, result)
);

DEFINE_EVENT(iommufd_access_class, iommufd_access_rw,
	TP_PROTO(u64 context, u32 access, unsigned long iova,
		 unsigned long length, unsigned int flags, int result),
	TP_ARGS(context, access, iova, length, flags, result)
);

#endif

/* Found by -I of the driver's root, see Kbuild.rooms. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
