// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scenario. Each step proves something and says so; a step that does not
 * hold ends the demo, since the later ones build on it.
 *
 * All memory is mapped at fixed I/O addresses below 256 MiB, which is what the
 * edu device can address, except the queues of the disk, for which the kernel
 * chooses.
 */
#include <errno.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "accounting.h"
#include "iommu.h"
#include "report.h"
#include "steps.h"

#define MEMORY_SIZE	(4 * MIB)
#define SPARE_SIZE	(2 * MIB)
/* What the second address space gets: three kinds of memory, and the queues. */
#define COPIED		(MEMORY_KINDS * MEMORY_SIZE + SPARE_SIZE)

#define IOVA_4K		0x01000000ull
#define IOVA_THP	0x02000000ull
#define IOVA_HUGETLB	0x04000000ull
#define IOVA_SPARE	0x06000000ull
#define IOVA_READONLY	0x07000000ull
/* From 0x08000000 on an Arm machine has its window for interrupts. */
#define IOVA_RESERVED	0x08000000ull
#define IOVA_FIRST_ONLY	0x09000000ull
#define IOVA_NOTHING	0x0a000000ull
#define IOVA_PEER	0x0c000000ull

/* What a DMA that is to be refused would carry. */
#define PROBE_LEN	256u

/* The pattern in memory the device must not read. */
#define SECRET		0x5ecu

#define BOTH		(DEVICE_READS | DEVICE_WRITES)

/* How long a mapping of a device's memory may take to come back. */
#define COME_BACK_NS	1000000000ull

#define hex(x)		((unsigned long long)(x))

static const struct vfio_match peer_match = {
	.name = "ivshmem",
	.vendor = 0x1af4,
	.device = 0x1110,
};

static const __u64 memory_iova[MEMORY_KINDS] = {
	[MEMORY_4K] = IOVA_4K,
	[MEMORY_THP] = IOVA_THP,
	[MEMORY_HUGETLB] = IOVA_HUGETLB,
};

/* ---- what several steps need ---- */

/* KiB this process has pinned since the demo began. */
static long pinned_kib(const struct demo *d)
{
	return memory_status_kib("VmPin") - d->pinned_before;
}

static int expect_pinned(const struct demo *d, long kib)
{
	long now = pinned_kib(d);

	if (now != kib)
		return failed("the process has %ld KiB pinned (VmPin), expected %ld",
			      now, kib);
	return 0;
}

static unsigned long long digest_one(unsigned long long sum,
				     const struct memory *mem)
{
	const unsigned long long *word = (const void *)mem->va;
	size_t i;

	for (i = 0; i < mem->size / sizeof(*word); i++)
		sum = (sum ^ word[i]) * 0x100000001b3ull + (sum >> 47);
	return sum;
}

/* A sum over all memory any device could ever reach. */
static unsigned long long digest(const struct demo *d)
{
	unsigned long long sum = 0xcbf29ce484222325ull;
	int kind;

	aside_begin();
	for (kind = 0; kind < MEMORY_KINDS; kind++)
		sum = digest_one(sum, &d->mem[kind]);
	sum = digest_one(sum, &d->spare);
	aside_end();
	return sum;
}

/* Put a pattern into the buffer of the edu device, by DMA from @mem. */
static int load_edu(struct demo *d, struct memory *mem, unsigned int seed)
{
	pattern_fill(mem->va, PROBE_LEN, seed);
	return edu_fetch(&d->edu, mem->iova, PROBE_LEN);
}

/*
 * Let edu carry 4 KiB through its buffer, from across a (huge) page border to
 * an odd place elsewhere. The source is wiped before the data comes back, so
 * what arrives has been in the device; the bytes around the target must stay.
 */
