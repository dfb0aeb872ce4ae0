// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocation of memory of the three kinds, and the proof from smaps.
 *
 * The memory sits in the middle of a reservation without access rights. So it
 * is aligned, and it is a VMA of its own: the figures of smaps, which are per
 * VMA, are about this memory and nothing else.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "memory.h"
#include "report.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* What smaps tells of one VMA, in KiB. */
struct smaps {
	long rss;
	long page_size;
	long anon_huge;
	long hugetlb;
};

const char *memory_name(enum memory_kind kind)
{
	static const char * const names[MEMORY_KINDS] = {
		[MEMORY_4K] = "4 KiB pages",
		[MEMORY_THP] = "transparent huge pages",
		[MEMORY_HUGETLB] = "hugetlb pages",
	};

	return names[kind];
}

/* "Key:   123 kB" -> 123, if @line begins with @key. */
static bool take_kib(const char *line, const char *key, long *value)
{
	size_t len = strlen(key);

	if (strncmp(line, key, len) || line[len] != ':')
		return false;
	*value += strtol(line + len + 1, NULL, 10);
	return true;
}

long memory_status_kib(const char *key)
{
	char line[256];
	long value = 0;
	bool found = false;
	FILE *f;

	f = fopen("/proc/self/status", "re");
	if (!f)
		return -1;
	while (!found && fgets(line, sizeof(line), f))
		found = take_kib(line, key, &value);
	fclose(f);
	return found ? value : -1;
}

static int read_smaps(const struct memory *mem, struct smaps *out)
{
	bool inside = false, found = false;
	char line[512];
	FILE *f;

	memset(out, 0, sizeof(*out));
	f = fopen("/proc/self/smaps", "re");
	if (!f)
		return failed_errno("cannot read /proc/self/smaps");
	while (fgets(line, sizeof(line), f)) {
		char *end;
		unsigned long first = strtoul(line, &end, 16);

		/* A line "first-end perms ..." opens the next VMA. */
		if (end != line && *end == '-') {
			inside = first == (unsigned long)mem->va;
			found |= inside;
			continue;
		}
		if (!inside)
			continue;
		if (take_kib(line, "Rss", &out->rss) ||
		    take_kib(line, "KernelPageSize", &out->page_size) ||
		    take_kib(line, "AnonHugePages", &out->anon_huge) ||
		    take_kib(line, "Private_Hugetlb", &out->hugetlb))
			continue;
	}
	fclose(f);
	if (!found)
		return failed("smaps does not list the memory at %p", (void *)mem->va);
	return 0;
}

int memory_prove_kind(const struct memory *mem)
{
	long kib = mem->size / KIB;
	struct smaps smaps;
	bool right = false;
	char words[128];

	if (read_smaps(mem, &smaps))
		return -1;
	snprintf(words, sizeof(words),
		 "smaps: %ld KiB THP, %ld KiB hugetlb, pages of %ld KiB",
		 smaps.anon_huge, smaps.hugetlb, smaps.page_size);
	switch (mem->kind) {
	case MEMORY_4K:
		right = smaps.rss == kib && smaps.page_size == 4 &&
			smaps.anon_huge == 0;
		break;
	case MEMORY_THP:
		right = smaps.rss == kib && smaps.anon_huge == kib;
		break;
	case MEMORY_HUGETLB:
		right = smaps.hugetlb == kib &&
			smaps.page_size == (long)(HUGE_PAGE / KIB);
		break;
	case MEMORY_KINDS:
		break;
	}
	if (!right)
		return failed("%ld KiB are not %s: %s", kib,
			      memory_name(mem->kind), words);
	proved("%ld KiB really are %s (%s)", kib, memory_name(mem->kind), words);
	return 0;
}

static int advise(struct memory *mem)
{
	int advice = mem->kind == MEMORY_THP ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;

	if (mem->kind == MEMORY_HUGETLB)
		return 0;
	/* A kernel without THP refuses both; all it has is 4 KiB pages then. */
	if (madvise(mem->va, mem->size, advice) &&
	    !(mem->kind == MEMORY_4K && errno == EINVAL))
		return failed_errno("the kernel refuses madvise() for %s",
				    memory_name(mem->kind));
	return 0;
}

int memory_alloc(struct memory *mem, enum memory_kind kind, size_t size)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	unsigned char *hole;

	memset(mem, 0, sizeof(*mem));
	mem->kind = kind;
	mem->size = size;
	hole = mmap(NULL, size + 2 * HUGE_PAGE, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (hole == MAP_FAILED)
		return failed_errno("no address space for %zu bytes", size);
	mem->va = (unsigned char *)(((unsigned long)hole + HUGE_PAGE) &
				    ~(HUGE_PAGE - 1));

	if (kind == MEMORY_HUGETLB)
		flags |= MAP_HUGETLB | 21 << MAP_HUGE_SHIFT;
	if (mmap(mem->va, size, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED)
		return failed_errno("no memory for %zu bytes of %s%s", size,
				    memory_name(kind),
				    kind == MEMORY_HUGETLB ?
				    " (reserve some in /proc/sys/vm/nr_hugepages)" : "");
	if (advise(mem))
		return -1;
	memset(mem->va, 0, size);
	/* If no huge page was free at the fault, ask once more. */
	if (kind == MEMORY_THP)
		madvise(mem->va, size, MADV_COLLAPSE);
	return 0;
}

void memory_free(struct memory *mem)
{
	if (mem->va)
		munmap(mem->va, mem->size);
	mem->va = NULL;
}

static unsigned char pattern_byte(size_t i, unsigned int seed)
{
	unsigned int x = (unsigned int)i * 2654435761u ^ seed * 40503u;

	return x >> 24 ^ x >> 13 ^ x;
}

void pattern_fill(unsigned char *at, size_t len, unsigned int seed)
{
	size_t i;

	aside_begin();
	for (i = 0; i < len; i++)
		at[i] = pattern_byte(i, seed);
	aside_end();
}

int pattern_check(const unsigned char *at, size_t len, unsigned int seed,
		  const char *what)
{
	size_t i = 0;

	aside_begin();
	while (i < len && at[i] == pattern_byte(i, seed))
		i++;
	aside_end();
	if (i < len)
		return failed("%s: byte %zu of %zu is 0x%02x instead of 0x%02x",
			      what, i, len, at[i], pattern_byte(i, seed));
	return 0;
}
