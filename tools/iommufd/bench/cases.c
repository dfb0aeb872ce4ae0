// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is measured. A case leaves the address space as empty as it found it.
 *
 * Only the system call lies between two readings of the clock. Where one call
 * is measured, the figure is the least of several trials, since all that can
 * disturb adds; of a long row of calls it is the mean.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "measure.h"

/* Places that meet neither the MSI window nor each other. */
#define IOVA_BIG	(1024 * GIB)
#define IOVA_MEMORY	(1536 * GIB)
#define IOVA_COPY	(2048 * GIB)
#define IOVA_THREADS	(3072 * GIB)

struct size {
	const char *name;
	size_t bytes;
	unsigned int trials;
};

static const struct size sizes[] = {
	{ "4K", 4 * KIB, 64 },
	{ "64K", 64 * KIB, 64 },
	{ "2M", 2 * MIB, 24 },
	{ "64M", 64 * MIB, 3 },
	{ "1G", GIB, 1 },
};

static void must(int error, const char *what)
{
	errno = error;
	if (error)
		die("%s", what);
}

static __u64 must_map(struct space *s, void *va, size_t length,
		      __u64 iova)
{
	__u64 begin = now();
	int error = s->ops->map(s, va, length, iova);
	__u64 took = now() - begin;

	must(error, "map");
	return took;
}

static __u64 must_unmap(struct space *s, __u64 iova, size_t length)
{
	__u64 begin = now();
	int error = s->ops->unmap(s, iova, length);
	__u64 took = now() - begin;

	must(error, "unmap");
	return took;
}

static __u64 must_unmap_all(struct space *s)
{
	__u64 begin = cpu_time();
	int error = s->ops->unmap_all(s);
	__u64 took = cpu_time() - begin;

	must(error, "unmap all");
	return took;
}

/*
 * Map pieces of one size side by side, then unmap them: three times, the first
 * makes the tables. Several at a time, since a lone object that is allocated and
 * freed over and over may sit at the edge of a slab, where each of these calls
 * takes the slow path.
 */
static int measure_size(struct space *s, struct memory *mem,
			const struct size *size, __u64 iova, bool by_file,
			struct sample *map, struct sample *unmap)
{
	unsigned int together = s->ops->one_at_a_time ? 1 : size->trials;
	unsigned int first, t, pass;

	for (pass = 0; pass < 3 * size->trials / together; pass++) {
		/* Without several at a time, still all the memory in turn. */
		first = pass * together % size->trials;
		for (t = first; t < first + together; t++) {
			size_t at = t * size->bytes % mem->length;
			__u64 to = iova + t * size->bytes, begin = now();
			int error;

			if (by_file)
				error = s->ops->map_file(s, mem->fd, at,
							 size->bytes, to);
			else
				error = s->ops->map(s, mem->at + at,
						    size->bytes, to);
			begin = now() - begin;
			if (by_file && (error == EOPNOTSUPP || error == ENOTTY))
				return error;
			must(error, "map");
			sample_add(map, begin);
		}
		for (t = first; t < first + together; t++)
			sample_add(unmap, must_unmap(s, iova + t * size->bytes,
						     size->bytes));
	}
	return 0;
}

static void measure_sizes(struct space *s, struct memory *mem, bool by_file)
{
	const char *name = mem->backing->name, *how = by_file ? "-file" : "";
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		__u64 iova = IOVA_BIG + (i + (by_file ? 8 : 0)) * 4 * GIB;
		const struct size *size = &sizes[i];
		struct sample map = {}, unmap = {};

		if (size->bytes > mem->length)
			break;
		progress("%s: map and unmap %s%s, %s", s->ops->name, size->name,
			 by_file ? " by file" : "", mem->backing->text);
		if (measure_size(s, mem, size, iova, by_file, &map, &unmap)) {
			not_available("no MAP_FILE", "map%s/%s/%s", how, name,
				      size->name);
			not_available("no MAP_FILE", "unmap%s/%s/%s", how, name,
				      size->name);
			continue;
		}
		result(map.least, "map%s/%s/%s", how, name, size->name);
		result(unmap.least, "unmap%s/%s/%s", how, name, size->name);
	}
}

void case_sizes(struct space *s, struct memory *mem)
{
	measure_sizes(s, mem, false);
}

void case_files(struct space *s, struct memory *mem)
{
	measure_sizes(s, mem, true);
}

/* Kernel memory that a gigabyte keeps while it is mapped. */
void case_kernel_memory(struct space *s, struct memory *mem)
{
	struct kernel_memory used;
	/* Where no table is left of what was mapped before. */
	__u64 iova = IOVA_MEMORY + (mem->backing - backings) * 4 * GIB;

	progress("%s: kernel memory per GiB, %s", s->ops->name,
		 mem->backing->text);
	used = kernel_memory();
	must_map(s, mem->at, mem->length, iova);
	used = kernel_memory_since(used);
	must_unmap(s, iova, mem->length);
	result_of("bytes", (double)used.tables / mem->length * GIB,
		  "memory-tables/%s/1G", mem->backing->name);
	result_of("bytes", (double)used.other / mem->length * GIB,
		  "memory-other/%s/1G", mem->backing->name);
}