static int edu_round_trip(struct demo *d, struct memory *mem, unsigned int seed)
{
	const size_t source = HUGE_PAGE - 1024, target = 3 * MIB + 512;
	const size_t len = 2 * EDU_MAX_TRANSFER, guard = 256;
	size_t at;

	pattern_fill(mem->va + target - guard, guard, seed + 1);
	pattern_fill(mem->va + target + len, guard, seed + 2);
	memset(mem->va + target, 0, len);
	pattern_fill(mem->va + source, len, seed);

	for (at = 0; at < len; at += EDU_MAX_TRANSFER) {
		if (edu_fetch(&d->edu, mem->iova + source + at, EDU_MAX_TRANSFER))
			return -1;
		memset(mem->va + source + at, 0, EDU_MAX_TRANSFER);
		if (edu_store(&d->edu, mem->iova + target + at, EDU_MAX_TRANSFER))
			return -1;
	}
	if (pattern_check(mem->va + target, len, seed, "the copy") ||
	    pattern_check(mem->va + target - guard, guard, seed + 1,
			  "before the copy") ||
	    pattern_check(mem->va + target + len, guard, seed + 2,
			  "behind the copy"))
		return -1;
	return 0;
}

/*
 * Do a DMA that must be refused until the kernel log has a report of it. Once
 * is enough, unless the report was dropped because of the ones before it.
 */
static int refused_dma(struct demo *d, __u64 iova,
		       int (*dma)(struct edu *edu, __u64 iova, __u32 len))
{
	int tries, ret;

	for (tries = 0; tries < 5; tries++) {
		if (fault_log_skip(&d->log) || dma(&d->edu, iova, PROBE_LEN))
			return -1;
		ret = fault_log_await(&d->log, d->edu.dev.bdf, iova);
		if (ret)
			return ret < 0 ? -1 : 0;
		note("the kernel reports only a few faults in five seconds; once more");
	}
	return failed("the kernel log has no fault report of %s at 0x%llx",
		      d->edu.dev.bdf, hex(iova));
}

/* A DMA write of edu to @iova must be refused, reported, and change nothing. */
static int store_must_fail(struct demo *d, __u64 iova, const char *where)
{
	unsigned long long before;

	if (load_edu(d, &d->mem[MEMORY_4K], 0xbad))
		return -1;
	before = digest(d);
	if (refused_dma(d, iova, edu_store))
		return -1;
	if (digest(d) != before)
		return failed("memory changed by a DMA write to %s", where);
	proved("a DMA write to %s, 0x%llx, is refused: not a byte of memory changed",
	       where, hex(iova));
	return 0;
}

/*
 * A DMA read of edu from @iova must be refused and reported. What the device
 * has in its buffer afterwards is brought back and must have nothing of the
 * secret in the memory that is not mapped.
 */
static int fetch_must_fail(struct demo *d, __u64 iova, const char *where)
{
	struct memory *mem = &d->mem[MEMORY_4K];
	unsigned char expected[PROBE_LEN];
	size_t i, same = 0;

	if (load_edu(d, mem, 0xf00) || refused_dma(d, iova, edu_fetch) ||
	    edu_store(&d->edu, mem->iova, PROBE_LEN))
		return -1;
	pattern_fill(expected, PROBE_LEN, SECRET);
	for (i = 0; i + 8 <= PROBE_LEN; i += 8)
		same += !memcmp(mem->va + i, expected + i, 8);
	if (same)
		return failed("the device got %zu bytes of %s", same * 8, where);
	proved("a DMA read from %s, 0x%llx, is refused: the device got nothing of it",
	       where, hex(iova));
	return 0;
}

/*
 * Sector n of the disk image begins with a line that has n in it; byte i of the
 * rest is (n * 31 + i * 7 + n / 256) modulo 256.
 */
static int compare_sector(const unsigned char *data, __u64 n)
{
	unsigned char expected[512];
	int header, i;

	header = snprintf((char *)expected, sizeof(expected),
			  "iommufd demo sector %08llu\n", (unsigned long long)n);
	for (i = header; i < 512; i++)
		expected[i] = n * 31 + i * 7 + (n >> 8);
	if (memcmp(data, expected, sizeof(expected)))
		return failed("sector %llu is not what the image has there: it begins \"%.28s\"",
			      (unsigned long long)n, (const char *)data);
	return 0;
}

