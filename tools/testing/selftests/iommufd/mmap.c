// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmap of the file: regions of a vIOMMU, what is refused, and whom the copies
 * of a mapping keep.
 */
#include "pt.h"

#define TYPE IOMMU_VIOMMU_TYPE_SELFTEST
#define COOKIE 0xc001d00d

FIXTURE(mmap)
{
	int fd;
	uint32_t ioas, stdev, idev, parent, viommu;
	uint64_t offset, length;
	bool stop;
};

/* A vIOMMU with a region that begins with @cookie */
static int alloc_region(int fd, uint32_t idev, uint32_t parent, uint32_t cookie,
			uint32_t *viommu, uint64_t *offset, uint64_t *length)
{
	struct iommu_viommu_selftest data = { .in_data = cookie };
	int err;

	err = t_viommu(fd, idev, parent, TYPE, &data, sizeof(data), viommu);
	*offset = data.out_mmap_offset;
	if (length)
		*length = data.out_mmap_length;
	return err;
}

FIXTURE_SETUP(mmap)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_mock(self->fd, self->ioas, &self->stdev, NULL,
			    &self->idev));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas,
				  IOMMU_HWPT_ALLOC_NEST_PARENT,
				  &self->parent));
	ASSERT_EQ(0, alloc_region(self->fd, self->idev, self->parent, COOKIE,
				  &self->viommu, &self->offset, &self->length));
}

FIXTURE_TEARDOWN(mmap)
{
	close(self->fd);
}

/* NULL and an errno, or a mapping */
static void *map_full(int fd, uint64_t offset, uint64_t length, int prot,
		      int flags)
{
	void *va;

	errno = 0;
	va = mmap(NULL, length, prot, flags, fd, offset);
	return va == MAP_FAILED ? NULL : va;
}

static char *map(int fd, uint64_t offset, uint64_t length)
{
	return map_full(fd, offset, length, PROT_READ | PROT_WRITE, MAP_SHARED);
}

/* Number @i of the words there, read now */
static uint32_t word(const void *va, size_t i)
{
	return __atomic_load_n((const uint32_t *)va + i, __ATOMIC_RELAXED);
}

TEST_F(mmap, refusals_in_order)
{
	const int rw = PROT_READ | PROT_WRITE;
	const uint64_t bad = self->offset + 100 * T_PAGE;
	int fd = self->fd;

	EXPECT_EQ(NULL, map_full(fd, bad, self->length, rw | PROT_EXEC,
				 MAP_PRIVATE));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(NULL, map_full(fd, self->offset, self->length, rw,
				 MAP_PRIVATE));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(NULL, map_full(fd, bad, self->length, rw | PROT_EXEC,
				 MAP_SHARED));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(NULL, map_full(fd, self->offset, self->length,
				 PROT_READ | PROT_EXEC, MAP_SHARED));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(NULL, map(fd, bad, self->length));
	EXPECT_EQ(ENXIO, errno);
	EXPECT_EQ(NULL, map(fd, 0, self->length));
	EXPECT_EQ(ENXIO, errno);
	/* Of a region all or nothing */
	EXPECT_EQ(NULL, map(fd, self->offset, T_PAGE));
	EXPECT_EQ(ENXIO, errno);
	EXPECT_EQ(NULL, map(fd, self->offset, 2 * self->length));
	EXPECT_EQ(ENXIO, errno);
	EXPECT_EQ(NULL, map(fd, self->offset + T_PAGE, T_PAGE));
	EXPECT_EQ(ENXIO, errno);
	EXPECT_EQ(NULL, map(fd, self->offset + T_PAGE, self->length));
	EXPECT_EQ(ENXIO, errno);
	EXPECT_EQ(NULL, map(fd, self->offset - T_PAGE, self->length));
	EXPECT_EQ(ENXIO, errno);
	/* None of them kept the vIOMMU. */
	EXPECT_EQ(0, t_destroy(fd, self->viommu));
	EXPECT_EQ(NULL, map(fd, self->offset, self->length));
	EXPECT_EQ(ENXIO, errno);
}

