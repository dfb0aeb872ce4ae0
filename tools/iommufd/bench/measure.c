// SPDX-License-Identifier: GPL-2.0-only
/*
 * The clock, the surroundings, and the lines the host reads.
 *
 * Under QEMU -icount shift=0 the time stamp counter advances by one with each
 * instruction of the guest: it is the counter then, and measure_init() proves it
 * on a loop of known length rather than believe it. Elsewhere it is the
 * monotonic clock, in nanoseconds.
 *
 * Standard output has one record a line, fields separated by tabs:
 *
 *	clock	insn | ns
 *	now	<what is being measured>
 *	result	<key>	<unit>	<value>
 *	none	<key>	<why there is no value>
 *	failed	<text>
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"

#define CGROUP	"/sys/fs/cgroup/bench"

static bool counts_instructions;
static const char *groups;

static __u64 tsc(void)
{
	__u32 lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (__u64)hi << 32 | lo;
}

__u64 now(void)
{
	struct timespec ts;

	if (counts_instructions)
		return tsc();
	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/*
 * Of this thread, in ns. The kernel takes it from the time stamp counter, so it
 * counts instructions where that one does.
 */
__u64 cpu_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* Does a clock advance by 2 in each round of a loop of two instructions? */
static bool counts(__u64 (*clock)(void))
{
	const __u64 rounds = 1000000;
	__u64 begin, took, least = UINT64_MAX;
	int i;

	for (i = 0; i < 5; i++) {
		__u64 n = rounds;

		begin = clock();
		asm volatile("1: dec %0\n\tjnz 1b" : "+r"(n) : : "cc");
		took = clock() - begin;
		if (took < least)
			least = took;
	}
	return least >= 2 * rounds && least < 2 * rounds + rounds / 100;
}

void measure_init(bool want_instructions)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	counts_instructions = counts(tsc) && counts(cpu_time);
	if (want_instructions && !counts_instructions)
		die("the clocks do not count instructions");
	printf("clock\t%s\n", counts_instructions ? "insn" : "ns");
}

void sample_add(struct sample *s, __u64 value)
{
	if (!s->trials++ || value < s->least)
		s->least = value;
}

void progress(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("now\t", stdout);
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
}

static void print_result(const char *unit, double value, const char *fmt,
			 va_list ap)
{
	fputs("result\t", stdout);
	vprintf(fmt, ap);
	printf("\t%s\t%.1f\n", unit, value);
}

void result(double value, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_result(counts_instructions ? "insn" : "ns", value, fmt, ap);
	va_end(ap);
}

void result_of(const char *unit, double value, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_result(unit, value, fmt, ap);
	va_end(ap);
}

void not_available(const char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("none\t", stdout);
	vprintf(fmt, ap);
	printf("\t%s\n", why);
	va_end(ap);
}

void die(const char *fmt, ...)
{
	int error = errno;
	va_list ap;

	va_start(ap, fmt);
	fputs("failed\t", stdout);
	vprintf(fmt, ap);
	printf(" (errno %d, %s)\n", error, strerror(error));
	va_end(ap);
	exit(1);
}

void select_groups(const char *list)
{
	groups = list && *list ? list : NULL;
}

/* Groups of measurements are chosen by a list of names with commas. */
bool selected(const char *group)
{
	size_t len = strlen(group);
	const char *at = groups;

	if (!groups)
		return true;
	while ((at = strstr(at, group))) {
		if ((at == groups || at[-1] == ',') &&
		    (at[len] == ',' || !at[len]))
			return true;
		at += len;
	}
	return false;
}

/* Charged like a service: what the kernel allocates for us has a price. */
void enter_cgroup(void)
{
	int fd;

	if (mkdir(CGROUP, 0755) && errno != EEXIST)
		die("no memory cgroup " CGROUP);
	fd = open(CGROUP "/cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		die("can't enter the cgroup " CGROUP);
	close(fd);
	if (access(CGROUP "/memory.stat", R_OK))
		die("the cgroup " CGROUP " does not count memory");
}

/* With CAP_IPC_LOCK, some accounting is skipped. */
void drop_ipc_lock(void)
{
	struct __user_cap_header_struct hdr = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK, 0, 0, 0) ||
	    syscall(SYS_capget, &hdr, data))
		die("can't drop CAP_IPC_LOCK");
	data[0].effective &= ~(1u << CAP_IPC_LOCK);
	data[0].permitted &= ~(1u << CAP_IPC_LOCK);
	data[0].inheritable &= ~(1u << CAP_IPC_LOCK);
	if (syscall(SYS_capset, &hdr, data))
		die("can't drop CAP_IPC_LOCK");
}

static long field_of(const char *path, const char *field)
{
	char line[128], name[64];
	long value = -1, n;
	FILE *f;

	f = fopen(path, "re");
	if (!f)
		die("can't read %s", path);
	while (value < 0 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %ld", name, &n) == 2 &&
		    !strcmp(name, field))
			value = n;
	}
	fclose(f);
	if (value < 0)
		die("%s has no '%s'", path, field);
	return value;
}

/*
 * Not all interfaces charge what they allocate: type1 does not charge its
 * entries. So the slab of the machine, on which nothing else happens, is looked
 * at as well.
 */
struct kernel_memory kernel_memory(void)
{
	static const char stat[] = CGROUP "/memory.stat";
	static const char meminfo[] = "/proc/meminfo";
	struct kernel_memory mem = {};

	/* Small changes reach the files when counters are flushed: every 2 s. */
	sleep(3);
	mem.tables = field_of(meminfo, "SecPageTables:") * KIB;
	mem.slab = field_of(meminfo, "Slab:") * KIB;
	mem.charged = field_of(stat, "kernel") -
		      field_of(stat, "sec_pagetables") -
		      field_of(stat, "pagetables");
	return mem;
}

struct kernel_memory kernel_memory_since(struct kernel_memory before)
{
	struct kernel_memory mem = kernel_memory();

	mem.tables -= before.tables;
	mem.slab -= before.slab;
	mem.charged -= before.charged;
	mem.other = mem.slab > mem.charged ? mem.slab : mem.charged;
	return mem;
}