static int compare_sectors(const unsigned char *data, __u64 first, __u64 count)
{
	__u64 n;
	int ret = 0;

	aside_begin();
	for (n = 0; n < count && !ret; n++)
		ret = compare_sector(data + n * 512, first + n);
	aside_end();
	return ret;
}

/* Read @count sectors into @mem, 64 KiB into it, and compare them. */
static int read_sectors(struct demo *d, struct memory *mem, __u64 first,
			__u32 count)
{
	const size_t at = 64 * KIB;
	__u32 per_sector = d->nvme.sector_size / 512;
	size_t len = (size_t)count * d->nvme.sector_size;
	size_t i;

	memset(mem->va + at, 0xa5, len + 512);
	if (nvme_read(&d->nvme, first, count, mem->iova + at))
		return -1;
	if (compare_sectors(mem->va + at, first * per_sector,
			    (__u64)count * per_sector))
		return -1;
	for (i = 0; i < 512; i++)
		if (mem->va[at + len + i] != 0xa5)
			return failed("the disk wrote behind the %u sectors asked for",
				      count);
	return 0;
}

/* ---- the steps ---- */

static int step_find(struct demo *d)
{
	if (fault_log_open(&d->log) ||
	    vfio_find(&edu_match, &d->edu.dev) ||
	    vfio_find(&nvme_match, &d->nvme.dev))
		return -1;
	d->iommufd = iommu_open();
	if (d->iommufd < 0)
		return failed_errno("cannot open /dev/iommu");
	if (iommu_ioas_alloc(d->iommufd, &d->ioas))
		return failed_errno("no I/O address space (IOMMU_IOAS_ALLOC)");
	proved("/dev/iommu is there and gave an I/O address space, id %u", d->ioas);
	return 0;
}

static int attach(struct demo *d, struct vfio_device *dev)
{
	__u32 pt_id = d->ioas;
	__u32 type;

	if (vfio_open(dev, d->iommufd))
		return -1;
	if (iommu_hw_type(d->iommufd, dev->dev_id, &type))
		return failed_errno("%s: no IOMMU information (IOMMU_GET_HW_INFO)",
				    dev->bdf);
	if (vfio_attach(dev, &pt_id))
		return failed_errno("%s does not fit into the address space",
				    dev->bdf);
	proved("%s is bound (id %u), sits behind %s, and is attached by page table %u",
	       dev->bdf, dev->dev_id, iommu_hw_name(type), pt_id);
	return 0;
}

static bool usable(const struct iova_range *ranges, __u32 count, __u64 first,
		   __u64 end)
{
	while (count--)
		if (ranges[count].first <= first && ranges[count].last >= end - 1)
			return true;
	return false;
}

static int show_ranges(struct demo *d)
{
	struct iova_range ranges[16];
	__u64 alignment;
	__u32 count, i;

	if (iommu_iova_ranges(d->iommufd, d->ioas, ranges, 16, &count, &alignment))
		return failed_errno("no IOVA ranges (IOMMU_IOAS_IOVA_RANGES)");
	for (i = 0; i < count; i++)
		note("I/O addresses 0x%llx to 0x%llx can be used",
		     hex(ranges[i].first), hex(ranges[i].last));
	if (!usable(ranges, count, IOVA_4K, IOVA_RESERVED) ||
	    !usable(ranges, count, IOVA_FIRST_ONLY, EDU_IOVA_END))
		return failed("the addresses the demo has for edu are not all usable");
	proved("the %u usable ranges leave out what the IOMMU or the platform reserves",
	       count);
	return 0;
}

static int step_attach(struct demo *d)
{
	if (attach(d, &d->edu.dev) || edu_probe(&d->edu))
		return -1;
	proved("edu answers through its registers, version %u.%u",
	       d->edu.revision >> 8, d->edu.revision & 0xff);
	if (attach(d, &d->nvme.dev))
		return -1;
	if (vfio_bus_master(&d->edu.dev, true) ||
	    vfio_bus_master(&d->nvme.dev, true))
		return -1;
	return show_ranges(d);
}