TEST_F(mmap, memory_of_the_region)
{
	char *va, *ro;
	size_t last = self->length / sizeof(uint32_t) - 1;

	va = map(self->fd, self->offset, self->length);
	ASSERT_NE(NULL, va);
	EXPECT_EQ(COOKIE, word(va, 0));
	EXPECT_EQ(0, word(va, last));
	((uint32_t *)va)[last] = 7;

	/* A second look at the same */
	ro = map_full(self->fd, self->offset, self->length, PROT_READ,
		      MAP_SHARED);
	ASSERT_NE(NULL, ro);
	EXPECT_EQ(COOKIE, word(ro, 0));
	EXPECT_EQ(7, word(ro, last));

	/* It cannot be made executable later either. */
	EXPECT_EQ(-1, mprotect(ro, self->length,
			       PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(0, munmap(ro, self->length));
	EXPECT_EQ(0, munmap(va, self->length));
}

TEST_F(mmap, many_regions)
{
	uint64_t offset[8], other_offset;
	uint32_t viommu[8], id, pt, idev;
	char *va;
	size_t i, k;
	int fd;

	for (i = 0; i < ARRAY_SIZE(viommu); i++) {
		ASSERT_EQ(0, alloc_region(self->fd, self->idev, self->parent, i,
					  &viommu[i], &offset[i], NULL));
		EXPECT_LE(T_PAGE, offset[i]);
		EXPECT_EQ(0, offset[i] % T_PAGE);
		EXPECT_NE(self->offset, offset[i]);
		for (k = 0; k < i; k++)
			EXPECT_TRUE(offset[i] >= offset[k] + self->length ||
				    offset[k] >= offset[i] + self->length);
	}
	for (i = 0; i < ARRAY_SIZE(viommu); i++) {
		va = map(self->fd, offset[i], self->length);
		ASSERT_NE(NULL, va);
		EXPECT_EQ(i, word(va, 0));
		EXPECT_EQ(EBUSY, t_destroy(self->fd, viommu[i]));
		EXPECT_EQ(0, munmap(va, self->length));
		EXPECT_EQ(0, t_destroy(self->fd, viommu[i]));
	}

	/* Another open of the device has its own. */
	fd = t_open();
	ASSERT_LE(0, fd);
	EXPECT_EQ(NULL, map(fd, self->offset, self->length));
	EXPECT_EQ(ENXIO, errno);
	ASSERT_EQ(0, t_ioas_alloc(fd, &id));
	ASSERT_EQ(0, t_mock(fd, id, NULL, NULL, &idev));
	ASSERT_EQ(0, t_hwpt_alloc(fd, idev, id, IOMMU_HWPT_ALLOC_NEST_PARENT,
				  &pt));
	ASSERT_EQ(0, alloc_region(fd, idev, pt, 99, &id, &other_offset, NULL));
	va = map(fd, other_offset, self->length);
	ASSERT_NE(NULL, va);
	EXPECT_EQ(99, word(va, 0));
	EXPECT_EQ(0, munmap(va, self->length));
	close(fd);
}

TEST_F(mmap, no_data_no_region)
{
	uint64_t offset = self->offset;
	uint32_t id;

	ASSERT_EQ(0, t_destroy(self->fd, self->viommu));
	ASSERT_EQ(0, t_viommu(self->fd, self->idev, self->parent, TYPE, NULL, 0,
			      &id));
	EXPECT_EQ(NULL, map(self->fd, offset, self->length));
	EXPECT_EQ(ENXIO, errno);
}

TEST_F(mmap, keeps_its_owner)
{
	char *a, *b;

	a = map(self->fd, self->offset, self->length);
	ASSERT_NE(NULL, a);
	b = map(self->fd, self->offset, self->length);
	ASSERT_NE(NULL, b);
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->viommu));
	EXPECT_EQ(0, munmap(a, self->length));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->viommu));
	EXPECT_EQ(COOKIE, word(b, 0));
	EXPECT_EQ(0, munmap(b, self->length));
	EXPECT_EQ(0, t_destroy(self->fd, self->viommu));
}

TEST_F(mmap, halves)
{
	char *va = map(self->fd, self->offset, self->length);
	char *high = va + T_PAGE;

	ASSERT_NE(NULL, va);
	/* The protection of one half makes two mappings of one. */
	ASSERT_EQ(0, mprotect(high, T_PAGE, PROT_READ));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->viommu));
	ASSERT_EQ(0, munmap(va, T_PAGE));
	EXPECT_EQ(0, word(high, 0));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->viommu));
	ASSERT_EQ(0, munmap(high, T_PAGE));
	EXPECT_EQ(0, t_destroy(self->fd, self->viommu));
}

TEST_F(mmap, moved)
{
	char *va = map(self->fd, self->offset, self->length);
	void *place, *moved;

	ASSERT_NE(NULL, va);
	EXPECT_EQ(MAP_FAILED, mremap(va, self->length, 2 * self->length,
				     MREMAP_MAYMOVE));
	place = mmap(NULL, self->length, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, place);
	moved = mremap(va, self->length, self->length,
		       MREMAP_MAYMOVE | MREMAP_FIXED, place);
	ASSERT_EQ(place, moved);
	EXPECT_EQ(COOKIE, word(moved, 0));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->viommu));
	ASSERT_EQ(0, munmap(moved, self->length));
	EXPECT_EQ(0, t_destroy(self->fd, self->viommu));
}