/* A second page table on an address space that has a gigabyte in one. */
void case_second_table(struct iommufd *io, struct memory *mem)
{
	struct space *s = &io->space;
	struct sample make = {}, destroy = {};
	unsigned int t;

	progress("iommufd: second page table, %s", mem->backing->text);
	must_map(s, mem->at, mem->length, IOVA_BIG);
	for (t = 0; t < 3; t++) {
		__u64 begin = now();
		__u32 id;
		int error;

		error = iommufd_hwpt_alloc(io, s->ioas_id, &id);
		begin = now() - begin;
		must(error, "second page table");
		sample_add(&make, begin);

		begin = now();
		error = iommufd_destroy(io, id);
		begin = now() - begin;
		must(error, "destroy the second page table");
		sample_add(&destroy, begin);
	}
	must_unmap(s, IOVA_BIG, mem->length);
	result(make.least, "second-table/%s/1G", mem->backing->name);
	result(destroy.least, "second-table-destroy/%s/1G", mem->backing->name);
}

/* IOAS_COPY into an address space that has a page table and a mapping. */
void case_copy(struct iommufd *io, struct memory *mem)
{
	struct space *s = &io->space, second;
	struct sample copy = {}, unmap = {};
	__u32 hwpt_id;
	unsigned int t;

	progress("iommufd: copy, %s", mem->backing->text);
	iommufd_second(io, &second, &hwpt_id);
	must_map(s, mem->at, mem->length, IOVA_BIG);
	must_map(&second, mem->at, 2 * MIB, IOVA_BIG);
	for (t = 0; t < 3; t++) {
		__u64 begin = now();
		int error = iommufd_copy(s, &second, mem->length, IOVA_BIG,
					 IOVA_COPY);

		begin = now() - begin;
		must(error, "copy");
		sample_add(&copy, begin);
		sample_add(&unmap, must_unmap(&second, IOVA_COPY, mem->length));
	}
	must_unmap(s, IOVA_BIG, mem->length);
	must(iommufd_destroy(io, hwpt_id), "destroy a page table");
	must(iommufd_destroy(io, second.ioas_id), "destroy an address space");
	result(copy.least, "copy/%s/1G", mem->backing->name);
	result(unmap.least, "copy-unmap/%s/1G", mem->backing->name);
}

/* An in-kernel user pins what a page table holds already. */
void case_access(struct iommufd *io, struct memory *mem)
{
	struct sample pin = {}, unpin = {};
	const char *name = mem->backing->name;
	unsigned int t;

	progress("iommufd: in-kernel user, %s", mem->backing->text);
	must_map(&io->space, mem->at, mem->length, IOVA_BIG);
	for (t = 0; t < 8; t++) {
		__u64 p, u;
		int error = access_measure(&io->space, IOVA_BIG + t * 2 * MIB,
					   2 * MIB, &p, &u);

		if (error == ENOENT || error == EOPNOTSUPP)
			break;
		must(error, "pin by an in-kernel user");
		sample_add(&pin, p);
		sample_add(&unpin, u);
	}
	must_unmap(&io->space, IOVA_BIG, mem->length);
	if (!pin.trials) {
		not_available("no access or no module", "access-pin/%s/2M", name);
		not_available("no access or no module", "access-unpin/%s/2M",
			      name);
		return;
	}
	result_of("insn", pin.least, "access-pin/%s/2M", name);
	result_of("insn", unpin.least, "access-unpin/%s/2M", name);
}

/*
 * Many areas of a page each, from the first page of the address space upwards,
 * so that the kernel's search for a free range meets them. @step: two pages
 * leave a gap behind each area that is too small for the two pages searched.
 */
struct areas {
	struct space *space;
	struct memory *mem;
	unsigned int n;
	__u64 step;
};

/* The MSI window is in the way of those that would lie in it or above. */
#define MSI_FIRST	0xfee00000ull
#define MSI_SIZE	0x100000ull

static __u64 area_iova(const struct areas *a, unsigned int i)
{
	__u64 iova = PAGE + i * a->step;

	return iova < MSI_FIRST ? iova : iova + MSI_SIZE;
}

#define BLOCKS	20

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/*
 * Run @call for each area: the mean of a call. A row of calls is long enough for
 * other threads of the kernel and for its housekeeping to get their turn. So what
 * counts is the CPU time of this thread, in blocks, and of these the median.
 */
static double each_area(const struct areas *a,
			int (*call)(const struct areas *a, unsigned int i))
{
	unsigned int size = a->n / BLOCKS, block, i;
	double mean[BLOCKS];

	for (block = 0; block < BLOCKS; block++) {
		__u64 begin = cpu_time();

		for (i = block * size; i < (block + 1) * size; i++)
			must(call(a, i), "one of many areas");
		mean[block] = (double)(cpu_time() - begin) / size;
	}
	qsort(mean, BLOCKS, sizeof(mean[0]), compare);
	return (mean[BLOCKS / 2 - 1] + mean[BLOCKS / 2]) / 2;
}