static int map_at(struct demo *d, struct memory *mem, __u64 iova, int rights)
{
	if (iommu_map_at(d->iommufd, d->ioas, mem->va, mem->size, iova, rights))
		return failed_errno("cannot map %zu KiB of %s at 0x%llx",
				    mem->size / KIB, memory_name(mem->kind),
				    hex(iova));
	mem->iova = iova;
	return 0;
}

static int step_memory(struct demo *d)
{
	int kind;

	for (kind = 0; kind < MEMORY_KINDS; kind++)
		if (memory_alloc(&d->mem[kind], kind, MEMORY_SIZE) ||
		    memory_prove_kind(&d->mem[kind]))
			return -1;
	if (memory_alloc(&d->queues, MEMORY_4K, SPARE_SIZE) ||
	    memory_alloc(&d->spare, MEMORY_4K, SPARE_SIZE))
		return -1;
	d->pinned_before = memory_status_kib("VmPin");
	if (d->pinned_before < 0)
		return failed("/proc/self/status has no VmPin");
	return 0;
}

static int map_kind(struct demo *d, enum memory_kind kind)
{
	struct memory *mem = &d->mem[kind];
	long before, after;

	aside_begin();
	before = pinned_kib(d);
	aside_end();
	if (map_at(d, mem, memory_iova[kind], BOTH))
		return -1;
	aside_begin();
	after = pinned_kib(d);
	aside_end();
	if (after - before != (long)(mem->size / KIB))
		return failed("the process has %ld KiB more pinned (VmPin), expected %zu",
			      after - before, mem->size / KIB);
	proved("%zu KiB of %s are mapped at 0x%llx and pinned",
	       mem->size / KIB, memory_name(kind), hex(mem->iova));
	return 0;
}

static int step_map_4k(struct demo *d)
{
	return map_kind(d, MEMORY_4K);
}

static int step_map_thp(struct demo *d)
{
	return map_kind(d, MEMORY_THP);
}

static int step_map_hugetlb(struct demo *d)
{
	return map_kind(d, MEMORY_HUGETLB);
}

static int step_map_rest(struct demo *d)
{
	if (iommu_map(d->iommufd, d->ioas, d->queues.va, d->queues.size,
		      &d->queues.iova, BOTH))
		return failed_errno("cannot map memory where the kernel likes");
	proved("mapped 2 MiB for the disk's queues where the kernel chose: 0x%llx",
	       hex(d->queues.iova));

	if (!iommu_map_at(d->iommufd, d->ioas, d->spare.va, d->spare.size,
			  IOVA_THP, BOTH) || errno != EEXIST)
		return failed("a second mapping at 0x%llx was not refused", IOVA_THP);
	if (expect_pinned(d, COPIED / KIB))
		return -1;
	proved("an I/O address that is taken cannot be mapped again (EEXIST)");
	return 0;
}

static int step_edu(struct demo *d)
{
	int kind;

	if (fault_log_skip(&d->log))
		return -1;
	for (kind = 0; kind < MEMORY_KINDS; kind++) {
		if (edu_round_trip(d, &d->mem[kind], 100 + kind))
			return -1;
		proved("%s: edu read 4 KiB and wrote them elsewhere; the copy is equal",
		       memory_name(kind));
	}
	return fault_log_expect_none(&d->log);
}

/* One page, two pages (two PRPs), sixteen pages (a PRP list), the end. */
static int read_variety(struct demo *d)
{
	__u32 per_page = NVME_PAGE / d->nvme.sector_size;
	struct {
		__u64 first;
		__u32 count;
	} reads[] = {
		{ 0, 1 },
		{ 1, per_page },
		{ d->nvme.sectors / 3, 2 * per_page },
		{ d->nvme.sectors / 2 + 1, 16 * per_page },
		{ d->nvme.sectors - 1, 1 },
	};
	unsigned int i;
	int kind;

	if (d->nvme.sectors < 64 * per_page)
		return failed("the disk is too small");
	for (kind = 0; kind < MEMORY_KINDS; kind++) {
		__u64 total = 0;

		for (i = 0; i < ARRAY_SIZE(reads); i++) {
			if (read_sectors(d, &d->mem[kind], reads[i].first,
					 reads[i].count))
				return -1;
			total += reads[i].count;
		}
		proved("%s: %llu sectors read into them hold what the image has",
		       memory_name(kind), (unsigned long long)total);
	}
	return 0;
}

