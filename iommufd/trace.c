// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: tracepoints
 *
 * The bodies of what trace.h declares.
 */
#define CREATE_TRACE_POINTS
#include "trace.h"