static int map_one(const struct areas *a, unsigned int i)
{
	size_t at = i % (a->mem->length / PAGE) * PAGE;

	return a->space->ops->map(a->space, a->mem->at + at, PAGE,
				  area_iova(a, i));
}

/* In an order as good as random: an odd factor without 5 meets each of 10^k. */
static int unmap_one(const struct areas *a, unsigned int i)
{
	return a->space->ops->unmap(a->space,
				    area_iova(a, i * 61803ull % a->n), PAGE);
}

static void place(const struct areas *a, size_t length, const char *name)
{
	struct sample sample = {};
	unsigned int t;

	if (!a->space->ops->map_anywhere)
		return;
	progress("%s: automatic address, %u areas, %s", a->space->ops->name,
		 a->n, name);
	for (t = 0; t < 16; t++) {
		__u64 begin = now(), iova;
		int error = a->space->ops->map_anywhere(a->space, a->mem->at,
							length, &iova);

		begin = now() - begin;
		must(error, "map at an automatic address");
		sample_add(&sample, begin);
		must_unmap(a->space, iova, length);
	}
	result(sample.least, "automatic-%s/%u", name, a->n);
}

void case_areas(struct space *s, struct memory *mem, unsigned int n)
{
	struct areas gaps = { s, mem, n, 2 * PAGE };
	struct areas dense = { s, mem, n, PAGE };
	struct kernel_memory used;

	progress("%s: map %u scattered pages", s->ops->name, n);
	used = kernel_memory();
	result(each_area(&gaps, map_one), "areas-map/%u", n);
	used = kernel_memory_since(used);
	/* Fewer may fit in what the slab had at hand. */
	if (n >= 100000)
		result_of("bytes", (double)used.other / n, "memory-area/%u", n);

	place(&gaps, 2 * PAGE, "fragmented");

	progress("%s: unmap %u scattered pages in random order", s->ops->name,
		 n);
	result(each_area(&gaps, unmap_one), "areas-unmap/%u", n);

	progress("%s: map %u pages back to back", s->ops->name, n);
	each_area(&dense, map_one);
	place(&dense, PAGE, "dense");
	progress("%s: unmap all of %u areas", s->ops->name, n);
	result((double)must_unmap_all(s) / n, "areas-unmap-all/%u", n);
}

#define PAIRS	4000

struct worker {
	pthread_t thread;
	pthread_barrier_t *barrier;
	struct space space;
	char *at;
	__u64 iova;
};

static void *work(void *data)
{
	struct worker *w = data;
	unsigned int i;

	pthread_barrier_wait(w->barrier);
	for (i = 0; i < PAIRS; i++) {
		char *at = w->at + i * PAGE;

		must(w->space.ops->map(&w->space, at, PAGE, w->iova), "map");
		must(w->space.ops->unmap(&w->space, w->iova, PAGE), "unmap");
	}
	return NULL;
}

static void run_workers(struct worker *w, unsigned int n, const char *key)
{
	pthread_barrier_t barrier;
	struct sample sample = {};
	unsigned int i, t;

	progress("%s: map and unmap by %u threads (%s)", w->space.ops->name, n,
		 key);
	for (t = 0; t < 3; t++) {
		__u64 begin;

		pthread_barrier_init(&barrier, NULL, n + 1);
		for (i = 0; i < n; i++) {
			w[i].barrier = &barrier;
			if (pthread_create(&w[i].thread, NULL, work, &w[i]))
				die("no thread");
		}
		begin = now();
		pthread_barrier_wait(&barrier);
		for (i = 0; i < n; i++)
			pthread_join(w[i].thread, NULL);
		sample_add(&sample, now() - begin);
		pthread_barrier_destroy(&barrier);
	}
	result((double)sample.least / (n * PAIRS), "pair/%s", key);
}

/*
 * Threads that map and unmap a page each, over and over: the time of a pair
 * with one thread, with two in one address space, with two in one each.
 */
void case_threads(struct space *s, struct iommufd *io, struct memory *mem)
{
	struct worker w[2] = {
		{ .space = *s, .at = mem->at, .iova = IOVA_THREADS },
		{ .space = *s, .at = mem->at + mem->length / 2,
		  .iova = IOVA_THREADS + 4 * GIB },
	};
	__u32 hwpt_id;

	run_workers(w, 1, "one-thread");
	run_workers(w, 2, "two-threads-one-space");
	if (!io) {
		not_available("one container a group",
			      "pair/two-threads-two-spaces");
		return;
	}
	iommufd_second(io, &w[1].space, &hwpt_id);
	run_workers(w, 2, "two-threads-two-spaces");
	must(iommufd_destroy(io, hwpt_id), "destroy a page table");
	must(iommufd_destroy(io, w[1].space.ioas_id),
	     "destroy an address space");
}