static int step_nvme(struct demo *d)
{
	struct nvme *nvme = &d->nvme;

	if (fault_log_skip(&d->log) ||
	    nvme_start(nvme, d->queues.va, d->queues.iova))
		return -1;
	proved("the disk says it is \"%s\", serial \"%s\", %llu sectors of %u bytes",
	       nvme->model, nvme->serial, (unsigned long long)nvme->sectors,
	       nvme->sector_size);
	if (read_variety(d))
		return -1;
	return fault_log_expect_none(&d->log);
}

static int step_never_mapped(struct demo *d)
{
	if (store_must_fail(d, IOVA_NOTHING, "an address never mapped"))
		return -1;
	pattern_fill(d->spare.va, PROBE_LEN, SECRET);
	return fetch_must_fail(d, IOVA_NOTHING, "an address never mapped");
}

static int unmap(struct demo *d, __u64 iova, __u64 len)
{
	__u64 unmapped;

	if (iommu_unmap(d->iommufd, d->ioas, iova, len, &unmapped))
		return failed_errno("IOAS_UNMAP of 0x%llx fails", hex(iova));
	if (unmapped != len)
		return failed("IOAS_UNMAP of %llu bytes at 0x%llx took away %llu",
			      hex(len), hex(iova), hex(unmapped));
	return 0;
}

static int step_unmapped(struct demo *d)
{
	struct memory *spare = &d->spare;

	/* First let it work, so that the IOMMU has the translation cached. */
	if (map_at(d, spare, IOVA_SPARE, BOTH) ||
	    load_edu(d, &d->mem[MEMORY_THP], 0x111) ||
	    edu_store(&d->edu, IOVA_SPARE, PROBE_LEN) ||
	    pattern_check(spare->va, PROBE_LEN, 0x111, "memory mapped for a moment"))
		return -1;
	proved("while it is mapped, DMA to 0x%llx works", IOVA_SPARE);

	pattern_fill(spare->va, PROBE_LEN, SECRET);
	if (unmap(d, IOVA_SPARE, spare->size) ||
	    store_must_fail(d, IOVA_SPARE, "an address just unmapped") ||
	    fetch_must_fail(d, IOVA_SPARE, "an address just unmapped"))
		return -1;

	if (map_at(d, spare, IOVA_READONLY, DEVICE_READS) ||
	    store_must_fail(d, IOVA_READONLY, "memory mapped for reading only") ||
	    edu_fetch(&d->edu, IOVA_READONLY, PROBE_LEN) ||
	    edu_store(&d->edu, d->mem[MEMORY_THP].iova, PROBE_LEN) ||
	    pattern_check(d->mem[MEMORY_THP].va, PROBE_LEN, SECRET,
			  "memory mapped for reading only, read by edu"))
		return -1;
	proved("and the device can read that memory");
	return unmap(d, IOVA_READONLY, spare->size);
}

/* Does the memory of the other device begin with this pattern? */
static bool peer_has(const struct vfio_region *bar, unsigned int seed)
{
	unsigned char expected[PROBE_LEN];

	pattern_fill(expected, PROBE_LEN, seed);
	return !memcmp(bar->mem, expected, PROBE_LEN);
}

/* edu writes there again as soon as it can: within a second. */
static int peer_comes_back(struct demo *d, const struct vfio_region *bar)
{
	unsigned long long begin = now_ns(), took;

	if (load_edu(d, &d->mem[MEMORY_4K], 0x203))
		return -1;
	do {
		if (edu_store(&d->edu, IOVA_PEER, PROBE_LEN))
			return -1;
		took = now_ns() - begin;
	} while (!peer_has(bar, 0x203) && took < COME_BACK_NS);
	if (!peer_has(bar, 0x203))
		return failed("edu cannot write there again after %llu ms",
			      took / 1000000);
	proved("%s is on again: edu writes there again, and nobody mapped it anew",
	       d->peer.bdf);
	return 0;
}

