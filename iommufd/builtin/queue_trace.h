/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of queues, in the same group as those in trace.h.  They are
 * always built in: IOMMU drivers report events without the module.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM iommufd

#if !defined(IOFD_BUILTIN_QUEUE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define IOFD_BUILTIN_QUEUE_TRACE_H

#include <linux/iommufd.h>
#include <linux/tracepoint.h>
#include <linux/types.h>

TRACE_DEFINE_ENUM(IOMMUFD_OBJ_FAULT);
TRACE_DEFINE_ENUM(IOMMUFD_OBJ_VEVENTQ);

/*
 * @context is the number of the queue's context, @id and @type are those of the
 * object it belongs to.  The result of a push is 0, or -errno for an event that
 * is lost; that of a pop, which is one read() of the queue's file, the number of
 * bytes or -errno.
 */
DECLARE_EVENT_CLASS(iommufd_queue_class,
	TP_PROTO(u64 context, u32 id, unsigned int type, long result),
	TP_ARGS(context, id, type, result),
	TP_STRUCT__entry(
		__field(u64, context)
		__field(u32, id)
		__field(unsigned int, type)
		__field(long, result)
	),
	TP_fast_assign(
		__entry->context = context;
		__entry->id = id;
		__entry->type = type;
		__entry->result = result;
	),
	TP_printk("context=%llu id=%u type=%s result=%ld", __entry->context,
		  __entry->id,
		  __print_symbolic(__entry->type,
			{ IOMMUFD_OBJ_FAULT, "fault" },
			{ IOMMUFD_OBJ_VEVENTQ, "veventq" }),
		  __entry->result)
);

DEFINE_EVENT(iommufd_queue_class, iommufd_queue_push,
	TP_PROTO(u64 context, u32 id, unsigned int type, long result),
	TP_ARGS(context, id, type, result)
);

DEFINE_EVENT(iommufd_queue_class, iommufd_queue_pop,
	TP_PROTO(u64 context, u32 id, unsigned int type, long result),
	TP_ARGS(context, id, type, result)
);

#endif

/* Found by -I of the driver's root, see Kbuild.rooms. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH builtin
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE queue_trace
#include <trace/define_trace.h>
