// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of a known make, touched before anything is measured.
 *
 * Memory in pages of 4 KiB is touched in an order in which neighbours are far
 * apart: page frames are given out in ascending order when memory is fresh, and
 * memory touched from front to back would be physically contiguous, as no
 * program's memory is after a day of work.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "measure.h"
#include "memory.h"

#define SHMEM_HUGE	"/sys/kernel/mm/transparent_hugepage/shmem_enabled"

#define HPAGE		(2 * MIB)

const struct backing backings[] = {
	{ "thp", "anonymous, THP", .thp = true },
	{ "hugetlb", "anonymous, hugetlb 2 MiB", .hugetlb = true },
	{ "memfd-huge", "memfd, huge folios", .thp = true, .memfd = true },
	{ .name = "4k", .text = "anonymous, 4 KiB pages scattered" },
	{ "memfd", "memfd, 4 KiB pages scattered", .memfd = true },
};

const unsigned int nr_backings = ARRAY_SIZE(backings);

const struct backing *backing_named(const char *name)
{
	unsigned int i;

	for (i = 0; i < nr_backings; i++) {
		if (!strcmp(backings[i].name, name))
			return &backings[i];
	}
	die("there is no backing '%s'", name);
}

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

/* How many bytes of this mapping the kernel says are in huge pages. */
static size_t huge_bytes(const void *at)
{
	unsigned long kib, total = 0, first, last;
	bool inside = false;
	char line[256];
	FILE *f;

	f = fopen("/proc/self/smaps", "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &first, &last) == 2)
			inside = first <= (uintptr_t)at && (uintptr_t)at < last;
		else if (inside && (sscanf(line, "AnonHugePages: %lu", &kib) == 1 ||
				    sscanf(line, "ShmemPmdMapped: %lu", &kib) == 1))
			total += kib * KIB;
	}
	fclose(f);
	return total;
}

static void touch(struct memory *mem, size_t step)
{
	size_t n = mem->length / step, i;

	/* An odd factor visits each number below a power of two once. */
	for (i = 0; i < n; i++)
		mem->at[(step == PAGE ? i * 0x9e3779b1ul % n : i) * step] = i | 1;
}

const char *memory_get(struct memory *mem, const struct backing *backing,
		       size_t length)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	void *want;

	memset(mem, 0, sizeof(*mem));
	mem->backing = backing;
	mem->length = length;
	mem->fd = -1;

	/* Alignment for the largest page of any table: 1 GiB. */
	mem->reserved_length = length + GIB;
	mem->reserved = mmap(NULL, mem->reserved_length, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem->reserved == MAP_FAILED)
		die("no address space");
	want = (void *)(((uintptr_t)mem->reserved + GIB - 1) & ~(GIB - 1));

	if (backing->memfd) {
		if (!write_text(SHMEM_HUGE, backing->thp ? "always" : "never")) {
			memory_put(mem);
			return "no huge pages for shared memory";
		}
		mem->fd = memfd_create("bench", MFD_CLOEXEC);
		if (mem->fd < 0 || ftruncate(mem->fd, length))
			die("memfd");
		flags = MAP_SHARED;
	}
	if (backing->hugetlb)
		flags |= MAP_HUGETLB;
	mem->at = mmap(want, length, PROT_READ | PROT_WRITE, flags | MAP_FIXED,
		       mem->fd, 0);
	if (mem->at == MAP_FAILED) {
		mem->at = NULL;
		memory_put(mem);
		return "no memory of this kind";
	}
	if (!backing->hugetlb)
		madvise(mem->at, length,
			backing->thp ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	touch(mem, backing->hugetlb || backing->thp ? HPAGE : PAGE);
	if (backing->thp && huge_bytes(mem->at) != length) {
		memory_put(mem);
		return "not enough huge pages";
	}
	if (!backing->thp && !backing->hugetlb && huge_bytes(mem->at))
		die("memory that was to be scattered has huge pages");
	return NULL;
}

void memory_put(struct memory *mem)
{
	munmap(mem->reserved, mem->reserved_length);
	if (mem->fd >= 0)
		close(mem->fd);
	mem->at = NULL;
}