static int peer_dma(struct demo *d, const struct vfio_region *bar)
{
	long before = pinned_kib(d);

	if (iommu_map_at(d->iommufd, d->ioas, bar->mem, bar->size, IOVA_PEER,
			 BOTH))
		return failed_errno("cannot map the memory of %s by its address",
				    d->peer.bdf);
	if (expect_pinned(d, before))
		return -1;
	proved("%llu KiB of memory inside of %s are mapped at 0x%llx; nothing is pinned for it",
	       hex(bar->size / KIB), d->peer.bdf, IOVA_PEER);

	memset(bar->mem, 0, PROBE_LEN);
	if (load_edu(d, &d->mem[MEMORY_4K], 0x201) ||
	    edu_store(&d->edu, IOVA_PEER, PROBE_LEN))
		return -1;
	if (!peer_has(bar, 0x201))
		return failed("what edu wrote did not arrive in %s", d->peer.bdf);
	proved("edu wrote into it by DMA: the bytes went from device to device");

	/* Switched off, its addresses belong to nobody. */
	if (load_edu(d, &d->mem[MEMORY_4K], 0x202) ||
	    vfio_memory(&d->peer, false) ||
	    refused_dma(d, IOVA_PEER, edu_store) ||
	    vfio_memory(&d->peer, true))
		return -1;
	if (!peer_has(bar, 0x201))
		return failed("the memory of %s changed while it was switched off",
			      d->peer.bdf);
	proved("%s switched its memory off: edu's DMA is refused, not a byte of it changed",
	       d->peer.bdf);
	if (peer_comes_back(d, bar))
		return -1;
	return unmap(d, IOVA_PEER, bar->size);
}

static int step_peer(struct demo *d)
{
	struct vfio_region bar;
	int ret;

	if (vfio_find(&peer_match, &d->peer) ||
	    vfio_open(&d->peer, d->iommufd) || vfio_memory(&d->peer, true) ||
	    vfio_region_open(&d->peer, VFIO_PCI_BAR2_REGION_INDEX, &bar))
		return -1;
	if (!bar.mem)
		return failed("%s: BAR 2 cannot be mapped into this process",
			      d->peer.bdf);
	ret = peer_dma(d, &bar);
	munmap(bar.mem, bar.size);
	vfio_close(&d->peer);
	return ret;
}

static int copy_all(struct demo *d)
{
	struct memory *all[] = {
		&d->mem[MEMORY_4K], &d->mem[MEMORY_THP],
		&d->mem[MEMORY_HUGETLB], &d->queues,
	};
	long before = pinned_kib(d);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		if (iommu_copy(d->iommufd, d->second_ioas, d->ioas, all[i]->iova,
			       all[i]->size, BOTH))
			return failed_errno("cannot copy the mapping at 0x%llx",
					    hex(all[i]->iova));
	proved("IOAS_COPY put the four mappings into a second address space, id %u",
	       d->second_ioas);
	return expect_pinned(d, before);
}

static int replace(struct demo *d, struct vfio_device *dev)
{
	__u32 pt_id = d->second_ioas;

	if (vfio_attach(dev, &pt_id))
		return failed_errno("cannot move %s to the second address space",
				    dev->bdf);
	proved("%s was moved to it without a moment detached, page table %u",
	       dev->bdf, pt_id);
	return 0;
}

/* The first address space loses its mappings; the copies must not care. */
static int drop_first(struct demo *d)
{
	__u64 unmapped;

	if (iommu_unmap(d->iommufd, d->ioas, 0, ~0ull, &unmapped))
		return failed_errno("cannot unmap all of the first address space");
	if (unmapped != COPIED + SPARE_SIZE)
		return failed("unmapping all took away %llu KiB, expected %lu",
			      hex(unmapped / KIB), (COPIED + SPARE_SIZE) / KIB);
	if (iommu_destroy(d->iommufd, d->ioas))
		return failed_errno("cannot destroy the first address space");
	if (expect_pinned(d, COPIED / KIB))
		return -1;
	proved("the first address space is gone; the %lu KiB that were copied stay pinned, once",
	       COPIED / KIB);
	return 0;
}