TEST_F(mmap, copies_of_children)
{
	char *va = map(self->fd, self->offset, self->length);
	int end[2], status;
	pid_t child;
	char byte;

	ASSERT_NE(NULL, va);
	ASSERT_EQ(0, pipe(end));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		close(end[1]);
		/* Until the parent says so */
		if (read(end[0], &byte, 1) != 1)
			_exit(2);
		_exit(word(va, 0) == COOKIE ? 0 : 1);
	}
	close(end[0]);
	ASSERT_EQ(0, munmap(va, self->length));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->viommu));
	ASSERT_EQ(1, write(end[1], "x", 1));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, t_destroy(self->fd, self->viommu));
	close(end[1]);
}

TEST_F(mmap, keeps_the_file)
{
	char *va = map(self->fd, self->offset, self->length);
	char *buf = t_alloc(T_PAGE);
	int fd;

	ASSERT_NE(NULL, va);
	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, t_map_at(self->fd, self->ioas, buf, T_PAGE, T_BASE));
	close(self->fd);
	fd = t_open();
	ASSERT_LE(0, fd);
	self->fd = fd;
	/* Everything is still there. */
	EXPECT_EQ(COOKIE, word(va, 0));
	EXPECT_EQ(0, t_check_refs(fd, buf, T_PAGE, 1));
	EXPECT_EQ(0, munmap(va, self->length));
	EXPECT_EQ(0, t_check_refs(fd, buf, T_PAGE, 0));
}

/* MAP, look, UNMAP of a region that may be gone, or not quite there */
static void *look(void *arg)
{
	struct t_job *job = arg;
	char *va;

	while (!t_stopped(job)) {
		va = map(job->fd, job->base, 2 * T_PAGE);
		if (!va) {
			if (errno != ENXIO) {
				t_wrong(job, "map", errno);
				break;
			}
			job->refused++;
		} else {
			if (word(va, 0) != COOKIE) {
				t_wrong(job, "look", word(va, 0));
				break;
			}
			munmap(va, 2 * T_PAGE);
		}
		job->done++;
	}
	return NULL;
}

static void *alloc_and_destroy(void *arg)
{
	struct t_job *job = arg;
	uint64_t offset;
	uint32_t id;
	int err;

	while (!t_stopped(job)) {
		err = alloc_region(job->fd, job->idev, job->hwpt, COOKIE, &id,
				   &offset, NULL);
		if (err || offset != job->base) {
			t_wrong(job, "alloc", err);
			break;
		}
		/* Time to look; and as long as somebody does it stays. */
		usleep(50);
		while ((err = t_destroy(job->fd, id)) == EBUSY)
			job->refused++;
		if (err) {
			t_wrong(job, "destroy", err);
			break;
		}
		job->done++;
	}
	return NULL;
}

/* The region exists for a moment, the vIOMMU never does. */
static void *alloc_in_vain(void *arg)
{
	struct t_job *job = arg;
	struct iommu_viommu_selftest data = { .in_data = COOKIE };
	struct iommu_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.type = TYPE,
		.dev_id = job->idev,
		.hwpt_id = job->hwpt,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)&data,
	};
	void *ro = t_readonly(&cmd, sizeof(cmd));
	int err;

	while (!t_stopped(job)) {
		err = t_call(job->fd, IOMMU_VIOMMU_ALLOC, ro);
		if (err != EFAULT || data.out_mmap_offset != job->base) {
			t_wrong(job, "alloc", err);
			break;
		}
		job->done++;
	}
	return NULL;
}

static void fill_jobs(struct _test_data_mmap *self, struct t_job *jobs,
		      unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		jobs[i] = (struct t_job) {
			.fd = self->fd,
			.idev = self->idev,
			.hwpt = self->parent,
			.base = self->offset,
			.stop = &self->stop,
		};
}

TEST_F(mmap, race_with_destroy)
{
	static const t_work_t work[] = { alloc_and_destroy, look, look };
	struct t_job jobs[ARRAY_SIZE(work)];

	ASSERT_EQ(0, t_destroy(self->fd, self->viommu));
	fill_jobs(self, jobs, ARRAY_SIZE(work));
	t_run(_metadata, work, jobs, ARRAY_SIZE(work));
	/* It was there sometimes, or nothing was tested. */
	EXPECT_LT(jobs[1].refused, jobs[1].done);
	EXPECT_EQ(0, t_destroy(self->fd, self->parent));
}

TEST_F(mmap, race_with_failure)
{
	static const t_work_t work[] = { alloc_in_vain, look };
	struct t_job jobs[ARRAY_SIZE(work)];

	ASSERT_EQ(0, t_destroy(self->fd, self->viommu));
	fill_jobs(self, jobs, ARRAY_SIZE(work));
	t_run(_metadata, work, jobs, ARRAY_SIZE(work));
	EXPECT_EQ(jobs[1].refused, jobs[1].done);
	EXPECT_EQ(0, t_destroy(self->fd, self->parent));
}

TEST_HARNESS_MAIN
