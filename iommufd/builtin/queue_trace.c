// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: tracepoints of queues
 *
 * The bodies of what queue_trace.h declares, for whoever is in vmlinux and for
 * the module.
 */
#define CREATE_TRACE_POINTS
#include "builtin/queue_trace.h"

EXPORT_TRACEPOINT_SYMBOL_GPL(iommufd_queue_push);
EXPORT_TRACEPOINT_SYMBOL_GPL(iommufd_queue_pop);