static int step_replace(struct demo *d)
{
	int kind;

	if (iommu_ioas_alloc(d->iommufd, &d->second_ioas))
		return failed_errno("no second address space");
	if (copy_all(d))
		return -1;

	/* Something only the first one has, in working order. */
	if (map_at(d, &d->spare, IOVA_FIRST_ONLY, BOTH) ||
	    load_edu(d, &d->mem[MEMORY_HUGETLB], 0x222) ||
	    edu_store(&d->edu, IOVA_FIRST_ONLY, PROBE_LEN) ||
	    pattern_check(d->spare.va, PROBE_LEN, 0x222,
			  "memory of the first address space only"))
		return -1;

	/* Without a device the first one needs no memory, only the copies do. */
	if (replace(d, &d->edu.dev) || replace(d, &d->nvme.dev) ||
	    expect_pinned(d, COPIED / KIB))
		return -1;
	if (!iommu_destroy(d->iommufd, d->second_ioas) || errno != EBUSY)
		return failed("an address space in use could be destroyed");
	proved("an address space in use cannot be destroyed (EBUSY)");

	for (kind = 0; kind < MEMORY_KINDS; kind++)
		if (edu_round_trip(d, &d->mem[kind], 200 + kind))
			return -1;
	proved("edu copies all three kinds of memory in the second address space");
	if (read_variety(d) ||
	    store_must_fail(d, IOVA_FIRST_ONLY,
			    "an address mapped in the first address space only"))
		return -1;

	if (drop_first(d) || edu_round_trip(d, &d->mem[MEMORY_THP], 300))
		return -1;
	proved("and edu still copies through the second one");
	return 0;
}

static int step_end_all(struct demo *d)
{
	int kind;

	if (nvme_stop(&d->nvme))
		return -1;
	proved("the disk shut down in order");
	if (vfio_bus_master(&d->edu.dev, false) ||
	    vfio_bus_master(&d->nvme.dev, false))
		return -1;
	if (vfio_detach(&d->edu.dev) || vfio_detach(&d->nvme.dev))
		return failed_errno("cannot detach a device");
	if (iommu_destroy(d->iommufd, d->second_ioas))
		return failed_errno("cannot destroy the second address space");
	if (expect_pinned(d, 0))
		return -1;
	proved("devices detached, address space destroyed: nothing is pinned any more");

	vfio_close(&d->edu.dev);
	vfio_close(&d->nvme.dev);
	close(d->iommufd);
	fault_log_close(&d->log);
	for (kind = 0; kind < MEMORY_KINDS; kind++)
		memory_free(&d->mem[kind]);
	memory_free(&d->spare);
	memory_free(&d->queues);
	return 0;
}

static int step_accounting(struct demo *d)
{
	return accounting_show(&d->edu.dev, &d->nvme.dev);
}

const struct demo_step demo_steps[] = {
	{ "find the devices, open /dev/iommu", step_find },
	{ "bind the devices, attach them", step_attach },
	{ "make memory of three kinds", step_memory },
	{ "map 4 MiB of 4 KiB pages", step_map_4k },
	{ "map 4 MiB of transparent huge pages", step_map_thp },
	{ "map 4 MiB of hugetlb pages", step_map_hugetlb },
	{ "map where the kernel likes, and twice", step_map_rest },
	{ "edu copies memory by DMA", step_edu },
	{ "our own NVMe driver reads a disk", step_nvme },
	{ "DMA to an address never mapped", step_never_mapped },
	{ "DMA to an address just unmapped", step_unmapped },
	{ "edu writes into another device's memory", step_peer },
	{ "copy mappings, replace the address space", step_replace },
	{ "detach and take down", step_end_all },
	{ "two programs of one user, each with a limit", step_accounting },
};

const unsigned int demo_step_count = ARRAY_SIZE(demo_steps);
